import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Metrics } from "../../platform/metrics";
import type { Mount } from "./http-front";
import { codeOf, refuseMethod, renderProblem } from "./problem";
import type { FrontEnv, RequestEnv } from "./request-env";
import { type HealthCheck, runHealthChecks } from "./run-health-checks";

type Parts = {
  /** The process itself is `ok` when it answers. */
  readonly checks: readonly HealthCheck[];
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** The OpenAPI document of our own API, and the page that shows it. */
  readonly openApi: () => object;
  readonly docsPage: () => string;
  /** PEM of the CA that the certificates of the TLS listeners come from; undefined when there is none to give. */
  readonly caCertificate: () => string | undefined;
};

/** Pages of the process itself, open to everybody who can reach it: health, metrics, documentation, CA certificate. */
export function systemRoutes({ checks, metrics, clock, openApi, docsPage, caCertificate }: Parts): Mount {
  const app = new Hono<FrontEnv>();
  app.use(
    methodNotAllowed({ app, onMethodNotAllowed: (c, allowed) => refuseMethod(allowed, about(c.req.path, c.env)) }),
  );

  app.get("/healthz", async (c) => {
    const { healthy, ...report } = await runHealthChecks(checks, clock, c.env.reportFault);
    return c.json(report, healthy ? 200 : 503, { "cache-control": "no-store" });
  });
  app.get("/metrics", (c) => c.body(metrics.render(), 200, { "content-type": "text/plain; version=0.0.4" }));
  app.get("/openapi.json", (c) => c.json(openApi()));
  app.get("/docs", (c) => c.html(docsPage(), 200, { "content-security-policy": DOCS_POLICY }));
  app.get("/ca.pem", (c) => {
    const pem = caCertificate();
    if (pem === undefined) throw new DomainError("NOT_FOUND", { reason: "no CA certificate is known" });
    return c.body(pem, 200, {
      "content-type": "application/x-pem-file",
      "content-disposition": 'attachment; filename="islet-ca.pem"',
    });
  });

  app.notFound((c) => renderProblem(new DomainError("NOT_FOUND"), about(c.req.path, c.env)));
  app.onError((error, c) => {
    if (codeOf(error) === "INTERNAL") c.env.reportFault(error);
    return renderProblem(error, about(c.req.path, c.env));
  });
  return {
    name: "system",
    prefixes: ["healthz", "metrics", "openapi.json", "docs", "ca.pem"],
    fetch: app.fetch,
    fail: (error, env, path) => renderProblem(error, about(path, env)),
  };
}

// The page needs its own style sheet and nothing else: no script, no other host.
const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const about = (path: string, env: RequestEnv) => ({ path, requestId: env.requestId });
