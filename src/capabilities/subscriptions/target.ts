import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import { isTopicAddress } from "./notification-topic";
import type { Channel } from "./subscription";
import type { TargetHealth } from "./target-health";
import { HEALTHY } from "./target-health";
import type { TargetQueue } from "./target-queue";
import type { PushTarget, TargetRepository } from "./target-repository";

/** An address while the process lives: its queue, its health, what is under way. */
export type Target = PushTarget & {
  readonly channel: Channel;
  health: TargetHealth;
  readonly queue: TargetQueue;
  inFlight: number;
  /** Requests it may have under way now: grows by one with each answer, is halved by each failure. */
  parallel: number;
  /** Messages committed and not yet settled, in memory or not. */
  waiting: number;
  delivered: number; // since the process started, as are the next two
  failedAttempts: number;
  givenUp: number;
  lastUsedAt: number; // steady
  /** Deleted: nothing of it is sent or written any more. */
  gone: boolean;
  wakeAt: number | undefined; // steady; the next retry
  cancelTimer: (() => void) | undefined;
  cancelProbe: (() => void) | undefined;
};

const FIRST_PARALLEL = 4;

type Parts = {
  repository: TargetRepository;
  transactor: Transactor;
  log: Log;
  steadyNow: () => number;
  newQueue: (channel: Channel) => TargetQueue;
};

/** All addresses, in memory. Holds what is committed. */
export function targetTable({ repository, transactor, log, steadyNow, newQueue }: Parts) {
  const byNo = new Map<number, Target>();

  function add(stored: PushTarget, health: TargetHealth): Target {
    const channel = isTopicAddress(stored.callbackUrl) ? "MQTTS" : "HTTP";
    const target: Target = {
      channel,
      no: stored.no,
      appNo: stored.appNo,
      callbackUrl: stored.callbackUrl,
      health,
      queue: newQueue(channel),
      inFlight: 0,
      parallel: FIRST_PARALLEL,
      waiting: 0,
      delivered: 0,
      failedAttempts: 0,
      givenUp: 0,
      lastUsedAt: steadyNow(),
      gone: false,
      wakeAt: undefined,
      cancelTimer: undefined,
      cancelProbe: undefined,
    };
    byNo.set(target.no, target);
    return target;
  }
  for (const stored of repository.all()) add(stored, stored.health);

  function drop(no: number): void {
    const target = byNo.get(no);
    if (!target) return;
    target.gone = true;
    target.cancelTimer?.();
    target.cancelProbe?.();
    target.queue.clear();
    byNo.delete(no);
  }

  return {
    byNo: (no: number): Target | undefined => byNo.get(no),
    all: (): readonly Target[] => [...byNo.values()],
    /** Only inside a transaction. Asks the database: an address may have come or gone earlier in this commit. */
    ensure(appNo: number, callbackUrl: string): number {
      const known = repository.find(appNo, callbackUrl);
      if (known !== undefined) return known;
      const target = repository.add(appNo, callbackUrl);
      transactor.afterCommit(() => add(target, HEALTHY));
      return target.no;
    },
    setHealth(target: Target, health: TargetHealth): void {
      if (target.health === health) return;
      const before = target.health;
      target.health = health;
      if (before.state !== health.state)
        log.info(health.state === "valid" ? "push_target_valid" : "push_target_invalid", {
          targetNo: target.no,
          callbackUrl: target.callbackUrl,
        });
      const isSame =
        before.state === "valid" && health.state === "valid" && before.failedRetries === health.failedRetries;
      if (isSame || target.gone) return;
      transactor
        .write(() => repository.saveHealth(target.no, health))
        .catch((error: unknown) => log.error("push_target_not_saved", { targetNo: target.no, error }));
    },
    /** Forgets an address that nothing refers to any more; resolves with whether it did. */
    removeIfIdle: (target: Target): Promise<boolean> =>
      transactor.write(() => {
        if (!repository.removeIfIdle(target.no)) return false;
        transactor.afterCommit(() => drop(target.no));
        return true;
      }),
    /** Only inside the transaction that deletes the application; its subscriptions must be gone. */
    removeOfApplication(appNo: number): number[] {
      const numbers = repository.removeOfApplication(appNo);
      transactor.afterCommit(() => {
        for (const no of numbers) drop(no);
      });
      return numbers;
    },
  };
}
export type TargetTable = ReturnType<typeof targetTable>;
