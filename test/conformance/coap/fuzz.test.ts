import { expect, test } from "bun:test";
import { encodeMessage } from "../../../src/wire/coap";
import { randomMessage } from "../../../src/wire/coap/testing/random-message";
import { fuzzSeed, Random } from "../../../src/wire/testing/random";
import { lockstep, type RawPeer } from "./lockstep";

/** An endpoint that has everything open that can be open, so that random bytes have something to hit. */
function busy(random: Random) {
  const step = lockstep({
    seed: random.below(1_000),
    settings: { maxAnsweringPerPeer: 3, maxOpenPerPeer: 8, blockSize: 64 },
    handlers: {
      request: (_peer, { payload }) => {
        const response = { code: random.oneOf([0x44, 0x45, 0x84]), payload: payload.slice(0, 60), contentFormat: 0 };
        if (random.below(3) === 0)
          return step.clock.sleep(random.below(3_000), new AbortController().signal).then(() => response);
        return random.flip() ? response : { code: 0x45, payload: new Uint8Array(500) };
      },
      notification: (peer, { messageId }) => {
        const verdict = random.oneOf(["taken", "acknowledge", "unknown"] as const);
        if (verdict === "taken" && random.flip()) step.endpoint.acknowledge(peer, messageId);
        return verdict;
      },
    },
  });
  return step;
}

async function storm(round: number, next: (random: Random, peers: RawPeer[]) => Uint8Array) {
  const random = new Random(fuzzSeed + round);
  const { endpoint, clock, peer, faults, open } = busy(random);
  const peers = [peer(1), peer(2, 17), peer(3)];
  endpoint.vouch(peers[2] as RawPeer);
  for (let n = 0; n < 4_000; n++) {
    const client = random.oneOf(peers);
    if (random.below(20) === 0)
      void endpoint.request(client, {
        method: random.oneOf(["get", "put", "post"]),
        path: ["a"],
        payload: random.bytes(random.oneOf([0, 10, 200])),
      });
    if (random.below(500) === 0) endpoint.redirect(client, random.oneOf(peers));
    client.say(next(random, peers));
    if (random.below(50) === 0) await clock.advance(random.below(5_000));
    expect(client.received.length).toBeLessThan(5_000);
  }
  for (let n = 0; n < 10 && open("peers") > 0; n++) await clock.advance(1_000_000);
  expect(faults).toEqual([]);
  for (const what of ["peers", "exchanges", "waiting", "answering", "transfers"])
    expect([what, open(what)]).toEqual([what, 0]);
  // It still works.
  const fresh = peer(9);
  fresh.say("40 00 1234");
  fresh.expect("70 00 1234");
}

test(`random bytes (seed ${fuzzSeed})`, () =>
  storm(1, (random) => {
    const bytes = random.bytes(random.below(60));
    if (bytes.length > 1 && random.below(4) > 0) bytes[0] = 0x40 | random.below(0x3a);
    return bytes;
  }));

test(`random messages (seed ${fuzzSeed})`, () => storm(2, (random) => encodeMessage(randomMessage(random))));

test(`answers to what was sent, mutated (seed ${fuzzSeed})`, () =>
  storm(3, (random, peers) => {
    const { received } = random.oneOf(peers);
    const sent = received[random.below(received.length || 1)];
    if (!sent || random.below(3) === 0) return encodeMessage(randomMessage(random));
    const bytes = sent.slice();
    if (random.flip()) bytes[0] = ((bytes[0] as number) & 0xcf) | (random.below(4) << 4);
    if (random.flip()) bytes[1] = random.oneOf([0, 0x44, 0x45, 0x5f, 0x88, 0x8d]);
    for (let n = random.below(3); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    return random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
  }));

test(`blocks of all sizes and numbers (seed ${fuzzSeed})`, () =>
  storm(4, (random) => {
    const block = (number: number) => ({ number, value: random.bytes(random.below(4)) });
    const options = [{ number: 11, value: Uint8Array.of(0x61 + random.below(3)) }];
    if (random.flip()) options.push(block(23));
    if (random.flip()) options.push(block(27));
    const code = random.oneOf([1, 2, 3, 5, 0x45, 0x5f, 0x88, 0x8d]);
    const type = random.oneOf(code < 8 ? (["con", "non"] as const) : (["con", "non", "ack"] as const));
    return encodeMessage({
      ...{ type, code, messageId: random.below(0x10000), token: random.bytes(random.below(3)), options },
      payload: random.bytes(random.oneOf([0, 16, 32, 64, 100])),
    });
  }));
