import { describe, expect, test } from "bun:test";
import { failing, harness } from "./testing/harness";

const LOGIN = "/iocm/app/sec/v1.1.0/login";
const REFRESH = "/iocm/app/sec/v1.1.0/refreshToken";
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const refreshBody = { appId: "app-1", secret: "s", refreshToken: "r" };
const tokens = { scope: "default", tokenType: "Bearer ", expiresIn: 3_600 };

describe("login", () => {
  test.each([
    ["a form", "appId=app-1&secret=a%2Bb+c", FORM],
    [
      "a form that names its charset",
      "secret=a%2Bb+c&appId=app-1&x=y",
      { "content-type": `${FORM["content-type"]};charset=UTF-8` },
    ],
    ["JSON", '{"appId":"app-1","secret":"a+b c"}', {}],
  ])("takes %s, and needs no headers", async (_name, body, headers) => {
    const h = harness();
    const answer = await h.call("POST", LOGIN, body, headers);
    expect(answer).toMatchObject({ status: 200, json: { ...tokens, accessToken: "a", refreshToken: "r" } });
    expect(Object.keys(answer.json)).toEqual(["scope", "tokenType", "expiresIn", "accessToken", "refreshToken"]);
    expect(h.tokens.login.mock.calls).toEqual([["app-1", "a+b c"]]);
    expect(h.tokens.authorize).not.toHaveBeenCalled();
  });

  test.each([
    ["secret=s", FORM, 400, "102202"],
    ["appId=app-1&secret=", FORM, 400, "102202"],
    ["", FORM, 400, "102202"],
    ["appId=a&appId=b&secret=s", FORM, 400, "102202"],
    ["{}", {}, 400, "102202"],
    ['{"appId":"a","secret":null}', {}, 400, "102202"],
    ["{", {}, 400, "102202"],
    ['{"appId":7,"secret":"s"}', {}, 401, "100208"],
    [`appId=app-1&secret=${"x".repeat(257)}`, FORM, 401, "100208"],
    [`appId=${"x".repeat(257)}&secret=s`, FORM, 401, "100208"],
    ["appId=a&secret=s", { "content-type": "text/plain" }, 415, "102202"],
    ["appId=a&secret=s", { "content-type": "multipart/form-data; boundary=x" }, 415, "102202"],
  ])("refuses %p before it looks at the secret", async (body, headers, status, code) => {
    const h = harness();
    expect(await h.call("POST", LOGIN, body, headers)).toMatchObject({ status, json: { error_code: code } });
    expect(h.tokens.login).not.toHaveBeenCalled();
  });

  test.each([
    ["APP_CREDENTIALS_WRONG", 401, "100208", "AppId or secret is not right."],
    ["APP_FROZEN", 400, "100449", "The device is freezed cant operate."],
  ] as const)("%s is %d %s", async (code, status, error_code, error_desc) => {
    const h = harness();
    h.tokens.login.mockImplementation(failing(code));
    const answer = await h.call("POST", LOGIN, { appId: "a", secret: "s" }, {});
    expect(answer).toMatchObject({ status, json: { error_code, error_desc } });
  });

  test("never repeats the secret", async () => {
    const secret = `hunter2${"x".repeat(300)}`;
    expect((await harness().call("POST", LOGIN, { appId: "a", secret }, {})).text).not.toContain("hunter2");
  });

  test("a fault is 50252", async () => {
    const h = harness();
    h.tokens.login.mockImplementation(async () => {
      throw new Error("x");
    });
    expect(await h.call("POST", LOGIN, { appId: "a", secret: "s" }, {})).toMatchObject({
      status: 500,
      json: { error_code: "50252" },
    });
    expect(h.faults).toHaveLength(1);
  });
});

describe("refresh", () => {
  test("gives new tokens", async () => {
    const h = harness();
    const answer = await h.call("POST", REFRESH, refreshBody, {});
    expect(answer).toMatchObject({ status: 200, json: { ...tokens, accessToken: "a2", refreshToken: "r2" } });
    expect(h.tokens.refresh.mock.calls).toEqual([["app-1", "s", "r"]]);
  });

  test.each([
    [{ ...refreshBody, refreshToken: undefined }, 400, "102202"],
    [{ ...refreshBody, secret: "" }, 400, "102202"],
    [{ ...refreshBody, refreshToken: 7 }, 400, "50400"],
    [{ ...refreshBody, appId: "x".repeat(257) }, 400, "50400"],
    ["{", 400, "50400"],
  ])("refuses %j", async (body, status, code) => {
    const h = harness();
    expect(await h.call("POST", REFRESH, body, {})).toMatchObject({ status, json: { error_code: code } });
    expect(h.tokens.refresh).not.toHaveBeenCalled();
  });

  test.each([
    ["REFRESH_TOKEN_INVALID", 400, "50400"],
    ["APP_CREDENTIALS_WRONG", 401, "100208"],
    ["APP_FROZEN", 400, "100449"],
  ] as const)("%s is %d %s", async (code, status, error_code) => {
    const h = harness();
    h.tokens.refresh.mockImplementation(failing(code));
    expect(await h.call("POST", REFRESH, refreshBody, {})).toMatchObject({ status, json: { error_code } });
  });
});
