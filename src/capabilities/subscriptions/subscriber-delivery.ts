import type { Clock } from "../../platform/clock";
import type { MessageIds } from "./message-ids";
import type { OutboxRow } from "./outbox";
import type { GiveUpReason, PushReason } from "./push-log";
import type { PushSettings } from "./push-settings";
import type { Settlement } from "./settlement";
import type { DeliveryOutcome, Reach, SubscriberLink } from "./subscriber-link";
import type { Target } from "./target";
import type { ReadOutbox } from "./target-queue";

type Parts = {
  settlement: Settlement;
  isSubscribed: (subscriptionNo: number) => boolean;
  ids: MessageIds;
  /** The highest message id of earlier lives of the process. */
  lastIdBefore: number;
  clock: Clock;
  steadyNow: () => number;
  settings: Pick<PushSettings, "keepMs" | "maxUnsettled">;
  /** What the worker does for all targets alike. */
  worker: {
    isRunning(): boolean;
    plan(target: Target): void;
    planAll(appNo: number): void;
    /** Too many outcomes are unwritten: again when there are fewer. */
    starve(target: Target): void;
    read(target: Target): ReadOutbox;
    wakeAt(target: Target, at: number | undefined, now: number): void;
    giveUp(target: Target, row: OutboxRow, reason: GiveUpReason): void;
    countAttempt(reason: PushReason, latencyMs: number): void;
  };
};

/**
 * Delivery to applications that take their notifications by MQTT. The outbox is what a persistent session owes them: a
 * row is under way from `send` to the acknowledgement, and ready again, at its place, when the connection is lost. No
 * retries by time and no invalid addresses: who is away gets what waits when he comes back, within `keepMs` of the link.
 */
export function subscriberDelivery(parts: Parts) {
  const { settlement, isSubscribed, ids, lastIdBefore, clock, steadyNow, settings, worker } = parts;
  const startedAt = steadyNow();
  const full = new Map<number, Set<Target>>(); // by application: have something to send, but no connection has room
  const roomFor = new Set<number>();
  let link: SubscriberLink | undefined;
  let keepMs = Number.POSITIVE_INFINITY;

  const reach = ({ appNo, callbackUrl }: Target): Reach => link?.reach(appNo, callbackUrl) ?? "away";

  /** What grew old while the platform was down still gets a chance: the time that a callback address has. */
  const expiresAt = ({ createdMs }: OutboxRow) => Math.max(createdMs + keepMs, startedAt + settings.keepMs);

  function pump(target: Target): void {
    const now = steadyNow();
    const { queue } = target;
    const isReachable = reach(target) === "connected";
    queue.rest(!isReachable); // who is away shall not fill the memory of those who are there
    full.get(target.appNo)?.delete(target);
    const complete = !queue.wantsRefill || queue.refill(worker.read(target));
    let next = queue.peek();
    while (next && settlement.unsettled < settings.maxUnsettled) {
      if (next.subscriptionNo !== 0 && !isSubscribed(next.subscriptionNo)) {
        queue.finish(queue.take() as OutboxRow);
        settlement.settle(next, { type: "unsubscribed" });
      } else if (now >= expiresAt(next)) worker.giveUp(target, queue.take() as OutboxRow, "expired");
      else if (!isReachable) break;
      else if (!send(target)) {
        waitForRoom(target);
        break;
      }
      next = queue.peek();
    }
    if (next && settlement.unsettled >= settings.maxUnsettled) worker.starve(target);
    const goesOn = !complete || (!next && queue.wantsRefill);
    worker.wakeAt(target, goesOn ? now + 1 : next && expiresAt(next), now);
  }

  /** False: no room, and nothing has changed. */
  function send(target: Target): boolean {
    const { queue, appNo, callbackUrl: topic } = target;
    const row = queue.take() as OutboxRow;
    const sentAt = clock.monotonic();
    const mayBeRepeated = row.attempts > 0 || row.id <= lastIdBefore;
    target.inFlight++;
    const message = { id: row.id, topic, body: row.body, orderKey: row.orderKey, mayBeRepeated };
    const isSent = link?.send(appNo, message, (outcome) => ended(target, row, outcome, clock.monotonic() - sentAt));
    if (isSent) return true;
    target.inFlight--;
    queue.putBack(row);
    return false;
  }

  function ended(target: Target, row: OutboxRow, outcome: DeliveryOutcome, latencyMs: number): void {
    target.inFlight--;
    if (target.gone || !worker.isRunning()) return;
    target.lastUsedAt = steadyNow();
    const reason = outcome === "acknowledged" ? "delivered" : "unacknowledged";
    worker.countAttempt(reason, latencyMs);
    settlement.attempted({
      ...{ id: ids.next(), notificationId: row.id, targetNo: target.no, atMs: clock.now(), notifyType: row.type },
      ...{ orderKey: row.orderKey, attempt: row.attempts + 1, reason, status: undefined, latencyMs },
    });
    if (outcome === "acknowledged") {
      target.delivered++;
      target.queue.finish(row);
      settlement.settle(row, { type: "delivered" });
      return;
    }
    target.failedAttempts++;
    const again = { ...row, attempts: row.attempts + 1 };
    target.queue.putBack(again);
    settlement.settle(again, { type: "delayed" });
    worker.plan(target);
  }

  function waitForRoom(target: Target): void {
    const waiting = full.get(target.appNo) ?? new Set();
    full.set(target.appNo, waiting.add(target));
  }

  /** The topics of an application take turns: who got room goes to the end. */
  function useRoom(): void {
    const applications = [...roomFor];
    roomFor.clear();
    for (const appNo of applications) {
      const waiting = full.get(appNo) ?? new Set<Target>();
      for (const target of [...waiting]) {
        waiting.delete(target);
        if (worker.isRunning() && !target.gone) pump(target);
        if (waiting.has(target)) break;
      }
      if (waiting.size === 0) full.delete(appNo);
    }
  }

  return {
    pump,
    reach,
    /** `keepMs`: how long a message waits for an application that is away. */
    join(joined: SubscriberLink, limits: { readonly keepMs: number }): void {
      link = joined;
      keepMs = limits.keepMs;
      link.onChange((appNo) => worker.planAll(appNo));
      link.onRoom((appNo) => {
        if (roomFor.size === 0) queueMicrotask(useRoom); // after the burst of acknowledgements that makes it
        roomFor.add(appNo);
      });
    },
  };
}
