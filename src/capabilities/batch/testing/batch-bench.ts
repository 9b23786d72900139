import type { Database } from "bun:sqlite";
import type { Clock } from "../../../platform/clock";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { createSealer } from "../../../platform/secrets";
import type { Transactor } from "../../../platform/storage/group-commit";
import type { ManualClock } from "../../../platform/testing/manual-clock";
import type { Worker } from "../../../platform/worker";
import { COMMAND_DEFAULTS, type CommandEvents, type CommandSettings } from "../../commands/command";
import { createCommandService } from "../../commands/command-service";
import { scriptedLink } from "../../commands/testing/sleepy-platform";
import type { ContactEvents, LiveDevice } from "../../devices/device";
import { APP_A, deviceBench } from "../../devices/testing/device-bench";
import type { Group, Member } from "../../groups/group";
import type { Product } from "../../products/product";
import { SHADOW_DEFAULTS, type ShadowEvents } from "../../shadow/desired";
import { createDesiredShadow } from "../../shadow/desired-shadow";
import { openBatch } from "../open-batch";
import { BATCH_DEFAULTS, type BatchSettings, type NewCommandTask, type Task, type TaskKind } from "../task";

type Options = {
  readonly clock: ManualClock;
  readonly db?: Database;
  readonly path?: string;
  readonly transactor?: (db: Database) => Transactor;
  readonly settings?: Partial<BatchSettings>;
  readonly commandSettings?: Partial<CommandSettings>;
  /** Time that passes by itself, for measurements. */
  readonly runningClock?: Clock;
};

/** Groups 7 and 8 of application 1: `members` and `moved` say who is in them. */
const GROUP_NO = 7;
const GROUP_IDS: Record<string, number> = { g7: GROUP_NO, g8: 8 };
export const SMALL_STEPS: Partial<BatchSettings> = { stepItems: 3 };
let runs = 0;

/**
 * Batch tasks over real devices, commands and shadows in one database. Opened again on `db`, it is the next run. Devices
 * listen, and take what is sent, when a test says so.
 */
export function batchBench({ clock: manual, settings, commandSettings, runningClock, ...options }: Options) {
  const clock = runningClock ?? manual;
  const bench = deviceBench({ ...options, clock });
  const { db, transactor, devices, events: deviceEvents, products } = bench;
  const contactEvents = eventBus<ContactEvents>();
  const commandEvents = eventBus<CommandEvents>();
  const shadowEvents = eventBus<ShadowEvents>();
  const metrics = createMetrics();
  const run = ++runs;
  let made = 0;
  const ids = { next: () => `id${run}x${++made}` };
  const scripted = scriptedLink(manual, () => ++made);
  const lastSeen = new Map<number, number>();
  const members: { deviceNo: number }[] = [];
  const moved: { deviceNo: number }[] = [];
  const commands = createCommandService({
    ...{ db, transactor, devices, deviceEvents, contactEvents, products, events: commandEvents, clock, ids, metrics },
    ...{ links: [], sleepingLinks: [scripted.link], log: silentLog, trace: { record: () => {} } },
    lastSeen: { of: (no) => lastSeen.get(no) },
    settings: { ...COMMAND_DEFAULTS, ...commandSettings },
  });
  const shadow = createDesiredShadow({
    ...{ db, transactor, devices, deviceEvents, contactEvents, products, events: shadowEvents, clock },
    ...{ resourceLinks: [], sleepingLinks: [], log: silentLog, metrics: createMetrics(), trace: { record: () => {} } },
    settings: SHADOW_DEFAULTS,
  });
  const { batch, start } = openBatch({
    ...{ db, transactor, products, deviceEvents, commandEvents, shadowEvents, clock, ids, metrics },
    applications: {
      get: (appId) => {
        const no = appId === APP_A ? 1 : 2;
        return { no, id: appId } as never;
      },
    },
    applicationEvents: bench.events,
    devices: { ...devices, walk: bench.walk, inTransaction: bench.inTransaction },
    commands: commands.inTransaction,
    wantInTransaction: shadow.wantInTransaction,
    groups: {
      find: (appNo, id) => (appNo === 1 && GROUP_IDS[id] ? ({ no: GROUP_IDS[id] } as Group) : undefined),
      list: (appNo, { name }) => ({
        items: appNo === 1 && name === "roof" ? [{ no: GROUP_NO } as Group] : [],
        total: 1,
      }),
      membersAfter: (groupNo, deviceNo, limit) =>
        (groupNo === GROUP_NO ? members : moved).filter((it) => it.deviceNo > deviceNo).slice(0, limit) as Member[],
    },
    tags: bench.tags,
    sealer: createSealer(new Uint8Array(32)),
    log: silentLog,
    settings: { ...BATCH_DEFAULTS, ...settings },
  });
  let worker: Worker | undefined;
  const { importProduct: importMqtt } = bench;

  /** Lets everything happen that waits for nothing but the store. */
  async function settle(turns = 60): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await manual.advance(0);
  }

  return {
    ...bench,
    ...{
      batch,
      commands,
      commandEvents,
      contactEvents,
      shadowEvents,
      scripted,
      members,
      moved,
      lastSeen,
      metrics,
      settle,
    },
    importMeter: (changes: object = {}) => importMqtt({ protocolType: "LWM2M", model: "Meter", ...changes }),
    async start(): Promise<void> {
      await commands.recover();
      await commands.resume();
      worker = start();
      await settle();
    },
    stop: async (): Promise<void> => {
      const stopped = worker?.stop();
      await manual.advance(0);
      await stopped;
      await commands.stop();
    },
    /** Devices of a product that sleeps, by their nodeIds; they are known to the link. */
    async meters(product: Product, ...nodeIds: string[]) {
      const added = [];
      for (const nodeId of nodeIds) {
        const device = await bench.register(nodeId, product);
        scripted.registered.add(device.no);
        added.push(device);
      }
      return added;
    },
    command: (facts: Partial<NewCommandTask> = {}): Promise<Task> =>
      batch.createCommands(APP_A, {
        ...{ name: `task ${++made}`, operator: "tester", origin: "Northbound", timeoutMinutes: 10 },
        ...{
          targets: { type: "Broadcast" },
          serviceId: "WaterMeterBasic",
          method: "SET_PRESSURE",
          paras: { value: 3 },
        },
        ...facts,
      }),
    /** The device shows itself; what is sent to it is acknowledged at once, and answered when an errcode is given. */
    async wake(deviceNo: number, errcode?: number): Promise<void> {
      scripted.listening.add(deviceNo);
      contactEvents.emit("deviceHeard", { deviceNo, hasMore: false });
      await settle(8);
      for (let open = openOf(deviceNo); open; open = openOf(deviceNo)) {
        const { mid } = open.message;
        open.finish("acknowledged");
        await settle(4);
        if (errcode !== undefined) await commands.answered({ no: deviceNo } as LiveDevice, mid, errcode, { errcode });
        await settle(4);
      }
      scripted.listening.delete(deviceNo);
    },
    /** State and error code of each sub-task, by its target. */
    states(task: Pick<Task, "id">): Record<string, string> {
      const { items } = batch.items(batch.getById(task.id), {}, 0, 1_000);
      return Object.fromEntries(
        items.map(({ target, state, error }) => [
          target.slice(target.indexOf("_") + 1),
          error ? `${state} ${error.code}` : state,
        ]),
      );
    },
    task: (task: Pick<Task, "id">): Task => batch.getById(task.id),
    /** `running 2/1/0/0/0 of 4`: phase or ending, then waiting, success, fail, timeout, expired. */
    summary(task: Pick<Task, "id">): string {
      const { phase, ending, total, counts } = batch.getById(task.id);
      const { waiting, success, fail, timeout, expired } = counts;
      return `${phase === "ended" ? ending : phase} ${[waiting, success, fail, timeout, expired].join("/")} of ${total}`;
    },
    tasksOf: (kind: TaskKind) => batch.list({ kind }, 0, 100).items,
  };

  function openOf(deviceNo: number) {
    return scripted.open().find((it) => it.deviceNo === deviceNo);
  }
}
export type BatchBench = ReturnType<typeof batchBench>;
