import { CHANGE_CIPHER_SPEC } from "./alert";
import { encodeFragments, HANDSHAKE_HEADER_LENGTH } from "./handshake";
import type { Flight } from "./handshake-state";
import { CONTENT_TYPE, RECORD_HEADER_LENGTH } from "./record";

/** Records carry these around what the explicit nonce, tag, MAC and padding add at most. */
const PROTECTION_OVERHEAD = 64;

/** A flight as datagrams of at most `maxBytes`, with as many records in each as fit; `record` numbers them anew. */
export function flightDatagrams(
  flight: Flight,
  maxBytes: number,
  record: (type: number, epoch: 0 | 1, content: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const room = maxBytes - RECORD_HEADER_LENGTH - HANDSHAKE_HEADER_LENGTH - PROTECTION_OVERHEAD;
  const datagrams: Uint8Array[] = [];
  for (const item of flight) {
    const records =
      item.type === "changeCipherSpec"
        ? [record(CONTENT_TYPE.changeCipherSpec, 0, CHANGE_CIPHER_SPEC)]
        : encodeFragments(item.message, room).map((part) => record(CONTENT_TYPE.handshake, item.epoch, part));
    for (const bytes of records) {
      const last = datagrams.at(-1);
      if (last && last.length + bytes.length <= maxBytes) {
        datagrams[datagrams.length - 1] = Buffer.concat([last, bytes]);
      } else {
        datagrams.push(bytes);
      }
    }
  }
  return datagrams;
}
