import type { OmCapability } from "./product";
import { isAbsent, isObject, type JsonAt, member, refuse } from "./read-json";

const UPGRADES = { upgradeCapability: "PCP", fwUpgradeCapability: "LWM2M" } as const;
const SWITCHES = ["upgradeCapability", "fwUpgradeCapability", "configCapability"];

/** Null, or an object of the three switches; unknown keys are refused, so that a misspelt switch is not silently off. */
export function parseOmCapability(at: JsonAt): OmCapability | undefined {
  if (isAbsent(at)) return undefined;
  const value = knownKeys(at, SWITCHES);
  for (const [name, protocol] of Object.entries(UPGRADES)) checkUpgrade(member(at, name), protocol);
  checkConfiguration(member(at, "configCapability"));
  return value;
}

function checkUpgrade(at: JsonAt, protocol: string): void {
  if (isAbsent(at)) return;
  knownKeys(at, ["supportUpgrade", "upgradeProtocolType"]);
  const supported = requiredFlag(member(at, "supportUpgrade"));
  const named = member(at, "upgradeProtocolType");
  if (isAbsent(named) && !supported) return;
  if (named.value !== protocol) refuse(named, `must be ${protocol}`);
}

function checkConfiguration(at: JsonAt): void {
  if (isAbsent(at)) return;
  knownKeys(at, ["supportConfig", "configMethod", "defaultConfigFile"]);
  const supported = requiredFlag(member(at, "supportConfig"));
  const method = member(at, "configMethod");
  if (method.value !== "file" && (supported || !isAbsent(method))) refuse(method, "must be file");
  const file = member(at, "defaultConfigFile");
  if (!isAbsent(file) && !isObject(file.value)) refuse(file, "is not an object");
}

function knownKeys(at: JsonAt, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(at.value)) return refuse(at, "is not an object");
  for (const key of Object.keys(at.value)) if (!known.includes(key)) refuse(member(at, key), "is not known here");
  return at.value;
}

function requiredFlag(at: JsonAt): boolean {
  return typeof at.value === "boolean" ? at.value : refuse(at, "is not a boolean");
}
