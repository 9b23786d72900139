import { failureOf } from "../objects/read-resource";
import type { StepOutcome, UpgradeOrder } from "../upgrade-link";
import { readState } from "./device";
import { DOWNLOADED, UPDATE, UPDATING } from "./firmware-object";
import { judge } from "./judge";
import type { Object5 } from "./object5";
import type { Tracked } from "./tracked";

/**
 * Tells the device to install what it has. A device that may have been told before is asked first how far it is: only one
 * that still waits with its package (state 2) is told (again), so none installs twice.
 */
export async function execute(
  object5: Object5,
  order: UpgradeOrder,
  it: Tracked,
  again: boolean,
): Promise<StepOutcome> {
  const { deviceNo } = order;
  const link = object5.linkOf(deviceNo);
  if (!link) return "unreachable";
  if (again) {
    const now = await readState(link, deviceNo);
    if (typeof now === "string") return now;
    if (now.state !== DOWNLOADED) {
      await judge(object5, order, it, now);
      return "sent";
    }
    // It has tried, and still has its package: another try is for the next attempt.
    if (now.result !== undefined && now.result > 1) {
      await judge(object5, order, it, { result: now.result });
      return "sent";
    }
  }
  const answer = await link.request(deviceNo, { op: "execute", path: UPDATE });
  if (answer.kind === "done") return "sent";
  const failure = failureOf(answer);
  if (failure.kind !== "failed") return failure.kind;
  // A repetition of the very order that it has followed: it may have restarted since, and knows nothing of it.
  const now = await readState(link, deviceNo);
  if (typeof now !== "string" && (now.state === UPDATING || (now.result ?? 0) > 0)) {
    await judge(object5, order, it, now);
    return "sent";
  }
  const reason = `the device refused to install the firmware: ${failure.why}`;
  await object5.tell(order, { type: "failed", code: failure.why, reason });
  return "sent";
}
