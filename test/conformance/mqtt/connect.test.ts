import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import {
  bytes,
  connack,
  connect,
  DISCONNECT,
  dataTopic,
  field,
  hex,
  PINGREQ,
  packet,
  passwordOf,
  puback,
  publish,
  report,
  suback,
  subscribe,
  TIMESTAMP,
  uint16,
} from "./packets";
import { connectRaw } from "./raw-client";
import { eventually, expectViolation, loggedIn } from "./session";
import { GATEWAY, METER, type StubPlatform, startStubPlatform } from "./stub-platform";

let platform: StubPlatform;
beforeEach(async () => {
  platform = await startStubPlatform();
});
afterEach(() => platform.stop());

const ID = `${METER.deviceId}_0_0_${TIMESTAMP}`;
const body = (flags: number, ...payload: (string | Uint8Array)[]) =>
  packet(0x10, field("MQTT"), 4, flags, uint16(60), ...payload);
const credentials = bytes(field(METER.deviceId), field(passwordOf(METER.secret)));

describe("a CONNECT that breaks the protocol ends the connection without CONNACK [MQTT-3.1.4-1]", () => {
  test.each([
    ["[MQTT-3.1.2-1] wrong protocol name", packet(0x10, field("HTTP"), 4, 2, uint16(60), field(ID)), "protocol_name"],
    ["[MQTT-3.1.2-3] reserved flag", body(0xc3, field(ID), credentials), "connect_flags"],
    ["[MQTT-3.1.2-9] will flag without a will", body(0x06, field(ID)), "truncated"],
    [
      "[MQTT-3.1.2-11] a will that the flag does not announce",
      body(0x02, field(ID), field("t"), field("m")),
      "trailing_bytes",
    ],
    ["[MQTT-3.1.2-13] will QoS without a will", body(0xca, field(ID), credentials), "will_flags"],
    ["[MQTT-3.1.2-14] will QoS 3", body(0xde, field(ID), field("t"), field("m"), credentials), "will_flags"],
    ["[MQTT-3.1.2-15] will retain without a will", body(0xe2, field(ID), credentials), "will_flags"],
    [
      "[MQTT-3.1.2-18] a user name that the flag does not announce",
      body(0x02, field(ID), field("u")),
      "trailing_bytes",
    ],
    ["[MQTT-3.1.2-19] user name flag without a user name", body(0x82, field(ID)), "truncated"],
    [
      "[MQTT-3.1.2-20] a password that the flag does not announce",
      body(0x82, field(ID), credentials),
      "trailing_bytes",
    ],
    ["[MQTT-3.1.2-21] password flag without a password", body(0xc2, field(ID), field("u")), "truncated"],
    ["[MQTT-3.1.2-22] a password without a user name", body(0x42, field(ID), field("p")), "password_without_username"],
    ["[MQTT-3.1.3-3] no client id", body(0x02), "truncated"],
    ["[MQTT-3.1.3-4] a client id that is no UTF-8", body(0x02, field(hex("c328"))), "utf8"],
    ["[MQTT-3.1.3-10] a will topic that is no UTF-8", body(0x06, field(ID), field(hex("ff")), field("m")), "utf8"],
    ["[MQTT-3.1.3-11] a user name that is no UTF-8", body(0xc2, field(ID), field(hex("eda080")), field("p")), "utf8"],
    ["[MQTT-1.5.3-2] U+0000 in the client id", body(0x02, field("a\0b")), "utf8"],
    ["[MQTT-2.2.2-2] reserved header flags", bytes(0x11, connect(METER).subarray(1)), "fixed_header_flags"],
  ])("%s", (_rule, sent, reason) => expectViolation(platform, sent, reason));
});

describe("[MQTT-3.1.0-1] nothing but CONNECT comes first", () => {
  test.each([
    ["PUBLISH", publish("t", "x")],
    ["SUBSCRIBE", subscribe(1, ["t", 0])],
    ["PINGREQ", PINGREQ],
    ["DISCONNECT", DISCONNECT],
    ["CONNACK", connack(0)],
  ])("%s", (_name, sent) => expectViolation(platform, sent, "not_connect_first"));
});

test("[MQTT-3.1.0-2] a second CONNECT is a violation", async () => {
  await expectViolation(platform, connect(METER), "second_connect", false);
});

describe("[MQTT-3.1.2-2] another protocol level hears 1 and nothing else [MQTT-3.2.2-5]", () => {
  test.each([
    ["MQTT 3.1", packet(0x10, field("MQIsdp"), 3, 2, uint16(60), field("c"))],
    ["MQTT 5", packet(0x10, field("MQTT"), 5, 2, uint16(60), 0, field("c"))],
    ["level 0", packet(0x10, field("MQTT"), 0, 2, uint16(60), field("c"))],
  ])("%s", async (_name, sent) => {
    const client = await connectRaw(platform.port);
    client.send(sent);
    await client.expect(connack(1));
    await client.expectClosed();
  });
});

const at = (hour: number) => {
  const date = new Date(hour);
  return date.toISOString().replaceAll(/[-T]/g, "").slice(0, 10);
};

describe("a login that is refused hears why [MQTT-3.1.3-8, 3.1.3-9, 3.2.2-4, 3.2.2-5]", () => {
  const now = Date.now();
  const signed = (timestamp: string) => ({
    clientId: `${METER.deviceId}_0_1_${timestamp}`,
    password: passwordOf(METER.secret, timestamp),
  });
  test.each([
    ["an empty client id", { clientId: "" }, 2, "client_id_malformed"],
    ["an empty client id with clean session 0", { clientId: "", clean: false }, 2, "client_id_malformed"],
    ["a client id of another form", { clientId: "sensor" }, 2, "client_id_malformed"],
    ["authentication type 1", { clientId: `${METER.deviceId}_1_0_${TIMESTAMP}` }, 2, "client_id_malformed"],
    ["signature type 2", { clientId: `${METER.deviceId}_0_2_${TIMESTAMP}` }, 2, "client_id_malformed"],
    ["a timestamp of nine digits", { clientId: `${METER.deviceId}_0_0_201807241` }, 2, "client_id_malformed"],
    ["no timestamp", { clientId: `${METER.deviceId}_0_0` }, 2, "client_id_malformed"],
    ["a client id of 257 characters", { clientId: `${"x".repeat(242)}_0_0_${TIMESTAMP}` }, 2, "client_id_malformed"],
    ["another user name", { username: "meter-1" }, 4, "username_mismatch"],
    ["a password that is no digest", { password: "secret" }, 4, "password_malformed"],
    [
      "a password in base64",
      { password: Buffer.from(passwordOf(METER.secret), "hex").toString("base64") },
      4,
      "password_malformed",
    ],
    ["a wrong password", { password: passwordOf("another") }, 5, "password_wrong"],
    [
      "the secret as message and key the wrong way round",
      { password: passwordOf(TIMESTAMP, METER.secret) },
      5,
      "password_wrong",
    ],
    [
      "another timestamp than the client id says",
      { password: passwordOf(METER.secret, "2018072418") },
      5,
      "password_wrong",
    ],
    ["signature type 1, two hours late", signed(at(now - 2 * 3_600_000)), 5, "timestamp_out_of_range"],
    ["signature type 1, two hours early", signed(at(now + 2 * 3_600_000)), 5, "timestamp_out_of_range"],
  ])("%s", async (_name, options, returnCode, reason) => {
    const client = await connectRaw(platform.port);
    client.send(connect(METER, options));
    await client.expect(connack(returnCode));
    await client.expectClosed();
    expect(platform.traces).toMatchObject([{ kind: "login", outcome: "failed", reason }]);
    expect(JSON.stringify(platform.traces)).not.toContain(METER.secret);
    expect(platform.calls).toEqual([]);
  });

  test("no user name", async () => {
    const client = await connectRaw(platform.port);
    client.send(body(0x02, field(ID)));
    await client.expect(connack(4));
    await client.expectClosed();
  });
  test("a user name without a password", async () => {
    const client = await connectRaw(platform.port);
    client.send(body(0x82, field(ID), field(METER.deviceId)));
    await client.expect(connack(4));
    await client.expectClosed();
  });
  test("an unknown device", async () => {
    const client = await connectRaw(platform.port);
    client.send(connect({ ...METER, deviceId: "p1_nobody" }));
    await client.expect(connack(5));
    await client.expectClosed();
    expect(platform.traces).toMatchObject([{ claimedId: "p1_nobody", reason: "device_unknown" }]);
  });
  test("[MQTT-3.1.4-5] nothing behind a refused CONNECT is taken", async () => {
    const client = await connectRaw(platform.port);
    client.send(bytes(connect(METER, { password: passwordOf("x") }), publish(dataTopic(METER.deviceId), report(1))));
    await client.expect(connack(5));
    await client.expectClosed();
    expect(platform.store.reported).toEqual([]);
  });
});

describe("a login is accepted [MQTT-3.1.4-4]", () => {
  const hour = at(Date.now());
  test.each([
    ["by deviceId", METER, {}],
    ["by nodeId", METER, { by: "nodeId" as const }],
    ["with a node id that holds underscores", GATEWAY, { by: "nodeId" as const }],
    ["with a device id that holds underscores", GATEWAY, {}],
    ["with the digest in capitals", METER, { password: passwordOf(METER.secret).toUpperCase() }],
    [
      "with signature type 1 and the hour it is",
      METER,
      { clientId: `${METER.deviceId}_0_1_${hour}`, password: passwordOf(METER.secret, hour) },
    ],
    ["with keep-alive 0", METER, { keepAlive: 0 }],
    ["with the longest keep-alive", METER, { keepAlive: 65_535 }],
  ])("%s", async (_name, device, options) => {
    const client = await loggedIn(platform, device, options);
    await client.expectAlive();
  });
});

test("CONNECT may come byte by byte", async () => {
  const client = await connectRaw(platform.port);
  client.socket.setNoDelay(true);
  for (const byte of connect(METER)) {
    client.send(bytes(byte));
    await Bun.sleep(0);
  }
  await client.expect(connack(0));
});

test("[MQTT-3.2.0-1] what comes in one piece with CONNECT is answered after CONNACK", async () => {
  for (const clean of [true, false]) {
    const client = await connectRaw(platform.port);
    client.send(
      bytes(
        connect(METER, { clean }),
        subscribe(3, [`/huawei/v1/devices/${METER.deviceId}/command/json`, 1]),
        publish(dataTopic(METER.deviceId), report(1), { id: 4 }),
      ),
    );
    await client.expect(connack(0));
    const answers = [await client.packet(), await client.packet()].map((it) => Buffer.from(it).toHex()).sort();
    expect(answers).toEqual([puback(4), suback(3, 1)].map((it) => Buffer.from(it).toHex()).sort());
    client.vanish();
    await eventually(() => platform.calls.at(-1) === "disconnected 1");
  }
});

test("[MQTT-3.1.4-2] a device that connects again takes over; it is never offline in between", async () => {
  const earlier = await loggedIn(platform, METER);
  const later = await loggedIn(platform, METER, { by: "nodeId" });
  await earlier.expectClosed();
  await later.expectAlive();
  expect(platform.calls).toEqual(["connected 1"]);
  later.send(DISCONNECT);
  await later.expectClosed();
  expect(platform.calls).toEqual(["connected 1", "disconnected 1"]);
  expect(platform.held.get(1)).toBe(0);
});

describe("keep-alive", () => {
  test("[MQTT-3.1.2-24] a silent device is dropped after one and a half times its keep-alive, not before", async () => {
    await platform.stop();
    const clock = manualClock();
    platform = await startStubPlatform({ clock });
    const client = await loggedIn(platform, METER, { keepAlive: 10 });
    await clock.advance(15_000);
    expect(client.isClosed()).toBe(false);
    await clock.advance(2_000);
    await client.expectClosed();
    expect(platform.calls).toEqual(["connected 1", "disconnected 1"]);
  });
  test("any packet begins it anew", async () => {
    await platform.stop();
    const clock = manualClock();
    platform = await startStubPlatform({ clock });
    const client = await loggedIn(platform, METER, { keepAlive: 10 });
    for (let round = 0; round < 5; round++) {
      await clock.advance(12_000);
      await client.expectAlive();
    }
    client.send(publish(dataTopic(METER.deviceId), report(1)));
    await client.expect(puback(1));
    await clock.advance(14_000);
    expect(client.isClosed()).toBe(false);
    await clock.advance(3_000);
    await client.expectClosed();
  });
  test("half a packet does not", async () => {
    await platform.stop();
    const clock = manualClock();
    platform = await startStubPlatform({ clock });
    const client = await loggedIn(platform, METER, { keepAlive: 10 });
    await clock.advance(10_000);
    client.send(bytes(0x30, 20, 0));
    await clock.advance(7_000);
    await client.expectClosed();
  });
  test("0 switches it off", async () => {
    await platform.stop();
    const clock = manualClock();
    platform = await startStubPlatform({ clock });
    const client = await loggedIn(platform, METER, { keepAlive: 0 });
    await clock.advance(10 * 3_600_000);
    await client.expectAlive();
  });
  test("a connection without CONNECT is dropped", async () => {
    await platform.stop();
    const clock = manualClock();
    platform = await startStubPlatform({ clock, settings: { connectTimeoutMs: 10_000 } });
    const client = await connectRaw(platform.port);
    client.send(connect(METER).subarray(0, 20));
    await clock.advance(10_000);
    expect(client.isClosed()).toBe(false);
    await clock.advance(2_000);
    await client.expectClosed();
  });
});

describe("a will", () => {
  const will = { topic: dataTopic(METER.deviceId), payload: report(99) };
  const reported = [{ deviceNo: 1, reports: [{ serviceId: "Meter", data: { value: 99 }, eventTimeMs: undefined }] }];

  test("[MQTT-3.1.2-8] is reported when the connection breaks, once [MQTT-3.1.2-10]", async () => {
    const client = await loggedIn(platform, METER, { will });
    client.vanish();
    await eventually(() => platform.store.reported.length > 0);
    await loggedIn(platform, METER);
    expect(platform.store.reported).toEqual(reported);
  });
  test("[MQTT-3.1.2-8] is reported after a protocol violation", async () => {
    const client = await loggedIn(platform, METER, { will: { ...will, qos: 2, retain: true } });
    client.send(bytes(0xf0, 0));
    await client.expectClosed();
    await eventually(() => platform.store.reported.length > 0);
    expect(platform.store.reported).toEqual(reported);
  });
  test("[MQTT-3.1.4-2] is reported when another connection takes over", async () => {
    await loggedIn(platform, METER, { will });
    await loggedIn(platform, METER);
    await eventually(() => platform.store.reported.length > 0);
    expect(platform.store.reported).toEqual(reported);
  });
  test("[MQTT-3.14.4-3] is not reported after DISCONNECT", async () => {
    const client = await loggedIn(platform, METER, { will });
    client.send(DISCONNECT);
    await client.expectClosed();
    await loggedIn(platform, METER);
    expect(platform.store.reported).toEqual([]);
  });
  test("[MQTT-3.1.2-12] is not reported by a client without one", async () => {
    const client = await loggedIn(platform, METER);
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 1"));
    expect(platform.store.reported).toEqual([]);
  });
  test("is kept back by a stopping server", async () => {
    await loggedIn(platform, METER, { will });
    await platform.stop();
    expect(platform.store.waiting()).toBe(0);
    expect(platform.store.reported).toEqual([]);
  });
  test("to a foreign topic is dropped; the device is welcome", async () => {
    const client = await loggedIn(platform, METER, { will: { topic: dataTopic("p1_meter-2"), payload: report(1) } });
    expect(platform.traces).toMatchObject([{ reason: "will_topic_not_allowed" }, { reason: "connected" }]);
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 1"));
    expect(platform.store.reported).toEqual([]);
  });
});
