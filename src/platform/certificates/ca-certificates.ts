import { CertificateError, expiryOf, hasPrivateKey, isSelfIssued, parseCertificates, subjectOf } from "./pem";

export type CaCertificates = {
  /** The certificates alone, without whatever stood around them. */
  readonly pem: string;
  readonly subjects: readonly string[];
  /** When the first of them expires, ms. */
  readonly expiresAt: number;
};

const MOST_CHARACTERS = 256 * 1024;
const MOST_CERTIFICATES = 32;

/**
 * Reads what is to be trusted when we connect to somebody: one or more certificates, each of a CA or signed by itself.
 * Throws `CertificateError` with a reason for people.
 */
export function parseCaCertificates(pem: string, nowMs: number): CaCertificates {
  if (pem.length > MOST_CHARACTERS) throw new CertificateError(`longer than ${MOST_CHARACTERS} characters`);
  if (hasPrivateKey(pem)) throw new CertificateError("holds a private key; only certificates belong here");
  const certificates = parseCertificates(pem, "the text");
  if (certificates.length > MOST_CERTIFICATES)
    throw new CertificateError(`holds ${certificates.length} certificates; at most ${MOST_CERTIFICATES} are taken`);
  for (const certificate of certificates) {
    if (expiryOf(certificate) <= nowMs)
      throw new CertificateError(
        `${subjectOf(certificate)} expired on ${new Date(expiryOf(certificate)).toISOString()}`,
      );
    // Old and home-made roots carry no basic constraints; TLS libraries take them as anchors all the same.
    if (!certificate.ca && !isSelfIssued(certificate))
      throw new CertificateError(`${subjectOf(certificate)} is neither a CA certificate nor signed by itself`);
  }
  return {
    pem: certificates
      .map((certificate) => certificate.toString().trim())
      .join("\n")
      .concat("\n"),
    subjects: certificates.map(subjectOf),
    expiresAt: Math.min(...certificates.map(expiryOf)),
  };
}
