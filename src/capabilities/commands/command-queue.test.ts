import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { Device } from "../devices/device";
import { METER, SETTINGS, type SleepyPlatform, sleepyPlatform, VALVE } from "./testing/sleepy-platform";

const S = 1_000;
const DAY = 24 * 3_600 * S;

let clock: ManualClock;
let platform: SleepyPlatform;
beforeEach(() => {
  clock = manualClock();
  platform = sleepyPlatform({ clock });
});
const sentMids = () => platform.transmissions.map(({ message }) => message.mid);
const rejection = (run: Promise<unknown>) =>
  run.then(
    () => "accepted",
    ({ code, message }) => code ?? message,
  );

describe("a cached command", () => {
  test("is PENDING for 48 hours when nothing is said, and nothing is sent to a device that sleeps", async () => {
    const command = await platform.create({ callbackUrl: "http://h:9/c" });
    expect(command).toMatchObject({
      ...{ status: "PENDING", dispatch: "cached", expireTimeS: 172_800, issuedTimes: 0 },
      ...{ sentAt: undefined, mode: "ACK", callbackUrl: "http://h:9/c" },
    });
    await platform.settle();
    expect(platform.transmissions).toEqual([]);
  });

  test("leaves when the device is heard, stored with its bytes before they are sent", async () => {
    const { id } = await platform.create();
    await clock.advance(5 * S);
    const at = clock.now();
    await platform.hear();
    expect(platform.prepared).toEqual([
      { mid: 1, deviceId: "meter", serviceId: "Valve", method: "SET", paras: { level: 3 }, hasMore: false },
    ]);
    const [first] = platform.transmissions;
    const row = platform.db.query<{ status: string; datagram: Uint8Array }, []>("SELECT * FROM command").get();
    expect([row?.status, row?.datagram]).toEqual(["SENT", first?.datagram as Uint8Array]);
    expect(first?.options).toMatchObject({ ackTimeoutMs: 10 * S, maxRetransmit: 3, giveUpAfterMs: 180 * S });
    expect(platform.commands.find("app-1" as never, id)).toMatchObject({ status: "SENT", issuedTimes: 1, sentAt: at });
  });

  test("says whether more wait behind it", async () => {
    for (let count = 0; count < 3; count++) await platform.create();
    await platform.hear();
    for (let count = 0; count < 2; count++) await platform.end();
    expect(platform.prepared.map(({ hasMore }) => hasMore)).toEqual([true, true, false]);
  });

  test("leaves at once when the device listens now; the answer says PENDING", async () => {
    platform.listening.add(METER);
    const command = await platform.create();
    await platform.settle();
    expect([command.status, platform.status(command.id)]).toEqual(["PENDING", "SENT"]);
  });

  test("waits on while the device has more to say", async () => {
    await platform.create();
    await platform.hear(METER, { hasMore: true });
    expect(platform.statuses()).toEqual(["PENDING"]);
    await platform.hear();
    expect(platform.statuses()).toEqual(["SENT"]);
  });

  test("goes through its states, each told once and in order, and its bytes are not kept", async () => {
    await platform.create();
    await platform.hear();
    await platform.end();
    expect(platform.statuses()).toEqual(["DELIVERED"]);
    await platform.answer(1);
    expect(platform.told).toEqual(["c1 SENT", "c1 DELIVERED", "c1 SUCCESSFUL"]);
    expect(platform.db.query("SELECT datagram, queued, open FROM command").values()).toEqual([[null, 0, 0]]);
  });

  test("fails by the result", async () => {
    await platform.create();
    await platform.hear();
    await platform.end();
    await platform.answer(1, 1);
    expect(platform.told).toEqual(["c1 SENT", "c1 DELIVERED", "c1 FAILED"]);
    expect(platform.commands.find("app-1" as never, "c1")?.result).toEqual({ errcode: 1, body: { ok: false } });
  });

  test("fails when the device refuses it, and the next one leaves", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    await platform.end({ kind: "refused", detail: "4.05" });
    expect(platform.statuses()).toEqual(["FAILED", "SENT"]);
    expect(platform.told).toEqual(["c1 SENT", "c1 FAILED refused_by_device", "c2 SENT"]);
    expect(platform.commands.find("app-1" as never, "c1")?.result).toEqual({
      reason: "refused_by_device",
      detail: "4.05",
    });
  });

  test("times out 180 s after its first sending, and the others stay PENDING until the device is heard", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    await clock.advance(180 * S - 1);
    expect(platform.statuses()).toEqual(["SENT", "PENDING"]);
    await clock.advance(1);
    await platform.settle();
    expect(platform.statuses()).toEqual(["TIMEOUT", "PENDING"]);
    expect(platform.told).toEqual(["c1 SENT", "c1 TIMEOUT no_acknowledgement"]);
    await platform.hear();
    expect(platform.statuses()).toEqual(["TIMEOUT", "SENT"]);
    await platform.answer(1); // too late
    expect(platform.status("c1")).toBe("TIMEOUT");
    expect(platform.traced.some(({ reason }) => reason === "unknown_mid")).toBe(true);
  });

  test("does not wait for the next contact when the device was heard while the one before was under way", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    await clock.advance(170 * S);
    await platform.hear();
    await clock.advance(10 * S);
    await platform.settle();
    expect(platform.statuses()).toEqual(["TIMEOUT", "SENT"]);
  });

  test("hands on its own number of retransmissions", async () => {
    await platform.create({ maxRetransmit: 0 });
    await platform.hear();
    expect(platform.transmissions[0]?.options.maxRetransmit).toBe(0);
  });

  test("stays DELIVERED when no result comes; its mid is free when the window closes", async () => {
    await platform.create();
    await platform.hear();
    await clock.advance(60 * S);
    await platform.end();
    await clock.advance(SETTINGS.answerTimeoutMs - 1);
    await platform.commands.sweep();
    expect(platform.db.query("SELECT open FROM command").values()).toEqual([[1]]);
    await clock.advance(1);
    await platform.commands.sweep();
    await platform.answer(1);
    expect(platform.statuses()).toEqual(["DELIVERED"]);
    expect(platform.db.query("SELECT open FROM command").values()).toEqual([[0]]);
  });

  test("ends with the result that overtakes the acknowledgement; nothing is sent any more, the next one leaves", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    await platform.answer(1);
    expect(platform.told).toEqual(["c1 SENT", "c1 SUCCESSFUL", "c2 SENT"]);
    expect(platform.transmissions.map(({ isOver }) => isOver)).toEqual([true, false]);
  });

  test("is not answered while it waits", async () => {
    await platform.create();
    await platform.answer(1);
    expect(platform.statuses()).toEqual(["PENDING"]);
    expect(platform.traced.map(({ reason }) => reason)).toEqual(["unknown_mid"]);
  });

  test.each([
    ["script_error", "FAILED"],
    ["message_unknown", "FAILED"],
    ["payload_too_large", "FAILED"],
    ["codec_busy", "PENDING"], // it passes
  ])("of which the codec says %s is %s", async (reason, status) => {
    platform.encodeBy(() => ({ kind: "notEncodable", reason, detail: "line 1" }));
    await platform.create();
    await platform.hear();
    expect(platform.statuses()).toEqual([status]);
    expect(platform.traced.map((entry) => entry.reason)).toEqual([reason]);
    expect(platform.transmissions).toEqual([]);
    if (status !== "FAILED") return;
    expect(platform.told).toEqual(["c1 FAILED not_encodable"]);
    expect(platform.commands.find("app-1" as never, "c1")?.result).toEqual({
      ...{ reason: "not_encodable", detail: `${reason}: line 1` },
    });
  });

  test("waits on when the registration is gone as it is prepared", async () => {
    await platform.create();
    platform.registered.delete(METER);
    await platform.hear();
    expect(platform.statuses()).toEqual(["PENDING"]);
  });

  test("is not sent when it is cancelled or expires while it is prepared", async () => {
    const gate = Promise.withResolvers<void>();
    const datagram = new TextEncoder().encode(JSON.stringify({ messageId: 1, mid: 1, method: "SET" }));
    platform.encodeBy(async () => {
      await gate.promise;
      return { kind: "ready", datagram };
    });
    const { id } = await platform.create({ expireTimeS: 60 });
    await platform.create({ deviceId: "valve", expireTimeS: 60 });
    await platform.hear(METER);
    await platform.hear(VALVE);
    await platform.commands.cancel("app-1" as never, id);
    await clock.advance(60 * S);
    gate.resolve();
    await platform.settle();
    expect(platform.statuses()).toEqual(["CANCELED", "EXPIRED"]);
    expect(platform.transmissions).toEqual([]);
  });
});

describe("one at a time for a device", () => {
  test("oldest first, the next when the one before is acknowledged", async () => {
    for (let count = 0; count < 4; count++) await platform.create();
    await platform.hear();
    await platform.hear();
    for (const mids of [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]) {
      expect(sentMids()).toEqual(mids);
      expect(platform.open().length).toBe(1);
      await platform.end();
    }
    expect(platform.statuses()).toEqual(["DELIVERED", "DELIVERED", "DELIVERED", "DELIVERED"]);
  });

  test("stops in between when the device sleeps again", async () => {
    for (let count = 0; count < 3; count++) await platform.create();
    await platform.hear();
    platform.listening.delete(METER);
    await platform.end();
    expect(platform.statuses()).toEqual(["DELIVERED", "PENDING", "PENDING"]);
  });

  test("devices do not wait for each other", async () => {
    await platform.create();
    await platform.create({ deviceId: "valve" });
    await platform.hear(METER);
    await platform.hear(VALVE);
    expect(platform.open().map(({ deviceNo }) => deviceNo)).toEqual([METER, VALVE]);
  });

  test("an immediate one goes before those that wait, and waits for the exchange under way", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    const immediate = await platform.create({ expireTimeS: 0 });
    await platform.settle();
    expect(immediate).toMatchObject({ status: "SENT", dispatch: "immediate", issuedTimes: 0, sentAt: undefined });
    expect(sentMids()).toEqual([1]);
    await platform.end();
    expect(sentMids()).toEqual([1, 3]);
    await platform.end();
    expect(sentMids()).toEqual([1, 3, 2]);
  });

  test("a queue that is held lets nothing leave; the exchange under way ends", async () => {
    await platform.create();
    await platform.create();
    await platform.hear();
    const first = platform.commands.hold(METER);
    const second = platform.commands.hold(METER);
    await platform.end();
    await platform.hear();
    first();
    first();
    await platform.settle();
    expect(platform.statuses()).toEqual(["DELIVERED", "PENDING"]);
    second();
    await platform.settle();
    expect(platform.statuses()).toEqual(["DELIVERED", "SENT"]);
  });
});

describe("an immediate command", () => {
  test("is SENT, never PENDING, and is sent whether the device listens or not", async () => {
    const command = await platform.create({ expireTimeS: 0 });
    await platform.settle();
    expect([command.status, command.expireTimeS, sentMids()]).toEqual(["SENT", 0, [1]]);
    expect(platform.commands.find("app-1" as never, command.id)).toMatchObject({ issuedTimes: 1, sentAt: clock.now() });
    await clock.advance(180 * S);
    await platform.settle();
    expect(platform.statuses()).toEqual(["TIMEOUT"]);
  });

  const OFFLINE: [string, (it: SleepyPlatform) => void][] = [
    ["OFFLINE", (it) => it.setDevice(METER, { status: "OFFLINE" })],
    ["INACTIVE", (it) => it.setDevice(METER, { status: "INACTIVE" })],
    ["ABNORMAL", (it) => it.setDevice(METER, { status: "ABNORMAL" })],
    ["without a registration", (it) => void it.registered.delete(METER)],
  ];
  test.each(OFFLINE)("to a device that is %s has failed at once, and that is told", async (_name, make) => {
    make(platform);
    const command = await platform.create({ expireTimeS: 0 });
    expect(command).toMatchObject({ status: "FAILED", result: { reason: "device_offline" }, issuedTimes: 0 });
    expect(platform.told).toEqual(["c1 FAILED device_offline"]);
    await platform.hear();
    expect([platform.statuses(), platform.transmissions]).toEqual([["FAILED"], []]);
  });

  test("has failed when the registration is gone as it is prepared", async () => {
    await platform.create();
    await platform.hear();
    await platform.create({ expireTimeS: 0 });
    platform.registered.delete(METER);
    await platform.end();
    expect(platform.statuses()).toEqual(["DELIVERED", "FAILED"]);
    expect(platform.told.at(-1)).toBe("c2 FAILED device_unreachable");
  });

  test("of which the codec makes nothing has failed", async () => {
    platform.encodeBy(() => ({ kind: "notEncodable", reason: "codec_busy", detail: "" }));
    await platform.create({ expireTimeS: 0 });
    await platform.settle();
    expect(platform.told).toEqual(["c1 FAILED not_encodable"]);
  });

  test("waits 180 s for its turn, no longer", async () => {
    platform.commands.hold(METER);
    await platform.create({ expireTimeS: 0 });
    await clock.advance(180 * S - 1);
    expect(platform.statuses()).toEqual(["SENT"]);
    await clock.advance(1);
    await platform.settle();
    expect([platform.statuses(), platform.transmissions]).toEqual([["TIMEOUT"], []]);
  });

  test("has its own 180 s when its turn comes late", async () => {
    await platform.create();
    await platform.hear();
    await clock.advance(100 * S);
    await platform.create({ expireTimeS: 0 });
    await clock.advance(80 * S); // the first one times out
    await platform.settle();
    expect(platform.open()[0]?.options.giveUpAfterMs).toBe(180 * S);
    await clock.advance(180 * S - 1);
    expect(platform.statuses()).toEqual(["TIMEOUT", "SENT"]);
    await clock.advance(1);
    await platform.settle();
    expect(platform.statuses()).toEqual(["TIMEOUT", "TIMEOUT"]);
  });

  test("cannot be answered, cancelled or expire before its turn", async () => {
    platform.commands.hold(METER);
    await platform.create({ expireTimeS: 0 });
    await platform.answer(1);
    expect(await rejection(platform.commands.cancel("app-1" as never, "c1"))).toBe("COMMAND_NOT_CANCELLABLE");
    await platform.commands.sweep();
    expect(platform.statuses()).toEqual(["SENT"]);
  });
});

describe("what is refused leaves nothing behind:", () => {
  test("the 21st that would be PENDING; others may be created, and room is made by each that leaves", async () => {
    for (let count = 0; count < 20; count++) await platform.create();
    expect(await rejection(platform.create())).toBe("COMMAND_LIMIT_REACHED");
    expect(platform.statuses().length).toBe(20);
    await platform.create({ deviceId: "valve" });
    await platform.create({ expireTimeS: 0 });
    await platform.settle();
    expect(await rejection(platform.create())).toBe("COMMAND_LIMIT_REACHED");
    platform.listening.add(METER);
    await platform.end();
    expect(await rejection(platform.create())).toBe("accepted");
  });

  test("expired ones do not count", async () => {
    for (let count = 0; count < 20; count++) await platform.create({ expireTimeS: 1 });
    await clock.advance(S);
    expect(await rejection(platform.create())).toBe("accepted");
  });

  test("too many open commands of a device", async () => {
    platform = sleepyPlatform({ clock, settings: { maxOpenPerDevice: 2 } });
    await platform.create();
    await platform.create();
    expect(await rejection(platform.create())).toBe("CONGESTED");
  });

  test("a signal of 1.9.7, which is for connected devices", async () => {
    platform.listening.add(METER);
    const signal = { deviceId: "meter", serviceId: "Valve", method: "SET" };
    expect(await rejection(platform.commands.send("app-1" as never, signal))).toBe("DEVICE_OFFLINE");
    expect(platform.statuses()).toEqual([]);
  });

  const ZOMBIES: [string, Partial<Device>, seenBefore: number | undefined, outcome: string][] = [
    ["seen 7 days ago", {}, 7 * DAY, "accepted"],
    ["seen longer ago", {}, 7 * DAY + 1, "DEVICE_ZOMBIE"],
    ["activated and never seen, young", { createdAt: 0 }, undefined, "DEVICE_ZOMBIE"],
    ["never activated", { activated: false, status: "INACTIVE", createdAt: 0 }, undefined, "accepted"],
  ];
  test.each(ZOMBIES)("a zombie; a device that was %s", async (_name, facts, seenBefore, outcome) => {
    platform.setDevice(METER, facts);
    if (seenBefore !== undefined) platform.seen.set(METER, clock.now() - seenBefore);
    expect(await rejection(platform.create())).toBe(outcome);
    expect(await rejection(platform.create({ expireTimeS: 0 }))).toBe(outcome);
  });

  test("a zombie that listens now is none", async () => {
    platform.seen.set(METER, clock.now() - 30 * DAY);
    platform.listening.add(METER);
    expect(await rejection(platform.create())).toBe("accepted");
  });
});

describe("expiry", () => {
  test("is exact, and not told", async () => {
    await platform.create({ expireTimeS: 100 });
    await platform.create({ expireTimeS: 3 });
    await clock.advance(3 * S - 1);
    expect(platform.statuses()).toEqual(["PENDING", "PENDING"]);
    await clock.advance(1);
    await platform.settle();
    expect(platform.statuses()).toEqual(["PENDING", "EXPIRED"]);
    await clock.advance(97 * S);
    await platform.settle();
    expect(platform.statuses()).toEqual(["EXPIRED", "EXPIRED"]);
    await platform.hear();
    expect([platform.told, platform.transmissions]).toEqual([[], []]);
  });

  test("of many at once goes in bounded steps", async () => {
    for (let count = 0; count < 7; count++) await platform.create({ expireTimeS: 5 });
    await clock.advance(5 * S);
    await platform.settle();
    expect(new Set(platform.statuses())).toEqual(new Set(["EXPIRED"]));
  });

  test("holds across a restart, also for what expired meanwhile", async () => {
    await platform.create({ expireTimeS: 60 });
    await platform.create({ expireTimeS: 120 });
    await platform.commands.stop();
    await clock.advance(60 * S);
    expect(platform.statuses()).toEqual(["PENDING", "PENDING"]); // nobody is there
    platform = sleepyPlatform({ clock, db: platform.db });
    await platform.commands.recover();
    expect(platform.statuses()).toEqual(["EXPIRED", "PENDING"]);
    await clock.advance(60 * S);
    await platform.settle();
    expect(platform.statuses()).toEqual(["EXPIRED", "EXPIRED"]);
  });

  test("is looked at when the queue is released, should the clock have jumped", async () => {
    const jumping = { ...clock, now: () => clock.now() + jump };
    let jump = 0;
    platform = sleepyPlatform({ clock: jumping });
    await platform.create({ expireTimeS: 60 });
    jump = 60 * S;
    await platform.hear();
    expect([platform.statuses(), platform.transmissions]).toEqual([["EXPIRED"], []]);
  });
});

test.each([-30 * DAY, 30 * DAY])("a clock that jumps by %d ms does not change the 180 s of an exchange", async (by) => {
  let jump = 0;
  platform = sleepyPlatform({ clock: { ...clock, now: () => clock.now() + jump } });
  await platform.create();
  await platform.hear();
  jump = by;
  await clock.advance(180 * S - 1);
  await platform.commands.sweep();
  expect(platform.statuses()).toEqual(["SENT"]);
  await clock.advance(1);
  await platform.settle();
  expect(platform.statuses()).toEqual(["TIMEOUT"]);
});

test("a contact without queued commands asks the database nothing", async () => {
  await platform.create();
  await platform.hear();
  await platform.end();
  const asked: number[] = [];
  const link = platform.link as { isListening: (no: number) => boolean };
  link.isListening = (no) => asked.push(no) > 0;
  platform.db.close(); // any query would throw
  for (let count = 0; count < 1_000; count++)
    platform.contactEvents.emit("deviceHeard", { deviceNo: METER, hasMore: false });
  platform.contactEvents.emit("deviceHeard", { deviceNo: 77, hasMore: false });
  expect(asked).toEqual([]);
});

test("a device that is deleted takes its commands along, and its exchange ends", async () => {
  await platform.create();
  await platform.create();
  await platform.commands.createCancelTask("app-1" as never, "meter");
  await platform.create();
  await platform.hear();
  const device = platform.devices[0] as Device;
  await platform.transactor.write(() => platform.deviceEvents.emit("deviceDeleted", { device }));
  await platform.settle();
  expect([platform.statuses(), platform.open()]).toEqual([[], []]);
  expect(platform.metrics.render()).toContain("islet_commands_pending 0");
  await clock.advance(200 * S);
  expect(platform.db.query("SELECT count(*) FROM command_cancel_task").values()).toEqual([[0]]);
});

test("a deletion that is undone stops nothing", async () => {
  await platform.create();
  await platform.hear();
  const device = platform.devices[0] as Device;
  const run = platform.transactor.write(() => {
    platform.deviceEvents.emit("deviceDeleted", { device });
    throw new Error("undone");
  });
  expect(await rejection(run)).toBe("undone");
  expect([platform.statuses(), platform.open().length]).toEqual([["SENT"], 1]);
});

test("a link that breaks times the command out, not the platform", async () => {
  platform.link.transmit = () => Promise.reject(new Error("broken"));
  await platform.create();
  await platform.hear();
  expect(platform.statuses()).toEqual(["TIMEOUT"]);
});

test("a link that never ends an exchange holds up neither the queue nor a stop", async () => {
  platform.link.transmit = () => new Promise(() => {});
  await platform.create();
  await platform.create();
  await platform.hear();
  await clock.advance(180 * S);
  await platform.settle();
  expect(platform.statuses()).toEqual(["TIMEOUT", "PENDING"]);
  await platform.hear();
  await platform.commands.stop();
  expect(platform.statuses()).toEqual(["TIMEOUT", "SENT"]);
});

test("an exchange that the link let go of goes on at the next contact, with the same bytes", async () => {
  await platform.create();
  await platform.hear();
  await clock.advance(50 * S);
  await platform.end("cancelled");
  expect([platform.statuses(), platform.open()]).toEqual([["SENT"], []]);
  await platform.hear();
  const [first, second] = platform.transmissions;
  expect(second?.datagram).toEqual(first?.datagram as Uint8Array);
  expect(second?.options.giveUpAfterMs).toBe(130 * S);
  expect(platform.commands.find("app-1" as never, "c1")).toMatchObject({ issuedTimes: 2, status: "SENT" });
  expect(platform.told).toEqual(["c1 SENT"]);
});

test("a change that cannot be stored is tried again: nothing is sent before, nothing is stuck behind", async () => {
  const broken = new Set<string>();
  platform.events.on("commandSent", () => {
    if (broken.has("sent")) throw new Error("disk full");
  });
  platform.events.on("commandFailed", () => {
    if (broken.has("failed")) throw new Error("disk full");
  });
  broken.add("sent");
  await platform.create();
  await platform.hear();
  expect([platform.statuses(), platform.transmissions]).toEqual([["PENDING"], []]);
  broken.delete("sent");
  await platform.hear();
  broken.add("failed");
  await clock.advance(180 * S);
  await platform.settle();
  expect(platform.statuses()).toEqual(["SENT"]);
  broken.delete("failed");
  await clock.advance(SETTINGS.sweepIntervalMs);
  await platform.settle();
  expect(platform.statuses()).toEqual(["TIMEOUT"]);
});

test("what waits and what happened is counted", async () => {
  await platform.create();
  await platform.create();
  await platform.create({ expireTimeS: 0 });
  await platform.settle();
  const metrics = () => platform.metrics.render();
  expect(metrics()).toContain("islet_commands_pending 2");
  expect(metrics()).toContain('islet_commands_created_total{dispatch="cached"} 2');
  await clock.advance(180 * S);
  await platform.hear();
  await platform.end();
  expect(metrics()).toContain("islet_commands_pending 0");
  expect(metrics()).toContain('islet_command_transitions_total{status="TIMEOUT"} 1');
  expect(metrics()).toContain('islet_command_transitions_total{status="DELIVERED"} 1');
});

test("sending, refusals and time-outs are traced", async () => {
  await platform.create();
  await platform.create();
  await platform.hear();
  await platform.end("refused");
  await clock.advance(180 * S);
  await platform.settle();
  expect(platform.traced.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
    "succeeded sent",
    "failed refused_by_device",
    "succeeded sent",
    "failed no_acknowledgement",
  ]);
});

test("the queries of a big queue use their indexes", () => {
  const plan = (sql: string) =>
    platform.db
      .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => detail)
      .join("; ");
  expect(plan("SELECT * FROM command WHERE queued = 1 AND device_no = 1 ORDER BY status, no LIMIT 1")).toContain(
    "command_queue",
  );
  expect(plan("SELECT min(answer_until_ms) FROM command WHERE status = 'PENDING'")).toContain("command_expiry");
  expect(plan("SELECT no FROM command WHERE queued = 1 AND status = 'SENT'")).toContain("command_awaited");
  expect(plan("SELECT DISTINCT device_no AS no FROM command WHERE queued = 1")).toContain("command_queue");
  expect(
    plan(
      "SELECT * FROM command WHERE open = 1 AND queued = 0 AND answer_until_ms <= 5 ORDER BY answer_until_ms LIMIT 2",
    ),
  ).toContain("command_open_until");
});
