import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { SqlValue, StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import type { OutboxReader } from "./outbox";
import type { PushSettings } from "./push-settings";
import { toStep } from "./settlement";
import type { SubscriptionIndex } from "./subscription-index";
import type { Target, TargetTable } from "./target";

type Parts = {
  /** telemetry.db, read-only. */
  reads: Database;
  writer: StorageWriter;
  outbox: OutboxReader; // of telemetry.db
  targets: TargetTable;
  index: SubscriptionIndex;
  clock: Clock;
  steadyNow: () => number;
  log: Log;
  settings: PushSettings;
};

const OVER_NUMBER = `DELETE FROM push_attempt WHERE target_no = ?1 AND delivered = ?2 AND id <=
  (SELECT id FROM push_attempt WHERE target_no = ?1 AND delivered = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)`;
const OVER_AGE = "DELETE FROM push_attempt WHERE target_no = ? AND delivered = ? AND at_ms < ?";
const LETTERS_OVER_NUMBER = `DELETE FROM dead_letter WHERE target_no = ?1 AND id <=
  (SELECT id FROM dead_letter WHERE target_no = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`;
const LETTERS_OVER_AGE = "DELETE FROM dead_letter WHERE target_no = ? AND given_up_ms < ?";
const OF_TARGET = ["outbox", "dead_letter", "push_attempt"].map((table) => `DELETE FROM ${table} WHERE target_no = ?`);

/** Keeps the push log within its bounds, and forgets addresses that nothing refers to. */
export function pushPurge(parts: Parts) {
  const { reads, writer, outbox, targets, index, clock, steadyNow, log, settings } = parts;
  const hasLetters = reads.query<{ found: number }, [number]>(
    "SELECT EXISTS (SELECT 1 FROM dead_letter WHERE target_no = ?) AS found",
  );
  const knownInLog = reads.query<{ targetNo: number }, []>(
    "SELECT DISTINCT target_no AS targetNo FROM push_attempt UNION SELECT DISTINCT target_no FROM dead_letter",
  );
  const stopping = new AbortController();
  const swept = new Map<number, number>(); // what an address had done when it was last swept
  let sinceAgeSweepMs = 0;

  const work = ({ delivered, failedAttempts, givenUp }: Target) => delivered + failedAttempts + givenUp;

  function overNumber(target: Target): WriteStep[] {
    if (swept.get(target.no) === work(target)) return [];
    swept.set(target.no, work(target));
    return [
      toStep(OVER_NUMBER, [
        [target.no, 1, settings.keptDeliveredAttempts],
        [target.no, 0, settings.keptFailedAttempts],
      ]),
      toStep(LETTERS_OVER_NUMBER, [[target.no, settings.keptDeadLetters]]),
    ];
  }

  function overAge({ no }: Target): WriteStep[] {
    const oldest = clock.now() - settings.attemptAgeMs;
    return [
      toStep(OVER_AGE, [
        [no, 1, oldest],
        [no, 0, oldest],
      ]),
      toStep(LETTERS_OVER_AGE, [[no, steadyNow() - settings.deadLetterAgeMs]]),
    ];
  }

  /** Also removes what older ones have left in telemetry.db. */
  async function forget(numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return;
    await writer.commit(
      OF_TARGET.map((sql) =>
        toStep(
          sql,
          numbers.map((no): SqlValue[] => [no]),
        ),
      ),
    );
    for (const no of numbers) swept.delete(no);
  }

  async function forgetIdle(idleMs: number): Promise<void> {
    const idleSince = steadyNow() - idleMs;
    const idle = targets
      .all()
      .filter(
        (target) =>
          target.lastUsedAt <= idleSince &&
          target.waiting === 0 &&
          target.inFlight === 0 &&
          !index.usesTarget(target.no) &&
          hasLetters.get(target.no)?.found !== 1,
      );
    const gone: number[] = [];
    for (const target of idle) if (await targets.removeIfIdle(target)) gone.push(target.no);
    await forget(gone);
  }

  async function sweep(): Promise<void> {
    const all = targets.all();
    const withAge = sinceAgeSweepMs >= settings.purgeIntervalMs * AGE_SWEEP_EVERY;
    sinceAgeSweepMs = withAge ? 0 : sinceAgeSweepMs + settings.purgeIntervalMs;
    const steps = all.flatMap((target) => [...overNumber(target), ...(withAge ? overAge(target) : [])]);
    if (steps.length > 0) await writer.commit(steps);
    await forgetIdle(settings.idleTargetMs);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(settings.purgeIntervalMs, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        await sweep();
      } catch (error) {
        log.error("push_purge_failed", { error }); // the next round tries again
      }
    }
  }

  return {
    forget,
    /** What is left of addresses that are gone, and addresses that nothing refers to. */
    async clean(): Promise<void> {
      const found = [...outbox.depths(), ...knownInLog.all()].map(({ targetNo }) => targetNo);
      await forget([...new Set(found)].filter((no) => !targets.byNo(no)));
      await forgetIdle(0);
    },
    sweep,
    start() {
      const finished = run();
      return {
        finished,
        async stop() {
          stopping.abort();
          await finished;
        },
      };
    },
  };
}

const AGE_SWEEP_EVERY = 60; // sweeps: age matters in days, and its query has no index to use
