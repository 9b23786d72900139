/** The forms in which devices name themselves (OMA LwM2M TS 1.0.2 §6.2.1, and what modules in the field send). */

export type EndpointName = {
  /** As the device sent it. */
  endpoint: string;
  /** 14 to 16 digits: the IMEI, also where the last digit is missing or is a software version. */
  imei?: string;
  imsi?: string;
  msisdn?: string;
};

const IMEI = String.raw`(?<imei>\d{14,16})`;
const IMSI = String.raw`(?<imsi>\d{6,15})`;
const MSISDN = String.raw`(?<msisdn>\d{5,15})`;

const FORMS: readonly RegExp[] = [
  new RegExp(`^${IMEI}$`),
  new RegExp(`^${IMEI};${IMSI}$`),
  new RegExp(`^urn:imei:${IMEI}$`, "i"), // a URN's first two parts have no case (RFC 8141 §3.1)
  new RegExp(`^urn:imei-imsi:${IMEI}-${IMSI}$`, "i"),
  new RegExp(`^urn:imei-msisdn:${IMEI}-${MSISDN}$`, "i"),
];

export function parseEndpointName(endpoint: string): EndpointName {
  for (const form of FORMS) {
    const groups = form.exec(endpoint)?.groups;
    if (!groups) continue;
    const { imei, imsi, msisdn } = groups;
    return {
      endpoint,
      ...(imei === undefined ? {} : { imei }),
      ...(imsi === undefined ? {} : { imsi }),
      ...(msisdn === undefined ? {} : { msisdn }),
    };
  }
  return { endpoint };
}

/**
 * The nodeIds under which such a device may have been registered, the most exact first: the name itself, then the bare
 * IMEI and its URN. Whoever looks them up must check that at most one of them exists.
 */
export function nodeIdCandidates(endpoint: string): string[] {
  const { imei } = parseEndpointName(endpoint);
  return [...new Set(imei === undefined ? [endpoint] : [endpoint, imei, `urn:imei:${imei}`])];
}
