import { createRoute, z } from "@hono/zod-openapi";
import type { PushCertificate, PushCertificates } from "../../capabilities/applications/push-certificate";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import { given } from "./given";
import { listOf, PageQuery, pageOf } from "./page";
import { done, json, jsonBody, pathParameter, problems, routes, Timestamp, toTimestamp } from "./routes";

const NewPushCertificate = z
  .strictObject({
    hostPort: z.string().min(1).max(300).openapi({ example: "api.example.com:9001" }),
    ca: z.string().min(1).max(100_000).openapi({ description: "PEM, one or more CA certificates" }),
    checkCommonName: z.boolean().optional().openapi({ description: "default true" }),
    commonName: z.string().min(1).max(256).optional(),
    sni: z.boolean().optional().openapi({ description: "default false" }),
  })
  .openapi("NewPushCertificate");
const PushCertificateResource = z
  .object({
    hostPort: z.string(),
    ca: z.string(),
    checkCommonName: z.boolean(),
    commonName: z.string().optional(),
    sni: z.boolean(),
    createdAt: Timestamp,
  })
  .openapi("PushCertificate");
const CertificatePath = AppPath.extend({ hostPort: pathParameter("hostPort", "host and port of the callback URL") });

const toResource = ({ appNo: _, createdAt, ...rest }: PushCertificate) => ({
  ...rest,
  createdAt: toTimestamp(createdAt),
});

export const pushCertificateRoutes = ({
  pushCertificates,
}: {
  pushCertificates: Pick<PushCertificates, "add" | "list" | "delete">;
}) =>
  routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/push-certificates",
        operationId: "addPushCertificate",
        tags: ["Push"],
        summary: "Add or replace the CA certificate for pushes to one host and port",
        request: { params: AppPath, body: jsonBody(NewPushCertificate) },
        responses: { 201: json(PushCertificateResource, "Stored"), ...problems(404) },
      }),
      async (c) => {
        const appId = toAppId(c.req.valid("param").appId);
        return c.json(toResource(await pushCertificates.add(appId, given(c.req.valid("json")))), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/push-certificates",
        operationId: "listPushCertificates",
        tags: ["Push"],
        summary: "List the CA certificates for pushes",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(listOf("PushCertificateList", PushCertificateResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const all = pushCertificates.list(toAppId(c.req.valid("param").appId));
        const { items, total } = pageOf(all, c.req.valid("query"));
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/apps/{appId}/push-certificates/{hostPort}",
        operationId: "deletePushCertificate",
        tags: ["Push"],
        summary: "Delete the CA certificate for one host and port",
        request: { params: CertificatePath },
        responses: { 204: done, ...problems(404) },
      }),
      async (c) => {
        const { appId, hostPort } = c.req.valid("param");
        const existed = await pushCertificates.delete(toAppId(appId), hostPort.toLowerCase());
        if (!existed) throw new DomainError("NOT_FOUND", { reason: "there is no certificate for this host and port" });
        return c.body(null, 204);
      },
    );
