/** The options we know (RFC 7252 §5.10, 7641 §2, 7959 §2.1 and §4, 7967 §2, 8768 §3): one table, checked by its test. */
export type OptionFormat = "uint" | "string" | "opaque" | "empty";
export type OptionDefinition = {
  readonly number: number;
  readonly name: string;
  readonly format: OptionFormat;
  readonly repeatable: boolean;
  /** Bytes of the value. */
  readonly minLength: number;
  readonly maxLength: number;
};

export const OPTIONS = {
  ifMatch: define(1, "If-Match", "opaque", 0, 8, "repeatable"),
  uriHost: define(3, "Uri-Host", "string", 1, 255),
  etag: define(4, "ETag", "opaque", 1, 8, "repeatable"),
  ifNoneMatch: define(5, "If-None-Match", "empty", 0, 0),
  observe: define(6, "Observe", "uint", 0, 3),
  uriPort: define(7, "Uri-Port", "uint", 0, 2),
  locationPath: define(8, "Location-Path", "string", 0, 255, "repeatable"),
  uriPath: define(11, "Uri-Path", "string", 0, 255, "repeatable"),
  contentFormat: define(12, "Content-Format", "uint", 0, 2),
  maxAge: define(14, "Max-Age", "uint", 0, 4),
  uriQuery: define(15, "Uri-Query", "string", 0, 255, "repeatable"),
  hopLimit: define(16, "Hop-Limit", "uint", 1, 1),
  accept: define(17, "Accept", "uint", 0, 2),
  locationQuery: define(20, "Location-Query", "string", 0, 255, "repeatable"),
  block2: define(23, "Block2", "uint", 0, 3),
  block1: define(27, "Block1", "uint", 0, 3),
  size2: define(28, "Size2", "uint", 0, 4),
  proxyUri: define(35, "Proxy-Uri", "string", 1, 1034),
  proxyScheme: define(39, "Proxy-Scheme", "string", 1, 255),
  size1: define(60, "Size1", "uint", 0, 4),
  noResponse: define(258, "No-Response", "uint", 0, 1),
} as const;
export type OptionName = keyof typeof OPTIONS;

function define(
  number: number,
  name: string,
  format: OptionFormat,
  minLength: number,
  maxLength: number,
  repeatable?: "repeatable",
): OptionDefinition {
  return { number, name, format, minLength, maxLength, repeatable: repeatable !== undefined };
}

const DEFINITION_OF_NUMBER: ReadonlyMap<number, OptionDefinition> = new Map(
  Object.values(OPTIONS).map((definition) => [definition.number, definition]),
);
export const optionDefinition = (number: number): OptionDefinition | undefined => DEFINITION_OF_NUMBER.get(number);

/** The number itself tells how to treat an option that is not known (RFC 7252 §5.4.6). */
export const isCritical = (number: number): boolean => (number & 1) !== 0;
export const isUnsafe = (number: number): boolean => (number & 2) !== 0;
export const isNoCacheKey = (number: number): boolean => (number & 0b11110) === 0b11100;
