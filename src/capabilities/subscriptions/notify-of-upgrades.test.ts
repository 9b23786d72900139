import { expect, test } from "bun:test";
import { eventBus } from "../../platform/events";
import type { Device } from "../devices/device";
import { sampleSubTask, sampleTask } from "../upgrades/testing/samples";
import type { SubTask, UpgradeEvents, UpgradeTask } from "../upgrades/upgrade";
import { notifyOfUpgrades } from "./notify-of-upgrades";

const device = { no: 11, appNo: 7 } as Device;

/** What the end of a sub-task causes. */
function told(facts: Partial<SubTask>, kind: UpgradeTask["kind"] = "software"): unknown {
  const events = eventBus<UpgradeEvents>();
  const out: unknown[] = [];
  notifyOfUpgrades(events, (notification, appNo, { orderKey }) => {
    expect([appNo, orderKey]).toEqual([7, 11]);
    out.push(notification);
  });
  events.emit("subTaskEnded", { task: { ...sampleTask, kind }, subTask: { ...sampleSubTask, ...facts }, device });
  expect(out.length).toBe(1);
  return out[0];
}

test("a success says so where nobody has said more, and tells of no error", () => {
  expect(told({ detail: undefined })).toMatchObject({
    ...{ type: "swUpgradeResultNotify", result: "SUCCESS", resultDesc: "SUCCESS", errorCode: "", description: "" },
    ...{ sourceVersion: "V1.0", curVersion: "V2.0", targetVersion: "V2.0", upgradeTimeMs: 90_000 },
  });
  expect(told({ detail: "as before" })).toMatchObject({ resultDesc: "as before", description: "" });
  expect(told({ detail: undefined }, "firmware")).toMatchObject({
    ...{ type: "fwUpgradeResultNotify", result: "SUCCESS", resultDesc: "SUCCESS" },
  });
});

test("a failure says why, twice for software", () => {
  const facts = { status: "fail", detail: "low battery", errorCode: "4", currentVersion: undefined } as const;
  expect(told(facts)).toMatchObject({
    ...{ result: "FAIL", resultDesc: "low battery", errorCode: "4", description: "low battery", curVersion: "" },
  });
  expect(told(facts, "firmware")).toMatchObject({ result: "FAIL", resultDesc: "low battery" });
  expect(told({ ...facts, startedAt: undefined })).toMatchObject({ upgradeTimeMs: 0 });
});
