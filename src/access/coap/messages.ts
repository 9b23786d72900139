/** Between the messages of the wire and what the layer above sees. Everything that leaves is a copy. */
import {
  type Block,
  type BlockBody,
  type BlockSize,
  CODES,
  type CoapOption,
  decodeBlock,
  encodeBlock,
  type MessageView,
  OPTIONS,
  option,
} from "../../wire/coap";
import type { IncomingResponse, OutgoingRequest, OutgoingResponse } from "./coap-endpoint";

export const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Critical options that we act on, as their numbers. */
export const UNDERSTOOD_IN_REQUESTS: ReadonlySet<number> = new Set(
  (["uriHost", "uriPort", "uriPath", "uriQuery", "accept", "block1", "block2"] as const).map(
    (name) => OPTIONS[name].number,
  ),
);
export const UNDERSTOOD_IN_RESPONSES: ReadonlySet<number> = new Set([OPTIONS.block1.number, OPTIONS.block2.number]);

/** A request of ours without what the message layer and the block transfers add to it. */
export type RequestParts = {
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly body: BlockBody;
  /** Where its blocks begin, in bytes. */
  readonly start: number;
};

/** Throws RangeError for what CoAP cannot carry. */
export function toRequestParts(request: OutgoingRequest): RequestParts {
  const options: CoapOption[] = [];
  if (request.observe !== undefined) options.push(option("observe", request.observe));
  for (const segment of request.path) options.push(option("uriPath", segment));
  if (request.contentFormat !== undefined) options.push(option("contentFormat", request.contentFormat));
  for (const argument of request.query ?? []) options.push(option("uriQuery", argument));
  if (request.accept !== undefined) options.push(option("accept", request.accept));
  const { body, start } = request.source ?? { body: request.payload ?? NOTHING, start: 0 };
  return { code: CODES[request.method], options, body, start };
}

const NOT_REPEATED = new Set<number>(
  (["observe", "block1", "block2", "size1", "size2"] as const).map((name) => OPTIONS[name].number),
);

/** The options of a request for one more block of its response (RFC 7959 §2.4, figure 12: without Observe). */
export function optionsOfNextBlock({ code, options }: RequestParts, block: Block): CoapOption[] {
  const isWithBody = repeatsBody(code);
  const kept = options.filter(
    ({ number }) => !NOT_REPEATED.has(number) && (isWithBody || number !== OPTIONS.contentFormat.number),
  );
  return [...kept, option("block2", encodeBlock(block))];
}

/** A body is not sent again with the requests for further blocks (RFC 7959 §3.3), but what FETCH asks is in it. */
export const repeatsBody = (code: number): boolean => code === CODES.fetch;

/** Only these do no harm when they are begun again. */
export const isSafe = (code: number): boolean => code === CODES.get || code === CODES.fetch;
export const isIdempotent = (code: number): boolean => isSafe(code) || code === CODES.put || code === CODES.delete;

/** `"reserved"` for the reserved size exponent. */
export function blockOf(view: MessageView, name: "block1" | "block2"): Block | "reserved" | undefined {
  const value = view.uint(OPTIONS[name].number);
  return value === undefined ? undefined : (decodeBlock(value) ?? "reserved");
}

/** `payload` is the whole body, and a copy. */
export const toIncomingResponse = (view: MessageView, payload: Uint8Array): IncomingResponse => ({
  code: view.code,
  payload,
  contentFormat: view.uint(OPTIONS.contentFormat.number),
  observe: view.uint(OPTIONS.observe.number),
  maxAgeSeconds: view.uint(OPTIONS.maxAge.number),
  locationPath: view.texts(OPTIONS.locationPath.number) ?? [],
});

/** The options of a response but those of the block transfers. Throws RangeError for what CoAP cannot carry. */
export function responseOptions({ locationPath, contentFormat, maxAgeSeconds }: OutgoingResponse): CoapOption[] {
  const options: CoapOption[] = [];
  for (const segment of locationPath ?? []) options.push(option("locationPath", segment));
  if (contentFormat !== undefined) options.push(option("contentFormat", contentFormat));
  if (maxAgeSeconds !== undefined) options.push(option("maxAge", Math.min(maxAgeSeconds, 0xffff_ffff)));
  return options;
}

/** A diagnostic payload is for people: cut where a character ends rather than sent in blocks. */
export function diagnosticPayload(text: string, size: BlockSize): Uint8Array {
  const bytes = new Uint8Array(size);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}
