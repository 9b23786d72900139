/** PCP messages from bytes (pcp.md §5, §7). Nothing is thrown: most of what comes is business data, and no fault. */

import { HEADER_LENGTH, type NotPcp, recognizeFrame, uint16 } from "./frame";
import {
  type DeviceMessage,
  MESSAGE_CODES,
  type MessageCode,
  type NewVersionRequest,
  type PcpMessage,
  type PlatformMessage,
  SHARD_SIZE,
  type ShardResponse,
} from "./message";
import { RESULT } from "./result-codes";
import { readVersion, VERSION_LENGTH } from "./version-text";

/** What can be wrong with a message that is PCP. It is traced and dropped, and never given to the codec (pcp.md §7). */
export const MALFORMED_REASONS = [
  "dataLength", // does not fit the message
  "emptyVersion",
  "versionCharacter", // outside 20..7E, before the padding
  "shardSize", // not 32..500
  "shardTotal", // 0
  "shardData", // none with success, or some without
] as const;
export type MalformedReason = (typeof MALFORMED_REASONS)[number];
export type MalformedPcp = {
  readonly kind: "malformed";
  readonly code: MessageCode;
  readonly reason: MalformedReason;
  /** Of the first byte that is wrong, counted in the frame; of the length field when it is the length. */
  readonly offset: number;
};

export type Decoded<M extends PcpMessage> = { readonly kind: "message"; readonly message: M } | MalformedPcp | NotPcp;

const LENGTH_AT = 6;

/** What a device has sent. */
export function decodeDeviceMessage(bytes: Uint8Array): Decoded<DeviceMessage> {
  const frame = recognizeFrame(bytes);
  if (frame.kind === "notPcp") return frame;
  const { code, data } = frame;
  if (data.length !== DEVICE_DATA_LENGTH[code]) return malformed(code, "dataLength", LENGTH_AT);
  const resultCode = data[0] as number;
  switch (code) {
    case MESSAGE_CODES.queryVersion:
      return withVersion(code, data, 1, (currentVersion) => ({
        type: "queryVersionResponse",
        resultCode,
        currentVersion,
      }));
    case MESSAGE_CODES.newVersion:
      return message({ type: "newVersionResponse", resultCode });
    case MESSAGE_CODES.shard:
      return withVersion(code, data, 0, (targetVersion) => ({
        type: "shardRequest",
        targetVersion,
        shardIndex: uint16(data, VERSION_LENGTH),
      }));
    case MESSAGE_CODES.downloadResult:
      return message({ type: "downloadResultRequest", downloadStatus: resultCode });
    case MESSAGE_CODES.execute:
      return message({ type: "executeResponse", resultCode });
    case MESSAGE_CODES.upgradeResult:
      return withVersion(code, data, 1, (currentVersion) => ({
        type: "upgradeResultRequest",
        resultCode,
        currentVersion,
      }));
    default:
      return code satisfies never;
  }
}

/** What the platform has sent. */
export function decodePlatformMessage(bytes: Uint8Array): Decoded<PlatformMessage> {
  const frame = recognizeFrame(bytes);
  if (frame.kind === "notPcp") return frame;
  const { code, data } = frame;
  const { min, max } = PLATFORM_DATA_LENGTH[code];
  if (data.length < min || data.length > max) return malformed(code, "dataLength", LENGTH_AT);
  const resultCode = data[0] as number;
  switch (code) {
    case MESSAGE_CODES.queryVersion:
      return message({ type: "queryVersionRequest" });
    case MESSAGE_CODES.newVersion:
      return newVersion(data);
    case MESSAGE_CODES.shard:
      return shard(resultCode, data);
    case MESSAGE_CODES.downloadResult:
      return message({ type: "downloadResultResponse", resultCode });
    case MESSAGE_CODES.execute:
      return message({ type: "executeRequest" });
    case MESSAGE_CODES.upgradeResult:
      return message({ type: "upgradeResultResponse", resultCode });
    default:
      return code satisfies never;
  }
}

/** pcp.md §7, last but one note. */
const DEVICE_DATA_LENGTH: Record<MessageCode, number> = {
  [MESSAGE_CODES.queryVersion]: 1 + VERSION_LENGTH,
  [MESSAGE_CODES.newVersion]: 1,
  [MESSAGE_CODES.shard]: VERSION_LENGTH + 2,
  [MESSAGE_CODES.downloadResult]: 1,
  [MESSAGE_CODES.execute]: 1,
  [MESSAGE_CODES.upgradeResult]: 1 + VERSION_LENGTH,
};

const exactly = (length: number) => ({ min: length, max: length });
const PLATFORM_DATA_LENGTH: Record<MessageCode, { readonly min: number; readonly max: number }> = {
  [MESSAGE_CODES.queryVersion]: exactly(0),
  [MESSAGE_CODES.newVersion]: exactly(VERSION_LENGTH + 6),
  [MESSAGE_CODES.shard]: { min: 3, max: 3 + SHARD_SIZE.max },
  [MESSAGE_CODES.downloadResult]: exactly(1),
  [MESSAGE_CODES.execute]: exactly(0),
  [MESSAGE_CODES.upgradeResult]: exactly(1),
};

function newVersion(data: Uint8Array): Decoded<NewVersionRequest> {
  const code = MESSAGE_CODES.newVersion;
  return withVersion(code, data, 0, (targetVersion) => {
    const shardSize = uint16(data, VERSION_LENGTH);
    const shardTotal = uint16(data, VERSION_LENGTH + 2);
    if (shardSize < SHARD_SIZE.min || shardSize > SHARD_SIZE.max)
      return malformed(code, "shardSize", HEADER_LENGTH + VERSION_LENGTH);
    if (shardTotal === 0) return malformed(code, "shardTotal", HEADER_LENGTH + VERSION_LENGTH + 2);
    const packageCheckCode = uint16(data, VERSION_LENGTH + 4);
    return { type: "newVersionRequest", targetVersion, shardSize, shardTotal, packageCheckCode };
  });
}

function shard(resultCode: number, data: Uint8Array): Decoded<ShardResponse> {
  const content = data.subarray(3);
  if ((resultCode === RESULT.success) !== content.length > 0)
    return malformed(MESSAGE_CODES.shard, "shardData", HEADER_LENGTH + 3);
  return message({ type: "shardResponse", resultCode, shardIndex: uint16(data, 1), data: content });
}

function withVersion<M extends PcpMessage>(
  code: MessageCode,
  data: Uint8Array,
  at: number,
  build: (version: string) => M | MalformedPcp,
): Decoded<M> {
  const version = readVersion(data, at);
  if (typeof version !== "string") return malformed(code, version.reason, HEADER_LENGTH + version.wrongAt);
  const built = build(version);
  return "kind" in built ? built : message(built);
}

const message = <const M extends PcpMessage>(it: M) => ({ kind: "message", message: it }) as const;
const malformed = (code: MessageCode, reason: MalformedReason, offset: number): MalformedPcp => ({
  kind: "malformed",
  code,
  reason,
  offset,
});
