import { type LwM2mNode, type LwM2mValue, renderValueText } from "../../wire/lwm2m";
import type { CollectedLog } from "./task";

const TEXT = "text/plain; charset=utf-8";
const BYTES = "application/octet-stream";
const utf8 = new TextEncoder();

/**
 * The log that a device answered with: bytes as they are, text as UTF-8, several values one after the other. Undefined:
 * this is no log. It may be longer than `maxBytes`; the caller looks.
 */
export function logOf(node: LwM2mNode | undefined): CollectedLog | undefined {
  switch (node?.kind) {
    case "resource":
    case "resourceInstance":
      return { content: bytesOf(node.value), contentType: typeOf([node.value]) };
    case "multipleResource": {
      const values = node.instances.toSorted((a, b) => a.id - b.id).map(({ value }) => value);
      return { content: Buffer.concat(values.map(bytesOf)), contentType: typeOf(values) };
    }
    default:
      return undefined;
  }
}

const bytesOf = (value: LwM2mValue): Uint8Array =>
  value.type === "opaque" ? value.value : utf8.encode(renderValueText(value));

const typeOf = (values: readonly LwM2mValue[]) =>
  values.length > 0 && values.every(({ type }) => type === "string") ? TEXT : BYTES;
