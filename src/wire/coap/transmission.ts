/** Transmission parameters and what follows from them (RFC 7252 §4.8). Milliseconds. */
export type TransmissionParameters = {
  readonly ackTimeoutMs: number;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  /** Exchanges that may be open towards one endpoint at a time. */
  readonly nstart: number;
  readonly defaultLeisureMs: number;
  /** Bytes a second towards an endpoint that does not answer. */
  readonly probingRate: number;
  readonly maxLatencyMs: number;
  readonly processingDelayMs: number;
};
export const DEFAULT_TRANSMISSION: TransmissionParameters = {
  ackTimeoutMs: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  nstart: 1,
  defaultLeisureMs: 5_000,
  probingRate: 1,
  maxLatencyMs: 100_000,
  processingDelayMs: 2_000,
};

/** RFC 7252 §4.8.2, table 3. */
export function transmissionTimes(parameters: TransmissionParameters) {
  const { ackTimeoutMs, ackRandomFactor, maxRetransmit, maxLatencyMs, processingDelayMs } = parameters;
  const maxTransmitSpanMs = ackTimeoutMs * (2 ** maxRetransmit - 1) * ackRandomFactor;
  return {
    /** From the first to the last transmission of one CON. */
    maxTransmitSpanMs,
    /** From the first transmission to giving up. */
    maxTransmitWaitMs: ackTimeoutMs * (2 ** (maxRetransmit + 1) - 1) * ackRandomFactor,
    maxRttMs: 2 * maxLatencyMs + processingDelayMs,
    /** How long the message id of a CON may not be used again, and is to be remembered. */
    exchangeLifetimeMs: maxTransmitSpanMs + 2 * maxLatencyMs + processingDelayMs,
    /** The same for a NON. */
    nonLifetimeMs: maxTransmitSpanMs + maxLatencyMs,
  };
}
