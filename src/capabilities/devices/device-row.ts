import { createHash } from "node:crypto";
import type { ApplicationService } from "../applications/application";
import type { Product, ProductService } from "../products/product";
import type { Device, DeviceId, DeviceInfo, DeviceStatus, NodeType } from "./device";

/** What the file holds; only this capability's storage knows both this and `Device`. */
export type DeviceRow = {
  no: number;
  id: DeviceId;
  app_no: number;
  product_no: number | null;
  node_id: string;
  gateway_no: number;
  node_type: NodeType;
  device_type: string | null;
  name_key: Uint8Array | null;
  location_key: Uint8Array | null;
  info: string;
  status: DeviceStatus;
  status_detail: string;
  muted: number;
  is_secure: number;
  tags: string | null;
  custom_fields: string | null;
  muted_commands: string | null;
  data_aging_days: number | null;
  activated: number;
  bound: number;
  secret: Uint8Array;
  psk: Uint8Array;
  verify_key: Uint8Array | null;
  created_at_ms: number;
  modified_at_ms: number;
  expires_at_ms: number | null;
  /** The last contact that changed the status or bound the device. */
  contacted_at_ms: number | null;
};
/** As it is read: with the id of its gateway (its own when directly connected), without credentials. */
export type ReadRow = Omit<DeviceRow, "name_key" | "location_key" | "secret" | "psk" | "verify_key"> & {
  gateway_id: DeviceId;
};

/** 128 bits: nobody finds two texts with the same one. */
export const textKey = (text: string): Uint8Array => createHash("sha256").update(text).digest().subarray(0, 16);
export const optionalKey = (text: string | undefined) => (text === undefined ? null : textKey(text));

export type RowReader = (row: ReadRow) => Device;

type Lookups = {
  applications: Pick<ApplicationService, "byNo">;
  products: Pick<ProductService, "compiled">;
};

export function rowReader({ applications, products }: Lookups): RowReader {
  return (row) => {
    const product = row.product_no === null ? undefined : products.compiled(row.product_no)?.product;
    const application = applications.byNo(row.app_no);
    if (!application) throw new Error(`device ${row.no} belongs to application ${row.app_no}, which is not there`);
    return {
      no: row.no,
      id: row.id,
      appNo: row.app_no,
      appId: application.id,
      productNo: row.product_no ?? undefined,
      productId: product?.id,
      nodeId: row.node_id,
      nodeType: row.node_type,
      gatewayNo: row.gateway_no === row.no ? undefined : row.gateway_no,
      gatewayId: row.gateway_id,
      info: { ...(product && modelInfo(product)), ...JSON.parse(row.info) },
      status: row.status,
      statusDetail: row.status_detail,
      muted: row.muted === 1,
      isSecure: row.is_secure === 1,
      tags: row.tags === null ? [] : JSON.parse(row.tags),
      customFields: row.custom_fields === null ? [] : JSON.parse(row.custom_fields),
      dataAgingDays: row.data_aging_days ?? undefined,
      mutedCommands: row.muted_commands === null ? {} : JSON.parse(row.muted_commands),
      activated: row.activated === 1,
      createdAt: row.created_at_ms,
      modifiedAt: row.modified_at_ms,
      expiresAt: row.expires_at_ms ?? undefined,
    };
  };
}

export const modelInfo = (product: Product) =>
  ({
    manufacturerId: product.manufacturerId,
    manufacturerName: product.manufacturerName,
    deviceType: product.deviceType,
    model: product.model,
    protocolType: product.protocolType,
  }) satisfies DeviceInfo;
