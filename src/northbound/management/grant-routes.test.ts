import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { AT_TEXT, application, startApi } from "./testing/fake-ports";

const basic = { name: application.name, description: application.description, industry: application.industry };
const RESOURCE = JSON.parse(
  JSON.stringify({
    owner: { appId: "app1", ...basic },
    grantee: { appId: "app2", ...basic, name: "reader" },
    access: "query",
    createdAt: AT_TEXT,
  }),
);

test.each<[string, string, unknown, unknown[], number, object]>([
  ["PUT", "/apps/app1/grants/app2", { access: "query" }, ["grant", "app1", "app2", "query"], 200, RESOURCE],
  ["GET", "/apps/app1/grants", undefined, ["given", "app1", 0, 50], 200, { items: [RESOURCE], total: 41 }],
  ["GET", "/apps/app1/grants?page=3&pageSize=2", undefined, ["given", "app1", 2, 2], 200, { total: 41 }],
  ["GET", "/apps/app2/received-grants", undefined, ["received", "app2", 0, 50], 200, { items: [RESOURCE], total: 41 }],
  ["DELETE", "/apps/app1/grants/app2", undefined, ["revoke", "app1", "app2"], 204, {}],
])("%s %s %j", async (method, path, body, call, status, expected) => {
  const { ask, calls } = startApi();
  const answer = await ask(method, path, body);
  expect([answer.status, answer.body]).toMatchObject([status, expected]);
  expect(calls as unknown[]).toEqual([call]);
});

test.each([[{}], [{ access: "all" }], [{ access: "edit", until: 7 }]])("%j authorises nobody", async (body) => {
  const { ask, calls } = startApi();
  expect((await ask("PUT", "/apps/app1/grants/app2", body)).status).toBe(400);
  expect(calls).toEqual([]);
});

test("what was not given cannot be revoked", async () => {
  const none = async () => {
    throw new DomainError("GRANT_NOT_FOUND");
  };
  const grants = { grant: none, given: none as never, received: none as never, revoke: none };
  const { status, body } = await startApi({ grants }).ask("DELETE", "/apps/app1/grants/app2");
  expect([status, body.code]).toEqual([404, "GRANT_NOT_FOUND"]);
});
