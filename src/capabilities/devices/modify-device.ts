import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Sealer } from "../../platform/secrets";
import type { ApplicationService } from "../applications/application";
import type { Product, ProductService } from "../products/product";
import { checkPsk, pskContext } from "./credentials";
import type { Device, DeviceInfo } from "./device";
import type { DeviceCore } from "./device-core";
import type { Editable } from "./device-repository";
import { modelInfo, optionalKey, type ReadRow } from "./device-row";
import type { DevicePatch } from "./device-service";
import { checkTags } from "./tags";

type Parts = {
  core: DeviceCore;
  applications: Pick<ApplicationService, "byNo">;
  products: Pick<ProductService, "compiled" | "resolve">;
  sealer: Sealer;
  clock: Pick<Clock, "now">;
  disconnect: (deviceNo: number, reason: string) => void;
};

/** `DeviceService.modify` (1.5.4). */
export function deviceModification({ core, applications, products, sealer, clock, disconnect }: Parts) {
  const { repository, transactor } = core;

  return async (deviceNo: number, patch: DevicePatch): Promise<Device> => {
    if (patch.psk !== undefined) checkPsk(patch.psk);
    checkTags(patch.tags, core.settings.maxTags);
    return transactor.write(() => {
      const row = core.row(deviceNo);
      const next = edited(row, patch);
      const isEdited = COMPARED.some((column) => next[column] !== row[column]);
      const hasNewPsk = patch.psk !== undefined && patch.psk !== openPsk(deviceNo);
      if (!isEdited && !hasNewPsk) return core.toDevice(row);
      if (next.muted > row.muted) core.assertRoom(row.app_no, "frozen");
      if (next.is_secure < row.is_secure) core.assertRoom(row.app_no, "non_secure");
      repository.edit({ no: deviceNo, ...next });
      if (hasNewPsk && patch.psk !== undefined)
        repository.setPsk(deviceNo, sealer.seal(patch.psk, pskContext(deviceNo)));
      // Only where the session stands on the PSK, or on doing without; an MQTT connection does not.
      const isOtherSession = hasNewPsk || next.is_secure !== row.is_secure;
      if (isOtherSession && [row.product_no, next.product_no].some((no) => productOf(no)?.protocolType !== "MQTT"))
        transactor.afterCommit(() => disconnect(deviceNo, "new_credentials"));
      return core.changed(deviceNo);
    });
  };

  function openPsk(deviceNo: number): string | undefined {
    const sealed = repository.psk(deviceNo);
    return sealed && sealer.open(sealed, pskContext(deviceNo));
  }

  function edited(row: ReadRow, patch: DevicePatch): Editable {
    const own = mergedInfo(JSON.parse(row.info), patch.info);
    const product = nextProduct(row, patch, own);
    // What the product says is not kept twice: it would stay behind when the product changes.
    const info = product === undefined ? own : withoutModel(own, product);
    return {
      product_no: product?.no ?? null,
      node_type: patch.nodeType ?? row.node_type,
      device_type: info.deviceType ?? product?.deviceType ?? null,
      name_key: optionalKey(info.name),
      location_key: optionalKey(info.location),
      info: JSON.stringify(info),
      muted: toFlag(patch.muted) ?? row.muted,
      is_secure: toFlag(patch.isSecure) ?? row.is_secure,
      tags: patch.tags ? jsonOrNull(patch.tags, patch.tags.length) : row.tags,
      custom_fields: patch.customFields ? jsonOrNull(patch.customFields, patch.customFields.length) : row.custom_fields,
      muted_commands: patch.mutedCommands
        ? jsonOrNull(patch.mutedCommands, Object.keys(patch.mutedCommands).length)
        : row.muted_commands,
      data_aging_days: patch.dataAgingDays === undefined ? row.data_aging_days : patch.dataAgingDays,
      modified_at_ms: clock.now(),
    };
  }

  /**
   * The product named by the patch. Without one, changed model fields that together name a product of the application
   * lead to it, as they would have at registration; fields that name none are taken as mere descriptions.
   */
  function nextProduct(row: ReadRow, { productId, info }: DevicePatch, own: DeviceInfo): Product | undefined {
    const appId = applications.byNo(row.app_no)?.id;
    const current = productOf(row.product_no);
    if (productId !== undefined) {
      const found = appId && products.resolve(appId, { productId });
      if (!found) throw new DomainError("PRODUCT_NOT_FOUND", { productId });
      return found;
    }
    if (!appId || !info || !MODEL_FIELDS.some((field) => info[field])) return current;
    const { manufacturerId, manufacturerName, deviceType, model, protocolType } = {
      ...(current && modelInfo(current)),
      ...own,
    };
    if (!manufacturerId || !manufacturerName || !deviceType || !model || !protocolType) return current;
    return products.resolve(appId, { manufacturerId, manufacturerName, deviceType, model, protocolType }) ?? current;
  }

  function productOf(productNo: number | null): Product | undefined {
    return productNo === null ? undefined : products.compiled(productNo)?.product;
  }
}

const MODEL_FIELDS = ["manufacturerId", "manufacturerName", "deviceType", "model", "protocolType"] as const;
const COMPARED = [
  "product_no",
  "node_type",
  "info",
  "muted",
  "is_secure",
  "tags",
  "custom_fields",
  "muted_commands",
  "data_aging_days",
] as const satisfies (keyof Editable)[];

const toFlag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));
const jsonOrNull = (value: unknown, size: number) => (size === 0 ? null : JSON.stringify(value));

function mergedInfo(own: DeviceInfo, patch: DevicePatch["info"] = {}): DeviceInfo {
  const merged: Record<string, unknown> = { ...own };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = value;
  }
  return merged as DeviceInfo;
}

function withoutModel(info: DeviceInfo, product: Product): DeviceInfo {
  const model = modelInfo(product);
  return Object.fromEntries(
    Object.entries(info).filter(([key, value]) => model[key as keyof typeof model] !== value),
  ) as DeviceInfo;
}
