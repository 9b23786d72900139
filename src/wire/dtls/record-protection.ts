/** Record protection of one direction (RFC 5246 §6.2.3, RFC 6347 §4.1.2, RFC 9146 §5). */
import type { CipherSuite } from "./cipher-suite";
import type { DirectionKeys } from "./prf";
import { createCbcProtection } from "./protect-cbc";
import { createCcm8Protection } from "./protect-ccm8";
import { createGcmProtection } from "./protect-gcm";
import type { DtlsRecord } from "./record";

export type PlainRecord = {
  readonly type: number;
  readonly epoch: number;
  /** Never twice in one epoch: with the same keys it would give the plain text away. */
  readonly sequence: number;
  /** The one the receiver asked for; not there when it asked for none or an empty one. */
  readonly connectionId?: Uint8Array | undefined;
  readonly content: Uint8Array;
};
export type OpenedRecord = { readonly type: number; readonly content: Uint8Array };

/** Makes its cipher objects at first use: an endpoint keeps the keys, and drops this for a device that sleeps. */
export type RecordProtection = {
  /** The whole record with its header. */
  seal(record: PlainRecord): Uint8Array;
  /**
   * Undefined if it was not sealed with these keys, whatever was wrong. The content may be a view into the datagram,
   * which is then decrypted in place; a record that is refused is left as it was.
   */
  open(record: DtlsRecord): OpenedRecord | undefined;
};

export type ProtectionOptions = {
  /** RFC 7366; only block ciphers have it. */
  readonly encryptThenMac: boolean;
};

export function createRecordProtection(
  suite: CipherSuite,
  keys: DirectionKeys,
  { encryptThenMac }: ProtectionOptions,
): RecordProtection {
  switch (suite.cipher) {
    case "ccm8":
      return createCcm8Protection(keys);
    case "gcm":
      return createGcmProtection(keys);
    case "cbc":
      return createCbcProtection(keys, encryptThenMac);
    default:
      return suite.cipher satisfies never;
  }
}
