import type { Listenable } from "../../platform/events";
import type { SubTask, UpgradeEvents, UpgradeTask } from "../upgrades/upgrade";
import type { Notify } from "./registry-notifier";

/** Turns progress and end of upgrades into notifications (1.8.15 to 1.8.18), inside the transaction of the change. */
export function notifyOfUpgrades(upgrades: Listenable<UpgradeEvents>, notify: Notify): void {
  upgrades.on("deviceState", ({ task, subTask, device, state }) => {
    const type = task.kind === "software" ? "swUpgradeStateChangeNotify" : "fwUpgradeStateChangeNotify";
    notify({ type, ...aboutOf(task, subTask), state }, device.appNo, { orderKey: device.no });
  });
  upgrades.on("subTaskEnded", ({ task, subTask, device }) => {
    const result = subTask.status === "success" ? "SUCCESS" : "FAIL";
    const end = {
      ...aboutOf(task, subTask),
      curVersion: subTask.currentVersion ?? "",
      targetVersion: subTask.targetVersion ?? "",
      sourceVersion: subTask.sourceVersion ?? "",
      result,
      resultDesc: subTask.detail ?? result, // where nobody has said more
      upgradeTimeMs: (subTask.endedAt ?? 0) - (subTask.startedAt ?? subTask.endedAt ?? 0),
    } as const;
    if (task.kind === "firmware")
      notify({ type: "fwUpgradeResultNotify", ...end }, device.appNo, { orderKey: device.no });
    else {
      const { errorCode = "", status, detail = "" } = subTask;
      const description = status === "success" ? "" : detail;
      notify({ type: "swUpgradeResultNotify", ...end, errorCode, description }, device.appNo, { orderKey: device.no });
    }
  });
}

const aboutOf = (task: UpgradeTask, subTask: SubTask) => ({
  deviceId: subTask.deviceId,
  appId: task.appId,
  operationId: task.id,
  subOperationId: subTask.id,
});
