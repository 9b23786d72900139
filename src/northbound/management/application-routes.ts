import { createRoute, z } from "@hono/zod-openapi";
import type {
  AppId,
  Application,
  ApplicationService,
  ApplicationPatch as Patch,
  SigningSecrets,
} from "../../capabilities/applications/application";
import { given } from "./given";
import { fromZero, listOf, PageQuery } from "./page";
import { done, json, jsonBody, pathParameter, problems, routes, Timestamp, toTimestamp } from "./routes";

const changeable = {
  description: z.string().max(2_048).optional(),
  industry: z.string().max(256).optional(),
  storeHistory: z.boolean().optional().openapi({ description: "off: reports are neither stored nor pushed" }),
  pushEnabled: z.boolean().optional(),
  signPushes: z
    .boolean()
    .optional()
    .openapi({ description: "on: pushes carry X-Islet-Signature, made with the signing secret; default off" }),
  callsPerMinute: z.int().min(1).max(1e9).optional().openapi({ description: "default: the configured limit" }),
};
const NewApplication = z
  .strictObject({ name: z.string().trim().min(1).max(256), ...changeable })
  .openapi("NewApplication");
const ApplicationPatch = z
  .strictObject({
    ...changeable,
    description: changeable.description.nullable(),
    industry: changeable.industry.nullable(),
    callsPerMinute: changeable.callsPerMinute.nullable(),
    frozen: z.boolean().optional(),
  })
  .openapi("ApplicationPatch", { description: "only what is given changes; null takes a value away" });

export const ApplicationResource = z
  .object({
    appId: z.string(),
    name: z.string(),
    description: z.string().optional(),
    industry: z.string().optional(),
    storeHistory: z.boolean(),
    pushEnabled: z.boolean(),
    signPushes: z.boolean(),
    callsPerMinute: z.int().optional(),
    frozen: z.boolean().openapi({ description: "may not call the API" }),
    createdAt: Timestamp,
  })
  .openapi("Application");
const CreatedApplication = ApplicationResource.extend({
  secret: z.string().openapi({ description: "shown this once" }),
}).openapi("CreatedApplication");
const Secret = z.object({ secret: z.string() }).openapi("Secret");

export const AppPath = z.object({ appId: pathParameter("appId", "application") });
export const toAppId = (appId: string) => appId as AppId; // a look-up tells whether it is one

const toResource = (it: Application) => ({
  appId: it.id,
  name: it.name,
  description: it.description,
  industry: it.industry,
  storeHistory: it.storeHistory,
  pushEnabled: it.pushEnabled,
  signPushes: it.signPushes,
  callsPerMinute: it.callsPerMinute,
  frozen: it.frozen,
  createdAt: toTimestamp(it.createdAt),
});

/** In the service a present undefined takes a value away, an absent one leaves it. */
const toPatch = (input: z.infer<typeof ApplicationPatch>): Patch =>
  Object.fromEntries(Object.entries(given(input)).map(([key, value]) => [key, value ?? undefined]));

type Ports = {
  applications: Pick<ApplicationService, "create" | "list" | "get" | "update" | "delete" | "resetSecret">;
  signingSecrets: Pick<SigningSecrets, "get" | "renew">;
};

export const applicationRoutes = ({ applications, signingSecrets }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps",
        operationId: "createApplication",
        tags: ["Applications"],
        summary: "Create an application",
        request: { body: jsonBody(NewApplication) },
        responses: { 201: json(CreatedApplication, "Created"), ...problems(409) },
      }),
      async (c) => {
        const { application, secret } = await applications.create(given(c.req.valid("json")));
        return c.json({ ...toResource(application), secret }, 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps",
        operationId: "listApplications",
        tags: ["Applications"],
        summary: "List applications",
        request: { query: PageQuery },
        responses: { 200: json(listOf("ApplicationList", ApplicationResource), "A page"), ...problems() },
      }),
      (c) => {
        const query = c.req.valid("query");
        const { items, total } = applications.list(fromZero(query), query.pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}",
        operationId: "getApplication",
        tags: ["Applications"],
        summary: "Get an application",
        request: { params: AppPath },
        responses: { 200: json(ApplicationResource, "The application"), ...problems(404) },
      }),
      (c) => c.json(toResource(applications.get(toAppId(c.req.valid("param").appId))), 200),
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/apps/{appId}",
        operationId: "changeApplication",
        tags: ["Applications"],
        summary: "Change an application",
        request: { params: AppPath, body: jsonBody(ApplicationPatch) },
        responses: { 200: json(ApplicationResource, "The changed application"), ...problems(404) },
      }),
      async (c) => {
        const appId = toAppId(c.req.valid("param").appId);
        return c.json(toResource(await applications.update(appId, toPatch(c.req.valid("json")))), 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/apps/{appId}",
        operationId: "deleteApplication",
        tags: ["Applications"],
        summary: "Delete an application that has no products and no devices",
        request: { params: AppPath },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        await applications.delete(toAppId(c.req.valid("param").appId));
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/secret",
        operationId: "resetApplicationSecret",
        tags: ["Applications"],
        summary: "Make a new secret; the old one and every token are void at once",
        request: { params: AppPath },
        responses: { 200: json(Secret, "The new secret, shown this once"), ...problems(404) },
      }),
      async (c) => c.json({ secret: await applications.resetSecret(toAppId(c.req.valid("param").appId)) }, 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/signing-secret",
        operationId: "getSigningSecret",
        tags: ["Applications"],
        summary: "Read the secret that signs the application's pushes",
        request: { params: AppPath },
        responses: { 200: json(Secret, "The secret"), ...problems(404) },
      }),
      (c) => c.json({ secret: signingSecrets.get(toAppId(c.req.valid("param").appId)) }, 200),
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/signing-secret",
        operationId: "renewSigningSecret",
        tags: ["Applications"],
        summary: "Make a new signing secret; pushes are signed with it from now on",
        request: { params: AppPath },
        responses: { 200: json(Secret, "The new secret"), ...problems(404) },
      }),
      async (c) => c.json({ secret: await signingSecrets.renew(toAppId(c.req.valid("param").appId)) }, 200),
    );
