import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { PostResult } from "./callback-client";
import type { PushReason } from "./push-log";
import type { PushSettings } from "./push-settings";
import { type Fixture, openFixture, type Store, scriptedClient, temporaryStore } from "./testing/push-fixture";

const MINUTE = 60_000;
const result = (reason: PushReason, status?: number): PostResult => ({ reason, status });
const OK = result("delivered", 200);
const REFUSED = result("refused");

let store: Store;
let clock: ManualClock;
let receiver: ReturnType<typeof scriptedClient>;
let open: Fixture[];

beforeEach(() => {
  store = temporaryStore();
  clock = manualClock();
  receiver = scriptedClient();
  open = [];
});
afterEach(async () => {
  for (const fixture of open) {
    const stopped = fixture.stop();
    await clock.advance(10_000); // requests that hang are cut off
    await stopped;
  }
  store[Symbol.dispose]();
});

async function start(settings: Partial<PushSettings> = {}): Promise<Fixture> {
  const fixture = await openFixture({ store, client: receiver.client, clock, settings });
  open.push(fixture);
  return fixture;
}
async function subscribed(settings: Partial<PushSettings> = {}): Promise<Fixture> {
  const fixture = await start(settings);
  await fixture.subscribe("deviceDataChanged");
  return fixture;
}
const target = (fixture: Fixture) => fixture.log.target(1);

describe("delivery", () => {
  test("a report reaches the subscriber once and leaves nothing behind", async () => {
    const fixture = await subscribed();
    await fixture.report(7, 1);
    await clock.advance(100);
    expect(receiver.values()).toEqual([1]);
    expect(target(fixture)).toMatchObject({ state: "valid", waiting: 0, delivered: 1, deadLetters: 0 });
    expect(fixture.reads.query("SELECT count(*) AS n FROM outbox").get()).toEqual({ n: 0 });
  });

  test("messages of one device go one after the other, of others meanwhile", async () => {
    const fixture = await subscribed();
    const answers: (() => void)[] = [];
    receiver.state.answer = () => new Promise((resolve) => answers.push(() => resolve(OK)));
    await fixture.report(1, 10, 11);
    await fixture.report(2, 20);
    await clock.advance(1);
    expect(receiver.values()).toEqual([10, 20]);
    answers[0]?.();
    await clock.advance(1);
    expect(receiver.values()).toEqual([10, 20, 11]);
  });

  test("no more requests are under way than the address has earned", async () => {
    const fixture = await subscribed({ maxInFlightPerTarget: 6 });
    const answers: (() => void)[] = [];
    receiver.state.answer = () => new Promise((resolve) => answers.push(() => resolve(OK)));
    for (let device = 1; device <= 20; device++) await fixture.report(device, device);
    await clock.advance(1);
    expect(receiver.got.length).toBe(4);
    for (const answer of answers.splice(0)) answer();
    await clock.advance(1);
    expect(target(fixture).inFlight).toBe(6);
  });

  test("an address that is slow leaves the others alone", async () => {
    const fixture = await subscribed({ maxInFlight: 8 });
    await fixture.subscribe("deviceDatasChanged", "http://127.0.0.1:9002/b");
    receiver.state.answer = ({ callbackUrl }) =>
      callbackUrl.endsWith("/a") ? new Promise(() => {}) : Promise.resolve(OK);
    for (let device = 1; device <= 50; device++) await fixture.report(device, device);
    await clock.advance(100);
    expect(receiver.got.filter(({ url }) => url.endsWith("/b")).length).toBe(50);
  });
});

describe("retry", () => {
  const RETRIED: PushReason[] = [
    "timeout",
    "refused",
    "reset",
    "name_not_found",
    "tls_untrusted",
    "tls_name",
    "bad_response",
    "status_501",
    "status_502",
    "status_503",
    "status_504",
  ];
  test.each(RETRIED)("%s: again after 30 s", async (reason) => {
    const fixture = await subscribed();
    receiver.state.answer = async () => (receiver.got.length === 1 ? result(reason) : OK);
    await fixture.report(1, 5);
    await clock.advance(29_999);
    expect(receiver.values()).toEqual([5]);
    await clock.advance(2);
    expect(receiver.values()).toEqual([5, 5]);
    await clock.advance(100);
    expect(target(fixture)).toMatchObject({ waiting: 0, delivered: 1, failedAttempts: 1, givenUp: 0 });
  });

  test.each(["status_other", "redirected"] as const)("%s: not again, but kept for replay", async (reason) => {
    const fixture = await subscribed();
    receiver.state.answer = async () => result(reason, 404);
    await fixture.report(1, 5);
    await clock.advance(20 * MINUTE);
    expect(receiver.values()).toEqual([5]);
    expect(fixture.log.deadLetters(1, 0, 10)).toMatchObject({
      total: 1,
      items: [{ reason: "rejected", attempts: 1, notifyType: "deviceDataChanged", orderKey: 1 }],
    });
  });

  test("later messages of the device wait behind it, those of others do not", async () => {
    const fixture = await subscribed();
    receiver.state.answer = async () => (receiver.got.length === 1 ? REFUSED : OK);
    await fixture.report(1, 10, 11);
    await clock.advance(10);
    await fixture.report(1, 12);
    await fixture.report(2, 20);
    await clock.advance(20_000);
    expect(receiver.values()).toEqual([10, 20]);
    await clock.advance(10_000);
    expect(receiver.values()).toEqual([10, 20, 10, 11, 12]);
  });

  test("after 10 minutes a message is given up and the next of its device gets its try", async () => {
    const fixture = await subscribed({ maxFailedRetries: 1_000 });
    receiver.state.answer = async () => REFUSED;
    await fixture.report(1, 10);
    await clock.advance(9 * MINUTE);
    await fixture.report(1, 11);
    await clock.advance(30_000);
    expect(new Set(receiver.values())).toEqual(new Set([10]));
    expect(fixture.log.deadLetters(1, 0, 10).total).toBe(0);
    await clock.advance(MINUTE);
    expect(fixture.log.deadLetters(1, 0, 10)).toMatchObject({ total: 1, items: [{ reason: "expired", attempts: 21 }] });
    receiver.state.answer = async () => OK;
    await clock.advance(MINUTE);
    expect(receiver.values().at(-1)).toBe(11);
    expect(target(fixture)).toMatchObject({ waiting: 0, delivered: 1 });
  });

  test("a poisoned device does not fill the window of the others", async () => {
    const fixture = await subscribed({ windowRows: 32, maxRowsPerBlockedKey: 4, maxFailedRetries: 1_000 });
    receiver.state.answer = async (_target, { body }) => (body.includes('device-1"') ? result("status_503", 503) : OK);
    for (let round = 0; round < 40; round++) {
      await fixture.report(1, 1_000 + round, 2_000 + round);
      await fixture.report(2 + (round % 5), round);
    }
    await clock.advance(1_000);
    expect(receiver.values().filter((value) => value !== undefined && value < 1_000)).toEqual(
      Array.from({ length: 40 }, (_, round) => round),
    );
    receiver.got.length = 0;
    receiver.state.answer = async () => OK;
    await clock.advance(MINUTE);
    expect(receiver.values()).toEqual(Array.from({ length: 40 }, (_, round) => [1_000 + round, 2_000 + round]).flat());
    expect(target(fixture).waiting).toBe(0);
  });
});

describe("an invalid address", () => {
  async function invalidated(): Promise<Fixture> {
    const fixture = await subscribed();
    receiver.state.answer = async () => REFUSED;
    receiver.state.reachable = false;
    await fixture.report(1, 1);
    await clock.advance(5 * MINUTE + 100);
    return fixture;
  }

  test("is one that failed 10 retries in a row", async () => {
    const fixture = await subscribed();
    receiver.state.answer = async () => REFUSED;
    await fixture.report(1, 1);
    await clock.advance(5 * MINUTE - 1_000);
    expect(target(fixture)).toMatchObject({ state: "valid", failedRetries: 9 });
    await clock.advance(1_100);
    expect(target(fixture).state).toBe("invalid");
    expect(receiver.got.length).toBe(11);
  });

  test("counts an interval once, however many messages fail in it", async () => {
    const fixture = await subscribed();
    receiver.state.answer = async () => REFUSED;
    for (let device = 1; device <= 100; device++) await fixture.report(device, device);
    await clock.advance(2 * MINUTE);
    expect(target(fixture)).toMatchObject({ state: "valid", failedRetries: 4 });
  });

  test("gets no new messages: they count as failed and can be replayed", async () => {
    const fixture = await invalidated();
    const before = receiver.got.length;
    await fixture.report(2, 2);
    await fixture.transactor.write(() =>
      fixture.notify(
        { type: "commandStatus", deviceId: "d", commandId: "c", resultCode: "SENT", resultDetail: null },
        1,
        {
          orderKey: 2,
          callbackUrl: "http://127.0.0.1:9001/a",
        },
      ),
    );
    await clock.advance(100);
    expect(receiver.got.length).toBe(before);
    expect(fixture.log.deadLetters(1, 0, 10).items.map(({ reason }) => reason)).toEqual([
      "address_invalid",
      "address_invalid",
    ]);
    expect(target(fixture)).toMatchObject({ waiting: 1, givenUp: 2 }); // the first is kept until its 10 minutes are over
  });

  test("is probed every minute and valid again when somebody is there; what was kept goes out", async () => {
    const fixture = await invalidated();
    await clock.advance(2 * MINUTE);
    expect(receiver.state.probes).toBe(2);
    expect(target(fixture).state).toBe("invalid");
    receiver.state.reachable = true;
    receiver.state.answer = async () => OK;
    await clock.advance(MINUTE);
    expect(target(fixture)).toMatchObject({ state: "valid", waiting: 0, delivered: 1 });
    await fixture.report(2, 2);
    await clock.advance(1_000);
    expect(receiver.values().slice(-2)).toEqual([1, 2]);
  });

  test("drops what it kept after 10 minutes", async () => {
    const fixture = await invalidated();
    await clock.advance(5 * MINUTE);
    expect(target(fixture).waiting).toBe(0);
    expect(fixture.log.deadLetters(1, 0, 10)).toMatchObject({ total: 1, items: [{ reason: "expired" }] });
  });
});

describe("replay", () => {
  async function withLetters(count: number): Promise<Fixture> {
    const fixture = await subscribed();
    receiver.state.answer = async () => result("status_other", 500);
    for (let value = 1; value <= count; value++) await fixture.report(1, value);
    await clock.advance(1_000);
    receiver.got.length = 0;
    receiver.state.answer = async () => OK;
    return fixture;
  }

  test("of all: oldest first, and they are gone from the list", async () => {
    const fixture = await withLetters(600);
    expect(await fixture.log.replay(1, "all")).toBe(600);
    await clock.advance(1_000);
    expect(receiver.values()).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
    expect(target(fixture)).toMatchObject({ deadLetters: 0, waiting: 0 });
  });

  test("of some: unknown ids are passed over", async () => {
    const fixture = await withLetters(3);
    const [newest] = fixture.log.deadLetters(1, 0, 1).items;
    expect(await fixture.log.replay(1, [newest?.id ?? 0, 12])).toBe(1);
    await clock.advance(100);
    expect(receiver.values()).toEqual([3]);
    expect(target(fixture).deadLetters).toBe(2);
  });

  test("works after unsubscribing: the operator asks for it", async () => {
    const fixture = await withLetters(1);
    await fixture.subscriptions.deleteMatching(1, {});
    expect(await fixture.log.replay(1, "all")).toBe(1);
    await clock.advance(100);
    expect(receiver.values()).toEqual([1]);
  });

  test("is refused for an address that is unknown", async () => {
    const fixture = await start();
    expect(fixture.log.replay(9, "all")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("bounds", () => {
  test("what does not fit the window waits on disk and comes in order", async () => {
    const fixture = await subscribed({ windowRows: 16 });
    const answers: (() => void)[] = [];
    receiver.state.answer = () => new Promise((resolve) => answers.push(() => resolve(OK)));
    for (let value = 0; value < 400; value++) await fixture.report(value % 3, value);
    await clock.advance(1);
    receiver.state.answer = async () => OK;
    for (const answer of answers) answer();
    await clock.advance(5_000);
    for (const device of [0, 1, 2])
      expect(receiver.values().filter((value) => (value ?? 0) % 3 === device)).toEqual(
        Array.from({ length: 400 }, (_, value) => value).filter((value) => value % 3 === device),
      );
    expect(target(fixture).waiting).toBe(0);
  });

  test("bodies over the shared memory are passed one by one", async () => {
    const fixture = await subscribed({ totalWindowBytes: 1 });
    for (let device = 1; device <= 30; device++) await fixture.report(device, device);
    await clock.advance(5_000);
    expect(receiver.values()).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  });

  test("beyond the longest backlog new messages are given up", async () => {
    const fixture = await subscribed({ maxWaitingPerTarget: 5 });
    receiver.state.answer = () => new Promise(() => {});
    for (let value = 0; value < 10; value++) await fixture.report(1, value);
    await clock.advance(100);
    expect(target(fixture)).toMatchObject({ waiting: 5, deadLetters: 5, givenUp: 5 });
    expect(fixture.log.deadLetters(1, 0, 1).items[0]?.reason).toBe("backlog_full");
  });

  test("the log keeps the newest attempts, successes and failures apart", async () => {
    const fixture = await subscribed({ keptDeliveredAttempts: 3, keptFailedAttempts: 2, keptDeadLetters: 2 });
    for (let value = 0; value < 20; value++) {
      receiver.state.answer = async () => (value % 2 ? OK : result("status_other", 418));
      await fixture.report(1, value);
      await clock.advance(200);
    }
    await clock.advance(20_000);
    expect(fixture.log.attempts({ targetNo: 1, outcome: "delivered" }, 0, 100).total).toBe(3);
    const failed = fixture.log.attempts({ targetNo: 1, outcome: "failed" }, 0, 100);
    expect(failed.total).toBe(2);
    expect(failed.items[0]).toMatchObject({ reason: "status_other", status: 418, attempt: 1, orderKey: 1 });
    expect(fixture.log.deadLetters(1, 0, 100).total).toBe(2);
    expect(fixture.log.attempts({ targetNo: 1 }, 1, 2).items.length).toBe(2);
  });

  test("old attempts and dead letters go with time", async () => {
    const fixture = await subscribed({ attemptAgeMs: MINUTE, deadLetterAgeMs: 2 * MINUTE });
    receiver.state.answer = async () => result("status_other", 400);
    await fixture.report(1, 1);
    await clock.advance(30 * MINUTE);
    expect(fixture.log.attempts({ targetNo: 1 }, 0, 10).total).toBe(0);
    expect(fixture.log.deadLetters(1, 0, 10).total).toBe(0);
  });
});

test("while outcomes cannot be written sending pauses; nothing is sent twice, and it goes on by itself", async () => {
  const fixture = await subscribed({ maxUnsettled: 8 });
  receiver.state.answer = () => new Promise((resolve) => clock.after(1_000, () => resolve(OK)));
  for (let value = 1; value <= 40; value++) await fixture.report(value, value);
  fixture.disk.isFull = true;
  await clock.advance(MINUTE);
  expect(receiver.got.length).toBeLessThan(30);
  expect(target(fixture).waiting).toBe(40);
  fixture.disk.isFull = false;
  await clock.advance(MINUTE);
  expect(receiver.values().toSorted((a = 0, b = 0) => a - b)).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  expect(target(fixture)).toMatchObject({ waiting: 0, delivered: 40 });
});

test("what is queued for a subscription is not sent after it was deleted", async () => {
  const fixture = await subscribed();
  receiver.state.answer = async () => (receiver.got.length === 1 ? REFUSED : OK);
  await fixture.report(1, 1, 2);
  await clock.advance(100);
  await fixture.subscriptions.deleteMatching(1, {});
  await clock.advance(MINUTE);
  expect(receiver.values()).toEqual([1]);
  expect(target(fixture)).toMatchObject({ waiting: 0, deadLetters: 0 });
});

test("an address that nothing refers to is forgotten after a day", async () => {
  const fixture = await subscribed();
  await fixture.subscriptions.deleteMatching(1, {});
  await clock.advance(24 * 60 * MINUTE + MINUTE);
  expect(fixture.log.targets()).toEqual([]);
});
