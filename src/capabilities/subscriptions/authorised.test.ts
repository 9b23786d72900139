import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { notificationTopic } from "./notification-topic";
import {
  APP_ID,
  accepted,
  application,
  type Fixture,
  liveDevice,
  openFixture,
  type Store,
  scriptedClient,
  scriptedSubscribers,
  temporaryStore,
  URL_A,
} from "./testing/push-fixture";

const URL_B = "https://api.example.com:443/b";
let store: Store;
let fixture: Fixture;
let clock: ReturnType<typeof manualClock>;
let receiver: ReturnType<typeof scriptedClient>;
let subscriber: ReturnType<typeof scriptedSubscribers>;

async function open() {
  clock = manualClock();
  receiver = scriptedClient();
  subscriber = scriptedSubscribers(2, 2);
  const subscribers = { link: subscriber.link, keepMs: 3_600_000 };
  const applications = new Map([1, 2, 3].map((no) => [no, application(no)]));
  fixture = await openFixture({ store, client: receiver.client, clock, applications, subscribers });
  return fixture;
}
beforeEach(async () => {
  store = temporaryStore();
  await open();
  fixture.grants.add("1-2");
});
afterEach(async () => {
  await fixture.stop();
  store[Symbol.dispose]();
});

const refusal = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: { code?: unknown }) => error.code,
  );
const types = (appNo = 1) => fixture.subscriptions.list(appNo, {}, 0, 100).items.map(({ notifyType }) => notifyType);
const pushedTo = () => receiver.got.map(({ url }) => url).sort();
const revoke = (ownerNo: number, granteeNo: number) =>
  fixture.transactor.write(() => {
    fixture.grants.delete(`${ownerNo}-${granteeNo}`);
    fixture.events.applications.emit("grantRevoked", { owner: application(ownerNo), grantee: application(granteeNo) });
  });

describe("a subscription of an authorised application", () => {
  const theirs = {
    appNo: 1,
    appId: APP_ID,
    ownerAppNo: 2,
    notifyType: "deviceDataChanged",
    callbackUrl: URL_B,
  } as const;

  test.each([{ ownerAppNo: 2 }, { ownerAppNo: 1, madeByNo: 2 }])("is refused without the right: %j", async (who) => {
    fixture.grants.clear();
    expect(await refusal(fixture.subscriptions.subscribe({ ...theirs, ...who }))).toBe("APP_NOT_AUTHORIZED");
    expect(types()).toEqual([]);
  });

  test("is told beside the application, until the right ends; what is queued then is not sent", async () => {
    await fixture.subscribe("deviceDataChanged");
    await fixture.subscriptions.subscribe(theirs);
    await fixture.report(1, 1);
    await clock.advance(1_000);
    expect(pushedTo()).toEqual([URL_A, URL_B].sort());
    receiver.state.answer = async () => ({ reason: "status_503", status: 503 });
    await fixture.report(1, 2);
    await clock.advance(1_000);
    receiver.state.answer = async () => ({ reason: "delivered", status: 200 });
    receiver.got.length = 0;
    await revoke(1, 2);
    await fixture.report(1, 3);
    await clock.advance(600_000);
    expect(pushedTo()).toEqual([URL_A, URL_A]);
    expect(types()).toEqual(["deviceDataChanged"]);
  });

  test("goes with its right also when the address is the application's; others stay", async () => {
    fixture.grants.add("1-3").add("3-2");
    await fixture.subscriptions.subscribe({ ...theirs, ownerAppNo: 1, madeByNo: 2 });
    await fixture.subscriptions.subscribe({ ...theirs, ownerAppNo: 3 });
    await fixture.subscriptions.subscribe({ ...theirs, appNo: 3, appId: "app-3" as never });
    await fixture.stop();
    await open(); // who made it is on disk
    await revoke(1, 2);
    const left = [1, 3].flatMap((no) => fixture.subscriptions.list(no, {}, 0, 10).items);
    expect(left.map(({ appNo, ownerAppNo }) => [appNo, ownerAppNo])).toEqual([
      [1, 3],
      [3, 2],
    ]);
  });

  test.each([1, 2])("goes with application %d", async (no) => {
    await fixture.subscriptions.subscribe(theirs);
    await fixture.subscriptions.subscribe({ ...theirs, ownerAppNo: 1, madeByNo: 2 });
    await fixture.transactor.write(() =>
      fixture.events.applications.emit("applicationDeleted", { application: application(no) }),
    );
    expect(types()).toEqual([]);
  });

  test("is not pushed to while its own push service is off", async () => {
    await fixture.subscriptions.subscribe(theirs);
    fixture.applications.set(2, application(2, { pushEnabled: false }));
    await fixture.report(1, 1);
    fixture.applications.set(2, application(2));
    await fixture.report(1, 2);
    await clock.advance(1_000);
    expect(pushedTo()).toEqual([URL_B]);
  });

  test("is found, listed and deleted only by whom its address belongs to", async () => {
    fixture.grants.add("1-3");
    const own = await fixture.subscribe("deviceDataChanged");
    const { id } = await fixture.subscriptions.subscribe(theirs);
    const { subscriptions } = fixture;
    const seenBy = (...ownerAppNos: number[]) =>
      subscriptions.list(1, { ownerAppNos }, 0, 10).items.map((subscription) => subscription.id);
    expect([seenBy(1), seenBy(1, 2), seenBy(3)]).toEqual([[own.id], [own.id, id], []]);
    expect(subscriptions.get(1, id, [1, 2]).id).toBe(id);
    expect(() => subscriptions.get(1, id, [1, 3])).toThrow("SUBSCRIPTION_NOT_FOUND");
    expect(await refusal(subscriptions.delete(1, id, [1, 3]))).toBe("SUBSCRIPTION_NOT_FOUND");
    expect(await refusal(subscriptions.deleteMatching(1, { ownerAppNos: [3] }))).toBe("SUBSCRIPTION_NOT_FOUND");
    expect(await subscriptions.deleteMatching(1, { ownerAppNos: [1] })).toBe(1);
    expect(seenBy(1, 2, 3)).toEqual([id]);
  });
});

describe("a subscription of an authorised application by MQTT", () => {
  const theirs = {
    appNo: 1,
    appId: APP_ID,
    ownerAppNo: 2,
    notifyType: "deviceDataChanged",
    channel: "MQTTS",
  } as const;
  const topic = notificationTopic("app-2", "deviceDataChanged");
  const rows = () => (fixture.reads.query("SELECT count(*) AS n FROM outbox").get() as { n: number }).n;

  test("is told on a topic of its own, until the right ends; what waits then is not sent", async () => {
    await fixture.subscriptions.subscribe(theirs);
    subscriber.come();
    await fixture.report(1, 1, 2, 3, 4); // two of them are under way, two wait for room
    await clock.advance(1);
    expect(subscriber.got.map((message) => message.topic)).toEqual([topic, topic]);
    await revoke(1, 2);
    await fixture.report(1, 5);
    subscriber.acknowledge(2);
    await clock.advance(1_000);
    expect([subscriber.values(), types(), rows()]).toEqual([[1, 2], [], 0]);
  });

  test("what waited while it was away is not sent either, also after a restart", async () => {
    await fixture.subscriptions.subscribe(theirs);
    await fixture.report(1, 1, 2);
    await clock.advance(1);
    await revoke(1, 2);
    await fixture.stop();
    await open();
    subscriber.come();
    await clock.advance(1_000);
    expect([subscriber.got, rows()]).toEqual([[], 0]);
  });

  test("ends with its right, and the caller's own on the same topic goes on", async () => {
    await fixture.subscriptions.subscribe(theirs);
    const own = { ...theirs, appNo: 2, appId: "app-2" as never };
    await fixture.subscriptions.subscribe(own);
    subscriber.come();
    await revoke(1, 2);
    const report = (appNo: number, value: number) =>
      fixture.notifier.rowsFor(liveDevice(appNo, { appNo }), [accepted("Meter", { value })]);
    await fixture.commitRows([...report(1, 1), ...report(2, 2)]);
    await clock.advance(1);
    expect(subscriber.values()).toEqual([2]);
    expect(subscriber.got[0]?.topic).toBe(topic);
  });

  test("is on the application's topic when the address is its: the right to it ends it there", async () => {
    const made = await fixture.subscriptions.subscribe({ ...theirs, ownerAppNo: 1, madeByNo: 2 });
    expect(made.callbackUrl).toBe(notificationTopic(APP_ID, "deviceDataChanged"));
    await revoke(1, 2);
    expect(types()).toEqual([]);
  });

  test("gets nothing while its own push service is off", async () => {
    await fixture.subscriptions.subscribe(theirs);
    subscriber.come();
    fixture.applications.set(2, application(2, { pushEnabled: false }));
    await fixture.report(1, 1);
    fixture.applications.set(2, application(2));
    await fixture.report(1, 2);
    await clock.advance(1);
    expect(subscriber.values()).toEqual([2]);
  });
});

describe("the callback address of an authorised application's command", () => {
  const tell = (resultCode: string) =>
    fixture.transactor.write(() =>
      fixture.notify({ type: "commandStatus", deviceId: "d", commandId: "c1", resultCode, resultDetail: null }, 1, {
        orderKey: 5,
        callbackUrl: URL_B,
        callbackAppNo: 2,
      }),
    );
  const told = async () => {
    await clock.advance(1_000);
    return receiver.got.map(({ body }) => JSON.parse(body).resultCode);
  };

  test("belongs to that application, and is told while the right lasts", async () => {
    await tell("SENT");
    expect(await told()).toEqual(["SENT"]);
    expect(fixture.log.targets().map(({ appNo, callbackUrl }) => [appNo, callbackUrl])).toEqual([[2, URL_B]]);
    await revoke(1, 2);
    await tell("DELIVERED");
    expect(await told()).toEqual(["SENT"]);
  });

  test.each([
    ["the owner's push service is off", 1, { pushEnabled: false }],
    ["its own push service is off", 2, { pushEnabled: false }],
  ])("is not told when %s", async (_when, no, patch) => {
    fixture.applications.set(no, application(no, patch));
    await tell("SENT");
    expect(await told()).toEqual([]);
  });

  test("is not told when the application is gone", async () => {
    fixture.applications.delete(2);
    await tell("SENT");
    expect(await told()).toEqual([]);
  });
});
