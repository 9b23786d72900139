/**
 * LwM2M TLV (OMA LwM2M TS 1.0.2 §6.4.3): entries that hold a value or other entries. Bytes in, values out; no types,
 * which only the object definitions know.
 */
import { ByteReader, ByteWriter } from "../bytes";
import { MalformedError } from "../malformed-error";

const KINDS = ["objectInstance", "resourceInstance", "multipleResource", "resource"] as const;
type Kind = (typeof KINDS)[number];
const WIDE_ID = 0b0010_0000;
const MAX_ID = 0xffff;
const MAX_LENGTH = 0xff_ffff;

/** What may stand inside: bounds the nesting too. At the top anything may stand, the request's path says what does. */
const CHILDREN: Record<Kind, readonly Kind[]> = {
  objectInstance: ["multipleResource", "resource"],
  multipleResource: ["resourceInstance"],
  resource: [],
  resourceInstance: [],
};

export type TlvEntry = TlvLeaf | TlvBranch;
/** The value is a view into what was decoded. */
export type TlvLeaf = { kind: "resource" | "resourceInstance"; id: number; value: Uint8Array };
export type TlvBranch = { kind: "objectInstance" | "multipleResource"; id: number; entries: TlvEntry[] };

export function decodeTlv(bytes: Uint8Array): TlvEntry[] {
  return decodeEntries(bytes, KINDS);
}

function decodeEntries(bytes: Uint8Array, allowed: readonly Kind[]): TlvEntry[] {
  const reader = new ByteReader(bytes); // every read checks the bounds and throws MalformedError
  const entries: TlvEntry[] = [];
  const seen = new Set<number>();
  while (reader.remaining > 0) {
    const type = reader.uint(1);
    const kind = KINDS[type >> 6] as Kind; // two bits, four kinds
    if (!allowed.includes(kind)) throw new MalformedError(`TLV: a ${kind} in the wrong place`);
    const id = reader.uint(type & WIDE_ID ? 2 : 1);
    // Kinds differ only at the top, where one message never mixes an instance's number with a resource's.
    if (seen.has(id)) throw new MalformedError(`TLV: ${kind} ${id} twice`);
    seen.add(id);
    // Bits 4-3 are the width of the length field; 0 means the length itself is in bits 2-0.
    const width = (type >> 3) & 0b11;
    const value = reader.bytes(width === 0 ? type & 0b111 : reader.uint(width));
    entries.push(
      kind === "objectInstance" || kind === "multipleResource"
        ? { kind, id, entries: decodeEntries(value, CHILDREN[kind]) }
        : { kind, id, value },
    );
  }
  return entries;
}

/** Shortest forms only. `RangeError` for ids over 16 bits and values of 16 MiB and more. */
export function encodeTlv(entries: readonly TlvEntry[]): Uint8Array {
  const writer = new ByteWriter();
  for (const entry of entries) {
    const { kind, id } = entry;
    if (id > MAX_ID) throw new RangeError(`TLV: ${id} is no id`);
    const value = "value" in entry ? entry.value : encodeTlv(entry.entries);
    if (value.length > MAX_LENGTH) throw new RangeError(`TLV: ${value.length} bytes are too many`);
    const wideId = id > 0xff ? WIDE_ID : 0;
    const width = lengthWidth(value.length);
    writer.uint((KINDS.indexOf(kind) << 6) | wideId | (width << 3) | (width === 0 ? value.length : 0), 1);
    writer.uint(id, wideId ? 2 : 1);
    if (width > 0) writer.uint(value.length, width);
    writer.bytes(value);
  }
  return writer.finish();
}

const lengthWidth = (length: number) => (length < 8 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3);
