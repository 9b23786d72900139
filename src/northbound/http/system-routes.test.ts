import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../platform/metrics";
import { manualClock } from "../../platform/testing/manual-clock";
import type { RequestEnv } from "./request-env";
import type { HealthCheck } from "./run-health-checks";
import { systemRoutes } from "./system-routes";

function start({ checks = [] as HealthCheck[], ca = "PEM" as string | null } = {}) {
  const faults: string[] = [];
  const clock = manualClock();
  const metrics = createMetrics();
  metrics.counter("islet_test_total", "a test").add(3);
  const mount = systemRoutes({
    checks,
    metrics,
    clock,
    openApi: () => ({ openapi: "3.1.0" }),
    docsPage: () => "<p>docs</p>",
    caCertificate: () => ca ?? undefined,
  });
  const env: RequestEnv = {
    requestId: "r1",
    peer: undefined,
    caller: undefined,
    reportFault: (error) => faults.push(String(error)),
  };
  const ask = async (path: string, init?: RequestInit) => mount.fetch(new Request(`http://host${path}`, init), env);
  return { ask, faults, clock, mount, env };
}

describe("GET /healthz", () => {
  const well: HealthCheck = { name: "registry", check() {} };
  const broken: HealthCheck = {
    name: "telemetry",
    check() {
      throw new Error("disk I/O error at /data");
    },
  };

  test("is 200 when all is well", async () => {
    const response = await start({ checks: [well] }).ask("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok", checks: { process: "ok", registry: "ok" } });
  });
  test("is 503 and says which part is broken, but not why", async () => {
    const { ask, faults } = start({ checks: [well, broken] });
    const response = await ask("/healthz");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "broken",
      checks: { process: "ok", registry: "ok", telemetry: "broken" },
    });
    expect(faults).toEqual(["Error: health check telemetry: disk I/O error at /data"]);
  });
  test("counts a part that does not answer in time as broken", async () => {
    const { ask, clock } = start({ checks: [{ name: "telemetry", check: () => new Promise(() => {}) }] });
    const answer = ask("/healthz");
    await clock.advance(2_000);
    expect((await answer).status).toBe(503);
  });
});

test("GET /metrics is Prometheus text", async () => {
  const response = await start().ask("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(await response.text()).toContain("islet_test_total 3\n");
});
test("GET /openapi.json and /docs", async () => {
  const { ask } = start();
  expect(await (await ask("/openapi.json")).json()).toEqual({ openapi: "3.1.0" });
  const docs = await ask("/docs");
  expect([await docs.text(), docs.headers.get("content-type")]).toEqual(["<p>docs</p>", "text/html; charset=UTF-8"]);
  expect(docs.headers.get("content-security-policy")).toStartWith("default-src 'none'");
});
test("GET /ca.pem is the CA certificate, if there is one", async () => {
  const response = await start().ask("/ca.pem");
  expect([response.status, await response.text()]).toEqual([200, "PEM"]);
  expect((await start({ ca: null }).ask("/ca.pem")).status).toBe(404);
});

test.each([
  ["GET", "/healthz/x", 404, "NOT_FOUND"],
  ["POST", "/healthz", 405, "METHOD_NOT_ALLOWED"],
  ["DELETE", "/docs", 405, "METHOD_NOT_ALLOWED"],
])("%s %s is %i as problem details", async (method, path, status, code) => {
  const response = await start().ask(path, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(await response.json()).toMatchObject({ status, code, instance: path, requestId: "r1" });
  expect(response.headers.get("allow")).toBe(status === 405 ? "GET, HEAD" : null);
});
