import { expect, test } from "bun:test";
import { docsPage } from "../http/docs-page";
import { managementOpenApi } from ".";
import { startApi } from "./testing/fake-ports";

type Operation = {
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema?: object }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: object }> }>;
};

const { api } = startApi();
// As a client sees it.
const document = JSON.parse(JSON.stringify(managementOpenApi(api, "1.2.3"))) as {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, unknown>>;
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
);

test("is OpenAPI 3.1 of this version", () => {
  expect([document.openapi, document.info.version]).toEqual(["3.1.0", "1.2.3"]);
  expect(document.components.securitySchemes).toHaveProperty("session");
});

test("every reference leads somewhere", () => {
  const dangling: string[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === "$ref" && typeof value === "string") {
        const found = value
          .replace(/^#\//, "")
          .split("/")
          .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], document);
        if (!value.startsWith("#/") || found === undefined) dangling.push(value);
      } else walk(value);
    }
  };
  walk(document);
  expect(dangling).toEqual([]);
});

test("every route that is mounted is described, and the reverse", () => {
  const described = operations.map(
    ({ method, path }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`,
  );
  const mounted = api.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(mounted)].sort()).toEqual(described.sort());
});

test("operations have unique names, a summary and one tag", () => {
  const names = operations.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operation } of operations) {
    expect(operation.operationId).toMatch(/^[a-z][A-Za-z]+$/);
    expect(operation.summary?.length).toBeGreaterThan(4);
    expect(operation.tags).toHaveLength(1);
  }
});

test.each(operations)("$method $path names its path parameters, bodies and answers", ({ path, operation }) => {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
  expect(declared.map(({ name }) => name)).toEqual(inPath as string[]);
  expect(declared.every(({ required }) => required)).toBe(true);
  for (const { schema } of Object.values(operation.requestBody?.content ?? {})) expect(schema).toBeDefined();
  const { responses } = operation;
  expect(Object.keys(responses)).toContain("401");
  for (const [status, { description, content }] of Object.entries(responses)) {
    expect(description).toBeTruthy();
    if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(["application/problem+json"]);
    else if (status !== "204") {
      const schemas = Object.values(content ?? {}).map(({ schema }) => schema);
      expect([schemas.length > 0, schemas.includes(undefined)]).toEqual([true, false]);
    }
  }
});

test("its page names every operation and loads nothing", () => {
  const page = docsPage(document);
  for (const { operation } of operations) expect(page).toContain(`id="${operation.operationId}"`);
  expect(page).not.toMatch(/https?:|src=|@import|url\(|<script/);
});
