import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  bytes,
  connack,
  dataTopic,
  field,
  hex,
  packet,
  puback,
  publish,
  report,
  subscribe,
  uint16,
  unsubscribe,
} from "./packets";
import { connectRaw } from "./raw-client";
import { expectViolation, loggedIn } from "./session";
import { METER, type StubPlatform, startStubPlatform } from "./stub-platform";

let platform: StubPlatform;
beforeEach(async () => {
  platform = await startStubPlatform();
});
afterEach(() => platform.stop());

const TOPIC = dataTopic(METER.deviceId);

describe("[MQTT-4.8.0-1] a protocol violation ends that connection, and only that one", () => {
  test.each([
    ["[MQTT-2.2.2-2] packet type 0", hex("0000"), "packet_type"],
    ["[MQTT-2.2.2-2] packet type 15", hex("f000"), "packet_type"],
    ["[MQTT-2.2.2-2] PUBACK with flags", hex("42020001"), "fixed_header_flags"],
    ["[MQTT-3.6.1-1] PUBREL without its flags", hex("60020001"), "fixed_header_flags"],
    [
      "[MQTT-3.8.1-1] SUBSCRIBE without its flags",
      bytes(0x80, subscribe(1, ["a", 0]).subarray(1)),
      "fixed_header_flags",
    ],
    [
      "[MQTT-3.10.1-1] UNSUBSCRIBE without its flags",
      bytes(0xa0, unsubscribe(1, "a").subarray(1)),
      "fixed_header_flags",
    ],
    ["[MQTT-3.14.1-1] DISCONNECT with flags", hex("e100"), "fixed_header_flags"],
    ["PINGREQ with flags", hex("c100"), "fixed_header_flags"],
    ["PINGREQ with a body", hex("c00100"), "trailing_bytes"],
    ["DISCONNECT with a body", hex("e00100"), "trailing_bytes"],
    ["a remaining length of five bytes", hex("30ffffffff01"), "remaining_length"],
    ["[MQTT-3.3.1-4] QoS 3", bytes(0x36, publish(TOPIC, "{}").subarray(1)), "qos"],
    ["[MQTT-3.3.1-2] DUP with QoS 0", bytes(0x38, publish(TOPIC, "{}", { qos: 0 }).subarray(1)), "dup"],
    ["[MQTT-2.3.1-1] PUBLISH with packet id 0", publish(TOPIC, "{}", { id: 0 }), "packet_id"],
    ["[MQTT-2.3.1-1] SUBSCRIBE with packet id 0", subscribe(0, ["a", 0]), "packet_id"],
    ["[MQTT-2.3.1-1] UNSUBSCRIBE with packet id 0", unsubscribe(0, "a"), "packet_id"],
    ["PUBACK with packet id 0", hex("40020000"), "packet_id"],
    ["PUBACK that is cut", hex("400100"), "truncated"],
    ["PUBLISH without a packet id", packet(0x32, field(TOPIC)), "truncated"],
    ["[MQTT-3.3.2-1] PUBLISH without a topic", packet(0x30), "truncated"],
    ["[MQTT-4.7.3-1] PUBLISH with an empty topic", publish("", "{}"), "topic_name"],
    ["[MQTT-3.3.2-2, 4.7.1-1] PUBLISH with a wildcard", publish(`${TOPIC}/+`, "{}"), "topic_name"],
    ["[MQTT-3.3.2-1, 1.5.3-1] PUBLISH with a topic that is no UTF-8", packet(0x30, field(hex("c3")), "{}"), "utf8"],
    ["[MQTT-1.5.3-1] PUBLISH with a surrogate in its topic", packet(0x30, field(hex("eda080")), "{}"), "utf8"],
    ["[MQTT-4.7.3-2] PUBLISH with U+0000 in its topic", publish("a\0", "{}"), "utf8"],
    ["[MQTT-3.8.3-3] SUBSCRIBE without a filter", packet(0x82, uint16(1)), "no_topic_filter"],
    ["[MQTT-3.8.3-4] SUBSCRIBE with QoS 3", subscribe(1, ["a", 3]), "qos"],
    ["[MQTT-3.8.3-4] SUBSCRIBE with reserved bits", subscribe(1, ["a", 0x41]), "qos"],
    ["[MQTT-3.8.3-1] SUBSCRIBE with a filter that is no UTF-8", packet(0x82, uint16(1), field(hex("ff")), 0), "utf8"],
    ["[MQTT-4.7.3-1] SUBSCRIBE with an empty filter", subscribe(1, ["", 0]), "topic_filter"],
    ["[MQTT-4.7.1-2] SUBSCRIBE with # in the middle", subscribe(1, ["a/#/b", 0]), "topic_filter"],
    ["[MQTT-4.7.1-2] SUBSCRIBE with # behind a letter", subscribe(1, ["a#", 0]), "topic_filter"],
    ["[MQTT-4.7.1-3] SUBSCRIBE with + behind a letter", subscribe(1, ["a+/b", 0]), "topic_filter"],
    ["[MQTT-3.10.3-2] UNSUBSCRIBE without a filter", packet(0xa2, uint16(1)), "no_topic_filter"],
    ["[MQTT-3.10.3-1] UNSUBSCRIBE with a filter that is no UTF-8", packet(0xa2, uint16(1), field(hex("ff"))), "utf8"],
    ["CONNACK from a client", connack(0), "client_sent_server_packet"],
    ["SUBACK from a client", hex("9003000100"), "client_sent_server_packet"],
    ["PINGRESP from a client", hex("d000"), "client_sent_server_packet"],
  ])("%s", (_rule, sent, reason) => expectViolation(platform, sent, reason, false));
});

test("[MQTT-1.5.3-3] U+FEFF in a topic is a character, not a mark to skip", async () => {
  const client = await loggedIn(platform);
  client.send(publish(`\ufeff${TOPIC}`, report(1)));
  await client.expectClosed();
  expect(platform.traces.at(-2)).toMatchObject({ reason: "topic_not_allowed" });
});

test("packets cut anywhere and glued anyhow are the same packets", async () => {
  const client = await loggedIn(platform);
  client.socket.setNoDelay(true);
  const stream = bytes(...[1, 2, 3].map((id) => publish(TOPIC, report(id), { id })));
  for (let at = 0; at < stream.length; at += 7) {
    client.send(stream.subarray(at, at + 7));
    await Bun.sleep(0);
  }
  for (const id of [1, 2, 3]) await client.expect(puback(id));
  expect(platform.store.reported.map(({ reports }) => reports[0]?.data.value)).toEqual([1, 2, 3]);
});

test("acknowledgements before a violation still go out", async () => {
  const client = await loggedIn(platform);
  client.send(bytes(publish(TOPIC, report(1)), hex("c000"), hex("f000")));
  await client.expect(hex("d000"));
  await client.expectClosed();
});

test("a remaining length of 256 MB before CONNECT is refused as soon as it is known, and allocates nothing", async () => {
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(platform.port)));
  const before = process.memoryUsage.rss();
  for (const client of clients) {
    client.send(hex("10ffffff7f"));
    await client.expectClosed();
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
});

test("a packet over the limit ends the connection, one of the limit does not", async () => {
  await platform.stop();
  platform = await startStubPlatform({ settings: { maxPacketBytes: 1_024 } });
  const overhead = publish(TOPIC, "", { id: 1 }).length + 1; // the remaining length takes two bytes then
  const client = await loggedIn(platform);
  client.send(publish(TOPIC, " ".repeat(1_024 - overhead)));
  await client.expect(puback(1));
  client.send(publish(TOPIC, " ".repeat(1_025 - overhead)));
  await client.expectClosed();
});
