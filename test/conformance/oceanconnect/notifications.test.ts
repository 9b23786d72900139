import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startIslet, temporaryFolder } from "../../support/islet";
import { NOTIFICATIONS } from "./document";
import { misfits, SHAPES } from "./notification-shapes";
import { UPGRADE_ROWS } from "./notification-upgrades";
import {
  furnishNotified,
  NOTIFIED_SETTINGS,
  type NotifiedRow,
  type NotifiedWorld,
  type Told,
} from "./notification-world";
import { DEVICE_INFO, UTC } from "./product-models";

const TIMES = ["20260102T030405Z", "20260102T030406Z"] as const;
const infoOf = (nodeId: string, more: object = {}) => ({
  ...{ ...DEVICE_INFO, nodeId, name: nodeId, manufacturerId: "ACME", manufacturerName: "Acme", model: "Station" },
  ...{ deviceType: "Sensor", protocolType: "MQTT" },
  ...more,
});
const ONLINE = { status: "ONLINE", statusDetail: "NONE" };
const info = (told: Told) => told.deviceInfo as Record<string, unknown>;
const result = (told: Told) => told.result as Record<string, unknown>;
const header = (told: Told) => told.header as Record<string, unknown>;
const service = (serviceId: string, data: object, eventTime: unknown) => ({
  ...{ serviceId, serviceType: serviceId, data, eventTime },
});

const ROWS: readonly NotifiedRow[] = [
  {
    section: "1.8.1",
    async told({ until, addStation, addHub, addBehind }) {
      const { deviceId, nodeId } = await addStation();
      expect(await until("deviceAdded", (it) => it.deviceId === deviceId)).toEqual({
        ...{ notifyType: "deviceAdded", deviceId, gatewayId: deviceId, nodeType: "ENDPOINT" },
        deviceInfo: infoOf(nodeId),
      });
      const hub = await addHub();
      expect(await until("deviceAdded", (it) => it.deviceId === hub.deviceId)).toMatchObject({
        ...{ gatewayId: hub.deviceId, nodeType: "GATEWAY" },
      });
      const behind = await addBehind(hub); // asked for by the gateway, by MQTT
      expect(await until("deviceAdded", (it) => it.deviceId === behind.deviceId)).toMatchObject({
        ...{ gatewayId: hub.deviceId, nodeType: "ENDPOINT", deviceInfo: { nodeId: behind.nodeId } },
      });
    },
  },
  {
    section: "1.8.2",
    async told({ until, addStation, connect, addMeter }) {
      const station = await addStation();
      await connect(station);
      const { deviceId, nodeId } = station;
      expect(await until("bindDevice", (it) => it.deviceId === deviceId)).toEqual({
        ...{ notifyType: "bindDevice", deviceId, resultCode: "succeeded", deviceInfo: infoOf(nodeId, ONLINE) },
      });
      const late = await addMeter({ timeout: 1 });
      expect(await until("bindDevice", (it) => it.deviceId === late.deviceId)).toMatchObject({
        ...{ resultCode: "expired", deviceInfo: { nodeId: late.nodeId, status: "INACTIVE" } },
      });
    },
  },
  {
    section: "1.8.3",
    async told({ until, addStation, connect, modify }) {
      const station = await addStation();
      const { deviceId, nodeId } = station;
      const ofIt = (fits: (told: Told) => boolean) =>
        until("deviceInfoChanged", (it) => it.deviceId === deviceId && fits(it));
      const client = await connect(station);
      const ids = { notifyType: "deviceInfoChanged", deviceId, gatewayId: deviceId };
      expect(await ofIt((it) => info(it).status === "ONLINE")).toEqual({ ...ids, deviceInfo: infoOf(nodeId, ONLINE) });
      const given = { name: "Attic", location: "Roof" };
      await modify(deviceId, { ...given, mute: "TRUE" });
      expect(await ofIt((it) => info(it).name === "Attic")).toEqual({
        ...{ ...ids, deviceInfo: infoOf(nodeId, { ...ONLINE, ...given, mute: "TRUE" }) },
      });
      await client.endAsync();
      expect(await ofIt((it) => info(it).status === "OFFLINE")).toEqual({
        ...{ ...ids, deviceInfo: infoOf(nodeId, { status: "OFFLINE", statusDetail: "NONE", ...given, mute: "TRUE" }) },
      });
    },
  },
  {
    section: "1.8.4",
    async told({ until, addStation, connect, addDetector, addHub, addBehind, report }) {
      const station = await addStation();
      const { deviceId } = station;
      await report(await connect(station), deviceId, [["Climate", { temperature: 21 }, TIMES[0]]]);
      expect(await until("deviceDataChanged", (it) => it.deviceId === deviceId)).toEqual({
        ...{ notifyType: "deviceDataChanged", requestId: expect.any(String), deviceId, gatewayId: deviceId },
        service: service("Climate", { temperature: 21 }, TIMES[0]),
      });
      const detector = await addDetector(); // CoAP, through its codec
      await detector.report(7);
      expect(await until("deviceDataChanged", (it) => it.deviceId === detector.deviceId)).toMatchObject({
        ...{ gatewayId: detector.deviceId, service: service("Smoke", { level: 7 }, UTC) },
      });
      const hub = await addHub();
      const behind = await addBehind(hub);
      await report(hub.client, behind.deviceId, [["Climate", { temperature: 3 }, TIMES[0]]]);
      expect(await until("deviceDataChanged", (it) => it.deviceId === behind.deviceId)).toMatchObject({
        ...{ gatewayId: hub.deviceId, service: service("Climate", { temperature: 3 }, TIMES[0]) },
      });
    },
  },
  {
    section: "1.8.5",
    async told({ until, addStation, connect, report }) {
      const station = await addStation();
      const { deviceId } = station;
      await report(await connect(station), deviceId, [
        ["Climate", { temperature: 21 }, TIMES[0]],
        ["Power", { battery: 90 }, TIMES[1]],
      ]);
      expect(await until("deviceDatasChanged", (it) => it.deviceId === deviceId)).toEqual({
        ...{ notifyType: "deviceDatasChanged", requestId: expect.any(String), deviceId, gatewayId: deviceId },
        services: [service("Climate", { temperature: 21 }, TIMES[0]), service("Power", { battery: 90 }, TIMES[1])],
      });
    },
  },
  ...[
    { section: "1.8.6", what: "Changed" },
    { section: "1.8.7", what: "Added" },
    { section: "1.8.8", what: "Deleted" },
  ].map(
    ({ section, what }): NotifiedRow => ({
      section,
      async told({ until, newProduct, caller }) {
        const { model, change, remove } = await newProduct();
        if (what === "Changed") await change();
        if (what === "Deleted") await remove();
        const notifyType = `deviceCapabilities${what}`;
        expect(await until(notifyType, (it) => it.model === model)).toEqual({
          ...{ notifyType, appId: caller.appId, deviceType: "Sensor", manufacturerName: "Acme" },
          ...{ manufacturerId: "ACME", model, protocolType: "CoAP" },
        });
      },
    }),
  ),
  {
    section: "1.8.9",
    async told({ until, addStation, addHub, addBehind, remove }) {
      const { deviceId } = await addStation();
      await remove(deviceId);
      const notifyType = "deviceDeleted";
      expect(await until(notifyType, (it) => it.deviceId === deviceId)).toEqual({
        ...{ notifyType, deviceId, gatewayId: deviceId },
      });
      const hub = await addHub();
      const behind = await addBehind(hub);
      await remove(hub.deviceId); // and what is behind it
      expect(await until(notifyType, (it) => it.deviceId === behind.deviceId)).toEqual({
        ...{ notifyType, deviceId: behind.deviceId, gatewayId: hub.deviceId },
      });
    },
  },
  {
    section: "1.8.10",
    async told({ until, addAnswering, signal }) {
      const deviceId = await addAnswering();
      const requestId = await signal(deviceId, { requestId: "confirmed", from: "/users/7" }, 21);
      for (const status of ["sent", "delivered", "executed"]) {
        const fits = (it: Told) => header(it).requestId === requestId && header(it).status === status;
        expect(await until("messageConfirm", fits)).toEqual({
          notifyType: "messageConfirm",
          header: {
            ...{ requestId, from: `/devices/${deviceId}/services/Climate`, to: "/users/7", status, timestamp: UTC },
          },
          body: {},
        });
      }
    },
  },
  {
    section: "1.8.11",
    async told({ until, addAnswering, signal }) {
      const deviceId = await addAnswering();
      for (const target of [21, 31]) {
        // The second one fails at the device, which says why.
        const requestId = await signal(deviceId, { from: "/users/7" }, target);
        expect(await until("commandRsp", (it) => header(it).requestId === requestId)).toEqual({
          notifyType: "commandRsp",
          header: {
            ...{ requestId, from: `/devices/${deviceId}/services/Climate`, to: "/users/7", deviceId },
            ...{ serviceType: "Climate", method: "SET_TARGET" },
          },
          body: { target },
        });
      }
    },
  },
  {
    section: "1.8.12",
    async told({ until, addDetector, setAlarm }) {
      const detector = await addDetector();
      const { deviceId } = detector;
      const statuses = async (value: number, expected: [resultCode: string, resultDetail: unknown][]) => {
        const commandId = await setAlarm(deviceId, value);
        for (const [resultCode, resultDetail] of expected)
          expect(
            await until("command", (it) => it.commandId === commandId && result(it).resultCode === resultCode),
          ).toEqual({ deviceId, commandId, result: { resultCode, resultDetail } });
      };
      const way: [string, unknown][] = [
        ["SENT", null],
        ["DELIVERED", null],
      ];
      await statuses(1, [...way, ["SUCCESSFUL", { result: 1 }]]);
      await statuses(200, [...way, ["FAILED", { result: 200 }]]); // the detector says no
      detector.keepSilent();
      await statuses(2, [
        ["SENT", null],
        ["TIMEOUT", { reason: "no_acknowledgement" }],
      ]);
    },
  },
  {
    section: "1.8.13",
    cannot:
      "There are no rules yet, so that none can fire: subscribing to ruleEvent is allowed, and nothing is ever told.",
  },
  {
    section: "1.8.14",
    async told({ until, addClock, want }) {
      const notifyType = "deviceDesiredPropertiesModifyStatusChanged";
      const { deviceId } = await addClock();
      const ofIt = (serviceId: string) =>
        until(notifyType, (it) => it.deviceId === deviceId && it.serviceId === serviceId);
      await want(deviceId, "Device", { utcOffset: "+01:00" });
      expect(await ofIt("Device")).toEqual({
        ...{ notifyType, deviceId, serviceId: "Device", properties: { utcOffset: "+01:00" }, status: "DELIVERED" },
      });
      await want(deviceId, "Hands", { length: 9 }); // no resource, and no codec that could say it
      expect(await ofIt("Hands")).toEqual({
        ...{ notifyType, deviceId, serviceId: "Hands", properties: { length: 9 }, status: "FAILED" },
      });
    },
  },
  ...UPGRADE_ROWS,
];

test("1.8: every notification of the document is in the table, once, with its fields", () => {
  expect(NOTIFICATIONS.length).toBe(18);
  expect(ROWS.map(({ section }) => section)).toEqual(NOTIFICATIONS.map(({ section }) => section));
  expect(Object.entries(SHAPES).map(([section, shape]) => [section, Object.keys(shape)])).toEqual(
    NOTIFICATIONS.map(({ section, fields }) => [section, [...fields]]),
  );
  for (const { section, type } of NOTIFICATIONS)
    expect([
      section,
      misfits({ notifyType: SHAPES[section]?.notifyType ?? (() => true) }, { notifyType: type }),
    ]).toEqual([section, []]);
});

describe("1.8", () => {
  const folder = temporaryFolder();
  let islet: Awaited<ReturnType<typeof startIslet>> | undefined;
  let world: NotifiedWorld | undefined;
  beforeAll(async () => {
    islet = await startIslet({ data: folder.path, settings: NOTIFIED_SETTINGS });
    world = await furnishNotified(islet, folder.path);
  });
  afterAll(async () => {
    await world?.close();
    await islet?.stop();
    folder[Symbol.dispose]();
  });
  const furnished = (): NotifiedWorld => {
    if (!world) throw new Error("the process did not start");
    return world;
  };
  for (const row of ROWS) {
    if (!("told" in row)) continue;
    const type = NOTIFICATIONS.find(({ section }) => section === row.section)?.type ?? "command status";
    test(`${row.section} ${type}`, () => row.told(furnished()));
  }

  test("everything that was pushed is as its table says, and was pushed to the address for it", () => {
    const { received } = furnished();
    const sectionOf = (path: string) => NOTIFICATIONS.find(({ type }) => `/${type ?? "command"}` === path)?.section;
    const wrong = received.flatMap(({ path, text, headers }) => {
      const shape = SHAPES[sectionOf(path) ?? ""] ?? {};
      const type = headers.get("content-type");
      return [
        ...misfits(shape, JSON.parse(text), path),
        ...(type === "application/json" ? [] : [`${path} is ${type}`]),
      ];
    });
    expect(wrong).toEqual([]);
    const told = ROWS.filter((row) => "told" in row).map(({ section }) => section);
    expect(new Set(received.map(({ path }) => sectionOf(path) ?? path))).toEqual(new Set(told));
  });
});
