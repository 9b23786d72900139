/** The device's side of a download (pcp.md §6, resume): what it keeps in its flash, and what it asks for next. Pure. */

import type { NewVersionRequest, ShardRequest, ShardResponse } from "./message";
import { RESULT } from "./result-codes";
import { addShard, firstMissing, hasShard, NO_SHARDS, type ShardSet } from "./shard-set";

export type Download = {
  readonly targetVersion: string;
  readonly packageCheckCode: number;
  readonly shardSize: number;
  readonly shardTotal: number;
  readonly received: ShardSet;
};

export type DownloadStart = {
  readonly download: Download;
  /** `resumed`: the shards that are there still count. `fresh`: whatever is stored is of another package, drop it. */
  readonly how: "resumed" | "fresh";
};

/**
 * A new version was notified. Shards are kept only for the same version and check code (pcp.md §6); and for the same
 * cut, because an index means other bytes in another one.
 */
export function beginDownload(
  stored: Download | undefined,
  { targetVersion, packageCheckCode, shardSize, shardTotal }: NewVersionRequest,
): DownloadStart {
  const isSame =
    stored?.targetVersion === targetVersion &&
    stored.packageCheckCode === packageCheckCode &&
    stored.shardSize === shardSize &&
    stored.shardTotal === shardTotal;
  return isSame
    ? { download: stored, how: "resumed" }
    : { download: { targetVersion, packageCheckCode, shardSize, shardTotal, received: NO_SHARDS }, how: "fresh" };
}

/** The first missing shard; undefined when the package is whole. */
export function nextShardRequest({ targetVersion, shardTotal, received }: Download): ShardRequest | undefined {
  const shardIndex = firstMissing(received, shardTotal);
  return shardIndex === undefined ? undefined : { type: "shardRequest", targetVersion, shardIndex };
}

export type ShardVerdict =
  /** Its data are new: keep them at `shardIndex * shardSize`. */
  | { readonly kind: "stored"; readonly download: Download }
  | { readonly kind: "known" }
  /** Not of this download, or not of the length that its place asks for. */
  | { readonly kind: "unfit" }
  /** `noTask`, `noShard`, or what the platform said instead. */
  | { readonly kind: "refused"; readonly resultCode: number };

export function takeShard(download: Download, { resultCode, shardIndex, data }: ShardResponse): ShardVerdict {
  if (resultCode !== RESULT.success) return { kind: "refused", resultCode };
  const { shardSize, shardTotal, received } = download;
  const isLast = shardIndex === shardTotal - 1;
  const fits = isLast ? data.length > 0 && data.length <= shardSize : data.length === shardSize;
  if (shardIndex >= shardTotal || !fits) return { kind: "unfit" };
  if (hasShard(received, shardIndex)) return { kind: "known" };
  return { kind: "stored", download: { ...download, received: addShard(received, shardIndex) } };
}
