import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import type { NotifyType } from "./notification";
import type { NewSubscription } from "./subscription";
import {
  APP_ID,
  application,
  type Fixture,
  openFixture,
  type Store,
  scriptedClient,
  temporaryStore,
  URL_A,
} from "./testing/push-fixture";

const URL_B = "https://api.example.com:443/b";
let store: Store;
let fixture: Fixture;

let clock: ReturnType<typeof manualClock>;
let receiver: ReturnType<typeof scriptedClient>;

const open = () => {
  clock = manualClock();
  receiver = scriptedClient();
  return openFixture({ store, client: receiver.client, clock });
};
beforeEach(async () => {
  store = temporaryStore();
  fixture = await open();
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

describe("subscribing", () => {
  test("gives an id by which it is found again", async () => {
    const subscription = await fixture.subscribe("deviceAdded", URL_B);
    expect(subscription).toMatchObject({
      notifyType: "deviceAdded",
      callbackUrl: URL_B,
      channel: "HTTP",
      ownerAppNo: 1,
    });
    expect(fixture.subscriptions.get(1, subscription.id)).toEqual(subscription);
  });

  test("to the same type again is refused, at another address too, and changes nothing", async () => {
    const first = await fixture.subscribe("deviceAdded", URL_A);
    expect(await refusal(fixture.subscribe("deviceAdded", URL_B))).toBe("SUBSCRIPTION_EXISTS");
    expect(await refusal(fixture.subscribe("deviceAdded", URL_A))).toBe("SUBSCRIPTION_EXISTS");
    expect(fixture.subscriptions.list(1, {}, 0, 10)).toEqual({ items: [first], total: 1 });
    expect(fixture.log.targets().length).toBe(1); // the refused address has left nothing behind
  });

  test("two at the same moment: one wins", async () => {
    const results = await Promise.all([
      refusal(fixture.subscribe("deviceAdded", URL_A)),
      refusal(fixture.subscribe("deviceAdded", URL_B)),
    ]);
    expect(results).toEqual(["no error", "SUBSCRIPTION_EXISTS"]);
  });

  test("to another type, for another application or another owner is no conflict", async () => {
    await fixture.subscribe("deviceAdded");
    await fixture.subscribe("deviceDeleted");
    await fixture.subscribe("deviceAdded", URL_A, 2);
    fixture.grants.add("1-2");
    await fixture.subscriptions.subscribe({
      appNo: 1,
      appId: APP_ID,
      ownerAppNo: 2,
      notifyType: "deviceAdded",
      callbackUrl: URL_A,
    });
    expect(types()).toEqual(["deviceAdded", "deviceDeleted", "deviceAdded"]);
  });

  test("to an illegal address is refused", async () => {
    expect(await refusal(fixture.subscribe("deviceAdded", "http://127.0.0.1/x"))).toBe("CALLBACK_URL_ILLEGAL");
    expect(types()).toEqual([]);
  });

  test("is possible again after deleting", async () => {
    const { id } = await fixture.subscribe("deviceAdded");
    await fixture.subscriptions.delete(1, id);
    await fixture.subscribe("deviceAdded", URL_B);
    expect(types()).toEqual(["deviceAdded"]);
  });
});

describe("subscribing by MQTT", () => {
  const topic = "/islet/v1/applications/app-1/notifications/deviceAdded";
  const byMqtt = { appNo: 1, appId: APP_ID, notifyType: "deviceAdded", channel: "MQTTS" } as const;
  test("has the topic of the type for its address", async () => {
    const subscription = await fixture.subscriptions.subscribe(byMqtt);
    expect(subscription).toMatchObject({ callbackUrl: topic, channel: "MQTTS" });
    expect(await refusal(fixture.subscriptions.subscribe({ ...byMqtt, callbackUrl: topic }))).toBe(
      "SUBSCRIPTION_EXISTS",
    );
    expect(fixture.subscriptions.list(1, { callbackUrl: topic }, 0, 1).total).toBe(1);
  });
  test("stands beside one by HTTP of the same type", async () => {
    await fixture.subscribe("deviceAdded");
    await fixture.subscriptions.subscribe(byMqtt);
    expect(types()).toEqual(["deviceAdded", "deviceAdded"]);
  });
  test.each([URL_A, `${topic}x`, topic.replace("app-1", "app-2"), ""])(
    "refuses the address %p",
    async (callbackUrl) => {
      expect(await refusal(fixture.subscriptions.subscribe({ ...byMqtt, callbackUrl }))).toBe("CALLBACK_URL_ILLEGAL");
      expect(types()).toEqual([]);
    },
  );
  test("for another owner the topic is that owner's", async () => {
    fixture.applications.set(2, application(2));
    fixture.grants.add("1-2");
    const { callbackUrl } = await fixture.subscriptions.subscribe({ ...byMqtt, ownerAppNo: 2 });
    expect(callbackUrl).toBe(topic.replace("app-1", "app-2"));
  });
  test("tells of no host when it goes", async () => {
    const heard: unknown[] = [];
    fixture.subscriptionEvents.on("subscriptionDeleted", ({ hostPort, lastOfHost }) =>
      heard.push([hostPort, lastOfHost]),
    );
    const { id } = await fixture.subscriptions.subscribe(byMqtt);
    await fixture.subscribe("deviceAdded");
    await fixture.subscriptions.delete(1, id);
    await fixture.subscriptions.deleteMatching(1, {});
    expect(heard).toEqual([
      [undefined, false],
      ["127.0.0.1:9001", true],
    ]);
  });
});

describe("subscribing again where the document has no conflict (1.7.2)", () => {
  const management: NewSubscription = {
    appNo: 1,
    appId: APP_ID,
    notifyType: "swUpgradeResultNotify",
    ifExists: "move",
  };
  test("at the same address changes nothing", async () => {
    const first = await fixture.subscriptions.subscribe({ ...management, callbackUrl: URL_A });
    expect(await fixture.subscriptions.subscribe({ ...management, callbackUrl: URL_A })).toEqual(first);
    expect(types()).toEqual(["swUpgradeResultNotify"]);
  });
  test("at another address moves it; what was queued still goes to the old one", async () => {
    const heard: unknown[] = [];
    fixture.subscriptionEvents.on("subscriptionDeleted", ({ hostPort, lastOfHost }) =>
      heard.push([hostPort, lastOfHost]),
    );
    const { id } = await fixture.subscriptions.subscribe({ ...management, callbackUrl: URL_A });
    const upgrade = { deviceId: "d", appId: "app-1", operationId: "o", subOperationId: "s" };
    const tell = () =>
      fixture.transactor.write(() =>
        fixture.notify(
          {
            type: "swUpgradeResultNotify",
            ...{ ...upgrade, curVersion: "1", targetVersion: "1", sourceVersion: "0", result: "SUCCESS" },
            ...{ resultDesc: "", upgradeTimeMs: 0, errorCode: "0", description: "" },
          },
          1,
          { orderKey: 1 },
        ),
      );
    const told = tell();
    await fixture.subscriptions.subscribe({ ...management, callbackUrl: URL_B });
    await told;
    await tell();
    await clock.advance(1_000);
    expect(receiver.got.map(({ url }) => url)).toEqual([URL_A, URL_B]);
    expect(fixture.subscriptions.get(1, id).callbackUrl).toBe(URL_B);
    expect(heard).toEqual([["127.0.0.1:9001", true]]);
    await fixture.stop();
    fixture = await open();
    expect(fixture.subscriptions.list(1, {}, 0, 10).items.map(({ callbackUrl }) => callbackUrl)).toEqual([URL_B]);
  });
});

describe("ownership", () => {
  test("another application neither sees nor deletes it", async () => {
    const { id } = await fixture.subscribe("deviceAdded");
    expect(() => fixture.subscriptions.get(2, id)).toThrow("SUBSCRIPTION_NOT_FOUND");
    expect(await refusal(fixture.subscriptions.delete(2, id))).toBe("SUBSCRIPTION_NOT_FOUND");
    expect(await refusal(fixture.subscriptions.deleteMatching(2, {}))).toBe("SUBSCRIPTION_NOT_FOUND");
    expect(types(2)).toEqual([]);
    expect(types()).toEqual(["deviceAdded"]);
  });

  test("goes with its application", async () => {
    const app = fixture.applications.get(1);
    if (!app) throw new Error("no application");
    await fixture.subscribe("deviceDataChanged");
    await fixture.subscribe("deviceDataChanged", URL_A, 2);
    await fixture.report(1, 1);
    await fixture.transactor.write(() => fixture.events.applications.emit("applicationDeleted", { application: app }));
    expect([types(1), types(2)]).toEqual([[], ["deviceDataChanged"]]);
    expect(fixture.log.targets().map(({ appNo }) => appNo)).toEqual([2]);
  });
});

describe("lists", () => {
  const ALL: NotifyType[] = ["deviceAdded", "bindDevice", "deviceDeleted", "messageConfirm", "commandRsp"];

  test("are paged, oldest first, and filtered by type", async () => {
    for (const type of ALL) await fixture.subscribe(type);
    const page = fixture.subscriptions.list(1, {}, 1, 2);
    expect([page.total, ...page.items.map(({ notifyType }) => notifyType)]).toEqual([
      5,
      "deviceDeleted",
      "messageConfirm",
    ]);
    expect(fixture.subscriptions.list(1, { notifyType: "commandRsp" }, 0, 10).total).toBe(1);
    expect(fixture.subscriptions.list(1, { notifyType: "fwUpgradeResultNotify" }, 0, 10)).toEqual({
      items: [],
      total: 0,
    });
  });

  test("of more than 1000 are refused", async () => {
    await fixture.subscribe("deviceAdded");
    const copy = fixture.registry.query(
      `INSERT INTO subscription (id, app_no, app_id, owner_app_no, notify_type, channel, callback_url, target_no, created_ms)
       SELECT 's' || ?1, app_no, app_id, 100 + ?1, notify_type, channel, callback_url, target_no, 0 FROM subscription WHERE no = 1`,
    );
    for (let no = 1; no < 1000; no++) copy.run(no);
    expect(fixture.subscriptions.list(1, {}, 0, 1).total).toBe(1000);
    copy.run(1000);
    expect(() => fixture.subscriptions.list(1, {}, 0, 1)).toThrow("RESULT_TOO_LARGE");
  });
});

describe("deleting by filter", () => {
  const FILTERS: [
    rule: string,
    filter: { notifyType?: string; callbackUrl?: string; channel?: string },
    left: string[],
  ][] = [
    ["without one: all", {}, ["MQTTS deviceAdded"]],
    ["by type", { notifyType: "deviceAdded" }, ["HTTP deviceDeleted", "HTTP bindDevice", "MQTTS deviceAdded"]],
    ["by address", { callbackUrl: URL_B }, ["HTTP deviceAdded", "HTTP bindDevice", "MQTTS deviceAdded"]],
    ["empty channel counts as HTTP", { channel: "" }, ["MQTTS deviceAdded"]],
    ["by channel", { channel: "MQTTS" }, ["HTTP deviceAdded", "HTTP deviceDeleted", "HTTP bindDevice"]],
  ];
  async function subscribeSome(): Promise<void> {
    await fixture.subscribe("deviceAdded");
    await fixture.subscribe("deviceDeleted", URL_B);
    await fixture.subscribe("bindDevice");
    await fixture.subscriptions.subscribe({
      appNo: 1,
      appId: APP_ID,
      notifyType: "deviceAdded",
      channel: "MQTTS",
    });
  }
  const left = () =>
    fixture.subscriptions.list(1, {}, 0, 10).items.map(({ channel, notifyType }) => `${channel} ${notifyType}`);

  test.each(FILTERS)("%s", async (_rule, filter, expected) => {
    await subscribeSome();
    expect(await fixture.subscriptions.deleteMatching(1, filter)).toBe(4 - expected.length);
    expect(left()).toEqual(expected);
  });

  test.each([{ notifyType: "commandRsp" }, { callbackUrl: "http://127.0.0.1:1/none" }, { channel: "COAP" }])(
    "that matches nothing is an error: %p",
    async (filter) => {
      await subscribeSome();
      expect(await refusal(fixture.subscriptions.deleteMatching(1, filter))).toBe("SUBSCRIPTION_NOT_FOUND");
      expect(left().length).toBe(4);
    },
  );
});

test("who deletes the last subscription of a host is told so, for the certificate", async () => {
  const heard: unknown[] = [];
  fixture.subscriptionEvents.on("subscriptionDeleted", ({ hostPort, lastOfHost }) =>
    heard.push([hostPort, lastOfHost]),
  );
  await fixture.subscribe("deviceAdded", "https://API.example.com:443/x");
  await fixture.subscribe("deviceDeleted", "https://api.example.com:443/y");
  await fixture.subscriptions.deleteMatching(1, { notifyType: "deviceAdded" });
  await fixture.subscriptions.deleteMatching(1, { notifyType: "deviceDeleted" });
  expect(heard).toEqual([
    ["api.example.com:443", false],
    ["api.example.com:443", true],
  ]);
});

test("subscriptions are there after a restart", async () => {
  const { id } = await fixture.subscribe("deviceAdded");
  await fixture.stop();
  fixture = await open();
  expect(fixture.subscriptions.get(1, id).notifyType).toBe("deviceAdded");
});
