import type { ZodType } from "zod";
import { DomainError } from "../../platform/domain-error";

/** Bounds on what is read of one request body. */
export type BodyLimits = {
  /** Larger bodies end in PAYLOAD_TOO_LARGE; nothing beyond it is kept. */
  readonly maxBytes: number;
  /** Nesting of objects and arrays. Bounds the recursion of everything that walks the value later. */
  readonly maxDepth: number;
};
export const BODY_LIMITS: BodyLimits = { maxBytes: 1024 * 1024, maxDepth: 32 };

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const OTHER_CHARSET = /;\s*charset\s*=\s*"?(?!utf-?8\b)/i;

/**
 * The JSON value of a request. Throws MEDIA_TYPE_UNSUPPORTED, PAYLOAD_TOO_LARGE, BODY_MALFORMED.
 * A missing Content-Type counts as JSON.
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  requireType(request, JSON_TYPE, "application/json");
  return parseJson(await readText(request, limits.maxBytes), limits.maxDepth);
}

/** Throws MEDIA_TYPE_UNSUPPORTED when the body says that it is something else, or not UTF-8. */
export function requireType(request: Request, wanted: RegExp, expected: string): void {
  const type = request.headers.get("content-type");
  if (type === null || type === "") return;
  if (!wanted.test(type) || OTHER_CHARSET.test(type)) {
    throw new DomainError("MEDIA_TYPE_UNSUPPORTED", { contentType: type.slice(0, 100), expected });
  }
}

/** Throws PAYLOAD_TOO_LARGE, and BODY_MALFORMED for what is not UTF-8 or was cut off. */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  const bytes = await readBytes(request, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DomainError("BODY_MALFORMED", { reason: "the body is not UTF-8" });
  }
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  try {
    // The HTTP parser holds a sender to its Content-Length; without one the bytes are counted as they come.
    if (Number.isInteger(declared)) return new Uint8Array(await request.arrayBuffer());
    return await readCounted(request.body, maxBytes);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("BODY_MALFORMED", { reason: "the body could not be read to its end" });
  }
}

async function readCounted(stream: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  if (!stream) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes); // leaving the loop cancels the stream
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : new Uint8Array(Buffer.concat(chunks));
}

const tooLarge = (maxBytes: number) => new DomainError("PAYLOAD_TOO_LARGE", { maxBytes });

/** Throws BODY_MALFORMED. */
export function parseJson(text: string, maxDepth: number): unknown {
  if (isDeeperThan(text, maxDepth)) {
    throw new DomainError("BODY_MALFORMED", { reason: `the body is nested deeper than ${maxDepth} levels` });
  }
  try {
    return JSON.parse(text);
  } catch {
    const reason = text.trim() === "" ? "the body is empty" : "the body is not JSON";
    throw new DomainError("BODY_MALFORMED", { reason });
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Looks before it parses: a recursive parser must not see nesting without end. */
function isDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

const MAX_ISSUES = 10;

/**
 * What does not fit becomes REQUIRED_MISSING or INPUT_INVALID with `issues` of field and reason; never with the value,
 * which may be a secret.
 */
export function parseWith<T>(schema: ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.slice(0, MAX_ISSUES).map((issue) => {
    const missing = isMissing(value, issue.path);
    const field = issue.path.map(String).join(".") || "(the whole)";
    return { missing, field, reason: missing ? "is required" : issue.message };
  });
  const code = found.every(({ missing }) => missing) ? "REQUIRED_MISSING" : "INPUT_INVALID";
  throw new DomainError(code, { issues: found.map(({ field, reason }) => ({ field, reason })) });
}

function isMissing(root: unknown, path: readonly PropertyKey[]): boolean {
  if (path.length === 0) return false;
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return false;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value === undefined || value === null || value === "";
}
