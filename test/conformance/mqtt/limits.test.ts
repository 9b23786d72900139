import { describe, expect, test } from "bun:test";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import {
  bytes,
  commandTopic,
  connack,
  connect,
  dataTopic,
  PINGREQ,
  passwordOf,
  puback,
  publish,
  report,
  suback,
  subscribe,
  unsubscribe,
} from "./packets";
import { connectRaw } from "./raw-client";
import { eventually, loggedIn } from "./session";
import { METER, OTHER, type StubPlatform, startStubPlatform } from "./stub-platform";

const DATA = dataTopic(METER.deviceId);
const TOPIC = commandTopic(METER.deviceId);
const ended = (platform: StubPlatform, reason: string) =>
  platform.metrics.render().includes(`islet_mqtt_connections_ended_total{protocol="mqtt",reason="${reason}"}`);

describe("a sender that is faster than the store", () => {
  test("is not read beyond the window; nothing is lost, and another device is served", async () => {
    const platform = await startStubPlatform({ settings: { maxUncommittedMessages: 100 } });
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    const ids = Array.from({ length: 5_000 }, (_, index) => index + 1);
    client.send(bytes(...ids.map((id) => publish(DATA, report(id), { id }))));
    await eventually(() => platform.store.waiting() >= 100);
    const other = await loggedIn(platform, OTHER);
    other.send(publish(dataTopic(OTHER.deviceId), report(0), { id: 1 }));
    await other.expectAlive();
    expect(platform.store.waiting()).toBe(101);
    platform.store.isHeld = false;
    platform.store.commit();
    await other.expect(puback(1));
    for (const id of ids) await client.expect(puback(id));
    expect(platform.store.reported.length).toBe(5_001);
    await platform.stop();
  });

  test("is held back by bytes as well", async () => {
    const platform = await startStubPlatform({ settings: { maxUncommittedBytes: 10_000 } });
    platform.store.isHeld = true;
    const client = await loggedIn(platform);
    client.send(
      bytes(...Array.from({ length: 20 }, (_, index) => publish(DATA, " ".repeat(4_000), { id: index + 1 }))),
    );
    await eventually(() => platform.store.waiting() >= 3);
    const other = await loggedIn(platform, OTHER);
    await other.expectAlive();
    expect(platform.store.waiting()).toBe(3);
    platform.store.isHeld = false;
    platform.store.commit();
    for (let id = 1; id <= 20; id++) await client.expect(puback(id));
    await platform.stop();
  });

  test("waits with everybody else while the store is congested", async () => {
    const platform = await startStubPlatform();
    platform.store.congested = true;
    const clients = [await loggedIn(platform), await loggedIn(platform, OTHER)];
    clients[0]?.send(bytes(publish(DATA, report(1), { id: 1 }), publish(DATA, report(2), { id: 2 })));
    clients[1]?.send(bytes(publish(dataTopic(OTHER.deviceId), report(1), { id: 1 }), PINGREQ));
    for (const client of clients) await client.expect(puback(1));
    await Bun.sleep(20);
    expect(clients.map((client) => client.received().length)).toEqual([0, 0]);
    platform.store.drain();
    await clients[0]?.expect(puback(2));
    await clients[1]?.expect(bytes(0xd0, 0));
    await platform.stop();
  });

  test("is not dropped for a keep-alive that could not be read", async () => {
    const clock = manualClock();
    const platform = await startStubPlatform({ clock });
    platform.store.congested = true;
    const client = await loggedIn(platform, METER, { keepAlive: 5 });
    client.send(bytes(publish(DATA, report(1), { id: 1 }), PINGREQ));
    await client.expect(puback(1));
    await clock.advance(60_000);
    expect(client.isClosed()).toBe(false);
    platform.store.drain();
    await client.expect(bytes(0xd0, 0));
    await platform.stop();
  });
});

describe("a device that does not read", () => {
  test("is dropped when too much waits for it, and counted; others are served", async () => {
    const platform = await startStubPlatform({ settings: { maxOutboundBytes: 100_000, maxInflight: 10_000 } });
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 0]));
    await client.expect(suback(1, 0));
    client.pause();
    const text = "x".repeat(50_000);
    for (let mid = 1; mid <= 400 && !ended(platform, "slow_reader"); mid++)
      await platform.listener.deviceLink.sendCommand(
        1,
        { mid, serviceId: "M", method: "C", paras: { text }, deviceId: METER.deviceId },
        () => {},
      );
    expect(ended(platform, "slow_reader")).toBe(true);
    expect(platform.calls).toContain("disconnected 1");
    const other = await loggedIn(platform, OTHER);
    await other.expectAlive();
    await platform.stop();
  });

  test("is not asked for more while its answers wait, and dropped when it takes none for too long", async () => {
    const clock = manualClock();
    const platform = await startStubPlatform({
      clock,
      settings: { stallTimeoutMs: 30_000, maxOutboundBytes: 8_000_000 },
    });
    const client = await loggedIn(platform, METER, { keepAlive: 0 });
    client.send(subscribe(1, [TOPIC, 0]));
    await client.expect(suback(1, 0));
    client.pause();
    const text = "x".repeat(500_000);
    for (let mid = 1; mid <= 16; mid++)
      await platform.listener.deviceLink.sendCommand(
        1,
        { mid, serviceId: "M", method: "C", paras: { text }, deviceId: METER.deviceId },
        () => {},
      );
    client.send(publish(DATA, report(1)));
    const other = await loggedIn(platform, OTHER, { keepAlive: 0 });
    await other.expectAlive();
    expect(platform.store.reported).toEqual([]);
    await clock.advance(29_000);
    expect(ended(platform, "stalled")).toBe(false);
    await clock.advance(3_000);
    expect(ended(platform, "stalled")).toBe(true);
    await platform.stop();
  });

  test("and reads late gets everything in order", async () => {
    const platform = await startStubPlatform({ settings: { maxOutboundBytes: 64_000_000 } });
    const client = await loggedIn(platform);
    client.send(subscribe(1, [TOPIC, 0]));
    await client.expect(suback(1, 0));
    client.pause();
    const text = "x".repeat(500_000);
    for (let mid = 1; mid <= 20; mid++)
      await platform.listener.deviceLink.sendCommand(
        1,
        { mid, serviceId: "M", method: "C", paras: { text }, deviceId: METER.deviceId },
        () => {},
      );
    client.send(publish(DATA, report(1), { id: 77 }));
    client.resume();
    for (let mid = 1; mid <= 20; mid++)
      expect(Buffer.from(await client.packet()).toString("latin1")).toContain(`"mid":${mid},`);
    await client.expect(puback(77));
    await platform.stop();
  });
});

describe("a flood of connections", () => {
  test("half-open ones are limited, and leave room when they go", async () => {
    const platform = await startStubPlatform({ settings: { maxHalfOpen: 3 } });
    const open = [await connectRaw(platform.port), await connectRaw(platform.port), await connectRaw(platform.port)];
    await eventually(() => platform.metrics.render().includes("islet_mqtt_half_open_connections 3"));
    const refused = await connectRaw(platform.port);
    await refused.expectClosed();
    open[0]?.send(connect(METER));
    await open[0]?.expect(connack(0));
    const next = await loggedIn(platform, OTHER);
    await next.expectAlive();
    await platform.stop();
  });

  test("over the rate of an address", async () => {
    const clock = manualClock();
    const platform = await startStubPlatform({
      clock,
      settings: { connectBurstPerAddress: 2, connectsPerSecondPerAddress: 1 },
    });
    const first = await connectRaw(platform.port);
    const second = await connectRaw(platform.port);
    await (await connectRaw(platform.port)).expectClosed();
    await clock.advance(1_000);
    const fourth = await loggedIn(platform);
    await fourth.expectAlive();
    expect([first.isClosed(), second.isClosed()]).toEqual([false, false]);
    await platform.stop();
  });

  test("over the number of devices hears 3; a device that is in may come again", async () => {
    const platform = await startStubPlatform({ settings: { maxConnections: 1 } });
    await loggedIn(platform, METER);
    const client = await connectRaw(platform.port);
    client.send(connect(OTHER));
    await client.expect(connack(3));
    await client.expectClosed();
    const again = await loggedIn(platform, METER);
    await again.expectAlive();
    await platform.stop();
  });
});

test("guessing is slowed down for one identity from one address; the device itself is not shut out", async () => {
  const clock = manualClock();
  const platform = await startStubPlatform({ clock, settings: { loginFailuresAllowed: 2, loginDelayMs: 1_000 } });
  const wrong = connect(METER, { password: passwordOf("guess") });
  for (let attempt = 0; attempt < 2; attempt++) {
    const client = await connectRaw(platform.port);
    client.send(wrong);
    await client.expect(connack(5));
  }
  const third = await connectRaw(platform.port);
  third.send(wrong);
  await eventually(() => platform.traces.length === 3);
  const meanwhile = await connectRaw(platform.port);
  meanwhile.send(wrong);
  await meanwhile.expect(connack(3));
  const other = await loggedIn(platform, OTHER);
  await other.expectAlive();
  expect(third.received().length).toBe(0);
  await clock.advance(1_000);
  await third.expect(connack(5));
  await third.expectClosed();
  const device = await loggedIn(platform, METER);
  await device.expectAlive();
  await platform.stop();
});

test("stop: what is on its way to the disk is acknowledged, then all connections end", async () => {
  const platform = await startStubPlatform();
  platform.store.isHeld = true;
  const client = await loggedIn(platform);
  const idle = await loggedIn(platform, OTHER);
  client.send(publish(DATA, report(1), { id: 3 }));
  await eventually(() => platform.store.waiting() === 1);
  const stopped = platform.stop();
  platform.store.commit();
  await client.expect(puback(3));
  await client.expectClosed();
  await idle.expectClosed();
  await stopped;
  expect(platform.held.get(1)).toBe(0);
  await expect(connectRaw(platform.port)).rejects.toThrow();
});

describe("packets that are cheap to send and dear to take", () => {
  test("a SUBSCRIBE of thousands of filters costs no look-ups beyond the limit", async () => {
    const platform = await startStubPlatform({ settings: { maxSubscriptions: 3 } });
    const client = await loggedIn(platform);
    const filters = Array.from({ length: 500 }, (_, index): [string, number] => [commandTopic(`p1_x${index}`), 0]);
    client.send(subscribe(1, ...filters));
    await client.expect(suback(1, ...filters.map(() => 0x80)));
    expect(platform.traces.filter(({ reason }) => reason === "filter_not_allowed").length).toBe(3);
    await platform.stop();
  });
  test("packets other than PUBLISH end at 64 KiB", async () => {
    const platform = await startStubPlatform();
    const client = await loggedIn(platform);
    client.send(unsubscribe(1, ...Array.from({ length: 10_000 }, () => "abcdefgh")));
    await client.expectClosed();
    expect(platform.metrics.render()).toContain(
      'islet_mqtt_violations_total{protocol="mqtt",reason="packet_too_large"} 1',
    );
    await platform.stop();
  });
  test("a report of thousands of senseless entries is told by a few", async () => {
    const platform = await startStubPlatform();
    const client = await loggedIn(platform);
    client.send(publish(DATA, JSON.stringify({ msgType: "deviceReq", data: new Array(5_000).fill(1) })));
    await client.expect(puback(1));
    expect(platform.traces.filter(({ reason }) => reason === "data_invalid").length).toBe(8);
    await platform.stop();
  });
});
