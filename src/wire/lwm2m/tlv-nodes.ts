/** Nodes in TLV, typed by the object definitions (OMA LwM2M TS 1.0.2 §6.4.3). */
import { MalformedError } from "../malformed-error";
import type { LwM2mNode, ObjectInstanceNode, ResourceInstanceNode, ResourceNode, TypeOf } from "./node";
import { checkPath, type LwM2mPath, renderPath } from "./path";
import { decodeTlv, encodeTlv, type TlvEntry } from "./tlv";
import { decodeValueBytes, encodeValueBytes } from "./value-bytes";

/**
 * Resources that nobody declared stay opaque. Devices wrap what they were asked for in different depths, so an answer
 * may carry the outer entry or leave it out where it is clear from the path.
 */
export function decodeTlvNode(path: LwM2mPath, bytes: Uint8Array, typeOf: TypeOf): LwM2mNode {
  const entries = decodeTlv(bytes);
  const id = path[path.length - 1];
  if (id === undefined) throw new MalformedError("TLV cannot answer for several objects");
  switch (path.length) {
    case 1:
      return { kind: "object", id, instances: objectInstances(path, entries, typeOf) };
    case 2:
      return {
        kind: "objectInstance",
        id,
        resources: resources(path, unwrapped(entries, "objectInstance", id), typeOf),
      };
    case 3: {
      const [entry] = entries;
      if (!entry || entries.length > 1 || entry.id !== id) throw notThe(path);
      return resource(path, entry, typeOf);
    }
    default: {
      const inner = unwrapped(entries, "multipleResource", path[2] as number);
      const [entry] = inner;
      if (!entry || inner.length > 1 || entry.id !== id) throw notThe(path);
      return resourceInstance(path, entry, typeOf);
    }
  }
}

function objectInstances(path: LwM2mPath, entries: readonly TlvEntry[], typeOf: TypeOf): ObjectInstanceNode[] {
  const isBare = entries.length > 0 && entries.every((entry) => entry.kind !== "objectInstance");
  if (isBare) return [{ kind: "objectInstance", id: 0, resources: resources([...path, 0], entries, typeOf) }];
  return entries.map((entry) => {
    if (entry.kind !== "objectInstance") throw notThe(path);
    const inner = checkPath([...path, entry.id]);
    return { kind: "objectInstance", id: entry.id, resources: resources(inner, entry.entries, typeOf) };
  });
}

function resources(path: LwM2mPath, entries: readonly TlvEntry[], typeOf: TypeOf): ResourceNode[] {
  return entries.map((entry) => resource([...path, entry.id], entry, typeOf));
}

function resource(path: LwM2mPath, entry: TlvEntry, typeOf: TypeOf): ResourceNode {
  const { kind, id } = entry;
  switch (kind) {
    case "resource":
      return { kind, id, value: decodeValueBytes(typeOf(path) ?? "opaque", entry.value) };
    case "multipleResource":
      return {
        kind,
        id,
        instances: entry.entries.map((inner) => resourceInstance([...path, inner.id], inner, typeOf)),
      };
    default:
      throw notThe(path);
  }
}

function resourceInstance(path: LwM2mPath, entry: TlvEntry, typeOf: TypeOf): ResourceInstanceNode {
  const { kind, id } = entry;
  if (kind !== "resourceInstance") throw notThe(path);
  return { kind, id, value: decodeValueBytes(typeOf(checkPath(path)) ?? "opaque", entry.value) };
}

/** The entries inside the wrapper, or as they are without one. */
function unwrapped(entries: TlvEntry[], kind: TlvEntry["kind"], id: number): TlvEntry[] {
  const [entry] = entries;
  return entry?.kind === kind && "entries" in entry && entry.id === id && entries.length === 1
    ? entry.entries
    : entries;
}

const notThe = (path: LwM2mPath) => new MalformedError(`TLV does not answer ${renderPath(path)}`);

/** An object becomes its instances, an instance its resources: the outer entry is clear from the path. */
export function encodeTlvNode(node: LwM2mNode): Uint8Array {
  if (node.kind === "object") return encodeTlv(node.instances.map(entryOf));
  if (node.kind === "objectInstance") return encodeTlv(node.resources.map(entryOf));
  return encodeTlv([entryOf(node)]);
}

/** §6.4.3 has no object entry: that level is always the path's. */
type WithEntry = Exclude<LwM2mNode, { kind: "object" }>;

function entryOf(node: WithEntry): TlvEntry {
  switch (node.kind) {
    case "objectInstance":
      return { kind: node.kind, id: node.id, entries: node.resources.map(entryOf) };
    case "multipleResource":
      return { kind: node.kind, id: node.id, entries: node.instances.map(entryOf) };
    case "resource":
    case "resourceInstance":
      return { kind: node.kind, id: node.id, value: encodeValueBytes(node.value) };
    default:
      return node satisfies never;
  }
}
