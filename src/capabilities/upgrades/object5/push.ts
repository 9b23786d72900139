import type { BlockBody } from "../../../wire/coap";
import type { StepOutcome, UpgradeOrder } from "../upgrade-link";
import { PACKAGE } from "./firmware-object";
import { firmwareSource } from "./firmware-source";
import type { Object5 } from "./object5";
import type { PushOutcome } from "./package-push";
import type { Tracked } from "./tracked";

/**
 * Writes the package to /5/0/0. Resolves when the device has taken the first block; the rest follows by itself, and goes
 * on where it broke off when the device is heard again.
 */
export function push(object5: Object5, order: UpgradeOrder, it: Tracked): Promise<StepOutcome> {
  const { deviceNo } = order;
  const way = object5.pushOf(deviceNo);
  if (!way || !order.package || it.push) return Promise.resolve(it.push ? "sent" : "unreachable");
  const begun = Promise.withResolvers<StepOutcome>();
  const abort = new AbortController();
  const source = firmwareSource(object5.contents, order.package);
  let isGone = false;
  let isTaken = false;
  let offset = it.pushedBytes;
  const took = () => {
    if (isTaken) return;
    isTaken = true;
    void object5.tell(order, { type: "accepted" });
    begun.resolve("sent");
  };
  const body: BlockBody = {
    length: source.length,
    subarray(start, end) {
      if (start > offset) took(); // asked for more: what was before has arrived
      offset = start;
      it.pushedBytes = start;
      try {
        return source.subarray(start, end);
      } catch (error) {
        isGone = true;
        object5.log.error("upgrade_package_not_read", { deviceNo, package: order.package?.fileId, error });
        abort.abort();
        return new Uint8Array(0);
      }
    },
  };
  it.push = { abort };
  it.isAnnounced = true;
  way.push(deviceNo, PACKAGE, body, offset, abort.signal).then(
    (outcome) => {
      it.push = undefined;
      if (outcome.kind === "done") took();
      ended(object5, order, it, outcome, isGone);
      begun.resolve(outcome.kind === "unreachable" ? "unreachable" : isTaken ? "sent" : STEP[outcome.kind]);
    },
    (error: unknown) => {
      it.push = undefined;
      object5.log.error("upgrade_push_failed", { deviceNo, error });
      begun.resolve("noAnswer");
    },
  );
  return begun.promise;
}
const STEP = { done: "sent", refused: "sent", brokenOff: "noAnswer" } as const;

function ended(object5: Object5, order: UpgradeOrder, it: Tracked, outcome: PushOutcome, isGone: boolean): void {
  if (isGone) {
    const reason = "The package does not exist any more";
    void object5.tell(order, { type: "failed", code: "package", reason });
    return;
  }
  switch (outcome.kind) {
    case "done":
      it.pushedBytes = 0;
      object5.lookSoon(order.deviceNo);
      return;
    case "refused": {
      it.pushedBytes = 0;
      const reason = `the device refused the package: ${outcome.detail ?? outcome.code}`;
      void object5.tell(order, { type: "failed", code: outcome.code, reason });
      return;
    }
    case "brokenOff":
      object5.traced(order, "push_broke_off", `at ${it.pushedBytes} bytes: ${outcome.why}`);
      return;
    case "unreachable":
      return;
    default:
      outcome satisfies never;
  }
}
