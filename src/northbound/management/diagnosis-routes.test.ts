import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const TASKS = "/devices/p1_n1/diagnosis-tasks";
const TASK = {
  ...{ taskId: "d1", deviceId: "p1_n1", kind: "collectLog", state: "Success", logBytes: 3 },
  ...{ createdAt: AT_TEXT, processingAt: AT_TEXT, sentAt: AT_TEXT, endedAt: AT_TEXT },
};

test.each(["reboot", "collectLog"])("a %s is asked for", async (kind) => {
  const { ask, calls } = startApi();
  const { status, body } = await ask("POST", TASKS, { kind });
  expect([status, body]).toEqual([201, { ...TASK, kind, state: "Waiting" }]);
  expect(calls).toEqual([["create", "p1_n1", kind]]);
});

test.each([
  ["DIAGNOSIS_UNSUPPORTED", 409],
  ["CONFLICT", 409],
  ["CONGESTED", 503],
  ["DEVICE_NOT_FOUND", 404],
] as const)("%s is told", async (code, status) => {
  const diagnosis = {
    create: async () => {
      throw new DomainError(code, { reason: "why" });
    },
  };
  const { ask } = startApi({ diagnosis: diagnosis as never });
  expect(await ask("POST", TASKS, { kind: "reboot" })).toMatchObject({ status, body: { code, detail: "why" } });
});

test.each([
  [{ kind: "restart" }, "kind"],
  [{}, "kind"],
  [{ kind: "reboot", force: 1 }, "force"],
])("%j is refused", async (body, path) => {
  const { ask, calls } = startApi();
  expect(await ask("POST", TASKS, body)).toMatchObject({ status: 400, body: { errors: [{ path }] } });
  expect(calls).toEqual([]);
});

test.each([
  [`${TASKS}?page=2&pageSize=3&kind=reboot`, { deviceNo: 11, kind: "reboot", state: undefined, page: 1, pageSize: 3 }],
  ["/diagnosis-tasks?state=Fail", { kind: undefined, state: "Fail", page: 0, pageSize: 50 }],
])("%s is a page", async (path, filter) => {
  const { ask, calls } = startApi();
  expect((await ask("GET", path)).body).toEqual({ items: [TASK], total: 41 });
  expect(calls).toEqual([["list", filter]]);
});

test("one is shown, and cancelled", async () => {
  const { ask, calls } = startApi();
  expect((await ask("GET", `${TASKS}/d1`)).body).toEqual(TASK);
  expect(await ask("POST", `${TASKS}/d1/cancel`)).toMatchObject({
    status: 200,
    body: { state: "Fail", reason: "cancelled" },
  });
  expect(calls).toEqual([["cancel", "d1"]]);
});

test("its log is a file, of whatever the device's name is made", async () => {
  const { ask, env, api } = startApi({
    devices: { findById: () => ({ no: 11 }) } as never,
  });
  const { status, headers } = await ask("GET", "/devices/a%22%0a%2F..%2Fé/diagnosis-tasks/d1/log");
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(headers.get("content-disposition")).toBe('attachment; filename="a___..__-d1.log"');
  expect(headers.get("cache-control")).toBe("no-store");
  const authorization = { authorization: "Bearer good" };
  const response = await api.request(`/manage/v1${TASKS}/d1/log`, { headers: authorization }, env);
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(Uint8Array.of(0x4c, 0x6f, 0x67));
  expect((await api.request(`/manage/v1${TASKS}/d1/log`, {}, env)).status).toBe(401);
});

test.each([
  ["GET", `${TASKS}/d2`, "DIAGNOSIS_TASK_NOT_FOUND"],
  ["GET", `${TASKS}/d2/log`, "DIAGNOSIS_TASK_NOT_FOUND"],
  ["POST", `${TASKS}/d2/cancel`, "DIAGNOSIS_TASK_NOT_FOUND"],
  ["GET", "/devices/nobody/diagnosis-tasks", "DEVICE_NOT_FOUND"],
  ["GET", "/devices/nobody/diagnosis-tasks/d1", "DEVICE_NOT_FOUND"],
  ["GET", "/devices/nobody/diagnosis-tasks/d1/log", "DEVICE_NOT_FOUND"],
])("%s %s: %s", async (method, path, code) => {
  const { ask } = startApi();
  expect(await ask(method, path)).toMatchObject({ status: 404, body: { code } });
});
