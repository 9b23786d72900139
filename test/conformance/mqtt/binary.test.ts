import { afterEach, describe, expect, test } from "bun:test";
import type { Codecs, Decoded, Encoded } from "../../../src/capabilities/codecs/codec";
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
} from "./packets";
import { eventually, loggedIn } from "./session";
import { GATEWAY, METER, type StubOptions, type StubPlatform, SUB, startStubPlatform } from "./stub-platform";

const TOPIC = dataTopic(METER.deviceId, "binary");
const COMMANDS = commandTopic(METER.deviceId, "binary");

let platform: StubPlatform;
afterEach(() => platform.stop());

/** The first byte says what the codec makes of a message; those from 0x80 on wait until the test lets them go. */
function testCodec() {
  const waiting: (() => void)[] = [];
  const decodeNow = (bytes: Uint8Array): Decoded => {
    const value = bytes[1] ?? 0;
    switch ((bytes[0] ?? 0) & 0x7f) {
      case 1:
        return {
          kind: "reports",
          reports: [{ serviceId: "Meter", data: { value }, eventTimeMs: undefined }],
          hasMore: false,
        };
      case 2:
        return { kind: "answer", mid: value, errcode: 0, body: { done: true }, hasMore: false };
      default:
        return { kind: "failed", reason: "script_timeout", detail: "too slow" };
    }
  };
  const codecs: Codecs = {
    has: () => true,
    decode(_productNo, payload) {
      const copy = payload.slice();
      if (((copy[0] ?? 0) & 0x80) === 0) return decodeNow(copy);
      return new Promise((resolve) => waiting.push(() => resolve(decodeNow(copy))));
    },
    encode(_productNo, message): Encoded {
      if (message.msgType === "cloudRsp") return { kind: "bytes", bytes: hex(`aa${message.request.toHex()}`) };
      const { value } = message.paras as { value?: number };
      if (value === undefined) return { kind: "nothing" };
      if (value > 255) return { kind: "failed", reason: "value_invalid", detail: "too large" };
      return { kind: "bytes", bytes: Uint8Array.of(3, message.mid >> 8, message.mid & 0xff, value) };
    },
    answersReports: () => false,
  };
  return { codecs, waiting: () => waiting.length, next: () => waiting.shift()?.() };
}

async function start(options: StubOptions = {}, codecs: Partial<Codecs> = {}) {
  const codec = testCodec();
  platform = await startStubPlatform({ ...options, codecs: { ...codec.codecs, ...codecs } });
  return codec;
}
const values = () => platform.store.reported.map(({ reports }) => reports[0]?.data.value);
const remembered = () => platform.telemetry.query("SELECT packet_id FROM mqtt_inbound").all().length;

describe("data/binary goes through the codec", () => {
  test("a report is stored and acknowledged", async () => {
    await start();
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("0107"), { id: 5 }));
    await client.expect(puback(5));
    expect(platform.store.reported).toMatchObject([{ deviceNo: 1, reports: [{ serviceId: "Meter" }] }]);
    expect(values()).toEqual([7]);
  });
  test("a command's answer goes to commands", async () => {
    await start();
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("0209"), { id: 5 }));
    await client.expect(puback(5));
    expect(platform.answers).toMatchObject([{ deviceNo: 1, mid: 9, errcode: 0, body: { done: true } }]);
  });
  test.each([0, 1, 2] as const)("what cannot be decoded is traced and counted, QoS %i", async (qos) => {
    const codec = await start();
    const client = await loggedIn(platform);
    for (const [index, payload] of ["03", "83"].entries()) {
      client.send(publish(TOPIC, hex(payload), { id: 5 + index, qos }));
      if (index === 1) await eventually(() => codec.waiting() === 1);
      codec.next();
      if (qos > 0) await client.expect((qos === 1 ? puback : pubrec)(5 + index));
    }
    await eventually(() => platform.traces.filter(({ reason }) => reason === "script_timeout").length === 2);
    expect(platform.traces.at(-1)).toMatchObject({ deviceNo: 1, kind: "report", detail: "too slow" });
    expect(platform.metrics.render()).toContain('direction="in",outcome="refused"} 2');
    expect(values()).toEqual([]);
    await client.expectAlive();
  });
  test("a sub-device's message is its own", async () => {
    const codec = await start();
    const client = await loggedIn(platform, GATEWAY);
    client.send(publish(dataTopic(SUB.deviceId, "binary"), hex("8107"), { id: 1 }));
    await eventually(() => codec.waiting() === 1);
    expect(platform.held.get(SUB.no)).toBe(2); // by the connection and by the codec
    codec.next();
    await client.expect(puback(1));
    expect(platform.store.reported).toMatchObject([{ deviceNo: SUB.no }]);
    expect(platform.held.get(SUB.no)).toBe(1);
  });
  test("a will", async () => {
    await start();
    const client = await loggedIn(platform, METER, { will: { topic: TOPIC, payload: "\u0001\u0007" } });
    client.vanish();
    await eventually(() => values().length === 1);
    expect(values()).toEqual([7]);
  });
});

describe("a codec that takes its time", () => {
  test("[MQTT-4.6.0-2] later messages are stored, and acknowledged behind it", async () => {
    const codec = await start();
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("8101"), { id: 1 }));
    client.send(publish(dataTopic(METER.deviceId), report(2), { id: 2 }));
    client.send(publish(TOPIC, hex("0103"), { id: 3 }));
    client.send(publish(TOPIC, hex("8104"), { id: 4 }));
    client.send(publish(TOPIC, hex("0205"), { id: 5 }));
    await eventually(() => values().length === 2);
    await client.expectAlive(); // no PUBACK before it
    codec.next();
    for (const id of [1, 2, 3]) await client.expect(puback(id));
    await client.expectAlive();
    codec.next();
    for (const id of [4, 5]) await client.expect(puback(id));
    expect(values()).toEqual([2, 3, 1, 4]);
  });
  test("an answer waits for commands and then for its turn", async () => {
    const codec = await start();
    platform.holdAnswers = true;
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("8201"), { id: 1 }));
    client.send(publish(TOPIC, hex("0102"), { id: 2 }));
    await eventually(() => codec.waiting() === 1);
    codec.next();
    await eventually(() => platform.answers.length === 1);
    await client.expectAlive();
    platform.answers[0]?.resolve();
    for (const id of [1, 2]) await client.expect(puback(id));
  });
  test("an answer that cannot be stored ends the connection", async () => {
    const codec = await start();
    platform.holdAnswers = true;
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("8201"), { id: 1 }));
    await eventually(() => codec.waiting() === 1);
    codec.next();
    await eventually(() => platform.answers.length === 1);
    platform.answers[0]?.reject(new Error("disk"));
    await client.expectClosed();
  });
  test("acknowledged means on disk: a commit that fails ends the connection, and the message can come again", async () => {
    const codec = await start();
    const first = await loggedIn(platform, METER, { clean: false });
    first.send(publish(TOPIC, hex("8101"), { id: 1, qos: 2 }));
    await eventually(() => codec.waiting() === 1);
    await first.expectAlive();
    platform.store.isHeld = true;
    codec.next();
    await eventually(() => platform.store.waiting() === 1);
    platform.store.fail();
    await first.expectClosed();
    platform.store.isHeld = false;
    const second = await loggedIn(platform, METER, { clean: false, present: 1 });
    second.send(publish(TOPIC, hex("0101"), { id: 1, qos: 2, dup: true }));
    await second.expect(pubrec(1));
    expect(values()).toEqual([1]);
  });
  test("reading stops while too many wait, and goes on", async () => {
    const codec = await start({ settings: { maxDecoding: 2 } });
    const client = await loggedIn(platform);
    for (const id of [1, 2, 3]) client.send(publish(TOPIC, hex(`810${id}`), { id }));
    await eventually(() => codec.waiting() === 2);
    await Bun.sleep(20); // time in which a third one could have been read
    expect(codec.waiting()).toBe(2);
    codec.next();
    await client.expect(puback(1));
    await eventually(() => codec.waiting() === 2);
    codec.next();
    codec.next();
    for (const id of [2, 3]) await client.expect(puback(id));
  });
  test("what the device sent before it left is stored", async () => {
    const codec = await start();
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("8101"), { id: 1 }));
    await eventually(() => codec.waiting() === 1);
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 1"));
    codec.next();
    await eventually(() => values().length === 1);
    expect(platform.held.get(1)).toBe(0);
  });
  test("a stop waits for it", async () => {
    const codec = await start();
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("8101"), { id: 1 }));
    await eventually(() => codec.waiting() === 1);
    const stopped = platform.stop();
    codec.next();
    await client.expect(puback(1));
    await stopped;
    expect(values()).toEqual([1]);
  });
});

describe("QoS 2 [MQTT-4.3.3-2]", () => {
  test("the identifier goes to the disk with the content, not before it", async () => {
    const codec = await start();
    const client = await loggedIn(platform, METER, { clean: false });
    client.send(publish(TOPIC, hex("8101"), { id: 9, qos: 2 }));
    await eventually(() => codec.waiting() === 1);
    await client.expectAlive();
    expect(remembered()).toBe(0);
    codec.next();
    await client.expect(pubrec(9));
    expect([values(), remembered()]).toEqual([[1], 1]);
    client.send(pubrel(9));
    await client.expect(pubcomp(9));
    expect(remembered()).toBe(0);
  });
  test("a duplicate is taken once, and acknowledged behind the first", async () => {
    const codec = await start();
    const client = await loggedIn(platform);
    for (const dup of [false, true]) client.send(publish(TOPIC, hex("8101"), { id: 9, qos: 2, dup }));
    await eventually(() => codec.waiting() === 1);
    await client.expectAlive();
    codec.next();
    for (let time = 0; time < 2; time++) await client.expect(pubrec(9));
    expect(values()).toEqual([1]);
  });
  test("also when it comes through another connection while the first one is decoded", async () => {
    const codec = await start();
    const first = await loggedIn(platform, METER, { clean: false });
    first.send(publish(TOPIC, hex("8101"), { id: 9, qos: 2 }));
    await eventually(() => codec.waiting() === 1);
    const second = await loggedIn(platform, METER, { clean: false, present: 1 });
    second.send(publish(TOPIC, hex("8101"), { id: 9, qos: 2, dup: true }));
    await second.expectAlive(); // not yet: the first is not on disk
    expect(codec.waiting()).toBe(1);
    codec.next();
    await second.expect(pubrec(9));
    expect(values()).toEqual([1]);
  });
});

describe("commands to command/binary", () => {
  const send = (paras: Record<string, unknown>, delivered = () => {}) =>
    platform.listener.deviceLink.sendCommand(
      1,
      { mid: 0x0102, serviceId: "Smoke", method: "SET", paras, deviceId: METER.deviceId },
      delivered,
    );

  test("are encoded by the codec", async () => {
    await start();
    const client = await loggedIn(platform);
    client.send(subscribe(1, [COMMANDS, 1]));
    await client.expect(suback(1, 1));
    let delivered = 0;
    expect(await send({ value: 9 }, () => delivered++)).toBe("sent");
    await client.expect(publish(COMMANDS, hex("03010209"), { id: 1 }));
    client.send(puback(1));
    await eventually(() => delivered === 1);
  });
  test.each([
    [{ value: 256 }, "value_invalid", "too large"],
    [{}, "nothing_encoded", "the codec gave no bytes for the command"],
  ])("that cannot be encoded (%j) are not sent, and the trace says why", async (paras, reason, detail) => {
    await start();
    const client = await loggedIn(platform);
    client.send(subscribe(1, [COMMANDS, 1]));
    await client.expect(suback(1, 1));
    expect(await send(paras)).toBe("unreachable");
    expect(platform.traces.at(-1)).toEqual({ deviceNo: 1, kind: "command", outcome: "failed", reason, detail });
    expect(platform.metrics.render()).toContain('direction="out",outcome="not_encoded"} 1');
    await client.expectAlive();
  });
  test("a device that hears both gets JSON", async () => {
    await start();
    const client = await loggedIn(platform);
    client.send(subscribe(1, [commandTopic(METER.deviceId, "+"), 0]));
    await client.expect(suback(1, 0));
    expect(await send({ value: 9 })).toBe("sent");
    const json = JSON.stringify({
      msgType: "cloudReq",
      serviceId: "Smoke",
      mid: 0x0102,
      cmd: "SET",
      paras: { value: 9 },
    });
    await client.expect(publish(commandTopic(METER.deviceId), json, { qos: 0 }));
  });
  test("a device that leaves while its command is encoded is unreachable", async () => {
    const encoding = Promise.withResolvers<Encoded>();
    await start({}, { encode: () => encoding.promise });
    const client = await loggedIn(platform);
    client.send(subscribe(1, [COMMANDS, 1]));
    await client.expect(suback(1, 1));
    const outcome = send({ value: 9 });
    client.vanish();
    await eventually(() => platform.calls.includes("disconnected 1"));
    encoding.resolve({ kind: "bytes", bytes: Uint8Array.of(1) });
    expect(await outcome).toBe("unreachable");
  });
});

describe("a codec that answers reports (cloudRsp)", () => {
  test.each(["01", "81"])("is asked when the report is on disk (%s)", async (kind) => {
    const codec = await start({}, { answersReports: () => true });
    const client = await loggedIn(platform);
    client.send(subscribe(1, [COMMANDS, 1]));
    await client.expect(suback(1, 1));
    platform.store.isHeld = true;
    client.send(publish(TOPIC, hex(`${kind}07`), { qos: 0 }));
    if (kind === "81") await eventually(() => codec.waiting() === 1);
    codec.next();
    await eventually(() => platform.store.waiting() === 1);
    await client.expectAlive();
    platform.store.commit();
    await client.expect(publish(COMMANDS, hex(`aa${kind}07`), { qos: 0 }));
  });
  test("has nobody to talk to when the device does not listen, or the message was no report", async () => {
    await start({}, { answersReports: () => true });
    const client = await loggedIn(platform);
    client.send(publish(TOPIC, hex("0107"), { id: 1 }));
    await client.expect(puback(1));
    client.send(subscribe(1, [COMMANDS, 1]));
    await client.expect(suback(1, 1));
    client.send(publish(TOPIC, hex("0207"), { id: 2 }));
    client.send(publish(TOPIC, hex("03"), { id: 3 }));
    for (const id of [2, 3]) await client.expect(puback(id));
    await client.expectAlive();
  });
});
