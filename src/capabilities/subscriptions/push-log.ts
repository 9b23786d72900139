import type { Channel } from "./subscription";

/**
 * The truth about pushes, for operators: addresses and their state, every recent attempt, what was given up, replay.
 * Kept within bounds of age and number (`PushSettings`): at high rates only the newest attempts are there.
 */
export const PUSH_REASONS = [
  "delivered",
  "timeout", // no answer within the limit
  "refused",
  "unreachable",
  "name_not_found",
  "reset",
  "tls_untrusted",
  "tls_name",
  "tls_failed",
  "bad_response", // not HTTP, or headers without end
  "status_501",
  "status_502",
  "status_503",
  "status_504",
  "status_other",
  "redirected",
  "unacknowledged", // MQTT: the connection ended before the PUBACK
] as const;
/** How one attempt ended. */
export type PushReason = (typeof PUSH_REASONS)[number];

/** Why a message will not be tried again. */
export const GIVE_UP_REASONS = ["rejected", "expired", "address_invalid", "backlog_full"] as const;
export type GiveUpReason = (typeof GIVE_UP_REASONS)[number];

/** HTTP: is it worth sending to? MQTTS: is the application there, and subscribed to this topic? */
export const PUSH_TARGET_STATES = ["valid", "invalid", "connected", "not_subscribed", "away"] as const;
export type PushTargetState = (typeof PUSH_TARGET_STATES)[number];

export type PushTargetView = {
  readonly targetNo: number;
  readonly appNo: number;
  /** With MQTTS a topic. */
  readonly callbackUrl: string;
  readonly channel: Channel;
  readonly state: PushTargetState;
  readonly failedRetries: number; // in a row
  readonly invalidSinceMs: number | undefined;
  /** Committed and neither delivered nor given up. */
  readonly waiting: number;
  readonly inFlight: number;
  readonly deadLetters: number;
  /** Since the process started. */
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly givenUp: number;
};

export type PushAttempt = {
  readonly notificationId: number;
  readonly targetNo: number;
  readonly atMs: number; // wall clock, when the attempt ended
  readonly notifyType: string;
  readonly orderKey: number; // device number; 0 and below: not about a device
  readonly attempt: number; // 1 is the first
  readonly reason: PushReason;
  readonly status: number | undefined; // of the HTTP answer, when there was one
  readonly latencyMs: number;
};

export type DeadLetter = {
  readonly id: number;
  readonly targetNo: number;
  readonly notifyType: string;
  readonly orderKey: number;
  readonly body: string;
  readonly createdAtMs: number;
  readonly givenUpAtMs: number;
  readonly attempts: number;
  readonly reason: GiveUpReason;
};

export type AttemptFilter = {
  readonly targetNo: number;
  readonly outcome?: "delivered" | "failed";
  readonly notifyType?: string;
  readonly orderKey?: number;
  readonly notificationId?: number;
};

type Page<T> = { readonly items: T[]; readonly total: number };

export interface PushLog {
  /** Of one application, or of all. */
  targets(appNo?: number): PushTargetView[];
  /** Throws NOT_FOUND. */
  target(targetNo: number): PushTargetView;
  /** Newest first; `page` from 0. */
  attempts(filter: AttemptFilter, page: number, pageSize: number): Page<PushAttempt>;
  deadLetters(targetNo: number, page: number, pageSize: number): Page<DeadLetter>;
  /**
   * Queues given-up messages again, oldest first, each as a new message; resolves with how many when they are on disk.
   * Unknown ids are passed over. Throws NOT_FOUND; CONFLICT while the address is invalid.
   */
  replay(targetNo: number, which: "all" | readonly number[]): Promise<number>;
}
