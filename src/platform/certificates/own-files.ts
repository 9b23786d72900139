import { readFileSync } from "node:fs";
import type { Log } from "../log";
import {
  CertificateError,
  expiryOf,
  isSelfIssued,
  parseCertificates,
  parsePrivateKey,
  startOf,
  subjectOf,
} from "./pem";
import type { ServerTls } from "./tls-files";

/** Paths of PEM files: the chain with the server's certificate first, its key, and what clients should trust. */
export type OwnFiles = { readonly certFile: string; readonly keyFile: string; readonly caFile?: string | undefined };

const WARN_BEFORE_MS = 30 * 86_400_000;

/** Throws `CertificateError` when they are unreadable, expired or do not belong together; warns of what may still work. */
export function loadOwnTls({ certFile, keyFile, caFile }: OwnFiles, now: number, log: Log): ServerTls {
  const cert = read(certFile);
  const key = read(keyFile);
  const ca = caFile === undefined ? undefined : read(caFile);
  const chain = parseCertificates(cert, certFile);
  const [leaf] = chain;
  if (!leaf?.checkPrivateKey(parsePrivateKey(key, keyFile)))
    throw new CertificateError(`${keyFile} is not the key of the first certificate in ${certFile}`);
  const expiry = expiryOf(leaf);
  if (expiry <= now) throw new CertificateError(`${certFile} expired on ${new Date(expiry).toISOString()}`);

  const warn = (problem: string) => log.warn("tls_certificate_doubtful", { file: certFile, problem });
  if (expiry < now + WARN_BEFORE_MS) warn(`expires on ${new Date(expiry).toISOString()}`);
  if (startOf(leaf) > now) warn(`valid only from ${new Date(startOf(leaf)).toISOString()}`);
  if (leaf.subjectAltName === undefined) warn("has no subject alternative names, so most clients will refuse it");
  if (ca !== undefined && caFile !== undefined) {
    const trusted = parseCertificates(ca, caFile);
    const top = chain[chain.length - 1] ?? leaf;
    const isTrusted = trusted.some((it) => it.fingerprint256 === top.fingerprint256 || top.checkIssued(it));
    if (!isTrusted) warn(`${subjectOf(top)} was not issued by a certificate in ${caFile}`);
  }
  return { cert, key, ca: ca ?? (isSelfIssued(leaf) ? leaf.toString() : undefined) };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CertificateError(`${path} cannot be read`, { cause });
  }
}
