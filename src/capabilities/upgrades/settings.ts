import type { CourseLimits } from "./course";
import { PLACE_DEFAULTS, type PlaceLimits } from "./radio";

export type UpgradeSettings = CourseLimits &
  PlaceLimits & {
    /** A new sub-task waits so long before it is begun. */
    readonly waitMs: number;
    /** How long a download token is good for, at most. */
    readonly tokenMs: number;
    /** Devices or groups of one task. */
    readonly maxTargets: number;
    readonly maxPackages: number;
    readonly maxRetries: number;
    /** A window has to be longer. */
    readonly minWindowMs: number;
    /** Comparisons of places in the patterns of source versions that a new task may cost. */
    readonly maxPatternWork: number;
    /** Sub-tasks of all tasks that have not ended. */
    readonly maxUnfinished: number;
    /** Members of groups that a dry run looks at. */
    readonly maxDryRunDevices: number;
    /** Sub-tasks of one step, and of one transaction, at most. */
    readonly stepItems: number;
    readonly stepMs: number;
    /** Share of the time that steps may take, 0 to 1. */
    readonly dutyCycle: number;
    readonly maxPauseMs: number;
    readonly faultPauseMs: number;
    readonly sweepIntervalMs: number;
    readonly keepMs: number;
  };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const UPGRADE_DEFAULTS: UpgradeSettings = {
  waitMs: 10_000,
  onlineMs: 25 * HOUR,
  versionMs: 3 * MINUTE,
  radioMs: 3 * MINUTE,
  cellMs: 3 * MINUTE,
  slotMs: 7 * DAY,
  announceMs: 3 * MINUTE,
  downloadMs: HOUR,
  executeMs: 3 * MINUTE,
  resultMs: 30 * MINUTE,
  mqttMs: DAY,
  verifyMs: 3 * MINUTE,
  ...PLACE_DEFAULTS,
  tokenMs: DAY,
  maxTargets: 256,
  maxPackages: 10,
  maxRetries: 5,
  minWindowMs: 5 * MINUTE,
  maxPatternWork: 2_000_000,
  maxUnfinished: 100_000,
  maxDryRunDevices: 5_000,
  stepItems: 200,
  stepMs: 10,
  dutyCycle: 0.5,
  maxPauseMs: 1_000,
  faultPauseMs: 5_000,
  sweepIntervalMs: 1_000,
  keepMs: 90 * DAY,
};
