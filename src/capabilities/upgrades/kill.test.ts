import { expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { manualClock } from "../../platform/testing/manual-clock";
import { seededRandom } from "../../platform/testing/seeded-random";
import { killableTransactor } from "../commands/testing/killable";
import type { Device } from "../devices/device";
import { type SimulatedDevice, simulatedDevice, type Temper } from "./testing/simulated-device";
import { HOUR, MINUTE, S, upgradeBench } from "./testing/upgrade-bench";

type Kill = { readonly at: number; readonly when: "before" | "after" };
const TEMPERS: readonly Temper[] = ["good", "broken", "current", "liar", "silent"];

/** A campaign over devices of every temper; the platform is killed once on the way, and started again 5 s later. */
async function live(kill: Kill) {
  const clock = manualClock();
  const db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const setup = upgradeBench({ clock, db });
  const product = await setup.meter();
  const meters: Device[] = [];
  for (const temper of TEMPERS) meters.push(await setup.register(temper, product));
  const random = seededRandom(7);
  db.run("CREATE TABLE told (sub_task TEXT NOT NULL, status TEXT NOT NULL)"); // as the outbox: in the same transaction
  const tell = db.query<null, [string, string]>("INSERT INTO told VALUES (?, ?)");
  let killed: ReturnType<typeof killableTransactor> | undefined;
  let it = setup;
  const settle = async (turns: number) => {
    for (let turn = 0; turn < turns; turn++) await clock.advance(0);
  };
  let isAlive = true;
  const unacknowledged: string[] = [];
  const devices = new Map<number, SimulatedDevice>(
    meters.map(({ no }, index) => [
      no,
      simulatedDevice({
        ...{ deviceNo: no, temper: TEMPERS[index] as Temper, clock, random, loss: 0 },
        desk: () => ({
          orderOf: it.desk.orderOf,
          tell: (...args) => (isAlive ? it.desk.tell(...args) : new Promise(() => {})),
        }),
      }),
    ]),
  );

  async function run(killAt: number): Promise<void> {
    const bench = upgradeBench({
      ...{ clock, db, settings: { stepItems: 2 } },
      transactor: (inner) => {
        killed = killableTransactor(inner, killAt, kill.when, () => {
          isAlive = false;
        });
        return killed.transactor;
      },
    });
    const mine = killed;
    isAlive = true;
    it = bench;
    bench.events.on("subTaskEnded", ({ subTask }) => void tell.run(subTask.id, subTask.status));
    for (const { no } of meters) bench.ways.pcp.reachable.add(no);
    bench.ways.pcp.answer = (said) => {
      if (mine?.isDead()) return new Promise(() => {});
      if (said.step === "execute" && !said.again) unacknowledged.push(`${said.order.subTaskNo} ${said.order.attempt}`);
      return devices.get(said.order.deviceNo)?.hear(said) ?? "unreachable";
    };
    await Promise.race([bench.start(), bench.settle(60)]);
  }

  await run(kill.at);
  const accepted: string[] = [];
  const create = async () => {
    const task = await it.create(meters, { policy: { retryTimes: 1 } });
    accepted.push(task.id);
  };
  await Promise.race([create().catch(() => {}), settle(80)]);
  let restartIn = -1;
  for (let step = 0; step < 80; step++) {
    if (killed?.isDead() && restartIn < 0) restartIn = 1;
    else if (restartIn > 0) restartIn -= 1;
    if (restartIn === 0) {
      await run(0);
      restartIn = -1;
    }
    await clock.advance(step < 40 ? 5 * S : 5 * MINUTE);
    await it.settle(3);
    if (step % 10 === 0)
      for (const meter of meters) it.contactEvents.emit("deviceHeard", { deviceNo: meter.no, hasMore: false });
  }
  await it.pass(8 * HOUR);
  return { it, db, meters, devices, accepted, unacknowledged, commits: killed?.commits() ?? 0 };
}

function check(result: Awaited<ReturnType<typeof live>>, where: string): void {
  const { it, db, meters, devices, accepted, unacknowledged } = result;
  const tasks = it.upgrades.list({}, 0, 10).items;
  for (const id of accepted)
    expect(
      tasks.map((task) => task.id as string),
      `lost, ${where}`,
    ).toContain(id);
  // One that was killed before it told may still be there; it runs to its end all the same.
  expect(tasks.length, where).toBeLessThanOrEqual(1);
  expect(new Set(unacknowledged).size, `executed twice in an attempt, ${where}`).toBe(unacknowledged.length);
  for (const task of tasks) {
    const subs = it.all(task);
    const states = Object.fromEntries(
      subs.map((sub) => [TEMPERS[meters.findIndex(({ no }) => no === sub.deviceNo)], sub.status]),
    );
    expect([states, where]).toEqual([
      { good: "success", broken: "fail", current: "success", liar: "fail", silent: "fail" },
      where,
    ]);
    const count = (status: string) => subs.filter((sub) => sub.status === status).length;
    const { total, wait, processing, success, fail, stop, timeout } = it.task(task).counts;
    const timedOut = db.query<{ n: number }, []>("SELECT sum(timed_out) AS n FROM upgrade_sub_task").get()?.n;
    expect([total, wait, processing, success, fail, stop, timeout], `counters, ${where}`).toEqual([
      ...[subs.length, ...["wait", "processing", "success", "fail", "stop"].map(count), timedOut ?? 0],
    ]);
    const told = db.query<{ sub_task: string; status: string }, []>("SELECT * FROM told").all();
    expect(told.map(({ sub_task, status }) => `${sub_task} ${status}`).sort(), `told, ${where}`).toEqual(
      subs.map(({ id, status }) => `${id} ${status}`).sort(),
    );
    expect([it.task(task).status, where]).toEqual(["failed", where]);
  }
  if (tasks.length > 0) expect([devices.get(meters[0]?.no as number)?.executions(), where]).toEqual([1, where]);
  for (const { no } of meters) expect([it.held(no), it.desk.orderOf(no), where]).toEqual([0, undefined, where]);
  expect(db.query("SELECT 1 FROM upgrade_sub_task WHERE task_no NOT IN (SELECT no FROM upgrade_task)").all()).toEqual(
    [],
  );
  db.close();
}

test("whenever the platform is killed, every sub-task ends as it should, and nothing is executed twice", async () => {
  const untouched = await live({ at: 0, when: "after" });
  const { commits } = untouched;
  check(untouched, "never killed");
  expect(commits).toBeGreaterThan(40);
  for (let at = 1; at <= commits; at++)
    for (const when of ["before", "after"] as const)
      check(await live({ at, when }), `killed ${when} commit ${at} of ${commits}`);
}, 300_000);
