import type { MqttClient } from "mqtt";
import roomSensor from "../../../docs/examples/room-sensor.json" with { type: "json" };
import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import smokeDetectorCodec from "../../../docs/examples/smoke-detector-codec.json" with { type: "json" };
import type { BehaviourName } from "../../../src/simulator/upgrade/behaviour";
import { CODES } from "../../../src/wire/coap";
import { startCallbackReceiver } from "../../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic } from "../../support/device";
import type { Islet } from "../../support/islet";
import { answer, level, plainDevice, readAlarm } from "../../support/nb-iot";
import { DETECTOR, firmwareFields, packageDesk, signedFirmware, signedSoftware } from "../../support/packages";
import { UPGRADE_SETTINGS, upgradableDevice } from "../../support/upgradable-device";
import { CALLER_SETTINGS, type Call, furnishCallers } from "./callers";
import { NOTIFY_TYPES } from "./notify-types";
import { PATHS, product } from "./product-models";

export type Told = Record<string, unknown>;
type Connectable = { readonly deviceId: string; readonly secret: string; readonly nodeId: string };

export const NOTIFIED_SETTINGS = {
  ...CALLER_SETTINGS,
  ...{ "devices.online_grace_ms": "0", "devices.expiry_sweep_ms": "100", "commands.ack_timeout_ms": "3000" },
  ...UPGRADE_SETTINGS,
};

const OPERATIONS = "/iodm/northbound/v1.5.0/operations";
type Started = { readonly operationId: string; readonly deviceId: string };
const STATION = product("Station", "MQTT", [
  { id: "Climate", properties: [{ name: "temperature" }] },
  { id: "Power", properties: [{ name: "battery" }] },
]);
const HUB = product("Hub", "MQTT", [{ id: "Power", properties: [{ name: "battery" }] }], "HomeGateway");
const CLOCK = product("Clock", "LWM2M", [
  { id: "Device", properties: [{ name: "utcOffset", dataType: "string", maxLength: 16 }] },
  { id: "Hands", properties: [{ name: "length" }] },
]);
const REFUSED_FROM = 100; // the smoke detector takes no higher alarm

/** An application that has subscribed to everything, with devices of all kinds. */
export async function furnishNotified(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, get, manage, next } = callers;
  const receiver = startCallbackReceiver();
  const subscribe = (path: string, notifyType: string) =>
    get({ method: "POST", path, body: { notifyType, callbackUrl: receiver.url(`/${notifyType}`) } });
  for (const it of NOTIFY_TYPES.service) await subscribe("/iocm/app/sub/v1.2.0/subscriptions", it);
  for (const it of NOTIFY_TYPES.management) await subscribe("/iodm/app/sub/v1.1.0/subscribe", it);

  const station = await addProduct(caller, STATION);
  const hub = await addProduct(caller, HUB);
  const sensor = await addProduct(caller, roomSensor);
  const detector = await addProduct(caller, smokeDetector);
  const clock = await addProduct(caller, CLOCK);
  const put = await manage("PUT", `/products/${detector}/codec`, smokeDetectorCodec);
  if (put.status !== 200) throw new Error(JSON.stringify(put.body));

  const desk = await packageDesk(islet, { manage, appId: caller.appId });
  const devices = new DisposableStack();
  const upgraded = new AsyncDisposableStack();
  const clients: MqttClient[] = [];
  async function connect(
    device: Pick<Connectable, "deviceId" | "secret">,
    prepare?: (client: MqttClient) => void,
  ): Promise<MqttClient> {
    const client = await connectDevice(islet, device, {}, prepare);
    clients.push(client);
    return client;
  }
  async function addByPassword(productId: string, what: string): Promise<Connectable> {
    const nodeId = next(what);
    const body = { deviceInfo: { nodeId }, productId };
    return {
      nodeId,
      ...(await get<{ deviceId: string; secret: string }>({ method: "POST", path: PATHS.byPassword, body })),
    };
  }
  async function addByCode(productId: string, more: object = {}) {
    const nodeId = next("nb");
    const body = { nodeId, verifyCode: nodeId, productId, ...more };
    return { nodeId, ...(await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body })) };
  }
  const ofDevice = (method: string, deviceId: string, body?: unknown): Call => ({
    ...{ method, path: `${PATHS.devices}/${deviceId}`, body },
  });

  return {
    ...callers,
    received: receiver.received,
    /** What was pushed to the address of that type and fits, as soon as it has come. */
    until: (type: string, fits: (told: Told) => boolean): Promise<Told> =>
      receiver.until((body) => (body.notifyType ?? "command") === type && fits(body)),

    addStation: () => addByPassword(station, "station"),
    connect,
    addMeter: (more: object) => addByCode(detector, more),
    /** A gateway that is connected. */
    async addHub() {
      const made = await addByPassword(hub, "hub");
      return { ...made, client: await connect(made) };
    },
    /** A station that the gateway asks for (docs/sub-devices.md). */
    async addBehind({ deviceId, client }: Connectable & { client: MqttClient }) {
      const topic = `/islet/v1/devices/${deviceId}/sub-devices`;
      const answered = Promise.withResolvers<{ deviceId: string }[]>();
      client.on("message", (on, payload) => {
        if (on === `${topic}/response`) answered.resolve(JSON.parse(payload.toString()).devices);
      });
      await client.subscribeAsync(`${topic}/response`, { qos: 1 });
      const nodeId = next("behind");
      const asked = { id: 1, type: "add", devices: [{ nodeId, productId: station }] };
      await client.publishAsync(`${topic}/request`, JSON.stringify(asked), { qos: 1 });
      return { nodeId, deviceId: (await answered.promise)[0]?.deviceId ?? "" };
    },
    modify: (deviceId: string, body: object) => get(ofDevice("PUT", deviceId, body)),
    remove: (deviceId: string) => get(ofDevice("DELETE", deviceId)),
    report: (client: MqttClient, deviceId: string, services: [id: string, data: object, eventTime: string][]) =>
      client.publishAsync(
        dataTopic(deviceId),
        JSON.stringify({
          msgType: "deviceReq",
          data: services.map(([serviceId, serviceData, eventTime]) => ({ serviceId, serviceData, eventTime })),
        }),
        { qos: 1 },
      ),

    async newProduct() {
      const model = next("Valve");
      const productId = await addProduct(
        caller,
        product(model, "CoAP", [{ id: "Valve", properties: [{ name: "x" }] }]),
      );
      return {
        model,
        change: () => manage("PATCH", `/products/${productId}`, { omCapability: null }),
        remove: () => manage("DELETE", `/products/${productId}`),
      };
    },

    /** A room sensor that acknowledges its commands, then answers with what they say: no to more than 30 degrees. */
    async addAnswering(): Promise<string> {
      const made = await addByPassword(sensor, "sensor");
      const { deviceId } = made;
      const client = await connect(made, (client) =>
        client.on("message", (_topic, payload) => {
          const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: { target: number } };
          const body = { msgType: "deviceRsp", mid, errcode: paras.target > 30 ? 1 : 0, body: paras };
          setTimeout(() => client.publish(dataTopic(deviceId), JSON.stringify(body), { qos: 1 }));
        }),
      );
      await client.subscribeAsync(commandTopic(deviceId), { qos: 1 });
      return deviceId;
    },
    /** 1.9.7; gives its requestId. */
    async signal(deviceId: string, header: object, target: number): Promise<string> {
      const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;
      const body = { header: { mode: "ACK", method: "SET_TARGET", ...header }, body: { target } };
      return (await get<{ requestId: string }>({ method: "POST", path, body })).requestId;
    },

    /** A smoke detector over CoAP that does what it is told. */
    async addDetector() {
      const { deviceId, nodeId } = await addByCode(detector);
      let isSilent = false;
      const device = devices.use(
        await plainDevice(islet, {
          ep: nodeId,
          take(payload, _copy, acknowledge) {
            if (isSilent) return;
            acknowledge();
            const { mid, value } = readAlarm(payload);
            void device.report(answer(mid, value < REFUSED_FROM ? 0 : 1, value));
          },
        }),
      );
      await device.register();
      return {
        deviceId,
        report: (value: number) => device.report(level(value)),
        keepSilent() {
          isSilent = true;
        },
      };
    },
    /** 1.9.1, with an address of its own; gives the commandId. */
    async setAlarm(deviceId: string, value: number): Promise<string> {
      const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value } };
      const body = { deviceId, command, callbackUrl: receiver.url("/command") };
      const path = "/iocm/app/cmd/v1.4.0/deviceCommands";
      return (await get<{ commandId: string }>({ method: "POST", path, body })).commandId;
    },

    /** A clock over LwM2M that takes whatever is written to it. */
    async addClock() {
      const { deviceId, nodeId } = await addByCode(clock);
      const device = devices.use(await plainDevice(islet, { ep: nodeId, answer: () => ({ code: CODES.changed }) }));
      await device.register();
      return { deviceId };
    },
    want: (deviceId: string, serviceId: string, desired: object) =>
      get({
        ...{ method: "PUT", path: `${PATHS.shadow}/${deviceId}` },
        body: { serviceDesireds: [{ serviceId, desired }] },
      }),
    /** 1.12.4 or 1.12.5, of a detector of the simulator to a version of its own. */
    async upgrade(kind: "software" | "firmware", behaviour: BehaviourName) {
      const version = next("v");
      const content = Buffer.from(`version=${version}\n${"content ".repeat(500)}`);
      const uploaded =
        kind === "software"
          ? await desk.upload(await signedSoftware(version, content, DETECTOR), { fileType: "softwarePackage" })
          : await desk.upload(await signedFirmware(content), firmwareFields(version, DETECTOR));
      const { deviceId, nodeId } = await addByCode(detector);
      upgraded.use(await upgradableDevice(islet, nodeId, behaviour));
      const body = { fileId: uploaded.body.fileId, targets: { devices: [deviceId] } };
      const call = { method: "POST", path: `${OPERATIONS}/${kind}Upgrade`, body };
      const { operationId } = await get<{ operationId: string }>(call);
      return { operationId, deviceId, version };
    },
    /** The ids that every notification of it has. */
    async subTaskOf({ operationId, deviceId }: Started) {
      const call = { method: "GET", path: `${OPERATIONS}/${operationId}/subOperations` };
      const { data } = await get<{ data: { subOperationId: string }[] }>(call);
      return { operationId, deviceId, subOperationId: data[0]?.subOperationId };
    },
    /** All of a type that were told of an upgrade, up to the one that is `last`, in their order. */
    async toldOf(type: string, { operationId }: Started, last: (told: Told) => boolean): Promise<Told[]> {
      const isOfIt = (it: Told) => it.notifyType === type && it.operationId === operationId;
      await receiver.until((it) => isOfIt(it) && last(it));
      return receiver.received.map(({ body }) => body).filter(isOfIt);
    },
    async close() {
      await upgraded.disposeAsync();
      await Promise.all(clients.map((client) => client.endAsync(true)));
      devices.dispose();
      receiver[Symbol.dispose]();
    },
  };
}
export type NotifiedWorld = Awaited<ReturnType<typeof furnishNotified>>;

/** How a notification comes about, from outside, and what it then says. */
export type NotifiedRow = { readonly section: string } & (
  | { readonly told: (world: NotifiedWorld) => Promise<void> }
  | { readonly cannot: string }
);
