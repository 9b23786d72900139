import { beforeEach, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import { METER, type SleepyPlatform, sleepyPlatform } from "./testing/sleepy-platform";

const S = 1_000;
let clock: ManualClock;
let platform: SleepyPlatform;
beforeEach(() => {
  clock = manualClock();
  platform = sleepyPlatform({ clock });
});
/** The process is killed; the next run has read the database and may not send yet. */
async function restart(wallClock = clock): Promise<void> {
  await platform.commands.stop(); // its timers would go on in this process
  platform.die();
  platform = sleepyPlatform({ clock: wallClock, db: platform.db, idPrefix: "again" });
  await platform.commands.recover();
  await platform.settle();
}

test("what was PENDING is PENDING, and leaves at the next contact", async () => {
  await platform.create();
  await restart();
  expect(platform.statuses()).toEqual(["PENDING"]);
  expect(platform.metrics.render()).toContain("islet_commands_pending 1");
  await platform.hear();
  expect(platform.statuses()).toEqual(["SENT"]);
});

test("nothing is sent before the links are ready; then what was sent goes on, with the same bytes, in what is left", async () => {
  await platform.create();
  await platform.create();
  await platform.hear();
  const bytes = platform.transmissions[0]?.datagram as Uint8Array;
  await clock.advance(60 * S);
  await restart();
  platform.listening.add(METER);
  await platform.settle();
  expect(platform.transmissions).toEqual([]);
  await platform.commands.resume();
  await platform.settle();
  expect(platform.prepared).toEqual([]);
  expect(platform.transmissions.map(({ datagram }) => datagram)).toEqual([bytes]);
  expect(platform.transmissions[0]?.options.giveUpAfterMs).toBe(120 * S);
  await platform.end();
  expect(platform.statuses()).toEqual(["DELIVERED", "SENT"]);
  expect(platform.told).toEqual(["c1 DELIVERED", "c2 SENT"]);
});

test("what was sent waits for a contact when the device sleeps, and nothing passes it", async () => {
  await platform.create();
  await platform.create();
  await platform.hear();
  await restart();
  await platform.commands.resume();
  await platform.create({ expireTimeS: 0 });
  await platform.settle();
  expect(platform.transmissions).toEqual([]);
  await clock.advance(100 * S);
  await platform.hear();
  expect(platform.transmissions.map(({ message }) => message.mid)).toEqual([1]);
  expect(platform.transmissions[0]?.options.giveUpAfterMs).toBe(80 * S);
});

test("what was sent times out when its 180 s are over, without a contact too", async () => {
  await platform.create();
  await platform.hear();
  await clock.advance(100 * S);
  await restart();
  await platform.commands.resume();
  await clock.advance(80 * S - 1);
  expect(platform.statuses()).toEqual(["SENT"]);
  await clock.advance(1);
  await platform.settle();
  expect([platform.statuses(), platform.told, platform.transmissions]).toEqual([
    ["TIMEOUT"],
    ["c1 TIMEOUT no_acknowledgement"],
    [],
  ]);
});

test("what was sent long ago times out as soon as the platform is back", async () => {
  await platform.create();
  await platform.hear();
  await platform.commands.stop();
  await clock.advance(3_600 * S);
  await restart();
  await platform.settle();
  expect(platform.statuses()).toEqual(["TIMEOUT"]);
});

test.each([-3_600 * S, -1])("a wall clock that was set back by %d ms gives no more than 180 s", async (jump) => {
  await platform.create();
  await platform.hear();
  await restart({ ...clock, now: () => clock.now() + jump });
  await platform.hear();
  expect(platform.transmissions[0]?.options.giveUpAfterMs).toBe(180 * S);
});

test("an immediate one that stood in line goes on standing there, for what is left of its time", async () => {
  await platform.create();
  await platform.hear();
  await platform.create({ expireTimeS: 0 });
  await clock.advance(100 * S);
  await restart();
  platform.listening.add(METER);
  await platform.commands.resume();
  await platform.settle();
  await platform.end();
  expect(platform.statuses()).toEqual(["DELIVERED", "SENT"]);
  expect(platform.open()[0]?.message.mid).toBe(2);
  expect(platform.open()[0]?.options.giveUpAfterMs).toBe(180 * S); // it is sent for the first time
});

test("what was delivered can still be answered", async () => {
  await platform.create();
  await platform.hear();
  await platform.end();
  await restart();
  await platform.answer(1);
  expect(platform.statuses()).toEqual(["SUCCESSFUL"]);
});

test("a stop leaves an exchange as it is; nothing leaves after it", async () => {
  await platform.create();
  await platform.create();
  await platform.hear();
  const [exchange] = platform.transmissions;
  await platform.commands.stop();
  await platform.hear();
  expect([exchange?.options.signal?.aborted, platform.statuses()]).toEqual([true, ["SENT", "PENDING"]]);
  await clock.advance(3_600 * S);
  expect([platform.transmissions.length, platform.statuses()]).toEqual([1, ["SENT", "PENDING"]]);
});

test("many devices go on after a restart, the event loop gets its turns between them", async () => {
  const insert = platform.db.query(
    `INSERT INTO command (id, app_no, app_id, device_no, device_id, carrier_no, mid, origin, service_id, service_type,
       method, paras, mode, status, open, issued_times, answer_until_ms, created_ms, dispatch, queued)
     SELECT id || '-' || $no, app_no, app_id, $no, device_id, $no, mid, origin, service_id, service_type,
       method, paras, mode, status, open, issued_times, answer_until_ms, created_ms, dispatch, queued
     FROM command WHERE id = 'c1'`,
  );
  await platform.create();
  for (let no = 100; no < 150; no++) insert.run({ no });
  await restart();
  for (let no = 100; no < 150; no++) {
    platform.listening.add(no);
    platform.registered.add(no);
  }
  let turns = 0;
  const tick = () => {
    turns += 1;
    if (turns < 1_000) setImmediate(tick);
  };
  setImmediate(tick);
  await platform.commands.resume();
  expect(turns).toBeGreaterThan(20);
  await platform.settle();
  expect(platform.open().length).toBe(50);
});
