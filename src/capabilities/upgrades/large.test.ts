import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../platform/clock";
import { manualClock } from "../../platform/testing/manual-clock";
import { POLICY, upgradeBench } from "./testing/upgrade-bench";

/** LARGE=100000 is what the figures of docs/upgrades.md are of; the suite does with less. */
const DEVICES = Number(process.env.LARGE ?? 20_000);
/** Far above what a step takes, far below what a walk over all of them would. */
const WORST_TURN_MS = 100;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** What the process did, at worst, between two turns of the event loop, until `done`. */
async function worstTurn(done: () => boolean): Promise<{ worstCpu: number; took: number }> {
  const { signal } = new AbortController();
  const since = systemClock.monotonic();
  let worstCpu = 0;
  while (!done()) {
    const before = cpuMs();
    await systemClock.sleep(1, signal);
    worstCpu = Math.max(worstCpu, cpuMs() - before);
  }
  return { worstCpu, took: systemClock.monotonic() - since };
}

test(`${DEVICES} sub-tasks never hold up the event loop`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-upgrades-"));
  const it = upgradeBench({
    ...{ clock: manualClock(), path: join(folder, "registry.db"), runningClock: systemClock },
    settings: { waitMs: 100, dutyCycle: 0.9, maxUnfinished: DEVICES },
  });
  try {
    it.db.run("PRAGMA synchronous = OFF"); // the disk of the machine is not what is measured
    const first = await it.register("d0", await it.meter());
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
    const rows = it.db.query<{ no: number; id: string }, []>("SELECT no, id FROM device ORDER BY no").all();
    it.groupOf(
      "all",
      rows.map(({ no, id }) => ({ deviceNo: no, deviceId: id as never })),
    );
    await it.start();
    const measure = async (name: string, done: () => boolean) => {
      const { worstCpu, took } = await worstTurn(done);
      console.log(`${name}: ${took.toFixed(0)} ms, worst turn ${worstCpu.toFixed(1)} ms of the CPU`);
      expect(worstCpu, name).toBeLessThan(WORST_TURN_MS);
    };

    const names = { manufacturerName: "Test Manufacturer", deviceType: "WaterMeter", model: "Meter" };
    let id = "";
    const input = { kind: "software", packages: ["file1"], operator: "o", origin: "Portal", policy: POLICY } as const;
    const targets = { deviceGroups: ["all"], ...names };
    const created = it.upgrades.create(1, { ...input, targets }).then((task) => {
      id = task.id;
    });
    await measure("creation", () => id !== "");
    await created;
    const counts = () => it.upgrades.get(id).counts;
    await measure("beginning", () => counts().processing === DEVICES);
    expect(it.upgrades.create(1, { ...input, targets: { devices: [first.id] } })).rejects.toThrow("CONGESTED");
    const since = systemClock.monotonic();
    it.upgrades.subTasks(it.upgrades.get(id), { status: "processing" }, DEVICES / 25 - 1, 25);
    console.log(`last page: ${(systemClock.monotonic() - since).toFixed(1)} ms`);
    await it.upgrades.pause(id);
    await it.upgrades.resume(id);
    await it.upgrades.stop(id);
    await measure("stop", () => it.upgrades.get(id).endedAt !== undefined);
    expect(counts()).toMatchObject({ total: DEVICES, stop: DEVICES, processing: 0 });
    await it.settleWork();
    await it.upgrades.delete(id);
    const rest = it.db.query<{ n: number }, []>("SELECT count(*) AS n FROM upgrade_task");
    await measure("deletion", () => rest.get()?.n === 0);
  } finally {
    await it.stop();
    it.db.close();
    rmSync(folder, { recursive: true });
  }
}, 600_000);
