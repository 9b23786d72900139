import { encodePublish, publishLength, type QoS } from "../wire/mqtt";

/** A report of the sample product of the documentation. Each `#` is one random digit. */
export const DEFAULT_PAYLOAD =
  '{"msgType":"deviceReq","data":[{"serviceId":"Climate","serviceData":{"temperature":2#.#,"humidity":4#,"battery":9#}}]}';

const HASH = 0x23;
const AT = 0x40;
const ZERO = 0x30;

/**
 * `count` PUBLISH packets, one behind the other, encoded once: the packet in slot n has packet id n + 1, and only its
 * digits change. A slot may be sent again when its packet was acknowledged. So a report costs a few bytes written.
 * In the payload a `#` is a random digit, and all `@` together are a number that counts the reports of the device.
 */
export function reportSlots(topic: Uint8Array, payload: string, qos: QoS, count: number, random: () => number) {
  const publish = { topic, payload: Buffer.from(payload), qos, retain: false, dup: false };
  const length = publishLength({ ...publish, packetId: qos === 0 ? 0 : 1 });
  const bytes = new Uint8Array(length * count);
  for (let slot = 0; slot < count; slot++)
    encodePublish({ ...publish, packetId: qos === 0 ? 0 : slot + 1 }, bytes, slot * length);
  const payloadAt = length - publish.payload.length;
  const placesOf = (character: number) =>
    Uint32Array.from(
      [...publish.payload.keys()].filter((at) => publish.payload[at] === character).map((at) => at + payloadAt),
    );
  const digits = placesOf(HASH);
  const counter = placesOf(AT);
  let counted = 0;
  let state = Math.floor(random() * 2 ** 31) | 1;

  return {
    count,
    length,
    /** New digits for this slot. */
    refresh(slot: number): void {
      const base = slot * length;
      for (let at = 0; at < digits.length; at++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Numerical Recipes' generator: cheap, good enough
        bytes[base + (digits[at] as number)] = ZERO + ((state >>> 16) % 10);
      }
      let rest = counted++;
      for (let at = counter.length - 1; at >= 0; at--) {
        bytes[base + (counter[at] as number)] = ZERO + (rest % 10);
        rest = Math.floor(rest / 10);
      }
    },
    /** The packets of `howMany` slots that lie side by side. */
    packets: (slot: number, howMany: number): Uint8Array => bytes.subarray(slot * length, (slot + howMany) * length),
  };
}
