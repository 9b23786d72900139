const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export type IngestSettings = {
  /** An event time further ahead of the platform's clock than this counts as malformed: the platform's time is taken. */
  readonly futureToleranceMs: number;
  /** Limits of one service's data in one message: characters as JSON, and levels of nesting. */
  readonly maxDataChars: number;
  readonly maxDataDepth: number;
  /** A batch is closed when it holds so many messages or so many characters. */
  readonly maxBatchMessages: number;
  readonly maxBatchChars: number;
  /** Batches given to the writer thread that have not returned: one being written, one waiting. */
  readonly maxBatchesInFlight: number;
  /** `congested` turns on above the high mark and off (with `onDrain`) below the low one; characters not yet on disk. */
  readonly queueHighChars: number;
  readonly queueLowChars: number;
  /** How many devices' reported state is held in memory, and about how many characters of it; the rest is reloaded on use. */
  readonly maxStates: number;
  readonly maxStateChars: number;
  /** `last seen` is written again only when it has moved by so much; reads of a device in memory are exact. */
  readonly lastSeenStepMs: number;
};

export const INGEST_DEFAULTS: IngestSettings = {
  futureToleranceMs: DAY_MS,
  maxDataChars: 65_536,
  maxDataDepth: 16,
  maxBatchMessages: 8_192,
  maxBatchChars: 4 * 2 ** 20,
  maxBatchesInFlight: 2,
  queueHighChars: 32 * 2 ** 20,
  queueLowChars: 8 * 2 ** 20,
  maxStates: 65_536,
  maxStateChars: 64 * 2 ** 20,
  lastSeenStepMs: 10_000,
};

export type HistorySettings = {
  /** Blocks and records looked at before the event loop gets its turn again: one to five milliseconds. */
  readonly unitsPerTurn: number;
  readonly maxPageSize: number;
  /** A page over it (about, as JSON) is refused with RESULT_TOO_LARGE. */
  readonly maxPageChars: number;
};
export const HISTORY_DEFAULTS: HistorySettings = {
  unitsPerTurn: 1_000,
  maxPageSize: 2_000,
  maxPageChars: 16 * 2 ** 20,
};

export type PurgeSettings = {
  /** History is kept so long after it was stored, unless the device has a time of its own (`dataAgingDays` 1-90). */
  readonly historyKeepMs: number;
  /** Pause between two rounds over all tasks, and between two looks at the devices with a time of their own. */
  readonly purgeIntervalMs: number;
  readonly agingIntervalMs: number;
  /** A step that took longer is halved, a shorter one doubled, within `minStepRows` and `maxStepRows`. */
  readonly targetStepMs: number;
  readonly minStepRows: number;
  readonly maxStepRows: number;
  /** Share of the time in which a purge step may be under way, 0-1. */
  readonly dutyCycle: number;
  /** On a machine that is busy with other things a step waits long for its turn: the pause behind it has a limit. */
  readonly maxPauseMs: number;
};
export const PURGE_DEFAULTS: PurgeSettings = {
  historyKeepMs: 7 * DAY_MS,
  purgeIntervalMs: 60_000,
  agingIntervalMs: HOUR_MS,
  targetStepMs: 5,
  minStepRows: 50,
  maxStepRows: 400,
  dutyCycle: 0.2,
  maxPauseMs: 20,
};

export type RecentSettings = {
  /** Recent blocks move under the index when there are so many, or characters of them, or when the oldest is this old. */
  readonly recentMaxBlocks: number;
  readonly recentMaxChars: number;
  readonly recentMaxAgeMs: number;
  /** How often that is looked at. */
  readonly moveIntervalMs: number;
  /** A step of a move: joined blocks, or characters of them; rows of a step that deletes recent ones. */
  readonly moveStepBlocks: number;
  readonly moveStepChars: number;
  readonly deleteStepRows: number;
  /** Share of the time in which a step may be under way, 0-1. */
  readonly moveDutyCycle: number;
};
export const RECENT_DEFAULTS: RecentSettings = {
  recentMaxBlocks: 50_000,
  recentMaxChars: 16 * 2 ** 20,
  recentMaxAgeMs: 60_000,
  moveIntervalMs: 100,
  moveStepBlocks: 64,
  moveStepChars: 2 ** 20,
  deleteStepRows: 5_000,
  moveDutyCycle: 0.5,
};
