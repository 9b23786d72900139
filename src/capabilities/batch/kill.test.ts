import { expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { manualClock } from "../../platform/testing/manual-clock";
import { killableTransactor } from "../commands/testing/killable";
import { APP_A } from "../devices/testing/device-bench";
import { type BatchBench, batchBench } from "./testing/batch-bench";

const MINUTE = 60_000;
const METERS = ["m1", "m2", "m3", "m4", "m5"];
const ROWS = ["r1", "r2", "r3", "r4", "r5"];
type Kill = { readonly at: number; readonly when: "before" | "after" };

async function* csv() {
  yield new TextEncoder().encode(`nodeId\n${ROWS.slice(0, 3).join("\n")}\n`);
  yield new TextEncoder().encode(`${ROWS.slice(3).join("\n")}\n`);
}

/** Tasks of every kind, created and followed to their end; killed once on the way, started again at once. */
async function live(kill: Kill) {
  const clock = manualClock();
  const db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const accepted: string[] = [];
  let killed: ReturnType<typeof killableTransactor> | undefined;

  const first = batchBench({ clock, db, settings: { stepItems: 2 } });
  const product = await first.importMeter();
  const meters = await first.meters(product, ...METERS);
  await first.meters(product, "gone1", "gone2");
  const mqtt = await first.importProduct();

  async function run(killAt: number): Promise<BatchBench> {
    const bench = batchBench({
      ...{ clock, db, settings: { stepItems: 2 } },
      transactor: (it) => {
        killed = killableTransactor(it, killAt, kill.when, () => bench.scripted.die());
        return killed.transactor;
      },
    });
    for (const { no } of meters) bench.scripted.registered.add(no);
    await bench.start();
    return bench;
  }

  let it = await run(kill.at);
  const note = (made: Promise<{ name: string }>) => void made.then(({ name }) => accepted.push(name)).catch(() => {});
  const about = (name: string) => ({ name, operator: "o", origin: "Portal" }) as const;
  const script: (() => unknown)[] = [
    () =>
      note(it.command({ name: "commands", targets: { type: "DeviceList", deviceIds: meters.map(({ id }) => id) } })),
    () => note(it.batch.createRegistrations(APP_A, { ...about("rows"), productId: mqtt.id, fileName: "f" }, csv())),
    () =>
      note(
        it.batch.createDeletion(APP_A, {
          ...about("gone"),
          ...{
            cascade: true,
            targets: { type: "DeviceList", deviceIds: [`${product.id}_gone1`, `${product.id}_gone2`] },
          },
        }),
      ),
    () =>
      note(
        it.batch.createConfiguration(APP_A, {
          ...about("flow"),
          values: { flow: "1" },
          targets: { type: "DeviceList", deviceIds: [meters[4]?.id as string] },
        }),
      ),
    () => it.wake(meters[0]?.no as number, 0),
    () => it.wake(meters[1]?.no as number, 1),
    () => it.wake(meters[2]?.no as number, 0),
    () =>
      it.commands
        .cancel(APP_A, it.commands.query(APP_A, { deviceId: meters[3]?.id, pageNo: 0, pageSize: 1 }).items[0]?.id ?? "")
        .catch(() => {}),
    () => clock.advance(10 * MINUTE),
  ];
  // Acknowledged answers of devices that the dead process did not take come again.
  script.push(
    ...meters.slice(0, 3).map(
      ({ no }) =>
        () =>
          it.wake(no, 0),
    ),
    () => clock.advance(3_000 * MINUTE),
  );
  for (const act of script) {
    await Promise.race([Promise.resolve(act()), it.settle(400)]); // what a dead process was asked is never answered
    await it.settle(60);
    if (killed?.isDead()) it = await run(0);
    await it.settle(60);
  }
  return { it, db, accepted, meters, commits: killed?.commits() ?? 0 };
}

function check({ it, db, accepted, meters }: Awaited<ReturnType<typeof live>>, where: string): void {
  const tasks = it.batch.list({}, 0, 100).items;
  for (const name of accepted)
    expect(
      tasks.map((task) => task.name),
      `lost, ${where}`,
    ).toContain(name);
  for (const task of tasks) {
    const { items, total } = it.batch.items(task, {}, 0, 100);
    expect(task.phase, `${task.name}, ${where}`).toBe("ended");
    expect(items.length, where).toBe(total);
    const count = (state: string) => items.filter((item) => item.state === state).length;
    const counted = [count("WaitResult"), count("Success"), count("Fail"), count("Timeout")];
    const { waiting, success, fail, timeout } = task.counts;
    expect([waiting, success, fail, timeout], `counters of ${task.name}, ${where}`).toEqual(counted);
    if (task.name === "commands") {
      // One command each, and the sub-task says what became of it.
      expect(
        items.map((item) => item.target),
        where,
      ).toEqual(meters.map(({ id }) => id));
      for (const item of items) {
        const made = it.commands.query(APP_A, { deviceId: item.target, pageNo: 0, pageSize: 9 }).items;
        expect([made.length, made[0]?.id], `commands of ${item.target}, ${where}`).toEqual([
          1,
          item.commandId as never,
        ]);
        // DELIVERED: its answer came to the process that died, and this device says it once.
        const expected = {
          ...{ SUCCESSFUL: "Success", FAILED: "Fail", CANCELED: "Fail" },
          ...{ EXPIRED: "Timeout", TIMEOUT: "Timeout", DELIVERED: "Timeout" },
        };
        expect([item.state, where]).toEqual([expected[made[0]?.status as keyof typeof expected], where]);
      }
    }
    if (task.name === "rows") {
      expect(
        items.map((item) => [item.target, item.state]),
        where,
      ).toEqual(ROWS.map((row) => [row, "Success"]));
      const [, ...lines] = [...it.batch.resultFile(task)].join("").trim().split("\r\n");
      for (const line of lines) {
        const [nodeId = "", , , secret] = line.split(",");
        expect([nodeId, it.devices.loginByNodeId(nodeId)?.secret, where]).toEqual([nodeId, secret, where]);
      }
    }
    if (task.name === "gone") {
      expect(
        items.map((item) => item.state),
        where,
      ).toEqual(["Success", "Success"]);
      expect(
        ["gone1", "gone2"].map((nodeId) => it.devices.findByNodeId(nodeId)),
        where,
      ).toEqual([undefined, undefined]);
    }
  }
  // A file that nobody was told of leaves no device behind.
  if (!tasks.some(({ name }) => name === "rows"))
    expect(
      ROWS.map((nodeId) => it.devices.findByNodeId(nodeId)?.nodeId),
      where,
    ).toEqual(ROWS.map(() => undefined));
  expect(db.query("SELECT 1 FROM batch_task WHERE phase IN ('loading', 'deleting')").all(), where).toEqual([]);
  expect(db.query("SELECT 1 FROM batch_item WHERE task_no NOT IN (SELECT no FROM batch_task)").all(), where).toEqual(
    [],
  );
  it.db.close();
}

test("nothing is lost or done twice, whenever the platform is killed", async () => {
  const untouched = await live({ at: 0, when: "after" });
  const { commits, it } = untouched;
  expect(untouched.accepted.sort()).toEqual(["commands", "flow", "gone", "rows"]);
  expect(it.states(it.tasksOf("command")[0] as never)).toEqual({
    m1: "Success",
    m2: "Fail COMMAND_FAILED",
    m3: "Success",
    m4: "Fail COMMAND_CANCELED",
    m5: "Timeout COMMAND_EXPIRED",
  });
  check(untouched, "never killed");
  expect(commits).toBeGreaterThan(30);
  for (let at = 1; at <= commits; at++)
    for (const when of ["before", "after"] as const) {
      const killed = await live({ at, when });
      check(killed, `killed ${when} commit ${at} of ${commits}`);
    }
}, 240_000);
