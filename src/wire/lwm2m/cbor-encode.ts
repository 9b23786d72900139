/** CBOR in its preferred form (RFC 8949 §4.1): definite lengths, shortest numbers, shortest exact floats. */
import { ByteWriter } from "../bytes";
import type { CborValue } from "./cbor-decode";
import { encodeUtf8 } from "./value";

const MAX_UINT64 = 2n ** 64n - 1n;

export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new ByteWriter();
  write(writer, value);
  return writer.finish();
}

function write(writer: ByteWriter, value: CborValue): void {
  if (typeof value === "bigint") writeInteger(writer, value);
  else if (typeof value === "number") {
    const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0);
    if (isInteger) writeInteger(writer, BigInt(value));
    else writeFloat(writer, value);
  } else if (typeof value === "string") writeString(writer, 3, encodeUtf8(value));
  else if (value instanceof Uint8Array) writeString(writer, 2, value);
  else if (value === false) writer.uint(0xf4, 1);
  else if (value === true) writer.uint(0xf5, 1);
  else if (value === null) writer.uint(0xf6, 1);
  else if (value === undefined) writer.uint(0xf7, 1);
  else if (Array.isArray(value)) {
    writeHead(writer, 4, BigInt(value.length));
    for (const item of value) write(writer, item);
  } else {
    writeHead(writer, 5, BigInt(value.size));
    for (const [key, item] of value) {
      write(writer, key);
      write(writer, item);
    }
  }
}

function writeString(writer: ByteWriter, major: number, bytes: Uint8Array): void {
  writeHead(writer, major, BigInt(bytes.length));
  writer.bytes(bytes);
}

function writeInteger(writer: ByteWriter, value: bigint): void {
  if (value >= 0n) writeHead(writer, 0, value);
  else writeHead(writer, 1, -1n - value);
}

function writeHead(writer: ByteWriter, major: number, argument: bigint): void {
  if (argument > MAX_UINT64) throw new RangeError(`${argument} does not fit 64 bits`);
  const top = major << 5;
  if (argument < 24n) {
    writer.uint(top | Number(argument), 1);
    return;
  }
  const size = argument < 0x100n ? 0 : argument < 0x1_0000n ? 1 : argument < 0x1_0000_0000n ? 2 : 3;
  writer.uint(top | (24 + size), 1);
  writer.bytes(Uint8Array.fromHex(argument.toString(16).padStart(2 ** size * 2, "0")));
}

function writeFloat(writer: ByteWriter, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat16(0, value);
  let size = 1;
  if (!Object.is(view.getFloat16(0), value)) {
    view.setFloat32(0, value);
    size = 2;
    if (!Object.is(view.getFloat32(0), value)) {
      view.setFloat64(0, value);
      size = 3;
    }
  }
  writer.uint(0xf8 + size, 1);
  writer.bytes(new Uint8Array(view.buffer, 0, 2 ** size));
}
