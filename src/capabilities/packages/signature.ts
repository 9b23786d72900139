import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { promisify } from "node:util";

/** What a package may be signed with (ota.md 3.3); always over SHA-256. */
export const SIGNATURE_ALGORITHMS = ["ecdsa-p256", "rsa-3072"] as const;
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

/** A key that cannot be used; the message goes on after "the key". */
export class KeyError extends Error {
  override name = "KeyError";
}

export type PublicKey = {
  readonly key: KeyObject;
  readonly algorithm: SignatureAlgorithm;
  /** As it is stored: SubjectPublicKeyInfo, nothing else around it. */
  readonly pem: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly fingerprint: string;
};

const MAX_PEM_CHARS = 16 * 1024;

/** Throws `KeyError`. A certificate is no public key here, and a private one has no business on the platform. */
export function parsePublicKey(text: string): PublicKey {
  const pem = text.trim();
  if (pem.length > MAX_PEM_CHARS) throw new KeyError(`is longer than ${MAX_PEM_CHARS} characters`);
  if (/PRIVATE KEY-----/.test(pem)) throw new KeyError("is a private key: keep it to yourself, and give public.pem");
  if (!/^-----BEGIN PUBLIC KEY-----[\s\S]*-----END PUBLIC KEY-----$/.test(pem))
    throw new KeyError("is not a PEM of one PUBLIC KEY");
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new KeyError("cannot be read");
  }
  const der = key.export({ type: "spki", format: "der" });
  const algorithm = algorithmOf(key);
  const fingerprint = createHash("sha256").update(der).digest("hex");
  return { key, algorithm, pem: String(key.export({ type: "spki", format: "pem" })), fingerprint };
}

/** PKCS#8, encrypted or not. Throws `KeyError`, also for a wrong password. */
export function parsePrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  const isEncrypted = /ENCRYPTED/.test(pem);
  if (isEncrypted && passphrase === undefined) throw new KeyError("needs its password");
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: "pem", ...(isEncrypted && { passphrase }) });
  } catch {
    throw new KeyError(isEncrypted ? "cannot be read: is the password right?" : "is not a private key in PEM");
  }
  algorithmOf(key);
  return key;
}

/** The private key encrypted (PKCS#8, AES-256). */
export async function makeKeyPair(algorithm: SignatureAlgorithm, passphrase: string) {
  const publicKeyEncoding = { type: "spki", format: "pem" } as const;
  const privateKeyEncoding = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase } as const;
  const encodings = { publicKeyEncoding, privateKeyEncoding };
  return algorithm === "ecdsa-p256"
    ? promisify(generateKeyPair)("ec", { namedCurve: "prime256v1", ...encodings })
    : promisify(generateKeyPair)("rsa", { modulusLength: RSA_BITS, ...encodings });
}

/** PKCS#1 v1.5 for RSA (so that the same key and bytes give the same signature), DER for ECDSA: what OpenSSL makes. */
export const signBytes = (bytes: Uint8Array, key: KeyObject): Uint8Array => sign("sha256", bytes, optionsOf(key));

export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    return verify("sha256", bytes, optionsOf(key), signature);
  } catch {
    return false; // bytes that are no signature of this kind
  }
}

const RSA_BITS = 3_072;

function algorithmOf(key: KeyObject): SignatureAlgorithm {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa") {
    if (modulusLength === RSA_BITS) return "rsa-3072";
    throw new KeyError(`is RSA with ${modulusLength} bits; ${RSA_BITS} are needed`);
  }
  if (key.asymmetricKeyType === "ec") {
    if (namedCurve === "prime256v1") return "ecdsa-p256";
    throw new KeyError(`is of the curve ${namedCurve}; P-256 is needed`);
  }
  throw new KeyError(`is of type ${key.asymmetricKeyType}; RSA-3072 or ECDSA P-256 is needed`);
}

const optionsOf = (key: KeyObject) =>
  key.asymmetricKeyType === "rsa"
    ? { key, padding: constants.RSA_PKCS1_PADDING }
    : ({ key, dsaEncoding: "der" } as const);
