import type { Device } from "../devices/device";
import type { UpgradePackage } from "../packages/package";
import type { Product } from "../products/product";
import type { VersionPlan } from "./course";
import { supportsVersion } from "./source-patterns";
import type { UpgradeKind } from "./upgrade";
import type { UpgradeWay } from "./upgrade-link";

const SWITCHES = { firmware: "fwUpgradeCapability", software: "upgradeCapability" } as const;
const PROTOCOLS = { firmware: "LWM2M", software: "PCP" } as const;

/** By the maintenance capability of the product (ota.md 1, 2). Undefined: it cannot be upgraded. */
export function wayOf(product: Product | undefined, kind: UpgradeKind): UpgradeWay | undefined {
  // Its form was checked when it was set.
  const capability = product?.omCapability?.[SWITCHES[kind]] as
    | { supportUpgrade?: boolean; upgradeProtocolType?: string }
    | null
    | undefined;
  if (!product || capability?.supportUpgrade !== true) return undefined;
  switch (product.protocolType) {
    case "MQTT":
      return "mqtt"; // its protocol is not looked at
    case "CoAP":
    case "LWM2M":
      if (capability.upgradeProtocolType !== PROTOCOLS[kind]) return undefined;
      return kind === "firmware" ? "object5" : "pcp";
    case "LoRaWAN":
      return undefined;
    default:
      return product.protocolType satisfies never;
  }
}

type Names = { readonly [K in "deviceType" | "manufacturerName" | "model"]?: string | undefined };

export const isOfProduct = (it: Names, other: Names): boolean =>
  it.deviceType === other.deviceType && it.manufacturerName === other.manufacturerName && it.model === other.model;

/** The four names that have to be the product's (ota.md 3.1, 3.2). */
export const isForDevice = (it: Names & { readonly protocolType: string }, { info }: Device): boolean =>
  isOfProduct(it, info) && info.protocolType === it.protocolType;

/** Which of the packages a device of this version gets, and whether it needs it. */
export function planFor(
  version: string,
  packages: readonly UpgradePackage[],
): { readonly plan: VersionPlan; readonly package: UpgradePackage | undefined } {
  // One that has the newest already is rarely a source version too.
  const chosen = packages.find(({ sourceVersions }) => supportsVersion(sourceVersions, version));
  if (chosen) return { plan: chosen.version === version ? "same" : "upgrade", package: chosen };
  const same = packages.find((it) => it.version === version);
  return { plan: same ? "same" : "unsupported", package: same };
}

export const versionOf = ({ info }: Device, kind: UpgradeKind): string | undefined =>
  kind === "firmware" ? info.fwVersion : info.swVersion;
