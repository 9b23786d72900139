/** Values as bytes: what TLV and opaque payloads hold (OMA LwM2M TS 1.0.2 appendix C). Big-endian. */
import { MalformedError } from "../malformed-error";
import { decodeUtf8, encodeUtf8, integerValue, type LwM2mType, type LwM2mValue } from "./value";

const WIDTHS = [1, 2, 4, 8] as const;

export function decodeValueBytes(type: LwM2mType, bytes: Uint8Array): LwM2mValue {
  switch (type) {
    case "string":
    case "corelnk":
      return { type, value: decodeUtf8(bytes) };
    case "integer":
    case "time":
      return integerValue(type, readInteger(bytes, true));
    case "unsigned":
      return integerValue(type, readInteger(bytes, false));
    case "float":
      return { type, value: readFloat(bytes) };
    case "boolean":
      if (bytes.length !== 1 || (bytes[0] as number) > 1) throw new MalformedError("a boolean is one byte, 0 or 1");
      return { type, value: bytes[0] === 1 };
    case "opaque":
      // A copy: values outlive the datagram that they came in.
      return { type, value: bytes.slice() };
    case "objlnk": {
      if (bytes.length !== 4) throw new MalformedError(`an object link is 4 bytes, not ${bytes.length}`);
      const view = viewOf(bytes);
      return { type, value: { objectId: view.getUint16(0), instanceId: view.getUint16(2) } };
    }
    default:
      return type satisfies never;
  }
}

/** The shortest width that holds the value exactly. */
export function encodeValueBytes(value: LwM2mValue): Uint8Array {
  switch (value.type) {
    case "string":
    case "corelnk":
      return encodeUtf8(value.value);
    case "integer":
    case "time":
      return writeInteger(BigInt(value.value), true);
    case "unsigned":
      return writeInteger(BigInt(value.value), false);
    case "float": {
      const isSingle = Object.is(Math.fround(value.value), value.value);
      const view = new DataView(new ArrayBuffer(isSingle ? 4 : 8));
      if (isSingle) view.setFloat32(0, value.value);
      else view.setFloat64(0, value.value);
      return new Uint8Array(view.buffer);
    }
    case "boolean":
      return Uint8Array.of(value.value ? 1 : 0);
    case "opaque":
      return value.value;
    case "objlnk": {
      const view = new DataView(new ArrayBuffer(4));
      view.setUint16(0, value.value.objectId);
      view.setUint16(2, value.value.instanceId);
      return new Uint8Array(view.buffer);
    }
    default:
      return value satisfies never;
  }
}

function readInteger(bytes: Uint8Array, signed: boolean): bigint {
  const width = WIDTHS.find((width) => width === bytes.length);
  if (!width) throw new MalformedError(`an integer is 1, 2, 4 or 8 bytes, not ${bytes.length}`);
  const raw = BigInt(`0x${bytes.toHex()}`);
  return signed ? BigInt.asIntN(width * 8, raw) : raw;
}

function writeInteger(value: bigint, signed: boolean): Uint8Array {
  for (const width of WIDTHS) {
    const wrapped = BigInt.asUintN(width * 8, value);
    const fits = (signed ? BigInt.asIntN(width * 8, value) : wrapped) === value;
    if (fits) return Uint8Array.fromHex(wrapped.toString(16).padStart(width * 2, "0"));
  }
  throw new RangeError(`${value} does not fit 64 bits`);
}

function readFloat(bytes: Uint8Array): number {
  if (bytes.length === 4) return viewOf(bytes).getFloat32(0);
  if (bytes.length === 8) return viewOf(bytes).getFloat64(0);
  throw new MalformedError(`a float is 4 or 8 bytes, not ${bytes.length}`);
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
