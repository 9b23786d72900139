/** Numbers of the push worker. The delivery rule is platform.md 5; what it leaves open is decided here. */
export type PushSettings = {
  /** An address that has not answered by then has failed. */
  readonly answerTimeoutMs: number;
  /** Between two attempts of one message; also the pace at which failed retries of an address are counted. */
  readonly retryIntervalMs: number;
  /** A message is given up when it is this old and has been tried. */
  readonly keepMs: number;
  /** Failed retries in a row after which an address is invalid. */
  readonly maxFailedRetries: number;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  /** Requests under way, to all addresses. Bun's fetch takes 256 at a time and queues what is beyond. */
  readonly maxInFlight: number;
  readonly maxInFlightPerTarget: number;
  /** Messages in memory per address; the rest waits in the database. */
  readonly windowRows: number;
  readonly windowBytes: number;
  /** Bodies in memory, of all addresses; each may hold one message all the same. */
  readonly totalWindowBytes: number;
  /** Messages in memory behind one that waits for its retry, per device. */
  readonly maxRowsPerBlockedKey: number;
  /** Undelivered messages per address; further ones are given up at once. */
  readonly maxWaitingPerTarget: number;
  /** Outcomes are written in groups: at least this often, or when so many wait. */
  readonly flushIntervalMs: number;
  readonly flushRows: number;
  /** Sending pauses while more outcomes than this are not yet on disk. */
  readonly maxUnsettled: number;
  /** Of an answer, only to keep its connection usable: beyond either, the connection is dropped. */
  readonly maxAnswerBytes: number;
  readonly answerBodyGraceMs: number;
  /** Bounds of the push log, per address. */
  readonly keptDeliveredAttempts: number;
  readonly keptFailedAttempts: number;
  readonly attemptAgeMs: number;
  readonly keptDeadLetters: number;
  readonly deadLetterAgeMs: number;
  /** How often what is over these bounds is deleted. */
  readonly purgeIntervalMs: number;
  /** An address without subscription, messages and dead letters is forgotten after this. */
  readonly idleTargetMs: number;
  /** At stop, requests under way get this long. */
  readonly stopGraceMs: number;
};

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const DEFAULT_PUSH_SETTINGS: PushSettings = {
  answerTimeoutMs: 15_000,
  retryIntervalMs: 30_000,
  keepMs: 10 * MINUTE_MS,
  maxFailedRetries: 10,
  probeIntervalMs: MINUTE_MS,
  probeTimeoutMs: 5_000,
  maxInFlight: 192,
  maxInFlightPerTarget: 16,
  windowRows: 2_048,
  windowBytes: 4 * 2 ** 20,
  totalWindowBytes: 64 * 2 ** 20,
  maxRowsPerBlockedKey: 16,
  maxWaitingPerTarget: 1_000_000,
  flushIntervalMs: 50,
  flushRows: 1_024,
  maxUnsettled: 16_384,
  maxAnswerBytes: 64 * 2 ** 10,
  answerBodyGraceMs: 1_000,
  keptDeliveredAttempts: 1_000,
  keptFailedAttempts: 10_000,
  attemptAgeMs: 3 * DAY_MS,
  keptDeadLetters: 10_000,
  deadLetterAgeMs: 7 * DAY_MS,
  purgeIntervalMs: 10_000,
  idleTargetMs: DAY_MS,
  stopGraceMs: 3_000,
};
