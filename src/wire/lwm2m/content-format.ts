/** The content formats of LwM2M and their numbers (OMA LwM2M TS 1.0.2 §6.4, TS-Core 1.1 §7.4, IANA CoRE parameters). */

export const CONTENT_FORMAT = {
  text: 0,
  link: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  tlv: 11_542,
  json: 11_543,
} as const;

export type ContentKind = keyof typeof CONTENT_FORMAT;

type ContentFormat = { kind: ContentKind; mediaType: string };

/** The numbers of 1541 and on were used before IANA gave out those of 11542 and on; old modules still send them. */
export const CONTENT_FORMATS: ReadonlyMap<number, ContentFormat> = new Map<number, ContentFormat>([
  [0, { kind: "text", mediaType: "text/plain;charset=utf-8" }],
  [40, { kind: "link", mediaType: "application/link-format" }],
  [42, { kind: "opaque", mediaType: "application/octet-stream" }],
  [60, { kind: "cbor", mediaType: "application/cbor" }],
  [110, { kind: "senmlJson", mediaType: "application/senml+json" }],
  [112, { kind: "senmlCbor", mediaType: "application/senml+cbor" }],
  [1541, { kind: "text", mediaType: "application/vnd.oma.lwm2m+text" }],
  [1542, { kind: "tlv", mediaType: "application/vnd.oma.lwm2m+tlv" }],
  [1543, { kind: "json", mediaType: "application/vnd.oma.lwm2m+json" }],
  [1544, { kind: "opaque", mediaType: "application/vnd.oma.lwm2m+opaque" }],
  [11_542, { kind: "tlv", mediaType: "application/vnd.oma.lwm2m+tlv" }],
  [11_543, { kind: "json", mediaType: "application/vnd.oma.lwm2m+json" }],
]);
