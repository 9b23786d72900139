/** AES_128_GCM records (RFC 5288 §3, RFC 5487 §2): eight bytes of nonce in front, sixteen of tag behind. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { DirectionKeys } from "./prf";
import { authenticatedHeader, headerOf, innerLength, openInner, putInner, recordNumber } from "./protected-header";
import { encodeHeader, headerLength } from "./record";
import type { RecordProtection } from "./record-protection";

const EXPLICIT = 8;
const TAG = 16;

/** A cipher object per record: GCM takes its nonce when it is made. */
export function createGcmProtection({ key, salt }: DirectionKeys): RecordProtection {
  const nonce = new Uint8Array(salt.length + EXPLICIT);
  nonce.set(salt);
  return {
    seal(plain) {
      const header = headerOf(plain);
      const length = innerLength(plain);
      const record = new Uint8Array(headerLength(header) + EXPLICIT + length + TAG);
      const at = encodeHeader(header, EXPLICIT + length + TAG, record);
      const headerBytes = record.subarray(0, at);
      nonce.set(recordNumber(headerBytes), salt.length);
      record.set(recordNumber(headerBytes), at);
      putInner(plain, record, at + EXPLICIT);
      const cipher = createCipheriv("aes-128-gcm", key, nonce);
      cipher.setAAD(authenticatedHeader(headerBytes, plain.connectionId, length));
      record.set(cipher.update(record.subarray(at + EXPLICIT, record.length - TAG)), at + EXPLICIT);
      cipher.final();
      record.set(cipher.getAuthTag(), record.length - TAG);
      return record;
    },
    open(record) {
      const { fragment, header, connectionId } = record;
      const length = fragment.length - EXPLICIT - TAG;
      if (length < 0) return undefined;
      nonce.set(fragment.subarray(0, EXPLICIT), salt.length);
      const decipher = createDecipheriv("aes-128-gcm", key, nonce, { authTagLength: TAG });
      decipher.setAAD(authenticatedHeader(header, connectionId, length));
      decipher.setAuthTag(fragment.subarray(EXPLICIT + length));
      const inner = decipher.update(fragment.subarray(EXPLICIT, EXPLICIT + length));
      try {
        decipher.final();
      } catch {
        return undefined; // the tag is wrong; final has no other way to say so
      }
      return openInner(record, new Uint8Array(inner.buffer, inner.byteOffset, inner.length));
    },
  };
}
