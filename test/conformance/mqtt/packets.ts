/** Packets as bytes, written independently of the server's codec. */
import { createHmac } from "node:crypto";
import type { StubDevice } from "./stub-platform";

export const bytes = (...parts: (number | string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === "number" ? Buffer.of(part) : typeof part === "string" ? Buffer.from(part) : Buffer.from(part),
    ),
  );
export const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));
export const uint16 = (value: number) => bytes(value >> 8, value & 0xff);
export const field = (value: string | Uint8Array) => bytes(uint16(Buffer.byteLength(value)), value);

export function packet(firstByte: number, ...body: (number | string | Uint8Array)[]): Uint8Array {
  const content = bytes(...body);
  const length: number[] = [];
  let rest = content.length;
  do {
    length.push((rest % 128) | (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes(firstByte, ...length, content);
}

export const TIMESTAMP = "2018072417";
export const passwordOf = (secret: string, timestamp = TIMESTAMP) =>
  createHmac("sha256", timestamp).update(secret).digest("hex");

export type ConnectOptions = {
  clean?: boolean;
  keepAlive?: number;
  by?: "deviceId" | "nodeId";
  clientId?: string;
  username?: string;
  password?: string;
  will?: { topic: string; payload: string; qos?: 0 | 1 | 2; retain?: boolean };
};

export function connect(device: StubDevice, options: ConnectOptions = {}): Uint8Array {
  const { clean = true, keepAlive = 60, by = "deviceId", will } = options;
  const id = device[by];
  const clientId = options.clientId ?? `${id}_${by === "deviceId" ? 0 : 2}_0_${TIMESTAMP}`;
  const flags = 0xc0 | (clean ? 2 : 0) | (will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 0x20 : 0) : 0);
  return packet(
    0x10,
    field("MQTT"),
    4,
    flags,
    uint16(keepAlive),
    field(clientId),
    will ? bytes(field(will.topic), field(will.payload)) : "",
    field(options.username ?? id),
    field(options.password ?? passwordOf(device.secret)),
  );
}
export const connack = (returnCode: number, sessionPresent = 0) => bytes(0x20, 2, sessionPresent, returnCode);

export const dataTopic = (id: string, mode = "json") => `/huawei/v1/devices/${id}/data/${mode}`;
export const commandTopic = (id: string, mode = "json") => `/huawei/v1/devices/${id}/command/${mode}`;

export type PublishOptions = { qos?: 0 | 1 | 2; id?: number; dup?: boolean; retain?: boolean };
export function publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Uint8Array {
  const { qos = 1, id = 1, dup = false, retain = false } = options;
  const firstByte = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(firstByte, field(topic), qos === 0 ? "" : uint16(id), payload);
}
export const report = (value: number, serviceId = "Meter") =>
  JSON.stringify({ msgType: "deviceReq", data: [{ serviceId, serviceData: { value } }] });
export const answer = (mid: number, errcode = 0) =>
  JSON.stringify({ msgType: "deviceRsp", mid, errcode, body: { done: true } });

export const puback = (id: number) => bytes(0x40, 2, uint16(id));
export const pubrec = (id: number) => bytes(0x50, 2, uint16(id));
export const pubrel = (id: number) => bytes(0x62, 2, uint16(id));
export const pubcomp = (id: number) => bytes(0x70, 2, uint16(id));
export const subscribe = (id: number, ...filters: [filter: string, qos: number][]) =>
  packet(0x82, uint16(id), ...filters.flatMap(([filter, qos]) => [field(filter), qos]));
export const suback = (id: number, ...codes: number[]) => packet(0x90, uint16(id), ...codes);
export const unsubscribe = (id: number, ...filters: string[]) => packet(0xa2, uint16(id), ...filters.map(field));
export const unsuback = (id: number) => bytes(0xb0, 2, uint16(id));
export const PINGREQ = bytes(0xc0, 0);
export const PINGRESP = bytes(0xd0, 0);
export const DISCONNECT = bytes(0xe0, 0);
