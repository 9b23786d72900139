/** AES_128_CCM_8 records (RFC 6655 §3): eight bytes of nonce in front, eight of tag behind. */
import { createAesCcm } from "./aes-ccm";
import type { DirectionKeys } from "./prf";
import { authenticatedHeader, headerOf, innerLength, openInner, putInner, recordNumber } from "./protected-header";
import { encodeHeader, headerLength } from "./record";
import type { RecordProtection } from "./record-protection";

const EXPLICIT = 8;
const TAG = 8;

export function createCcm8Protection({ key, salt }: DirectionKeys): RecordProtection {
  const ccm = createAesCcm(key, TAG);
  const nonce = new Uint8Array(salt.length + EXPLICIT);
  nonce.set(salt);
  return {
    seal(plain) {
      const header = headerOf(plain);
      const length = innerLength(plain);
      const record = new Uint8Array(headerLength(header) + EXPLICIT + length + TAG);
      const at = encodeHeader(header, EXPLICIT + length + TAG, record);
      const headerBytes = record.subarray(0, at);
      nonce.set(recordNumber(headerBytes), salt.length); // unique per key, as the number is
      record.set(recordNumber(headerBytes), at);
      putInner(plain, record, at + EXPLICIT);
      const additional = authenticatedHeader(headerBytes, plain.connectionId, length);
      ccm.seal(nonce, additional, record, at + EXPLICIT, record.length - TAG);
      return record;
    },
    open(record) {
      const { fragment, header, connectionId } = record;
      const length = fragment.length - EXPLICIT - TAG;
      if (length < 0) return undefined;
      nonce.set(fragment.subarray(0, EXPLICIT), salt.length); // the sender may have chosen another than its number
      const additional = authenticatedHeader(header, connectionId, length);
      if (!ccm.open(nonce, additional, fragment, EXPLICIT, EXPLICIT + length)) return undefined;
      return openInner(record, fragment.subarray(EXPLICIT, EXPLICIT + length));
    },
  };
}
