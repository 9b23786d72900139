/** Limits and times of the LwM2M server. Times in milliseconds unless the name says seconds. */
export type LwM2mSettings = {
  /** How long a device listens after it was heard: MAX_TRANSMIT_WAIT (OMA LwM2M TS 1.0.2 §8.3). */
  readonly awakeMs: number;
  /** Lifetime of a registration that names none. */
  readonly defaultLifetimeS: number;
  /** A registration whose lifetime is over is remembered so long: what its device still sends is not lost. */
  readonly expiredKeepMs: number;
  /** How often registrations are looked for that are over. */
  readonly expirySweepMs: number;
  /** Registrations held in memory; all others are rows. */
  readonly maxActive: number;
  /** Addresses of the plain port that are remembered. */
  readonly maxPlainPeers: number;
  /** Observations of one device beside that of its reports. */
  readonly maxObservations: number;
  /** Largest message to a device; more cannot be repeated byte by byte after a restart. */
  readonly maxDownlinkBytes: number;
  /** Links of one registration. */
  readonly maxLinks: number;
  /** Operations and answers of one device that may wait for their turn. */
  readonly maxWaitingPerDevice: number;
  /** Frames of PCP: first wait for the ACK, retransmissions, and when it is given up (nb-iot.md 4.1). */
  readonly pcpAckTimeoutMs: number;
  readonly pcpMaxRetransmit: number;
  readonly pcpGiveUpMs: number;
  /** `stop()` waits this long for commits under way. */
  readonly stopGraceMs: number;
};

export const LWM2M_DEFAULTS: LwM2mSettings = {
  awakeMs: 93_000,
  defaultLifetimeS: 86_400,
  expiredKeepMs: 7 * 24 * 3_600_000,
  expirySweepMs: 10_000,
  maxActive: 20_000,
  maxPlainPeers: 100_000,
  maxObservations: 32,
  maxDownlinkBytes: 1_024,
  maxLinks: 256,
  maxWaitingPerDevice: 32,
  pcpAckTimeoutMs: 10_000,
  pcpMaxRetransmit: 3,
  pcpGiveUpMs: 120_000,
  stopGraceMs: 5_000,
};
