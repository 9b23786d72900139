import { connectDevice } from "../../support/device";
import { eventually } from "../../support/eventually";
import type { Islet } from "../../support/islet";
import { CALLER_SETTINGS, type Call, type Caller, furnishCallers } from "./callers";
import { PATHS, product } from "./product-models";

const METER = product("Meter", "CoAP", [{ id: "Meter", properties: [{ name: "level" }] }]);
const SENSOR = product("Sensor", "MQTT", [{ id: "Climate", properties: [{ name: "level" }] }]);
const HUB = product("Hub", "MQTT", [{ id: "Manage", commands: ["REMOVE"] }], "HomeGateway");
const MAX_DEVICES = 60;
const MAX_NON_SECURE = 50;
export const MAX_FROZEN = 2;

export const DEVICE_SETTINGS = {
  ...CALLER_SETTINGS,
  "devices.online_grace_ms": "10",
  "devices.max_devices": `${MAX_DEVICES}`,
  "devices.max_non_secure_devices": `${MAX_NON_SECURE}`,
  "devices.max_frozen_devices": `${MAX_FROZEN}`,
};

/** What the rows of 1.5.1 to 1.5.7 need: products, devices in their states, applications at their limits. */
export async function furnishDevices(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, addApplication, get, next } = callers;
  const meter = await addProduct(caller, METER);
  const sensor = await addProduct(caller, SENSOR);
  const hub = await addProduct(caller, HUB);
  const faulty = await callers.addFaulty(METER);
  callers.refuseToStore();

  const newMeter = (more: object = {}): Call & { body: object } => ({
    ...{ method: "POST", path: PATHS.byCode },
    body: { nodeId: next("node"), productId: meter, ...more },
  });
  const newSensor = (nodeId = next("node"), more: object = {}): Call & { body: object } => ({
    ...{ method: "POST", path: PATHS.byPassword },
    body: { deviceInfo: { nodeId }, productId: sensor, ...more },
  });
  const addMeter = async (more: object = {}) => (await get<{ deviceId: string }>(newMeter(more))).deviceId;
  const addSensor = async (nodeId = next("node")) => ({
    nodeId,
    ...(await get<{ deviceId: string; secret: string }>(newSensor(nodeId))),
  });
  /** Connected: for the row only. */
  const online = async () => {
    const device = await addSensor();
    const client = await connectDevice(islet, device);
    return {
      ...device,
      async [Symbol.asyncDispose]() {
        await client.endAsync();
      },
    };
  };
  /** Has been connected. */
  const visited = async () => {
    const device = await online();
    await device[Symbol.asyncDispose]();
    const shown = () =>
      get<{ deviceInfo: { status: string } }>({ method: "GET", path: `${PATHS.devices}/${device.deviceId}` });
    await eventually(shown, ({ deviceInfo }) => deviceInfo.status === "OFFLINE");
    return device;
  };
  /** An application of its own with so many devices. */
  async function filled(count: number, isSecure: boolean) {
    const owner = await addApplication();
    const productId = await addProduct(owner, METER);
    const add = (secure: boolean) => get<{ deviceId: string }>(newMeter({ productId, isSecure: secure }), owner);
    await Promise.all(Array.from({ length: count }, () => add(isSecure)));
    return { owner, productId, add };
  }
  const full = await filled(MAX_DEVICES, true);
  const nonSecure = await filled(MAX_NON_SECURE, false);
  return {
    ...callers,
    ...{ islet, meter, sensor, hub, faulty, full, nonSecure },
    ...{ newMeter, newSensor, addMeter, addSensor, online, visited, unknown: "nobody" },
    /** For rows that change nothing: one that is there, and has never connected. */
    meterId: await addMeter(),
    refresh: (deviceId: string, body: unknown = {}): Call => ({
      method: "PUT",
      path: `${PATHS.byCode}/${deviceId}`,
      body,
    }),
    modify: (deviceId: string, body: unknown = {}): Call => ({
      method: "PUT",
      path: `${PATHS.devices}/${deviceId}`,
      body,
    }),
    show: (deviceId: string): Call => ({ method: "GET", path: `${PATHS.devices}/${deviceId}` }),
    remove: (deviceId: string): Call => ({ method: "DELETE", path: `${PATHS.devices}/${deviceId}` }),
    activation: (deviceId: string): Call => ({ method: "GET", path: `${PATHS.byCode}/${deviceId}` }),
  };
}
export type DeviceWorld = Awaited<ReturnType<typeof furnishDevices>>;

/** Names another application as the owner. */
export const named = (call: Call, { appId }: Pick<Caller, "appId">): Call => ({
  ...call,
  path: `${call.path}?appId=${appId}`,
});
