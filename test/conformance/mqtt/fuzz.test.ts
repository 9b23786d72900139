import { expect, test } from "bun:test";
import { seededRandom } from "../../../src/platform/testing/seeded-random";
import {
  answer,
  bytes,
  commandTopic,
  connect,
  DISCONNECT,
  dataTopic,
  PINGREQ,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  subscribe,
  unsubscribe,
} from "./packets";
import { connectRaw } from "./raw-client";
import { eventually, loggedIn } from "./session";
import { METER, OTHER, startStubPlatform } from "./stub-platform";

const SEED = Number(process.env.FUZZ_SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const ROUNDS = 300;

const TOPIC = dataTopic(METER.deviceId);
const VALID = [
  publish(TOPIC, report(1), { qos: 0 }),
  publish(TOPIC, report(2), { id: 1 }),
  publish(TOPIC, report(3), { id: 2, qos: 2 }),
  publish(TOPIC, answer(4), { id: 3 }),
  publish(dataTopic(METER.deviceId, "binary"), "xx", { id: 4 }),
  subscribe(5, [commandTopic(METER.deviceId), 2]),
  unsubscribe(6, commandTopic(METER.deviceId)),
  puback(1),
  pubrec(1),
  pubrel(2),
  pubcomp(1),
  PINGREQ,
];

test(`random bytes and mutated packets hurt nobody else (FUZZ_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const platform = await startStubPlatform({ settings: { maxHalfOpen: 1_000 } });
  const faults: unknown[] = [];
  const bystander = await loggedIn(platform, OTHER);

  function stream(): Uint8Array {
    const kind = below(4);
    if (kind === 0) return Uint8Array.from({ length: 1 + below(200) }, () => below(256));
    const packets = Array.from({ length: 1 + below(20) }, () => VALID[below(VALID.length)] as Uint8Array);
    const whole = bytes(connect(METER, { clean: below(2) === 0 }), ...packets, below(3) === 0 ? DISCONNECT : "");
    if (kind === 1) return whole;
    for (let flips = 1 + below(6); flips > 0; flips--) {
      const at =
        below(3) === 0 ? below(whole.length) : Math.min(whole.length - 1, connect(METER).length + below(whole.length));
      whole[at] = below(256);
    }
    return kind === 2 ? whole : whole.subarray(0, below(whole.length));
  }

  for (let round = 0; round < ROUNDS; round++) {
    const client = await connectRaw(platform.port);
    const sent = stream();
    const cut = below(sent.length);
    client.send(sent.subarray(0, cut));
    if (below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
    client.send(sent.subarray(cut));
    if (below(4) === 0)
      void platform.listener.deviceLink
        .sendCommand(1, { mid: 1 + round, serviceId: "M", method: "C", paras: {}, deviceId: METER.deviceId }, () => {})
        .catch((error: unknown) => faults.push(error));
    if (below(2) === 0) client.vanish();
    if (round % 10 === 0) await bystander.expectAlive();
  }

  await bystander.expectAlive();
  expect(bystander.isClosed()).toBe(false);
  const after = await loggedIn(platform, METER, { clean: true });
  after.send(publish(TOPIC, report(1), { id: 9 }));
  await after.expect(puback(9));
  after.send(DISCONNECT);
  await after.expectClosed();
  await platform.transactor.settled();
  await eventually(() => platform.store.waiting() === 0);
  await platform.stop();
  expect(faults).toEqual([]);
  expect(platform.metrics.render()).not.toContain('reason="fault"');
  expect(platform.held.get(METER.no) ?? 0).toBe(0);
  expect(platform.calls.filter((call) => call === "connected 1").length).toBe(
    platform.calls.filter((call) => call === "disconnected 1").length,
  );
});
