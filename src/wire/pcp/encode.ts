/** PCP messages to bytes (pcp.md §3, §5). Throws RangeError for what no frame can say: a fault of the caller. */

import { HEADER_LENGTH, openFrame, putUint16, seal } from "./frame";
import {
  CODE_OF,
  type DeviceMessage,
  type MessageCode,
  type NewVersionRequest,
  type PlatformMessage,
  SHARD_SIZE,
  type ShardResponse,
} from "./message";
import { RESULT } from "./result-codes";
import { VERSION_LENGTH, writeVersion } from "./version-text";

/** The whole frame. The data of a shard are copied once, into it. */
export function encodePlatformMessage(message: PlatformMessage): Uint8Array {
  const code = CODE_OF[message.type];
  switch (message.type) {
    case "queryVersionRequest":
    case "executeRequest":
      return seal(openFrame(code, 0));
    case "newVersionRequest":
      return newVersion(message);
    case "shardResponse":
      return shard(message);
    case "downloadResultResponse":
    case "upgradeResultResponse":
      return result(code, message.resultCode);
    default:
      return message satisfies never;
  }
}

/** The whole frame. */
export function encodeDeviceMessage(message: DeviceMessage): Uint8Array {
  const code = CODE_OF[message.type];
  switch (message.type) {
    case "newVersionResponse":
    case "executeResponse":
      return result(code, message.resultCode);
    case "downloadResultRequest":
      return result(code, message.downloadStatus);
    case "queryVersionResponse":
    case "upgradeResultRequest": {
      const frame = openFrame(code, 1 + VERSION_LENGTH);
      frame[HEADER_LENGTH] = whole("result code", message.resultCode, 0, 0xff);
      writeVersion(message.currentVersion, frame, HEADER_LENGTH + 1);
      return seal(frame);
    }
    case "shardRequest": {
      const frame = openFrame(code, VERSION_LENGTH + 2);
      writeVersion(message.targetVersion, frame, HEADER_LENGTH);
      putUint16(frame, HEADER_LENGTH + VERSION_LENGTH, whole("shard index", message.shardIndex, 0, 0xffff));
      return seal(frame);
    }
    default:
      return message satisfies never;
  }
}

function newVersion({ type, targetVersion, shardSize, shardTotal, packageCheckCode }: NewVersionRequest): Uint8Array {
  const frame = openFrame(CODE_OF[type], VERSION_LENGTH + 6);
  const behindVersion = HEADER_LENGTH + VERSION_LENGTH;
  writeVersion(targetVersion, frame, HEADER_LENGTH);
  putUint16(frame, behindVersion, whole("shard size", shardSize, SHARD_SIZE.min, SHARD_SIZE.max));
  putUint16(frame, behindVersion + 2, whole("shard total", shardTotal, 1, 0xffff));
  putUint16(frame, behindVersion + 4, whole("package check code", packageCheckCode, 0, 0xffff));
  return seal(frame);
}

function shard({ type, resultCode, shardIndex, data }: ShardResponse): Uint8Array {
  if ((resultCode === RESULT.success) !== data.length > 0 || data.length > SHARD_SIZE.max)
    throw new RangeError(`a shard of ${data.length} bytes with result ${resultCode}`);
  const frame = openFrame(CODE_OF[type], 3 + data.length);
  frame[HEADER_LENGTH] = whole("result code", resultCode, 0, 0xff);
  putUint16(frame, HEADER_LENGTH + 1, whole("shard index", shardIndex, 0, 0xffff));
  frame.set(data, HEADER_LENGTH + 3);
  return seal(frame);
}

function result(code: MessageCode, resultCode: number): Uint8Array {
  const frame = openFrame(code, 1);
  frame[HEADER_LENGTH] = whole("result code", resultCode, 0, 0xff);
  return seal(frame);
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${value} is no ${name} from ${min} to ${max}`);
  return value;
}
