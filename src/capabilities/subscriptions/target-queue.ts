import { OUTBOX_SOURCES, type OutboxRow, type OutboxSource } from "./outbox";

/**
 * What waits for one address: a lane per order key, in the order of the messages; lanes are independent of each other.
 * Only a window is in memory, the rest is left on disk and read in the order of ids when there is room. No I/O, no clock.
 *
 * Of each source, every message up to its cursor is here or done with; what is behind the cursor is on disk only.
 * A message may be committed and read before its writer says so: `held` knows those that are here already.
 *
 * As a stream it has one order for all: every message is its own lane, several may be under way, and what comes back
 * goes to its place in front of the others.
 */
export type TargetQueue = ReturnType<typeof targetQueue>;

export type QueueLimits = {
  readonly windowRows: number;
  readonly windowBytes: number;
  readonly maxRowsPerBlockedKey: number;
  readonly isStream?: boolean;
  /** Room for bodies shared by all addresses; `claim` may exceed it when the caller has to make progress. */
  readonly memory: SharedMemory;
};
export type SharedMemory = { hasRoom(bytes: number): boolean; claim(bytes: number): void };
export type ReadOutbox = (source: OutboxSource, afterId: number, limit: number) => readonly OutboxRow[];

type Lane = {
  readonly rows: OutboxRow[]; // the first is the one to send
  state: "ready" | "busy" | "waiting";
  dueAt: number;
  /** Lowest ids of this lane that were left on disk, because it was too long while it waited. */
  left: Map<OutboxSource, number> | undefined;
};

const NOTHING_LEFT = Number.POSITIVE_INFINITY;
const PAGE_ROWS = 64;
const MAX_PAGES = 8; // per call of `refill`
/** Of a stream that nobody listens to: enough to see in steps what grows too old. */
const RESTING_ROWS = PAGE_ROWS;
const RESTING_BYTES = 64 * 1024;

export function targetQueue(limits: QueueLimits) {
  const { maxRowsPerBlockedKey, isStream = false, memory } = limits;
  let { windowRows, windowBytes } = limits;
  const lanes = new Map<number, Lane>();
  const held = new Set<number>(); // in a lane, or done with and not yet deleted on disk
  const cursors = new Map<OutboxSource, number>(OUTBOX_SOURCES.map((source) => [source, NOTHING_LEFT]));
  let ready: Lane[] = [];
  let waiting: Lane[] = []; // by dueAt
  let queuedRows = 0;
  let queuedBytes = 0;

  const keyOf = ({ id, orderKey }: OutboxRow) => (isStream ? id : orderKey);
  const cursor = (source: OutboxSource) => cursors.get(source) ?? NOTHING_LEFT;
  const isBehind = () => OUTBOX_SOURCES.some((source) => cursor(source) !== NOTHING_LEFT);
  const leaveOnDisk = (source: OutboxSource, id: number) => cursors.set(source, Math.min(cursor(source), id - 1));

  function fits({ body }: OutboxRow): boolean {
    if (held.size >= windowRows) return false;
    return queuedRows === 0 || (queuedBytes + body.length <= windowBytes && memory.hasRoom(body.length));
  }

  function hold(row: OutboxRow): void {
    held.add(row.id);
    count(row, 1);
    const lane = lanes.get(keyOf(row));
    if (lane) {
      lane.rows.push(row);
      return;
    }
    const fresh: Lane = { rows: [row], state: "ready", dueAt: 0, left: undefined };
    lanes.set(keyOf(row), fresh);
    ready.push(fresh);
  }

  function count({ body }: OutboxRow, sign: 1 | -1): void {
    queuedRows += sign;
    queuedBytes += sign * body.length;
    memory.claim(sign * body.length);
  }

  /** A lane that waits must not fill the window. Once something of it was left, all that follows is left too. */
  const isClosed = (lane: Lane | undefined): lane is Lane =>
    lane !== undefined &&
    (lane.left !== undefined || (lane.state === "waiting" && lane.rows.length >= maxRowsPerBlockedKey));

  function leave(lane: Lane, { source, id }: OutboxRow): void {
    lane.left ??= new Map();
    lane.left.set(source, Math.min(lane.left.get(source) ?? NOTHING_LEFT, id));
  }

  function shift(done: OutboxRow): void {
    const lane = lanes.get(keyOf(done));
    const row = lane?.rows.shift();
    if (!lane || !row) throw new Error("a message was finished that was not under way");
    count(row, -1);
    if (lane.rows.length > 0) {
      lane.state = "ready";
      ready.push(lane);
      return;
    }
    lanes.delete(keyOf(done));
    for (const [source, id] of lane.left ?? []) leaveOnDisk(source, id);
  }

  function wait(row: OutboxRow, dueAt: number): void {
    const lane = lanes.get(keyOf(row));
    if (!lane) throw new Error("a message was delayed that was not under way");
    lane.rows[0] = row;
    lane.state = "waiting";
    lane.dueAt = dueAt;
    while (lane.rows.length > maxRowsPerBlockedKey) {
      const last = lane.rows.pop() as OutboxRow;
      held.delete(last.id);
      count(last, -1);
      leave(lane, last);
    }
    let place = waiting.length; // nearly always the end: the interval is the same for all
    while (place > 0 && (waiting[place - 1] as Lane).dueAt > dueAt) place--;
    waiting.splice(place, 0, lane);
  }

  function putBack(row: OutboxRow): void {
    const lane = lanes.get(keyOf(row));
    if (!lane) throw new Error("a message came back that was not under way");
    lane.rows[0] = row;
    lane.state = "ready";
    const behind = ready.findIndex(({ rows }) => (rows[0] as OutboxRow).id > row.id);
    ready.splice(behind === -1 ? ready.length : behind, 0, lane);
  }

  function rest(isResting: boolean): void {
    windowRows = isResting ? Math.min(RESTING_ROWS, limits.windowRows) : limits.windowRows;
    windowBytes = isResting ? Math.min(RESTING_BYTES, limits.windowBytes) : limits.windowBytes;
    if (!isResting) return;
    while (ready.length > 1 && (held.size > windowRows || queuedBytes > windowBytes)) {
      const [last] = (ready.at(-1) as Lane).rows as [OutboxRow];
      if (last.attempts > 0) return; // the number may not be on disk yet
      ready.pop();
      lanes.delete(keyOf(last));
      held.delete(last.id);
      count(last, -1);
      leaveOnDisk(last.source, last.id);
    }
  }

  function release(until: number): void {
    const due = waiting.findIndex(({ dueAt }) => dueAt > until);
    const released = waiting.splice(0, due === -1 ? waiting.length : due);
    for (const lane of released) lane.state = "ready";
    ready = ready.length === 0 ? released : [...ready, ...released];
  }

  /** Places what was read, in the order of ids; false when the window is full. */
  function place(rows: readonly OutboxRow[], passed: (row: OutboxRow) => void): boolean {
    for (const row of rows) {
      if (!held.has(row.id)) {
        const lane = lanes.get(keyOf(row));
        if (isClosed(lane)) leave(lane, row);
        else if (fits(row)) hold(row);
        else return false;
      }
      passed(row);
    }
    return true;
  }

  function readPage(read: ReadOutbox): boolean {
    const pages = OUTBOX_SOURCES.filter((source) => cursor(source) !== NOTHING_LEFT).map((source) => ({
      source,
      rows: read(source, cursor(source), PAGE_ROWS),
    }));
    // Beyond the end of a full page there may be more of it, which has to come first.
    const bound = Math.min(
      ...pages.map(({ rows }) => (rows.length < PAGE_ROWS ? NOTHING_LEFT : (rows.at(-1)?.id ?? 0))),
    );
    const merged = pages
      .flatMap(({ rows }) => rows)
      .filter(({ id }) => id <= bound)
      .sort((a, b) => a.id - b.id);
    const passed = new Map<OutboxSource, { id: number; rows: number }>();
    const goOn = place(merged, ({ source, id }) =>
      passed.set(source, { id, rows: (passed.get(source)?.rows ?? 0) + 1 }),
    );
    for (const { source, rows } of pages) {
      const progress = passed.get(source);
      const exhausted = rows.length < PAGE_ROWS && (progress?.rows ?? 0) === rows.length;
      if (exhausted) cursors.set(source, NOTHING_LEFT);
      else if (progress) cursors.set(source, progress.id);
    }
    return goOn;
  }

  return {
    /** A message that has just been committed. It may be left on disk. */
    accept(row: OutboxRow): void {
      if (held.has(row.id)) return;
      const lane = lanes.get(keyOf(row));
      if (isClosed(lane)) leave(lane, row);
      else if (isBehind() || !fits(row)) leaveOnDisk(row.source, row.id);
      else hold(row);
    },
    /** There are messages on disk that nobody has announced: after a start. */
    expectOnDisk(source: OutboxSource): void {
      cursors.set(source, 0);
    },
    /** It is being dealt with outside of the queue: not to be read from disk. */
    remember(id: number): void {
      held.add(id);
    },
    get wantsRefill(): boolean {
      if (!isBehind() || held.size >= windowRows) return false;
      return queuedRows === 0 || (queuedRows * 2 < windowRows && queuedBytes * 2 < windowBytes && memory.hasRoom(1));
    },
    /** False when it stopped only for the time it takes: there is room, and there may be more on disk. */
    refill(read: ReadOutbox): boolean {
      for (let page = 0; page < MAX_PAGES; page++) if (!isBehind() || !readPage(read)) return true;
      return false;
    },
    /** The next message that may be sent. Its lane stands still until `finish` or `wait`. */
    take(): OutboxRow | undefined {
      const lane = ready.shift();
      if (!lane) return undefined;
      lane.state = "busy";
      return lane.rows[0];
    },
    /** What `take` would give. */
    peek: (): OutboxRow | undefined => ready[0]?.rows[0],
    /** Of a stream: taken, and to be sent again before all that came after it. */
    putBack,
    /** Of a stream: while it rests, little of it is in memory. */
    rest,
    /** Done with, one way or the other; it stays known until `forget`. */
    finish: shift,
    /** Not before `dueAt`; `row` replaces the one that was taken. */
    wait,
    release,
    get nextDueAt(): number | undefined {
      return waiting[0]?.dueAt;
    },
    /** It has been deleted on disk. */
    forget(id: number): void {
      held.delete(id);
    },
    get queuedRows(): number {
      return queuedRows;
    },
    /** Gives all memory back. */
    clear(): void {
      memory.claim(-queuedBytes);
      queuedRows = 0;
      queuedBytes = 0;
      lanes.clear();
      held.clear();
      ready = [];
      waiting = [];
      for (const source of OUTBOX_SOURCES) cursors.set(source, NOTHING_LEFT);
    },
  };
}
