import type { Database } from "bun:sqlite";
import type { Clock } from "../../../platform/clock";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { createSealer } from "../../../platform/secrets";
import type { Transactor } from "../../../platform/storage/group-commit";
import type { ManualClock } from "../../../platform/testing/manual-clock";
import type { Worker } from "../../../platform/worker";
import type { ContactEvents, Device } from "../../devices/device";
import { deviceBench } from "../../devices/testing/device-bench";
import type { Member } from "../../groups/group";
import type { PackageId, UpgradePackage } from "../../packages/package";
import type { Product } from "../../products/product";
import { openUpgrades } from "../open-upgrades";
import type { UpgradeSettings } from "../settings";
import type { NewUpgrade, SubTask, UpgradeEvents, UpgradePolicy, UpgradeTask } from "../upgrade";
import type { DeviceFact, StepOutcome, UpgradeLink, UpgradeOrder, UpgradeStep, UpgradeWay } from "../upgrade-link";

type Options = {
  readonly clock: ManualClock;
  readonly db?: Database;
  readonly path?: string;
  readonly transactor?: (db: Database) => Transactor;
  readonly settings?: Partial<UpgradeSettings>;
  readonly random?: () => number;
  /** Time that passes by itself, for measurements. */
  readonly runningClock?: Clock;
  readonly packages?: readonly UpgradePackage[];
};
export type Said = { readonly order: UpgradeOrder; readonly step: UpgradeStep; readonly again: boolean };

export const S = 1_000;
export const MINUTE = 60 * S;
export const HOUR = 60 * MINUTE;
const CAPABILITIES = {
  upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "PCP" },
  fwUpgradeCapability: { supportUpgrade: true, upgradeProtocolType: "LWM2M" },
};

/** A way that a test plays. `answer` is what becomes of a step; what the device says comes by `desk.tell`. */
export function scriptedWay(way: UpgradeWay) {
  const said: Said[] = [];
  const it = {
    way,
    reachable: new Set<number>(),
    said,
    answer: (_said: Said): StepOutcome | Promise<StepOutcome> => "sent",
    isReachable: (deviceNo: number): boolean => it.reachable.has(deviceNo),
    async perform(order: UpgradeOrder, step: UpgradeStep, again: boolean): Promise<StepOutcome> {
      const one = { order, step, again };
      said.push(one);
      return it.answer(one);
    },
    /** What was said since the last call: `queryVersion`, `announce!` for one that is said again. */
    heard: (deviceNo?: number): string[] =>
      said
        .splice(0)
        .filter(({ order }) => deviceNo === undefined || order.deviceNo === deviceNo)
        .map(({ step, again }) => (again ? `${step}!` : step)),
  } satisfies UpgradeLink & Record<string, unknown>;
  return it;
}
export type ScriptedWay = ReturnType<typeof scriptedWay>;

export const samplePackage = (facts: Partial<UpgradePackage> & { no: number }): UpgradePackage => ({
  fileId: `file${facts.no}` as PackageId,
  ...{ appNo: 1, appId: "appA" as UpgradePackage["appId"], kind: "software", name: "p", version: "V2" },
  ...{ deviceType: "WaterMeter", manufacturerName: "Test Manufacturer", model: "Meter", protocolType: "LWM2M" },
  ...{ sourceVersions: [], shardSize: 500, checkCode: 0, fileName: "f.bin", size: 1_000, sha256: "00" },
  ...{ description: undefined, date: undefined, uploadedAt: 0 },
  ...facts,
});
export const POLICY: UpgradePolicy = { executeType: "device_online", retryTimes: 0, retryIntervalS: 120, priority: 0 };

/** Upgrades over real devices in one database; opened again on `db`, it is the next run. */
export function upgradeBench({ clock: manual, runningClock, settings, random, packages, ...options }: Options) {
  const clock = runningClock ?? manual;
  const bench = deviceBench({ ...options, clock });
  const { db, transactor, devices, events: deviceEvents, products } = bench;
  const contactEvents = eventBus<ContactEvents>();
  const events = eventBus<UpgradeEvents>();
  const metrics = createMetrics();
  const ways = { pcp: scriptedWay("pcp"), object5: scriptedWay("object5"), mqtt: scriptedWay("mqtt") };
  const held = new Map<number, number>();
  const known = new Map((packages ?? [samplePackage({ no: 1 })]).map((it) => [it.no, it]));
  const groups = new Map<string, { no: number; members: Member[] }>();
  const traces: string[] = [];
  const told: string[] = [];
  let openCommands = 0;
  let made = 0;
  const prefix = `r${db.query<{ n: number }, []>("SELECT count(*) AS n FROM upgrade_task").get()?.n ?? 0}`;
  const it = openUpgrades({
    ...{ db, transactor, products, deviceEvents, contactEvents, events, clock, metrics, log: silentLog },
    applications: { byNo: (no) => (no <= 2 ? ({ no, id: no === 1 ? "appA" : "appB" } as never) : undefined) },
    applicationEvents: bench.events,
    devices: { ...devices, setVersions: bench.inTransaction.setVersions },
    groups: {
      list: (appNo, { name }) => {
        const group = appNo === 1 && name !== undefined ? groups.get(name) : undefined;
        return { items: group ? [{ no: group.no, devices: group.members.length } as never] : [], total: 0 };
      },
      membersAfter(no, after, limit) {
        const members = [...groups.values()].find((group) => group.no === no)?.members ?? [];
        const from = members.findIndex((one) => one.deviceNo > after);
        return from < 0 ? [] : members.slice(from, from + limit);
      },
    },
    packages: {
      find: (fileId) => [...known.values()].find((one) => one.fileId === fileId),
      findByNo: (no) => known.get(no),
    },
    commands: {
      hold(deviceNo) {
        held.set(deviceNo, (held.get(deviceNo) ?? 0) + 1);
        return () => void held.set(deviceNo, (held.get(deviceNo) ?? 0) - 1);
      },
      countOpen: () => openCommands,
    },
    links: Object.values(ways),
    sealer: createSealer(new Uint8Array(32)),
    ids: { next: () => `${prefix}x${++made}` },
    trace: { record: ({ reason, detail }) => void traces.push(`${reason} ${detail}`) },
    ...(settings && { settings }),
    random: random ?? (() => 0),
  });
  events.on("deviceState", ({ device, state }) => void told.push(`${device.nodeId} ${state}`));
  events.on("subTaskEnded", ({ device, subTask, task }) => {
    const { fail, success } = task.counts;
    told.push(`${device.nodeId} ended ${subTask.status} (${success}/${fail})`);
  });
  let worker: Worker | undefined;

  /** Lets everything happen that waits for nothing but the store. */
  async function settle(turns = 12): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await manual.advance(0);
  }

  /** Time passes, and what comes by it has the time to happen. */
  async function pass(ms: number): Promise<void> {
    const slice = Math.ceil(ms / 20);
    for (let left = ms; left > 0; left -= slice) {
      await manual.advance(Math.min(slice, left));
      await settle();
    }
  }

  return {
    ...bench,
    ...it,
    pass,
    ...{ ways, events, metrics, contactEvents, traces, known, settle },
    held: (deviceNo: number): number => held.get(deviceNo) ?? 0,
    told: () => told.splice(0),
    setOpenCommands: (count: number): void => {
      openCommands = count;
    },
    group: (name: string, members: readonly Device[]): void =>
      void groups.set(name, {
        no: groups.size + 7,
        members: members.map(({ no, id }) => ({ deviceNo: no, deviceId: id })),
      }),
    groupOf: (name: string, members: Member[]): void => void groups.set(name, { no: groups.size + 7, members }),
    /** Until nothing is being done with sub-tasks of any task. */
    async settleWork(): Promise<void> {
      const atWork = db.query<{ no: number }, []>("SELECT no FROM upgrade_task WHERE work IS NOT NULL LIMIT 1");
      while (atWork.get()) await clock.sleep(5, new AbortController().signal);
    },
    /** A product of meters that sleep and can be upgraded. */
    meter: (changes: object = {}): Promise<Product> =>
      bench.importProduct({ protocolType: "LWM2M", model: "Meter", omCapability: CAPABILITIES, ...changes }),
    async start(): Promise<void> {
      await it.recover();
      worker = it.start();
      await it.resume();
      await settle();
    },
    async stop(): Promise<void> {
      const stopped = worker?.stop();
      await manual.advance(0);
      await stopped;
    },
    async create(
      targets: readonly Device[],
      facts: Partial<Omit<NewUpgrade, "policy">> & { policy?: Partial<UpgradePolicy> } = {},
    ) {
      const task = await it.upgrades.create(1, {
        ...{ kind: "software", packages: ["file1"], operator: "tester", origin: "Northbound" },
        targets: { devices: targets.map(({ id }) => id) },
        ...facts,
        policy: { ...POLICY, ...facts.policy },
      });
      await settle();
      return task;
    },
    task: (task: Pick<UpgradeTask, "id">): UpgradeTask => it.upgrades.get(task.id),
    all: (task: Pick<UpgradeTask, "id">): SubTask[] =>
      it.upgrades.subTasks(it.upgrades.get(task.id), {}, 0, 100_000).items,
    /** `processing downloading`, `fail: text` of the first (or that device's) sub-task. */
    state(task: Pick<UpgradeTask, "id">, device?: Device): string {
      const sub = this.all(task).find((one) => device === undefined || one.deviceNo === device.no);
      const stage = sub?.stage ?? (sub?.status === "processing" ? "retry" : undefined);
      return (
        [sub?.status, stage].filter(Boolean).join(" ") + (sub?.endedAt !== undefined ? `: ${sub.detail ?? ""}` : "")
      );
    },
    /** `2 of 3: 1 wait, …` only what is not 0. */
    summary(task: Pick<UpgradeTask, "id">): string {
      const { status, counts } = it.upgrades.get(task.id);
      const parts = Object.entries(counts).filter(([name, count]) => count !== 0 && name !== "total");
      return `${status}: ${parts.map(([name, count]) => `${count} ${name}`).join(", ")}`;
    },
    async tell(device: Device, fact: DeviceFact): Promise<string> {
      const order = it.desk.orderOf(device.no);
      const outcome = order ? it.desk.tell(device.no, order, fact) : Promise.resolve("no order");
      await settle();
      return outcome;
    },
    async heard(device: Device): Promise<void> {
      contactEvents.emit("deviceHeard", { deviceNo: device.no, hasMore: false });
      await settle();
    },
  };
}
export type UpgradeBench = ReturnType<typeof upgradeBench>;
