/** The suites served (RFC 5487 §2 and §3, RFC 6655 §4). All hash with SHA-256 and take AES-128. */

export type RecordCipher = "ccm8" | "gcm" | "cbc";
export type CipherSuite = {
  readonly id: number;
  readonly name: string;
  readonly cipher: RecordCipher;
  /** Bytes of the key block per direction. */
  readonly macKeyLength: number;
  readonly keyLength: number;
  readonly saltLength: number;
};

export const PSK_AES_128_CCM_8: CipherSuite = {
  id: 0xc0a8,
  name: "TLS_PSK_WITH_AES_128_CCM_8",
  cipher: "ccm8",
  macKeyLength: 0,
  keyLength: 16,
  saltLength: 4,
};
export const PSK_AES_128_GCM_SHA256: CipherSuite = {
  id: 0x00a8,
  name: "TLS_PSK_WITH_AES_128_GCM_SHA256",
  cipher: "gcm",
  macKeyLength: 0,
  keyLength: 16,
  saltLength: 4,
};
export const PSK_AES_128_CBC_SHA256: CipherSuite = {
  id: 0x00ae,
  name: "TLS_PSK_WITH_AES_128_CBC_SHA256",
  cipher: "cbc",
  macKeyLength: 32,
  keyLength: 16,
  saltLength: 0, // its IV is in every record (RFC 5246 §6.2.3.2)
};

/**
 * In the order in which they are preferred. CCM_8 first: its records are the shortest, and bytes are what a device
 * on a narrow band pays for; CBC last: without encrypt-then-MAC it is the weakest.
 */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  PSK_AES_128_CCM_8,
  PSK_AES_128_GCM_SHA256,
  PSK_AES_128_CBC_SHA256,
];

/** RFC 5746 §3.3: says the same as an empty renegotiation_info extension. Never chosen. */
export const EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff;

/** The first of ours that the client has; undefined means the alert handshake_failure. */
export function chooseCipherSuite(
  offered: readonly number[],
  preferred: readonly CipherSuite[] = CIPHER_SUITES,
): CipherSuite | undefined {
  return preferred.find((suite) => offered.includes(suite.id));
}

export const cipherSuiteById = (id: number): CipherSuite | undefined => CIPHER_SUITES.find((suite) => suite.id === id);
