import type { Random } from "../../testing/random";
import { CODES, type CoapMessage, type CoapOption, MAX_OPTIONS, MESSAGE_TYPES } from "..";

const REQUESTS = [CODES.get, CODES.post, CODES.put, CODES.delete, CODES.fetch, 0x1f];
const RESPONSES = [...Object.values(CODES).filter((code) => code > 0x1f), 0x60, 0xbf];
const NOTHING = new Uint8Array(0);

/** Options ascend, so that decoding gives the same message back. */
export function randomMessage(random: Random): CoapMessage {
  const type = random.oneOf(MESSAGE_TYPES);
  const messageId = random.below(0x10000);
  if (type === "rst" || (type !== "non" && random.below(8) === 0))
    return { type, code: CODES.empty, messageId, token: NOTHING, options: [], payload: NOTHING };
  const code = random.oneOf(type === "ack" ? RESPONSES : [...REQUESTS, ...RESPONSES]);
  const payload = random.bytes(random.oneOf([0, 0, 1, 60, 1_024]));
  return { type, code, messageId, token: random.bytes(random.below(9)), options: randomOptions(random), payload };
}

function randomOptions(random: Random): CoapOption[] {
  const options: CoapOption[] = [];
  const count = random.oneOf([0, 1, 3, 8, MAX_OPTIONS]);
  for (let number = 0; options.length < count; ) {
    number += random.oneOf([0, 1, 4, 11, 12, 13, 14, 268, 269, 270, 5_000]);
    if (number > 0xffff) break;
    options.push({ number, value: random.bytes(random.oneOf([0, 1, 2, 12, 13, 14, 268, 269, 270])) });
  }
  return options;
}
