import { describe, expect, test } from "bun:test";
import { failing, harness } from "./testing/harness";
import { REQUESTS } from "./testing/requests";
import { device, NOTIFIED_INFO } from "./testing/samples";

const LIST = "/iocm/app/dm/v1.4.0/devices";
const CAPABILITIES = "/iocm/app/data/v1.1.0/deviceCapabilities";
const DEVICE = {
  deviceId: "p1_node-1",
  gatewayId: "p1_node-1",
  nodeType: "UNKNOW",
  createTime: "20260102T030405Z",
  lastModifiedTime: "20260102T030505Z",
  deviceInfo: { ...NOTIFIED_INFO, radiusIp: null },
  services: [
    {
      serviceId: "Battery",
      serviceType: "BatteryType",
      serviceInfo: { muteCmds: ["SET"] },
      data: { level: 7 },
      eventTime: "20260102T030405Z",
    },
  ],
  alarmInfo: null,
};

describe("1.6.1", () => {
  const { path } = REQUESTS["1.6.1"];
  test("shows one device with its newest data", async () => {
    const { status, json } = await harness().call("GET", path);
    expect([status, json]).toEqual([200, DEVICE]);
  });
  test("shows the IMSI only to who asks for it", async () => {
    expect((await harness().call("GET", `${path}?select=imsi`)).json.deviceInfo).toEqual({
      ...NOTIFIED_INFO,
      radiusIp: null,
      imsi: "46001",
    });
  });
  test("refuses to select anything else", async () => {
    const h = harness();
    expect(await h.call("GET", `${path}?select=psk`)).toMatchObject({ status: 400, json: { error_code: "100405" } });
    expect(h.devices.get).not.toHaveBeenCalled();
  });
  test("a service that the model does not know is its own type", async () => {
    const h = harness();
    h.products.compiled.mockReturnValue(undefined);
    expect((await h.call("GET", path)).json.services[0].serviceType).toBe("Battery");
  });
});

describe("1.6.2", () => {
  test("lists with the defaults of the document", async () => {
    const h = harness();
    const { status, json } = await h.call("GET", `${LIST}?pageNo=0`);
    expect([status, json]).toEqual([200, { totalCount: 1, pageNo: 0, pageSize: 25, devices: [DEVICE] }]);
    expect(h.devices.list.mock.calls as unknown[]).toEqual([["app-1", { sort: "DESC", page: 0, pageSize: 25 }]]);
    expect(h.shadow.ofMany.mock.calls).toEqual([[[device.no]]]); // one look for the whole page
  });
  test("hands on every filter", async () => {
    const h = harness();
    const query =
      "gatewayId=g&nodeType=GATEWAY&deviceType=T&location=%E5%8C%97&name=a+b&pageNo=2&pageSize=250&status=ABNORMAL" +
      "&startTime=20260101T000000Z&endTime=20260101T000000Z&sort=ASC&select=imsi";
    expect((await h.call("GET", `${LIST}?${query}`)).json.devices[0].deviceInfo.imsi).toBe("46001");
    const start = Date.UTC(2026, 0, 1);
    expect(h.devices.list.mock.calls as unknown[]).toEqual([
      [
        "app-1",
        {
          gatewayId: "g",
          nodeType: "GATEWAY",
          deviceType: "T",
          location: "北",
          name: "a b",
          status: "ABNORMAL",
          startMs: start,
          endMs: start + 999, // the whole second belongs to it
          sort: "ASC",
          page: 2,
          pageSize: 250,
        },
      ],
    ]);
  });
  test("needs no page number beside a gateway", async () => {
    const h = harness();
    expect((await h.call("GET", `${LIST}?gatewayId=g`)).json.pageNo).toBe(0);
  });
  test.each([
    ["", "100218"],
    ["pageNo=&gatewayId=", "100218"],
    ["pageNo=-1", "100216"],
    ["pageNo=x", "100216"],
    ["pageNo=1.5", "100216"],
    ["pageNo=0&pageSize=0", "100216"],
    ["pageNo=0&pageSize=251", "100216"],
    ["pageNo=0&status=online", "100216"],
    ["pageNo=0&nodeType=UNKNOWN", "100216"],
    ["pageNo=0&sort=UP", "100216"],
    ["pageNo=0&select=mac", "100216"],
    ["pageNo=0&startTime=2026-01-01", "100216"],
    ["pageNo=0&endTime=20260231T000000Z", "100216"],
    ["pageNo=0&startTime=20260102T000000Z&endTime=20260101T235959Z", "100216"],
    ["pageNo=0&name=%ff", "100216"],
    ["pageNo=0&pageNo=1", "100216"],
  ])("refuses %p", async (query, code) => {
    const h = harness();
    expect(await h.call("GET", `${LIST}?${query}`)).toMatchObject({ status: 400, json: { error_code: code } });
    expect(h.devices.list).not.toHaveBeenCalled();
  });
});

describe("1.6.5", () => {
  const battery = {
    serviceId: "Battery",
    serviceType: "Battery",
    option: "Mandatory",
    description: "state of charge",
    commands: [
      {
        commandName: "SET",
        paras: [
          {
            paraName: "mode",
            dataType: "string",
            required: false,
            min: null,
            max: null,
            step: null,
            maxLength: 8,
            unit: null,
            enumList: ["ECO", "FULL"],
          },
        ],
        responses: [{ responseName: "SET_RSP", paras: [] }],
      },
    ],
    properties: [
      {
        propertyName: "level",
        dataType: "int",
        required: true,
        min: "0",
        max: "100",
        step: 0.5,
        maxLength: null,
        method: "RW",
        unit: "%",
        enumList: null,
      },
    ],
  };
  test.each(["deviceId=p1_node-1", "gatewayId=p1_node-1", "deviceId=p1_node-1&gatewayId=p1_node-1", ""])(
    "%p shows what the model defines",
    async (query) => {
      expect(await harness().call("GET", `${CAPABILITIES}?${query}`)).toMatchObject({
        status: 200,
        json: { deviceCapabilities: [{ deviceId: "p1_node-1", serviceCapabilities: [battery] }] },
      });
    },
  );
  test.each(["deviceId=nobody", "gatewayId=nobody", "deviceId=p1_node-1&gatewayId=other"])(
    "%p finds nothing",
    async (query) => {
      const { status, json } = await harness().call("GET", `${CAPABILITIES}?${query}`);
      expect([status, json]).toEqual([200, { deviceCapabilities: [] }]);
    },
  );
  test("does not cut a list short: it asks for a narrower query", async () => {
    const h = harness({ maxCapabilityDevices: 1 });
    h.devices.list.mockReturnValue({ items: [device, device], total: 9 });
    expect(await h.call("GET", CAPABILITIES)).toMatchObject({ status: 400, json: { error_code: "100022" } });
  });
  test("a device without a product has no capabilities", async () => {
    const h = harness();
    h.devices.find.mockReturnValue({ ...device, productNo: undefined, productId: undefined });
    expect((await h.call("GET", `${CAPABILITIES}?deviceId=d`)).json.deviceCapabilities).toEqual([
      { deviceId: "p1_node-1", serviceCapabilities: [] },
    ]);
  });
});

describe("1.6.3", () => {
  const HISTORY = "/iocm/app/data/v1.2.0/deviceDataHistory";
  const record = {
    serviceId: "Battery",
    deviceId: "p1_node-1",
    gatewayId: "p1_node-1",
    appId: "app-1",
    data: { level: 7 },
    timestamp: "20260102T030405Z",
  };
  test.each(["deviceId=p1_node-1", "gatewayId=p1_node-1", "deviceId=p1_node-1&gatewayId=p1_node-1"])(
    "%p shows one record a page unless more is asked for",
    async (query) => {
      const h = harness();
      const { status, json } = await h.call("GET", `${HISTORY}?${query}`);
      expect([status, json]).toEqual([200, { totalCount: 1, pageNo: 0, pageSize: 1, deviceDataHistoryDTOs: [record] }]);
      expect(h.history.page.mock.calls).toEqual([
        [{ deviceNos: [device.no], fromMs: undefined, toMs: undefined, page: 0, pageSize: 1 }],
      ]);
    },
  );
  test("hands on page and period", async () => {
    const h = harness();
    const query = "deviceId=p1_node-1&pageNo=3&pageSize=2000&startTime=20260101T000000Z&endTime=20260101T000001Z";
    await h.call("GET", `${HISTORY}?${query}`);
    const fromMs = Date.UTC(2026, 0, 1);
    expect(h.history.page.mock.calls).toEqual([
      [{ deviceNos: [device.no], fromMs, toMs: fromMs + 1_999, page: 3, pageSize: 2_000 }],
    ]);
  });
  test.each([
    ["", 400, "100419"],
    ["deviceId=&gatewayId=", 400, "100419"],
    ["deviceId=nobody", 200, "100418"],
    ["gatewayId=nobody", 200, "100418"],
    ["deviceId=p1_node-1&gatewayId=other", 200, "100418"],
    ["deviceId=p1_node-1&pageSize=2001", 400, "100216"],
    ["deviceId=p1_node-1&pageSize=0", 400, "100216"],
    ["deviceId=p1_node-1&pageNo=-1", 400, "100216"],
    ["deviceId=p1_node-1&startTime=now", 400, "100216"],
    ["deviceId=p1_node-1&startTime=20260102T000000Z&endTime=20260101T000000Z", 400, "100216"],
    ["deviceId=nobody&pageSize=2001", 400, "100216"],
    ["deviceId=p1_node-1&deviceId=p2", 400, "100216"],
  ])("%p is %d %s", async (query, status, code) => {
    const h = harness();
    expect(await h.call("GET", `${HISTORY}?${query}`)).toMatchObject({ status, json: { error_code: code } });
    expect(h.history.page).not.toHaveBeenCalled();
  });
  test("a page that would be too large asks for a smaller one", async () => {
    const h = harness();
    h.history.page.mockImplementation(failing("RESULT_TOO_LARGE"));
    expect(await h.call("GET", `${HISTORY}?deviceId=p1_node-1`)).toMatchObject({
      status: 400,
      json: { error_code: "100216" },
    });
  });
  test("a gateway with too many devices is not cut short", async () => {
    const h = harness({ maxHistoryDevices: 1 });
    h.devices.behindGateway.mockReturnValue([device, device]);
    expect(await h.call("GET", `${HISTORY}?gatewayId=g`)).toMatchObject({
      status: 400,
      json: { error_code: "100216" },
    });
    expect(h.history.page).not.toHaveBeenCalled();
  });
});
