import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  bytes,
  commandTopic,
  dataTopic,
  field,
  hex,
  packet,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  suback,
  subscribe,
  uint16,
  unsuback,
  unsubscribe,
} from "./packets";
import { eventually, loggedIn } from "./session";
import { CUSTOM, GATEWAY, METER, type StubDevice, type StubPlatform, startStubPlatform } from "./stub-platform";

let platform: StubPlatform;
beforeEach(async () => {
  platform = await startStubPlatform();
});
afterEach(() => platform.stop());

const TOPIC = commandTopic(METER.deviceId);
const command = (mid: number, device: StubDevice = METER) => ({
  mid,
  serviceId: "Meter",
  method: "SET",
  paras: { value: mid },
  deviceId: device.deviceId,
});
const payloadOf = (mid: number) =>
  `{"msgType":"cloudReq","serviceId":"Meter","mid":${mid},"cmd":"SET","paras":{"value":${mid}}}`;
const send = (mid: number, delivered = () => {}, device = METER, carrierNo = device.no) =>
  platform.listener.deviceLink.sendCommand(carrierNo, command(mid, device), delivered);

describe("SUBSCRIBE", () => {
  const base = `/huawei/v1/devices/${METER.deviceId}`;
  test.each([
    ["its command topic", METER, TOPIC, 1],
    ["its command topic by nodeId", METER, commandTopic(METER.nodeId), 2],
    ["all modes of its command topic", METER, `${base}/command/+`, 0],
    ["all of its topics", METER, `${base}/#`, 1],
    ["a sub-device's command topic", GATEWAY, commandTopic("p1_sub-1"), 1],
    ["a sub-device's topics by nodeId", GATEWAY, "/huawei/v1/devices/sub-1/+/json", 1],
    ["a custom topic with the right to subscribe", CUSTOM, "$oc/devices/p3_c/user/down", 1],
    ["a custom topic with both rights", CUSTOM, "$oc/devices/p3_c/user/both", 1],
    ["all its custom topics", CUSTOM, "$oc/devices/p3_c/user/#", 1],
  ])("[MQTT-3.8.4-6] is granted as asked: %s", async (_name, device, filter, qos) => {
    const client = await loggedIn(platform, device);
    client.send(subscribe(9, [filter, qos]));
    await client.expect(suback(9, qos));
  });

  test.each([
    ["everything", METER, "#"],
    ["every device's commands", METER, "/huawei/v1/devices/+/command/json"],
    ["every device", METER, "/huawei/v1/devices/#"],
    ["another device's commands", METER, commandTopic("p1_meter-2")],
    ["a sub-device's of somebody else", METER, commandTopic("p1_sub-1")],
    ["a leading wildcard", METER, "+/huawei/v1/devices/p1_meter-1/command/json"],
    ["$SYS", METER, "$SYS/#"],
    ["a custom topic for publishing only", CUSTOM, "$oc/devices/p3_c/user/up"],
    ["a custom topic that is not defined", CUSTOM, "$oc/devices/p3_c/user/other"],
    ["custom topics of every device", CUSTOM, "$oc/devices/+/user/down"],
    ["custom topics of a product without any", METER, `$oc/devices/${METER.deviceId}/user/#`],
    ["nothing of ours", METER, "a/b"],
  ])("is refused with 128: %s", async (_name, device, filter) => {
    const client = await loggedIn(platform, device);
    client.send(subscribe(9, [filter, 1]));
    await client.expect(suback(9, 0x80));
    expect(platform.traces.at(-1)).toMatchObject({ kind: "subscribe", reason: "filter_not_allowed", detail: filter });
    await client.expectAlive();
  });

  test("[MQTT-3.8.4-1, 3.8.4-4, 3.8.4-5, 3.9.3-1, 3.9.3-2] gets one code for each filter, in their order, with its identifier [MQTT-3.8.4-2]", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(0xabcd, [TOPIC, 2], ["#", 0], [commandTopic(METER.nodeId), 0], ["x", 1]));
    await client.expect(suback(0xabcd, 2, 0x80, 0, 0x80));
  });

  test("[MQTT-3.8.4-3] an equal filter replaces the earlier one", async () => {
    const client = await loggedIn(platform);
    client.send(bytes(subscribe(1, [TOPIC, 1]), subscribe(2, [TOPIC, 0])));
    await client.expect(bytes(suback(1, 1), suback(2, 0)));
    expect(await send(5)).toBe("sent");
    await client.expect(publish(TOPIC, payloadOf(5), { qos: 0 }));
    await client.expectAlive(); // once
  });

  test("is limited in number and length", async () => {
    await platform.stop();
    platform = await startStubPlatform({ settings: { maxSubscriptions: 2, maxFilterBytes: 60 } });
    const client = await loggedIn(platform);
    const base = `/huawei/v1/devices/${METER.deviceId}`;
    client.send(
      subscribe(
        1,
        [`${base}/#`, 0],
        [`${base}/+/json`, 0],
        [TOPIC, 0],
        [`${base}/#`, 1],
        [`${base}/${"x".repeat(60)}/#`, 0],
      ),
    );
    await client.expect(suback(1, 0, 0, 0x80, 1, 0x80));
  });
});

describe("UNSUBSCRIBE", () => {
  test("[MQTT-3.10.4-2, 3.10.4-4] ends the subscription", async () => {
    const client = await loggedIn(platform);
    client.send(bytes(subscribe(1, [TOPIC, 1]), unsubscribe(7, TOPIC)));
    await client.expect(bytes(suback(1, 1), unsuback(7)));
    expect(await send(5)).toBe("unreachable");
    await client.expectAlive();
  });
  test("[MQTT-3.10.4-5] is answered when there was none", async () => {
    const client = await loggedIn(platform);
    client.send(unsubscribe(7, "a/b", TOPIC));
    await client.expect(unsuback(7));
  });
  test("[MQTT-3.10.4-1] compares character by character", async () => {
    const client = await loggedIn(platform);
    client.send(bytes(subscribe(1, [TOPIC, 0]), unsubscribe(2, `/huawei/v1/devices/${METER.deviceId}/command/+`)));
    await client.expect(bytes(suback(1, 0), unsuback(2)));
    expect(await send(5)).toBe("sent");
  });
  test("[MQTT-3.10.4-6] of several filters", async () => {
    const client = await loggedIn(platform);
    const wide = `/huawei/v1/devices/${METER.deviceId}/#`;
    client.send(bytes(subscribe(1, [TOPIC, 0], [wide, 1]), unsubscribe(2, wide, TOPIC)));
    await client.expect(bytes(suback(1, 0, 1), unsuback(2)));
    expect(await send(5)).toBe("unreachable");
  });
  test("[MQTT-3.10.4-3] a message under way is completed", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 2]));
    await client.expect(suback(1, 2));
    await send(5);
    await client.expect(publish(TOPIC, payloadOf(5), { qos: 2 }));
    client.send(unsubscribe(2, TOPIC));
    await client.expect(unsuback(2));
    client.send(pubrec(1));
    await client.expect(pubrel(1));
    client.send(pubcomp(1));
    await client.expectAlive();
  });
});

describe("a command", () => {
  test("is unreachable while the device is not connected or not subscribed", async () => {
    expect(await send(1)).toBe("unreachable");
    const client = await loggedIn(platform);
    expect(await send(1)).toBe("unreachable");
    expect(platform.traces.at(-1)).toMatchObject({ kind: "command", reason: "not_subscribed" });
    client.send(subscribe(1, [commandTopic(METER.deviceId, "binary"), 1]));
    await client.expect(suback(1, 1));
    expect(await send(1)).toBe("unreachable"); // binary needs a codec
    expect(platform.traces.at(-1)).toMatchObject({ kind: "command", reason: "codec_missing" });
    await client.expectAlive();
  });

  test("[MQTT-3.3.2-3] goes to the topic of the id that the device subscribed with", async () => {
    const client = await loggedIn(platform, METER, { by: "nodeId" });
    client.send(subscribe(1, [commandTopic(METER.nodeId), 0]));
    await client.expect(suback(1, 0));
    expect(await send(5)).toBe("sent");
    await client.expect(publish(commandTopic(METER.nodeId), payloadOf(5), { qos: 0 }));
  });

  test("[MQTT-4.3.1-1, 2.3.1-5] QoS 0: once, without identifier, never told delivered", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 0]));
    await client.expect(suback(1, 0));
    let delivered = 0;
    await send(5, () => delivered++);
    await client.expect(packet(0x30, field(TOPIC), payloadOf(5)));
    await client.expectAlive();
    expect(delivered).toBe(0);
  });

  test("at most once is QoS 0, whatever was subscribed", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 2]));
    await client.expect(suback(1, 2));
    await platform.listener.deviceLink.sendCommand(1, { ...command(5), atMostOnce: true }, () => {});
    await client.expect(publish(TOPIC, payloadOf(5), { qos: 0 }));
  });

  test("[MQTT-4.3.2-1] QoS 1: an identifier of its own until PUBACK [MQTT-2.3.1-4]; told delivered once", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 1]));
    await client.expect(suback(1, 1));
    const delivered: number[] = [];
    for (const mid of [5, 6]) await send(mid, () => delivered.push(mid));
    await client.expect(bytes(publish(TOPIC, payloadOf(5), { id: 1 }), publish(TOPIC, payloadOf(6), { id: 2 })));
    client.send(bytes(puback(2), puback(2), puback(1)));
    await client.expectAlive();
    expect(delivered).toEqual([6, 5]);
  });

  test("[MQTT-4.3.3-1, 4.6.0-4] QoS 2: PUBREL for PUBREC, in their order", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 2]));
    await client.expect(suback(1, 2));
    const delivered: number[] = [];
    for (const mid of [5, 6]) await send(mid, () => delivered.push(mid));
    await client.expect(
      bytes(publish(TOPIC, payloadOf(5), { qos: 2, id: 1 }), publish(TOPIC, payloadOf(6), { qos: 2, id: 2 })),
    );
    client.send(bytes(pubrec(1), pubrec(2), pubrec(2)));
    await client.expect(bytes(pubrel(1), pubrel(2), pubrel(2)));
    client.send(bytes(pubcomp(1), pubcomp(2), pubcomp(2)));
    await client.expectAlive();
    expect(delivered).toEqual([5, 6]);
    await send(7);
    await client.expect(publish(TOPIC, payloadOf(7), { qos: 2, id: 3 }));
  });

  test("[MQTT-3.3.5-1] comes once, with the highest QoS of the filters that match", async () => {
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 0], [`/huawei/v1/devices/${METER.deviceId}/#`, 1]));
    await client.expect(suback(1, 0, 1));
    await send(5);
    await client.expect(publish(TOPIC, payloadOf(5), { qos: 1, id: 1 }));
    await client.expectAlive();
  });

  test("to a sub-device goes through its gateway to the sub-device's topic", async () => {
    const client = await loggedIn(platform, GATEWAY);
    const sub = { no: 3, deviceId: "p1_sub-1", nodeId: "sub-1", secret: "" };
    client.send(subscribe(1, [commandTopic(sub.deviceId), 1]));
    await client.expect(suback(1, 1));
    expect(await send(5, () => {}, sub, GATEWAY.no)).toBe("sent");
    await client.expect(publish(commandTopic(sub.deviceId), payloadOf(5), { id: 1 }));
  });

  test("is refused when the device has too many unacknowledged ones", async () => {
    await platform.stop();
    platform = await startStubPlatform({ settings: { maxInflight: 2 } });
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 1]));
    await client.expect(suback(1, 1));
    expect([await send(1), await send(2), await send(3)]).toEqual(["sent", "sent", "unreachable"]);
    client.send(puback(1));
    await client.expect(bytes(publish(TOPIC, payloadOf(1), { id: 1 }), publish(TOPIC, payloadOf(2), { id: 2 })));
    await client.expectAlive();
    expect(await send(4)).toBe("sent");
  });
});

test("[MQTT-4.5.0-1] what a device publishes is never sent back to it, even when its filter matches", async () => {
  const client = await loggedIn(platform);
  client.send(subscribe(1, [`/huawei/v1/devices/${METER.deviceId}/#`, 1]));
  await client.expect(suback(1, 1));
  client.send(publish(dataTopic(METER.deviceId), report(1), { id: 2 }));
  await client.expect(puback(2));
  await client.expectAlive();
});

describe("the platform disconnects", () => {
  test.each(["device deleted", "credentials refreshed"])("%s", async (reason) => {
    const client = await loggedIn(platform);
    platform.listener.deviceLink.disconnect(1, reason);
    await client.expectClosed();
    expect(platform.listener.deviceLink.isConnected(1)).toBe(false);
    expect(platform.calls).toEqual(["connected 1", "disconnected 1"]);
  });
  test("a deleted device cannot come back, and its will is not reported", async () => {
    const client = await loggedIn(platform, METER, { will: { topic: dataTopic(METER.deviceId), payload: report(1) } });
    const live = platform.live.get(1);
    if (live) live.deleted = true;
    platform.listener.deviceLink.disconnect(1, "deleted");
    await client.expectClosed();
    expect(platform.store.reported).toEqual([]);
    await expect(loggedIn(platform)).rejects.toThrow("got 20020005");
  });
});

test("commands that went with a connection are told as lost", async () => {
  const client = await loggedIn(platform);
  platform.lost.length = 0;
  client.vanish();
  await eventually(() => platform.calls.includes("disconnected 1"));
  expect(platform.lost).toEqual([1]);
});

test("[MQTT-2.3.1-7, 2.2.2-1] SUBACK and UNSUBACK carry the identifier of their request", async () => {
  const client = await loggedIn(platform);
  client.send(bytes(subscribe(0x0102, [TOPIC, 0]), unsubscribe(0x0304, TOPIC)));
  await client.expect(bytes(hex("9003"), uint16(0x0102), 0, hex("b002"), uint16(0x0304)));
});
