/**
 * CBOR (RFC 8949), as much of it as SenML needs: everything but tags, of which only decimal fractions (4) and the
 * self-description (55799) are known.
 */
import { ByteReader } from "../bytes";
import { MalformedError } from "../malformed-error";
import { decodeUtf8 } from "./value";

export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | CborValue[]
  | Map<string | number, CborValue>;

export type CborLimits = { maxDepth: number; maxItems: number };
/** SenML is maps in an array; the rest is for fields that nobody knows and that are skipped. */
export const CBOR_LIMITS: CborLimits = { maxDepth: 8, maxItems: 20_000 };

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const INDEFINITE = 31;
const BREAK = Symbol("break");
const TAG_DECIMAL_FRACTION = 4;
const TAG_SELF_DESCRIBED = 55_799;
const MAX_EXPONENT = 400; // beyond it every float is zero or infinite

/** Exactly one item. Duplicate keys, trailing bytes, other tags and keys that are neither text nor number are malformed. */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = CBOR_LIMITS): CborValue {
  const decoder = new CborDecoder(bytes, limits);
  const value = decoder.value(0);
  if (decoder.remaining > 0) throw new MalformedError(`CBOR: ${decoder.remaining} bytes after the item`);
  return value;
}

class CborDecoder extends ByteReader {
  #items = 0;
  readonly #limits: CborLimits;
  constructor(source: Uint8Array, limits: CborLimits) {
    super(source);
    this.#limits = limits;
  }

  value(depth: number): CborValue {
    const value = this.#item(depth);
    if (value === BREAK) throw new MalformedError("CBOR: a break in the wrong place");
    return value;
  }

  #item(depth: number): CborValue | typeof BREAK {
    if (depth > this.#limits.maxDepth) throw new MalformedError(`CBOR: deeper than ${this.#limits.maxDepth}`);
    if (++this.#items > this.#limits.maxItems) throw new MalformedError(`CBOR: over ${this.#limits.maxItems} items`);
    const head = this.uint(1);
    const major = head >> 5;
    const info = head & 0b1_1111;
    switch (major) {
      case MAJOR.unsigned:
        return toNumber(this.#argument(info));
      case MAJOR.negative:
        return toNumber(-1n - this.#argument(info));
      case MAJOR.bytes:
        return info === INDEFINITE ? this.#chunks(MAJOR.bytes) : this.bytes(this.#length(info)).slice();
      case MAJOR.text:
        return info === INDEFINITE
          ? this.#chunks(MAJOR.text, decodeUtf8).join("")
          : decodeUtf8(this.bytes(this.#length(info)));
      case MAJOR.array:
        return this.#array(info, depth);
      case MAJOR.map:
        return this.#map(info, depth);
      case MAJOR.tag:
        return this.#tagged(this.#argument(info), depth);
      default:
        return this.#simple(info);
    }
  }

  /** §3: the number behind the first byte. */
  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27) throw new MalformedError(`CBOR: ${info} is no length of a number`);
    return BigInt(`0x${this.bytes(2 ** (info - 24)).toHex()}`);
  }

  /** What is longer than what is left cannot be right, and costs nothing. */
  #length(info: number): number {
    const length = this.#argument(info);
    if (length > this.remaining) throw this.tooShort(Number(length));
    return Number(length);
  }

  #chunks(major: typeof MAJOR.bytes): Uint8Array;
  #chunks(major: typeof MAJOR.text, decode: (bytes: Uint8Array) => string): string[];
  #chunks(major: number, decode?: (bytes: Uint8Array) => string): Uint8Array | string[] {
    const chunks: Uint8Array[] = [];
    for (let head = this.uint(1); head !== 0xff; head = this.uint(1)) {
      const info = head & 0b1_1111;
      if (head >> 5 !== major) throw new MalformedError("CBOR: a string with a foreign chunk");
      if (++this.#items > this.#limits.maxItems) throw new MalformedError(`CBOR: over ${this.#limits.maxItems} items`);
      chunks.push(this.bytes(this.#length(info))); // which no chunk can leave open again
    }
    return decode ? chunks.map(decode) : new Uint8Array(Buffer.concat(chunks));
  }

  #array(info: number, depth: number): CborValue[] {
    const values: CborValue[] = [];
    for (const more = this.#counter(info); more(); ) {
      const value = this.#item(depth + 1);
      if (value === BREAK && info === INDEFINITE) break;
      if (value === BREAK) throw new MalformedError("CBOR: a break in the wrong place");
      values.push(value);
    }
    return values;
  }

  #map(info: number, depth: number): Map<string | number, CborValue> {
    const map = new Map<string | number, CborValue>();
    for (const more = this.#counter(info); more(); ) {
      const key = this.#item(depth + 1);
      if (key === BREAK && info === INDEFINITE) break;
      if (typeof key !== "string" && typeof key !== "number") throw new MalformedError("CBOR: a key of another type");
      if (map.has(key)) throw new MalformedError(`CBOR: the key ${key} twice`);
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  /** True as often as the header says; for ever in indefinite length, which a break ends. */
  #counter(info: number): () => boolean {
    if (info === INDEFINITE) return () => true;
    let left = this.#length(info); // every item takes a byte at least
    return () => left-- > 0;
  }

  #tagged(tag: bigint, depth: number): CborValue {
    if (tag === BigInt(TAG_SELF_DESCRIBED) && depth === 0) return this.value(depth + 1);
    if (tag !== BigInt(TAG_DECIMAL_FRACTION)) throw new MalformedError(`CBOR: the tag ${tag}`);
    const parts = this.value(depth + 1);
    const [exponent, mantissa] = Array.isArray(parts) && parts.length === 2 ? parts : [];
    const isWhole = typeof exponent === "number" && (typeof mantissa === "number" || typeof mantissa === "bigint");
    if (!isWhole || !Number.isInteger(exponent) || Math.abs(exponent) > MAX_EXPONENT) {
      throw new MalformedError("CBOR: no decimal fraction");
    }
    if (typeof mantissa === "number" && !Number.isInteger(mantissa))
      throw new MalformedError("CBOR: no decimal fraction");
    return Number(`${mantissa}e${exponent}`); // as text, so that 0.1 is the float nearest to 0.1
  }

  #simple(info: number): CborValue | typeof BREAK {
    switch (info) {
      case 20:
      case 21:
        return info === 21;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25:
        return this.#view(2).getFloat16(0);
      case 26:
        return this.#view(4).getFloat32(0);
      case 27:
        return this.#view(8).getFloat64(0);
      case INDEFINITE:
        return BREAK;
      default:
        throw new MalformedError(`CBOR: the simple value ${info}`);
    }
  }

  #view(length: number): DataView {
    const { buffer, byteOffset } = this.bytes(length);
    return new DataView(buffer, byteOffset, length);
  }
}

function toNumber(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}
