export type ResourceSettings = {
  /** Operations of one device that wait or are under way; a further one is refused with CONGESTED. */
  readonly maxOperationsPerDevice: number;
  /** The same of all devices. */
  readonly maxOperations: number;
  /** Longest time for which an operation may wait for a sleeping device. */
  readonly maxWaitS: number;
  /** After it the caller gets DEVICE_NO_ANSWER, whatever the exchange does; below the limit of an HTTP request. */
  readonly operationTimeoutMs: number;
  /** Resources whose last value is kept, per device: those that were seen last. */
  readonly maxValuesPerDevice: number;
  /** A longer value (as JSON) is not kept, only that it was there. */
  readonly maxValueChars: number;
  /** How long new values wait for their commit. */
  readonly valueFlushMs: number;
  /** Values waiting for a slow disk; more are only counted. */
  readonly maxUnstoredValues: number;
  readonly maxObservationsPerDevice: number;
  readonly maxObservations: number;
};

export const RESOURCE_DEFAULTS: ResourceSettings = {
  maxOperationsPerDevice: 10,
  maxOperations: 1_000,
  maxWaitS: 60,
  operationTimeoutMs: 110_000,
  maxValuesPerDevice: 200,
  maxValueChars: 2_048,
  valueFlushMs: 1_000,
  maxUnstoredValues: 10_000,
  maxObservationsPerDevice: 20,
  maxObservations: 50_000,
};
