/**
 * Two endpoints, one in each role, with a network between that loses, doubles, delays and so reorders. The time is the
 * test's, and so is the chance: FUZZ_SEED=… repeats a run.
 */
import { expect, test } from "bun:test";
import type { CoapHandlers, RequestOutcome } from "../../../src/access/coap/coap-endpoint";
import { createCoapEndpoint } from "../../../src/access/coap/create-coap-endpoint";
import { COAP_DEFAULTS } from "../../../src/access/coap/settings";
import type { Peer } from "../../../src/access/datagram/peer";
import type { Clock } from "../../../src/platform/clock";
import { createMetrics } from "../../../src/platform/metrics";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import { OPTIONS } from "../../../src/wire/coap";
import { fuzzSeed, Random } from "../../../src/wire/testing/random";
import { bytesOf, pattern, textOf } from "./lockstep";

type Weather = { readonly loss: number; readonly doubling: number; readonly maxDelayMs: number };

function endpointOn(clock: Clock, random: Random, handlers: Partial<CoapHandlers>, settings = {}) {
  const faults: unknown[] = [];
  const metrics = createMetrics();
  const endpoint = createCoapEndpoint({
    handlers: { request: () => ({ code: 0x84 }), notification: () => "unknown", ...handlers },
    ...{ clock, metrics, random: (length) => random.bytes(length) },
    log: { debug() {}, info() {}, warn() {}, error: (event, fields) => void faults.push([event, fields?.error]) },
    settings: { ...COAP_DEFAULTS, knownDuplicates: 8_192, strangerDuplicates: 8_192, ...settings },
  });
  return { endpoint, faults, metrics };
}

/** How one side sees the other. `percent` of the datagrams are lost, as many come twice as `doubling` says. */
function link(
  clock: Clock,
  random: Random,
  weather: Weather,
  key: string,
  deliver: (datagram: Uint8Array) => void,
): Peer {
  const carry = (datagram: Uint8Array) => {
    if (random.below(100) < weather.loss) return;
    const bytes = datagram.slice();
    clock.after(random.below(weather.maxDelayMs + 1), () => {
      deliver(bytes);
      bytes.fill(0xee);
    });
  };
  return {
    ...{ key, deviceNo: undefined, address: key, port: 1 },
    send(datagram) {
      carry(datagram);
      if (random.below(100) < weather.doubling) carry(datagram);
    },
  };
}

const WEATHERS: [name: string, weather: Weather][] = [
  ["a quiet day", { loss: 0, doubling: 0, maxDelayMs: 0 }],
  ["much delay, and out of order", { loss: 0, doubling: 0, maxDelayMs: 1_500 }],
  ["everything twice", { loss: 0, doubling: 100, maxDelayMs: 800 }],
  ["a quarter lost", { loss: 25, doubling: 0, maxDelayMs: 100 }],
  ["all of it", { loss: 20, doubling: 30, maxDelayMs: 1_500 }],
];

test.each(WEATHERS)(`requests on %s (seed ${fuzzSeed})`, async (_name, weather) => {
  const random = new Random(fuzzSeed);
  const clock = manualClock();
  const handled = new Map<string, number>();
  const bodies = new Map<string, Uint8Array>();
  const server = endpointOn(
    clock,
    random,
    {
      async request(_peer, { code, path, payload }) {
        const name = path.join("/");
        handled.set(name, (handled.get(name) ?? 0) + 1);
        bodies.set(name, payload);
        const waitMs = random.oneOf([0, 0, 200, 4_000]); // piggybacked and separate
        if (waitMs > 0) await clock.sleep(waitMs, new AbortController().signal);
        return {
          code: code === 0x01 ? 0x45 : 0x44,
          payload: bytesOf(`${name} ${"x".repeat(path[0] === "long" ? 2_000 : 0)}`),
        };
      },
    },
    { blockSize: 256 },
  );
  const client = endpointOn(clock, random, {}, { blockSize: random.oneOf([128, 256, 512]) });
  const toServer: Peer = link(clock, random, weather, "server", (datagram) =>
    server.endpoint.receive(toClient, datagram),
  );
  const toClient: Peer = link(clock, random, weather, "client", (datagram) =>
    client.endpoint.receive(toServer, datagram),
  );

  const outcomes: Promise<[string, RequestOutcome]>[] = [];
  for (let n = 0; n < 30; n++) {
    const kind = ["get", "long", "put", "post"][n % 4] as string;
    const name = `${kind}/${n}`;
    const method = kind === "put" || kind === "post" ? kind : "get";
    const payload = method === "get" ? undefined : pattern(random.oneOf([0, 10, 256, 900]) + n);
    outcomes.push(
      client.endpoint.request(toServer, { method, path: [kind, String(n)], payload }).then((outcome) => {
        if (outcome.kind === "response" && payload) expect(bodies.get(name)).toEqual(payload);
        return [name, outcome];
      }),
    );
  }
  for (let step = 0; step < 3_000 && client.metrics.render().match(/open\{what="exchanges"\} 0$/m) === null; step++)
    await clock.advance(1_000);
  const ended = await Promise.all(outcomes);
  for (const [name, outcome] of ended) {
    const [kind] = name.split("/");
    if (outcome.kind === "response") {
      expect([0x44, 0x45]).toContain(outcome.response.code);
      expect(textOf(outcome.response.payload).startsWith(`${name} `)).toBe(true);
      expect(handled.get(name)).toBeGreaterThan(0);
    } else expect(["noAcknowledgement", "noResponse", "failed"]).toContain(outcome.kind);
    if (kind === "post") expect(handled.get(name) ?? 0).toBeLessThanOrEqual(1); // never twice, whatever happens
  }
  const answered = ended.filter(([, { kind }]) => kind === "response").length;
  expect(answered).toBeGreaterThanOrEqual(weather.loss === 0 ? 30 : 20);
  await clock.advance(600_000);
  for (const side of [client, server]) {
    expect(side.faults).toEqual([]);
    for (const what of ["peers", "exchanges", "waiting", "answering", "transfers"])
      expect(side.metrics.render()).toContain(`islet_coap_open{what="${what}"} 0`);
  }
});

test.each(WEATHERS)(
  `confirmable notifications on %s are stored once each (seed ${fuzzSeed})`,
  async (_name, weather) => {
    const random = new Random(fuzzSeed + 1);
    const clock = manualClock();
    const stored = new Map<number, number>();
    // The platform: takes, stores after a while, or fails to store and wants it again.
    const platform = endpointOn(clock, random, {
      notification(peer, view) {
        const sequence = view.uint(OPTIONS.observe.number) as number;
        const { messageId } = view;
        clock.after(random.below(3_000), () => {
          if (random.below(5) === 0) return platform.endpoint.forget(peer, messageId);
          stored.set(sequence, (stored.get(sequence) ?? 0) + 1);
          platform.endpoint.acknowledge(peer, messageId);
        });
        return "taken";
      },
    });
    // The device: sends each until it is acknowledged, as RFC 7252 §4.2 has it.
    const acknowledged = new Set<number>();
    const toDevice: Peer = link(clock, random, weather, "device", (datagram) => {
      if (datagram[0] === 0x60) acknowledged.add((datagram[2] as number) * 256 + (datagram[3] as number));
    });
    const toPlatform: Peer = link(clock, random, weather, "platform", (datagram) =>
      platform.endpoint.receive(toDevice, datagram),
    );
    const given: number[] = [];
    for (let n = 1; n <= 40; n++) {
      const datagram = Uint8Array.of(0x44, 0x45, 0x30, n, 0x8f, 0x1e, 0x22, 0xc0, 0x61, n, 0xff, 0x01);
      for (let attempt = 0, waitMs = 2_500; attempt < 5 && !acknowledged.has(0x3000 + n); attempt++, waitMs *= 2) {
        toPlatform.send(datagram);
        await clock.advance(waitMs);
      }
      if (acknowledged.has(0x3000 + n)) given.push(n);
    }
    await clock.advance(100_000);
    for (const n of given) expect([n, stored.get(n)]).toEqual([n, 1]);
    expect([...stored.values()].every((times) => times === 1)).toBe(true);
    expect(given.length).toBeGreaterThan(weather.loss === 0 ? 35 : 25);
    expect(platform.faults).toEqual([]);
  },
);
