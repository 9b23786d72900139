import { describe, expect, test } from "bun:test";
import { AT, AT_TEXT, startApi } from "./testing/fake-ports";

const TRACE = { at: AT_TEXT, kind: "login", outcome: "failed", reason: "wrong_password" };
const TARGET = {
  targetNo: 5,
  callbackUrl: "http://receiver:9000/x",
  channel: "HTTP",
  state: "invalid",
  failedRetries: 10,
  invalidSince: AT_TEXT,
  waiting: 1,
  inFlight: 0,
  deadLetters: 2,
  delivered: 3,
  failedAttempts: 10,
  givenUp: 2,
};
const CERTIFICATE = { hostPort: "receiver:9000", ca: "PEM", checkCommonName: true, sni: false, createdAt: AT_TEXT };
const page = (...items: unknown[]) => ({ items, total: 41 });
const SPAN = "from=2026-01-31T12:00:00Z&to=2026-01-31T12:00:01.5Z";

describe("what is asked of the services, and how it is shown:", () => {
  test.each<[path: string, call: unknown[] | undefined, body: unknown]>([
    [
      `/devices/p1_n1/history?page=2&pageSize=3&${SPAN}`,
      ["page", { deviceNos: [11], fromMs: AT, toMs: AT + 1_500, page: 1, pageSize: 3 }],
      page({ serviceId: "Climate", timestamp: AT_TEXT, data: { temperature: 21 } }),
    ],
    [
      "/devices/p1_n1/shadow",
      undefined,
      {
        items: [
          {
            serviceId: "Alarm",
            reported: {},
            desired: { on: { value: true, setAt: AT_TEXT, state: "delivered", settledAt: AT_TEXT } },
            olderTimes: {},
          },
          {
            serviceId: "Climate",
            reported: { temperature: 21 },
            desired: {
              target: { value: 20, setAt: AT_TEXT, state: "sending", tries: 2 },
              mode: { value: "ECO", setAt: AT_TEXT, state: "failed", settledAt: AT_TEXT, reason: "4.05" },
            },
            eventTime: AT_TEXT,
            olderTimes: { battery: AT_TEXT },
          },
        ],
        total: 2,
      },
    ],
    [
      `/devices/p1_n1/shadow/desired/history?serviceId=Climate&property=target&page=2&pageSize=3&${SPAN}`,
      [
        "history",
        {
          deviceNos: [11],
          serviceId: "Climate",
          property: "target",
          fromMs: AT,
          toMs: AT + 1_500,
          page: 1,
          pageSize: 3,
        },
      ],
      page({ serviceId: "Climate", desired: { target: 20 }, setAt: AT_TEXT }),
    ],
    [
      "/devices/p1_n1/commands?status=SUCCESSFUL",
      ["query", "app1", { deviceId: "p1_n1", status: "SUCCESSFUL", pageNo: 0, pageSize: 50 }],
      page({
        commandId: "c1",
        origin: "signal",
        dispatch: "connected",
        serviceId: "Climate",
        method: "SET",
        paras: { target: 21 },
        mode: "ACK",
        status: "SUCCESSFUL",
        result: { errcode: 0, body: { ok: true } },
        issuedTimes: 1,
        createdAt: AT_TEXT,
        sentAt: AT_TEXT,
        deliveredAt: AT_TEXT,
      }),
    ],
    ["/devices/p1_n1/trace?pageSize=5", ["find", { deviceNo: 11 }, 0, 5], page(TRACE)],
    ["/trace?claimedId=nobody", ["find", { claimedId: "nobody" }, 0, 50], page({ ...TRACE, claimedId: "nobody" })],
    ["/apps/app1/push-targets", undefined, { items: [TARGET], total: 1 }],
    ["/apps/app1/push-targets?page=2", undefined, { items: [], total: 1 }],
    ["/push-targets/5", undefined, TARGET],
    [
      "/push-targets/5/attempts?outcome=failed&notificationId=9",
      ["attempts", { targetNo: 5, outcome: "failed", notificationId: 9 }, 0, 50],
      page({
        notificationId: 9,
        at: AT_TEXT,
        notifyType: "deviceDataChanged",
        deviceNo: 11,
        attempt: 1,
        reason: "status_503",
        status: 503,
        latencyMs: 1.5,
      }),
    ],
    [
      "/push-targets/5/dead-letters",
      ["deadLetters", 5, 0, 50],
      page({
        id: 4,
        notifyType: "deviceDataChanged",
        body: "{}",
        createdAt: AT_TEXT,
        givenUpAt: AT_TEXT,
        attempts: 11,
        reason: "expired",
      }),
    ],
    ["/apps/app1/push-certificates", undefined, { items: [CERTIFICATE], total: 1 }],
    [
      "/apps/app1/subscriptions?notifyType=deviceDataChanged&page=2",
      ["list", 7, { notifyType: "deviceDataChanged" }, 1, 50],
      page({
        subscriptionId: "s1",
        notifyType: "deviceDataChanged",
        callbackUrl: "http://receiver:9000/x",
        channel: "HTTP",
        createdAt: AT_TEXT,
      }),
    ],
  ])("GET %s", async (path, call, body) => {
    const { ask, calls } = startApi();
    const answer = await ask("GET", path);
    expect([answer.status, answer.body]).toEqual([200, body as Record<string, unknown>]);
    expect(calls).toEqual(call ? [call as never] : []);
  });
});

test("a command that waits can be cancelled", async () => {
  const { ask, calls } = startApi();
  const answer = await ask("POST", "/devices/p1_n1/commands/c1/cancel");
  expect([answer.status, answer.body]).toMatchObject([
    200,
    {
      commandId: "c1",
      dispatch: "cached",
      status: "CANCELED",
      maxRetransmit: 2,
      expiresAt: "2026-01-31T12:01:00.000Z",
    },
  ]);
  expect(calls).toEqual([["cancel", "app1", "c1"]] as never);
});
test.each([
  ["/devices/nobody/commands/c1/cancel", "DEVICE_NOT_FOUND"],
  ["/devices/p1_n1/commands/c2/cancel", "COMMAND_NOT_FOUND"],
])("POST %s is 404 %s", async (path, code) => {
  const { ask, calls } = startApi();
  const answer = await ask("POST", path);
  expect([answer.status, answer.body.code]).toEqual([404, code]);
  expect(calls).toEqual([]);
});

test.each([
  ["/devices/nobody/history", 404, "DEVICE_NOT_FOUND"],
  ["/devices/nobody/shadow", 404, "DEVICE_NOT_FOUND"],
  ["/devices/nobody/shadow/desired/history", 404, "DEVICE_NOT_FOUND"],
  ["/devices/nobody/commands", 404, "DEVICE_NOT_FOUND"],
  ["/devices/nobody/trace", 404, "DEVICE_NOT_FOUND"],
  ["/devices/p1_n1/history?from=yesterday", 400, "INPUT_INVALID"],
  ["/devices/p1_n1/commands?status=DONE", 400, "INPUT_INVALID"],
  ["/trace", 400, "INPUT_INVALID"],
  ["/push-targets/6", 404, "NOT_FOUND"],
  ["/push-targets/6/attempts", 404, "NOT_FOUND"],
  ["/push-targets/six", 400, "INPUT_INVALID"],
  ["/push-targets/5/attempts?outcome=maybe", 400, "INPUT_INVALID"],
  ["/apps/other/push-targets", 404, "APP_NOT_FOUND"],
  ["/apps/other/subscriptions", 404, "APP_NOT_FOUND"],
  ["/apps/app1/subscriptions?notifyType=everything", 400, "INPUT_INVALID"],
])("GET %s is %i %s", async (path, status, code) => {
  const { ask, calls } = startApi();
  const answer = await ask("GET", path);
  expect([answer.status, answer.body.code, calls]).toEqual([status, code, []]);
});

describe("PUT /devices/{deviceId}/shadow/desired", () => {
  const path = "/devices/p1_n1/shadow/desired";
  const services = [{ serviceId: "Climate", desired: { target: 20, "Model Number": null } }];
  test("hands on what is wanted", async () => {
    const { ask, calls } = startApi();
    expect((await ask("PUT", path, { services })).status).toBe(204);
    expect(calls).toEqual([["want", "p1_n1", services]]);
  });
  test.each([
    [{}],
    [{ services: [] }],
    [{ services: [{ serviceId: "Climate" }] }],
    [{ services: [{ serviceId: "", desired: {} }] }],
    [{ services: [{ serviceId: "Climate", desired: [] }] }],
    [{ services, more: 1 }],
  ])("with %j is refused", async (body) => {
    const { ask, calls } = startApi();
    expect(await ask("PUT", path, body)).toMatchObject({ status: 400, body: { code: "INPUT_INVALID" } });
    expect(calls).toEqual([]);
  });
  test("of an unknown device, or what the service refuses, is told", async () => {
    const { ask } = startApi();
    expect((await ask("PUT", "/devices/nobody/shadow/desired", { services })).body.code).toBe("DEVICE_NOT_FOUND");
    const nothing = { services: [{ serviceId: "Nothing", desired: {} }] };
    expect(await ask("PUT", path, nothing)).toMatchObject({ status: 404, body: { code: "SERVICE_NOT_FOUND" } });
  });
});

describe("POST /push-targets/{targetNo}/replay", () => {
  test.each([["all"], [[4, 5]]])("of %p", async (ids) => {
    const { ask, calls } = startApi();
    expect(await ask("POST", "/push-targets/5/replay", { ids })).toMatchObject({ status: 200, body: { replayed: 2 } });
    expect(calls).toEqual([["replay", 5, ids]]);
  });
  test.each([[{}], [{ ids: [] }], [{ ids: "some" }], [{ ids: ["4"] }]])("with %j is refused", async (body) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", "/push-targets/5/replay", body)).status).toBe(400);
    expect(calls).toEqual([]);
  });
});

describe("push certificates", () => {
  test("are added with what was given", async () => {
    const { ask, calls } = startApi();
    const input = { hostPort: "receiver:9000", ca: "PEM", sni: true };
    const { status, body } = await ask("POST", "/apps/app1/push-certificates", input);
    expect([status, body]).toEqual([201, { ...CERTIFICATE, sni: true }]);
    expect(calls).toEqual([["add", "app1", input]]);
  });
  test("need an address and a PEM", async () => {
    const { body } = await startApi().ask("POST", "/apps/app1/push-certificates", { sni: "yes" });
    expect((body.errors as { path: string }[]).map(({ path }) => path)).toEqual(["hostPort", "ca", "sni"]);
  });
  test.each([
    ["receiver:9000", 204],
    ["RECEIVER%3A9000", 204],
    ["other:9000", 404],
  ])("DELETE %s is %i", async (hostPort, status) => {
    expect((await startApi().ask("DELETE", `/apps/app1/push-certificates/${hostPort}`)).status).toBe(status);
  });
});
