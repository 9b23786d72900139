import { describe, expect, test } from "bun:test";
import type { DesiredProperty } from "../../capabilities/shadow/desired";
import { failing, harness } from "./testing/harness";
import { REQUESTS } from "./testing/requests";
import { CREATED_AT, device, NOTIFIED_INFO } from "./testing/samples";

const SHADOW_PATHS = ["/iocm/app/shadow/v1.5.0/devices/p1_node-1", "/iocm/app/shadow/v1.5.0/devices/devices/p1_node-1"];
const property = (value: unknown): DesiredProperty => ({
  value,
  setAtMs: CREATED_AT + 60_000,
  delivery: { state: "waiting", tries: 0 },
});

describe("1.5.8", () => {
  const { path } = REQUESTS["1.5.8"];
  test.each(SHADOW_PATHS)("hands on what is desired, at %s", async (at) => {
    const h = harness();
    const serviceDesireds = [
      { serviceId: "Battery", desired: { level: 35, "Model Number": "x", list: [1] } },
      { serviceId: "x".repeat(256), desired: {} },
    ];
    const answer = await h.call("PUT", at, { serviceDesireds });
    expect([answer.status, answer.text]).toEqual([200, "{}"]);
    expect(h.desired.want.mock.calls).toEqual([[device, serviceDesireds]]);
  });
  test.each([
    [{}, "serviceDesireds"],
    [{ serviceDesireds: null }, "serviceDesireds"],
    [{ serviceDesireds: [] }, "serviceDesireds"],
    [{ serviceDesireds: {} }, "serviceDesireds"],
    [{ serviceDesireds: [{ desired: {} }] }, "serviceDesireds.0.serviceId"],
    [{ serviceDesireds: [{ serviceId: "", desired: {} }] }, "serviceDesireds.0.serviceId"],
    [{ serviceDesireds: [{ serviceId: "x".repeat(257), desired: {} }] }, "serviceDesireds.0.serviceId"],
    [{ serviceDesireds: [{ serviceId: "Battery" }] }, "serviceDesireds.0.desired"],
    [{ serviceDesireds: [{ serviceId: "Battery", desired: [] }] }, "serviceDesireds.0.desired"],
    [{ serviceDesireds: [{ serviceId: "Battery", desired: "{}" }] }, "serviceDesireds.0.desired"],
  ])("not with %j", async (body, field) => {
    const h = harness();
    const answer = await h.call("PUT", path, body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400", error_desc: "The input is invalid." } });
    expect(answer.json.error_detail.issues[0].field).toBe(field);
    expect([h.devices.get.mock.calls.length, h.effects()]).toEqual([0, 0]);
  });
  test.each([
    ["SHADOW_MODEL_MISSING", 200, "100425", "The special deviceCapability is not exist."],
    ["SERVICE_NOT_FOUND", 200, "100431", "The serviceType is not exist."],
    ["SHADOW_PROPERTIES_EMPTY", 400, "107002", "The properties is empty in database."],
    ["SHADOW_PROPERTIES_UNKNOWN", 400, "107003", "The request properties is unknown."],
    ["INPUT_INVALID", 400, "50400", "The input is invalid."],
    ["PROPERTY_NOT_WRITABLE", 403, "100443", "The property is forbidden to write."],
    ["DEVICE_NOT_FOUND", 404, "100403", "The device is not existed."],
  ] as const)("%s is %d %s", async (code, status, error_code, error_desc) => {
    const h = harness();
    h.desired.want.mockImplementation(failing(code));
    const { method, body } = REQUESTS["1.5.8"];
    expect(await h.call(method, path, body)).toMatchObject({ status, json: { error_code, error_desc } });
    expect(h.faults).toEqual([]);
  });
});

describe("1.5.9", () => {
  const battery = {
    serviceId: "Battery",
    reportedProps: { level: 7 },
    desiredProps: {},
    eventTime: "20260102T030405Z",
    serviceType: "BatteryType",
  };
  const whole = (...services: unknown[]) => ({
    deviceId: "p1_node-1",
    gatewayId: "p1_node-1",
    nodeType: "UNKNOW",
    createTime: "20260102T030405Z",
    lastModifiedTime: "20260102T030505Z",
    deviceInfo: NOTIFIED_INFO, // its table has neither radiusIp nor imsi
    services,
  });
  test.each(SHADOW_PATHS)("shows the shadow at %s, field by field", async (path) => {
    const { status, text } = await harness().call("GET", path);
    expect([status, text]).toEqual([200, JSON.stringify(whole(battery))]);
  });
  test("shows what is desired beside what was reported, and what was only desired with its own time", async () => {
    const h = harness();
    const setAtMs = CREATED_AT + 60_000;
    h.desired.of.mockReturnValue([
      { serviceId: "Alarm", properties: { on: property(true) }, setAtMs },
      { serviceId: "Battery", properties: { level: property(9), "Model Number": property("x") }, setAtMs },
    ]);
    const { json } = await h.call("GET", SHADOW_PATHS[0] as string);
    expect(json).toEqual(
      whole(
        { ...battery, desiredProps: { level: 9, "Model Number": "x" } },
        {
          serviceId: "Alarm",
          reportedProps: {},
          desiredProps: { on: true },
          eventTime: "20260102T030505Z",
          serviceType: "Alarm",
        },
      ),
    );
  });
});

test.each(["1.5.8", "1.5.9"] as const)("%s has words of its own for a wrong token", async (section) => {
  const { method, path, body } = REQUESTS[section];
  const answer = await harness().call(method, path, body, { app_key: "app-1" });
  expect(answer.json).toMatchObject({ error_code: "1010005", error_desc: "pp_key or access_token is invalid." });
});

describe("1.6.4", () => {
  const HISTORY = "/iocm/app/shadow/v1.5.0/deviceDesiredHistory";
  const record = {
    serviceId: "Battery",
    deviceId: "p1_node-1",
    gatewayId: "p1_node-1",
    appId: "app-1",
    desired: { level: 35 },
    timestamp: "20260102T030405Z",
  };
  test.each(["deviceId=p1_node-1", "gatewayId=p1_node-1", "deviceId=p1_node-1&gatewayId=p1_node-1"])(
    "%p shows what was desired, 25 changes a page",
    async (query) => {
      const h = harness();
      const { status, text } = await h.call("GET", `${HISTORY}?${query}`);
      const page = { totalCount: 1, pageNo: 0, pageSize: 25, DeviceDesiredHistoryDTO: [record] };
      expect([status, text]).toEqual([200, JSON.stringify(page)]);
      expect(h.desired.history.mock.calls).toEqual([
        [
          {
            deviceNos: [device.no],
            serviceId: undefined,
            property: undefined,
            fromMs: undefined,
            toMs: undefined,
            page: 0,
            pageSize: 25,
          },
        ],
      ]);
    },
  );
  test("hands on filters, page and period", async () => {
    const h = harness();
    const filters = "serviceId=Battery&property=Model+Number&pageNo=3&pageSize=250";
    await h.call("GET", `${HISTORY}?deviceId=p1_node-1&${filters}&startTime=20260101T000000Z&endTime=20260101T000001Z`);
    const fromMs = Date.UTC(2026, 0, 1);
    expect(h.desired.history.mock.calls).toEqual([
      [
        {
          deviceNos: [device.no],
          serviceId: "Battery",
          property: "Model Number",
          fromMs,
          toMs: fromMs + 1_999,
          page: 3,
          pageSize: 250,
        },
      ],
    ]);
  });
  test.each([
    ["", 400, "100419"],
    ["deviceId=&gatewayId=", 400, "100419"],
    ["deviceId=nobody", 404, "100403"],
    ["gatewayId=nobody", 404, "100403"],
    ["deviceId=p1_node-1&gatewayId=other", 404, "100403"],
    ["deviceId=nobody&appId=app-1", 404, "100418"],
    ["deviceId=p1_node-1&pageSize=251", 400, "100216"],
    ["deviceId=p1_node-1&pageSize=0", 400, "100216"],
    ["deviceId=p1_node-1&pageNo=-1", 400, "100216"],
    ["deviceId=p1_node-1&startTime=now", 400, "100216"],
    ["deviceId=p1_node-1&startTime=20260102T000000Z&endTime=20260101T000000Z", 400, "100216"],
    ["deviceId=nobody&pageSize=251", 400, "100216"],
    ["deviceId=p1_node-1&property=a&property=b", 400, "100216"],
  ])("%p is %d %s", async (query, status, code) => {
    const h = harness();
    expect(await h.call("GET", `${HISTORY}?${query}`)).toMatchObject({ status, json: { error_code: code } });
    expect(h.desired.history).not.toHaveBeenCalled();
  });
  test("a gateway with too many devices is not cut short", async () => {
    const h = harness({ maxHistoryDevices: 1 });
    h.devices.behindGateway.mockReturnValue([device, device]);
    expect(await h.call("GET", `${HISTORY}?gatewayId=g`)).toMatchObject({
      status: 400,
      json: { error_code: "100216" },
    });
  });
});
