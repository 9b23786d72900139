/** Anti-replay window of one epoch (RFC 6347 §4.1.2.6). */
const WIDTH = 64;

/** Pure: `bits` are the records seen, bit 0 stands for `top`, bit 1 for the one before it, and so on. */
export type ReplayWindow = {
  /** Highest sequence number accepted; -1 before the first. */
  readonly top: number;
  /** 32 bits each, as numbers: a sealed session stores them, and a BigInt per record would be garbage. */
  readonly low: number;
  readonly high: number;
};

export const EMPTY_WINDOW: ReplayWindow = { top: -1, low: 0, high: 0 };

/** Ask before a record is opened; a stale one is as good as seen. */
export function isReplay({ top, low, high }: ReplayWindow, sequence: number): boolean {
  const age = top - sequence;
  if (age < 0) return false;
  if (age >= WIDTH) return true;
  return age < 32 ? (low & (1 << age)) !== 0 : (high & (1 << (age - 32))) !== 0;
}

/** Call after the record proved authentic, never before: a forged number must not move the window. */
export function accepted(window: ReplayWindow, sequence: number): ReplayWindow {
  const { top, low, high } = window;
  const age = top - sequence;
  if (age >= WIDTH) return window;
  if (age >= 32) return { top, low, high: (high | (1 << (age - 32))) >>> 0 };
  if (age >= 0) return { top, low: (low | (1 << age)) >>> 0, high };
  const step = -age;
  if (step >= WIDTH) return { top: sequence, low: 1, high: 0 };
  if (step > 32) return { top: sequence, low: 1, high: (low << (step - 32)) >>> 0 };
  if (step === 32) return { top: sequence, low: 1, high: low };
  return { top: sequence, low: ((low << step) | 1) >>> 0, high: ((high << step) | (low >>> (32 - step))) >>> 0 };
}
