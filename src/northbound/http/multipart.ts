import { DomainError } from "../../platform/domain-error";

export type MultipartLimits = { readonly maxFields: number; readonly maxFieldBytes: number };
export const MULTIPART_LIMITS: MultipartLimits = { maxFields: 200, maxFieldBytes: 16 * 1024 };
const MAX_HEAD_BYTES = 8 * 1024;
const MAX_PREAMBLE_BYTES = 1_024;
const TYPE = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;

/** A file as it comes: `chunks` must be read to their end, or left; the rest of the form waits for it. */
export type OnFile = (field: string, fileName: string, chunks: AsyncIterable<Uint8Array>) => Promise<void>;

/**
 * Reads a form whose files are too large for memory (RFC 7578): fields in the order they come, each file by `onFile`.
 * Throws MEDIA_TYPE_UNSUPPORTED, BODY_MALFORMED, PAYLOAD_TOO_LARGE (a field, or too many), and what `onFile` throws.
 */
export async function readMultipart(
  request: Request,
  onFile: OnFile,
  limits: MultipartLimits = MULTIPART_LIMITS,
): Promise<[name: string, value: string][]> {
  const [, quoted, bare] = TYPE.exec(request.headers.get("content-type") ?? "") ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) throw new DomainError("MEDIA_TYPE_UNSUPPORTED", { expected: "multipart/form-data" });
  const reader = request.body?.getReader();
  if (!reader) throw malformed("is empty");
  const parts = partsOf(async () => (await reader.read()).value, boundary);
  const fields: [string, string][] = [];
  let isWhole = false;
  try {
    while (await parts.next()) {
      if (fields.length >= limits.maxFields) throw tooLarge({ maxFields: limits.maxFields });
      const { name, fileName } = parseHead(await parts.head());
      if (fileName === undefined) fields.push([name, await readField(parts.body(), name, limits.maxFieldBytes)]);
      else await onFile(name, fileName, parts.body());
      for await (const _ of parts.body()); // what was left
    }
    isWhole = true;
    return fields;
  } finally {
    if (!isWhole) void reader.cancel().catch(() => {});
  }
}

function partsOf(pull: () => Promise<Uint8Array | undefined>, boundary: string) {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  let buffer: Buffer = Buffer.from("\r\n"); // so that the first boundary is like the others
  let inBody = true;

  async function more(): Promise<void> {
    const chunk = await pull();
    if (chunk === undefined) throw malformed("ends in the middle");
    buffer =
      buffer.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([buffer, chunk]);
  }
  /** What stands before `sign`, which is taken too. */
  async function until(sign: Buffer, max: number): Promise<Buffer> {
    for (;;) {
      const at = buffer.indexOf(sign);
      if (at >= 0 && at <= max) {
        const found = buffer.subarray(0, at);
        buffer = buffer.subarray(at + sign.length);
        return found;
      }
      if (buffer.length > max + sign.length) throw malformed(`has no boundary, or too long a head`);
      await more();
    }
  }
  async function* body(): AsyncGenerator<Uint8Array> {
    while (inBody) {
      const at = buffer.indexOf(delimiter);
      // The last bytes may be the beginning of a boundary.
      const end = at >= 0 ? at : Math.max(0, buffer.length - delimiter.length + 1);
      const piece = buffer.subarray(0, end);
      buffer = buffer.subarray(at >= 0 ? end + delimiter.length : end);
      inBody = at < 0;
      if (piece.length > 0) yield piece;
      if (inBody) await more();
    }
  }

  return {
    body,
    head: () => until(Buffer.from("\r\n\r\n"), MAX_HEAD_BYTES),
    /** False at the end of the form. */
    async next(): Promise<boolean> {
      if (inBody) await until(delimiter, MAX_PREAMBLE_BYTES);
      while (buffer.length < 2) await more();
      const sign = buffer.subarray(0, 2).toString("latin1");
      buffer = buffer.subarray(sign === "--" ? 2 : 0); // a head may be empty but for its line break
      inBody = sign === "\r\n";
      if (!inBody && sign !== "--") throw malformed("has a boundary that does not end");
      return inBody;
    },
  };
}

/** `\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n…` */
function parseHead(head: Buffer): { name: string; fileName: string | undefined } {
  const lines = new TextDecoder().decode(head).split("\r\n");
  const disposition = lines.find((line) => /^content-disposition\s*:/i.test(line));
  const name = disposition && parameterOf(disposition, "name");
  if (!disposition || name === undefined) throw malformed("has a part without a name");
  return { name, fileName: parameterOf(disposition, "filename") };
}

/** Browsers write `%22` for a quotation mark, curl a backslash before it. */
function parameterOf(line: string, parameter: string): string | undefined {
  const found = new RegExp(`;\\s*${parameter}=(?:"((?:\\\\.|[^"\\\\])*)"|([^\\s;"]+))`, "i").exec(line);
  if (!found) return undefined;
  const [, quoted, bare] = found;
  return bare ?? quoted?.replace(/\\(["\\])/g, "$1").replaceAll("%22", '"');
}

async function readField(body: AsyncIterable<Uint8Array>, name: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge({ field: name, maxBytes });
    chunks.push(Uint8Array.from(chunk));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw malformed(`has a field ${name} that is not UTF-8`);
  }
}

const malformed = (reason: string) => new DomainError("BODY_MALFORMED", { reason: `the form ${reason}` });
const tooLarge = (details: object) => new DomainError("PAYLOAD_TOO_LARGE", { ...details });
