import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import { seededRandom } from "../../platform/testing/seeded-random";
import { notificationTopic } from "./notification-topic";
import type { PushSettings } from "./push-settings";
import {
  APP_ID,
  type Fixture,
  openFixture,
  type Store,
  scriptedClient,
  scriptedSubscribers,
  temporaryStore,
} from "./testing/push-fixture";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);
const DATA = notificationTopic(APP_ID, "deviceDataChanged");
let store: Store;
let clock: ManualClock;
let application: ReturnType<typeof scriptedSubscribers>;
let http: ReturnType<typeof scriptedClient>;
beforeEach(() => {
  store = temporaryStore();
  clock = manualClock(START);
  http = scriptedClient();
});
afterEach(() => store[Symbol.dispose]());

type Options = { settings?: Partial<PushSettings>; window?: number; keepMs?: number };
/** One life of the process, and of the application's connections. */
async function start({ settings = {}, window = 4, keepMs = HOUR }: Options = {}): Promise<Fixture> {
  application = scriptedSubscribers(window);
  const subscribers = { link: application.link, keepMs };
  return openFixture({ store, client: http.client, clock, settings, subscribers });
}
async function subscribed(options: Options = {}): Promise<Fixture> {
  const fixture = await start(options);
  await fixture.subscribeByMqtt("deviceDataChanged");
  return fixture;
}
const target = (fixture: Fixture, no = 1) => fixture.log.target(no);
const rows = ({ reads }: Fixture) => (reads.query("SELECT count(*) AS n FROM outbox").get() as { n: number }).n;

describe("delivery", () => {
  test("a message leaves the outbox with its acknowledgement, not before", async () => {
    const fixture = await subscribed();
    application.come();
    await fixture.report(7, 1);
    await clock.advance(HOUR / 2);
    expect(application.got).toMatchObject([{ topic: DATA, orderKey: 7, mayBeRepeated: false }]);
    expect(target(fixture)).toMatchObject({ callbackUrl: DATA, channel: "MQTTS", waiting: 1, inFlight: 1 });
    expect(rows(fixture)).toBe(1);
    application.acknowledge();
    await clock.advance(100);
    expect(target(fixture)).toMatchObject({ waiting: 0, inFlight: 0, delivered: 1, failedAttempts: 0 });
    expect(rows(fixture)).toBe(0);
    expect(fixture.log.attempts({ targetNo: 1 }, 0, 10).items).toMatchObject([
      { reason: "delivered", attempt: 1, status: undefined, latencyMs: HOUR / 2 },
    ]);
    expect(http.got).toEqual([]);
    await fixture.stop();
  });

  test("messages go out in their order, of one device too, as far as there is room", async () => {
    const fixture = await subscribed();
    application.come();
    await fixture.report(1, 1, 2, 3);
    await fixture.report(2, 4, 5, 6);
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2, 3, 4]);
    application.acknowledge();
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2, 3, 4, 5]);
    application.acknowledge(4);
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2, 3, 4, 5, 6]);
    await fixture.stop();
  });

  test("a window that nobody acknowledges stands for ever, and disturbs no callback address", async () => {
    const fixture = await subscribed();
    await fixture.subscribe("deviceDataChanged");
    application.come();
    for (let value = 1; value <= 50; value++) await fixture.report(value, value);
    await clock.advance(HOUR / 2);
    expect([application.got.length, http.got.length]).toEqual([4, 50]);
    await fixture.stop();
  });

  test("what is not subscribed here any more is not sent", async () => {
    const fixture = await subscribed();
    await fixture.report(1, 1, 2);
    await clock.advance(1);
    await fixture.subscriptions.deleteMatching(1, { channel: "MQTTS" });
    application.come();
    await clock.advance(100);
    expect(application.got).toEqual([]);
    expect(rows(fixture)).toBe(0);
    await fixture.stop();
  });
});

describe("an application that is away", () => {
  test("gets what it missed, in order, when it comes", async () => {
    const fixture = await subscribed();
    await fixture.report(1, 1, 2, 3);
    await clock.advance(HOUR / 2);
    expect(target(fixture)).toMatchObject({ state: "away", waiting: 3, deadLetters: 0 });
    application.come();
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2, 3]);
    expect(target(fixture).state).toBe("connected");
    await fixture.stop();
  });

  test("gets what it had not acknowledged again, before everything else, and marked", async () => {
    const fixture = await subscribed();
    application.come();
    await fixture.report(1, 1, 2, 3, 4, 5);
    await clock.advance(1);
    application.acknowledge();
    await clock.advance(100);
    application.leave();
    await clock.advance(MINUTE);
    expect(target(fixture)).toMatchObject({ waiting: 4, inFlight: 0, failedAttempts: 4 });
    application.got.length = 0;
    application.come();
    await clock.advance(1);
    expect(application.got.map(({ mayBeRepeated }) => mayBeRepeated)).toEqual([true, true, true, true]);
    expect(application.values()).toEqual([2, 3, 4, 5]);
    application.acknowledge(4);
    await clock.advance(100);
    expect(target(fixture)).toMatchObject({ waiting: 0, delivered: 5 });
    const attempts = fixture.log
      .attempts({ targetNo: 1 }, 0, 100)
      .items.map(({ attempt, reason }) => [attempt, reason]);
    expect(attempts.slice(0, 4)).toEqual(Array(4).fill([2, "delivered"]));
    expect(attempts.slice(4, 8)).toEqual(Array(4).fill([1, "unacknowledged"]));
    await fixture.stop();
  });

  test("is given up on after the time of its session; the messages are kept for replay", async () => {
    const fixture = await subscribed();
    await fixture.report(1, 1);
    await clock.advance(HOUR / 2);
    await fixture.report(1, 2);
    await clock.advance(HOUR / 2 - 1);
    expect(target(fixture)).toMatchObject({ waiting: 2, deadLetters: 0 });
    await clock.advance(200);
    expect(target(fixture)).toMatchObject({ waiting: 1, deadLetters: 1, givenUp: 1 });
    await clock.advance(HOUR / 2);
    expect(fixture.log.deadLetters(1, 0, 10)).toMatchObject({
      total: 2,
      items: [{ reason: "expired" }, { reason: "expired", attempts: 0 }],
    });
    application.come();
    expect(await fixture.log.replay(1, "all")).toBe(2);
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2]);
    await fixture.stop();
  });

  test("has little in memory, and all of it is given up in steps", async () => {
    const fixture = await subscribed();
    for (let round = 0; round < 40; round++) await fixture.report(1, ...Array.from({ length: 25 }, () => round));
    await clock.advance(HOUR + 1_000);
    expect(target(fixture)).toMatchObject({ waiting: 0, deadLetters: 1_000 });
    await fixture.stop();
  });

  test("holds at most so many messages, further ones are kept for replay", async () => {
    const fixture = await subscribed({ settings: { maxWaitingPerTarget: 3 } });
    for (let value = 1; value <= 5; value++) await fixture.report(1, value);
    await clock.advance(100);
    expect(fixture.log.deadLetters(1, 0, 10)).toMatchObject({ total: 2, items: [{ reason: "backlog_full" }, {}] });
    application.come();
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2, 3]);
    await fixture.stop();
  });

  test("comes and goes with a full memory, and misses nothing", async () => {
    const fixture = await subscribed({ settings: { windowRows: 100, totalWindowBytes: 20_000 } });
    await fixture.subscribe("deviceDataChanged");
    for (let value = 1; value <= 500; value++) {
      await fixture.report(value % 7, value);
      if (value % 90 === 0) application.come();
      if (value % 90 === 45) application.leave();
      if (value % 90 > 70) application.acknowledge(2);
      await clock.advance(1);
    }
    application.come();
    for (let step = 0; step < 150; step++) {
      application.acknowledge(4);
      await clock.advance(60);
    }
    const firsts = [...new Set(application.values())];
    expect(firsts).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect([target(fixture).waiting, http.got.length]).toEqual([0, 500]);
    await fixture.stop();
  });
});

describe("topics", () => {
  test("one that the application does not listen to waits, and the others go on", async () => {
    const fixture = await subscribed();
    await fixture.subscribeByMqtt("deviceDatasChanged");
    application.come([notificationTopic(APP_ID, "deviceDatasChanged")]);
    await fixture.report(1, 1, 2);
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2]);
    expect(new Set(application.got.map(({ topic }) => topic)).size).toBe(1);
    expect([target(fixture).state, target(fixture, 2).state]).toEqual(["not_subscribed", "connected"]);
    await fixture.stop();
  });

  test("take turns when there is too little room", async () => {
    const fixture = await subscribed({ window: 1 });
    await fixture.subscribeByMqtt("deviceDatasChanged");
    for (let value = 1; value <= 10; value++) await fixture.report(1, value);
    application.come();
    for (let step = 0; step < 10; step++) {
      await clock.advance(1);
      application.acknowledge();
    }
    await clock.advance(1);
    const of = (topic: string) => application.got.filter((message) => message.topic === topic).length;
    expect([of(DATA), application.got.length]).toEqual([expect.any(Number), 11]);
    expect(Math.abs(of(DATA) - (application.got.length - of(DATA)))).toBeLessThanOrEqual(2);
    await fixture.stop();
  });
});

describe("after a crash", () => {
  test("what was not acknowledged comes again with the same ids, and what waited too, all of it marked", async () => {
    const first = await subscribed();
    application.come();
    await first.report(1, 1, 2, 3, 4, 5, 6);
    await clock.advance(1);
    application.acknowledge(2);
    await clock.advance(100);
    const before = application.got;
    await first.crash();
    clock = manualClock(clock.now());
    const second = await start({ window: 10 });
    application.come();
    await second.report(1, 7);
    await clock.advance(1);
    expect(application.values()).toEqual([3, 4, 5, 6, 7]);
    expect(application.got.map(({ mayBeRepeated }) => mayBeRepeated)).toEqual([true, true, true, true, false]);
    expect(application.got.slice(0, 4).map(({ id }) => id)).toEqual(before.slice(2).map(({ id }) => id));
    await second.stop();
  });

  test("who was down longer than messages are kept still gives the application time to come", async () => {
    const first = await subscribed();
    await first.report(1, 1, 2);
    await first.crash();
    clock = manualClock(START + 5 * HOUR);
    const second = await start();
    await clock.advance(9 * MINUTE);
    application.come();
    await clock.advance(1);
    expect(application.values()).toEqual([1, 2]);
    application.leave();
    await clock.advance(2 * MINUTE);
    expect(target(second)).toMatchObject({ waiting: 0, deadLetters: 2 });
    await second.stop();
  });

  const SEED = Number(process.env.PUSH_SEED ?? Math.floor(Math.random() * 2 ** 31));
  test(`with lost connections and crashes nothing is lost and the order holds (PUSH_SEED=${SEED})`, async () => {
    const random = seededRandom(SEED);
    const upTo = (count: number) => Math.floor(random() * count);
    const acknowledged: (number | undefined)[] = [];
    const firsts: (number | undefined)[] = [];
    let reported = 0;
    for (let life = 0; life < 5; life++) {
      clock = manualClock(clock.now());
      const settings = { windowRows: 24, flushRows: 10 };
      const fixture = await start({ settings, window: 7, keepMs: 100 * HOUR });
      if (life === 0) await fixture.subscribeByMqtt("deviceDataChanged");
      for (let step = 0; step < 60; step++) {
        for (let count = upTo(8); count > 0; count--) await fixture.report(1 + upTo(5), reported++);
        const choice = random();
        if (choice < 0.15) application.leave();
        else if (choice < 0.4) application.come();
        else {
          const count = upTo(7);
          acknowledged.push(
            ...application.inFlight.slice(0, count).map(({ message }) => JSON.parse(message.body).data[0].value),
          );
          application.acknowledge(count);
        }
        await clock.advance(upTo(200));
      }
      if (life === 4) {
        application.come();
        for (let step = 0; step < 5_000 && target(fixture).waiting > 0; step++) {
          acknowledged.push(...application.inFlight.map(({ message }) => JSON.parse(message.body).data[0].value));
          application.acknowledge(7);
          await clock.advance(60);
        }
        expect(target(fixture)).toMatchObject({ waiting: 0, inFlight: 0, deadLetters: 0 });
      }
      firsts.push(...application.values());
      if (life === 4) await fixture.stop();
      else await fixture.crash();
    }
    expect(new Set(acknowledged).size).toBe(reported);
    const inOrder = [...new Set(firsts)];
    expect(inOrder).toEqual(inOrder.toSorted((a = 0, b = 0) => a - b));
  }, 60_000);
});
