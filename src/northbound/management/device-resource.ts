import { z } from "@hono/zod-openapi";
import { DEVICE_STATUSES, type Device, type DeviceInfo, NODE_TYPES } from "../../capabilities/devices/device";
import { Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const text = (max = 256) => z.string().max(max);
/** Every key of `DeviceInfo`, with the longest value that is taken. */
const INFO = {
  name: text(),
  description: text(2_048),
  manufacturerId: text(),
  manufacturerName: text(),
  deviceType: text(),
  model: text(),
  protocolType: text(),
  mac: text(),
  location: text(1_024),
  swVersion: text(),
  fwVersion: text(),
  hwVersion: text(),
  imsi: text(64),
  ip: text(128),
  radiusIp: text(128),
  bridgeId: text(),
  signalStrength: text(),
  sigVersion: text(),
  serialNumber: text(),
  batteryLevel: text(),
  endUser: text(),
  organization: text(),
  region: text(),
  timezone: text(),
} satisfies Record<keyof DeviceInfo, z.ZodString>;
const InfoResource = z.object(INFO).partial().openapi("DeviceInfo");
export const NewInfo = z.strictObject(INFO).partial().openapi("NewDeviceInfo");
const optionalInfo = Object.fromEntries(
  Object.entries(INFO).map(([key, schema]) => [key, schema.nullable().optional()]),
) as { [K in keyof DeviceInfo]-?: z.ZodOptional<z.ZodNullable<z.ZodString>> };
export const InfoPatch = z.strictObject(optionalInfo).openapi("DeviceInfoPatch", { description: "null takes away" });

export const TagResource = z
  .strictObject({
    tagName: z.string().min(1).max(128),
    tagValue: z.string().min(1).max(1_024),
    tagType: z.int().optional(),
  })
  .openapi("Tag");
export const CustomFieldResource = z
  .strictObject({
    fieldName: text().optional(),
    fieldType: text().optional(),
    fieldValue: z.unknown(),
  })
  .openapi("CustomField");
export const MutedCommands = z
  .record(z.string(), z.array(z.string()))
  .openapi({ description: "commands that may not be sent, by service" });

export const DeviceResource = z
  .object({
    deviceId: z.string(),
    appId: z.string(),
    productId: z.string().optional(),
    nodeId: z.string(),
    nodeType: z.enum(NODE_TYPES),
    gatewayId: z.string().openapi({ description: "its own id when it is directly connected" }),
    status: z.enum(DEVICE_STATUSES),
    statusDetail: z.string(),
    lastSeen: Timestamp.optional().openapi({ description: "when it last reported" }),
    activated: z.boolean(),
    muted: z.boolean().openapi({ description: "reports are neither managed nor stored" }),
    isSecure: z.boolean(),
    info: InfoResource,
    tags: z.array(TagResource),
    customFields: z.array(CustomFieldResource),
    dataAgingDays: z.int().optional(),
    mutedCommands: MutedCommands,
    createdAt: Timestamp,
    modifiedAt: Timestamp,
    expiresAt: Timestamp.optional().openapi({ description: "when it is deleted unless it has connected" }),
  })
  .openapi("Device");

export const toDeviceResource = (it: Device, lastSeenMs: number | undefined) => ({
  deviceId: it.id,
  appId: it.appId,
  productId: it.productId,
  nodeId: it.nodeId,
  nodeType: it.nodeType,
  gatewayId: it.gatewayId,
  status: it.status,
  statusDetail: it.statusDetail,
  lastSeen: toOptionalTimestamp(lastSeenMs),
  activated: it.activated,
  muted: it.muted,
  isSecure: it.isSecure,
  info: { ...it.info },
  tags: it.tags.map((tag) => ({ ...tag })),
  customFields: it.customFields.map((field) => ({ ...field, fieldValue: field.fieldValue })),
  dataAgingDays: it.dataAgingDays,
  mutedCommands: Object.fromEntries(Object.entries(it.mutedCommands).map(([key, names]) => [key, [...names]])),
  createdAt: toTimestamp(it.createdAt),
  modifiedAt: toTimestamp(it.modifiedAt),
  expiresAt: toOptionalTimestamp(it.expiresAt),
});
