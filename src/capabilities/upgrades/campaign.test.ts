import { expect, test } from "bun:test";
import { manualClock } from "../../platform/testing/manual-clock";
import { seededRandom } from "../../platform/testing/seeded-random";
import { TEXTS } from "./failure-texts";
import { simulatedDevice, type Temper } from "./testing/simulated-device";
import { MINUTE, S, upgradeBench } from "./testing/upgrade-bench";

const DEVICES = 1_000;
const SEED = 20_261_128;
const SOME: Partial<Record<number, Temper>> = { 0: "broken", 1: "current", 2: "liar" };

test(`a campaign over ${DEVICES} devices ends with the right counts while much of what is said gets lost`, async () => {
  console.log(`seed ${SEED}`);
  const random = seededRandom(SEED);
  const clock = manualClock();
  const it = upgradeBench({ clock, random });
  const product = await it.meter();
  const first = await it.register("d0", product);
  // Devices like the first one, straight into the table.
  const columns = it.db.query<{ name: string }, []>("SELECT name FROM pragma_table_info('device')").all();
  const others = columns
    .map(({ name }) => name)
    .filter((name) => !["no", "id", "node_id", "gateway_no", "verify_key"].includes(name));
  it.db.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${DEVICES - 1})
     INSERT INTO device (no, id, node_id, gateway_no, verify_key, ${others.join(", ")})
     SELECT ${first.no} + i, 'p_' || i, 'd' || i, ${first.no} + i, NULL, ${others.join(", ")}
     FROM n, device WHERE device.no = ${first.no}`,
  );
  const nos = Array.from({ length: DEVICES }, (_, index) => first.no + index);
  const tempers = nos.map((_, index): Temper => SOME[index % 20] ?? "good");
  const devices = new Map(
    nos.map((deviceNo, index) => [
      deviceNo,
      simulatedDevice({ deviceNo, temper: tempers[index] as Temper, clock, random, loss: 0.1, desk: () => it.desk }),
    ]),
  );
  for (const no of nos) it.ways.pcp.reachable.add(no);
  const executed = new Map<string, number>();
  it.ways.pcp.answer = (said) => {
    const { order, step, again } = said;
    const outcome = devices.get(order.deviceNo)?.hear(said) ?? "unreachable";
    if (step === "execute" && !again && outcome !== "unreachable") {
      const key = `${order.subTaskNo} ${order.attempt}`;
      executed.set(key, (executed.get(key) ?? 0) + 1);
    }
    return outcome;
  };
  await it.start();
  const members = nos.map((no) => it.devices.findByNo(no)).filter((device) => device !== undefined);
  it.group("all", members);
  const names = { manufacturerName: "Test Manufacturer", deviceType: "WaterMeter", model: "Meter" };
  const creating = it.create([], {
    targets: { deviceGroups: ["all"], ...names },
    policy: { retryTimes: 5, spreadS: 60, maxConcurrent: 400 },
  });
  await it.settle(30);
  const task = await creating;
  let most = 0;
  for (let step = 0; step < 1_500 && it.task(task).endedAt === undefined; step++) {
    await clock.advance(step < 100 ? 5 * S : MINUTE / 2);
    await it.settle(2);
    if (step % 8 === 0) for (const no of nos) it.contactEvents.emit("deviceHeard", { deviceNo: no, hasMore: false });
    const busy = it.db
      .query<{ n: number }, []>(
        "SELECT count(*) AS n FROM upgrade_sub_task WHERE stage IS NOT NULL AND stage <> 'online'",
      )
      .get();
    most = Math.max(most, busy?.n ?? 0);
  }

  const subs = it.all(task);
  const { counts, status } = it.task(task);
  const of = (state: string) => subs.filter((sub) => sub.status === state).length;
  expect([counts.total, counts.success, counts.fail, counts.wait, counts.processing, counts.stop]).toEqual([
    ...[DEVICES, of("success"), of("fail"), 0, 0, 0],
  ]);
  console.log(JSON.stringify(counts));
  expect(status).toBe("failed"); // some are broken
  expect(most).toBeGreaterThan(100);
  expect(most).toBeLessThanOrEqual(400);
  expect(Math.max(...executed.values())).toBe(1);
  for (const [index, sub] of subs.entries()) {
    const device = devices.get(sub.deviceNo);
    // What it says is true: success means that the device has it.
    if (sub.status === "success") expect(device?.version()).toBe("V2");
    if (tempers[index] === "broken" || tempers[index] === "liar") expect(sub.status).toBe("fail");
    if (tempers[index] === "current") expect([sub.detail, device?.executions()]).toEqual([TEXTS.sameVersion, 0]);
  }
  // Five retries make up for what is lost.
  expect(counts.success).toBeGreaterThan(DEVICES * 0.88);
  expect(it.desk.orderOf(first.no)).toBeUndefined();
  await it.stop();
}, 120_000);
