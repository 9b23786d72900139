import type { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import type { Clock } from "../../platform/clock";
import type { EventBus, Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Sealer } from "../../platform/secrets";
import { steadyTime } from "../../platform/steady-time";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Worker } from "../../platform/worker";
import type { ApplicationEvents, ApplicationService } from "../applications/application";
import type { CommandService } from "../commands/command";
import type { ContactEvents, Device, DeviceEvents, DeviceInfo } from "../devices/device";
import type { TraceSink } from "../devices/trace-sink";
import type { GroupService } from "../groups/group";
import type { PackageService } from "../packages/package";
import type { ProductService } from "../products/product";
import { liveAttempts } from "./live-attempts";
import { recoverUpgrades } from "./recover";
import { UPGRADE_DEFAULTS, type UpgradeSettings } from "./settings";
import { speaker } from "./speaker";
import { attemptOf, isOpen } from "./stored";
import { subTaskChanges } from "./sub-task-changes";
import { subTaskRepository } from "./sub-task-repository";
import { taskRepository } from "./task-repository";
import { taskSteps } from "./task-steps";
import type { UpgradeEvents, UpgradeService } from "./upgrade";
import type { UpgradeDesk, UpgradeLink } from "./upgrade-link";
import { upgradeRunner } from "./upgrade-runner";
import { upgradeService } from "./upgrade-service";

export type UpgradeParts = {
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly applications: Pick<ApplicationService, "byNo">;
  readonly applicationEvents: Listenable<ApplicationEvents>;
  readonly products: Pick<ProductService, "compiled">;
  readonly devices: {
    findById(deviceId: string): Device | undefined;
    findByNo(no: number): Device | undefined;
    /** Only inside a transaction. */
    setVersions(deviceNo: number, versions: Pick<DeviceInfo, "swVersion" | "fwVersion">): void;
  };
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly contactEvents: Listenable<ContactEvents>;
  readonly groups: Pick<GroupService, "list" | "membersAfter">;
  readonly packages: Pick<PackageService, "find" | "findByNo">;
  readonly commands: Pick<CommandService, "hold" | "countOpen">;
  /** The ways to speak. Asked each time, so they may join later. */
  readonly links: readonly UpgradeLink[];
  readonly events: EventBus<UpgradeEvents>;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly ids: Ids;
  /** 0 to 1: how starts are spread. */
  readonly random?: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings?: Partial<UpgradeSettings>;
};

export type Upgrades = {
  readonly upgrades: UpgradeService;
  /** For the ways. */
  readonly desk: UpgradeDesk;
  /** For `PackageService.refuseRemovalWhile`. */
  readonly isPackageInUse: (packageNo: number) => boolean;
  /** Once at start, before devices can connect and before commands go on: knows again what is under way. */
  recover(): Promise<void>;
  /** Once, when the ways to devices are open. */
  resume(): Promise<void>;
  /** The work in the background. */
  start(): Worker;
};

/** The whole capability, joined. */
export function openUpgrades(parts: UpgradeParts): Upgrades {
  const { db, transactor, packages, commands, links, clock, metrics, deviceEvents, contactEvents } = parts;
  const settings: UpgradeSettings = { ...UPGRADE_DEFAULTS, ...parts.settings };
  const steady = steadyTime(clock);
  const tasks = taskRepository(db);
  const subTasks = subTaskRepository(db);
  let unfinished = subTasks.countOpen();
  const countMore = (more: number): void => {
    unfinished += more;
  };

  const live = liveAttempts({
    ...{ packages, sealer: parts.sealer, limits: settings, steady, hold: commands.hold },
    wake: (deviceNos) => {
      for (const deviceNo of deviceNos) voice.look(deviceNo);
    },
    isReachable: (deviceNo) => {
      const way = live.get(deviceNo)?.order.way;
      return links.some((it) => it.way === way && it.isReachable(deviceNo));
    },
  });
  const changes = subTaskChanges({
    ...{ ...parts, tasks, subTasks, steady, settings, random: parts.random ?? Math.random },
    newToken: () => randomBytes(32).toString("base64url"),
    changed(before, after, task) {
      countMore(Number(isOpen(after)) - Number(isOpen(before)));
      const { no, deviceNo } = after.sub;
      const order = live.get(deviceNo)?.order;
      if (after.course) live.set(after, task);
      else {
        voice.forget(no);
        live.drop(deviceNo, no);
        const wasTold = before.course !== undefined && before.course.stage !== "online";
        if (wasTold && order?.subTaskNo === no) voice.finish(order);
      }
      voice.look(deviceNo);
    },
  });
  const shared = { ...parts, settings, steady, tasks, subTasks, changes, live };
  const voice = speaker(shared);
  const steps = taskSteps({ ...shared, dropped: (count) => countMore(-count) });
  const runner = upgradeRunner({ ...shared, steps });

  metrics.gauge("islet_upgrade_unfinished", "Sub-tasks of upgrades that have not ended", () => unfinished);
  metrics.gauge("islet_upgrade_attempts", "Attempts to upgrade a device that are under way", live.size);
  metrics.gauge("islet_upgrade_places", "Devices in cells: that download, and that wait for it", () => [
    { labels: { state: "held" }, value: live.heldPlaces() },
    { labels: { state: "waiting" }, value: live.waiting() },
  ]);

  contactEvents.on("deviceHeard", ({ deviceNo, hasMore }) => {
    if (!hasMore) voice.look(deviceNo, true);
  });
  deviceEvents.on("deviceDeleted", ({ device }) => {
    for (const stored of subTasks.openOfDevice(device.no))
      changes.deviceGone(stored, tasks.get(stored.sub.taskNo), device);
  });
  parts.applicationEvents.on("applicationDeleted", ({ application }) => {
    for (const no of tasks.ofApp(application.no)) tasks.setWork(no, "deleting"); // its devices went before
    transactor.afterCommit(runner.wake);
  });

  const desk: UpgradeDesk = {
    deviceReady: (deviceNo) => voice.look(deviceNo, true),
    orderOf: (deviceNo) => live.get(deviceNo)?.order,
    async tell(deviceNo, { subTaskNo, attempt }, fact) {
      const order = live.get(deviceNo)?.order;
      if (order?.subTaskNo !== subTaskNo || order.attempt !== attempt) return "ignored";
      return transactor.write(() => {
        const stored = subTasks.get(subTaskNo);
        if (!stored?.course || attemptOf(stored) !== attempt) return "ignored";
        return changes.fact(stored, tasks.get(stored.sub.taskNo), fact) ? "taken" : "ignored";
      });
    },
    authorizeDownload: live.authorize,
  };

  return {
    upgrades: upgradeService({
      ...shared,
      steps,
      unfinished: () => unfinished,
      added: countMore,
      openCommands: commands.countOpen,
      wake: runner.wake,
    }),
    desk,
    isPackageInUse: tasks.isPackageInUse,
    recover: () => recoverUpgrades({ ...shared, speaker: voice }),
    async resume() {
      let looked = 0;
      for (const { order } of [...live.all()]) {
        voice.look(order.deviceNo);
        looked += 1;
        if (looked % settings.stepItems === 0) await nextTurn();
      }
    },
    start() {
      const worker = runner.start();
      return {
        finished: worker.finished,
        stop() {
          voice.stop();
          return worker.stop();
        },
      };
    },
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
