import { SILENCE_DEFAULTS } from "./status";

export type DeviceSettings = {
  /** ONLINE to OFFLINE after a long connection is gone. */
  readonly onlineGraceMs: number;
  /** Validity of a registration that names none; 0: for ever. */
  readonly registrationTimeoutS: number;
  /** The same for refreshed credentials. */
  readonly refreshTimeoutS: number;
  /** How often registrations are looked at whose validity is over. */
  readonly expirySweepMs: number;
  /** When a device without a long connection counts as ABNORMAL and OFFLINE; the longer one comes last. */
  readonly abnormalAfterMs: number;
  readonly offlineAfterMs: number;
  /** How often such devices are looked at: a status is so exact. */
  readonly silenceSweepMs: number;
  /** Devices looked at, and changed in one transaction, at a time. */
  readonly silenceBatch: number;
  /** Per application; 0: no limit. */
  readonly maxDevices: number;
  readonly maxFrozenDevices: number;
  readonly maxNonSecureDevices: number;
  /** Behind one gateway, whoever adds them; 0: no limit. */
  readonly maxSubDevices: number;
  /** Of one device. */
  readonly maxTags: number;
};
export const DEVICE_DEFAULTS: DeviceSettings = {
  onlineGraceMs: 60_000,
  registrationTimeoutS: 0,
  refreshTimeoutS: 180,
  expirySweepMs: 1_000,
  ...SILENCE_DEFAULTS,
  silenceSweepMs: 60_000,
  silenceBatch: 500,
  maxDevices: 0,
  maxFrozenDevices: 0,
  maxNonSecureDevices: 0,
  maxSubDevices: 50_000,
  maxTags: 100,
};
