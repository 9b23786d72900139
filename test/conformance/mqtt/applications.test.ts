/** Applications that take their notifications by MQTT: exactly these bytes on the wire. */
import type { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import type { AppId, Application, ApplicationEvents } from "../../../src/capabilities/applications/application";
import type { DeliveryOutcome } from "../../../src/capabilities/subscriptions/subscriber-link";
import { DomainError, type DomainErrorCode } from "../../../src/platform/domain-error";
import { type EventBus, eventBus } from "../../../src/platform/events";
import { openDatabase } from "../../../src/platform/storage/open-database";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import {
  bytes,
  connack,
  DISCONNECT,
  dataTopic,
  field,
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
import { connectRaw, type RawClient } from "./raw-client";
import { eventually, loggedIn } from "./session";
import { METER, type StubOptions, type StubPlatform, startStubPlatform } from "./stub-platform";

const APP = "AppAppAppAppAppApp01";
const OTHER_APP = "AppAppAppAppAppApp02";
const SECRET = "the secret of 28 characters!";
const topic = (type: string, appId = APP) => `/islet/v1/applications/${appId}/notifications/${type}`;
const DATA = topic("deviceDataChanged");

type Options = {
  clean?: boolean;
  clientId?: string;
  username?: string;
  password?: string | Uint8Array;
  will?: boolean;
};
/** CONNECT of an application. `password` "" leaves it out. */
function connectApplication({ clean = false, clientId = APP, username = APP, password = SECRET, will }: Options = {}) {
  const flags = 0x80 | (password === "" ? 0 : 0x40) | (clean ? 2 : 0) | (will ? 4 : 0);
  const body = [field("MQTT"), 4, flags, uint16(60), field(clientId), will ? bytes(field(DATA), field("{}")) : ""];
  return packet(0x10, ...body, field(username), password === "" ? "" : field(password));
}

let platforms: StubPlatform[] = [];
let events: EventBus<ApplicationEvents>;
afterEach(async () => {
  for (const platform of platforms) await platform.stop();
  platforms = [];
});

const application = (no: number, id: string, frozen = false): Application => ({
  ...{ no, id: id as AppId, name: id, description: undefined, industry: undefined, storeHistory: true, createdAt: 0 },
  ...{ pushEnabled: true, signPushes: false, callsPerMinute: undefined, frozen },
});

function registryWithApplications(): Database {
  const registry = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  for (const [no, id] of [
    [1, APP],
    [2, OTHER_APP],
  ] as const)
    registry.run(
      `INSERT INTO application (no, id, name, store_history, push_enabled, frozen, secret_hash, token_generation,
         sign_pushes, signing_generation, created_at_ms) VALUES (?, ?, ?, 1, 1, 0, '', 0, 0, 0, 0)`,
      [no, id, id],
    );
  return registry;
}

type Start = StubOptions & { plain?: boolean; check?: (appId: string, secret: string) => Promise<Application> };
async function start({ plain = true, check, ...options }: Start = {}): Promise<StubPlatform> {
  events = eventBus<ApplicationEvents>();
  const checkSecret = async (appId: string, secret: string) => {
    const no = [APP, OTHER_APP].indexOf(appId) + 1;
    if (no === 0 || secret !== SECRET) throw new DomainError("APP_CREDENTIALS_WRONG");
    return application(no, appId);
  };
  const platform = await startStubPlatform({
    registry: registryWithApplications(),
    applications: { checkSecret: check ?? checkSecret, events, allowsPlain: plain },
    ...options,
  });
  platforms.push(platform);
  return platform;
}

async function entered(platform: StubPlatform, options: Options & { present?: 0 | 1 } = {}): Promise<RawClient> {
  const client = await connectRaw(platform.port);
  client.send(connectApplication(options));
  await client.expect(connack(0, options.present ?? 0));
  return client;
}
async function subscribed(platform: StubPlatform, options: Options = {}, filter = topic("#")): Promise<RawClient> {
  const client = await entered(platform, options);
  client.send(subscribe(1, [filter, 1]));
  await client.expect(suback(1, 1));
  return client;
}

/** Hands messages over, and keeps what became of them. */
function sender(platform: StubPlatform, appNo = 1) {
  const outcomes: Record<number, DeliveryOutcome> = {};
  const link = platform.listener.subscriberLink;
  return {
    outcomes,
    send: (id: number, { to = DATA, body = `{"n":${id}}`, orderKey = id, mayBeRepeated = false } = {}) =>
      link.send(appNo, { id, topic: to, body, orderKey, mayBeRepeated }, (outcome) => {
        if (outcomes[id]) throw new Error(`told twice of ${id}`);
        outcomes[id] = outcome;
      }),
    reach: (to = DATA) => link.reach(appNo, to),
  };
}
const notification = (id: number, { dup = false, to = DATA, body = `{"n":${id}}` } = {}) =>
  publish(to, body, { qos: 1, id: 1 + (id % 0xffff), dup });
const traced = ({ traces }: StubPlatform) => traces.map(({ kind, reason, claimedId }) => [kind, reason, claimedId]);

describe("login", () => {
  const REFUSED: [name: string, options: Options, code: number, reason: string][] = [
    ["a wrong secret", { password: "wrong" }, 5, "credentials_wrong"],
    ["an unknown application", { username: "A".repeat(20), clientId: "A".repeat(20) }, 5, "credentials_wrong"],
    ["no password", { password: "" }, 4, "password_missing"],
    ["a password that is not UTF-8", { password: bytes(0xff, 0xfe) }, 4, "password_malformed"],
    ["a client id without end", { clientId: `${APP}:${"x".repeat(300)}` }, 2, "client_id_too_long"],
  ];
  test.each(REFUSED)("with %s is refused", async (_name, options, code, reason) => {
    const platform = await start();
    const client = await connectRaw(platform.port);
    client.send(connectApplication(options));
    await client.expect(connack(code));
    await client.expectClosed();
    expect(traced(platform)).toEqual([["login", reason, options.username ?? APP]]);
    expect(platform.metrics.render()).toContain(`islet_mqtt_logins_total{protocol="mqtt",outcome="${reason}"} 1`);
  });

  test.each<[DomainErrorCode, number]>([
    ["APP_FROZEN", 5],
    ["CONGESTED", 3],
  ])("that the platform refuses with %s gets %d", async (code, returnCode) => {
    const platform = await start({
      check: async () => {
        throw new DomainError(code);
      },
    });
    const client = await connectRaw(platform.port);
    client.send(connectApplication());
    await client.expect(connack(returnCode));
    await client.expectClosed();
  });

  test("whose check breaks is refused for now, and ends nothing else", async () => {
    const platform = await start({
      check: async () => {
        throw new Error("hash library broken");
      },
    });
    const device = await loggedIn(platform);
    const client = await connectRaw(platform.port);
    client.send(connectApplication());
    await client.expect(connack(3));
    await client.expectClosed();
    await device.expectAlive();
  });

  test("needs TLS, unless the configuration says otherwise; the secret is not even looked at", async () => {
    let asked = 0;
    const check = async () => {
      asked++;
      return application(1, APP);
    };
    const platform = await start({ plain: false, check });
    const client = await connectRaw(platform.port);
    client.send(connectApplication());
    await client.expect(connack(5));
    await client.expectClosed();
    expect([asked, platform.traces[0]?.reason]).toEqual([0, "applications_need_tls"]);
  });

  test("where applications cannot log in looks like a device with a wrong client id", async () => {
    const platform = await startStubPlatform();
    platforms.push(platform);
    const client = await connectRaw(platform.port);
    client.send(connectApplication());
    await client.expect(connack(2));
    await client.expectClosed();
  });

  test.each([{ clientId: `${APP}x` }, { clientId: `x${APP}` }, { username: "short", clientId: "short" }])(
    "with %j is no application's",
    async (options) => {
      const platform = await start();
      const client = await connectRaw(platform.port);
      client.send(connectApplication(options));
      await client.expect(connack(2));
      await client.expectClosed();
    },
  );

  test("takes its time; what came behind CONNECT waits, and the time limit of CONNECT goes on", async () => {
    const clock = manualClock();
    const checks: ((application: Application) => void)[] = [];
    const check = () => new Promise<Application>((resolve) => checks.push(resolve));
    const platform = await start({ check, clock });
    const client = await connectRaw(platform.port);
    client.send(bytes(connectApplication(), subscribe(1, [DATA, 1])));
    const late = await connectRaw(platform.port);
    await eventually(() => platform.metrics.render().includes("half_open_connections 2"));
    await eventually(() => checks.length === 1);
    expect(client.received().length).toBe(0);
    checks[0]?.(application(1, APP));
    await client.expect(bytes(connack(0), suback(1, 1)));
    late.send(connectApplication({ clientId: `${APP}:2` }));
    await eventually(() => checks.length === 2);
    await clock.advance(12_000);
    await late.expectClosed();
    checks[1]?.(application(1, APP)); // too late: nothing comes of it
    await client.expectAlive();
    expect(platform.metrics.render()).toContain("islet_mqtt_application_connections 1");
    expect(platform.metrics.render()).toContain("half_open_connections 0");
  });

  test("of devices goes on as before beside it", async () => {
    const platform = await start();
    const app = await subscribed(platform);
    const device = await loggedIn(platform);
    device.send(publish(dataTopic(METER.deviceId), report(1), { id: 7 }));
    await device.expect(puback(7));
    await app.expectAlive();
  });
});

describe("topics", () => {
  test.each([topic("#"), topic("+"), topic("deviceAdded"), topic("fwUpgradeResultNotify")])(
    "%s is its own",
    async (filter) => {
      const platform = await start();
      const client = await entered(platform);
      client.send(subscribe(9, [filter, 2], [filter, 1]));
      await client.expect(suback(9, 1, 1));
    },
  );

  test.each([
    ...["#", "+", "+/#", "/#", "/islet/#", "/islet/v1/applications/#", "/islet/v1/applications/+/notifications/#"],
    ...[topic("#", OTHER_APP), topic("deviceAdded", OTHER_APP), topic("nothing"), topic("deviceAdded/#"), topic("+/+")],
    ...[`/islet/v1/applications/${APP}/#`, `/islet/v1/applications/${APP}/notifications`, topic("")],
    ...[dataTopic(METER.deviceId), `/huawei/v1/devices/${METER.deviceId}/command/#`, "$SYS/#"],
  ])("%s is not", async (filter) => {
    const platform = await start();
    const client = await entered(platform);
    client.send(subscribe(9, [filter, 1], [DATA, 1]));
    await client.expect(suback(9, 0x80, 1));
    expect(traced(platform).at(-1)).toEqual(["subscribe", "filter_not_allowed", APP]);
  });

  test("QoS 0 is refused: nobody would know what has arrived", async () => {
    const platform = await start();
    const client = await entered(platform);
    client.send(subscribe(9, [DATA, 0]));
    await client.expect(suback(9, 0x80));
    expect(traced(platform).at(-1)).toEqual(["subscribe", "qos_0", APP]);
    expect(sender(platform).reach()).toBe("not_subscribed");
  });

  test.each([DATA, dataTopic(METER.deviceId), "a"])("publishing to %s ends the connection", async (to) => {
    const platform = await start();
    const client = await entered(platform);
    client.send(publish(to, report(1), { id: 3 }));
    await client.expectClosed();
    expect(platform.store.reported).toEqual([]);
    expect(traced(platform).at(-1)).toEqual(["publish", "topic_not_allowed", APP]);
  });

  test("a will is dropped: nothing is published when the connection is lost", async () => {
    const platform = await start();
    const bystander = await subscribed(platform, { clientId: `${APP}:2` });
    const client = await entered(platform, { will: true });
    client.vanish();
    await eventually(() => platform.metrics.render().includes("islet_mqtt_application_connections 1"));
    await bystander.expectAlive();
    expect(platform.store.reported).toEqual([]);
  });

  test("no command reaches it, and no notification a device", async () => {
    const platform = await start();
    const device = await loggedIn(platform);
    device.send(subscribe(1, [topic("#"), 1]));
    await device.expect(suback(1, 0x80));
    const { send } = sender(platform);
    expect(send(1)).toBe(false);
    await device.expectAlive();
  });
});

describe("notifications", () => {
  test("come with QoS 1 and are done with their PUBACK", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    const { send, outcomes } = sender(platform);
    expect([send(10), send(11, { to: topic("deviceAdded"), body: '{"é":"😀"}' })]).toEqual([true, true]);
    await client.expect(notification(10));
    await client.expect(notification(11, { to: topic("deviceAdded"), body: '{"é":"😀"}' }));
    expect(outcomes).toEqual({});
    client.send(bytes(puback(12), puback(4711)));
    await eventually(() => outcomes[11] === "acknowledged");
    client.send(puback(12)); // again: it is nobody's
    await client.expectAlive();
    expect(outcomes).toEqual({ 11: "acknowledged" });
    client.send(puback(11));
    await eventually(() => outcomes[10] === "acknowledged");
    expect(platform.metrics.render()).toContain(`direction="out",outcome="notification"} 2`);
  });

  test("one that may be repeated carries DUP", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    sender(platform).send(10, { mayBeRepeated: true });
    await client.expect(notification(10, { dup: true }));
  });

  test("its identifier follows from the message, and is not given twice at a time", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    const { send, outcomes } = sender(platform);
    const [first, same] = [1_800_000_000_000 * 1_024, 1_800_000_000_000 * 1_024 + 0xffff];
    expect([send(first), send(same), send(first + 1)]).toEqual([true, false, true]);
    await client.expect(bytes(notification(first), notification(first + 1)));
    client.send(puback(1 + (first % 0xffff)));
    await eventually(() => outcomes[first] === "acknowledged");
    expect(send(same)).toBe(true);
    await client.expect(notification(same));
  });

  test("the window is full until something is acknowledged; then there is room, and that is told", async () => {
    const platform = await start({ settings: { maxApplicationInflight: 2 } });
    const client = await subscribed(platform);
    const rooms: number[] = [];
    platform.listener.subscriberLink.onRoom((appNo) => rooms.push(appNo));
    const { send } = sender(platform);
    expect([send(1), send(2), send(3)]).toEqual([true, true, false]);
    await client.expect(bytes(notification(1), notification(2)));
    client.send(puback(2));
    await eventually(() => rooms.length > 0);
    expect([send(3), send(4)]).toEqual([true, false]);
    await client.expect(notification(3));
  });

  test("what was not acknowledged when the connection ends is lost, in the order of sending", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    const { send, outcomes, reach } = sender(platform);
    const changes: number[] = [];
    platform.listener.subscriberLink.onChange((appNo) => changes.push(appNo));
    for (const id of [5, 3, 4]) send(id);
    await client.expect(bytes(notification(5), notification(3), notification(4)));
    client.send(puback(4));
    await eventually(() => outcomes[3] === "acknowledged");
    client.vanish();
    await eventually(() => outcomes[4] === "lost");
    expect([Object.entries(outcomes), reach(), changes]).toEqual([
      [
        ["3", "acknowledged"],
        ["4", "lost"],
        ["5", "lost"],
      ],
      "away",
      [1],
    ]);
  });

  test("PUBREC, PUBREL and PUBCOMP change nothing, and leave no client waiting", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    const { send, outcomes } = sender(platform);
    send(10);
    await client.expect(notification(10));
    client.send(bytes(pubrec(11), pubrel(5), pubcomp(11)));
    await client.expect(bytes(pubrel(11), pubcomp(5)));
    await client.expectAlive();
    expect(outcomes).toEqual({});
  });

  test("after UNSUBSCRIBE nothing new comes, and what is under way can still be acknowledged", async () => {
    const platform = await start();
    const client = await subscribed(platform, {}, DATA);
    const { send, outcomes, reach } = sender(platform);
    send(10);
    await client.expect(notification(10));
    client.send(unsubscribe(2, DATA, topic("deviceAdded")));
    await client.expect(unsuback(2));
    expect([reach(), send(11)]).toEqual(["not_subscribed", false]);
    client.send(puback(11));
    await eventually(() => outcomes[10] === "acknowledged");
  });

  test("a reader that does not read gets one message at a time, however large, and is dropped when it takes nothing", async () => {
    const clock = manualClock();
    const platform = await start({ clock, settings: { maxOutboundBytes: 10_000, stallTimeoutMs: 5_000 } });
    const client = await subscribed(platform);
    client.pause();
    const { send, outcomes } = sender(platform);
    const body = `"${"x".repeat(8 * 2 ** 20)}"`;
    let sent = 0;
    while (send(sent + 1, { body })) sent++;
    expect(sent).toBeLessThan(4); // the kernel has taken some
    await clock.advance(3_000);
    expect(platform.listener.subscriberLink.reach(1, DATA)).toBe("connected"); // not for being larger than the limit
    await clock.advance(60_000);
    await eventually(() => outcomes[sent] === "lost");
  });

  test("a slow reader gets all of it", async () => {
    const platform = await start({ settings: { maxOutboundBytes: 10_000 } });
    const client = await subscribed(platform);
    client.pause();
    const { send, outcomes } = sender(platform);
    const body = `"${"x".repeat(8 * 2 ** 20)}"`;
    let next = 1;
    platform.listener.subscriberLink.onRoom(() => {
      if (next <= 5 && send(next, { body })) next++;
    });
    while (send(next, { body })) next++;
    client.resume();
    for (let id = 1; id <= 5; id++) {
      await client.expect(notification(id, { body }));
      client.send(puback(1 + id));
    }
    await eventually(() => outcomes[5] === "acknowledged");
  });
});

describe.each(["a new connection", "a restart"])("a persistent session after %s", (kind) => {
  async function comeBack(platform: StubPlatform): Promise<StubPlatform> {
    if (kind === "a new connection") return platform;
    await platform.transactor.settled();
    const { registry, telemetry } = platform; // not stopped: a process that is killed stops nothing
    return start({ registry, telemetry });
  }

  test("is present, with its filters, and takes notifications right behind CONNACK", async () => {
    const first = await start();
    const client = await subscribed(first, {}, DATA);
    client.vanish();
    await eventually(() => sender(first).reach() === "away");
    const second = await comeBack(first);
    const { send } = sender(second);
    second.listener.subscriberLink.onChange(() => send(77, { mayBeRepeated: true }));
    const again = await connectRaw(second.port);
    again.send(connectApplication());
    await again.expect(bytes(connack(0, 1), notification(77, { dup: true })));
  });

  test("is another one for another client id, and gone after clean session 1", async () => {
    const first = await start();
    const client = await subscribed(first);
    client.send(DISCONNECT);
    await client.expectClosed();
    const second = await comeBack(first);
    await entered(second, { clientId: `${APP}:2`, present: 0 });
    const clean = await entered(second, { clean: true, present: 0 });
    expect(sender(second).reach()).toBe("not_subscribed");
    clean.send(DISCONNECT);
    await clean.expectClosed();
    await entered(second, { present: 0 });
  });

  test("remembers what was unsubscribed", async () => {
    const first = await start();
    const client = await subscribed(first);
    client.send(unsubscribe(2, topic("#")));
    await client.expect(unsuback(2));
    client.vanish();
    await eventually(() => sender(first).reach() === "away");
    const second = await comeBack(first);
    await entered(second, { present: 1 });
    expect(sender(second).reach()).toBe("not_subscribed");
  });
});

describe("sessions", () => {
  test("SUBACK follows what it promises to the disk", async () => {
    const platform = await start();
    const client = await entered(platform);
    platform.holdsRegistry = true;
    client.send(subscribe(1, [DATA, 1]));
    await client.expectAlive();
    expect(sender(platform).reach()).toBe("not_subscribed");
    platform.commitRegistry();
    await client.expect(suback(1, 1));
  });

  test("one that ends with its connection has no row", async () => {
    const platform = await start();
    await subscribed(platform, { clean: true });
    expect(platform.registry.query("SELECT count(*) AS n FROM mqtt_application_session").get()).toEqual({ n: 0 });
  });

  test("expires without a connection, and not with one", async () => {
    const clock = manualClock();
    const platform = await start({ clock, settings: { sessionExpiryMs: 3_600_000 } });
    const stays = await subscribed(platform, { clientId: `${APP}:stays` });
    const client = await subscribed(platform);
    client.vanish();
    await eventually(() => platform.metrics.render().includes("islet_mqtt_application_connections 1"));
    for (let minute = 0; minute < 70; minute++) {
      await clock.advance(40_000);
      await stays.expectAlive();
      await clock.advance(20_000);
    }
    const rows = platform.registry.query("SELECT client_id FROM mqtt_application_session").all();
    expect(rows).toEqual([{ client_id: `${APP}:stays` }]);
    await entered(platform, { present: 0 });
  });

  test("of one application are limited, and so are its connections", async () => {
    const platform = await start({ settings: { maxApplicationSessions: 1, maxConnectionsPerApplication: 2 } });
    await entered(platform);
    const second = await connectRaw(platform.port);
    second.send(connectApplication({ clientId: `${APP}:2` }));
    await second.expect(connack(3));
    await second.expectClosed();
    await entered(platform, { clientId: `${APP}:3`, clean: true });
    const third = await connectRaw(platform.port);
    third.send(connectApplication({ clientId: `${APP}:4`, clean: true }));
    await third.expect(connack(3));
    await third.expectClosed();
    await entered(platform, { clean: true }); // takes the place of the first
    expect(traced(platform).map(([, reason]) => reason)).toEqual([
      ...["connected", "too_many_sessions", "connected", "too_many_connections", "connected"],
    ]);
  });
});

describe("several connections", () => {
  test("with one client id: the later takes over, and what was under way is lost to the earlier", async () => {
    const platform = await start();
    const earlier = await subscribed(platform);
    const { send, outcomes } = sender(platform);
    send(10);
    await earlier.expect(notification(10));
    const later = await entered(platform, { present: 1 });
    await earlier.expectClosed();
    expect(outcomes).toEqual({ 10: "lost" });
    send(11);
    await later.expect(notification(11));
  });

  test("with different ones: they share the messages, and a device's stay together while under way", async () => {
    const platform = await start();
    const one = await subscribed(platform);
    const two = await subscribed(platform, { clientId: `${APP}:2` });
    const { send, outcomes } = sender(platform);
    send(1, { orderKey: 7 });
    send(2, { orderKey: 8 });
    send(3, { orderKey: 8 });
    send(4, { orderKey: 8 });
    await one.expect(notification(1));
    await two.expect(bytes(notification(2), notification(3), notification(4)));
    two.send(bytes(puback(3), puback(4), puback(5)));
    await eventually(() => outcomes[4] === "acknowledged");
    send(5, { orderKey: 8 });
    send(6, { orderKey: 7 });
    await two.expect(notification(5));
    await one.expect(notification(6));
    one.vanish();
    await eventually(() => outcomes[6] === "lost");
    send(6, { orderKey: 7, mayBeRepeated: true, to: topic("deviceAdded") });
    await two.expect(notification(6, { dup: true, to: topic("deviceAdded") }));
  });

  test("get only what they subscribed to", async () => {
    const platform = await start();
    const one = await subscribed(platform, {}, topic("deviceAdded"));
    const two = await subscribed(platform, { clientId: `${APP}:2` }, DATA);
    const { send, reach } = sender(platform);
    expect([send(1), send(2, { to: topic("deviceAdded") }), send(3, { to: topic("deviceDeleted") })]).toEqual([
      true,
      true,
      false,
    ]);
    await two.expect(notification(1));
    await one.expect(notification(2, { to: topic("deviceAdded") }));
    expect(reach(topic("deviceDeleted"))).toBe("not_subscribed");
  });

  test("of different applications have nothing in common", async () => {
    const platform = await start();
    const mine = await subscribed(platform);
    const others = await subscribed(platform, { username: OTHER_APP, clientId: OTHER_APP }, topic("#", OTHER_APP));
    sender(platform).send(1);
    await mine.expect(notification(1));
    await others.expectAlive();
    expect(sender(platform, 2).send(2)).toBe(false); // not a topic of that application
    const own = topic("deviceAdded", OTHER_APP);
    expect(sender(platform, 2).send(3, { to: own })).toBe(true);
    await others.expect(notification(3, { to: own }));
    await mine.expectAlive();
  });
});

describe("the end", () => {
  test.each([
    ["applicationSecretReset", false],
    ["applicationDeleted", false],
    ["applicationChanged", true],
  ] as const)("%s ends all connections of the application, and no other", async (event, frozen) => {
    const platform = await start();
    const one = await subscribed(platform);
    const two = await subscribed(platform, { clientId: `${APP}:2`, clean: true });
    const bystander = await entered(platform, { username: OTHER_APP, clientId: OTHER_APP });
    await platform.transactor.write(() => events.emit(event, { application: application(1, APP, frozen) }));
    await one.expectClosed();
    await two.expectClosed();
    await bystander.expectAlive();
  });

  test("an application that is changed and not frozen stays", async () => {
    const platform = await start();
    const client = await entered(platform);
    await platform.transactor.write(() => events.emit("applicationChanged", { application: application(1, APP) }));
    await client.expectAlive();
  });

  test("when the server stops nothing counts as lost: it is all in the outbox", async () => {
    const platform = await start();
    const client = await subscribed(platform);
    const { send, outcomes } = sender(platform);
    send(10);
    await client.expect(notification(10));
    await platform.stop();
    await client.expectClosed();
    expect([outcomes, send(11)]).toEqual([{}, false]);
  });

  test("CONNECT again, and packets that only servers send, end the connection", async () => {
    const platform = await start();
    for (const violation of [connectApplication(), connack(0), suback(1, 1), bytes(0xd0, 0)]) {
      const client = await entered(platform, { clean: true });
      client.send(violation);
      await client.expectClosed();
    }
  });
});
