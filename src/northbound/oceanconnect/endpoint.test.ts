import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { oceanConnectMount } from ".";
import { AUTHORIZED, failing, harness } from "./testing/harness";
import { CALL_SECTIONS, type CallSection, REQUESTS, type Sample, withQuery } from "./testing/requests";

type Row = [status: number, code: string];
const row = ({ status, json }: { status: number; json: { error_code: string } }): Row => [status, json.error_code];
const oneOf =
  <T>(special: Partial<Record<CallSection, T>>, others: T) =>
  (section: CallSection): T =>
    special[section] ?? others;

const COMMANDS = ["1.9.1", "1.9.2", "1.9.3", "1.9.5", "1.9.6"] as const;
const atCommands = (status: number, code: string) =>
  Object.fromEntries(COMMANDS.map((section) => [section, [status, code] as Row]));
const KEY_MISSING = oneOf<Row>({ ...atCommands(500, "100220"), "1.7.2": [500, "100229"] }, [401, "100025"]);
const APP_UNKNOWN = oneOf<Row>(
  {
    "1.5.1": [500, "100203"],
    "1.5.2": [500, "100203"],
    "1.9.1": [200, "100203"],
    "1.9.2": [200, "100203"],
    "1.9.3": [200, "100203"],
    "1.9.7": [200, "100203"],
    "1.7.1": [403, "100217"],
    "1.7.3": [403, "100217"],
    "1.7.4": [403, "100217"],
    "1.7.5": [403, "100217"],
    "1.7.6": [403, "100217"],
  },
  [403, "100203"],
);
const CALLER_UNKNOWN = oneOf<Row>(
  {
    "1.5.3": [500, "100203"],
    "1.9.1": [200, "100203"],
    "1.9.2": [200, "100203"],
    "1.9.3": [200, "100203"],
    "1.9.7": [200, "100203"],
    "1.7.1": [403, "1010005"],
    "1.7.3": [403, "1010005"],
    "1.7.4": [403, "1010005"],
    "1.7.5": [403, "1010005"],
    "1.7.6": [403, "1010005"],
  },
  [403, "100203"],
);
const NOT_AUTHORIZED = oneOf<Row>({ "1.9.3": [200, "100217"], "1.9.7": [200, "100217"] }, [403, "100217"]);
const BAD_INPUT = oneOf<Row>(
  {
    "1.5.1": [400, "50400"],
    "1.5.2": [400, "50400"],
    "1.5.3": [400, "50400"],
    "1.5.8": [400, "50400"],
    "1.6.4": [400, "100216"],
    "1.6.1": [400, "100405"],
    "1.6.2": [400, "100216"],
    "1.6.3": [400, "100216"],
    "1.7.2": [400, "100228"],
  },
  [400, "100022"],
);
const UNREADABLE = oneOf<Row>(
  {
    "1.5.1": [400, "100007"],
    "1.5.8": [400, "50400"],
    "1.5.2": [400, "100007"],
    "1.5.3": [400, "100007"],
    "1.5.4": [400, "50400"],
    "1.7.2": [400, "100228"],
  },
  [400, "100022"],
);
const FAULT = oneOf<Row>({ ...atCommands(500, "100001"), "1.7.2": [500, "100244"] }, [500, "50252"]);

const send = (
  h: ReturnType<typeof harness>,
  { method, path, body }: Sample,
  headers = AUTHORIZED as Record<string, string>,
) => h.call(method, path, body, headers);
const WITH_BODY = CALL_SECTIONS.filter((section) => REQUESTS[section].body);

describe.each(CALL_SECTIONS)("%s", (section) => {
  const sample = REQUESTS[section];

  test("is answered in JSON, or with nothing under 204", async () => {
    const h = harness();
    const answer = await send(h, sample);
    expect(h.faults).toEqual([]);
    if (answer.status === 204 || section === "1.7.2") expect(answer.text).toBe("");
    else expect(answer.type).toBe("application/json; charset=UTF-8");
    expect(answer.json?.error_code).toBeUndefined();
    expect(h.env.caller).toBe("app-1");
  });

  const CREDENTIALS: [name: string, headers: Record<string, string>, expected: Row][] = [
    ["without app_key", { authorization: "Bearer good" }, KEY_MISSING(section)],
    ["with an empty app_key", { app_key: "", authorization: "Bearer good" }, KEY_MISSING(section)],
    ["without a token", { app_key: "app-1" }, [403, "1010005"]],
    ["with another scheme", { app_key: "app-1", authorization: "Basic good" }, [403, "1010005"]],
    ["with a wrong token", { app_key: "app-1", authorization: "Bearer bad" }, [403, "1010005"]],
    ["with another application's key", { app_key: "app-2", authorization: "Bearer good" }, [403, "1010005"]],
  ];
  test.each(CREDENTIALS)("%s is refused before anything is looked at", async (_name, headers, expected) => {
    const h = harness();
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=nobody") }, headers);
    expect(row(answer)).toEqual(expected);
    expect([h.applications.find.mock.calls.length, h.devices.get.mock.calls.length, h.effects()]).toEqual([0, 0, 0]);
  });

  test("too many calls are refused", async () => {
    const h = harness();
    h.tokens.authorize.mockImplementation(failing("THROTTLED"));
    expect(await send(h, sample)).toMatchObject({
      status: 403,
      json: { error_code: "1010009", error_desc: "app throttle exceed." },
    });
    expect(h.effects()).toBe(0);
  });

  test("an application that was deleted meanwhile is told so", async () => {
    const h = harness();
    h.tokens.authorize.mockImplementation(failing("APP_NOT_FOUND"));
    expect(row(await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1") }))).toEqual(
      CALLER_UNKNOWN(section),
    );
    expect(h.effects()).toBe(0);
  });

  test("its own appId may be named; two blanks after Bearer do not matter", async () => {
    const h = harness();
    const headers = { app_key: "app-1", authorization: "bearer  good" };
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1") }, headers);
    expect(answer.json?.error_code).toBeUndefined();
  });

  test.each([
    ["of an application that did not authorise it", "app-2", NOT_AUTHORIZED(section)],
    ["of an unknown application", "app-9", APP_UNKNOWN(section)],
  ])("resources %s are out of reach, whatever else is wrong", async (_name, appId, expected) => {
    const h = harness();
    const body = sample.body && {};
    const answer = await send(h, {
      ...sample,
      path: withQuery(sample.path, `appId=${appId}&pageSize=x`),
      ...(body && { body }),
    });
    expect(row(answer)).toEqual(expected);
    expect([h.devices.get.mock.calls.length, h.effects()]).toEqual([0, 0]);
  });

  test("a parameter that comes twice is ambiguous", async () => {
    const h = harness();
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1&appId=app-2") });
    expect(row(answer)).toEqual(BAD_INPUT(section));
    expect(answer.json.error_detail).toEqual({ issues: [{ field: "appId", reason: "is given more than once" }] });
    expect(h.effects()).toBe(0);
  });

  test("a fault is told without its reason and logged with it", async () => {
    const h = harness();
    const broken = () => {
      throw new Error("disk gone");
    };
    h.tokens.authorize.mockImplementation(broken);
    const answer = await send(h, sample);
    expect(row(answer)).toEqual(FAULT(section));
    expect(answer.text).not.toContain("disk");
    expect(h.faults.map(String)).toEqual(["Error: disk gone"]);
  });

  test("another method is refused in the same form", async () => {
    const h = harness();
    const answer = await h.call("PATCH", sample.path);
    expect(row(answer)).toEqual([405, "100022"]);
    expect(answer.headers.get("allow")).toContain(sample.method);
  });
});

describe.each(WITH_BODY)("the body of %s", (section) => {
  const sample = REQUESTS[section];
  const BAD: [name: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>, expected: Row][] =
    [
      ["that is not JSON", "{", {}, UNREADABLE(section)],
      ["that is empty", "", {}, UNREADABLE(section)],
      ["that is not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), {}, UNREADABLE(section)],
      ["that is nested without end", "[".repeat(100_000), {}, UNREADABLE(section)],
      ["that is no object", "[]", {}, BAD_INPUT(section)],
      ["that is null", "null", {}, BAD_INPUT(section)],
      ["that is a number", "7", {}, BAD_INPUT(section)],
      ["of another type", "{}", { "content-type": "text/plain" }, [415, BAD_INPUT(section)[1]]],
      ["that is too large", `"${"x".repeat(2_000)}"`, {}, [413, BAD_INPUT(section)[1]]],
    ];
  test.each(BAD)("%s is refused", async (name, body, headers, expected) => {
    const h = harness(name.includes("large") ? { body: { maxBytes: 1_000, maxDepth: 32 } } : {});
    const answer = await h.call(sample.method, sample.path, body, { ...AUTHORIZED, ...headers });
    expect(row(answer)).toEqual(expected);
    expect(answer.json.error_detail).toBeDefined();
    expect([h.effects(), h.faults.length]).toEqual([0, 0]);
  });

  test("may have fields that nobody knows", async () => {
    const h = harness();
    const text = JSON.stringify(sample.body).replace(
      "{",
      '{"unknown":{"deep":[1]},"__proto__":{"no":1},"constructor":7,',
    );
    const answer = await h.call(sample.method, sample.path, text);
    expect(answer.json?.error_code).toBeUndefined();
    expect(h.effects()).toBe(1);
  });
});

test.each(["/iocm/nothing", "/iocm/app/dm/v1.4.0/devices/a/b", "/iodm/app", "/iocm/app/sec/v1.1.0/login/"])(
  "%s is unknown, in the same form",
  async (path) => {
    expect(row(await harness().call("GET", path, undefined, {}))).toEqual([404, "100225"]);
  },
);

test("the details of a domain error are shown, to help whoever writes the client", async () => {
  const h = harness();
  h.devices.register.mockImplementation(failing("NODE_ID_TAKEN", { nodeId: "node-1" }));
  expect((await send(h, REQUESTS["1.5.2"])).text).toBe(
    '{"error_code":"100426","error_desc":"The nodeId is duplicated.","error_detail":{"nodeId":"node-1"}}',
  );
});

test("details that say nothing are left out", async () => {
  const h = harness();
  h.devices.get.mockImplementation(failing("DEVICE_NOT_FOUND", { gatewayId: undefined }));
  expect(Object.keys((await send(h, REQUESTS["1.6.1"])).json)).toEqual(["error_code", "error_desc"]);
});

test("what is no Error at all is a fault too", async () => {
  const h = harness();
  h.devices.get.mockImplementation(() => {
    throw "text";
  });
  expect(row(await send(h, REQUESTS["1.6.1"]))).toEqual([500, "50252"]);
  expect(h.faults).toEqual(["text"]);
});

test.each([
  ["a large body", () => new DomainError("PAYLOAD_TOO_LARGE", { maxBytes: 9 }), 413, "100022"],
  ["a fault", () => new Error("disk gone"), 500, "50252"],
] as const)("%s that the front caught is told in this dialect", async (_name, error, status, code) => {
  const h = harness();
  const response = oceanConnectMount(h.app).fail(error(), h.env, "/iocm/x");
  expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/json; charset=UTF-8"]);
  const text = await response.text();
  expect(JSON.parse(text).error_code).toBe(code);
  expect(text).not.toContain("disk");
});
