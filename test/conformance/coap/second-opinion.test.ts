import { expect, test } from "bun:test";
import { generate, type Packet, parse } from "coap-packet";
import { codeKind, decodeMessage, encodeMessage, renderCode } from "../../../src/wire/coap";
import { randomMessage } from "../../../src/wire/coap/testing/random-message";
import { fuzzSeed, Random } from "../../../src/wire/testing/random";

/** coap-packet knows names for some options; its table backwards, by asking it. */
const NUMBERS = new Map<string, number>();
for (let number = 0; number < 2_100; number++) {
  const bytes = encodeMessage({
    ...{ type: "con", code: 1, messageId: 0, token: new Uint8Array(0), payload: new Uint8Array(0) },
    options: [{ number, value: Uint8Array.of(1) }],
  });
  NUMBERS.set(String(parse(Buffer.from(bytes)).options[0]?.name), number);
}

test(`coap-packet reads what we write, and writes the same bytes (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  let compared = 0;
  for (let round = 0; round < 2_000; round++) {
    const message = randomMessage(random);
    const bytes = encodeMessage(message);
    if (codeKind(message.code) === "unassigned") continue; // coap-packet has no words for 3.xx
    const read = parse(Buffer.from(bytes));
    const type = read.confirmable ? "con" : read.ack ? "ack" : read.reset ? "rst" : "non";
    expect([type, read.messageId, read.token.toString("hex"), read.payload.toString("hex")]).toEqual([
      message.type,
      message.messageId,
      message.token.toHex(),
      message.payload.toHex(),
    ]);
    expect(read.code).toBe(message.code === 0 ? "0.00" : renderCode(message.code));
    const numbers = read.options.map(({ name, value }) => [
      NUMBERS.get(String(name)) ?? Number(name),
      value.toString("hex"),
    ]);
    expect(numbers).toEqual(message.options.map(({ number, value }) => [number, value.toHex()]));
    expect(new Uint8Array(generate(read as Packet, 100_000)).toHex()).toBe(bytes.toHex());
    expect(decodeMessage(bytes)).toEqual(message);
    compared++;
  }
  expect(compared).toBeGreaterThan(1_000);
});
