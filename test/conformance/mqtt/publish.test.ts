import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  answer,
  bytes,
  commandTopic,
  dataTopic,
  hex,
  PINGREQ,
  PINGRESP,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  suback,
  subscribe,
} from "./packets";
import { eventually, loggedIn } from "./session";
import { CUSTOM, GATEWAY, METER, type StubPlatform, startStubPlatform } from "./stub-platform";

let platform: StubPlatform;
beforeEach(async () => {
  platform = await startStubPlatform();
});
afterEach(() => platform.stop());

const TOPIC = dataTopic(METER.deviceId);
const values = () => platform.store.reported.map(({ reports }) => reports[0]?.data.value);

describe("a report is acknowledged as its QoS asks [MQTT-3.3.4-1]", () => {
  test("[MQTT-4.3.1-1] QoS 0: not at all", async () => {
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, report(1), { qos: 0 }));
    await client.expectAlive();
    await eventually(() => values().length === 1);
    await client.expectAlive();
  });
  test("[MQTT-4.3.2-2] QoS 1: PUBACK with its identifier [MQTT-2.3.1-6], when it is on disk", async () => {
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, report(1), { id: 0x1234 }));
    await client.expectAlive(); // PINGRESP, and no PUBACK before it
    platform.store.commit();
    await client.expect(puback(0x1234));
  });
  test("[MQTT-4.3.2-2] QoS 1: a repeated identifier is a new message", async () => {
    const client = await loggedIn(platform);
    for (const value of [1, 2]) {
      client.send(publish(TOPIC, report(value), { id: 5, dup: value === 2 }));
      await client.expect(puback(5));
    }
    expect(values()).toEqual([1, 2]);
  });
  test("[MQTT-4.3.3-2] QoS 2: taken once, however often it is sent before PUBREL", async () => {
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, report(1), { id: 9, qos: 2 }));
    await client.expect(pubrec(9));
    client.send(publish(TOPIC, report(1), { id: 9, qos: 2, dup: true }));
    await client.expect(pubrec(9));
    client.send(pubrel(9));
    await client.expect(pubcomp(9));
    expect(values()).toEqual([1]);
  });
  test("[MQTT-4.3.3-2] QoS 2: repeated before it is on disk, it is still taken once", async () => {
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    client.send(
      bytes(publish(TOPIC, report(1), { id: 9, qos: 2 }), publish(TOPIC, report(1), { id: 9, qos: 2, dup: true })),
    );
    await client.expectAlive();
    platform.store.commit();
    await client.expect(bytes(pubrec(9), pubrec(9)));
    expect(values()).toEqual([1]);
  });
  test("[MQTT-4.3.3-2] QoS 2: after PUBREL the identifier is a new message's", async () => {
    const client = await loggedIn(platform);
    for (const value of [1, 2]) {
      client.send(publish(TOPIC, report(value), { id: 9, qos: 2 }));
      await client.expect(pubrec(9));
      client.send(pubrel(9));
      await client.expect(pubcomp(9));
    }
    expect(values()).toEqual([1, 2]);
  });
  test("[MQTT-4.3.3-2] a PUBREL that fits nothing gets its PUBCOMP", async () => {
    const client = await loggedIn(platform);
    client.send(pubrel(77));
    await client.expect(pubcomp(77));
  });
  test("acknowledgements that fit nothing change nothing", async () => {
    const client = await loggedIn(platform);
    client.send(bytes(puback(1), pubcomp(2)));
    await client.expectAlive();
    client.send(pubrec(3));
    await client.expect(pubrel(3)); // it would wait for ever otherwise
  });
});

describe("[MQTT-4.6.0-2, 4.6.0-3] acknowledgements come in the order of the messages", () => {
  test("many in one commit", async () => {
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    const ids = Array.from({ length: 3_000 }, (_, index) => index + 1).reverse();
    client.send(bytes(...ids.map((id) => publish(TOPIC, report(id), { id }))));
    await eventually(() => platform.store.waiting() === ids.length);
    platform.store.commit();
    await client.expect(bytes(...ids.map(puback)));
    expect(values()).toEqual(ids);
  });
  test("behind a command answer that is stored late", async () => {
    platform.holdAnswers = true;
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, report(1), { id: 1 }));
    await client.expect(puback(1));
    client.send(
      bytes(
        publish(TOPIC, answer(5), { id: 2 }),
        publish(TOPIC, report(3), { id: 3 }),
        publish(TOPIC, answer(6), { id: 4 }),
        publish(TOPIC, report(5), { id: 5, qos: 2 }),
      ),
    );
    await eventually(() => values().length === 3);
    await client.expectAlive();
    platform.answers[1]?.resolve(); // the second answer overtakes the first
    await client.expectAlive();
    platform.answers[0]?.resolve();
    await client.expect(bytes(puback(2), puback(3), puback(4), pubrec(5)));
  });
  test("an answer that is stored before its turn waits for it", async () => {
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    client.send(bytes(publish(TOPIC, report(1), { id: 1 }), publish(TOPIC, answer(5), { id: 2 })));
    await eventually(() => platform.answers.length === 1);
    await client.expectAlive();
    platform.store.commit();
    await client.expect(bytes(puback(1), puback(2)));
  });
});

describe("what the store cannot take is not acknowledged, and the connection ends so that it is sent again", () => {
  test.each([1, 2] as const)("QoS %d", async (qos) => {
    platform.store.isHeld = true;
    const client = await loggedIn(platform, METER, { clean: false });
    client.send(publish(TOPIC, report(1), { id: 4, qos }));
    await eventually(() => platform.store.waiting() === 1);
    platform.store.fail();
    await client.expectClosed();
    platform.store.isHeld = false;
    const again = await loggedIn(platform, METER, { clean: false, present: 1 });
    again.send(publish(TOPIC, report(1), { id: 4, qos, dup: true }));
    await again.expect(qos === 1 ? puback(4) : pubrec(4));
    expect(values()).toEqual([1]);
  });
  test("a command answer", async () => {
    platform.holdAnswers = true;
    const client = await loggedIn(platform, METER, { clean: false });
    client.send(publish(TOPIC, answer(5), { id: 4, qos: 2 }));
    await eventually(() => platform.answers.length === 1);
    platform.answers[0]?.reject(new Error("disk full"));
    await client.expectClosed();
    platform.holdAnswers = false;
    await platform.transactor.settled();
    const again = await loggedIn(platform, METER, { clean: false, present: 1 });
    again.send(publish(TOPIC, answer(5), { id: 4, qos: 2, dup: true }));
    await again.expect(pubrec(4));
    expect(platform.answers.length).toBe(2);
  });
});

describe("topics", () => {
  test.each([
    ["its deviceId", METER, METER.deviceId, 1],
    ["its nodeId", METER, METER.nodeId, 1],
    ["a sub-device by deviceId", GATEWAY, "p1_sub-1", 3],
    ["a sub-device by nodeId", GATEWAY, "sub-1", 3],
  ])("a device may report for %s", async (_name, device, id, deviceNo) => {
    const client = await loggedIn(platform, device);
    client.send(publish(dataTopic(id), report(1)));
    await client.expect(puback(1));
    expect(platform.store.reported.map((it) => it.deviceNo)).toEqual([deviceNo]);
  });

  test.each([
    ["another device's", METER, dataTopic("p1_meter-2")],
    ["a sub-device's of somebody else", METER, dataTopic("p1_sub-1")],
    ["its own command topic", METER, `/huawei/v1/devices/${METER.deviceId}/command/json`],
    ["an unknown codec mode", METER, dataTopic(METER.deviceId, "xml")],
    ["without the leading slash [MQTT-4.7.3-4]", METER, TOPIC.slice(1)],
    ["in other letters [MQTT-4.7.3-4]", METER, TOPIC.toUpperCase()],
    ["$SYS", METER, "$SYS/broker/uptime"],
    ["nothing of ours", METER, "a/b"],
    ["a custom topic that is not defined", CUSTOM, "$oc/devices/p3_c/user/other"],
    ["a custom topic for subscribing only", CUSTOM, "$oc/devices/p3_c/user/down"],
    ["a custom topic of another device", CUSTOM, "$oc/devices/p1_meter-2/user/up"],
  ])(
    "[MQTT-3.3.5-2] a publish to a topic that is not its own ends the connection: %s",
    async (_name, device, topic) => {
      const client = await loggedIn(platform, device);
      client.send(publish(topic, report(1)));
      await client.expectClosed();
      expect(platform.store.reported).toEqual([]);
      expect(platform.traces).toContainEqual({
        deviceNo: device.no,
        kind: "publish",
        outcome: "failed",
        reason: "topic_not_allowed",
        detail: topic,
      });
    },
  );

  test.each(["up", "both"])("a custom topic with the right to publish is acknowledged: %s", async (name) => {
    const client = await loggedIn(platform, CUSTOM);
    client.send(publish(`$oc/devices/${CUSTOM.deviceId}/user/${name}`, hex("00ff")));
    await client.expect(puback(1));
    expect(platform.store.reported).toEqual([]);
  });

  test("a gateway may have more sub-devices than are kept at hand", async () => {
    await platform.stop();
    const subs = Array.from({ length: 20 }, (_, index) => ({
      ...METER,
      no: 100 + index,
      nodeId: `s${index}`,
      deviceId: `p_s${index}`,
      gatewayNo: 2,
    }));
    platform = await startStubPlatform({ devices: [GATEWAY, ...subs], settings: { maxCachedSubDevices: 3 } });
    const client = await loggedIn(platform, GATEWAY);
    const numbers = [...subs, ...subs].map(({ nodeId, no }, index) => {
      client.send(publish(dataTopic(nodeId), report(index), { id: index + 1 }));
      return no;
    });
    for (const index of numbers.keys()) await client.expect(puback(index + 1));
    expect(platform.store.reported.map((it) => it.deviceNo)).toEqual(numbers);
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 2"));
    expect([...platform.held.values()].every((count) => count === 0)).toBe(true);
  });

  test("a sub-device that has been deleted or moved is foreign at once", async () => {
    const client = await loggedIn(platform, GATEWAY);
    client.send(publish(dataTopic("sub-1"), report(1)));
    await client.expect(puback(1));
    const sub = platform.live.get(3);
    if (sub) sub.deleted = true;
    client.send(publish(dataTopic("sub-1"), report(2), { id: 2 }));
    await client.expectClosed();
    expect(values()).toEqual([1]);
    expect(platform.held.get(3)).toBe(0);
  });
});

describe("a payload that cannot be used is refused with a reason, and acknowledged: it would come again for ever", () => {
  const request = (data: unknown) => JSON.stringify({ msgType: "deviceReq", data });
  test.each([
    ["no JSON", "{", "payload_not_json"],
    ["nothing", "", "payload_not_json"],
    ["no UTF-8", bytes('{"msgType":"', hex("c328"), '"}'), "payload_not_utf8"],
    ["a list", "[]", "payload_not_object"],
    ["null", "null", "payload_not_object"],
    ["a deep nest", "[".repeat(100_000), "payload_not_json"],
    ["no msgType", "{}", "msg_type_unknown"],
    ["an unknown msgType", '{"msgType":"cloudReq"}', "msg_type_unknown"],
    ["no data", '{"msgType":"deviceReq"}', "data_invalid"],
    ["data that is no list", request({}), "data_invalid"],
    ["an entry that is no object", request([7]), "data_invalid"],
    ["no serviceId", request([{ serviceData: {} }]), "service_id_invalid"],
    ["an empty serviceId", request([{ serviceId: "", serviceData: {} }]), "service_id_invalid"],
    ["no serviceData", request([{ serviceId: "Meter" }]), "service_data_invalid"],
    ["serviceData that is a list", request([{ serviceId: "Meter", serviceData: [] }]), "service_data_invalid"],
    ["mid 0", '{"msgType":"deviceRsp","mid":0,"errcode":0}', "mid_invalid"],
    ["mid 65536", '{"msgType":"deviceRsp","mid":65536,"errcode":0}', "mid_invalid"],
    ["mid as text", '{"msgType":"deviceRsp","mid":"1","errcode":0}', "mid_invalid"],
    ["no errcode", '{"msgType":"deviceRsp","mid":1}', "errcode_invalid"],
    ["a body that is no object", '{"msgType":"deviceRsp","mid":1,"errcode":0,"body":[]}', "body_invalid"],
  ])("%s", async (_name, payload, reason) => {
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, payload));
    await client.expect(puback(1));
    expect(platform.store.reported).toEqual([]);
    expect(platform.answers).toEqual([]);
    expect(platform.traces.at(-1)).toMatchObject({ deviceNo: 1, kind: "report", outcome: "failed", reason });
    await client.expectAlive();
  });

  test("data/binary of a product without codec", async () => {
    const client = await loggedIn(platform);
    client.send(publish(dataTopic(METER.deviceId, "binary"), hex("0102"), { id: 6, qos: 2 }));
    await client.expect(pubrec(6));
    expect(platform.traces.at(-1)).toMatchObject({ reason: "codec_missing" });
    expect(platform.metrics.render()).toContain(
      'islet_messages_total{protocol="mqtt",direction="in",outcome="refused"} 1',
    );
  });

  test("an entry that makes no sense leaves the others", async () => {
    const client = await loggedIn(platform);
    client.send(
      publish(TOPIC, request([{ serviceId: "A", serviceData: { a: 1 } }, 5, { serviceId: "B", serviceData: {} }])),
    );
    await client.expect(puback(1));
    expect(platform.store.reported[0]?.reports.map(({ serviceId }) => serviceId)).toEqual(["A", "B"]);
    expect(platform.traces.at(-1)).toMatchObject({ reason: "data_invalid" });
  });
});

test.each([
  ["20161219T114920Z", Date.UTC(2016, 11, 19, 11, 49, 20)],
  ["20161319T114920Z", undefined],
  ["2016-12-19", undefined],
  [1_482_148_160, undefined],
  [undefined, undefined],
])("eventTime %p counts as %p", async (eventTime, eventTimeMs) => {
  const client = await loggedIn(platform);
  client.send(
    publish(TOPIC, JSON.stringify({ msgType: "deviceReq", data: [{ serviceId: "M", serviceData: {}, eventTime }] })),
  );
  await client.expect(puback(1));
  expect(platform.store.reported[0]?.reports[0]?.eventTimeMs).toBe(eventTimeMs as number);
});

test("text beyond ASCII arrives as it was sent", async () => {
  const client = await loggedIn(platform);
  const text = "温度 21 °C \u{1f321} \ufffd";
  client.send(
    publish(TOPIC, JSON.stringify({ msgType: "deviceReq", data: [{ serviceId: "M", serviceData: { text } }] })),
  );
  await client.expect(puback(1));
  expect(platform.store.reported[0]?.reports[0]?.data).toEqual({ text });
});

test("[MQTT-3.1.2-7, 3.3.1-5] a retained report is a report; nothing is retained", async () => {
  const client = await loggedIn(platform);
  client.send(publish(TOPIC, report(1), { retain: true }));
  await client.expect(puback(1));
  client.send(publish(TOPIC, "", { retain: true, id: 2 }));
  await client.expect(puback(2));
  expect(values()).toEqual([1]);
});

test("[MQTT-3.12.4-1] PINGREQ is answered", async () => {
  const client = await loggedIn(platform);
  client.send(bytes(PINGREQ, PINGREQ));
  await client.expect(bytes(PINGRESP, PINGRESP));
});

test("[MQTT-3.3.2-2] an id with a wildcard makes no topic, not even for the device that has it", async () => {
  await platform.stop();
  const plus = { no: 9, deviceId: "p1_a+b", nodeId: "+", secret: "s" };
  platform = await startStubPlatform({ devices: [plus, METER] });
  const byNode = await loggedIn(platform, plus, { by: "nodeId" });
  byNode.send(bytes(subscribe(1, [commandTopic("+"), 1])));
  await byNode.expect(suback(1, 0x80));
  byNode.send(publish(dataTopic("+"), report(1)));
  await byNode.expectClosed();
  const byDevice = await loggedIn(platform, plus);
  byDevice.send(publish(dataTopic("p1_a+b"), report(1)));
  await byDevice.expectClosed();
  expect(platform.store.reported).toEqual([]);
});

test("[MQTT-3.14.4-2] nothing behind DISCONNECT is taken", async () => {
  const client = await loggedIn(platform);
  client.send(bytes(hex("e000"), publish(TOPIC, report(1))));
  await client.expectClosed();
  await loggedIn(platform);
  expect(platform.store.reported).toEqual([]);
});
