import { DomainError } from "../../platform/domain-error";
import type { BatchGroups } from "./find-targets";
import type { BatchSettings, NewConfigurationTask, Retry, Targets, TaskTag } from "./task";

const MINUTE_MS = 60_000;
const MAX_NAME = 256;

export const inputInvalid = (field: string, reason: string) =>
  new DomainError("INPUT_INVALID", { issues: [{ field, reason }] });

export function checkName(name: string, max = MAX_NAME): string {
  if (name === "" || name.length > max) throw inputInvalid("taskName", `is not 1 to ${max} characters long`);
  return name;
}

/** Seconds. */
export function checkTimeout(minutes: number, settings: BatchSettings): number {
  const { minTimeoutMinutes: min, maxTimeoutMinutes: max } = settings;
  if (!Number.isInteger(minutes) || minutes < min || minutes > max)
    throw inputInvalid("timeout", `is not ${min} to ${max} minutes`);
  return minutes * 60;
}

/** The same pair twice is one that is used already: 105201 of 1.10.1. */
export function checkTaskTags(tags: readonly TaskTag[]): readonly TaskTag[] {
  const seen = new Set<string>();
  for (const { tagName, tagValue } of tags) {
    const key = JSON.stringify([tagName, tagValue]);
    if (seen.has(key)) throw new DomainError("TAG_USED", { tagName, tagValue });
    seen.add(key);
  }
  return tags;
}

/** Ids without repetitions; the numbers of the groups that are named. Throws INPUT_INVALID, BATCH_TARGET_NOT_FOUND. */
export function resolveTargets(
  appNo: number,
  targets: Targets,
  groups: BatchGroups,
): { targets: Targets; groupNos: number[] } {
  switch (targets.type) {
    case "DeviceList": {
      if (targets.deviceIds.length === 0) throw inputInvalid("deviceList", "is empty");
      return { targets: { ...targets, deviceIds: [...new Set(targets.deviceIds)] }, groupNos: [] };
    }
    case "GroupList":
    case "GroupIdList": {
      if (targets.groups.length === 0) throw inputInvalid("groupList", "is empty");
      const groupNos = targets.groups.map((group) => {
        const found =
          targets.type === "GroupIdList"
            ? groups.find(appNo, group)
            : groups.list(appNo, { name: group }, 0, 1).items[0];
        if (!found) throw new DomainError("BATCH_TARGET_NOT_FOUND", { group: group.slice(0, 256) });
        return found.no;
      });
      return { targets, groupNos: [...new Set(groupNos)] };
    }
    case "DeviceType":
    case "DeviceArea":
    case "Broadcast":
      return { targets, groupNos: [] };
    default:
      return targets satisfies never;
  }
}

/** Start and end, ms. */
export function checkPeriod(
  { startAt, endAt }: Pick<NewConfigurationTask, "startAt" | "endAt">,
  now: number,
  settings: BatchSettings,
) {
  const start = startAt ?? now;
  const end = endAt ?? start + settings.maxTimeoutMinutes * MINUTE_MS;
  if (startAt !== undefined && startAt < now) throw inputInvalid("startTime", "is over");
  if (end - start < settings.minTimeoutMinutes * MINUTE_MS)
    throw inputInvalid("endTime", `is not at least ${settings.minTimeoutMinutes} minutes after the start`);
  if (end - start > settings.maxTimeoutMinutes * MINUTE_MS)
    throw inputInvalid("endTime", `is more than ${settings.maxTimeoutMinutes} minutes after the start`);
  return { startAt: start, deadline: end };
}

export function checkValues(values: Readonly<Record<string, unknown>>, { maxConfigurationChars: max }: BatchSettings) {
  if (Object.keys(values).length === 0) throw inputInvalid("file", "names no property");
  if (JSON.stringify(values).length > max) throw inputInvalid("file", `has more than ${max} characters of JSON`);
  return values;
}

export function checkRetry(retry: Retry | undefined, { maxRetries }: BatchSettings): Retry | undefined {
  if (!retry) return undefined;
  if (!Number.isInteger(retry.times) || retry.times < 1 || retry.times > maxRetries)
    throw inputInvalid("retry.times", `is not 1 to ${maxRetries}`);
  if (!Number.isInteger(retry.intervalS) || retry.intervalS < 1 || retry.intervalS > MAX_INTERVAL_S)
    throw inputInvalid("retry.interval", `is not 1 to ${MAX_INTERVAL_S} seconds`);
  return retry;
}
const MAX_INTERVAL_S = 86_400;
