/** The messages of PCP (pcp.md §4, §5). A type tells its direction: no type is in both unions. */

/** Request and response of an exchange share the code (pcp.md §4). */
export const MESSAGE_CODES = {
  queryVersion: 19,
  newVersion: 20,
  shard: 21,
  downloadResult: 22,
  execute: 23,
  upgradeResult: 24,
} as const;
export type MessageCode = (typeof MESSAGE_CODES)[keyof typeof MESSAGE_CODES];

/** Bytes of a shard (pcp.md §5.2). */
export const SHARD_SIZE = { min: 32, max: 500, default: 500 } as const;
/** The total of shards is a WORD (pcp.md §12.9). */
export const MAX_SHARD_TOTAL = 0xffff;

/** pcp.md §5.1. */
export type QueryVersionRequest = { readonly type: "queryVersionRequest" };
export type QueryVersionResponse = {
  readonly type: "queryVersionResponse";
  readonly resultCode: number;
  readonly currentVersion: string;
};

/** pcp.md §5.2, the new version notification. */
export type NewVersionRequest = {
  readonly type: "newVersionRequest";
  readonly targetVersion: string;
  /** See `SHARD_SIZE`; only the last shard may be shorter. */
  readonly shardSize: number;
  /** From 1. */
  readonly shardTotal: number;
  /** 16 bit; the `versionCheckCode` of the package, 0 when it has none. */
  readonly packageCheckCode: number;
};
export type NewVersionResponse = { readonly type: "newVersionResponse"; readonly resultCode: number };

/** pcp.md §5.3. */
export type ShardRequest = {
  readonly type: "shardRequest";
  readonly targetVersion: string;
  /** From 0. */
  readonly shardIndex: number;
};
export type ShardResponse = {
  readonly type: "shardResponse";
  readonly resultCode: number;
  readonly shardIndex: number;
  /** Decoded: a view of the frame. Empty unless the result is success. */
  readonly data: Uint8Array;
};

/** pcp.md §5.4. */
export type DownloadResultRequest = { readonly type: "downloadResultRequest"; readonly downloadStatus: number };
export type DownloadResultResponse = { readonly type: "downloadResultResponse"; readonly resultCode: number };

/** pcp.md §5.5. */
export type ExecuteRequest = { readonly type: "executeRequest" };
export type ExecuteResponse = { readonly type: "executeResponse"; readonly resultCode: number };

/** pcp.md §5.6. */
export type UpgradeResultRequest = {
  readonly type: "upgradeResultRequest";
  readonly resultCode: number;
  readonly currentVersion: string;
};
export type UpgradeResultResponse = { readonly type: "upgradeResultResponse"; readonly resultCode: number };

/** What the platform sends to a device. */
export type PlatformMessage =
  | QueryVersionRequest
  | NewVersionRequest
  | ShardResponse
  | DownloadResultResponse
  | ExecuteRequest
  | UpgradeResultResponse;

/** What a device sends to the platform. */
export type DeviceMessage =
  | QueryVersionResponse
  | NewVersionResponse
  | ShardRequest
  | DownloadResultRequest
  | ExecuteResponse
  | UpgradeResultRequest;

export type PcpMessage = PlatformMessage | DeviceMessage;

export const CODE_OF = {
  queryVersionRequest: MESSAGE_CODES.queryVersion,
  queryVersionResponse: MESSAGE_CODES.queryVersion,
  newVersionRequest: MESSAGE_CODES.newVersion,
  newVersionResponse: MESSAGE_CODES.newVersion,
  shardRequest: MESSAGE_CODES.shard,
  shardResponse: MESSAGE_CODES.shard,
  downloadResultRequest: MESSAGE_CODES.downloadResult,
  downloadResultResponse: MESSAGE_CODES.downloadResult,
  executeRequest: MESSAGE_CODES.execute,
  executeResponse: MESSAGE_CODES.execute,
  upgradeResultRequest: MESSAGE_CODES.upgradeResult,
  upgradeResultResponse: MESSAGE_CODES.upgradeResult,
} as const satisfies Record<PcpMessage["type"], MessageCode>;

/** Shards of a package of `size` bytes; beyond `MAX_SHARD_TOTAL` it cannot be sent (pcp.md §5.2, §12.9). */
export const shardTotalOf = (size: number, shardSize: number): number => Math.ceil(size / shardSize);
