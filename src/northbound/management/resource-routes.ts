import { createRoute, z } from "@hono/zod-openapi";
import {
  type DeviceResources,
  type ObjectView,
  type ObservationView,
  RESOURCE_OPS,
  type RegistrationView,
  type ResourceView,
  VALUE_TYPES,
} from "../../capabilities/resources/resource";
import { type DeviceLookup, deviceOf } from "./device-lookup";
import { DevicePath } from "./device-routes";
import { given } from "./given";
import { listOf, PageQuery, pageOf } from "./page";
import { json, jsonBody, problems, routes, Timestamp, toOptionalTimestamp, toTimestamp } from "./routes";

const RegistrationResource = z
  .object({
    endpoint: z.string(),
    style: z.enum(["lwm2m", "tup"]).openapi({ description: "tup: the dialect on /t/r, which knows no objects" }),
    version: z.string(),
    transports: z.array(z.string()),
    queueMode: z.boolean().openapi({ description: "it sleeps between its messages" }),
    listening: z.boolean().openapi({ description: "it would hear a message now" }),
    lifetimeSeconds: z.int(),
    address: z.string(),
    isSecure: z.boolean(),
    rootPath: z.string(),
    objects: z.array(z.object({ objectId: z.int(), version: z.string().optional(), instanceIds: z.array(z.int()) })),
    registeredAt: Timestamp,
    updatedAt: Timestamp,
    expiresAt: Timestamp,
  })
  .openapi("LwM2mRegistration");

const Value = z.unknown().openapi({
  description:
    "text, number or boolean; times in ISO 8601, bytes in base64, links as 3:0; several values as an object by their ids",
});
const ResourceResource = z
  .object({
    resourceId: z.int(),
    path: z.string(),
    name: z.string().optional(),
    type: z.enum(VALUE_TYPES).optional(),
    operations: z.enum(["R", "W", "RW", "E", "none"]).optional(),
    units: z.string().optional(),
    multiple: z.boolean().optional(),
    mandatory: z.boolean().optional(),
    known: z.boolean().openapi({ description: "the device has shown it; else only its definition names it" }),
    value: Value.optional(),
    omittedChars: z.int().optional().openapi({ description: "the last value was too long to be kept" }),
    lastSeen: Timestamp.optional(),
    observed: z.boolean(),
  })
  .openapi("Resource");
const ObjectResource = z
  .object({
    objectId: z.int(),
    name: z.string().optional(),
    version: z.string().optional(),
    registered: z.boolean().openapi({ description: "the registration names it" }),
    instances: z.array(
      z.object({ instanceId: z.int(), registered: z.boolean(), resources: z.array(ResourceResource) }),
    ),
  })
  .openapi("LwM2mObject");

const ObservationResource = z
  .object({
    path: z.string(),
    since: Timestamp,
    state: z.enum(["unknown", "active", "ended"]).openapi({ description: "all are begun again by a registration" }),
    endedReason: z.string().optional(),
  })
  .openapi("ResourceObservation");

const Attributes = z
  .strictObject({
    pmin: z.number().optional(),
    pmax: z.number().optional(),
    gt: z.number().optional(),
    lt: z.number().optional(),
    st: z.number().optional(),
    epmin: z.number().optional(),
    epmax: z.number().optional(),
  })
  .openapi("NotificationAttributes");
const OperationBody = z
  .strictObject({
    op: z.enum(RESOURCE_OPS),
    path: z.string().min(1).max(64).openapi({ example: "/3/0/9" }),
    value: Value.optional(),
    values: z.record(z.string(), z.unknown()).optional().openapi({ description: "of an instance, by resource id" }),
    valueType: z.enum(VALUE_TYPES).optional().openapi({ description: "for a resource that has no definition" }),
    mode: z.enum(["replace", "update"]).optional(),
    arguments: z.string().max(1_024).optional().openapi({ example: "0='1'" }),
    attributes: Attributes.optional(),
    waitSeconds: z.int().min(0).optional().openapi({ description: "wait so long for a device that sleeps" }),
  })
  .openapi("ResourceOperation");
const OperationResource = z
  .object({
    path: z.string(),
    value: Value.optional(),
    links: z
      .array(
        z.object({
          path: z.string(),
          version: z.string().optional(),
          dimension: z.int().optional(),
          attributes: Attributes,
        }),
      )
      .optional(),
  })
  .openapi("ResourceOperationResult");

const toRegistration = ({ lifetimeS, registeredAtMs, updatedAtMs, expiresAtMs, ...it }: RegistrationView) => ({
  ...it,
  transports: [...it.transports],
  objects: it.objects.map((object) => ({ ...object, instanceIds: [...object.instanceIds] })),
  lifetimeSeconds: lifetimeS,
  registeredAt: toTimestamp(registeredAtMs),
  updatedAt: toTimestamp(updatedAtMs),
  expiresAt: toTimestamp(expiresAtMs),
});
const toResource = ({ lastSeenMs, ...it }: ResourceView) => ({ ...it, lastSeen: toOptionalTimestamp(lastSeenMs) });
const toObject = (it: ObjectView) => ({
  ...it,
  instances: it.instances.map((instance) => ({ ...instance, resources: instance.resources.map(toResource) })),
});
const toObservation = ({ sinceMs, ...it }: ObservationView) => ({ ...it, since: toTimestamp(sinceMs) });

type Ports = { devices: DeviceLookup; resources: DeviceResources };

/** The objects of LwM2M devices, live. */
export const resourceRoutes = ({ devices, resources }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/registration",
        operationId: "getDeviceRegistration",
        tags: ["Resources"],
        summary: "Get the LwM2M registration of a device",
        request: { params: DevicePath },
        responses: { 200: json(RegistrationResource, "What it said when it registered"), ...problems(404, 409) },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        return c.json(toRegistration(resources.registration(no)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/resources",
        operationId: "listDeviceResources",
        tags: ["Resources"],
        summary: "List the objects of a device with their resources and last known values",
        request: { params: DevicePath, query: PageQuery },
        responses: { 200: json(listOf("LwM2mObjectList", ObjectResource), "A page of objects"), ...problems(404) },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { items, total } = pageOf(resources.tree(no), c.req.valid("query"));
        return c.json({ items: items.map(toObject), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/resource-observations",
        operationId: "listResourceObservations",
        tags: ["Resources"],
        summary: "List what operators observe of a device",
        request: { params: DevicePath, query: PageQuery },
        responses: {
          200: json(listOf("ResourceObservationList", ObservationResource), "A page"),
          ...problems(404),
        },
      }),
      (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { items, total } = pageOf(resources.observations(no), c.req.valid("query"));
        return c.json({ items: items.map(toObservation), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/devices/{deviceId}/resource-operations",
        operationId: "operateResource",
        tags: ["Resources"],
        summary: "Read, write, execute, create, delete, discover or observe on a device",
        request: { params: DevicePath, body: jsonBody(OperationBody) },
        responses: {
          200: json(OperationResource, "The device has done it"),
          ...problems(404, 409, 502, 503, 504),
        },
      }),
      async (c) => {
        const { no } = deviceOf(devices, c.req.valid("param").deviceId);
        const { waitSeconds, attributes, ...operation } = c.req.valid("json");
        const { path, value, links } = await resources.operate(
          no,
          { ...operation, ...given({ attributes: attributes && given(attributes) }) },
          given({ waitS: waitSeconds }),
        );
        const found = links?.map((link) => ({ ...link, attributes: { ...link.attributes } }));
        return c.json({ path, ...given({ value, links: found }) }, 200);
      },
    );
