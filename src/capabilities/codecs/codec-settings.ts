/** Limits and times of codecs. Times in milliseconds, sizes in bytes unless the name says otherwise. */
export type CodecSettings = {
  /** Of a script, as UTF-8 (codec.md 4). */
  readonly maxScriptBytes: number;
  readonly maxMessages: number;
  readonly maxFields: number;
  /** Longest field with a typed-in length. */
  readonly maxFieldBytes: number;
  /** Longest message that a codec gives to a device. */
  readonly maxEncodedBytes: number;
  /** Longest JSON that a script's `decode` gives back, in characters. */
  readonly maxDecodedChars: number;
  /** Threads in which scripts run; the first one starts with the first script. */
  readonly scriptThreads: number;
  /** One call of a script; also the evaluation of the script itself. */
  readonly scriptTimeMs: number;
  /** What a script may allocate. */
  readonly scriptMemoryBytes: number;
  readonly scriptStackBytes: number;
  /** Scripts that a thread keeps ready to run; a further one takes the place of the one that was idle longest. */
  readonly scriptsPerThread: number;
  /** Calls handed to a thread at once, and how long it works on them before another product gets its turn. */
  readonly maxBatchCalls: number;
  readonly batchTimeMs: number;
  /** Calls of one product that may wait, and bytes of all products. */
  readonly maxWaitingCalls: number;
  readonly maxWaitingBytes: number;
  /** Calls in a row that hit the time or memory limit, after which a script rests. */
  readonly suspendAfter: number;
  readonly suspendMs: number;
  /** A thread that has not come back so long after the time limit of a call is replaced. */
  readonly hangGraceMs: number;
  /** A thread that has not come up by then is given up; the next one is tried after the pause. */
  readonly threadStartMs: number;
  readonly threadRestartMs: number;
};

export const CODEC_DEFAULTS: CodecSettings = {
  maxScriptBytes: 1024 * 1024,
  maxMessages: 256,
  maxFields: 256,
  maxFieldBytes: 4_096,
  maxEncodedBytes: 64 * 1024,
  maxDecodedChars: 256 * 1024,
  scriptThreads: 2,
  scriptTimeMs: 1_000,
  scriptMemoryBytes: 8 * 1024 * 1024,
  scriptStackBytes: 256 * 1024,
  scriptsPerThread: 32,
  maxBatchCalls: 64,
  batchTimeMs: 50,
  maxWaitingCalls: 4_096,
  maxWaitingBytes: 32 * 1024 * 1024,
  suspendAfter: 3,
  suspendMs: 60_000,
  hangGraceMs: 2_000,
  threadStartMs: 30_000,
  threadRestartMs: 1_000,
};
