import { describe, expect, test } from "bun:test";
import { managementOpenApi } from ".";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const routes = Object.entries(managementOpenApi(startApi().api, "1").paths ?? {})
  .flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path] as const))
  .map(([method, path]) => [method, path.replace("/manage/v1", "").replace(/\{\w+\}/g, "5")] as const)
  .filter(([method, path]) => method !== "POST" || path !== "/sessions");

describe.each([...routes, ["GET", "/no/such/path"] as const])("%s %s", (method, path) => {
  test.each([
    ["no token", ""],
    ["another scheme", "Basic good"],
    ["an empty token", "Bearer "],
    ["two tokens", "Bearer good good"],
    ["an unknown or expired token", "Bearer old"],
  ])("with %s does nothing", async (_name, authorization) => {
    const { ask, calls, env } = startApi();
    const { status, body, headers } = await ask(method, path, undefined, { authorization });
    expect([status, body.code, headers.get("www-authenticate")]).toEqual([401, "UNAUTHENTICATED", "Bearer"]);
    expect([calls, env.caller]).toEqual([[], undefined]);
  });
});

test("the caller is told to the access log", async () => {
  const { ask, env } = startApi();
  expect((await ask("GET", "/apps", undefined, { authorization: "bearer  good" })).status).toBe(200);
  expect(env.caller).toBe("admin");
});

describe("POST /sessions", () => {
  const signIn = (body: unknown) => startApi().ask("POST", "/sessions", body, { authorization: "" });
  test("gives a token", async () => {
    const { status, body } = await signIn({ username: "admin", password: "right" });
    expect([status, body]).toEqual([201, { token: "token-of-admin", expiresAt: AT_TEXT }]);
  });
  test("with a wrong password gives none", async () => {
    const { status, body } = await signIn({ username: "admin", password: "wrong" });
    expect([status, body.code]).toEqual([401, "UNAUTHENTICATED"]);
  });
  test("never repeats a password", async () => {
    const { status, body } = await signIn({ username: "admin", password: { s3cret: 1 } });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain("s3cret");
  });
});

test("DELETE /sessions ends the session of the call", async () => {
  const { ask, calls } = startApi();
  expect((await ask("DELETE", "/sessions")).status).toBe(204);
  expect(calls).toEqual([["signOut", "good"]]);
});
