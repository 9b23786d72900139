import { expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { LiveDevice } from "../devices/device";
import type { CommandStatus } from "./command";
import { killableTransactor } from "./testing/killable";
import { APP, METER, readMessage, type SleepyPlatform, sleepyPlatform, VALVE } from "./testing/sleepy-platform";

const S = 1_000;
const AWAKE_MS = 93 * S;
const EXCHANGE_LIFETIME_MS = 247 * S;

/** What a device does: hears while it is awake, takes a message id once, acknowledges each copy, then answers. */
function simulatedDevice(clock: ManualClock) {
  const taken = new Map<number, number>(); // message id → when
  const executed = new Map<number, number>(); // mid → times
  const unanswered = new Map<number, number>(); // mid → errcode
  let awakeUntil = 0;
  return {
    executed,
    unanswered,
    /** A method called DEAF never reaches it. */
    isAwake: () => clock.now() < awakeUntil,
    wake: () => {
      awakeUntil = clock.now() + AWAKE_MS;
    },
    hear(datagram: Uint8Array, acknowledge: () => void): void {
      const { messageId, mid, deaf } = readMessage(datagram) as ReturnType<typeof readMessage> & { deaf: boolean };
      if (clock.now() >= awakeUntil || deaf) return;
      const before = taken.get(messageId);
      if (before === undefined || clock.now() - before > EXCHANGE_LIFETIME_MS) {
        taken.set(messageId, clock.now());
        executed.set(mid, (executed.get(mid) ?? 0) + 1);
        unanswered.set(mid, mid % 2);
      }
      clock.after(0.1 * S, acknowledge);
    },
  };
}

type Kill = { readonly at: number; readonly when: "before" | "after" };

/** A morning with a meter that sleeps and a valve that never comes; killed once, started again 5 s later. */
async function live(kill: Kill) {
  const clock = manualClock();
  const db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  db.run("CREATE TABLE told (id TEXT NOT NULL, status TEXT NOT NULL)"); // as the outbox: in the transaction of the change
  const tell = db.query<null, [string, string]>("INSERT INTO told (id, status) VALUES (?, ?)");
  const meter = simulatedDevice(clock);
  const accepted: string[] = [];
  let messageIds = 0;
  let runs = 0;
  let most = 0;
  let killed: ReturnType<typeof killableTransactor> | undefined;
  let platform = undefined as unknown as SleepyPlatform; // until `run`

  async function run(killAt: number): Promise<void> {
    platform = sleepyPlatform({
      ...{ clock, db, nextMessageId: () => ++messageIds, idPrefix: runs++ === 0 ? "c" : "again" },
      transactor: () => {
        killed = killableTransactor(db, killAt, kill.when, () => current.die());
        return killed.transactor;
      },
    });
    const current = platform;
    for (const name of ["commandSent", "commandDelivered", "commandAnswered", "commandFailed"] as const)
      current.events.on(name, ({ command }) => void tell.run(command.id, command.status));
    current.encodeBy(({ mid, paras }) => {
      const message = { messageId: ++messageIds, mid, deaf: paras.deaf === true };
      return { kind: "ready", datagram: new TextEncoder().encode(JSON.stringify(message)) };
    });
    current.link.isListening = (no) => no === METER && meter.isAwake();
    const transmit = current.link.transmit;
    current.link.transmit = (no, datagram, options) => {
      const outcome = transmit(no, datagram, options);
      const transmission = current.transmissions.at(-1);
      most = Math.max(most, current.open().length);
      for (const after of [0, 12, 36, 84]) // copies of the message, at their times
        clock.after(after * S, () => {
          if (!transmission?.isOver) meter.hear(datagram, () => transmission?.finish("acknowledged"));
        });
      return outcome;
    };
    await current.commands.recover();
    await current.commands.resume();
    await current.settle();
  }

  const create = (facts: Parameters<SleepyPlatform["create"]>[0]) =>
    void platform.create(facts).then(({ id }) => accepted.push(id));
  const script: [at: number, act: () => void][] = [
    [0, () => create({})],
    [0, () => create({})],
    [1, () => create({ paras: { deaf: true } })],
    [1, () => create({ expireTimeS: 30 })],
    [1, () => create({ deviceId: "valve", expireTimeS: 40 })],
    [1, () => create({ deviceId: "valve" })],
    [2, () => create({})],
    [3, () => platform.commands.cancel(APP, "c5").catch(() => {})],
    // Whoever gets no answer asks again.
    [4, () => void platform.commands.createCancelTask(APP, "valve")],
    [30, () => void platform.commands.createCancelTask(APP, "valve")],
    [9, () => create({ expireTimeS: 0 })],
    ...[10, 70, 130, 190, 250, 310, 370, 430, 490, 550].map((at): [number, () => void] => [
      at,
      () => {
        meter.wake();
        platform.contactEvents.emit("deviceHeard", { deviceNo: METER, hasMore: false });
      },
    ]),
    [15, () => create({ expireTimeS: 0 })],
    [260, () => create({})],
    [261, () => create({})],
  ];

  await run(kill.at);
  let restartAt: number | undefined;
  for (let second = 0; second <= 900; second++) {
    if (restartAt === second) {
      await run(0);
      restartAt = undefined;
    }
    for (const [, act] of script.filter(([at]) => at === second)) act();
    // A result is reported until it is taken, as a confirmable notification is.
    for (const [mid, errcode] of meter.unanswered)
      void platform.commands
        .answered({ no: METER } as LiveDevice, mid, errcode, {})
        .then(() => meter.unanswered.delete(mid));
    await clock.advance(S / 2);
    await clock.advance(S / 2);
    if (killed?.isDead() && restartAt === undefined) restartAt = second + 5;
  }
  const commits = killed?.commits() ?? 0;
  const isKilled = killed?.isDead();
  const rows = db
    .query<{ id: string; mid: number; device_no: number; status: CommandStatus }, []>("SELECT * FROM command")
    .all();
  const tasks = db.query<{ status: string }, []>("SELECT status FROM command_cancel_task").all();
  const told = db.query<{ id: string; status: string }, []>("SELECT id, status FROM told ORDER BY rowid").all();
  return { accepted, rows, tasks, told, executed: meter.executed, commits, isKilled, most };
}

const ENDED = new Set<CommandStatus>(["DELIVERED", "SUCCESSFUL", "FAILED", "TIMEOUT", "EXPIRED", "CANCELED"]);
const EXECUTED: Partial<Record<CommandStatus, readonly number[]>> = {
  ...{ DELIVERED: [1], SUCCESSFUL: [1], FAILED: [0, 1], TIMEOUT: [0, 1], EXPIRED: [0], CANCELED: [0] },
};
const STORY = /^(SENT )?(DELIVERED )?(SUCCESSFUL |FAILED |TIMEOUT )?$/;

function check(result: Awaited<ReturnType<typeof live>>, where: string): void {
  const { accepted, rows, tasks, told, executed, most } = result;
  expect(
    accepted.filter((id) => !rows.some((row) => row.id === id)),
    `lost, ${where}`,
  ).toEqual([]);
  expect(
    rows.filter(({ status }) => !ENDED.has(status)),
    `stuck, ${where}`,
  ).toEqual([]);
  expect(most, `under way at once, ${where}`).toBe(1);
  for (const { id, mid, device_no, status } of rows) {
    const times = device_no === VALVE ? 0 : (executed.get(mid) ?? 0);
    expect(EXECUTED[status], `${id} is ${status} and was executed ${times} times, ${where}`).toContain(times);
    const story = told.filter((it) => it.id === id).map((it) => `${it.status} `);
    expect(story.join(""), `${id}, ${where}`).toMatch(STORY);
    const isTold = status !== "EXPIRED" && status !== "CANCELED";
    expect(story.at(-1), `${id}, ${where}`).toBe(isTold ? `${status} ` : undefined);
  }
  for (const { status } of tasks) expect(["SUCCESS", "FAILED", "PART_SUCCESS"], where).toContain(status);
}

test("nothing is stuck, lost or done twice, whenever the platform is killed", async () => {
  const untouched = await live({ at: 0, when: "after" });
  check(untouched, "never killed");
  const statuses = untouched.rows.map(({ status }) => status);
  // The morning has all there is.
  expect([...new Set(statuses)].sort()).toEqual(["CANCELED", "EXPIRED", "FAILED", "SUCCESSFUL", "TIMEOUT"]);
  expect(untouched.commits).toBeGreaterThan(30);
  for (let at = 1; at <= untouched.commits; at++) {
    for (const when of ["before", "after"] as const) {
      const result = await live({ at, when });
      check(result, `killed ${when} commit ${at}`);
    }
  }
}, 120_000);
