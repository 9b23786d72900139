import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { PushTrust } from "../applications/push-certificate";
import type { CallbackUrl } from "./callback-url";

/** What `node:tls` and Bun's fetch need for an address. Without an uploaded certificate: the public CAs and the host's name. */
export type TlsOptions = {
  readonly rejectUnauthorized: true;
  readonly ca?: string;
  readonly serverName?: string;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
};

export function tlsOptions({ host }: CallbackUrl, trust: PushTrust | undefined): TlsOptions {
  const serverName = (name: string) => (isIP(name) === 0 ? { serverName: name } : {}); // RFC 6066 §3: no addresses
  if (!trust) return { rejectUnauthorized: true, ...serverName(host) };
  const name = trust.commonName ?? host;
  return {
    rejectUnauthorized: true,
    ca: trust.ca,
    ...serverName(trust.sni ? name : host),
    checkServerIdentity: trust.checkCommonName ? (_host, certificate) => checkName(name, certificate) : () => undefined, // the chain is still verified
  };
}

/** Alternative names as usual; besides them the common name counts even where there are any: that is what people entered. */
function checkName(name: string, certificate: PeerCertificate): Error | undefined {
  const commonNames: unknown[] = [certificate.subject?.CN].flat();
  if (commonNames.some((it) => typeof it === "string" && it.toLowerCase() === name.toLowerCase())) return undefined;
  return checkServerIdentity(name, certificate);
}

export const isSameTrust = (a: PushTrust | undefined, b: PushTrust | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.ca === b.ca &&
    a.checkCommonName === b.checkCommonName &&
    a.commonName === b.commonName &&
    a.sni === b.sni);
