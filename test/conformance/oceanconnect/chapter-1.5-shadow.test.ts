import { expect, test } from "bun:test";
import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import codec from "../../../docs/examples/smoke-detector-codec.json" with { type: "json" };
import type { Islet } from "../../support/islet";
import { level, plainDevice } from "../../support/nb-iot";
import { callerRows, NAMED_403, USUAL } from "./caller-rows";
import { CALLER_SETTINGS, type Call, furnishCallers } from "./callers";
import { testChapter } from "./chapter";
import { DEVICE_INFO, PATHS, product, UTC } from "./product-models";

/** The smoke detector of docs/examples, whose codec is there: what is `raw` cannot be written, and Siren has no properties. */
const SMOKE = structuredClone(smokeDetector) as typeof smokeDetector;
for (const property of SMOKE.servicetypes[0]?.services[0]?.properties ?? [])
  property.method = property.propertyName === "raw" ? "R" : "RW";
const siren = product("Smoke", "LWM2M", [{ id: "Siren", commands: ["SOUND"] }]);
const WITH_SIREN = {
  devicetype: {
    devices: SMOKE.devicetype.devices.map((it) => ({
      ...it,
      serviceTypeCapabilities: [
        ...it.serviceTypeCapabilities,
        ...(siren.devicetype.devices[0]?.serviceTypeCapabilities ?? []),
      ],
    })),
  },
  servicetypes: [...SMOKE.servicetypes, ...siren.servicetypes],
};
const PLAIN = product("Plain", "LWM2M", []);
const SENSOR = product("Sensor", "MQTT", [{ id: "Climate", properties: [{ name: "level" }] }]);

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, manage, next } = callers;
  const smoke = await addProduct(caller, WITH_SIREN);
  const plain = await addProduct(caller, PLAIN);
  const sensor = await addProduct(caller, SENSOR);
  const faulty = await callers.addFaulty(PLAIN);
  const add = async (productId: string) => {
    const nodeId = next("node");
    const made = await manage<{ deviceId: string }>("POST", `/apps/${caller.appId}/devices`, { nodeId, productId });
    return { nodeId, deviceId: made.body.deviceId };
  };
  const change = (deviceId: string, desired: unknown = { level: 1 }, serviceId = "Smoke"): Call => ({
    ...{ method: "PUT", path: `${PATHS.shadow}/${deviceId}` },
    body: { serviceDesireds: [{ serviceId, desired }] },
  });
  return {
    ...callers,
    ...{ islet, smoke, faulty, add, change, unknown: "nobody" },
    show: (deviceId: string): Call => ({ method: "GET", path: `${PATHS.shadow}/${deviceId}` }),
    deviceId: (await add(smoke)).deviceId,
    modelless: (await add(plain)).deviceId,
    sensorId: (await add(sensor)).deviceId,
    giveCodec: () => manage("PUT", `/products/${smoke}/codec`, codec),
  };
}
type World = Awaited<ReturnType<typeof furnish>>;
type Shadow = { services: { serviceId: string; desiredProps: object }[] };

testChapter<World>({
  chapters: ["1.5"],
  sections: ["1.5.8", "1.5.9"],
  settings: CALLER_SETTINGS,
  furnish,
  endpoints: [
    {
      section: "1.5.8",
      async works({ ask, get, add, smoke, change, show }) {
        const { deviceId } = await add(smoke);
        const both = [
          { serviceId: "Smoke", desired: { level: 65_535 } },
          { serviceId: "Smoke", desired: { note: "hello" } },
        ];
        const seen = await ask({ ...change(deviceId), body: { serviceDesireds: both } });
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, {}]);
        // As the examples of the document print it.
        const other = { ...change(deviceId, { level: 0 }), path: `${PATHS.shadow}/devices/${deviceId}` };
        expect((await ask(other)).status).toBe(200);
        const { services } = await get<Shadow>(show(deviceId));
        expect(services.map(({ desiredProps }) => desiredProps)).toEqual([{ level: 0, note: "hello" }]);
      },
      rows: [
        { line: "200 100425", provoke: ({ ask, change, modelless }) => ask(change(modelless)) },
        { line: "200 100431", provoke: ({ ask, change, deviceId }) => ask(change(deviceId, { level: 1 }, "Other")) },
        { line: "400 107002", provoke: ({ ask, change, deviceId }) => ask(change(deviceId, { level: 1 }, "Siren")) },
        { line: "400 107003", provoke: ({ ask, change, deviceId }) => ask(change(deviceId, { other: 1 })) },
        { line: "400 50400", provoke: ({ ask, change, deviceId }) => ask(change(deviceId, { level: 65_536 })) },
        { line: "403 100443", provoke: ({ ask, change, deviceId }) => ask(change(deviceId, { raw: "00" })) },
        { line: "404 100403", provoke: ({ ask, change, unknown }) => ask(change(unknown)) },
        {
          line: "404 100418",
          provoke: ({ ask, change, editable, unknown }) => ask(change(`${unknown}?appId=${editable.appId}`)),
        },
        {
          line: "500 100023",
          cannot: "A row that cannot be read is a fault inside the server like any other here, and is told as 50252.",
        },
        { line: "500 50252", provoke: ({ ask, change, faulty }) => ask(change(faulty.deviceId), faulty.owner) },
        ...callerRows<World>(({ change, deviceId }) => change(deviceId), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.5.9",
      async works({ islet, ask, get, add, change, show, smoke, giveCodec }) {
        await giveCodec();
        const { deviceId, nodeId } = await add(smoke);
        using device = await plainDevice(islet, { ep: nodeId });
        await device.register();
        await device.report(level(21));
        await get(change(deviceId, { note: "hello" }));
        const seen = await ask(show(deviceId));
        const whole = {
          ...{ deviceId, gatewayId: deviceId, nodeType: "ENDPOINT", createTime: UTC, lastModifiedTime: UTC },
          deviceInfo: {
            ...{ ...DEVICE_INFO, nodeId, name: nodeId, manufacturerId: "Example", manufacturerName: "Example" },
            ...{
              deviceType: "SmokeDetector",
              model: "SmokeDetector1",
              protocolType: "LWM2M",
              status: "ONLINE",
              statusDetail: "NONE",
            },
          },
          services: [
            {
              ...{ serviceId: "Smoke", serviceType: "Smoke", eventTime: UTC },
              ...{ reportedProps: { level: 21 }, desiredProps: { note: "hello" } },
            },
          ],
        };
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, whole]);
        expect(JSON.parse((await ask(show(`devices/${deviceId}`))).text)).toEqual(whole);
      },
      rows: [
        { line: "404 100418", provoke: ({ ask, show, unknown }) => ask(show(unknown)) },
        { line: "500 50252", provoke: ({ ask, show, faulty }) => ask(show(faulty.deviceId), faulty.owner) },
        ...callerRows<World>(({ show, deviceId }) => show(deviceId), { ...USUAL, ...NAMED_403 }),
      ],
    },
  ],
  more(world) {
    test.each([
      ["no list", {}],
      ["an empty list", { serviceDesireds: [] }],
      ["no serviceId", { serviceDesireds: [{ desired: { level: 1 } }] }],
      ["an empty serviceId", { serviceDesireds: [{ serviceId: "", desired: { level: 1 } }] }],
      ["a long serviceId", { serviceDesireds: [{ serviceId: "x".repeat(257), desired: { level: 1 } }] }],
      ["no desired", { serviceDesireds: [{ serviceId: "Smoke" }] }],
      ["an empty desired", { serviceDesireds: [{ serviceId: "Smoke", desired: {} }] }],
      ["a desired list", { serviceDesireds: [{ serviceId: "Smoke", desired: [1] }] }],
      ["a desired null", { serviceDesireds: [{ serviceId: "Smoke", desired: { level: null } }] }],
      ["a desired text for a number", { serviceDesireds: [{ serviceId: "Smoke", desired: { level: "1" } }] }],
      [
        "one of two that does not fit",
        {
          serviceDesireds: [
            { serviceId: "Smoke", desired: { level: 7 } },
            { serviceId: "Smoke", desired: { level: -1 } },
          ],
        },
      ],
    ])("1.5.8 refuses %s, and changes nothing", async (_name, body) => {
      const { ask, get, add, smoke, change, show } = world();
      const { deviceId } = await add(smoke);
      const seen = await ask({ ...change(deviceId), body });
      expect([seen.status, JSON.parse(seen.text).error_code]).toEqual([400, "50400"]);
      expect((await get<Shadow>(show(deviceId))).services).toEqual([]);
    });
    test("1.5.8 looks a serviceId of 256 characters up", async () => {
      const { ask, change, deviceId } = world();
      expect(JSON.parse((await ask(change(deviceId, { level: 1 }, "x".repeat(256)))).text).error_code).toBe("100431");
    });
    test("every property of a device without a writable shadow is forbidden, whatever it is called", async () => {
      const { ask, change, sensorId } = world();
      const seen = await ask(change(sensorId, { other: 1 }, "Other"));
      expect([seen.status, JSON.parse(seen.text).error_code]).toEqual([403, "100443"]);
    });
  },
});
