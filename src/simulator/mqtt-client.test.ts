import { afterEach, beforeEach, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { type MqttClient, type MqttClientOptions, parseCommand, startMqttClient } from "./mqtt-client";
import { startStubBroker } from "./testing/stub-broker";

let broker: ReturnType<typeof startStubBroker>;
let clock: ManualClock;
let client: MqttClient | undefined;
beforeEach(() => {
  broker = startStubBroker();
  clock = manualClock();
});
afterEach(() => {
  client?.stop();
  broker.stop();
});

/** Resolves when it is online. */
async function connect(options: Partial<MqttClientOptions> = {}) {
  const online = Promise.withResolvers<void>();
  let states: string[] = [];
  const offline: (() => void)[] = [];
  client = startMqttClient({
    address: broker.address,
    credentials: { deviceId: "d_1", secret: "0123456789abcdef0123" },
    clock,
    random: () => 0,
    ...options,
    on: {
      ...options.on,
      online: online.resolve,
      offline(reason) {
        states = [...states, reason];
        for (const tell of offline.splice(0)) tell();
      },
    },
  });
  await online.promise;
  return { client, wentOffline: () => new Promise<void>((resolve) => offline.push(resolve)), reasons: () => states };
}

const command = (message: unknown, qos: 0 | 1 | 2 = 1, topic = "/huawei/v1/devices/d_1/command/json") =>
  broker.send({
    type: "publish",
    topic,
    payload: Buffer.from(JSON.stringify(message)),
    qos,
    dup: false,
    retain: false,
    packetId: qos === 0 ? 0 : 7,
  });
const texts = () => broker.of("publish").map(({ payload }) => Buffer.from(payload).toString());

test("a device logs in and asks for its commands before it is online", async () => {
  await connect({ answer: () => ({ errcode: 0 }) });
  expect(broker.of("connect")[0]).toMatchObject({
    clientId: "d_1_0_0_2026010100",
    username: "d_1",
    keepAliveSeconds: 60,
  });
  expect(broker.of("subscribe")[0]?.subscriptions).toEqual([{ filter: "/huawei/v1/devices/d_1/command/json", qos: 1 }]);
});

test("a report is done when it is acknowledged", async () => {
  const { client } = await connect();
  expect(await client.report([{ serviceId: "Lamp", serviceData: { brightness: 3 } }])).toBe(true);
  expect(await client.report([{ serviceId: "Lamp", serviceData: {} }], 2)).toBe(true);
  expect(await client.report([{ serviceId: "Lamp", serviceData: {} }], 0)).toBe(true);
  await broker.came("publish", 3);
  expect(texts()[0]).toBe('{"msgType":"deviceReq","data":[{"serviceId":"Lamp","serviceData":{"brightness":3}}]}');
  expect(broker.of("publish").map(({ qos, topic }) => [qos, topic])).toEqual([
    [1, "/huawei/v1/devices/d_1/data/json"],
    [2, "/huawei/v1/devices/d_1/data/json"],
    [0, "/huawei/v1/devices/d_1/data/json"],
  ]);
});

test("a report that the connection took with it is not acknowledged", async () => {
  const { client } = await connect();
  broker.stopAcknowledging();
  const report = client.report([{ serviceId: "Lamp", serviceData: {} }]);
  await broker.came("publish", 1);
  broker.dropAll();
  expect(await report).toBe(false);
  expect(await client.report([])).toBe(false); // offline
});

test("a command is acknowledged and answered with its mid", async () => {
  await connect({ answer: ({ cmd, paras }) => ({ errcode: 0, body: { cmd, ...paras } }) });
  command({ msgType: "cloudReq", serviceId: "Lamp", cmd: "SET", paras: { level: 1 }, mid: 77 });
  await broker.came("puback", 1);
  await broker.came("publish", 1);
  expect(texts()).toEqual(['{"msgType":"deviceRsp","mid":77,"errcode":0,"body":{"cmd":"SET","level":1}}']);
  expect(broker.of("puback")[0]?.packetId).toBe(7);
});

test("what is no command, or is for another, is acknowledged and not answered", async () => {
  const asked: string[] = [];
  await connect({
    answer({ cmd }) {
      asked.push(cmd);
      return undefined;
    },
  });
  command({ msgType: "hello" });
  command(
    { msgType: "cloudReq", mid: 1, serviceId: "Lamp", cmd: "OTHER", paras: {} },
    1,
    "/huawei/v1/devices/d_2/command/json",
  );
  command({ msgType: "cloudReq", mid: 2, serviceId: "Lamp", cmd: "QUIET", paras: {} });
  await broker.came("puback", 3);
  expect(asked).toEqual(["QUIET"]);
  expect(texts()).toEqual([]);
});

test("a command with QoS 2 goes through its four steps", async () => {
  await connect({ answer: () => ({ errcode: 1 }) });
  command({ msgType: "cloudReq", mid: 3, serviceId: "Lamp", cmd: "SET", paras: {} }, 2);
  await broker.came("pubrec", 1);
  broker.send({ type: "pubrel", packetId: 7 });
  await broker.came("pubcomp", 1);
  expect(texts()).toEqual(['{"msgType":"deviceRsp","mid":3,"errcode":1}']);
});

test("it comes back with growing gaps", async () => {
  const { wentOffline } = await connect({ reconnectMs: 1_000, maxReconnectMs: 3_000 });
  broker.refuseFromNowOn();
  let connects = 1;
  let gone = wentOffline();
  broker.dropAll();
  for (const gapMs of [1_000, 2_000, 3_000, 3_000]) {
    await gone;
    gone = wentOffline();
    await clock.advance(gapMs - 1);
    expect(broker.of("connect").length).toBe(connects);
    await clock.advance(1);
    await broker.came("connect", ++connects);
  }
  await gone;
});

test("it pings while it lives, and leaves with a goodbye", async () => {
  const { client } = await connect({ keepAliveSeconds: 40 });
  await clock.advance(29_999);
  expect(broker.of("pingreq").length).toBe(0);
  await clock.advance(1);
  await broker.came("pingreq", 1);
  client.stop();
  await broker.came("disconnect", 1);
  await clock.advance(3_600_000);
  expect(broker.of("connect").length).toBe(1);
});

const NO_COMMANDS = ["", "[]", "null", "{}", '{"msgType":"cloudReq"}', '{"msgType":"cloudReq","mid":"1","cmd":"x"}'];
test.each(NO_COMMANDS)("%p is no command", (text) => {
  expect(parseCommand(Buffer.from(text))).toBeUndefined();
});
