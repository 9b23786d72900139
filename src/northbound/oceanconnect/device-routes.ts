import { Hono } from "hono";
import { z } from "zod";
import type { CustomField, Tag } from "../../capabilities/devices/device";
import type { DevicePatch, DeviceService } from "../../capabilities/devices/device-service";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import type { Endpoints } from "./endpoint";
import { anyValue, boolean, integer, judgedLater, optional, present, text } from "./fields";

const PATH = "/iocm/app/dm/v1.4.0/devices/:deviceId";

const field = optional(text(256, 1));
const Modify = z.object({
  customFields: optional(
    z.array(
      z.object({
        fieldName: optional(text(256)),
        fieldType: optional(text(256)),
        fieldValue: anyValue().optional(),
      }),
    ),
  ),
  deviceConfig: optional(z.object({ dataConfig: optional(z.object({ dataAgingTime: optional(integer(0, 90)) })) })),
  deviceType: field,
  endUser: text(256, 1).nullish(), // null means: nobody
  location: optional(text(1_024, 1)),
  productId: optional(text(256)),
  manufacturerId: field,
  manufacturerName: field,
  model: field,
  mute: optional(z.enum(["TRUE", "FALSE"])),
  name: field,
  organization: field,
  protocolType: optional(z.enum(["CoAP", "LWM2M", "MQTT"])),
  region: field,
  timezone: field,
  imsi: optional(text(64)),
  ip: optional(text(128)),
  isSecure: judgedLater({ type: "boolean" }),
  psk: optional(z.string().regex(/^[a-fA-F0-9]{8,32}$/, "must be 8 to 32 hexadecimal digits")),
  tags: optional(
    z.array(
      z.object({
        tagName: text(128, 1),
        tagValue: text(1_024, 1),
        tagType: optional(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
      }),
    ),
  ),
});
const Delete = z.object({ cascade: optional(boolean()).default(true) });

/** 1.5.4, 1.5.5. */
export function deviceRoutes({ call }: Endpoints, devices: Pick<DeviceService, "get" | "modify" | "delete">) {
  return new Hono<FrontEnv>()
    .put(
      PATH,
      call(
        "1.5.4",
        { needs: "edit", body: Modify, response: { status: 204 } },
        async ({ application, body, param }) => {
          const patch = toPatch(body);
          const { no } = devices.get(application.id, param("deviceId"));
          await devices.modify(no, patch);
          return undefined;
        },
      ),
    )
    .delete(
      PATH,
      call(
        "1.5.5",
        { needs: "edit", query: Delete, response: { status: 204 } },
        async ({ application, query, param }) => {
          const { no } = devices.get(application.id, param("deviceId"));
          await devices.delete(no, { cascade: query.cascade });
          return undefined;
        },
      ),
    );
}

function toPatch({
  customFields,
  deviceConfig,
  mute,
  isSecure,
  psk,
  productId,
  tags,
  ...info
}: z.infer<typeof Modify>): DevicePatch {
  return present({
    info: present(info),
    productId: productId || undefined,
    muted: mute === undefined ? undefined : mute === "TRUE",
    isSecure: readIsSecure(isSecure),
    psk,
    tags: tags?.map((tag): Tag => present(tag)),
    customFields: customFields?.map((it): CustomField => present(it)),
    dataAgingDays: deviceConfig?.dataConfig?.dataAgingTime,
  });
}

function readIsSecure(value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  const parsed = boolean().safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DomainError("IS_SECURE_INVALID", { field: "isSecure", reason: "is neither true nor false" });
}
