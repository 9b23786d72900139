import { createRoute, z } from "@hono/zod-openapi";
import { ACCESS, type ApplicationGrants, type Grant } from "../../capabilities/applications/application-grants";
import { AppPath, toAppId } from "./application-routes";
import { fromZero, listOf, PageQuery } from "./page";
import { done, json, jsonBody, pathParameter, problems, routes, Timestamp, toTimestamp } from "./routes";

const access = z
  .enum(ACCESS)
  .openapi({ description: "query: read what the application has; edit: operate it like the application itself" });
/** What one application may know of another. */
const BasicApplication = z
  .object({ appId: z.string(), name: z.string(), description: z.string().optional(), industry: z.string().optional() })
  .openapi("BasicApplication");
const GrantResource = z
  .object({
    owner: BasicApplication.openapi({ description: "who has authorised" }),
    grantee: BasicApplication.openapi({ description: "who may act for the owner" }),
    access,
    createdAt: Timestamp,
  })
  .openapi("Grant");
const GrantBody = z.strictObject({ access }).openapi("NewGrant");
const GrantPath = AppPath.extend({ granteeAppId: pathParameter("granteeAppId", "authorised application") });
const GrantList = listOf("GrantList", GrantResource);

type Ports = { grants: Pick<ApplicationGrants, "grant" | "given" | "received" | "revoke"> };

/** Applications authorise each other (console C-038 to C-041). */
export const grantRoutes = ({ grants }: Ports) =>
  routes()
    .openapi(
      createRoute({
        method: "put",
        path: "/apps/{appId}/grants/{granteeAppId}",
        operationId: "grantAccess",
        tags: ["Applications"],
        summary: "Authorise another application, or change what it may do",
        request: { params: GrantPath, body: jsonBody(GrantBody) },
        responses: { 200: json(GrantResource, "The authorisation"), ...problems(404) },
      }),
      async (c) => {
        const { appId, granteeAppId } = c.req.valid("param");
        const grant = await grants.grant(toAppId(appId), toAppId(granteeAppId), c.req.valid("json").access);
        return c.json(toResource(grant), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/grants",
        operationId: "listGrants",
        tags: ["Applications"],
        summary: "List the applications that an application has authorised, oldest first",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(GrantList, "A page"), ...problems(404) },
      }),
      (c) => {
        const query = c.req.valid("query");
        const { items, total } = grants.given(toAppId(c.req.valid("param").appId), fromZero(query), query.pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/received-grants",
        operationId: "listReceivedGrants",
        tags: ["Applications"],
        summary: "List the applications that have authorised an application, oldest first",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(GrantList, "A page"), ...problems(404) },
      }),
      (c) => {
        const query = c.req.valid("query");
        const { items, total } = grants.received(toAppId(c.req.valid("param").appId), fromZero(query), query.pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/apps/{appId}/grants/{granteeAppId}",
        operationId: "revokeAccess",
        tags: ["Applications"],
        summary: "Revoke an authorisation; what the other has subscribed with it is deleted",
        request: { params: GrantPath },
        responses: { 204: done, ...problems(404) },
      }),
      async (c) => {
        const { appId, granteeAppId } = c.req.valid("param");
        await grants.revoke(toAppId(appId), toAppId(granteeAppId));
        return c.body(null, 204);
      },
    );

const toResource = ({ owner, grantee, access, createdAt }: Grant) => ({
  owner: toBasic(owner),
  grantee: toBasic(grantee),
  access,
  createdAt: toTimestamp(createdAt),
});
const toBasic = ({ id, name, description, industry }: Grant["owner"]) => ({ appId: id, name, description, industry });
