import { expect, test } from "bun:test";
import roomSensor from "../../../docs/examples/room-sensor.json" with { type: "json" };
import { connectDevice, dataTopic, report } from "../../support/device";
import type { Islet } from "../../support/islet";
import { callerRows, NAMED_403, USUAL } from "./caller-rows";
import { CALLER_SETTINGS, type Call, furnishCallers } from "./callers";
import { codeOf, testChapter } from "./chapter";
import { DEVICE_INFO, PATHS, product, UTC } from "./product-models";

const MODE = { name: "mode", dataType: "string", method: "RWE", maxLength: 8, enumList: ["hand", "auto"] };
const VALVE = product("Valve", "CoAP", [{ id: "Valve", properties: [{ name: "opening" }, MODE] }]);
const HISTORY = "/iocm/app/data/v1.2.0/deviceDataHistory";
const DESIRED = "/iocm/app/shadow/v1.5.0/deviceDesiredHistory";
const CAPABILITIES = "/iocm/app/data/v1.1.0/deviceCapabilities";
const MAX_CAPABILITY_DEVICES = 5;
const TIME = "20260102T030405Z";

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, addApplication, get, manage, next } = callers;
  const sensor = await addProduct(caller, roomSensor);
  const valve = await addProduct(caller, VALVE);
  const faulty = await callers.addFaulty(VALVE);

  const made = await get<{ deviceId: string; secret: string }>({
    ...{ method: "POST", path: PATHS.byPassword },
    body: { deviceInfo: { nodeId: "sensor-1", name: "Attic" }, productId: sensor },
  });
  const client = await connectDevice(islet, made);
  const publish = (values: Record<string, unknown>, time?: string) =>
    client.publishAsync(dataTopic(made.deviceId), report("Climate", values, time), { qos: 1 });
  await publish({ temperature: 21, humidity: 40, battery: 77 }, TIME);
  await publish({ temperature: 22.5 }, "20260102T030406Z");

  const wished = await get<{ deviceId: string }>({
    ...{ method: "POST", path: PATHS.byCode },
    body: { nodeId: "valve-1", productId: valve, imsi: "460012345678901" },
  });
  const want = (desired: object) =>
    get({
      ...{ method: "PUT", path: `${PATHS.shadow}/${wished.deviceId}` },
      body: { serviceDesireds: [{ serviceId: "Valve", desired }] },
    });
  await want({ opening: 1 });
  await want({ opening: 2, mode: "auto" });

  const many = await addApplication();
  const manyProduct = await addProduct(many, VALVE);
  for (let device = 0; device <= MAX_CAPABILITY_DEVICES; device++)
    await manage("POST", `/apps/${many.appId}/devices`, { nodeId: next("one-of-many"), productId: manyProduct });

  const list = (query: Record<string, string | number>) => `?${new URLSearchParams(query as Record<string, string>)}`;
  const at =
    (path: string) =>
    (query: Record<string, string | number> = {}): Call => ({ method: "GET", path: path + list(query) });
  return {
    ...callers,
    ...{ client, sensor, valve, faulty, many, sensorId: made.deviceId, valveId: wished.deviceId },
    devices: at(PATHS.devices),
    device: (deviceId: string, query: Record<string, string | number> = {}) =>
      at(`${PATHS.devices}/${deviceId}`)(query),
    history: at(HISTORY),
    desired: at(DESIRED),
    capabilities: at(CAPABILITIES),
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

const sensorShown = ({ sensorId }: World) => ({
  ...{ deviceId: sensorId, gatewayId: sensorId, nodeType: "ENDPOINT", createTime: UTC, lastModifiedTime: UTC },
  deviceInfo: {
    ...{ ...DEVICE_INFO, radiusIp: null, nodeId: "sensor-1", name: "Attic", manufacturerId: "Example" },
    ...{ manufacturerName: "Example", deviceType: "RoomSensor", model: "RoomSensor1", protocolType: "MQTT" },
    ...{ status: "ONLINE", statusDetail: "NONE" },
  },
  services: [
    {
      ...{ serviceId: "Climate", serviceType: "Climate", serviceInfo: { muteCmds: [] } },
      ...{ data: { temperature: 22.5, humidity: 40, battery: 77 }, eventTime: "20260102T030406Z" },
    },
  ],
  alarmInfo: null,
});
const valveShown = ({ valveId }: World) => ({
  ...{ deviceId: valveId, gatewayId: valveId, nodeType: "ENDPOINT", createTime: UTC, lastModifiedTime: UTC },
  deviceInfo: {
    ...{ ...DEVICE_INFO, radiusIp: null, nodeId: "valve-1", name: "valve-1", manufacturerId: "ACME" },
    ...{ manufacturerName: "Acme", deviceType: "Sensor", model: "Valve", protocolType: "CoAP" },
  },
  services: [],
  alarmInfo: null,
});
const withImsi = (shown: ReturnType<typeof valveShown>, imsi: string | null) => ({
  ...shown,
  deviceInfo: { ...shown.deviceInfo, imsi },
});

testChapter<World>({
  chapters: ["1.6"],
  settings: { ...CALLER_SETTINGS, "query.max_capability_devices": `${MAX_CAPABILITY_DEVICES}` },
  furnish,
  close: async ({ client }) => void (await client.endAsync()),
  endpoints: [
    {
      section: "1.6.1",
      async works(world) {
        const { ask, get, device, sensorId, valveId } = world;
        const seen = await ask(device(sensorId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, sensorShown(world)]);
        expect(await get(device(valveId))).toEqual(valveShown(world));
        expect(await get(device(valveId, { select: "imsi" }))).toEqual(withImsi(valveShown(world), "460012345678901"));
      },
      rows: [
        { line: "400 100405", provoke: ({ ask, device, sensorId }) => ask(device(sensorId, { select: "name" })) },
        { line: "404 100403", provoke: ({ ask, device }) => ask(device("nobody")) },
        {
          line: "404 100418",
          provoke: ({ ask, device, readable }) => ask(device("nobody", { appId: readable.appId })),
        },
        { line: "500 50252", provoke: ({ ask, device, faulty }) => ask(device(faulty.deviceId), faulty.owner) },
        ...callerRows<World>(({ device, sensorId }) => device(sensorId), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.6.2",
      async works(world) {
        const { ask, get, devices, sensorId } = world;
        const seen = await ask(devices({ pageNo: 0 }));
        const page = { totalCount: 2, pageNo: 0, pageSize: 25 };
        const both = [valveShown(world), sensorShown(world)];
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { ...page, devices: both }]);
        const turned = devices({ pageNo: 1, pageSize: 1, sort: "ASC", select: "imsi" });
        const second = withImsi(valveShown(world), "460012345678901");
        expect(await get(turned)).toEqual({ totalCount: 2, pageNo: 1, pageSize: 1, devices: [second] });
        expect(await get(devices({ gatewayId: sensorId }))).toMatchObject({ totalCount: 1, pageNo: 0 });
      },
      rows: [
        { line: "400 100216", provoke: ({ ask, devices }) => ask(devices({ pageNo: 0, pageSize: 251 })) },
        { line: "400 100218", provoke: ({ ask, devices }) => ask(devices({ pageSize: 10 })) },
        {
          line: "400 100405",
          cannot: "100405 and 100216 are listed for the same case, a parameter that is not legal; it is 100216 here.",
        },
        { line: "500 50252", provoke: ({ ask, devices, faulty }) => ask(devices({ pageNo: 0 }), faulty.owner) },
        ...callerRows<World>(({ devices }) => devices({ pageNo: 0 }), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.6.3",
      async works({ ask, get, history, sensorId, caller }) {
        const of = { deviceId: sensorId, gatewayId: sensorId };
        const item = { serviceId: "Climate", ...of, appId: caller.appId };
        const newest = { ...item, data: { temperature: 22.5 }, timestamp: "20260102T030406Z" };
        const oldest = { ...item, data: { temperature: 21, humidity: 40, battery: 77 }, timestamp: TIME };
        const seen = await ask(history(of));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { totalCount: 2, pageNo: 0, pageSize: 1, deviceDataHistoryDTOs: [newest] },
        ]);
        expect(await get(history({ ...of, pageSize: 2_000, startTime: TIME, endTime: TIME }))).toEqual({
          ...{ totalCount: 1, pageNo: 0, pageSize: 2_000, deviceDataHistoryDTOs: [oldest] },
        });
        expect(await get(history({ deviceId: sensorId, pageNo: 1 }))).toMatchObject({
          deviceDataHistoryDTOs: [oldest],
        });
      },
      rows: [
        {
          line: "200 100418",
          provoke: ({ ask, history }) => ask(history({ deviceId: "nobody", gatewayId: "nobody" })),
        },
        {
          line: "400 100216",
          provoke: ({ ask, history, sensorId }) => ask(history({ deviceId: sensorId, pageSize: 2_001 })),
        },
        { line: "400 100419", provoke: ({ ask, history }) => ask(history({ pageNo: 0 })) },
        {
          line: "500 50252",
          provoke: ({ ask, history, faulty }) => ask(history({ deviceId: faulty.deviceId }), faulty.owner),
        },
        ...callerRows<World>(({ history, sensorId }) => history({ deviceId: sensorId }), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.6.4",
      async works({ ask, get, desired, valveId, caller }) {
        const of = { deviceId: valveId, gatewayId: valveId };
        const item = { serviceId: "Valve", ...of, appId: caller.appId, timestamp: UTC };
        const newest = { ...item, desired: { opening: 2, mode: "auto" } };
        const oldest = { ...item, desired: { opening: 1 } };
        const seen = await ask(desired(of));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { totalCount: 2, pageNo: 0, pageSize: 25, DeviceDesiredHistoryDTO: [newest, oldest] },
        ]);
        const filtered = { ...of, serviceId: "Valve", property: "mode", pageSize: 250, startTime: TIME };
        expect(await get(desired(filtered))).toEqual({
          ...{ totalCount: 1, pageNo: 0, pageSize: 250, DeviceDesiredHistoryDTO: [newest] },
        });
        for (const none of [{ serviceId: "Other" }, { property: "other" }, { endTime: TIME }, { pageNo: 1 }])
          expect(await get(desired({ ...of, ...none }))).toMatchObject({ DeviceDesiredHistoryDTO: [] });
      },
      rows: [
        { line: "200 100203", cannot: "100203 is listed with 200, 403 and 500; here it is 403 or 500, as at 1.5.3." },
        {
          line: "400 100216",
          provoke: ({ ask, desired, valveId }) => ask(desired({ deviceId: valveId, pageSize: 251 })),
        },
        { line: "400 100419", provoke: ({ ask, desired }) => ask(desired({ serviceId: "Valve" })) },
        {
          line: "500 50252",
          provoke: ({ ask, desired, faulty }) => ask(desired({ deviceId: faulty.deviceId }), faulty.owner),
        },
        ...callerRows<World>(({ desired, valveId }) => desired({ deviceId: valveId }), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.6.5",
      async works({ ask, get, capabilities, sensorId, valveId }) {
        const bounds = (dataType: string, min: string, max: string, step: number, unit: string) => ({
          ...{ dataType, required: true, min, max, step, maxLength: null, unit, enumList: null },
        });
        const target = { paraName: "target", ...bounds("decimal", "5", "35", 0.5, "°C") };
        const climate = {
          ...{ serviceId: "Climate", serviceType: "Climate", option: "Mandatory", description: "Climate of a room" },
          commands: [
            {
              ...{ commandName: "SET_TARGET", paras: [target] },
              responses: [{ responseName: "SET_TARGET_RSP", paras: [target] }],
            },
          ],
          properties: [
            { propertyName: "temperature", method: "RW", ...bounds("decimal", "-40", "125", 0.1, "°C") },
            { propertyName: "humidity", method: "RW", ...bounds("int", "0", "100", 0.1, "%") },
            { propertyName: "battery", method: "RW", ...bounds("int", "0", "100", 0.1, "%") },
          ],
        };
        const whole = { deviceCapabilities: [{ deviceId: sensorId, serviceCapabilities: [climate] }] };
        const seen = await ask(capabilities({ deviceId: sensorId, gatewayId: sensorId }));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, whole]);
        expect(await get(capabilities({ gatewayId: sensorId }))).toEqual(whole);
        type Shown = { deviceCapabilities: { serviceCapabilities: { properties: object[] }[] }[] };
        const valve = await get<Shown>(capabilities({ deviceId: valveId }));
        expect(valve.deviceCapabilities[0]?.serviceCapabilities[0]?.properties[1]).toEqual({
          ...{ propertyName: "mode", dataType: "string", required: false, min: null, max: null, step: null },
          ...{ maxLength: 8, method: "RWE", unit: null, enumList: ["hand", "auto"] },
        });
        const all = await get<{ deviceCapabilities: { deviceId: string }[] }>(capabilities());
        expect(all.deviceCapabilities.map(({ deviceId }) => deviceId)).toEqual([valveId, sensorId]);
        expect(await get(capabilities({ deviceId: "nobody" }))).toEqual({ deviceCapabilities: [] });
      },
      rows: [
        { line: "400 100022", provoke: ({ ask, capabilities, many }) => ask(capabilities(), many) },
        {
          line: "500 50252",
          provoke: ({ ask, capabilities, faulty }) => ask(capabilities({ deviceId: faulty.deviceId }), faulty.owner),
        },
        ...callerRows<World>(({ capabilities }) => capabilities(), { ...USUAL, ...NAMED_403 }),
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    type Query = Record<string, string | number>;
    const QUERIES = {
      devices: { of: (): Query => ({ pageNo: 0 }), code: "100216" },
      history: { of: (): Query => ({ deviceId: world().sensorId }), code: "100216" },
      desired: { of: (): Query => ({ deviceId: world().valveId }), code: "100216" },
    } as const;
    test.each([
      ["devices", { pageSize: 1 }, { pageSize: 0 }],
      ["devices", { pageSize: 250 }, { pageSize: 251 }],
      ["devices", { pageNo: 2_147_483_647 }, { pageNo: 2_147_483_648 }],
      ["devices", { pageNo: 0 }, { pageNo: -1 }],
      ["devices", { nodeType: "UNKNOW" }, { nodeType: "UNKNOWN" }],
      ["devices", { nodeType: "GATEWAY" }, { nodeType: "gateway" }],
      ["devices", { status: "ABNORMAL" }, { status: "BROKEN" }],
      ["devices", { sort: "ASC" }, { sort: "UP" }],
      ["devices", { select: "imsi" }, { select: "imei" }],
      ["devices", { location: long(2_048) }, { location: long(2_049) }],
      ["devices", { name: long(256) }, { name: long(257) }],
      ["devices", { deviceType: long(256) }, { deviceType: long(257) }],
      ["devices", { startTime: TIME, endTime: TIME }, { startTime: TIME, endTime: "20260102T030404Z" }],
      ["devices", { startTime: "20240229T235959Z" }, { startTime: "20260229T000000Z" }],
      ["history", { pageSize: 1 }, { pageSize: 0 }],
      ["history", { pageSize: 2_000 }, { pageSize: 2_001 }],
      ["history", { pageNo: 0 }, { pageNo: -1 }],
      ["history", { pageNo: "1" }, { pageNo: "one" }],
      ["history", { endTime: TIME }, { endTime: "2026-01-02T03:04:05Z" }],
      ["history", { startTime: TIME, endTime: TIME }, { startTime: TIME, endTime: "20260102T030404Z" }],
      ["desired", { pageSize: 1 }, { pageSize: 0 }],
      ["desired", { pageSize: 250 }, { pageSize: 251 }],
      ["desired", { pageNo: 0 }, { pageNo: -1 }],
      ["desired", { serviceId: long(256) }, { serviceId: long(257) }],
      ["desired", { property: long(256) }, { property: long(257) }],
      ["desired", { startTime: TIME }, { startTime: "20260102T0304Z" }],
    ] as const)("%s takes %j and refuses %j", async (name, allowed, refused) => {
      const { get, ask } = world();
      const { of, code } = QUERIES[name];
      await get(world()[name]({ ...of(), ...(allowed as Query) }));
      const seen = await ask(world()[name]({ ...of(), ...(refused as Query) }));
      expect([seen.status, JSON.parse(seen.text).error_code]).toEqual([400, code]);
    });

    test.each([
      [{ nodeType: "ENDPOINT" }, 2],
      [{ nodeType: "GATEWAY" }, 0],
      [{ deviceType: "RoomSensor" }, 1],
      [{ name: "Attic" }, 1],
      [{ location: "Attic" }, 0],
      [{ status: "ONLINE" }, 1],
      [{ status: "INACTIVE", deviceType: "RoomSensor" }, 0],
      [{ startTime: TIME }, 2],
      [{ endTime: TIME }, 0],
    ])("1.6.2 filters by %j", async (filter, count) => {
      const { get, devices } = world();
      expect(await get(devices({ pageNo: 0, ...(filter as Query) }))).toMatchObject({ totalCount: count });
    });
    test.each(["history", "desired"] as const)(
      "%s of a device that is not behind that gateway is none",
      async (name) => {
        const { ask, sensorId, valveId } = world();
        const seen = await ask(world()[name]({ deviceId: sensorId, gatewayId: valveId }));
        expect([seen.status, JSON.parse(seen.text).error_code]).toEqual(
          name === "history" ? [200, "100418"] : [404, "100403"],
        );
      },
    );

    test("1.6.1 is checked in this order: caller, throttle, application, right, parameters, existence", async () => {
      const { send, ask, throttled, stranger, readable, device } = world();
      const wrong = (appId: string) => device("nobody", { select: "x", appId });
      expect([
        codeOf(await send(wrong("nobody"), {})),
        codeOf(await ask(wrong("nobody"), { ...throttled, token: "x" })),
        codeOf(await ask(wrong("nobody"), throttled)),
        codeOf(await ask(wrong("nobody"))),
        codeOf(await ask(wrong(stranger.appId))),
        codeOf(await ask(wrong(readable.appId))),
        codeOf(await ask(device("nobody", { appId: readable.appId }))),
      ]).toEqual(["100025", "1010005", "1010009", "100203", "100217", "100405", "100418"]);
    });
  },
});
