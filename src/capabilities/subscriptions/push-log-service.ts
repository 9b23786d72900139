import type { Database } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import type { MessageIds } from "./message-ids";
import { INSERT_OUTBOX, type OutboxRow, toInsertValues } from "./outbox";
import type {
  AttemptFilter,
  DeadLetter,
  GiveUpReason,
  PushAttempt,
  PushLog,
  PushReason,
  PushTargetState,
  PushTargetView,
} from "./push-log";
import { toStep } from "./settlement";
import type { Target, TargetTable } from "./target";

type Parts = {
  /** telemetry.db, read-only. */
  reads: Database;
  writer: StorageWriter;
  targets: TargetTable;
  ids: MessageIds;
  steadyNow: () => number;
  stateOf: (target: Target) => PushTargetState;
  committed: (row: OutboxRow) => void;
};
type AttemptRow = {
  notification_id: number;
  target_no: number;
  at_ms: number;
  type: string;
  order_key: number;
  attempt: number;
  reason: PushReason;
  status: number | null;
  latency_ms: number;
};
type LetterRow = {
  id: number;
  target_no: number;
  type: string;
  order_key: number;
  body: string;
  created_ms: number;
  given_up_ms: number;
  attempts: number;
  reason: GiveUpReason;
};
type Filter = {
  target_no: number;
  delivered: number | null;
  type: string | null;
  order_key: number | null;
  notification_id: number | null;
};

const REPLAY_ROWS = 256;
const DELETE_LETTER = "DELETE FROM dead_letter WHERE target_no = ? AND id = ?";
const MATCHES = `target_no = $target_no AND ($delivered IS NULL OR delivered = $delivered) AND ($type IS NULL OR type = $type)
  AND ($order_key IS NULL OR order_key = $order_key) AND ($notification_id IS NULL OR notification_id = $notification_id)`;

/** Queries look at one address at a time, of which the tables keep a bounded number of rows. */
export function pushLogService({ reads, writer, targets, ids, steadyNow, stateOf, committed }: Parts): PushLog {
  const selectAttempts = reads.query<AttemptRow, Filter & { limit: number; offset: number }>(
    `SELECT * FROM push_attempt WHERE ${MATCHES} ORDER BY id DESC LIMIT $limit OFFSET $offset`,
  );
  const countAttempts = reads.query<{ total: number }, Filter>(
    `SELECT count(*) AS total FROM push_attempt WHERE ${MATCHES}`,
  );
  const selectLetters = reads.query<LetterRow, [number, number, number]>(
    "SELECT * FROM dead_letter WHERE target_no = ? ORDER BY id DESC LIMIT ? OFFSET ?",
  );
  const countLetters = reads.query<{ total: number }, [number]>(
    "SELECT count(*) AS total FROM dead_letter WHERE target_no = ?",
  );
  const selectOldest = reads.query<LetterRow, [number, number, number, number]>(
    "SELECT * FROM dead_letter WHERE target_no = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
  );
  const selectLetter = reads.query<LetterRow, [number, number]>(
    "SELECT * FROM dead_letter WHERE target_no = ? AND id = ?",
  );

  const lettersOf = (targetNo: number) => countLetters.get(targetNo)?.total ?? 0;

  const view = (target: Target) => toView(target, stateOf(target), lettersOf(target.no));

  function get(targetNo: number): Target {
    const target = targets.byNo(targetNo);
    if (!target) throw new DomainError("NOT_FOUND", { targetNo });
    return target;
  }

  /** Moves the letters back into the outbox, as new messages that no subscription can revoke. */
  async function requeue(letters: readonly LetterRow[]): Promise<void> {
    if (letters.length === 0) return;
    const rows = letters.map(
      (letter): OutboxRow => ({
        source: "telemetry",
        targetNo: letter.target_no,
        id: ids.next(),
        subscriptionNo: 0,
        type: letter.type,
        orderKey: letter.order_key,
        body: letter.body,
        createdMs: steadyNow(),
        attempts: 0,
        retryMs: 0,
      }),
    );
    await writer.commit([
      toStep(INSERT_OUTBOX, rows.map(toInsertValues)),
      toStep(
        DELETE_LETTER,
        letters.map(({ target_no, id }) => [target_no, id]),
      ),
    ]);
    for (const row of rows) committed(row);
  }

  return {
    targets: (appNo) =>
      targets
        .all()
        .filter((target) => appNo === undefined || target.appNo === appNo)
        .map(view),

    target: (targetNo) => view(get(targetNo)),

    attempts(filter, page, pageSize) {
      const where = toFilter(filter);
      return {
        items: selectAttempts.all({ ...where, limit: pageSize, offset: page * pageSize }).map(toAttempt),
        total: countAttempts.get(where)?.total ?? 0,
      };
    },

    deadLetters: (targetNo, page, pageSize) => ({
      items: selectLetters.all(targetNo, pageSize, page * pageSize).map(toLetter),
      total: lettersOf(targetNo),
    }),

    async replay(targetNo, which) {
      const target = get(targetNo);
      if (target.health.state === "invalid") throw new DomainError("CONFLICT", { reason: "the address is invalid" });
      if (which !== "all") {
        const letters = [...new Set(which)].sort((a, b) => a - b).flatMap((id) => selectLetter.get(targetNo, id) ?? []);
        await requeue(letters);
        return letters.length;
      }
      // What is given up again while this runs has a higher id and is left for the next time.
      const last = ids.next();
      let after = 0;
      let count = 0;
      for (;;) {
        const letters = selectOldest.all(targetNo, after, last, REPLAY_ROWS);
        await requeue(letters);
        count += letters.length;
        after = letters.at(-1)?.id ?? 0;
        if (letters.length < REPLAY_ROWS) return count;
      }
    },
  };
}

function toView(target: Target, state: PushTargetState, deadLetters: number): PushTargetView {
  const { no, appNo, callbackUrl, channel, health, waiting, inFlight, delivered, failedAttempts, givenUp } = target;
  return {
    targetNo: no,
    appNo,
    callbackUrl,
    channel,
    state,
    failedRetries: health.state === "valid" ? health.failedRetries : 0,
    invalidSinceMs: health.state === "invalid" ? health.since : undefined,
    waiting,
    inFlight,
    deadLetters,
    delivered,
    failedAttempts,
    givenUp,
  };
}

const toFilter = ({ targetNo, outcome, notifyType, orderKey, notificationId }: AttemptFilter): Filter => ({
  target_no: targetNo,
  delivered: outcome === undefined ? null : Number(outcome === "delivered"),
  type: notifyType ?? null,
  order_key: orderKey ?? null,
  notification_id: notificationId ?? null,
});

const toAttempt = (row: AttemptRow): PushAttempt => ({
  notificationId: row.notification_id,
  targetNo: row.target_no,
  atMs: row.at_ms,
  notifyType: row.type,
  orderKey: row.order_key,
  attempt: row.attempt,
  reason: row.reason,
  status: row.status ?? undefined,
  latencyMs: row.latency_ms,
});

const toLetter = (row: LetterRow): DeadLetter => ({
  id: row.id,
  targetNo: row.target_no,
  notifyType: row.type,
  orderKey: row.order_key,
  body: row.body,
  createdAtMs: row.created_ms,
  givenUpAtMs: row.given_up_ms,
  attempts: row.attempts,
  reason: row.reason,
});
