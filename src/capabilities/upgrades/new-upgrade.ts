import { DomainError } from "../../platform/domain-error";
import type { Device } from "../devices/device";
import type { GroupService } from "../groups/group";
import type { PackageService, UpgradePackage } from "../packages/package";
import { isForDevice, isOfProduct } from "./capability";
import type { UpgradeSettings } from "./settings";
import { findOverlap, OverBudget } from "./source-patterns";
import {
  EXECUTE_TYPES,
  type NewUpgrade,
  type PolicyProblem,
  type TargetProblem,
  type UpgradePolicy,
  type UpgradeTargets,
} from "./upgrade";

/** What the checks need; a new task and a dry run have the same. */
export type UpgradeCheckParts = {
  readonly devices: { findById(deviceId: string): Device | undefined; findByNo(no: number): Device | undefined };
  readonly groups: Pick<GroupService, "list" | "membersAfter">;
  readonly packages: Pick<PackageService, "find">;
  readonly settings: UpgradeSettings;
};
/** Where its devices are found. */
export type FoundTargets =
  | { readonly devices: readonly Device[] }
  | { readonly groupNos: readonly number[]; readonly members: number };
export type CheckedUpgrade = {
  readonly packages: readonly UpgradePackage[];
  readonly product: Readonly<Record<"deviceType" | "manufacturerName" | "model", string>>;
  readonly targets: FoundTargets;
};

const targetInvalid = (problem: TargetProblem, details: object = {}) =>
  new DomainError("UPGRADE_TARGET_INVALID", { problem, ...details });
const policyInvalid = (problem: PolicyProblem) => new DomainError("UPGRADE_POLICY_INVALID", { problem });
const packagesInvalid = (reason: string) => new DomainError("UPGRADE_PACKAGES_INVALID", { reason });
const inputInvalid = (field: string, reason: string) =>
  new DomainError("INPUT_INVALID", { issues: [{ field, reason }] });

const MAX_NAME = 256;
const MAX_INTERVAL_S = 86_400;
const MAX_SPREAD_S = 7 * 86_400;
const MAX_CONCURRENT = 1_000_000;

/**
 * Everything that can be said before a device is asked: first what is wrong with the order itself, then what it names and
 * is not there. Throws what `UpgradeService.create` throws.
 */
export function checkUpgrade(appNo: number, input: NewUpgrade, now: number, parts: UpgradeCheckParts): CheckedUpgrade {
  if ((input.name?.length ?? 0) > MAX_NAME) throw inputInvalid("name", `has more than ${MAX_NAME} characters`);
  checkTargets(input.targets, parts.settings);
  checkPolicy(input.policy, now, parts.settings);
  const packages = checkPackages(appNo, input, parts);
  const product = packages[0] as UpgradePackage; // there is at least one
  const { deviceType, manufacturerName, model } = product;
  return {
    packages,
    product: { deviceType, manufacturerName, model },
    targets: findTargets(appNo, input, product, parts),
  };
}

function checkPackages(appNo: number, { kind, packages: ids }: NewUpgrade, { packages, settings }: UpgradeCheckParts) {
  const unique = [...new Set(ids)];
  if (unique.length === 0) throw packagesInvalid("there is none");
  if (unique.length > settings.maxPackages) throw packagesInvalid(`there are more than ${settings.maxPackages}`);
  const found = unique.map((fileId) => {
    const it = packages.find(fileId);
    if (it?.appNo !== appNo) throw new DomainError("PACKAGE_NOT_FOUND", { fileId: fileId.slice(0, 256) });
    if (it.kind !== kind) throw packagesInvalid(`${it.fileId} is no ${kind} package`);
    return it;
  });
  const [first, ...others] = found;
  for (const other of others)
    if (!first || !isOfProduct(first, other) || first.protocolType !== other.protocolType)
      throw packagesInvalid("they are for different products");
  checkOverlap(found, settings);
  return found;
}

function checkOverlap(found: readonly UpgradePackage[], { maxPatternWork }: UpgradeSettings): void {
  if (found.length < 2) return;
  try {
    const overlap = findOverlap(
      found.map(({ sourceVersions }) => sourceVersions),
      { left: maxPatternWork },
    );
    if (overlap)
      throw packagesInvalid(`source versions overlap: ${overlap.map((index) => found[index]?.fileId).join(", ")}`);
  } catch (error) {
    if (error instanceof OverBudget) throw packagesInvalid("they have too many patterns of source versions");
    throw error;
  }
}

const isWhole = (value: number, min: number, max: number) => Number.isInteger(value) && value >= min && value <= max;

function checkPolicy(policy: UpgradePolicy, now: number, { maxRetries, minWindowMs }: UpgradeSettings): void {
  const { executeType, startAt, endAt, retryTimes, retryIntervalS, maxConcurrent, spreadS, priority } = policy;
  if (!EXECUTE_TYPES.includes(executeType)) throw policyInvalid("executeTypeInvalid");
  if (executeType === "custom") {
    if (!isWhole(startAt ?? -1, 0, Number.MAX_SAFE_INTEGER) || !isWhole(endAt ?? -1, 0, Number.MAX_SAFE_INTEGER))
      throw policyInvalid("windowInvalid");
    const [start, end] = [startAt as number, endAt as number];
    if (start > end) throw policyInvalid("startAfterEnd");
    // An order is written in whole seconds: the one that is running is not past.
    if (start < now - (now % 1_000)) throw policyInvalid("startInThePast");
    if (end - start <= minWindowMs) throw policyInvalid("windowTooShort");
  }
  if (!isWhole(retryTimes, 0, maxRetries)) throw policyInvalid("retryTimesInvalid");
  if (retryTimes > 0 && !isWhole(retryIntervalS, 1, MAX_INTERVAL_S))
    throw inputInvalid("policy.retryIntervalS", `is not 1 to ${MAX_INTERVAL_S} seconds`);
  if (maxConcurrent !== undefined && !isWhole(maxConcurrent, 1, MAX_CONCURRENT))
    throw inputInvalid("policy.maxConcurrent", `is not 1 to ${MAX_CONCURRENT}`);
  if (spreadS !== undefined && !isWhole(spreadS, 0, MAX_SPREAD_S))
    throw inputInvalid("policy.spreadS", `is not 0 to ${MAX_SPREAD_S} seconds`);
  if (!isWhole(priority, 0, 9)) throw inputInvalid("policy.priority", "is not 0 to 9");
  checkPause(policy.pauseOnFailure);
}

function checkPause(pause: UpgradePolicy["pauseOnFailure"]): void {
  if (!pause) return;
  if (!(pause.percent > 0 && pause.percent <= 100))
    throw inputInvalid("policy.pauseOnFailure.percent", "is not above 0 to 100");
  if (!isWhole(pause.minEnded, 1, MAX_CONCURRENT))
    throw inputInvalid("policy.pauseOnFailure.minEnded", `is not 1 to ${MAX_CONCURRENT}`);
}

/** By themselves: nothing is looked up. */
function checkTargets(
  { devices = [], deviceGroups = [], ...product }: UpgradeTargets,
  settings: UpgradeSettings,
): void {
  if (devices.length === 0 && deviceGroups.length === 0) throw targetInvalid("targetsMissing");
  if (devices.length > 0 && deviceGroups.length > 0) throw targetInvalid("targetsAmbiguous");
  if (Math.max(devices.length, deviceGroups.length) > settings.maxTargets)
    throw targetInvalid("tooManyTargets", { limit: settings.maxTargets });
  if (devices.length > 0) return;
  if (!product.manufacturerName) throw targetInvalid("manufacturerMissing");
  if (!product.deviceType) throw targetInvalid("deviceTypeMissing");
  if (!product.model) throw targetInvalid("modelMissing");
}

function findTargets(
  appNo: number,
  { targets }: NewUpgrade,
  it: UpgradePackage,
  { devices, groups }: UpgradeCheckParts,
): FoundTargets {
  const ids = targets.devices ?? [];
  if (ids.length > 0) {
    const found = [...new Set(ids)].map((deviceId) => {
      const device = devices.findById(deviceId);
      if (device?.appNo !== appNo) throw new DomainError("DEVICE_NOT_FOUND", { deviceId: deviceId.slice(0, 256) });
      return device;
    });
    return { devices: found };
  }
  if (!isOfProduct(targets, it)) throw targetInvalid("productMismatch");
  const found = [...new Set(targets.deviceGroups)].map((name) => {
    const group = groups.list(appNo, { name }, 0, 1).items[0];
    if (!group) throw new DomainError("GROUP_NOT_FOUND", { group: name.slice(0, 256) });
    return group;
  });
  return { groupNos: found.map(({ no }) => no), members: found.reduce((sum, group) => sum + group.devices, 0) };
}

/** Devices that are named are all of the packages' product. */
export function assertProduct({ targets, packages }: CheckedUpgrade): void {
  if (!("devices" in targets)) return;
  const [first] = packages;
  const other = targets.devices.find((device) => !first || !isForDevice(first, device));
  if (other) throw targetInvalid("productMismatch", { deviceId: other.id });
}

/**
 * Devices of the groups that are of the packages' product, in pieces of at most `size` members; a piece may be empty.
 * A member that moves meanwhile may come twice, or not at all.
 */
export function* memberPieces(
  { targets, product }: CheckedUpgrade,
  appNo: number,
  size: number,
  { devices, groups }: Pick<UpgradeCheckParts, "devices" | "groups">,
): Generator<{ readonly found: Device[]; readonly looked: number }> {
  if (!("groupNos" in targets)) return;
  for (const groupNo of targets.groupNos)
    for (let after = 0; ; ) {
      const members = groups.membersAfter(groupNo, after, size);
      const last = members.at(-1);
      if (!last) break;
      after = last.deviceNo;
      const found = members.flatMap(({ deviceNo }) => {
        const device = devices.findByNo(deviceNo);
        return device && device.appNo === appNo && isOfProduct(device.info, product) ? [device] : [];
      });
      yield { found, looked: members.length };
    }
}
