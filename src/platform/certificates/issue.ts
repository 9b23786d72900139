import "./reflect-metadata";
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { parsePrivateKey } from "./pem";

/** Certificate and private key, PEM. */
export type Identity = { readonly certificate: string; readonly key: string };
export type Validity = { readonly notBefore: number; readonly notAfter: number }; // ms

// RSA-2048 with SHA-256: the TLS stacks of small and old devices verify it, and not all of them ECDSA.
const ALGORITHM = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const RSA_2048 = { ...ALGORITHM, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const LONGEST_COMMON_NAME = 64; // RFC 5280, ub-common-name

// Loaded when something is issued, not at every start; also, a static import would run before the metadata functions.
const loadX509 = () => import("@peculiar/x509");

/** A certificate authority of our own. Each has its own name, so that two of them in one trust store are not mixed up. */
export async function issueAuthority({ notBefore, notAfter }: Validity): Promise<Identity> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["Islet"] }, { CN: [`Islet CA ${randomBytes(4).toString("hex")}`] }],
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem").concat("\n"), key: await exportKey(keys.privateKey) };
}

/** A server certificate for DNS names and IP addresses. The first is its common name, for clients that look there. */
export async function issueServer(
  authority: Identity,
  names: readonly string[],
  { notBefore, notAfter }: Validity,
): Promise<Identity> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ["Islet"] }, { CN: [(names[0] ?? "Islet").slice(0, LONGEST_COMMON_NAME)] }],
    issuer: issuer.subjectName,
    notBefore: new Date(notBefore),
    notAfter: new Date(Math.min(notAfter, issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }) as const),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem").concat("\n"), key: await exportKey(keys.privateKey) };
}

const newKeys = () => crypto.subtle.generateKey(RSA_2048, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;

async function exportKey(key: CryptoKey): Promise<string> {
  const body = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${body.match(/.{1,64}/g)?.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

function importKey(pem: string): Promise<CryptoKey> {
  const pkcs8 = parsePrivateKey(pem, "ca.key").export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), ALGORITHM, false, ["sign"]);
}
