/** The field types of MQTT 3.1.1 §1.5 and §2.3.1: strings, binary data, packet identifiers. */
import { ByteReader, ByteWriter } from "../bytes";
import { MqttProtocolError } from "./mqtt-protocol-error";

const MAX_FIELD_BYTES = 0xffff;
// Refuses surrogates and overlong forms [MQTT-1.5.3-1]; U+FEFF at the start stays a character [MQTT-1.5.3-3].
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

export class FieldReader extends ByteReader {
  string(): string {
    return decodeString(this.binary());
  }
  /** A view with a two-byte length in front. */
  binary(): Uint8Array {
    return this.bytes(this.uint(2));
  }
  packetId(): number {
    return checkPacketId(this.uint(2));
  }
  end(): void {
    if (this.remaining > 0) throw new MqttProtocolError("trailing_bytes", `${this.remaining} bytes`);
  }
  protected override tooShort(need: number): MqttProtocolError {
    return new MqttProtocolError("truncated", `need ${need} bytes, have ${this.remaining}`);
  }
}

export class FieldWriter extends ByteWriter {
  string(value: string): void {
    this.binary(encodeString(value));
  }
  binary(value: Uint8Array): void {
    this.uint(value.length, 2);
    this.bytes(value);
  }
  packetId(value: number): void {
    this.uint(requirePacketId(value), 2);
  }
}

/** [MQTT-1.5.3-1, 1.5.3-2] Ill-formed UTF-8 and U+0000 end the connection. */
export function decodeString(bytes: Uint8Array): string {
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    throw new MqttProtocolError("utf8", "not well-formed");
  }
  if (text.includes("\0")) throw new MqttProtocolError("utf8", "U+0000");
  return text;
}

/** The bytes of a string as MQTT carries it, without the length; for topics that are sent again and again. */
export function encodeString(text: string): Buffer {
  if (!text.isWellFormed() || text.includes("\0")) throw new RangeError("MQTT cannot carry this string");
  const { buffer, byteOffset, length } = utf8.encode(text);
  if (length > MAX_FIELD_BYTES) throw new RangeError(`${length} bytes are too many for an MQTT string`);
  return Buffer.from(buffer, byteOffset, length);
}

/** [MQTT-2.3.1-1] */
export function checkPacketId(packetId: number): number {
  if (packetId === 0) throw new MqttProtocolError("packet_id", "0");
  return packetId;
}

export function requirePacketId(packetId: number): number {
  if (packetId > 0 && packetId <= 0xffff) return packetId;
  throw new RangeError(`${packetId} is no packet identifier`);
}
