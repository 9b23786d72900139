import type { LiveDevice } from "../../devices/device";

/** Steps 1 and 2 of the recognition (pcp.md 7): the product says that its software is upgraded by PCP. */
export function speaksPcp({ product }: Pick<LiveDevice, "product">): boolean {
  const declared = product?.product.omCapability?.upgradeCapability;
  if (typeof declared !== "object" || declared === null) return false;
  const { supportUpgrade, upgradeProtocolType } = declared as Readonly<Record<string, unknown>>;
  return supportUpgrade === true && upgradeProtocolType === "PCP";
}
