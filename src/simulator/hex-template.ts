/** Bytes that a user describes in hexadecimal, with places that are filled in. */

/** What is written cannot be meant; the message says why. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

const MAX_WIDTH = 4;
const PART = /\{([^}]*)\}|((?:[0-9a-f]{2})+)|(.)/gis;

/** `00{n:2}`: `{n:W}` counts the reports of a device in W bytes, `{r:W}` are random bytes. */
export type ReportTemplate = (count: number, random: () => number) => Uint8Array;
/** The bytes that answer a command; undefined when it is not of the kind that the rule is for. */
export type AnswerRule = (command: Uint8Array) => Uint8Array | undefined;

/** Throws `TemplateError`. */
export function compileReport(text: string): ReportTemplate {
  const parts = partsOf(text, (place) => {
    const [, kind, digits] = /^([nr]):(\d)$/.exec(place) ?? [];
    const width = Number(digits);
    if (kind === undefined || width < 1 || width > MAX_WIDTH)
      throw new TemplateError(`{${place}} is neither {n:1} to {n:${MAX_WIDTH}} nor {r:1} to {r:${MAX_WIDTH}}`);
    return { width, kind };
  });
  const length = parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.length : part.width), 0);
  if (length === 0) throw new TemplateError("a report has at least one byte");
  return (count, random) => {
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        bytes.set(part, at);
        at += part.length;
        continue;
      }
      let rest = part.kind === "n" ? count : Math.floor(random() * 256 ** part.width);
      for (let place = at + part.width - 1; place >= at; place--) {
        bytes[place] = rest % 256;
        rest = Math.floor(rest / 256);
      }
      at += part.width;
    }
    return bytes;
  };
}

/**
 * `03=04{1:2}00{3}`: a command that begins with 03 is answered by 04, its bytes 1 and 2 (say, the `mid`), 00 and its
 * byte 3. Throws `TemplateError`.
 */
export function compileAnswer(text: string): AnswerRule {
  const [prefixText, template, ...more] = text.split("=");
  if (prefixText === undefined || template === undefined || more.length > 0 || !/^(?:[0-9a-f]{2})*$/i.test(prefixText))
    throw new TemplateError(`${text} is not PREFIX=ANSWER in hexadecimal`);
  const prefix = Uint8Array.fromHex(prefixText);
  const parts = partsOf(template, (place) => {
    const [, offset, length = "1"] = /^(\d{1,4})(?::(\d{1,4}))?$/.exec(place) ?? [];
    if (offset === undefined || length === "0")
      throw new TemplateError(`{${place}} is neither {OFFSET} nor {OFFSET:LENGTH}`);
    return { start: Number(offset), end: Number(offset) + Number(length) };
  });
  if (parts.length === 0) throw new TemplateError("an answer has at least one byte");
  const needed = Math.max(prefix.length, ...parts.map((part) => (part instanceof Uint8Array ? 0 : part.end)));
  return (command) => {
    if (command.length < needed || !prefix.every((byte, at) => command[at] === byte)) return undefined;
    return Buffer.concat(
      parts.map((part) => (part instanceof Uint8Array ? part : command.subarray(part.start, part.end))),
    );
  };
}

function partsOf<T>(text: string, place: (inside: string) => T): (Uint8Array | T)[] {
  return [...text.matchAll(PART)].map(([, inside, hex, wrong]) => {
    if (inside !== undefined) return place(inside);
    if (hex === undefined) throw new TemplateError(`${wrong} in ${text} is not hexadecimal`);
    return Uint8Array.fromHex(hex);
  });
}
