/** Method and response codes (RFC 7252 §12.1, 7959 §2.9, 8132 §6, 8516 §3, 8768 §5): three bits of class, five of detail. */
export const CODES = {
  empty: 0x00,
  get: 0x01,
  post: 0x02,
  put: 0x03,
  delete: 0x04,
  fetch: 0x05,
  patch: 0x06,
  ipatch: 0x07,
  created: 0x41,
  deleted: 0x42,
  valid: 0x43,
  changed: 0x44,
  content: 0x45,
  continue: 0x5f,
  badRequest: 0x80,
  unauthorized: 0x81,
  badOption: 0x82,
  forbidden: 0x83,
  notFound: 0x84,
  methodNotAllowed: 0x85,
  notAcceptable: 0x86,
  requestEntityIncomplete: 0x88,
  conflict: 0x89,
  preconditionFailed: 0x8c,
  requestEntityTooLarge: 0x8d,
  unsupportedContentFormat: 0x8f,
  unprocessableEntity: 0x96,
  tooManyRequests: 0x9d,
  internalServerError: 0xa0,
  notImplemented: 0xa1,
  badGateway: 0xa2,
  serviceUnavailable: 0xa3,
  gatewayTimeout: 0xa4,
  proxyingNotSupported: 0xa5,
  hopLimitReached: 0xa8,
} as const;
export type CodeName = keyof typeof CODES;

/** `reserved` may not appear on UDP; 3.xx may, though nothing in it is assigned. */
export type CodeKind = "empty" | "request" | "success" | "unassigned" | "clientError" | "serverError" | "reserved";

const KIND_OF_CLASS = [
  "request",
  "reserved",
  "success",
  "unassigned",
  "clientError",
  "serverError",
  "reserved",
  "reserved",
] as const satisfies CodeKind[];
const NAME_OF_CODE: ReadonlyMap<number, CodeName> = new Map(
  Object.entries(CODES).map(([name, code]) => [code, name as CodeName]),
);

export const codeKind = (code: number): CodeKind =>
  code === CODES.empty ? "empty" : (KIND_OF_CLASS[code >> 5] as CodeKind); // one byte, eight classes
export const isRequest = (code: number): boolean => code > 0 && code < 0x20;
export const isResponse = (code: number): boolean => code >= 0x40 && code < 0xc0;
export const isSuccess = (code: number): boolean => code >> 5 === 2;
/** As people write it: 2.05. */
export const renderCode = (code: number): string => `${code >> 5}.${(code & 0x1f).toString().padStart(2, "0")}`;
/** Undefined for a code that no RFC above names; its class still says how to treat it (RFC 7252 §5.9). */
export const codeName = (code: number): CodeName | undefined => NAME_OF_CODE.get(code);
