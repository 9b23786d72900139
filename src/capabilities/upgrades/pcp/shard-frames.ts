import { encodePlatformMessage, RESULT } from "../../../wire/pcp";
import type { PackageContents, UpgradePackage } from "../../packages/package";

const MAX_SHARDS = 0x1_0000;
/** What a frame costs beside its bytes. */
const OVERHEAD = 128;

/**
 * The answers to shard requests, ready to be sent. They are the same for every device, so that a campaign reads, copies and
 * checks each shard once: the ones that were asked for last are kept, up to so many bytes.
 */
export function shardFrames(contents: PackageContents, maxBytes: number) {
  const frames = new Map<number, Uint8Array>();
  let bytes = 0;

  function keep(key: number, frame: Uint8Array): void {
    frames.set(key, frame);
    bytes += frame.length + OVERHEAD;
    for (const [oldest, { length }] of frames) {
      if (bytes <= maxBytes) return;
      frames.delete(oldest);
      bytes -= length + OVERHEAD;
    }
  }

  return {
    /** Whole, of a shard that exists. Not to be changed. Throws PACKAGE_NOT_FOUND. */
    of({ no, shardSize, size }: Pick<UpgradePackage, "no" | "shardSize" | "size">, shardIndex: number): Uint8Array {
      const key = no * MAX_SHARDS + shardIndex;
      const known = frames.get(key);
      if (known) {
        frames.delete(key); // the newest now
        frames.set(key, known);
        return known;
      }
      const offset = shardIndex * shardSize;
      const data = contents.read(no, offset, Math.min(shardSize, size - offset));
      const frame = encodePlatformMessage({ type: "shardResponse", resultCode: RESULT.success, shardIndex, data });
      keep(key, frame);
      return frame;
    },
    get bytes(): number {
      return bytes;
    },
  };
}
