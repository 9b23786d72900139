/** Payloads by content format: to nodes and back. One table, total over the formats that carry values. */
import { MalformedError } from "../malformed-error";
import { type CborValue, decodeCbor } from "./cbor-decode";
import { encodeCbor } from "./cbor-encode";
import { CONTENT_FORMATS, type ContentKind } from "./content-format";
import { encodeJsonNode, samplesOfJson } from "./json-nodes";
import { type LwM2mNode, type LwM2mSample, nodeOf, samplesOf, type TypeOf } from "./node";
import { type LwM2mPath, renderPath } from "./path";
import { decodeSenmlCbor, encodeSenmlCbor } from "./senml-cbor";
import { decodeSenmlJson, encodeSenmlJson } from "./senml-json";
import { numberValue, only, samplesOfSenml, senmlOf } from "./senml-nodes";
import { decodeTlvNode, encodeTlvNode } from "./tlv-nodes";
import { decodeUtf8, encodeUtf8, type LwM2mType, type LwM2mValue } from "./value";
import { encodeValueBytes } from "./value-bytes";
import { finite, parseValueText, renderValueText } from "./value-text";

type ValueKind = Exclude<ContentKind, "link">;
type Codec = {
  decode(path: LwM2mPath, payload: Uint8Array, typeOf: TypeOf, root: string): LwM2mSample[];
  encode(path: LwM2mPath, node: LwM2mNode, root: string): Uint8Array;
};

const CODECS: Record<ValueKind, Codec> = {
  text: oneValue(
    (payload, type) => parseValueText(type ?? "string", decodeUtf8(payload)),
    (value) => encodeUtf8(renderValueText(value)),
  ),
  // Bytes as they are, whatever was declared: the product's codec is who reads them.
  opaque: oneValue((payload) => ({ type: "opaque", value: payload.slice() }), encodeValueBytes),
  cbor: oneValue(
    (payload, type) => fromCbor(decodeCbor(payload), type),
    (value) => encodeCbor(toCbor(value)),
  ),
  tlv: {
    decode: (path, payload, typeOf) => samplesOf(path, decodeTlvNode(path, payload, typeOf)),
    encode: (_path, node) => encodeTlvNode(node),
  },
  json: { decode: samplesOfJson, encode: encodeJsonNode },
  senmlJson: {
    decode: (_path, payload, typeOf, root) => samplesOfSenml(decodeSenmlJson(payload), typeOf, root),
    encode: (path, node, root) => encodeSenmlJson(senmlOf(path, node, root)),
  },
  senmlCbor: {
    decode: (_path, payload, typeOf, root) => samplesOfSenml(decodeSenmlCbor(payload), typeOf, root),
    encode: (path, node, root) => encodeSenmlCbor(senmlOf(path, node, root)),
  },
};

/**
 * What a device answered to `path`, or notified for it: the node there. Anything unfit is a `MalformedError`. `root` is
 * the alternate path of its objects, which JSON and SenML repeat.
 */
export function decodeNode(
  format: number,
  path: LwM2mPath,
  payload: Uint8Array,
  typeOf: TypeOf,
  root = "/",
): LwM2mNode {
  // Only TLV can hold what has no values: an object without instances, a resource with none.
  if (kindOf(format) === "tlv") return decodeTlvNode(path, payload, typeOf);
  return nodeOf(path, decodeSamples(format, path, payload, typeOf, root));
}

/** Every value with its own path and time: for notifications that carry a history, and answers about many objects. */
export function decodeSamples(
  format: number,
  path: LwM2mPath,
  payload: Uint8Array,
  typeOf: TypeOf,
  root = "/",
): LwM2mSample[] {
  const kind = kindOf(format);
  if (!kind) throw new MalformedError(`the content format ${format} carries no values of LwM2M`);
  return CODECS[kind].decode(path, payload, typeOf, root);
}

/** `RangeError` for what the format cannot carry. */
export function encodeNode(format: number, path: LwM2mPath, node: LwM2mNode, root = "/"): Uint8Array {
  const kind = kindOf(format);
  if (!kind) throw new RangeError(`the content format ${format} carries no values of LwM2M`);
  return CODECS[kind].encode(path, node, root);
}

function kindOf(format: number): ValueKind | undefined {
  const kind = CONTENT_FORMATS.get(format)?.kind;
  return kind === "link" ? undefined : kind;
}

function oneValue(
  decode: (payload: Uint8Array, type: LwM2mType | undefined) => LwM2mValue,
  encode: (value: LwM2mValue) => Uint8Array,
): Codec {
  return {
    decode(path, payload, typeOf) {
      if (path.length < 3) throw new MalformedError(`${renderPath(path)} is more than one value`);
      return [{ path, value: decode(payload, typeOf(path)) }];
    },
    encode(path, node) {
      if (!("value" in node)) throw new RangeError(`${renderPath(path)} is more than one value`);
      return encode(node.value);
    },
  };
}

function fromCbor(value: CborValue, declared: LwM2mType | undefined): LwM2mValue {
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) {
    return numberValue(value, declared);
  }
  if (typeof value === "string") {
    if (declared === "objlnk") return parseValueText(declared, value);
    return { type: only(declared, ["string", "corelnk"]), value };
  }
  if (typeof value === "boolean") return { type: only(declared, ["boolean"]), value };
  if (value instanceof Uint8Array) return { type: only(declared, ["opaque"]), value };
  throw new MalformedError("CBOR: no value of a resource");
}

function toCbor(value: LwM2mValue): CborValue {
  if (value.type === "objlnk") return renderValueText(value);
  return value.type === "float" ? finite(value.value) : value.value;
}
