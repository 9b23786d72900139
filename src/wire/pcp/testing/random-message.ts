import type { Random } from "../../testing/random";
import { type DeviceMessage, type PlatformMessage, SHARD_SIZE } from "..";

const version = (random: Random) => String.fromCharCode(...random.list(16, () => 0x20 + random.below(0x5f))); // every printable character
const byte = (random: Random) => random.below(0x100);
const word = (random: Random) => random.below(0x1_0000);

export function randomPlatformMessage(random: Random): PlatformMessage {
  const shard = (): PlatformMessage => {
    const isGood = random.flip();
    return {
      type: "shardResponse",
      resultCode: isGood ? 0 : 1 + random.below(0xff),
      shardIndex: word(random),
      data: random.bytes(isGood ? 1 + random.below(SHARD_SIZE.max) : 0),
    };
  };
  return random.oneOf<() => PlatformMessage>([
    () => ({ type: "queryVersionRequest" }),
    () => ({
      type: "newVersionRequest",
      targetVersion: version(random),
      shardSize: SHARD_SIZE.min + random.below(SHARD_SIZE.max - SHARD_SIZE.min + 1),
      shardTotal: 1 + random.below(random.oneOf([9, 0xffff])),
      packageCheckCode: word(random),
    }),
    shard,
    () => ({ type: "downloadResultResponse", resultCode: byte(random) }),
    () => ({ type: "executeRequest" }),
    () => ({ type: "upgradeResultResponse", resultCode: byte(random) }),
  ])();
}

export function randomDeviceMessage(random: Random): DeviceMessage {
  return random.oneOf<() => DeviceMessage>([
    () => ({ type: "queryVersionResponse", resultCode: byte(random), currentVersion: version(random) }),
    () => ({ type: "newVersionResponse", resultCode: byte(random) }),
    () => ({ type: "shardRequest", targetVersion: version(random), shardIndex: word(random) }),
    () => ({ type: "downloadResultRequest", downloadStatus: byte(random) }),
    () => ({ type: "executeResponse", resultCode: byte(random) }),
    () => ({ type: "upgradeResultRequest", resultCode: byte(random), currentVersion: version(random) }),
  ])();
}
