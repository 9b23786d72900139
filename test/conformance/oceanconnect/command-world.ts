import { expect } from "bun:test";
import type { MqttClient } from "mqtt";
import roomSensor from "../../../docs/examples/room-sensor.json" with { type: "json" };
import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import { commandTopic, connectDevice, dataTopic } from "../../support/device";
import type { Islet } from "../../support/islet";
import { CALLER_SETTINGS, type Call, type Caller, furnishCallers } from "./callers";
import { tamper } from "./faults";
import { PATHS, UTC } from "./product-models";

/** One more than may wait for a device that sleeps. */
export const MAX_OPEN = 21;
export const COMMAND_SETTINGS = { ...CALLER_SETTINGS, "commands.max_open_per_device": `${MAX_OPEN}` };
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
const TASKS = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks";
const NOT_ASKED = { command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } } };
export const SET_TARGET = { serviceId: "Climate", method: "SET_TARGET", paras: { target: 21 } };

type Sensor = { deviceId: string; secret: string };
type Query = Readonly<Record<string, string | number>>;

/** An application with devices that sleep (LWM2M, with one command) and devices with a connection (MQTT, with another one). */
export async function furnishCommands(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, get, manage, next } = callers;
  const smoke = await addProduct(caller, smokeDetector);
  const climate = await addProduct(caller, roomSensor);
  const faulty = await callers.addFaulty(smokeDetector);
  const clients: MqttClient[] = [];

  const addSleeper = async () => {
    const call = { method: "POST", path: PATHS.byCode, body: { nodeId: next("sleeper"), productId: smoke } };
    return (await get<{ deviceId: string }>(call)).deviceId;
  };
  const addSensor = () =>
    get<Sensor>({
      ...{ method: "POST", path: PATHS.byPassword },
      body: { deviceInfo: { nodeId: next("sensor") }, productId: climate },
    });
  /** Connected until the end. Acknowledges its commands and answers with what they say, or does neither. */
  async function online({ answers = false } = {}): Promise<string> {
    const made = await addSensor();
    const client = await connectDevice(islet, made, {}, (client) =>
      client.on("message", (_topic, payload) => {
        if (!answers) return;
        const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: object };
        const answer = JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0, body: paras });
        // Not before MQTT.js has acknowledged the command.
        setTimeout(() => client.publish(dataTopic(made.deviceId), answer, { qos: 1 }));
      }),
    );
    clients.push(client);
    await client.subscribeAsync(commandTopic(made.deviceId), { qos: answers ? 1 : 0 });
    return made.deviceId;
  }
  /** Behind a gateway that has never been there. */
  async function behindGateway(): Promise<string> {
    const gateway = await addSensor();
    const asked = { nodeId: next("behind"), productId: climate, gatewayId: gateway.deviceId };
    const { status, body } = await manage<Sensor>("POST", `/apps/${caller.appId}/devices`, asked);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body.deviceId;
  }
  async function mute(deviceId: string): Promise<void> {
    const { status, body } = await manage("PATCH", `/devices/${deviceId}`, {
      mutedCommands: { Climate: ["SET_TARGET"] },
    });
    if (status !== 200) throw new Error(JSON.stringify(body));
  }

  const create = (deviceId: string, more: object = {}): Call => ({
    ...{ method: "POST", path: COMMANDS },
    body: { deviceId, ...NOT_ASKED, ...more },
  });
  const at =
    (path: string) =>
    (query: Query = {}): Call => ({
      method: "GET",
      path: `${path}?${new URLSearchParams(query as Record<string, string>)}`,
    });
  const sleeper = await addSleeper();
  return {
    ...callers,
    ...{ islet, data, smoke, climate, faulty, addSleeper, addSensor, online, behindGateway, mute },
    /** Has never been there: what it is sent waits. For rows that only need a device. */
    sleeper,
    silent: await online(),
    create,
    /** To a device with a connection. */
    createNow: (deviceId: string, more: object = {}) => create(deviceId, { command: SET_TARGET, ...more }),
    /** Waits for its device. */
    async pending(deviceId?: string, as?: Caller) {
      const call = create(deviceId ?? (await addSleeper()), { expireTime: 600 });
      return get<{ commandId: string; deviceId: string }>(call, as);
    },
    commands: at(COMMANDS),
    cancel: (commandId: string, body: unknown = { status: "CANCELED" }): Call => ({
      ...{ method: "PUT", path: `${COMMANDS}/${commandId}`, body },
    }),
    createTask: (deviceId: unknown): Call => ({ method: "POST", path: TASKS, body: { deviceId } }),
    tasks: at(TASKS),
    signal: (deviceId: string, header: object = {}, body: unknown = { target: 21 }, serviceId = "Climate"): Call => ({
      method: "POST",
      path: `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/${serviceId}/sendCommand`,
      body: { header: { mode: "ACK", method: "SET_TARGET", ...header }, body },
    }),
    /** What is stored of it makes no sense for a while. */
    damage(commandId: string) {
      const write = (paras: string) => tamper(data, "UPDATE command SET paras = ? WHERE id = ?", paras, commandId);
      write("{");
      return { [Symbol.dispose]: () => write('{"value":1}') };
    },
    close: async () => void (await Promise.all(clients.map((client) => client.endAsync()))),
  };
}
export type CommandWorld = Awaited<ReturnType<typeof furnishCommands>>;

export const ID = expect.stringMatching(/^\S{1,64}$/);

/** A command of 1.9.1 that waits, as 1.9.2, 1.9.3, 1.9.5 and 1.9.6 show it; 1.9.1 itself has no `result`. */
export const shownCommand = ({ caller: { appId } }: CommandWorld, deviceId: string, more: object = {}) => ({
  ...{ commandId: ID, appId, deviceId, ...NOT_ASKED, callbackUrl: null, expireTime: 172_800, status: "PENDING" },
  ...{ result: null, creationTime: UTC, executeTime: null, platformIssuedTime: null, deliveredTime: null },
  ...{ issuedTimes: 0, maxRetransmit: null },
  ...more,
});
/** The same of a device with a connection that has executed it. */
export const shownExecuted = (world: CommandWorld, deviceId: string) =>
  shownCommand(world, deviceId, {
    ...{ command: SET_TARGET, status: "SUCCESSFUL", issuedTimes: 1 },
    result: { resultCode: "SUCCESSFUL", resultDetail: { target: 21 } },
    ...{ executeTime: UTC, platformIssuedTime: UTC, deliveredTime: UTC },
  });
