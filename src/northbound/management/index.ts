import { OpenAPIHono } from "@hono/zod-openapi";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { ManagementSessions } from "../../capabilities/applications/operators";
import { DomainError } from "../../platform/domain-error";
import type { Mount } from "../http/http-front";
import { codeOf, refuseMethod, renderProblem } from "../http/problem";
import type { FrontEnv, RequestEnv } from "../http/request-env";
import { applicationRoutes } from "./application-routes";
import { authenticate } from "./authenticate";
import { batchRoutes } from "./batch-routes";
import { codecRoutes } from "./codec-routes";
import { deviceDataRoutes } from "./device-data-routes";
import { deviceRoutes } from "./device-routes";
import { diagnosisRoutes } from "./diagnosis-routes";
import { grantRoutes } from "./grant-routes";
import { groupRoutes } from "./group-routes";
import { laterRoutes } from "./later-routes";
import { productRoutes } from "./product-routes";
import { pushCertificateRoutes } from "./push-certificate-routes";
import { pushRoutes } from "./push-routes";
import { JSON_LIMITS, type JsonLimits, readJsonBodies } from "./read-json-bodies";
import { resourceRoutes } from "./resource-routes";
import { sessionRoutes } from "./session-routes";
import { subscriptionRoutes } from "./subscription-routes";
import { tagRoutes } from "./tag-routes";
import { traceRoutes } from "./trace-routes";

export type ManagementPorts = { readonly sessions: ManagementSessions } & Parameters<typeof applicationRoutes>[0] &
  Parameters<typeof grantRoutes>[0] &
  Parameters<typeof productRoutes>[0] &
  Parameters<typeof codecRoutes>[0] &
  Parameters<typeof deviceRoutes>[0] &
  Parameters<typeof deviceDataRoutes>[0] &
  Parameters<typeof traceRoutes>[0] &
  Parameters<typeof resourceRoutes>[0] &
  Parameters<typeof diagnosisRoutes>[0] &
  Parameters<typeof pushRoutes>[0] &
  Parameters<typeof pushCertificateRoutes>[0] &
  Parameters<typeof subscriptionRoutes>[0] &
  Parameters<typeof batchRoutes>[0] &
  Parameters<typeof groupRoutes>[0] &
  Parameters<typeof tagRoutes>[0];

const BASE = "/manage/v1";

/** Our own API, for the console and the command line (design.md, "The management API"). */
export function managementApi(ports: ManagementPorts, limits: JsonLimits = JSON_LIMITS): OpenAPIHono<FrontEnv> {
  const app = new OpenAPIHono<FrontEnv>();
  const groups = [
    sessionRoutes(ports),
    applicationRoutes(ports),
    grantRoutes(ports),
    productRoutes(ports),
    codecRoutes(ports),
    deviceRoutes(ports),
    deviceDataRoutes(ports),
    traceRoutes(ports),
    resourceRoutes(ports),
    diagnosisRoutes(ports),
    pushRoutes(ports),
    pushCertificateRoutes(ports),
    subscriptionRoutes(ports),
    batchRoutes(ports),
    groupRoutes(ports),
    tagRoutes(ports),
    laterRoutes(ports),
  ];

  app.use(
    methodNotAllowed({ app, onMethodNotAllowed: (c, allowed) => refuseMethod(allowed, about(c.req.path, c.env)) }),
  );
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store"); // some answers hold secrets
  });
  app.use(authenticate(ports.sessions, `${BASE}/sessions`));
  app.use(readJsonBodies(limits));
  for (const group of groups) app.route(BASE, group);

  app.notFound((c) => renderProblem(new DomainError("NOT_FOUND"), about(c.req.path, c.env)));
  app.onError((error, c) => {
    if (codeOf(error) === "INTERNAL") c.env.reportFault(error);
    return renderProblem(error, about(c.req.path, c.env));
  });
  return app;
}

const about = (path: string, { requestId }: RequestEnv) => ({ path, requestId });

/** For the HTTP front. Also answers what no other dialect owns, when it is the front's `otherwise`. */
export const managementMount = (app: OpenAPIHono<FrontEnv>): Mount => ({
  name: "management",
  prefixes: ["manage"],
  fetch: app.fetch,
  fail: (error, env, path) => renderProblem(error, about(path, env)),
});

/** OpenAPI 3.1, complete: every route here has its schemas. */
export function managementOpenApi(app: OpenAPIHono<FrontEnv>, version: string) {
  app.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "http",
    scheme: "bearer",
    description: `The token of POST ${BASE}/sessions`,
  });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Islet",
      version,
      description:
        "Two APIs. Below /manage/v1 our own: applications, products, devices and pushes of one Islet. Lists are `{items, total}` with `page` (from 1) and `pageSize`. Errors are RFC 9457 problem details; their `code` is the contract. Below /iocm, /iodm and /api the vendor's application API (tags with the numbers of its chapters): errors are `{error_code, error_desc}`, some with status 200; null in a request says the same as leaving a field out, and numbers and booleans may be written as strings.",
    },
    servers: [{ url: "/" }],
    security: [{ session: [] }],
  });
}
