/** Paths of LwM2M (TS 1.0.2 §6.1): /object/instance/resource/resource instance, each a 16-bit number. */
import { MalformedError } from "../malformed-error";

/** None to four ids; its length says what it names: 0 everything, 1 object, 2 instance, 3 resource, 4 resource instance. */
export type LwM2mPath = readonly number[];

export const MAX_PATH_DEPTH = 4;
const MAX_ID = 0xffff;
// §6.1: 65535 stands for "none" where instances are numbered, so no instance has it.
const MAX_INSTANCE_ID = MAX_ID - 1;
const ID = /^(?:0|[1-9]\d{0,4})$/;

/** `/`, `/3`, `/3/0/9`, … An id has no leading zeros, which also finds names that were glued together wrongly. */
export function parsePath(text: string): LwM2mPath {
  if (text === "/") return [];
  if (!text.startsWith("/")) throw new MalformedError(`a path starts with a slash: ${quote(text)}`);
  return parseSegments(text.slice(1).split("/"));
}

/** The same for names of a device that keeps its objects under an alternate path, and mostly says so. */
export function parsePathUnder(root: string, text: string): LwM2mPath {
  return parsePath(root !== "/" && text.startsWith(`${root}/`) ? text.slice(root.length) : text);
}

/** The same from CoAP's Uri-Path options. */
export function parseSegments(segments: readonly string[]): LwM2mPath {
  if (segments.length > MAX_PATH_DEPTH)
    throw new MalformedError(`a path has four parts at most, not ${segments.length}`);
  return checkPath(
    segments.map((segment) => {
      if (!ID.test(segment)) throw new MalformedError(`no id in a path: ${quote(segment)}`);
      return Number(segment);
    }),
  );
}

/** `root` is the alternate path of a device's objects, as its registration names it; `/` for most. */
export function renderPath(path: LwM2mPath, root = "/"): string {
  const prefix = root === "/" ? "" : root;
  return path.length === 0 ? root : `${prefix}/${path.join("/")}`;
}

/** What the Uri-Path options hold. */
export function pathSegments(path: LwM2mPath, root = "/"): string[] {
  return [...root.split("/").filter((part) => part !== ""), ...path.map(String)];
}

export function isAtOrBelow(path: LwM2mPath, ancestor: LwM2mPath): boolean {
  return path.length >= ancestor.length && ancestor.every((id, at) => path[at] === id);
}

/** For ids that come from bytes: returns them, or finds them malformed. */
export function checkPath(path: LwM2mPath): LwM2mPath {
  for (const [at, id] of path.entries()) {
    const isInstance = at % 2 === 1;
    if (id > (isInstance ? MAX_INSTANCE_ID : MAX_ID))
      throw new MalformedError(`${id} is no id (part ${at + 1} of a path)`);
  }
  return path;
}

const MAX_QUOTED = 40;

/** A piece of hostile text, short enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}
