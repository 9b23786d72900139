import { DomainError } from "../../platform/domain-error";

export const MAX_CALLBACK_URL_LENGTH = 1024;

/** `key` names the server the way certificates are filed: `host:port`, the host in lower case. */
export type CallbackUrl = {
  readonly text: string;
  readonly secure: boolean;
  readonly host: string; // IPv6 without brackets
  readonly port: number;
  readonly hostPort: string;
};

// The port and the path must be written out, so the text counts, not what a URL parser would make of it.
const FORM = /^(https?):\/\/(\[[0-9a-f:.]+\]|[^/?#@:[\]\s\\]+):(\d{1,5})(\/[^#\s\\]*)$/i;
const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;

/** `http(s)://host:port/path`, no credentials, no fragment (1.7.1, platform.md 5). Throws CALLBACK_URL_ILLEGAL {reason}. */
export function parseCallbackUrl(text: string): CallbackUrl {
  if (text.length > MAX_CALLBACK_URL_LENGTH) throw illegal(`longer than ${MAX_CALLBACK_URL_LENGTH} characters`);
  if (!PRINTABLE_ASCII.test(text)) throw illegal("only printable ASCII characters; encode others");
  const [, scheme, host, port] = FORM.exec(text) ?? [];
  if (!scheme || !host || !port)
    throw illegal("must be http(s)://host:port/path with the port and the path written out");
  if (!URL.canParse(text)) throw illegal("is not a URL");
  const number = Number(port);
  if (number < 1 || number > 65_535) throw illegal("port is not between 1 and 65535");
  return {
    text,
    secure: scheme.toLowerCase() === "https",
    host: host.replace(/^\[|\]$/g, "").toLowerCase(),
    port: number,
    hostPort: `${host.toLowerCase()}:${number}`,
  };
}

const illegal = (reason: string) => new DomainError("CALLBACK_URL_ILLEGAL", { field: "callbackUrl", reason });
