import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { SqlValue, StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import { DELAY_OUTBOX, DELETE_OUTBOX, type OutboxRow } from "./outbox";
import type { GiveUpReason, PushAttempt } from "./push-log";
import type { PushSettings } from "./push-settings";

export const INSERT_DEAD_LETTER = `INSERT OR REPLACE INTO dead_letter
  (target_no, id, type, order_key, body, created_ms, given_up_ms, attempts, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const INSERT_ATTEMPT = `INSERT INTO push_attempt
  (target_no, delivered, id, notification_id, at_ms, type, order_key, attempt, reason, status, latency_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

export const toDeadLetterValues = (row: OutboxRow, reason: GiveUpReason, nowMs: number): SqlValue[] => [
  row.targetNo,
  row.id,
  row.type,
  row.orderKey,
  row.body,
  row.createdMs,
  nowMs,
  row.attempts,
  reason,
];

export type Outcome =
  | { readonly type: "delivered" | "unsubscribed" }
  | { readonly type: "givenUp"; readonly reason: GiveUpReason }
  /** Stays in the outbox; only attempts and retry time of the row are written. */
  | { readonly type: "delayed" };

export type LoggedAttempt = PushAttempt & { readonly id: number };

type Parts = {
  registry: Database;
  writer: StorageWriter;
  transactor: Transactor;
  clock: Clock;
  log: Log;
  steadyNow: () => number;
  settings: Pick<PushSettings, "flushIntervalMs" | "flushRows" | "keptDeliveredAttempts" | "keptFailedAttempts">;
  /** The rows are deleted on disk. */
  onDone: (rows: readonly OutboxRow[]) => void;
};
type Settled = { row: OutboxRow; outcome: Outcome };

const RETRY_MS = 1_000;

/** Writes what became of messages, in groups. Until then a crash repeats them; nothing is lost. */
export function settlement({ registry, writer, transactor, clock, log, steadyNow, settings, onDone }: Parts) {
  const deleteRow = registry.query<null, [number, number]>(DELETE_OUTBOX);
  const delayRow = registry.query<null, [number, number, number, number]>(DELAY_OUTBOX);
  let settled: Settled[] = [];
  let attempts: LoggedAttempt[] = [];
  let writing: Promise<void> | undefined;
  let inWriting = 0;
  let cancelTimer: (() => void) | undefined;
  let backingOff = false; // the disk does not write; the timer will try again

  function schedule(): void {
    if (settled.length >= settings.flushRows && writing === undefined && !backingOff) void flush();
    else cancelTimer ??= clock.after(settings.flushIntervalMs, () => void flush());
  }

  /** Resolves when all that was given before is on disk, or this attempt to write it has failed. Never rejects. */
  async function flush(): Promise<void> {
    cancelTimer?.();
    cancelTimer = undefined;
    backingOff = false;
    if (writing !== undefined) {
      await writing;
      if (!backingOff) await flush();
      return;
    }
    if (settled.length === 0 && attempts.length === 0) return;
    const group = settled;
    const logged = attempts;
    settled = [];
    attempts = [];
    inWriting = group.length;
    writing = write(group, logged);
    await writing;
  }

  async function write(group: readonly Settled[], logged: readonly LoggedAttempt[]): Promise<void> {
    try {
      // Dead letters first: a crash in between leaves a message in both places, never in none.
      await writer.commit(telemetrySteps(group, logged, steadyNow()));
      const ours = group.filter(({ row }) => row.source === "registry");
      if (ours.length > 0) await transactor.write(() => writeRegistry(ours));
      writing = undefined;
      inWriting = 0;
      onDone(group.filter(({ outcome }) => outcome.type !== "delayed").map(({ row }) => row));
      if (settled.length + attempts.length > 0) schedule();
    } catch (error) {
      log.error("push_outcomes_not_written", { rows: group.length, error });
      settled = [...group, ...settled]; // attempts are not worth keeping for a disk that does not write
      writing = undefined;
      inWriting = 0;
      backingOff = true;
      cancelTimer ??= clock.after(RETRY_MS, () => void flush());
    }
  }

  function writeRegistry(group: readonly Settled[]): void {
    for (const { row, outcome } of group) {
      if (outcome.type === "delayed") delayRow.run(row.attempts, row.retryMs, row.targetNo, row.id);
      else deleteRow.run(row.targetNo, row.id);
    }
  }

  function telemetrySteps(group: readonly Settled[], logged: readonly LoggedAttempt[], nowMs: number): WriteStep[] {
    const ours = group.filter(({ row }) => row.source === "telemetry");
    const kept = [
      ...newestPerTarget(
        logged.filter(({ reason }) => reason === "delivered"),
        settings.keptDeliveredAttempts,
      ),
      ...newestPerTarget(
        logged.filter(({ reason }) => reason !== "delivered"),
        settings.keptFailedAttempts,
      ),
    ];
    const steps = [
      toStep(INSERT_ATTEMPT, kept.map(toAttemptValues)),
      toStep(
        INSERT_DEAD_LETTER,
        group.flatMap(({ row, outcome }) =>
          outcome.type === "givenUp" ? [toDeadLetterValues(row, outcome.reason, nowMs)] : [],
        ),
      ),
      toStep(
        DELETE_OUTBOX,
        ours.filter(({ outcome }) => outcome.type !== "delayed").map(({ row }) => [row.targetNo, row.id]),
      ),
      toStep(
        DELAY_OUTBOX,
        ours
          .filter(({ outcome }) => outcome.type === "delayed")
          .map(({ row }) => [row.attempts, row.retryMs, row.targetNo, row.id]),
      ),
    ];
    return steps.filter(({ columns }) => columns.length > 0);
  }

  return {
    settle(row: OutboxRow, outcome: Outcome): void {
      settled.push({ row, outcome });
      schedule();
    },
    attempted(attempt: LoggedAttempt): void {
      attempts.push(attempt);
    },
    /** Outcomes that are not on disk yet. */
    get unsettled(): number {
      return settled.length + inWriting;
    },
    flush,
  };
}
export type Settlement = ReturnType<typeof settlement>;

/** Rows to the column-wise form of the writer thread. */
export function toStep(sql: string, rows: readonly (readonly SqlValue[])[]): WriteStep {
  return { sql, columns: (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] as SqlValue)) };
}

/** What the purge would delete at once is not written at all. */
function newestPerTarget(attempts: readonly LoggedAttempt[], limit: number): readonly LoggedAttempt[] {
  if (attempts.length <= limit) return attempts;
  const counts = new Map<number, number>();
  return attempts.toReversed().filter(({ targetNo }) => {
    const count = (counts.get(targetNo) ?? 0) + 1;
    counts.set(targetNo, count);
    return count <= limit;
  });
}

const toAttemptValues = (attempt: LoggedAttempt): SqlValue[] => [
  attempt.targetNo,
  attempt.reason === "delivered" ? 1 : 0,
  attempt.id,
  attempt.notificationId,
  attempt.atMs,
  attempt.notifyType,
  attempt.orderKey,
  attempt.attempt,
  attempt.reason,
  attempt.status ?? null,
  Math.round(attempt.latencyMs),
];
