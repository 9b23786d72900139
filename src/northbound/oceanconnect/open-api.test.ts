import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { z } from "zod";
import type { FrontEnv } from "../http/request-env";
import type { DeclaredHandler } from "./endpoint";
import { oceanConnectOpenApi } from "./open-api";
import { OPERATIONS } from "./operations";
import { harness } from "./testing/harness";
import { CALL_SECTIONS, REQUESTS } from "./testing/requests";

type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly object[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
};
const { app } = harness();
const part = JSON.parse(JSON.stringify(oceanConnectOpenApi(app))) as {
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
};
const described = Object.entries(part.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const routes = app.routes.filter(({ method }) => method !== "ALL");

test("every route that is mounted is described, and the reverse", () => {
  const mounted = routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect(described.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(mounted.sort());
});

test("every section is mounted, and operations have unique names", () => {
  const names = described.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  const wanted = Object.values(OPERATIONS).map(({ id }) => id);
  expect(names.filter((name) => !name.endsWith("Alias")).sort()).toEqual(wanted.sort());
});

test("a route that declares nothing cannot be described", () => {
  const bare = new Hono<FrontEnv>().get("/iocm/bare", (c) => c.text(""));
  expect(() => oceanConnectOpenApi(bare)).toThrow("GET /iocm/bare declares nothing");
});

test.each(described)("$method $path says what it is", ({ path, operation }) => {
  const { parameters, summary, tags, security } = operation;
  expect(summary.length).toBeGreaterThan(10);
  expect(part.tags.map(({ name }) => name)).toContain(tags[0] as string);
  const inPath = parameters.filter((it) => it.in === "path").map(({ name }) => name);
  expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string));
  const isOpen = path.startsWith("/iocm/app/sec/");
  expect(security.length).toBe(isOpen ? 0 : 1);
  expect(parameters.some(({ name, required }) => name === "app_key" && required === true)).toBe(!isOpen);
});

test("errors are the rows of the endpoint, with the statuses and texts that are sent", () => {
  const operation = part.paths["/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}"]?.delete;
  expect(
    Object.fromEntries(Object.entries(operation?.responses ?? {}).map(([status, it]) => [status, it.description])),
  ).toEqual({
    "200":
      "Done, without a body; or an error: 100203 The application is not existed. | 100217 The application hasn't been authorized | 100603 The device group is not existed",
    "400": "100449 The device is freezed cant operate. | 50400 The input is invalid.",
    "401": "100025 AppId for auth not exist.",
    "403": "1010005 Invalid access token or appId. | 1010009 app throttle exceed.",
    "500": "50252 Internal server error.",
  });
});

describe.each(CALL_SECTIONS)("a right call of %s", (section) => {
  const { method, path, body } = REQUESTS[section];
  const { declaration } = routes
    .map(({ handler }) => handler as unknown as DeclaredHandler)
    .find((it) => it.declaration.section === section) as DeclaredHandler;

  test("is answered as its route declares", async () => {
    const { status, text } = await harness().call(method, path, body);
    const { response } = declaration;
    expect([status, text === ""]).toEqual([response.status, response.schema === undefined]);
    if (response.schema) {
      const parsed = (response.schema as z.ZodType).safeParse(JSON.parse(text));
      expect(parsed.error?.issues ?? []).toEqual([]);
      expect(parsed.data).toEqual(JSON.parse(text)); // and nothing that the schema does not know
    }
  });
});
