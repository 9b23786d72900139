import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eventBus } from "../../platform/events";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { Device, DeviceId } from "../devices/device";
import type { Product } from "../products/product";
import type { ShadowEvents } from "../shadow/desired";
import { notifyOfShadow } from "./notify-of-shadow";
import {
  accepted,
  application,
  type Fixture,
  liveDevice,
  openFixture,
  type Store,
  scriptedClient,
  temporaryStore,
  URL_A,
} from "./testing/push-fixture";

let store: Store;
let clock: ManualClock;
let receiver: ReturnType<typeof scriptedClient>;
let fixture: Fixture;

beforeEach(async () => {
  store = temporaryStore();
  clock = manualClock();
  receiver = scriptedClient();
  fixture = await openFixture({ store, client: receiver.client, clock });
});
afterEach(async () => {
  await fixture.stop();
  store[Symbol.dispose]();
});

// Only what the notifier itself looks at; the words are the dialect's business.
const device = { no: 5, id: "device-5", appNo: 1 } as Device;
const product = { no: 3, appNo: 1 } as Product;
const got = () => receiver.got.map(({ body }) => JSON.parse(body));

describe("of a report with two services", () => {
  const reports = [accepted("Meter", { value: 1 }), accepted("Battery", { level: 2 })];
  const bodies = (live = liveDevice(5)) =>
    fixture.notifier.rowsFor(live, reports).map(({ values }) => String(values[5]));

  test("deviceDataChanged comes once for each service", async () => {
    await fixture.subscribe("deviceDataChanged");
    expect(bodies().map((body) => JSON.parse(body).data)).toEqual([
      [{ serviceId: "Meter", value: 1 }],
      [{ serviceId: "Battery", level: 2 }],
    ]);
  });

  test("deviceDatasChanged comes once with all services", async () => {
    await fixture.subscribe("deviceDatasChanged");
    expect(bodies().map((body) => JSON.parse(body).data)).toEqual([
      [
        { serviceId: "Meter", value: 1 },
        { serviceId: "Battery", level: 2 },
      ],
    ]);
  });

  test("who subscribed both gets both, with one request id", async () => {
    await fixture.subscribe("deviceDataChanged");
    await fixture.subscribe("deviceDatasChanged");
    const requestIds = bodies().map((body) => JSON.parse(body).requestId);
    expect(requestIds.length).toBe(3);
    expect(new Set(requestIds).size).toBe(1);
  });

  test("a report of one service comes as deviceDatasChanged too", async () => {
    await fixture.subscribe("deviceDatasChanged");
    expect(fixture.notifier.rowsFor(liveDevice(5), reports.slice(0, 1)).length).toBe(1);
  });

  test("several subscribers share one body", async () => {
    await fixture.subscribe("deviceDataChanged");
    fixture.grants.add("1-2");
    fixture.applications.set(2, application(2));
    await fixture.subscriptions.subscribe({
      appNo: 1,
      appId: application().id,
      ownerAppNo: 2,
      notifyType: "deviceDataChanged",
      callbackUrl: "http://127.0.0.1:9002/other",
    });
    const all = bodies();
    expect(all.length).toBe(4);
    expect(all[0]).toBe(all[1] as string);
  });

  test.each([
    ["nobody has subscribed", {}, false],
    ["push is off", { pushEnabled: false }, true],
    ["history is off", { storeHistory: false }, true],
    ["another application has subscribed", { appNo: 2 }, true],
  ])("nothing comes when %s", async (_when, patch, isSubscribed) => {
    if (isSubscribed) await fixture.subscribe("deviceDataChanged");
    expect(bodies(liveDevice(5, patch))).toEqual([]);
    expect(fixture.notifier.wants?.(liveDevice(5, patch))).toBe(false);
  });

  test("wanted once it is subscribed", async () => {
    await fixture.subscribe("deviceDatasChanged");
    expect(fixture.notifier.wants?.(liveDevice(5))).toBe(true);
  });
});

describe("of the registry", () => {
  test("each change has its type", async () => {
    for (const type of [
      "deviceAdded",
      "bindDevice",
      "deviceInfoChanged",
      "deviceDeleted",
      "deviceCapabilitiesAdded",
      "deviceCapabilitiesChanged",
      "deviceCapabilitiesDeleted",
    ] as const)
      await fixture.subscribe(type);
    await fixture.transactor.write(() => {
      fixture.events.devices.emit("deviceAdded", { device });
      fixture.events.devices.emit("deviceBound", { device, result: "succeeded" });
      fixture.events.devices.emit("deviceInfoChanged", { device });
      fixture.events.devices.emit("deviceDeleted", { device });
      fixture.events.products.emit("productAdded", { product });
      fixture.events.products.emit("productChanged", { product });
      fixture.events.products.emit("productDeleted", { product });
    });
    await clock.advance(100);
    const types = got().map(({ type }) => type as string);
    expect(types.filter((type) => !type.includes("Capabilities"))).toEqual([
      "deviceAdded",
      "bindDevice",
      "deviceInfoChanged",
      "deviceDeleted",
    ]);
    expect(types.filter((type) => type.includes("Capabilities"))).toEqual([
      "deviceCapabilitiesAdded",
      "deviceCapabilitiesChanged",
      "deviceCapabilitiesDeleted",
    ]);
  });

  test("a change that is undone is told to nobody", async () => {
    await fixture.subscribe("deviceAdded");
    const undone = fixture.transactor.write(() => {
      fixture.events.devices.emit("deviceAdded", { device });
      throw new Error("undo");
    });
    expect(undone).rejects.toThrow("undo");
    await clock.advance(1_000);
    expect(got()).toEqual([]);
    expect(fixture.registry.query("SELECT count(*) AS n FROM outbox").get()).toEqual({ n: 0 });
  });

  test.each([
    ["push", { pushEnabled: false }],
    ["history", { storeHistory: false }],
  ])("nothing comes while %s is off", async (_what, patch) => {
    await fixture.subscribe("deviceAdded");
    fixture.applications.set(1, application(1, patch));
    await fixture.transactor.write(() => fixture.events.devices.emit("deviceAdded", { device }));
    await clock.advance(1_000);
    expect(got()).toEqual([]);
  });

  test("what became of desired values is told with the outcome, or not at all", async () => {
    await fixture.subscribe("deviceDesiredPropertiesModifyStatusChanged");
    const shadow = eventBus<ShadowEvents>();
    notifyOfShadow(shadow, fixture.notify);
    const emit = (status: "DELIVERED" | "FAILED") =>
      shadow.emit("desiredSettled", {
        device: { no: 5, id: "device-5" as DeviceId, appNo: 1, appId: application().id },
        serviceId: "Device",
        properties: { "Model Number": 1 },
        status,
      });
    await fixture.transactor.write(() => {
      emit("DELIVERED");
      emit("FAILED");
    });
    const undone = fixture.transactor.write(() => {
      emit("FAILED");
      throw new Error("undo");
    });
    await expect(undone).rejects.toThrow("undo");
    await clock.advance(100);
    const told = { deviceId: "device-5", serviceId: "Device", properties: { "Model Number": 1 } };
    expect(got()).toMatchObject([
      { ...told, status: "DELIVERED" },
      { ...told, status: "FAILED" },
    ]);
  });

  test("the state of a command goes to the command's own address, without a subscription", async () => {
    const url = "http://127.0.0.1:9001/command";
    const notify = (resultCode: string) =>
      fixture.notify(
        { type: "commandStatus", deviceId: "device-5", commandId: "c", resultCode, resultDetail: null },
        1,
        { orderKey: 5, callbackUrl: url },
      );
    await fixture.transactor.write(() => {
      notify("SENT");
      notify("DELIVERED");
    });
    await clock.advance(100);
    expect(receiver.got.map((it) => it.url)).toEqual([url, url]);
    expect(got().map(({ resultCode }) => resultCode)).toEqual(["SENT", "DELIVERED"]);
    expect(fixture.log.targets().map(({ callbackUrl }) => callbackUrl)).toEqual([url]);
  });
});

test("the address of a subscription and of a command are one", async () => {
  await fixture.subscribe("commandRsp", URL_A);
  await fixture.transactor.write(() => {
    fixture.notify(
      { type: "commandStatus", deviceId: "d", commandId: "c", resultCode: "SENT", resultDetail: null },
      1,
      {
        orderKey: 5,
        callbackUrl: URL_A,
      },
    );
  });
  expect(fixture.log.targets().length).toBe(1);
});

test("metrics tell depth, outcomes and addresses", async () => {
  await fixture.subscribe("deviceDataChanged");
  await fixture.report(1, 1);
  await clock.advance(100);
  const text = fixture.metrics.render();
  expect(text).toContain('islet_push_outbox_rows{database="telemetry"} 0');
  expect(text).toContain('islet_push_attempts_total{reason="delivered"} 1');
  expect(text).toContain('islet_push_targets{state="valid"} 1');
});
