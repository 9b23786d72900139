import { expect, test } from "bun:test";
import { block, bytesOf, lockstep, path } from "./lockstep";

const WHATS = ["peers", "exchanges", "waiting", "answering", "transfers"];

/** What an invented sender may try, each from an address of its own. */
const ATTACKS: [name: string, attack: (step: ReturnType<typeof lockstep>, n: number) => void][] = [
  [
    "requests answered at once",
    ({ peer }, n) => peer(n).say({ confirmable: true, code: "GET", messageId: n & 0xffff, options: path("quick") }),
  ],
  [
    "requests with long answers",
    ({ peer }, n) => peer(n).say({ confirmable: true, code: "POST", messageId: n & 0xffff, options: path("long") }),
  ],
  [
    "requests that take for ever",
    ({ peer }, n) => peer(n).say({ confirmable: true, code: "GET", messageId: n & 0xffff, options: path("slow") }),
  ],
  [
    "bodies that are never finished",
    ({ peer }, n) =>
      peer(n).say({
        ...{
          confirmable: true,
          code: "PUT",
          messageId: n & 0xffff,
          options: [...path("a"), block("Block1", 0, 1, 1024)],
        },
        payload: Buffer.alloc(1024),
      }),
  ],
  [
    "notifications of nothing",
    ({ peer }, n) => peer(n).say({ confirmable: true, code: "2.05", messageId: n & 0xffff, token: Buffer.from("x") }),
  ],
  ["pings", ({ peer }, n) => peer(n).say(Uint8Array.of(0x40, 0, n >> 8, n & 0xff))],
  ["ACKs and RSTs of nothing", ({ peer }, n) => peer(n).say(Uint8Array.of(n & 1 ? 0x60 : 0x70, 0, n >> 8, n & 0xff))],
  ["rubbish", ({ peer }, n) => peer(n).say(Uint8Array.of(0x4f, n, n, n, n))],
];

test.each(ATTACKS)("%s from 20,000 addresses leave nothing behind but what is bounded", async (_name, attack) => {
  const step = lockstep({
    settings: {
      ...{
        maxStrangerAnswering: 100,
        maxStrangerTransferBytes: 100_000,
        knownDuplicates: 1_024,
        strangerDuplicates: 1_024,
      },
      ...{ duplicateReplyBytes: 65_536, usedMessageIds: 1_024 },
    },
    handlers: {
      request: (_peer, { path: [name] }) =>
        name === "slow" ? new Promise(() => {}) : { code: 0x45, payload: new Uint8Array(name === "long" ? 5_000 : 10) },
      notification: () => "unknown",
    },
  });
  const device = step.peer(1, 17);
  for (let n = 2; n < 20_000; n++) {
    attack(step, n);
    if (n % 2_000 === 0) {
      expect(step.open("peers")).toBeLessThanOrEqual(100);
      expect(step.open("answering")).toBeLessThanOrEqual(100);
      expect(step.open("transfers")).toBeLessThanOrEqual(200); // 100,000 bytes at 512 each
      expect(step.count("islet_coap_transfer_bytes")).toBeLessThanOrEqual(100_000);
      // A known device is served all the same.
      device.say({ confirmable: true, code: "GET", messageId: n, options: path("quick") });
      expect(device.take().code).toBe("2.05");
    }
  }
  expect(step.faults).toEqual([]);
  step.endpoint.stop();
  await step.clock.advance(1_000_000);
  for (const what of WHATS) expect([what, step.open(what)]).toEqual([what, 0]);
});

test("requests of ours that nobody answers leave nothing behind", async () => {
  const step = lockstep({ settings: { maxEndedTokens: 50 } });
  let ended = 0;
  for (let n = 1; n < 3_000; n++)
    void step.endpoint.request(step.peer(n), { method: "put", path: ["a"], payload: bytesOf("x") }).then(() => ended++);
  expect(step.open("exchanges")).toBe(2_999);
  step.endpoint.stop();
  await step.clock.advance(0);
  expect(ended).toBe(2_999);
  for (const what of WHATS) expect([what, step.open(what)]).toEqual([what, 0]);
});
