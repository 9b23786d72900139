import { describe, expect, test } from "bun:test";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const RESOURCE = {
  appId: "app1",
  name: "meters",
  industry: "water",
  storeHistory: true,
  pushEnabled: true,
  signPushes: false,
  frozen: false,
  createdAt: AT_TEXT,
};

test("POST /apps shows the secret", async () => {
  const { ask, calls } = startApi();
  const { status, body, headers } = await ask("POST", "/apps", { name: " meters ", storeHistory: true });
  expect(headers.get("cache-control")).toBe("no-store");
  expect([status, body]).toEqual([201, { ...RESOURCE, secret: "s3cret" }]);
  expect(calls).toEqual([["create", { name: "meters", storeHistory: true }]]);
});

describe("POST /apps refuses", () => {
  test.each([
    ["no name", {}, "name", "is required"],
    ["an empty name", { name: "  " }, "name", expect.any(String)],
    ["a name that is no text", { name: 5 }, "name", expect.any(String)],
    ["an unknown field", { name: "x", secrets: 1 }, "secrets", "is not known"],
    ["a limit of nothing", { name: "x", callsPerMinute: 0 }, "callsPerMinute", expect.any(String)],
    ["a list", [], "(body)", expect.any(String)],
    ["null", null, "(body)", expect.any(String)],
  ])("%s, and says where", async (_name, input, path, reason) => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("POST", "/apps", input);
    expect([status, body.code, body.errors]).toEqual([400, "INPUT_INVALID", [{ path, reason }]]);
    expect(calls).toEqual([]);
  });

  const JSON_TYPE = { "content-type": "application/json" };
  test.each([
    ["text that is not JSON", "{", JSON_TYPE, 400, "BODY_MALFORMED"],
    ["an empty body", "", JSON_TYPE, 400, "BODY_MALFORMED"],
    ["no body at all", undefined, {}, 400, "INPUT_INVALID"],
    ["nesting without end", `{"name":${"[".repeat(100)}`, JSON_TYPE, 400, "BODY_MALFORMED"],
    ["more than 2 MB", `{"name":"${"x".repeat(2_200_000)}"}`, JSON_TYPE, 413, "PAYLOAD_TOO_LARGE"],
    ["a form", "name=x", { "content-type": "application/x-www-form-urlencoded" }, 415, "MEDIA_TYPE_UNSUPPORTED"],
    ["an unknown kind", "name: x", { "content-type": "text/yaml" }, 415, "MEDIA_TYPE_UNSUPPORTED"],
  ])("%s", async (_name, input, headers, status, code) => {
    const { ask, calls } = startApi();
    const answer = await ask("POST", "/apps", input, headers as Record<string, string>);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(calls).toEqual([]);
  });

  test("a name that is taken", async () => {
    const { status, body } = await startApi().ask("POST", "/apps", { name: "taken" });
    expect([status, body.code, body.instance, body.requestId]).toEqual([
      409,
      "APP_NAME_TAKEN",
      "/manage/v1/apps",
      "r1",
    ]);
  });
});

describe("GET /apps", () => {
  test.each([
    ["", [0, 50]],
    ["?page=3&pageSize=7", [2, 7]],
    ["?pageSize=1000", [0, 1_000]],
  ])("%s asks for the right page", async (query, expected) => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("GET", `/apps${query}`);
    expect([status, body]).toEqual([200, { items: [RESOURCE], total: 41 }]);
    expect(calls).toEqual([["list", ...expected]]);
  });
  test.each([
    ["page=0", "query.page"],
    ["page=x", "query.page"],
    ["page=1.5", "query.page"],
    ["page=1&page=2", "query.page"],
    ["pageSize=1001", "query.pageSize"],
    ["pagesize=1", "query.pagesize"],
  ])("?%s is refused", async (query, path) => {
    const { status, body } = await startApi().ask("GET", `/apps?${query}`);
    expect([status, body.errors]).toEqual([400, [{ path, reason: expect.any(String) }]]);
  });
});

test("GET /apps/{appId}", async () => {
  const { ask } = startApi();
  expect((await ask("GET", "/apps/app1")).body).toEqual(RESOURCE);
  const { status, body } = await ask("GET", "/apps/other");
  expect([status, body.code]).toEqual([404, "APP_NOT_FOUND"]);
});

describe("PATCH /apps/{appId}", () => {
  test("changes what is given, and takes away what is null", async () => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("PATCH", "/apps/app1", { frozen: true, industry: null, callsPerMinute: 5 });
    expect([status, body.frozen, body.callsPerMinute, "industry" in body]).toEqual([200, true, 5, false]);
    expect(calls).toEqual([["update", "app1", { frozen: true, industry: undefined, callsPerMinute: 5 }]]);
    expect(Object.keys(calls[0]?.[2] as object).sort()).toEqual(["callsPerMinute", "frozen", "industry"]);
  });
  test("never changes the name", async () => {
    const { status, body } = await startApi().ask("PATCH", "/apps/app1", { name: "other" });
    expect([status, body.errors]).toEqual([400, [{ path: "name", reason: "is not known" }]]);
  });
});

test("DELETE /apps/{appId}", async () => {
  const { ask, calls } = startApi();
  expect((await ask("DELETE", "/apps/app1")).status).toBe(204);
  expect((await ask("DELETE", "/apps/other")).status).toBe(404);
  expect(calls).toEqual([["delete", "app1"]]);
});

test("/apps/{appId}/signing-secret is read and renewed", async () => {
  const { ask } = startApi();
  const path = "/apps/app1/signing-secret";
  expect(await ask("GET", path)).toMatchObject({ status: 200, body: { secret: "signing secret of app1" } });
  expect(await ask("POST", path)).toMatchObject({ status: 200, body: { secret: "renewed signing secret of app1" } });
  expect(await ask("GET", "/apps/nobody/signing-secret")).toMatchObject({
    status: 404,
    body: { code: "APP_NOT_FOUND" },
  });
});

test("POST /apps/{appId}/secret needs no body and does not mind an empty one", async () => {
  const { ask } = startApi();
  expect(await ask("POST", "/apps/app1/secret")).toMatchObject({ status: 200, body: { secret: "new secret of app1" } });
  const headers = { "content-type": "application/json" };
  expect(await ask("POST", "/apps/app1/secret", "", headers)).toMatchObject({ status: 200 });
});

test.each([
  ["GET", "/no/such/path", 404, "NOT_FOUND", null],
  ["PUT", "/apps", 405, "METHOD_NOT_ALLOWED", "POST, GET, HEAD"],
  ["POST", "/apps/app1", 405, "METHOD_NOT_ALLOWED", "GET, HEAD, PATCH, DELETE"],
])("%s %s is %i", async (method, path, status, code, allow) => {
  const answer = await startApi().ask(method, path);
  expect([answer.status, answer.body.code, answer.headers.get("allow")]).toEqual([status, code, allow]);
});

test("a fault is reported and not told", async () => {
  const { ask, faults } = startApi({
    applications: {
      get() {
        throw new Error("disk /data gone");
      },
    } as never,
  });
  const { status, body } = await ask("GET", "/apps/app1");
  expect([status, body.code, JSON.stringify(body).includes("disk")]).toEqual([500, "INTERNAL", false]);
  expect(faults).toEqual(["Error: disk /data gone"]);
});
