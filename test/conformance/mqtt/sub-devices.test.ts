import { afterEach, describe, expect, test } from "bun:test";
import type { DeviceId } from "../../../src/capabilities/devices/device";
import type { SubDeviceOutcome } from "../../../src/capabilities/devices/sub-devices";
import {
  commandTopic,
  dataTopic,
  hex,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  suback,
  subscribe,
  unsubscribe,
} from "./packets";
import { eventually, loggedIn } from "./session";
import { GATEWAY, METER, type StubOptions, type StubPlatform, SUB, startStubPlatform } from "./stub-platform";

const REQUEST = `/islet/v1/devices/${GATEWAY.deviceId}/sub-devices/request`;
const RESPONSE = `/islet/v1/devices/${GATEWAY.deviceId}/sub-devices/response`;
const ADD = JSON.stringify({ id: 7, type: "add", devices: [{ nodeId: "s" }] });
const DONE: SubDeviceOutcome[] = [{ done: true, deviceId: "p_s" as DeviceId, nodeId: "s" }];
const DONE_TEXT = '{"id":7,"type":"add","errcode":0,"devices":[{"deviceId":"p_s","nodeId":"s","errcode":0}]}';

let platform: StubPlatform;
afterEach(() => platform.stop());
async function start(options: StubOptions = {}) {
  platform = await startStubPlatform(options);
  const client = await loggedIn(platform, GATEWAY);
  client.send(subscribe(1, [RESPONSE, 1]));
  await client.expect(suback(1, 1));
  return client;
}
const asked = (count: number) => eventually(() => platform.subDeviceRuns.length === count, `${count} requests`);

describe("a gateway's request about its sub-devices", () => {
  test("is answered, and acknowledged when it is on disk", async () => {
    const client = await start();
    client.send(publish(REQUEST, ADD, { id: 5 }));
    await asked(1);
    expect(platform.subDeviceRuns[0]).toMatchObject({ gatewayNo: 2, tasks: [{ kind: "add", nodeId: "s", info: {} }] });
    expect(client.received().length).toBe(0);
    platform.subDeviceRuns[0]?.resolve(DONE);
    await client.expect(publish(RESPONSE, DONE_TEXT, { qos: 0 })); // at most once, whatever was subscribed
    await client.expect(puback(5));
    expect(platform.metrics.render()).toContain('direction="in",outcome="sub_devices"} 1');
  });

  test("may come by nodeId, and goes there too", async () => {
    platform = await startStubPlatform();
    const client = await loggedIn(platform, GATEWAY, { by: "nodeId" });
    const own = (end: string) => `/islet/v1/devices/${GATEWAY.nodeId}/sub-devices/${end}`;
    client.send(subscribe(1, [own("+"), 0]));
    await client.expect(suback(1, 0));
    client.send(publish(own("request"), ADD, { qos: 0 }));
    await asked(1);
    platform.subDeviceRuns[0]?.resolve(DONE);
    await client.expect(publish(own("response"), DONE_TEXT, { qos: 0 }));
  });

  test("is acknowledged also when nobody listens to the answer", async () => {
    const client = await start();
    client.send(unsubscribe(2, RESPONSE));
    client.send(publish(REQUEST, ADD, { id: 5 }));
    await client.expect(hex("b0020002"));
    await asked(1);
    platform.subDeviceRuns[0]?.resolve(DONE);
    await client.expect(puback(5));
    await client.expectAlive();
  });

  test("of QoS 2 is taken once", async () => {
    const client = await start();
    client.send(publish(REQUEST, ADD, { id: 5, qos: 2 }));
    await asked(1);
    platform.subDeviceRuns[0]?.resolve(DONE);
    await client.expect(publish(RESPONSE, DONE_TEXT, { qos: 0 }));
    await client.expect(pubrec(5));
    client.send(publish(REQUEST, ADD, { id: 5, qos: 2, dup: true }));
    await client.expect(pubrec(5));
    client.send(pubrel(5));
    await client.expect(pubcomp(5));
    expect(platform.subDeviceRuns.length).toBe(1);
  });

  test("keeps what comes behind it waiting: requests go one by one, and reports come after them", async () => {
    const client = await start();
    client.send(publish(REQUEST, ADD, { id: 5 }));
    client.send(publish(REQUEST, ADD, { id: 6 }));
    client.send(publish(dataTopic(SUB.deviceId), report(1), { id: 7 }));
    await asked(1);
    const bystander = await loggedIn(platform, METER);
    await bystander.expectAlive();
    expect([platform.subDeviceRuns.length, platform.store.reported.length]).toEqual([1, 0]);
    platform.subDeviceRuns[0]?.resolve(DONE);
    await asked(2);
    expect(platform.store.reported).toEqual([]);
    platform.subDeviceRuns[1]?.resolve(DONE);
    for (const id of [5, 6]) {
      await client.expect(publish(RESPONSE, DONE_TEXT, { qos: 0 }));
      await client.expect(puback(id));
    }
    await client.expect(puback(7));
    expect(platform.store.reported).toMatchObject([{ deviceNo: SUB.no }]);
  });

  test("of a hundred thousand bytes of requests one is under way, and nothing is kept for the rest", async () => {
    const client = await start();
    for (let id = 1; id <= 1_000; id++) client.send(publish(REQUEST, ADD, { id }));
    await asked(1);
    for (let done = 0; done < 1_000; done++) {
      await asked(done + 1);
      platform.subDeviceRuns[done]?.resolve(DONE);
    }
    await eventually(() => platform.metrics.render().includes('outcome="sub_devices"} 1000'));
    await client.packet();
  });

  test("that could not be stored is not acknowledged, the connection ends, and the next try is a first one", async () => {
    const client = await start();
    client.send(publish(REQUEST, ADD, { id: 5, qos: 2 }));
    await asked(1);
    platform.subDeviceRuns[0]?.reject(new Error("disk full"));
    await client.expectClosed();
    const again = await loggedIn(platform, GATEWAY);
    again.send(publish(REQUEST, ADD, { id: 5, qos: 2, dup: true }));
    await asked(2);
    platform.subDeviceRuns[1]?.resolve(DONE);
    await again.expect(pubrec(5));
  });

  test("whose gateway leaves meanwhile is finished", async () => {
    const client = await start();
    client.send(publish(REQUEST, ADD, { id: 5 }));
    await asked(1);
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 2"));
    platform.subDeviceRuns[0]?.resolve(DONE);
    await eventually(() => platform.held.get(GATEWAY.no) === 0);
  });

  test.each([
    ["not-json", '{"errcode":1,"error":"INPUT_INVALID","reason":"the payload is not JSON"}'],
    [
      '{"id":"a","type":"adopt","devices":[]}',
      '{"id":"a","errcode":1,"error":"INPUT_INVALID","reason":"type is not add, status or delete"}',
    ],
  ])("that makes no sense is acknowledged, answered and traced: %s", async (payload, answer) => {
    const client = await start();
    client.send(publish(REQUEST, payload, { id: 5 }));
    const [first, second] = [publish(RESPONSE, answer, { qos: 0 }), puback(5)];
    await client.expect(first);
    await client.expect(second);
    expect(platform.traces.at(-1)).toMatchObject({ deviceNo: 2, outcome: "failed", reason: "sub_devices_refused" });
    expect(platform.subDeviceRuns).toEqual([]);
  });

  test("tells each device's own outcome, and traces the bad ones", async () => {
    const client = await start();
    const devices = [{ nodeId: "s" }, { nodeId: 5 }, { nodeId: "t" }];
    client.send(publish(REQUEST, JSON.stringify({ type: "add", devices }), { id: 5 }));
    await asked(1);
    platform.subDeviceRuns[0]?.resolve([...DONE, { done: false, code: "NODE_ID_TAKEN", reason: undefined }]);
    const told = [
      { deviceId: "p_s", nodeId: "s", errcode: 0 },
      { errcode: 1, error: "INPUT_INVALID", reason: "nodeId is no text of 1 to 256 characters" },
      { nodeId: "t", errcode: 1, error: "NODE_ID_TAKEN" },
    ];
    const answer = JSON.stringify({ type: "add", errcode: 1, devices: told });
    await client.expect(publish(RESPONSE, answer, { qos: 0 }));
    await client.expect(puback(5));
    expect(platform.traces.filter(({ reason }) => reason === "sub_device_add_refused").length).toBe(2);
  });
});

test.each([
  `/islet/v1/devices/${METER.deviceId}/sub-devices/request`,
  `/islet/v1/devices/${SUB.deviceId}/sub-devices/request`,
  "/islet/v1/devices//sub-devices/request",
  RESPONSE,
  "/islet/v1/devices/p2_gate_way/sub-devices",
])("a gateway may not publish to %s", async (topic) => {
  const client = await start();
  client.send(publish(topic, ADD, { id: 5 }));
  await client.expectClosed();
  expect(platform.subDeviceRuns).toEqual([]);
});

test.each([
  `/islet/v1/devices/${METER.deviceId}/sub-devices/response`,
  "/islet/v1/devices/+/sub-devices/response",
  "/islet/v1/devices/#",
  "/islet/#",
])("a gateway may not subscribe to %s", async (filter) => {
  const client = await start();
  client.send(subscribe(2, [filter, 1]));
  await client.expect(suback(2, 0x80));
});

test("what a gateway publishes is never sent back to it, whatever it subscribes to", async () => {
  const client = await start();
  client.send(subscribe(2, [`/islet/v1/devices/${GATEWAY.deviceId}/#`, 1]));
  await client.expect(suback(2, 1));
  client.send(publish(REQUEST, ADD, { qos: 0 }));
  await asked(1);
  platform.subDeviceRuns[0]?.resolve(DONE);
  await client.expect(publish(RESPONSE, DONE_TEXT, { qos: 0 }));
  await client.expectAlive();
});

test("a will may not be a request", async () => {
  platform = await startStubPlatform();
  const client = await loggedIn(platform, GATEWAY, { will: { topic: REQUEST, payload: ADD } });
  client.vanish();
  await eventually(() => platform.calls.includes("disconnected 2"));
  expect(platform.subDeviceRuns).toEqual([]);
  expect(platform.traces.map(({ reason }) => reason)).toContain("will_topic_not_allowed");
});

test("a command to a sub-device that listens to binary goes through the codec of its own product", async () => {
  const client = await start({
    codecs: { encode: () => ({ kind: "bytes", bytes: hex("aabb") }) },
  });
  const topic = commandTopic(SUB.deviceId, "binary");
  client.send(subscribe(2, [topic, 0]));
  await client.expect(suback(2, 0));
  const command = { mid: 9, serviceId: "Meter", method: "SET", paras: {}, deviceId: SUB.deviceId };
  expect(await platform.listener.deviceLink.sendCommand(GATEWAY.no, command, () => {})).toBe("sent");
  await client.expect(publish(topic, hex("aabb"), { qos: 0 }));
});
