import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "../clock";
import type { Log } from "../log";
import { type Identity, issueAuthority, issueServer } from "./issue";
import { machineNames, toSubjectNames } from "./machine-names";
import { loadOwnTls, type OwnFiles } from "./own-files";
import { CertificateError, expiryOf, parsePrivateKey } from "./pem";
import type { ServerTls } from "./tls-files";
import { writePrivately, writePublicly } from "./write-file";

export type TlsOptions = {
  /** `<data>/tls`; holds ca.pem, ca.key, server.pem, server.key. */
  readonly folder: string;
  /** Certificate and key of the user's; with them nothing is made. */
  readonly own?: OwnFiles | undefined;
  /** Names and addresses beside the machine's own. */
  readonly names?: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
};

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_652;
const SERVER_DAYS = 800; // some clients refuse server certificates of more than 825
const RENEW_BEFORE_MS = 30 * DAY_MS;
const CLOCK_SKEW_MS = DAY_MS; // of devices, which often start with a wrong time

/**
 * The server's certificate: the user's own, or one of a CA made at first start. A made one is renewed when a name is
 * missing or 30 days before it expires; clients that trust the CA notice nothing.
 * Throws `CertificateError` when files cannot be used.
 */
export async function loadServerTls({ folder, own, names = [], clock, log }: TlsOptions): Promise<ServerTls> {
  if (own) return loadOwnTls(own, clock.now(), log);
  const wanted = toSubjectNames([...names, ...machineNames()]);
  const now = clock.now();
  const authority = await loadAuthority(folder, now, log);
  const current = readIdentity(folder, "server");
  const reason = reissueReason(current, authority.certificate, wanted, now);
  if (current && !reason) return { cert: current.certificate, key: current.key, ca: authority.certificate };

  if (!authority.key) throw new CertificateError(`${join(folder, "ca.key")} is missing, so no certificate can be made`);
  const server = await issueServer({ certificate: authority.certificate, key: authority.key }, wanted, {
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: now + SERVER_DAYS * DAY_MS,
  });
  await writePrivately(join(folder, "server.key"), server.key);
  await writePublicly(join(folder, "server.pem"), server.certificate);
  log.info("tls_certificate_issued", { reason, names: wanted });
  return { cert: server.certificate, key: server.key, ca: authority.certificate };
}

/** The key may have been taken away to a safe place; it is needed only to issue. */
async function loadAuthority(
  folder: string,
  now: number,
  log: Log,
): Promise<{ certificate: string; key: string | undefined }> {
  const certificate = readIfThere(join(folder, "ca.pem"));
  if (certificate !== undefined) {
    const parsed = parse(certificate);
    if (!parsed) throw new CertificateError(`${join(folder, "ca.pem")} holds no certificate`);
    if (expiryOf(parsed) > now + RENEW_BEFORE_MS) return { certificate, key: readIfThere(join(folder, "ca.key")) };
    log.warn("tls_authority_renewed", { expired: parsed.validTo, advice: "clients must trust the new ca.pem" });
  }
  const authority = await issueAuthority({ notBefore: now - CLOCK_SKEW_MS, notAfter: now + AUTHORITY_DAYS * DAY_MS });
  await writePrivately(join(folder, "ca.key"), authority.key); // first: a ca.pem without its key would stay for ever
  await writePublicly(join(folder, "ca.pem"), authority.certificate);
  return authority;
}

function reissueReason(
  current: Identity | undefined,
  authority: string,
  wanted: readonly string[],
  now: number,
): string | undefined {
  if (!current) return "none yet";
  const certificate = parse(current.certificate);
  if (!certificate || !fitsKey(certificate, current.key)) return "certificate and key do not belong together";
  if (!certificate.verify(new X509Certificate(authority).publicKey)) return "issued by another CA";
  if (expiryOf(certificate) < now + RENEW_BEFORE_MS) return "expires soon";
  const missing = wanted.filter((name) => !isFor(certificate, name));
  return missing.length > 0 ? `without ${missing.join(", ")}` : undefined;
}

// DNS names by text: `checkHost` matches wildcards but does not take one as its question.
const isFor = (certificate: X509Certificate, name: string) =>
  isIP(name) === 0
    ? (certificate.subjectAltName ?? "").split(", ").includes(`DNS:${name}`)
    : certificate.checkIP(name) !== undefined;

function fitsKey(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(parsePrivateKey(key, "server.key"));
  } catch {
    return false;
  }
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function readIdentity(folder: string, name: string): Identity | undefined {
  const certificate = readIfThere(join(folder, `${name}.pem`));
  const key = readIfThere(join(folder, `${name}.key`));
  return certificate !== undefined && key !== undefined ? { certificate, key } : undefined;
}

const readIfThere = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
