import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import { DEVICE_STATUSES, type Device, type DeviceStatus, NODE_TYPES } from "../../capabilities/devices/device";
import type { DeviceFilter, DevicePatch, DeviceService, NewDevice } from "../../capabilities/devices/device-service";
import type { LastSeen } from "../../capabilities/telemetry/last-seen";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import {
  CustomFieldResource,
  DeviceResource,
  InfoPatch,
  MutedCommands,
  NewInfo,
  TagResource,
  toDeviceResource,
} from "./device-resource";
import { given } from "./given";
import { listOf, pageQuery } from "./page";
import { done, json, jsonBody, Moment, pathParameter, problems, routes } from "./routes";

const Secret = z.string().regex(/^[0-9a-fA-F]{20}$/, "is not 20 hexadecimal digits");
const Psk = z.string().regex(/^[0-9a-fA-F]{8,32}$/, "is not 8 to 32 hexadecimal digits");

const NewDeviceBody = z
  .strictObject({
    nodeId: z.string().min(1).max(256).openapi({ description: "unique in the installation" }),
    productId: z.string().min(1).max(256).optional().openapi({ description: "needed unless it is behind a gateway" }),
    kind: z.enum(["password", "verifyCode"]).default("password").openapi({ description: "how it will log in" }),
    secret: Secret.optional().openapi({ description: "for kind password; made when absent" }),
    verifyCode: z.string().min(1).max(256).optional().openapi({ description: "for kind verifyCode" }),
    psk: Psk.optional(),
    info: NewInfo.optional(),
    nodeType: z.enum(NODE_TYPES).optional(),
    gatewayId: z.string().min(1).max(256).optional(),
    isSecure: z.boolean().optional(),
    timeoutSeconds: z.int().min(0).max(2_147_483_647).optional().openapi({ description: "0: never deleted" }),
    tags: z.array(TagResource).max(100).optional(),
  })
  .openapi("NewDevice");
const RegistrationResource = z
  .object({
    device: DeviceResource,
    deviceId: z.string(),
    secret: z.string().openapi({ description: "shown this once" }),
    psk: z.string(),
    verifyCode: z.string().optional(),
    timeoutSeconds: z.int(),
  })
  .openapi("Registration");
const DevicePatchBody = z
  .strictObject({
    info: InfoPatch.optional(),
    productId: z.string().min(1).max(256).optional(),
    nodeType: z.enum(NODE_TYPES).optional(),
    muted: z.boolean().optional(),
    isSecure: z.boolean().optional(),
    psk: Psk.optional(),
    tags: z.array(TagResource).max(100).optional(),
    customFields: z.array(CustomFieldResource).max(100).optional(),
    dataAgingDays: z.int().min(0).max(90).nullable().optional(),
    mutedCommands: MutedCommands.optional(),
  })
  .openapi("DevicePatch", { description: "only what is given changes; lists and maps are replaced as a whole" });

const DeviceQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(DEVICE_STATUSES).optional(),
  nodeType: z.enum(NODE_TYPES).optional(),
  deviceType: z.string().min(1).max(256).optional(),
  name: z.string().min(1).max(256).optional(),
  location: z.string().min(1).max(1_024).optional(),
  gatewayId: z.string().min(1).max(256).optional().openapi({ description: "this device and the devices behind it" }),
  tagName: z.string().min(1).max(128).optional().openapi({ description: "devices that carry a tag of this name" }),
  tagValue: z.string().min(1).max(1_024).optional().openapi({ description: "and this value; needs tagName" }),
  createdFrom: Moment.optional(),
  createdTo: Moment.optional(),
  sort: z.enum(["ASC", "DESC"]).default("DESC").openapi({ description: "by the time of registration" }),
});
const DeleteQuery = z.strictObject({
  cascade: z
    .enum(["true", "false"])
    .default("true")
    .openapi({ description: "also the devices behind it; otherwise they become direct ones" }),
});
const Counts = z.record(z.enum(DEVICE_STATUSES), z.int()).openapi("DeviceCounts");
const NewSecret = z.strictObject({ secret: Secret.optional() }).openapi("NewDeviceSecret");

export const DevicePath = z.object({ deviceId: pathParameter("deviceId", "device") });

type Ports = {
  applications: Pick<ApplicationService, "get">;
  devices: Pick<DeviceService, "register" | "list" | "counts" | "modify" | "resetSecret" | "delete"> & DeviceLookup;
  lastSeen: LastSeen;
};

export function deviceRoutes({ applications, devices, lastSeen }: Ports) {
  const show = (device: Device) => toDeviceResource(device, lastSeen.of(device.no));
  const appOf = (appId: string) => applications.get(toAppId(appId)).id;

  return routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/devices",
        operationId: "registerDevice",
        tags: ["Devices"],
        summary: "Register a device",
        request: { params: AppPath, body: jsonBody(NewDeviceBody) },
        responses: { 201: json(RegistrationResource, "Registered"), ...problems(404, 409) },
      }),
      async (c) => {
        const appId = appOf(c.req.valid("param").appId);
        const input = toNewDevice(c.req.valid("json"), (gatewayId) => deviceOf(devices, gatewayId).no);
        const { device, timeoutS, ...credentials } = await devices.register(appId, input);
        return c.json({ device: show(device), deviceId: device.id, ...credentials, timeoutSeconds: timeoutS }, 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/devices",
        operationId: "listDevices",
        tags: ["Devices"],
        summary: "List the devices of an application",
        request: { params: AppPath, query: DeviceQuery },
        responses: { 200: json(listOf("DeviceList", DeviceResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const appId = appOf(c.req.valid("param").appId);
        const { page, createdFrom: startMs, createdTo: endMs, tagName, tagValue, ...filter } = c.req.valid("query");
        const tag = toTagFilter(tagName, tagValue);
        const { items, total } = devices.list(appId, { ...filter, tag, startMs, endMs, page: page - 1 });
        const seen = lastSeen.ofMany(items.map(({ no }) => no));
        return c.json({ items: items.map((it) => toDeviceResource(it, seen.get(it.no))), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/device-counts",
        operationId: "countDevices",
        tags: ["Devices"],
        summary: "Count the devices of an application by status",
        request: { params: AppPath },
        responses: { 200: json(Counts, "Devices by status"), ...problems(404) },
      }),
      (c) => c.json({ ...devices.counts(appOf(c.req.valid("param").appId)) } as Record<DeviceStatus, number>, 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}",
        operationId: "getDevice",
        tags: ["Devices"],
        summary: "Get a device",
        request: { params: DevicePath },
        responses: { 200: json(DeviceResource, "The device"), ...problems(404) },
      }),
      (c) => c.json(show(deviceOf(devices, c.req.valid("param").deviceId)), 200),
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/devices/{deviceId}",
        operationId: "changeDevice",
        tags: ["Devices"],
        summary: "Change a device",
        request: { params: DevicePath, body: jsonBody(DevicePatchBody) },
        responses: { 200: json(DeviceResource, "The changed device"), ...problems(404, 409) },
      }),
      async (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        return c.json(show(await devices.modify(no, toPatch(c.req.valid("json")))), 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/devices/{deviceId}",
        operationId: "deleteDevice",
        tags: ["Devices"],
        summary: "Delete a device",
        request: { params: DevicePath, query: DeleteQuery },
        responses: { 204: done, ...problems(404) },
      }),
      async (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        await devices.delete(no, { cascade: c.req.valid("query").cascade === "true" });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/devices/{deviceId}/secret",
        operationId: "resetDeviceSecret",
        tags: ["Devices"],
        summary: "Give the device a new MQTT secret; its connection is closed",
        request: { params: DevicePath, body: { content: { "application/json": { schema: NewSecret } } } },
        responses: {
          200: json(z.object({ secret: z.string() }).openapi("DeviceSecret"), "The new secret"),
          ...problems(404),
        },
      }),
      async (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        return c.json({ secret: await devices.resetSecret(no, c.req.valid("json").secret) }, 200);
      },
    );
}

function toTagFilter(name: string | undefined, value: string | undefined): DeviceFilter["tag"] {
  if (name !== undefined) return { name, value };
  if (value === undefined) return undefined;
  throw new DomainError("INPUT_INVALID", { issues: [{ path: "query.tagName", reason: "is required with tagValue" }] });
}

function toNewDevice(body: z.infer<typeof NewDeviceBody>, numberOf: (gatewayId: string) => number): NewDevice {
  const { nodeId, productId, kind, secret, verifyCode, psk, info, gatewayId, timeoutSeconds, ...rest } = body;
  const [foreign, path] = kind === "password" ? [verifyCode, "verifyCode"] : [secret, "secret"];
  if (foreign !== undefined)
    throw new DomainError("INPUT_INVALID", { issues: [{ path, reason: `does not go with kind ${kind}` }] });
  if (productId === undefined && gatewayId === undefined)
    throw new DomainError("INPUT_INVALID", {
      issues: [{ path: "productId", reason: "is required without a gateway" }],
    });
  return {
    nodeId,
    product: productId === undefined ? undefined : { productId },
    credentials: kind === "password" ? { kind, secret, psk } : { kind, verifyCode, psk },
    ...given({ info: info && given(info) }),
    gatewayNo: gatewayId === undefined ? undefined : numberOf(gatewayId),
    timeoutS: timeoutSeconds,
    nodeType: rest.nodeType,
    isSecure: rest.isSecure,
    ...given({ tags: rest.tags?.map(given) }),
  };
}

function toPatch({ info, tags, customFields, ...rest }: z.infer<typeof DevicePatchBody>): DevicePatch {
  return {
    ...rest,
    ...given({ info }),
    tags: tags?.map(given),
    customFields: customFields?.map(given),
  };
}
