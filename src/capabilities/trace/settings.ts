export type TraceSettings = {
  readonly traceKeepMs: number;
  /** About how many entries of a device (or of an unknown id) are kept, and of all together. */
  readonly maxTracesPerDevice: number;
  readonly maxTraces: number;
  /** What comes faster is counted, but not kept: per device or unknown id, of all devices, of all unknown ids. */
  readonly maxPerSecondEach: number;
  readonly maxPerSecondKnown: number;
  readonly maxPerSecondUnknown: number;
  readonly traceFlushMs: number;
  /** Entries waiting for a slow disk. */
  readonly maxWaitingTraces: number;
};

export const TRACE_DEFAULTS: TraceSettings = {
  traceKeepMs: 3 * 86_400_000,
  maxTracesPerDevice: 1_000,
  maxTraces: 1_000_000,
  maxPerSecondEach: 10,
  maxPerSecondKnown: 500,
  maxPerSecondUnknown: 50,
  traceFlushMs: 250,
  maxWaitingTraces: 5_000,
};
