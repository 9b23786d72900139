import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** A certificate or key that cannot be used. The message says which and why, and holds nothing of a key. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]*-----END \1-----/g;
const CERTIFICATE_LABELS = new Set(["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"]);

/** All certificates of a PEM text, in its order. Throws `CertificateError`; `source` names the text in it. */
export function parseCertificates(pem: string, source: string): X509Certificate[] {
  const certificates: X509Certificate[] = [];
  for (const [block, label = ""] of pem.matchAll(BLOCK)) {
    if (!CERTIFICATE_LABELS.has(label)) continue;
    try {
      certificates.push(new X509Certificate(block));
    } catch (cause) {
      throw new CertificateError(`${source}: certificate ${certificates.length + 1} cannot be parsed`, { cause });
    }
  }
  if (certificates.length === 0) throw new CertificateError(`${source} holds no certificate in PEM format`);
  return certificates;
}

/** Throws `CertificateError` for anything but an unencrypted private key. */
export function parsePrivateKey(pem: string, source: string): KeyObject {
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem))
    throw new CertificateError(`${source} is encrypted; give the key without a passphrase`);
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertificateError(`${source} holds no private key in PEM format`); // no cause: it could quote the key
  }
}

export const hasPrivateKey = (pem: string): boolean => /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem);

/** Last moment at which it is valid, ms. */
export const expiryOf = (certificate: X509Certificate): number => Date.parse(certificate.validTo);
export const startOf = (certificate: X509Certificate): number => Date.parse(certificate.validFrom);
/** On one line: subjects come with a line break between their parts. */
export const subjectOf = (certificate: X509Certificate): string => certificate.subject.replaceAll("\n", ", ");
export const isSelfIssued = (certificate: X509Certificate): boolean => certificate.subject === certificate.issuer;
