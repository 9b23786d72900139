import type { Clock } from "../../platform/clock";
import type { Counter, CounterChild, Metrics } from "../../platform/metrics";
import type { CallbackClient, PostResult } from "./callback-client";
import type { MessageIds } from "./message-ids";
import type { OutboxReader, OutboxRow, OutboxSource } from "./outbox";
import type { GiveUpReason, PushReason, PushTargetState } from "./push-log";
import type { PushSettings } from "./push-settings";
import type { Settlement } from "./settlement";
import { subscriberDelivery } from "./subscriber-delivery";
import type { SubscriberLink } from "./subscriber-link";
import type { Target, TargetTable } from "./target";
import { nextHealth } from "./target-health";

type Parts = {
  targets: TargetTable;
  outboxes: Readonly<Record<OutboxSource, OutboxReader>>;
  settlement: Settlement;
  client: CallbackClient;
  isSubscribed: (subscriptionNo: number) => boolean;
  ids: MessageIds;
  lastIdBefore: number;
  clock: Clock;
  steadyNow: () => number;
  settings: PushSettings;
  metrics: Metrics;
};

/** Reasons that another attempt may cure: no proper answer, and 501 to 504 (platform.md 5). */
const RETRIED: ReadonlySet<PushReason> = new Set<PushReason>([
  "timeout",
  "refused",
  "unreachable",
  "name_not_found",
  "reset",
  "tls_untrusted",
  "tls_name",
  "tls_failed",
  "bad_response",
  "status_501",
  "status_502",
  "status_503",
  "status_504",
]);

export interface PushWorker {
  /** Messages that are on disk at the start. */
  expect(source: OutboxSource, targetNo: number, rows: number): void;
  /** A message that has just been committed. */
  accept(row: OutboxRow): void;
  /** A message that was given up in the transaction of its change, without having been queued. */
  refused(targetNo: number, reason: GiveUpReason): void;
  /** Its rows are deleted on disk: there is room again. */
  done(rows: readonly OutboxRow[]): void;
  /** Messages on disk, by database. */
  readonly depths: Readonly<Record<OutboxSource, number>>;
  stateOf(target: Target): PushTargetState;
  /** Before it starts. `keepMs`: how long a message waits for an application that is away. */
  joinSubscribers(link: SubscriberLink, limits: { readonly keepMs: number }): void;
  start(): void;
  /** Waits for requests under way, for a while; what is not answered by then is sent again after the next start. */
  stop(): Promise<void>;
}

/**
 * Sends what is in the outboxes. One loop turn (`pump`) per address that has something to do; addresses share nothing
 * but the number of requests under way and the memory for bodies, and one that hangs gets ever less of both.
 */
export function pushWorker(parts: Parts): PushWorker {
  const { targets, outboxes, settlement, client, isSubscribed, ids, clock, steadyNow, settings } = parts;
  const count = pushMetrics(parts.metrics);
  const dirty = new Set<Target>();
  const starved = new Set<Target>(); // have something to send, but all requests are taken
  const stopping = new AbortController();
  const depths: Record<OutboxSource, number> = { registry: 0, telemetry: 0 };
  let inFlight = 0;
  let turnPlanned = false;
  let running = false;
  let becomeIdle: (() => void) | undefined;

  const read = (target: Target) => (source: OutboxSource, afterId: number, limit: number) =>
    outboxes[source].page(target.no, afterId, limit);
  const subscribers = subscriberDelivery({
    ...{ settlement, isSubscribed, ids, lastIdBefore: parts.lastIdBefore, clock, steadyNow, settings },
    worker: {
      isRunning: () => running,
      plan,
      planAll(appNo) {
        for (const target of targets.all()) if (target.channel === "MQTTS" && target.appNo === appNo) plan(target);
      },
      starve: (target) => starved.add(target),
      read,
      wakeAt,
      giveUp,
      countAttempt: count.attempt,
    },
  });
  const isExpired = ({ createdMs }: OutboxRow, now: number) => now - createdMs >= settings.keepMs;

  /** Turns are taken after the present burst of messages, so that one turn serves them all. */
  function plan(target: Target): void {
    dirty.add(target);
    if (turnPlanned) return;
    turnPlanned = true;
    queueMicrotask(turn);
  }

  function turn(): void {
    turnPlanned = false;
    const due = [...dirty];
    dirty.clear();
    for (const target of due) pump(target);
  }

  function pump(target: Target): void {
    if (!running || target.gone) return;
    if (target.channel === "MQTTS") {
      subscribers.pump(target);
      return;
    }
    const now = steadyNow();
    const { queue } = target;
    queue.release(now);
    const complete = !(queue.wantsRefill && hasSlot(target)) || queue.refill(read(target));
    while (hasSlot(target)) {
      const row = queue.take();
      if (!row) break;
      decide(target, withinClock(row, now), now);
    }
    // A refill that found only messages that must wait stops after a while; it goes on in another turn.
    wakeAt(target, complete ? queue.nextDueAt : now + 1, now);
  }

  /** Times of a row that was written before the clock was set back and the platform restarted. */
  function withinClock(row: OutboxRow, now: number): OutboxRow {
    const latestRetryMs = now + settings.retryIntervalMs;
    if (row.createdMs <= now && row.retryMs <= latestRetryMs) return row;
    return { ...row, createdMs: Math.min(row.createdMs, now), retryMs: Math.min(row.retryMs, latestRetryMs) };
  }

  /** The fuller the house, the fewer places for one address: many that hang together leave room for those that do not. */
  function hasSlot(target: Target): boolean {
    if (settlement.unsettled >= settings.maxUnsettled) {
      starved.add(target);
      return false;
    }
    const load = inFlight / settings.maxInFlight;
    const share = load < 0.5 ? settings.maxInFlightPerTarget : load < 0.8 ? 4 : 1;
    if (target.inFlight < Math.min(target.parallel, share) && inFlight < settings.maxInFlight) return true;
    if (target.inFlight < target.parallel) starved.add(target);
    return false;
  }

  function decide(target: Target, row: OutboxRow, now: number): void {
    if (row.subscriptionNo !== 0 && !isSubscribed(row.subscriptionNo)) {
      target.queue.finish(row);
      settlement.settle(row, { type: "unsubscribed" });
    } else if (target.health.state === "invalid") {
      if (isExpired(row, now)) giveUp(target, row, "expired");
      else target.queue.wait(row, row.createdMs + settings.keepMs);
    } else if (row.retryMs > now) target.queue.wait(row, row.retryMs);
    else void send(target, row);
  }

  async function send(target: Target, row: OutboxRow): Promise<void> {
    target.inFlight++;
    inFlight++;
    const startedAt = clock.monotonic();
    const result = await client.post(target, row, stopping.signal);
    target.inFlight--;
    inFlight--;
    if (!stopping.signal.aborted && !target.gone) concluded(target, row, result, clock.monotonic() - startedAt);
    resumeStarved();
    plan(target);
    if (inFlight === 0) becomeIdle?.();
  }

  function concluded(target: Target, row: OutboxRow, { reason, status }: PostResult, latencyMs: number): void {
    const now = steadyNow();
    target.lastUsedAt = now;
    count.attempt(reason, latencyMs);
    settlement.attempted({
      id: ids.next(),
      notificationId: row.id,
      targetNo: target.no,
      atMs: clock.now(),
      notifyType: row.type,
      orderKey: row.orderKey,
      attempt: row.attempts + 1,
      reason,
      status,
      latencyMs,
    });
    if (!RETRIED.has(reason)) {
      target.parallel = Math.min(settings.maxInFlightPerTarget, target.parallel + 1);
      recover(target, "answered");
      if (reason === "delivered") {
        target.delivered++;
        target.queue.finish(row);
        settlement.settle(row, { type: "delivered" });
      } else {
        target.failedAttempts++;
        giveUp(target, { ...row, attempts: row.attempts + 1 }, "rejected");
      }
      return;
    }
    target.failedAttempts++;
    target.parallel = Math.max(1, target.parallel >> 1);
    if (row.attempts > 0) {
      targets.setHealth(target, nextHealth(target.health, { type: "retryFailed", at: now }, settings));
      if (target.health.state === "invalid") scheduleProbe(target);
    }
    retryOrGiveUp(target, { ...row, attempts: row.attempts + 1 }, now);
  }

  /** Given up only after an attempt: what is old because the platform was down still gets its chance. */
  function retryOrGiveUp(target: Target, row: OutboxRow, now: number): void {
    const retryMs = now + settings.retryIntervalMs;
    if (retryMs - row.createdMs > settings.keepMs) {
      giveUp(target, row, "expired");
      return;
    }
    const delayed = { ...row, retryMs };
    target.queue.wait(delayed, retryMs);
    settlement.settle(delayed, { type: "delayed" });
  }

  function giveUp(target: Target, row: OutboxRow, reason: GiveUpReason): void {
    target.givenUp++;
    count.givenUp(reason);
    target.queue.finish(row);
    settlement.settle(row, { type: "givenUp", reason });
  }

  function recover(target: Target, type: "answered" | "probeSucceeded"): void {
    const wasInvalid = target.health.state === "invalid";
    targets.setHealth(target, nextHealth(target.health, { type }, settings));
    if (!wasInvalid) return;
    target.cancelProbe?.();
    target.cancelProbe = undefined;
    target.queue.release(Number.POSITIVE_INFINITY); // what was kept meanwhile goes at once
    plan(target);
  }

  function scheduleProbe(target: Target): void {
    if (stopping.signal.aborted || target.gone) return;
    target.cancelProbe ??= clock.after(settings.probeIntervalMs, () => void probe(target));
  }

  async function probe(target: Target): Promise<void> {
    const reached = await client.probe(target, stopping.signal);
    target.cancelProbe = undefined;
    if (stopping.signal.aborted || target.gone || target.health.state === "valid") return;
    if (reached) recover(target, "probeSucceeded");
    else scheduleProbe(target);
  }

  function wakeAt(target: Target, at: number | undefined, now: number): void {
    if (at === target.wakeAt) return;
    target.cancelTimer?.();
    target.wakeAt = at;
    target.cancelTimer = at === undefined ? undefined : clock.after(Math.max(1, at - now), () => wake(target));
  }

  function wake(target: Target): void {
    target.wakeAt = undefined;
    plan(target);
  }

  function resumeStarved(): void {
    for (const target of starved) {
      if (inFlight >= settings.maxInFlight) return;
      starved.delete(target);
      plan(target);
    }
  }

  return {
    depths,

    expect(source, targetNo, rows) {
      const target = targets.byNo(targetNo);
      if (!target) return;
      target.waiting += rows;
      depths[source] += rows;
      target.queue.expectOnDisk(source);
    },

    accept(row) {
      const target = targets.byNo(row.targetNo);
      if (!target) return;
      target.lastUsedAt = steadyNow();
      const refusal = stopping.signal.aborted ? undefined : refusalOf(target, settings);
      target.waiting++;
      depths[row.source]++;
      // With too many outcomes unwritten it is left on disk: the sweep of the invalid address comes to it later.
      if (refusal && settlement.unsettled < settings.maxUnsettled) {
        target.givenUp++;
        count.givenUp(refusal);
        target.queue.remember(row.id);
        settlement.settle(row, { type: "givenUp", reason: refusal });
        return;
      }
      target.queue.accept(row);
      plan(target);
    },

    refused(targetNo, reason) {
      const target = targets.byNo(targetNo);
      if (target) target.givenUp++;
      count.givenUp(reason);
    },

    done(rows) {
      for (const row of rows) {
        const target = targets.byNo(row.targetNo);
        if (!target) continue;
        target.waiting--;
        depths[row.source]--;
        target.queue.forget(row.id);
        plan(target);
      }
      resumeStarved();
    },

    stateOf: (target) => (target.channel === "MQTTS" ? subscribers.reach(target) : target.health.state),
    joinSubscribers: subscribers.join,

    start() {
      running = true;
      for (const target of targets.all()) {
        if (target.health.state === "invalid") scheduleProbe(target);
        plan(target);
      }
    },

    async stop() {
      running = false;
      for (const target of targets.all()) {
        target.cancelTimer?.();
        target.cancelProbe?.();
      }
      if (inFlight > 0) {
        const idle = new Promise<void>((resolve) => {
          becomeIdle = resolve;
        });
        const cancel = clock.after(settings.stopGraceMs, () => stopping.abort());
        await idle;
        cancel();
      }
      stopping.abort();
      await settlement.flush();
    },
  };
}

/** Why a new message is not queued at all; undefined: it is. */
export function refusalOf(
  { health, waiting }: Pick<Target, "health" | "waiting">,
  { maxWaitingPerTarget }: Pick<PushSettings, "maxWaitingPerTarget">,
): GiveUpReason | undefined {
  if (health.state === "invalid") return "address_invalid";
  return waiting >= maxWaitingPerTarget ? "backlog_full" : undefined;
}

function pushMetrics(metrics: Metrics) {
  const attempts = metrics.counter("islet_push_attempts_total", "Push attempts by how they ended.");
  const givenUp = metrics.counter("islet_push_given_up_total", "Messages that will not be tried again, by reason.");
  const latency = metrics.histogram(
    "islet_push_latency_ms",
    "Milliseconds from request to answer of pushes.",
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000],
  );
  const children = new Map<string, CounterChild>();
  const child = (counter: Counter, reason: string) => {
    const known = children.get(reason);
    if (known) return known;
    const made = counter.with({ reason });
    children.set(reason, made);
    return made;
  };
  return {
    attempt(reason: PushReason, latencyMs: number): void {
      child(attempts, reason).add();
      latency.observe(latencyMs);
    },
    givenUp: (reason: GiveUpReason) => child(givenUp, reason).add(),
  };
}
