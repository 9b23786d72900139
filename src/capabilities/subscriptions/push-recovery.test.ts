import { afterEach, beforeEach, expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { seededRandom } from "../../platform/testing/seeded-random";
import type { CallbackClient } from "./callback-client";
import type { PushSettings } from "./push-settings";
import { openFixture, type Store, scriptedClient, temporaryStore } from "./testing/push-fixture";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);
let store: Store;
beforeEach(() => {
  store = temporaryStore();
});
afterEach(() => store[Symbol.dispose]());

/** One life of the process. The clock of a life that has crashed never moves again, so its timers are dead. */
async function live(
  now: number,
  settings: Partial<PushSettings> = {},
  answer?: CallbackClient["post"],
  clock = manualClock(now),
) {
  const receiver = scriptedClient(answer);
  const fixture = await openFixture({ store, client: receiver.client, clock, settings });
  return { clock, receiver, fixture };
}

test("what was not answered before the crash is sent after it, in order", async () => {
  const first = await live(START);
  await first.fixture.subscribe("deviceDataChanged");
  first.receiver.state.answer = () => new Promise(() => {});
  await first.fixture.report(1, 10, 11, 12);
  await first.fixture.report(2, 20);
  await first.clock.advance(1_000);
  await first.fixture.crash();

  const second = await live(START + 1_000);
  await second.clock.advance(1_000);
  const values = second.receiver.values();
  expect(values.filter((value) => value !== 20)).toEqual([10, 11, 12]);
  expect(values).toContain(20);
  expect(second.fixture.log.target(1)).toMatchObject({ waiting: 0, delivered: 4 });
  await second.fixture.stop();
});

test("retry times and attempts hold across a crash", async () => {
  const first = await live(START);
  await first.fixture.subscribe("deviceDataChanged");
  first.receiver.state.answer = async () => ({ reason: "refused", status: undefined });
  await first.fixture.report(1, 1);
  await first.clock.advance(70_000); // failed at 0, 30 and 60 s
  await first.fixture.crash();

  const second = await live(START + 75_000);
  await second.clock.advance(14_000);
  expect(second.receiver.got.length).toBe(0);
  await second.clock.advance(2_000);
  expect(second.receiver.values()).toEqual([1]);
  await second.clock.advance(1_000);
  expect(second.fixture.log.attempts({ targetNo: 1 }, 0, 10).items.map(({ attempt }) => attempt)).toEqual([4, 3, 2, 1]);
  await second.fixture.stop();
});

test("an invalid address stays invalid across a crash, and is probed", async () => {
  const first = await live(START, { maxFailedRetries: 2 });
  await first.fixture.subscribe("deviceDataChanged");
  first.receiver.state.answer = async () => ({ reason: "refused", status: undefined });
  first.receiver.state.reachable = false;
  await first.fixture.report(1, 1);
  await first.clock.advance(61_000);
  expect(first.fixture.log.target(1).state).toBe("invalid");
  await first.fixture.crash();

  const second = await live(START + 61_000, { maxFailedRetries: 2 });
  expect(second.fixture.log.target(1).state).toBe("invalid");
  await second.clock.advance(59_000);
  expect(second.receiver.got.length).toBe(0);
  await second.clock.advance(2_000);
  expect(second.receiver.values()).toEqual([1]);
  await second.fixture.stop();
});

test.each([
  ["hours later", 5 * 60 * MINUTE],
  ["with the clock set back", -24 * 60 * MINUTE],
])("started %s, each message still gets a try before it is given up", async (_when, shiftMs) => {
  const first = await live(START);
  await first.fixture.subscribe("deviceDataChanged");
  first.receiver.state.answer = async () => ({ reason: "refused", status: undefined });
  await first.fixture.report(1, 1, 2);
  await first.clock.advance(1_000);
  await first.fixture.crash();

  const second = await live(START + shiftMs);
  await second.clock.advance(MINUTE);
  expect(second.receiver.values()).toEqual([1, 2]);
  await second.fixture.stop();
});

test("a clock that jumps drops nothing early", async () => {
  const clock = manualClock(START);
  let jumpMs = 0;
  const receiver = scriptedClient(async () => ({ reason: "refused", status: undefined }));
  const jumping = { ...clock, now: () => clock.now() + jumpMs };
  const fixture = await openFixture({ store, client: receiver.client, clock: jumping });
  await fixture.subscribe("deviceDataChanged");
  await fixture.report(1, 1);
  await clock.advance(1_000);
  jumpMs = 365 * 24 * 60 * MINUTE;
  await clock.advance(3 * MINUTE);
  jumpMs = -jumpMs;
  receiver.state.answer = async () => ({ reason: "delivered", status: 200 });
  await clock.advance(MINUTE);
  expect(fixture.log.target(1)).toMatchObject({ waiting: 0, delivered: 1, givenUp: 0 });
  await fixture.stop();
});

test("a message is in the outbox or among the dead letters, wherever the crash falls", async () => {
  const first = await live(START);
  await first.fixture.subscribe("deviceAdded");
  first.receiver.state.answer = async () => ({ reason: "status_other", status: 400 });
  await first.fixture.transactor.write(() =>
    first.fixture.events.devices.emit("deviceAdded", { device: { no: 5, id: "d", appNo: 1 } as never }),
  );
  await first.clock.advance(1); // answered, but the outcome is not written yet
  await first.fixture.crash();
  const second = await live(START + MINUTE, {}, first.receiver.state.answer);
  await second.clock.advance(1_000);
  expect(second.fixture.log.deadLetters(1, 0, 10).total).toBe(1);
  expect(second.fixture.registry.query("SELECT count(*) AS n FROM outbox").get()).toEqual({ n: 0 });
  await second.fixture.stop();
});

const SEED = Number(process.env.PUSH_SEED ?? Math.floor(Math.random() * 2 ** 31));
test(`with failures, full windows and crashes nothing is lost and each device's order holds (PUSH_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  const settings = { windowRows: 24, maxRowsPerBlockedKey: 3, maxInFlightPerTarget: 5, flushRows: 10 };
  const devices = 8;
  const arrived = new Map<number, number[]>();
  let reported = 0;
  let now = START;

  for (let life = 0; life < 6; life++) {
    const isLast = life === 5;
    const clock = manualClock(now);
    const answer: CallbackClient["post"] = async (_target, { body }) => {
      if (random() < 0.3) await new Promise<void>((resolve) => clock.after(random() * 400, resolve));
      if (!isLast && random() < 0.05) return { reason: "status_503", status: 503 };
      const { device, data } = JSON.parse(body);
      const no = Number(device.slice("device-".length));
      arrived.set(no, [...(arrived.get(no) ?? []), data[0].value]);
      return { reason: "delivered", status: 200 };
    };
    const { fixture } = await live(now, settings, answer, clock);
    if (life === 0) await fixture.subscribe("deviceDataChanged");
    for (let step = 0; step < 60; step++) {
      const burst = Math.floor(random() * 12);
      for (let count = 0; count < burst; count++)
        await fixture.report(1 + Math.floor(random() * devices), reported++, reported++);
      await clock.advance(Math.floor(random() * 8_000));
    }
    if (isLast) {
      await clock.advance(5 * MINUTE);
      expect(fixture.log.target(1)).toMatchObject({ waiting: 0, deadLetters: 0 });
      await fixture.stop();
    } else {
      now = clock.now();
      await fixture.crash();
    }
  }

  const all = [...arrived.values()].flat();
  expect(new Set(all).size).toBe(reported);
  for (const values of arrived.values()) {
    // A crash repeats messages; the first arrivals of each must be in the order of the reports.
    const firsts = [...new Set(values)];
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  }
}, 60_000);
