import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { z } from "zod";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { oceanConnectMount } from ".";
import { endpoints } from "./endpoint";
import { errorRow } from "./errors";
import { AUTHORIZED, failing, harness } from "./testing/harness";
import { CALL_SECTIONS, type CallSection, REQUESTS, type Sample, withQuery } from "./testing/requests";
import { application, otherApplication } from "./testing/samples";

type Row = [status: number, code: string];
const row = ({ status, json }: { status: number; json: { error_code: string } }): Row => [status, json.error_code];
const oneOf =
  <T>(special: Partial<Record<CallSection, T>>, others: T) =>
  (section: CallSection): T =>
    special[section] ?? others;

const inAll = <T>(sections: readonly CallSection[], value: T) =>
  Object.fromEntries(sections.map((section) => [section, value])) as Partial<Record<CallSection, T>>;
const COMMANDS = ["1.9.1", "1.9.2", "1.9.3", "1.9.5", "1.9.6"] as const;
const GROUPS = ["1.11.1", "1.11.2", "1.11.3", "1.11.4", "1.11.5"] as const;
const GROUP_MEMBERS = ["1.11.6", "1.11.7", "1.11.8"] as const;
const LORA = ["1.5.10", "1.5.11", "1.5.12", "1.5.13", "1.5.14", "1.5.15"] as const;

const KEY_MISSING = oneOf<Row>({ ...inAll<Row>([...COMMANDS, ...LORA], [500, "100220"]), "1.7.2": [500, "100229"] }, [
  401,
  "100025",
]);
const APP_UNKNOWN = oneOf<Row>(
  {
    ...inAll<Row>(GROUPS, [200, "100203"]),
    ...inAll<Row>(LORA, [404, "100203"]),
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
    ...inAll<Row>(GROUPS, [200, "100203"]),
    ...inAll<Row>(LORA, [404, "100203"]),
    "1.5.1": [403, "100203"],
    "1.5.2": [403, "100203"],
    "1.7.2": [403, "100203"],
    "1.9.5": [403, "100203"],
    "1.9.6": [403, "100203"],
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
  [500, "100203"],
);
const NOT_AUTHORIZED = oneOf<Row>(
  { "1.9.3": [200, "100217"], "1.9.7": [200, "100217"], ...inAll<Row>(GROUPS, [200, "100217"]) },
  [403, "100217"],
);
/** A right that is not enough. */
const NO_EDIT = (section: CallSection): Row =>
  (LORA as readonly CallSection[]).includes(section) ? [403, "100249"] : NOT_AUTHORIZED(section);
const BAD_INPUT = oneOf<Row>(
  {
    ...inAll<Row>([...GROUPS, ...GROUP_MEMBERS], [400, "50400"]),
    "1.5.1": [400, "50400"],
    "1.5.2": [400, "50400"],
    "1.5.3": [400, "50400"],
    "1.5.8": [400, "50400"],
    "1.10.1": [400, "50400"],
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
    "1.10.1": [400, "50400"],
    "1.5.2": [400, "100007"],
    "1.5.3": [400, "100007"],
    "1.5.4": [400, "50400"],
    "1.5.8": [400, "50400"],
    "1.7.2": [400, "100228"],
    ...inAll<Row>([...GROUPS, ...GROUP_MEMBERS], [400, "50400"]),
  },
  [400, "100022"],
);
const FAULT = oneOf<Row>({ ...inAll<Row>([...COMMANDS, ...LORA], [500, "100001"]), "1.7.2": [500, "100244"] }, [
  500,
  "50252",
]);

const send = (
  h: ReturnType<typeof harness>,
  { method, path, body }: Sample,
  headers = AUTHORIZED as Record<string, string>,
) => h.call(method, path, body, headers);
/** app-2 calls in place of app-1, whose things the samples are about. */
function callerIsOther(access: "query" | "edit" | undefined) {
  const h = harness();
  h.tokens.authorize.mockResolvedValue(otherApplication);
  h.grants.accessOf.mockImplementation((owner, grantee) =>
    owner === application.no && grantee === otherApplication.no ? access : undefined,
  );
  return h;
}
/** With the right to read only: what is read, and what concerns the caller's own address. */
const isRead = (section: CallSection) =>
  REQUESTS[section].method === "GET" || section === "1.7.1" || section === "1.7.6";
const OWN_ONLY: readonly CallSection[] = ["1.7.2"];
const NAMES_OWNER = CALL_SECTIONS.filter((section) => !OWN_ONLY.includes(section));
const IN_BODY: readonly [CallSection, field: string][] = [
  ["1.5.10", "ownerAppId"],
  ["1.5.11", "ownerAppId"],
  ["1.7.1", "appId"],
  ["1.11.1", "appId"],
];

const WITH_BODY = CALL_SECTIONS.filter((section) => REQUESTS[section].body);

describe.each(CALL_SECTIONS)("%s", (section) => {
  const sample = REQUESTS[section];

  test("is answered in JSON, or with nothing where the document has nothing", async () => {
    const h = harness();
    const answer = await send(h, sample);
    expect(h.faults).toEqual([]);
    const isSilent = answer.status === 204 || ["1.7.2", "1.11.2", "1.11.8"].includes(section);
    if (isSilent) expect([answer.text, answer.type]).toEqual(["", null]);
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

describe.each(NAMES_OWNER)("%s for an application that is named", (section) => {
  const sample = REQUESTS[section];

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

  test("the right to read is enough to read, and for nothing else", async () => {
    const h = callerIsOther("query");
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1") });
    if (isRead(section)) expect(answer.json?.error_code).toBeUndefined();
    else expect([row(answer), h.effects()]).toEqual([NO_EDIT(section), 0]);
    expect(h.env.caller).toBe("app-2");
  });

  test("who may edit acts like the owner", async () => {
    const h = callerIsOther("edit");
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1") });
    const own = harness();
    const { status, text } = await send(own, sample);
    expect([answer.status, answer.text, h.effects()]).toEqual([status, text, own.effects()]);
  });

  test("the right is not the reverse one, and is needed to be named", async () => {
    const h = harness();
    h.grants.accessOf.mockImplementation((owner) => (owner === application.no ? "edit" : undefined));
    expect(row(await send(h, { ...sample, path: withQuery(sample.path, "appId=app-2") }))).toEqual(
      NOT_AUTHORIZED(section),
    );
    expect(h.effects()).toBe(0);
  });

  test("a parameter that comes twice is ambiguous", async () => {
    const h = harness();
    const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-1&appId=app-2") });
    expect(row(answer)).toEqual(BAD_INPUT(section));
    expect(answer.json.error_detail).toEqual({ issues: [{ field: "appId", reason: "is given more than once" }] });
    expect(h.effects()).toBe(0);
  });
});

test.each(OWN_ONLY)("%s has no parameter for an owner: who names one acts for itself", async (section) => {
  const h = callerIsOther("edit");
  const sample = REQUESTS[section];
  const answer = await send(h, {
    ...sample,
    path: withQuery(sample.path, "appId=app-1&appId=app-9"),
    body: { ...sample.body, appId: "app-1" },
  });
  expect(answer.json?.error_code).toBeUndefined();
  expect(h.subscriptions.subscribe.mock.calls).toMatchObject([[{ appNo: otherApplication.no, appId: "app-2" }]]);
});

test.each(IN_BODY)("the body of %s may name the owner too, as %s, the same one", async (section, field) => {
  const sample = REQUESTS[section];
  const body = { ...sample.body, [field]: "app-1" };
  const h = callerIsOther("edit");
  const answer = await send(h, { ...sample, path: withQuery(sample.path, "appId=app-2"), body });
  expect([row(answer), h.effects()]).toEqual([BAD_INPUT(section), 0]);
  expect((await send(callerIsOther("edit"), { ...sample, body })).json?.error_code).toBeUndefined();
  expect(row(await send(callerIsOther(undefined), { ...sample, body }))).toEqual(NOT_AUTHORIZED(section));
});

describe("names of the owner", () => {
  const { tokens, applications, grants } = callerIsOther("query");
  const calls = endpoints({ tokens, applications, grants, bodyLimits: { maxBytes: 1_000, maxDepth: 8 } });
  const whose = ({ application: { id }, access }: { application: { id: string }; access: string }) =>
    ({ status: 200, json: [id, access] as [string, string] }) as const;
  const response = { status: 200, schema: z.tuple([z.string(), z.string()]) } as const;
  const app = new Hono<FrontEnv>()
    .get("/access", calls.call("1.6.1", { needs: "query", owner: "accessAppId", response }, whose))
    .get("/owner", calls.call("1.6.1", { needs: "query", owner: "ownerAppId", response }, whose))
    .post(
      "/owner",
      calls.call(
        "1.6.1",
        { needs: "query", owner: "ownerAppId", ownerInBody: true, body: z.object({}), response },
        whose,
      ),
    )
    .get("/own", calls.call("1.6.1", { needs: "own", response }, whose));
  const ask = async (path: string, body?: object) => {
    const init = body && { method: "POST", body: JSON.stringify(body) };
    const headers = { ...AUTHORIZED, "content-type": "application/json" };
    const { env } = harness();
    return (await app.request(path, { headers, ...init }, env)).json();
  };
  test.each([
    ["/access?accessAppId=app-1", undefined, ["app-1", "query"]],
    ["/access?appId=app-1", undefined, ["app-1", "query"]],
    ["/access?appId=app-1&accessAppId=app-1", undefined, ["app-1", "query"]],
    ["/owner?ownerAppId=app-1", undefined, ["app-1", "query"]],
    ["/owner", { ownerAppId: "app-1" }, ["app-1", "query"]],
    ["/owner", { appId: "app-1" }, ["app-2", "edit"]],
    ["/owner?accessAppId=app-1", undefined, ["app-2", "edit"]],
    ["/own?appId=app-1&accessAppId=app-1", undefined, ["app-2", "edit"]],
  ])("%s %j", async (path, body, expected) => {
    expect(await ask(path, body)).toEqual(expected);
  });
  test.each([
    ["/access?appId=app-2&accessAppId=app-1", undefined, "appId"],
    ["/owner?ownerAppId=app-2", { ownerAppId: "app-1" }, "ownerAppId"],
  ])("%s %j is ambiguous", async (path, body, field) => {
    expect(await ask(path, body)).toMatchObject({ error_code: "100405", error_detail: { issues: [{ field }] } });
  });
});

const NOT_ALLOWED = "The operation is not allowed.";
const NO_EDIT_PERMISSION = "The application does not have edit permission.";
test.each([
  ...["1.5.10", "1.5.11", "1.5.13"].map((section) => [section, "100249", `${NOT_ALLOWED} ${NO_EDIT_PERMISSION}`]),
  ...["1.5.12", "1.5.14", "1.5.15"].map((section) => [section, "100249", `${NOT_ALLOWED}${NO_EDIT_PERMISSION}`]),
  ["1.9.7", "100217", "The application hasn't been authorized."],
  ["1.11.2", "100217", "The application hasn't been authorized"],
])("at %s a right that is not enough is %s", (section, code, desc) => {
  expect(errorRow(section as CallSection, "APP_EDIT_NOT_AUTHORIZED")).toMatchObject({ code, desc });
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

test.each([
  "/iocm/nothing",
  "/api/v3.0/devices/lora/server",
  "/iocm/app/dm/v1.4.0/devices/a/b",
  "/iodm/app",
  "/iocm/app/sec/v1.1.0/login/",
])("%s is unknown, in the same form", async (path) => {
  expect(row(await harness().call("GET", path, undefined, {}))).toEqual([404, "100225"]);
});

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
