/** Content-Format numbers (IANA CoRE parameters; OMA LwM2M 1.0 §6.4 and 1.1 §7.4 for the ones of LwM2M). */
export const CONTENT_FORMATS = {
  text: 0,
  linkFormat: 40,
  xml: 41,
  opaque: 42,
  exi: 47,
  json: 50,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  senmlEtchJson: 320,
  senmlEtchCbor: 322,
  /** Before LwM2M 1.0 had numbers of its own, devices used these two. */
  oldLwm2mTlv: 1542,
  oldLwm2mJson: 1543,
  lwm2mTlv: 11_542,
  lwm2mJson: 11_543,
  lwm2mCbor: 11_544,
} as const;
export type ContentFormatName = keyof typeof CONTENT_FORMATS;

const NAME_OF_NUMBER: ReadonlyMap<number, ContentFormatName> = new Map(
  Object.entries(CONTENT_FORMATS).map(([name, number]) => [number, name as ContentFormatName]),
);
export const contentFormatName = (number: number): ContentFormatName | undefined => NAME_OF_NUMBER.get(number);
