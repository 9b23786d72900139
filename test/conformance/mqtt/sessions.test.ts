import { describe, expect, test } from "bun:test";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import {
  bytes,
  commandTopic,
  connack,
  connect,
  DISCONNECT,
  dataTopic,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  suback,
  subscribe,
  TIMESTAMP,
} from "./packets";
import { connectRaw } from "./raw-client";
import { eventually, loggedIn } from "./session";
import { METER, OTHER, type StubOptions, type StubPlatform, startStubPlatform } from "./stub-platform";

const TOPIC = commandTopic(METER.deviceId);
const DATA = dataTopic(METER.deviceId);
const KEPT = { clean: false };
const payloadOf = (mid: number) => `{"msgType":"cloudReq","serviceId":"M","mid":${mid},"cmd":"C","paras":{}}`;
const send = (platform: StubPlatform, mid: number, delivered = () => {}) =>
  platform.listener.deviceLink.sendCommand(
    1,
    { mid, serviceId: "M", method: "C", paras: {}, deviceId: METER.deviceId },
    delivered,
  );

/** What a persistent session keeps must survive a new connection and a new process in the same way. */
describe.each(["a new connection", "a restart"])("a persistent session after %s", (kind) => {
  async function comeBack(platform: StubPlatform, options: StubOptions = {}): Promise<StubPlatform> {
    if (kind === "a new connection") return platform;
    await platform.transactor.settled();
    // Not stopped: a process that is killed stops nothing.
    const { registry, telemetry } = platform;
    return startStubPlatform({ ...options, registry, telemetry });
  }

  test("[MQTT-3.1.2-4, 3.2.2-2] is present, with its subscriptions", async () => {
    const first = await startStubPlatform();
    const client = await loggedIn(first, METER, KEPT);
    client.send(subscribe(1, [TOPIC, 1]));
    await client.expect(suback(1, 1));
    client.send(DISCONNECT);
    await client.expectClosed();
    const second = await comeBack(first);
    // The client id has another hour by now: the session is the device's.
    await loggedIn(second, METER, { ...KEPT, present: 1, by: "nodeId", clientId: `meter-1_2_0_${TIMESTAMP}` });
    expect(await send(second, 5)).toBe("sent");
    await second.stop();
  });

  test("[MQTT-4.4.0-1, 3.3.1-1, 4.6.0-1] sends again what was not acknowledged, with DUP, the same identifiers and in order", async () => {
    const first = await startStubPlatform();
    const client = await loggedIn(first, METER, KEPT);
    client.send(subscribe(1, [TOPIC, 2]));
    await client.expect(suback(1, 2));
    for (const mid of [11, 12, 13, 14]) await send(first, mid);
    for (const mid of [11, 12, 13, 14]) await client.expect(publish(TOPIC, payloadOf(mid), { qos: 2, id: mid - 10 }));
    client.send(bytes(pubrec(2), pubrec(3)));
    await client.expect(bytes(pubrel(2), pubrel(3)));
    client.send(pubcomp(3));
    await client.expectAlive();
    client.vanish();
    await first.transactor.settled();
    await eventually(() => first.calls.includes("disconnected 1"));
    const second = await comeBack(first);
    expect(second.listener.deviceLink.holdsCommand?.(1, 11)).toBe(true);
    expect(second.listener.deviceLink.holdsCommand?.(1, 13)).toBe(false);
    const again = await loggedIn(second, METER, { ...KEPT, present: 1 });
    await again.expect(publish(TOPIC, payloadOf(11), { qos: 2, id: 1, dup: true }));
    await again.expect(pubrel(2));
    await again.expect(publish(TOPIC, payloadOf(14), { qos: 2, id: 4, dup: true }));
    again.send(bytes(pubrec(1), pubcomp(2), pubrec(4)));
    await again.expect(bytes(pubrel(1), pubrel(4)));
    again.send(bytes(pubcomp(1), pubcomp(4)));
    await again.expectAlive();
    await send(second, 15);
    const next = await again.packet();
    expect(Buffer.from(next).toString("latin1")).toContain('"mid":15');
    expect(next[0]).toBe(0x34);
    await second.stop();
  });

  test("QoS 1: who is told of the delivery", async () => {
    const first = await startStubPlatform();
    const client = await loggedIn(first, METER, KEPT);
    client.send(subscribe(1, [TOPIC, 1]));
    await client.expect(suback(1, 1));
    const delivered: number[] = [];
    await send(first, 11, () => delivered.push(11));
    client.vanish();
    await eventually(() => first.calls.includes("disconnected 1"));
    const second = await comeBack(first);
    const again = await loggedIn(second, METER, { ...KEPT, present: 1 });
    await again.expect(publish(TOPIC, payloadOf(11), { id: 1, dup: true }));
    again.send(puback(1));
    await again.expectAlive();
    if (kind === "a restart") expect(second.calls).toContain("delivered 1 11");
    else expect(delivered).toEqual([11]);
    expect(second.listener.deviceLink.holdsCommand?.(1, 11)).toBe(false);
    await second.stop();
  });

  test("[MQTT-4.3.3-2] knows the identifiers that were not released, and forgets those that were", async () => {
    const first = await startStubPlatform();
    const client = await loggedIn(first, METER, KEPT);
    client.send(bytes(publish(DATA, report(1), { id: 1, qos: 2 }), publish(DATA, report(2), { id: 2, qos: 2 })));
    await client.expect(bytes(pubrec(1), pubrec(2)));
    client.send(pubrel(2));
    await client.expect(pubcomp(2));
    client.vanish();
    await eventually(() => first.calls.includes("disconnected 1"));
    const second = await comeBack(first);
    const again = await loggedIn(second, METER, { ...KEPT, present: 1 });
    second.store.reported.length = 0;
    again.send(
      bytes(publish(DATA, report(1), { id: 1, qos: 2, dup: true }), publish(DATA, report(3), { id: 2, qos: 2 })),
    );
    await again.expect(bytes(pubrec(1), pubrec(2)));
    expect(second.store.reported.map(({ reports }) => reports[0]?.data.value)).toEqual([3]);
    await second.stop();
  });

  test("[MQTT-3.1.2-6, 3.2.2-1] is discarded by clean session 1, for good", async () => {
    const first = await startStubPlatform();
    const client = await loggedIn(first, METER, KEPT);
    client.send(bytes(subscribe(1, [TOPIC, 1]), publish(DATA, report(1), { id: 1, qos: 2 })));
    await client.packet();
    await client.packet();
    await send(first, 11);
    client.vanish();
    await eventually(() => first.calls.includes("disconnected 1"));
    const second = await comeBack(first);
    const clean = await loggedIn(second, METER, { clean: true, present: 0 });
    expect(second.lost).toContain(1);
    expect(await send(second, 12)).toBe("unreachable");
    clean.send(DISCONNECT);
    await clean.expectClosed();
    const again = await loggedIn(second, METER, { ...KEPT, present: 0 });
    second.store.reported.length = 0;
    again.send(publish(DATA, report(2), { id: 1, qos: 2, dup: true }));
    await again.expect(pubrec(1)); // and no message of the old session before it
    expect(second.store.reported.length).toBe(1);
    await second.stop();
  });
});

test("[MQTT-3.2.2-3] a first persistent session is not present", async () => {
  const platform = await startStubPlatform();
  await loggedIn(platform, METER, { ...KEPT, present: 0 });
  await platform.stop();
});

test("[MQTT-4.1.0-1] a clean session ends with its connection", async () => {
  const platform = await startStubPlatform();
  const client = await loggedIn(platform, METER);
  client.send(bytes(subscribe(1, [TOPIC, 1]), publish(DATA, report(1), { id: 1, qos: 2 })));
  await client.packet();
  await client.packet();
  const again = await loggedIn(platform, METER, { ...KEPT, present: 0 });
  expect(await send(platform, 1)).toBe("unreachable");
  again.send(publish(DATA, report(2), { id: 1, qos: 2, dup: true }));
  await again.expect(pubrec(1));
  expect(platform.store.reported.length).toBe(2);
  await platform.stop();
});

test("a connection that takes over takes the session with it", async () => {
  const platform = await startStubPlatform();
  const earlier = await loggedIn(platform, METER, KEPT);
  earlier.send(subscribe(1, [TOPIC, 1]));
  await earlier.expect(suback(1, 1));
  await send(platform, 11);
  const later = await loggedIn(platform, METER, { ...KEPT, present: 1 });
  await later.expect(publish(TOPIC, payloadOf(11), { id: 1, dup: true }));
  await send(platform, 12);
  await later.expect(publish(TOPIC, payloadOf(12), { id: 2 }));
  await platform.stop();
});

test("many connections of one device at once leave one, and one session", async () => {
  const platform = await startStubPlatform();
  const clients = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      loggedIn(platform, METER, { clean: index % 3 === 0 }).catch(() => undefined),
    ),
  );
  const last = await loggedIn(platform, METER, { clean: true });
  await last.expectAlive();
  last.send(DISCONNECT);
  await last.expectClosed();
  await platform.transactor.settled();
  await eventually(() => platform.held.get(1) === 0, "all released");
  expect(clients.length).toBe(20);
  expect(platform.registry.query("SELECT count(*) AS n FROM mqtt_session").get()).toEqual({ n: 0 });
  expect(platform.calls.filter((call) => call === "connected 1").length).toBe(
    platform.calls.filter((call) => call === "disconnected 1").length,
  );
  await platform.stop();
});

test("a session without a connection expires; a connected one does not", async () => {
  const clock = manualClock();
  const platform = await startStubPlatform({ clock, settings: { sessionExpiryMs: 3_600_000 } });
  const client = await loggedIn(platform, METER, { ...KEPT, keepAlive: 0 });
  client.send(bytes(subscribe(1, [TOPIC, 1]), publish(DATA, report(1), { id: 1, qos: 2 })));
  await client.packet();
  await client.packet();
  await clock.advance(3 * 3_600_000);
  await client.expectAlive();
  client.vanish();
  await eventually(() => platform.calls.includes("disconnected 1"));
  await clock.advance(3_000_000);
  await platform.transactor.settled();
  const sessions = () => platform.registry.query("SELECT count(*) AS n FROM mqtt_session").get();
  expect(sessions()).toEqual({ n: 1 });
  await clock.advance(1_200_000);
  await platform.transactor.settled();
  await eventually(() => platform.store.waiting() === 0);
  expect(sessions()).toEqual({ n: 0 });
  expect(platform.telemetry.query("SELECT count(*) AS n FROM mqtt_inbound").get()).toEqual({ n: 0 });
  await loggedIn(platform, METER, { ...KEPT, present: 0 });
  await platform.stop();
});

test("a session goes with its device", async () => {
  const platform = await startStubPlatform();
  const client = await loggedIn(platform, METER, KEPT);
  client.send(bytes(subscribe(1, [TOPIC, 1]), publish(DATA, report(1), { id: 1, qos: 2 })));
  await client.packet();
  await client.packet();
  await platform.transactor.write(() => platform.deviceEvents.emit("deviceDeleted", { device: { no: 1 } as never }));
  platform.listener.deviceLink.disconnect(1, "deleted");
  await client.expectClosed();
  await platform.transactor.settled();
  await eventually(() => platform.store.waiting() === 0);
  for (const [db, table] of [
    [platform.registry, "mqtt_session"],
    [platform.registry, "mqtt_subscription"],
    [platform.telemetry, "mqtt_inbound"],
  ] as const)
    expect(db.query(`SELECT * FROM ${table}`).all()).toEqual([]);
  await platform.stop();
});

test("identifiers whose session is gone are cleared at the next start", async () => {
  const first = await startStubPlatform();
  const { registry, telemetry } = first;
  telemetry.run("INSERT INTO mqtt_inbound VALUES (99, 1), (99, 2)");
  await first.stop();
  const second = await startStubPlatform({ registry, telemetry });
  await eventually(() => telemetry.query("SELECT * FROM mqtt_inbound").all().length === 0);
  await second.stop();
});

describe("what the device hears is on disk already", () => {
  test("CONNACK of a persistent session", async () => {
    const platform = await startStubPlatform();
    platform.holdsRegistry = true;
    const client = await connectRaw(platform.port);
    client.send(connect(METER, KEPT));
    await eventually(() => platform.held.get(1) === 1);
    const other = await loggedIn(platform, OTHER);
    await other.expectAlive();
    expect(client.received().length).toBe(0);
    platform.commitRegistry();
    await client.expect(connack(0));
    await platform.stop();
  });

  test("SUBACK, PUBLISH and PUBREL [MQTT-4.3.3-1] of a persistent session", async () => {
    const platform = await startStubPlatform();
    const client = await loggedIn(platform, METER, KEPT);
    const isHeldUntilCommit = async (act: () => void, answer: Uint8Array) => {
      await platform.transactor.settled();
      platform.holdsRegistry = true;
      act();
      await client.expectAlive(); // PINGRESP comes, the answer does not
      platform.commitRegistry();
      await client.expect(answer);
    };
    await isHeldUntilCommit(() => client.send(subscribe(1, [TOPIC, 2])), suback(1, 2));
    await isHeldUntilCommit(() => void send(platform, 11), publish(TOPIC, payloadOf(11), { qos: 2 }));
    await isHeldUntilCommit(() => client.send(pubrec(1)), pubrel(1));
    await platform.stop();
  });
});

test("a command to a device that leaves while the command is stored is unreachable, and is not sent later", async () => {
  const platform = await startStubPlatform();
  const client = await loggedIn(platform, METER, KEPT);
  client.send(subscribe(1, [TOPIC, 1]));
  await client.expect(suback(1, 1));
  platform.holdsRegistry = true;
  const outcome = send(platform, 11);
  client.vanish();
  await eventually(() => platform.calls.includes("disconnected 1"));
  platform.commitRegistry();
  expect(await outcome).toBe("unreachable");
  await platform.transactor.settled();
  expect(platform.listener.deviceLink.holdsCommand?.(1, 11)).toBe(false);
  const again = await loggedIn(platform, METER, { ...KEPT, present: 1 });
  await again.expectAlive();
  await platform.stop();
});

test("a QoS 2 message and a release that could not be stored are as if they had not come", async () => {
  const platform = await startStubPlatform();
  const client = await loggedIn(platform, METER, KEPT);
  client.send(bytes(subscribe(1, [TOPIC, 1]), publish(DATA, report(1), { id: 5, qos: 2 })));
  await client.packet();
  await client.packet();
  await send(platform, 11); // unacknowledged: the session stays in memory
  await client.packet();
  platform.store.isHeld = true;
  client.send(bytes(publish(DATA, report(2), { id: 6, qos: 2 }), pubrel(5)));
  await eventually(() => platform.store.waiting() === 2);
  platform.store.fail();
  platform.store.isHeld = false;
  await client.expectClosed();
  const again = await loggedIn(platform, METER, { ...KEPT, present: 1 });
  await again.packet(); // the command
  again.send(
    bytes(
      publish(DATA, report(1), { id: 5, qos: 2, dup: true }),
      publish(DATA, report(2), { id: 6, qos: 2, dup: true }),
    ),
  );
  await again.expect(bytes(pubrec(5), pubrec(6)));
  expect(platform.store.reported.map(({ reports }) => reports[0]?.data.value)).toEqual([1, 2]);
  await platform.stop();
});
