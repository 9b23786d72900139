import { expect, setDefaultTimeout, test } from "bun:test";
import { SERVICE_NOTIFY_TYPES } from "../../src/capabilities/subscriptions/notification";
import { SENSOR_PRODUCT, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

type Body = Record<string, unknown>;

// Keys of the tables 1.8.1-1.8.12, in their order; all of them are always there, null when unknown.
const INFO =
  "nodeId name description manufacturerId manufacturerName mac location deviceType model swVersion fwVersion hwVersion " +
  "protocolType bridgeId status statusDetail mute supportedSecurity isSecurity signalStrength sigVersion serialNumber batteryLevel";
const PRODUCT = "notifyType appId deviceType manufacturerName manufacturerId model protocolType";
const SERVICE = "serviceId serviceType data eventTime";
const FIELDS: Record<string, [at: string, keys: string][]> = {
  deviceAdded: [
    ["", "notifyType deviceId gatewayId nodeType deviceInfo"],
    ["deviceInfo", INFO],
  ],
  bindDevice: [
    ["", "notifyType deviceId resultCode deviceInfo"],
    ["deviceInfo", INFO],
  ],
  deviceInfoChanged: [
    ["", "notifyType deviceId gatewayId deviceInfo"],
    ["deviceInfo", INFO],
  ],
  deviceDataChanged: [
    ["", "notifyType requestId deviceId gatewayId service"],
    ["service", SERVICE],
  ],
  deviceDatasChanged: [
    ["", "notifyType requestId deviceId gatewayId services"],
    ["services.0", SERVICE],
    ["services.1", SERVICE],
  ],
  deviceDeleted: [["", "notifyType deviceId gatewayId"]],
  deviceCapabilitiesAdded: [["", PRODUCT]],
  deviceCapabilitiesChanged: [["", PRODUCT]],
  deviceCapabilitiesDeleted: [["", PRODUCT]],
  messageConfirm: [
    ["", "notifyType header body"],
    ["header", "requestId from to status timestamp"],
  ],
  commandRsp: [
    ["", "notifyType header body"],
    ["header", "requestId from to deviceId serviceType method"],
  ],
  commandStatus: [
    ["", "deviceId commandId result"],
    ["result", "resultCode resultDetail"],
  ],
};
const UTC = /^20\d{6}T\d{6}Z$/;

test("every notification has the fields of its table, in their order, and the values of what happened", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path, settings: { "devices.online_grace_ms": "0" } });
  const { app, manage, appId, productId, register } = await setUp(islet);
  for (const notifyType of SERVICE_NOTIFY_TYPES) {
    const callbackUrl = receiver.url(`/${notifyType}`);
    const subscribed = await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl });
    expect([notifyType, subscribed.status]).toEqual([notifyType, 201]);
  }
  const pushed = (path: string, fits: (body: Body) => boolean = () => true) =>
    receiver.until((body) => receiver.received.some((it) => it.path === path && it.body === body) && fits(body));

  const { deviceId, secret } = await register("notified");
  expect(await pushed("/deviceAdded")).toMatchObject({
    notifyType: "deviceAdded",
    deviceId,
    gatewayId: deviceId,
    nodeType: "ENDPOINT",
    deviceInfo: {
      nodeId: "notified",
      name: "notified",
      description: null,
      manufacturerId: "Example",
      manufacturerName: "Example",
      deviceType: "RoomSensor",
      model: "RoomSensor1",
      protocolType: "MQTT",
      status: "INACTIVE",
      statusDetail: "NOT_ACTIVE",
      mute: "FALSE",
      supportedSecurity: "FALSE",
      isSecurity: "FALSE",
      batteryLevel: null,
    },
  });

  const device = await connectDevice(islet, { deviceId, secret });
  await device.subscribeAsync(commandTopic(deviceId), { qos: 1 });
  expect(await pushed("/bindDevice")).toMatchObject({
    deviceId,
    resultCode: "succeeded",
    deviceInfo: { nodeId: "notified" },
  });
  expect(await pushed("/deviceInfoChanged")).toMatchObject({
    deviceId,
    gatewayId: deviceId,
    deviceInfo: { status: "ONLINE", statusDetail: "NONE" },
  });

  const renamed = await app("PUT", `/iocm/app/dm/v1.4.0/devices/${deviceId}`, {
    name: "Kitchen",
    location: "1st floor",
  });
  expect(renamed.status).toBe(204);
  expect(await pushed("/deviceInfoChanged", ({ deviceInfo }) => (deviceInfo as Body).name === "Kitchen")).toMatchObject(
    {
      deviceInfo: { location: "1st floor", status: "ONLINE" },
    },
  );

  const first = { temperature: 20.5, humidity: 40, battery: 90 };
  const second = { temperature: 21.5, humidity: 41, battery: 89 };
  const data = [first, second].map((serviceData, index) => ({
    serviceId: "Climate",
    serviceData,
    eventTime: `20261121T08000${index}Z`,
  }));
  await device.publishAsync(dataTopic(deviceId), JSON.stringify({ msgType: "deviceReq", data }), { qos: 1 });
  const service = (of: Body, second: number) => ({
    serviceId: "Climate",
    serviceType: "Climate",
    data: of,
    eventTime: `20261121T08000${second}Z`,
  });
  expect(await pushed("/deviceDatasChanged")).toMatchObject({
    deviceId,
    gatewayId: deviceId,
    services: [service(first, 0), service(second, 1)],
  });
  const one = await pushed("/deviceDataChanged", (body) => (body.service as Body).eventTime === "20261121T080000Z");
  const two = await pushed("/deviceDataChanged", (body) => (body.service as Body).eventTime === "20261121T080001Z");
  expect([one.service, two.service]).toEqual([service(first, 0), service(second, 1)]);
  expect(one.requestId).toMatch(/^.{1,128}$/);

  // A command of each kind.
  device.on("message", (_topic, payload) => {
    const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: { target: number } };
    const errcode = paras.target > 30 ? 1 : 0;
    device.publish(dataTopic(deviceId), JSON.stringify({ msgType: "deviceRsp", mid, errcode, body: paras }), {
      qos: 1,
    });
  });
  const signal = {
    header: { requestId: "r-1", mode: "ACK", from: "/users/7", method: "SET_TARGET" },
    body: { target: 22 },
  };
  const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;
  expect((await app("POST", path, signal)).status).toBe(202);
  expect(await pushed("/commandRsp")).toEqual({
    notifyType: "commandRsp",
    header: {
      requestId: "r-1",
      from: `/devices/${deviceId}/services/Climate`,
      to: "/users/7",
      deviceId,
      serviceType: "Climate",
      method: "SET_TARGET",
    },
    body: { target: 22 },
  });
  for (const status of ["sent", "executed"]) {
    expect(await pushed("/messageConfirm", ({ header }) => (header as Body).status === status)).toEqual({
      notifyType: "messageConfirm",
      header: {
        requestId: "r-1",
        from: `/devices/${deviceId}/services/Climate`,
        to: "/users/7",
        status,
        timestamp: expect.stringMatching(UTC),
      },
      body: {},
    });
  }
  const create = async (target: number) => {
    const { status, body } = await app<{ commandId: string; status: string }>(
      "POST",
      "/iocm/app/cmd/v1.4.0/deviceCommands",
      {
        deviceId,
        command: { serviceId: "Climate", method: "SET_TARGET", paras: { target } },
        callbackUrl: receiver.url("/commandStatus"),
      },
    );
    expect([status, body.status]).toEqual([201, "SENT"]);
    return body.commandId;
  };
  for (const [target, resultCode] of [
    [22, "SUCCESSFUL"],
    [31, "FAILED"],
  ] as const) {
    const commandId = await create(target);
    const told = await pushed(
      "/commandStatus",
      (body) => body.commandId === commandId && (body.result as Body).resultCode === resultCode,
    );
    expect(told).toEqual({ deviceId, commandId, result: { resultCode, resultDetail: { target } } });
  }

  await device.endAsync();
  expect(
    await pushed("/deviceInfoChanged", ({ deviceInfo }) => (deviceInfo as Body).status === "OFFLINE"),
  ).toMatchObject({ deviceId, deviceInfo: { statusDetail: "NONE" } });
  expect((await app("DELETE", `/iocm/app/dm/v1.4.0/devices/${deviceId}?cascade=true`)).status).toBe(204);
  expect(await pushed("/deviceDeleted")).toEqual({ notifyType: "deviceDeleted", deviceId, gatewayId: deviceId });

  // The product: changed, deleted, imported again.
  const changed = await manage("PATCH", `/products/${productId}`, { omCapability: null });
  expect(changed.status).toBe(200);
  expect((await manage("DELETE", `/products/${productId}`)).status).toBe(204);
  const product = {
    appId,
    deviceType: "RoomSensor",
    manufacturerName: "Example",
    manufacturerId: "Example",
    model: "RoomSensor1",
    protocolType: "MQTT",
  };
  expect(await pushed("/deviceCapabilitiesDeleted")).toEqual({ notifyType: "deviceCapabilitiesDeleted", ...product });
  expect((await manage("POST", `/apps/${appId}/products`, SENSOR_PRODUCT)).status).toBe(201);
  expect(await pushed("/deviceCapabilitiesAdded")).toEqual({ notifyType: "deviceCapabilitiesAdded", ...product });

  expect(new Set(receiver.received.map((it) => it.path.slice(1)))).toEqual(new Set(Object.keys(FIELDS)));
  for (const { path, body } of receiver.received) {
    for (const [at, keys] of FIELDS[path.slice(1)] ?? [["", "no such table"]]) {
      expect([path, at, Object.keys(within(body, at)).join(" ")]).toEqual([path, at, keys]);
    }
    if (path !== "/commandStatus") expect(`/${body.notifyType}`).toBe(path);
  }
});

const within = (body: Body, at: string): Body =>
  at === "" ? body : at.split(".").reduce((value, key) => value[key] as Body, body);
