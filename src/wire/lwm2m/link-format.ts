/** CoRE link format (RFC 6690 §2), content format 40: `</3/0>;pmin=10,</10>;ver="1.1"`. */
import { MalformedError } from "../malformed-error";
import { decodeUtf8, encodeUtf8 } from "./value";

/** A target, without its angle brackets, and its attributes; one that only stands there has the value `true`. */
export type Link = { target: string; attributes: ReadonlyMap<string, string | true> };

export type LinkLimits = { maxLinks: number; maxAttributes: number };
export const LINK_LIMITS: LinkLimits = { maxLinks: 1_000, maxAttributes: 20 };

// Sticky: each matches where the scanner stands.
const SPACE = /[ \t\r\n]*/y;
const TARGET = /<([^<>"\s]*)>/y;
// RFC 5987's parmname, with the star of its language forms.
const NAME = /[A-Za-z0-9!#$&+\-.^_`|~]+\*?/y;
const QUOTED = /"([^"\\]*(?:\\.[^"\\]*)*)"/sy;
// RFC 6690's ptoken has no comma or semicolon, which is how a link ends.
const TOKEN = /[^\s",;\\<>]+/y;

/**
 * Stricter than the devices only where that keeps the meaning clear: space between parts and a comma at the end are
 * let pass, as old clients write them. Of an attribute that stands twice the first counts (§2).
 */
export function parseLinks(text: string, limits: LinkLimits = LINK_LIMITS): Link[] {
  const links: Link[] = [];
  let at = 0;

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  const takeChar = (char: string): boolean => {
    take(SPACE);
    if (text[at] !== char) return false;
    at++;
    take(SPACE);
    return true;
  };
  const malformed = (missing: string) => new MalformedError(`links: no ${missing} at ${at}`);

  take(SPACE);
  while (at < text.length) {
    if (links.length === limits.maxLinks) throw new MalformedError(`links: more than ${limits.maxLinks}`);
    const target = take(TARGET)?.[1];
    if (target === undefined) throw malformed("target");
    const attributes = new Map<string, string | true>();
    while (takeChar(";")) {
      const name = take(NAME)?.[0];
      if (name === undefined) throw malformed("attribute");
      let value: string | true = true;
      if (takeChar("=")) {
        const quoted = take(QUOTED)?.[1]?.replace(/\\(.)/gs, "$1");
        const read = quoted ?? take(TOKEN)?.[0];
        if (read === undefined) throw malformed("value");
        value = read;
      }
      if (!attributes.has(name)) attributes.set(name, value);
      if (attributes.size > limits.maxAttributes) throw malformed("end of the attributes");
    }
    links.push({ target, attributes });
    if (at < text.length && !takeChar(",")) throw malformed("comma");
  }
  return links;
}

export function decodeLinks(payload: Uint8Array, limits?: LinkLimits): Link[] {
  return parseLinks(decodeUtf8(payload), limits);
}

const PLAIN = /^[0-9]+(?:\.[0-9]+)?$/;

/** Numbers go without quotes, as LwM2M's attributes need; everything else in quotes. */
export function renderLinks(links: readonly Link[]): string {
  return links
    .map(({ target, attributes }) => {
      if (/[<>"\s]/.test(target)) throw new RangeError("no target of a link");
      const params = Array.from(attributes, ([name, value]) => {
        if (value === true) return `;${name}`;
        return PLAIN.test(value) ? `;${name}=${value}` : `;${name}="${value.replace(/["\\]/g, "\\$&")}"`;
      });
      return `<${target}>${params.join("")}`;
    })
    .join(",");
}

export function encodeLinks(links: readonly Link[]): Uint8Array {
  return encodeUtf8(renderLinks(links));
}
