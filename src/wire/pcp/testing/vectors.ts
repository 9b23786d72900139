import { type DeviceMessage, MESSAGE_CODES, type MessageCode, type PlatformMessage, parseCheckCode } from "..";
import rows from "./vectors.json";

export type PcpVector = { readonly name: string; readonly code: number; readonly bytes: Uint8Array } & (
  | { readonly direction: "platform-to-device"; readonly message: PlatformMessage }
  | { readonly direction: "device-to-platform"; readonly message: DeviceMessage }
);

/** pcp.md §8. `doc-01` to `doc-12` are the examples of the protocol's document without its printing errors. */
export const PCP_VECTORS: readonly PcpVector[] = rows.map(({ name, direction, code, fields, hex }) => {
  const bytes = Uint8Array.fromHex(hex);
  return direction === "platform-to-device"
    ? { name, code, bytes, direction, message: platformMessage(code as MessageCode, fields) }
    : { name, code, bytes, direction: "device-to-platform", message: deviceMessage(code as MessageCode, fields) };
});

type Fields = Readonly<Record<string, string | number>>;
function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw new Error(`${name} is ${value}`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Error(`${name} is ${value}`);
  return value;
}

function platformMessage(code: MessageCode, fields: Fields): PlatformMessage {
  switch (code) {
    case MESSAGE_CODES.queryVersion:
      return { type: "queryVersionRequest" };
    case MESSAGE_CODES.newVersion: {
      const packageCheckCode = parseCheckCode(text(fields, "packageCheckCode"));
      if (packageCheckCode === undefined) throw new Error("the check code is not hexadecimal");
      return {
        type: "newVersionRequest",
        targetVersion: text(fields, "targetVersion"),
        shardSize: number(fields, "shardSize"),
        shardTotal: number(fields, "shardTotal"),
        packageCheckCode,
      };
    }
    case MESSAGE_CODES.shard:
      return {
        type: "shardResponse",
        resultCode: number(fields, "resultCode"),
        shardIndex: number(fields, "shardIndex"),
        data: Uint8Array.fromHex(fields.data === undefined ? "" : text(fields, "data")),
      };
    case MESSAGE_CODES.downloadResult:
      return { type: "downloadResultResponse", resultCode: number(fields, "resultCode") };
    case MESSAGE_CODES.execute:
      return { type: "executeRequest" };
    case MESSAGE_CODES.upgradeResult:
      return { type: "upgradeResultResponse", resultCode: number(fields, "resultCode") };
    default:
      return code satisfies never;
  }
}

function deviceMessage(code: MessageCode, fields: Fields): DeviceMessage {
  switch (code) {
    case MESSAGE_CODES.queryVersion:
      return {
        type: "queryVersionResponse",
        resultCode: number(fields, "resultCode"),
        currentVersion: text(fields, "currentVersion"),
      };
    case MESSAGE_CODES.newVersion:
      return { type: "newVersionResponse", resultCode: number(fields, "resultCode") };
    case MESSAGE_CODES.shard:
      return {
        type: "shardRequest",
        targetVersion: text(fields, "targetVersion"),
        shardIndex: number(fields, "shardIndex"),
      };
    case MESSAGE_CODES.downloadResult:
      return { type: "downloadResultRequest", downloadStatus: number(fields, "downloadStatus") };
    case MESSAGE_CODES.execute:
      return { type: "executeResponse", resultCode: number(fields, "resultCode") };
    case MESSAGE_CODES.upgradeResult:
      return {
        type: "upgradeResultRequest",
        resultCode: number(fields, "resultCode"),
        currentVersion: text(fields, "currentVersion"),
      };
    default:
      return code satisfies never;
  }
}
