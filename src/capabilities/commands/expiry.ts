import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { CommandSettings } from "./command";
import type { ApplyChange } from "./command-changes";
import type { QueueRepository } from "./queue-repository";

type Parts = {
  readonly repository: Pick<QueueRepository, "expired" | "nextExpiry">;
  readonly transactor: Transactor;
  readonly apply: ApplyChange;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<CommandSettings, "sweepBatch" | "sweepIntervalMs">;
};

/** Ends PENDING commands when their validity is over: one timer for the one that is next. */
export function expiry({ repository, transactor, apply, clock, log, settings }: Parts) {
  let next: { readonly at: number; readonly cancel: () => void } | undefined;
  let stopped = false;

  /** In bounded transactions. */
  async function expireDue(): Promise<void> {
    while ((repository.nextExpiry() ?? Number.POSITIVE_INFINITY) <= clock.now()) {
      await transactor.write(() => {
        for (const stored of repository.expired(clock.now(), settings.sweepBatch))
          apply(stored, { type: "expired" }, clock.now());
      });
    }
  }

  function plan(at: number): void {
    if (stopped || (next && next.at <= at)) return;
    next?.cancel();
    next = { at, cancel: clock.after(Math.max(0, at - clock.now()), () => void fire()) };
  }

  async function fire(): Promise<void> {
    next = undefined;
    try {
      await expireDue();
      planNext();
    } catch (error) {
      log.error("command_expiry_failed", { error });
      plan(clock.now() + settings.sweepIntervalMs); // a full disk passes
    }
  }

  function planNext(): void {
    const at = repository.nextExpiry();
    if (at !== undefined) plan(at);
  }

  return {
    expireDue,
    plan,
    planNext,
    stop(): void {
      stopped = true;
      next?.cancel();
    },
  };
}
