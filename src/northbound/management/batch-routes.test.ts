import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { AT, AT_TEXT, startApi } from "./testing/fake-ports";

const TASK = {
  ...{
    taskId: "b1",
    appId: "app1",
    kind: "command",
    name: "all",
    operator: "admin",
    origin: "Portal",
    phase: "running",
  },
  ...{ progress: 333, successRate: 333, total: 3, pending: 1, waiting: 1, success: 1, fail: 0, timeout: 0, expired: 0 },
  ...{ createdAt: AT_TEXT, startAt: AT_TEXT, deadline: AT_TEXT },
};
const TARGETS = { type: "DeviceList", deviceIds: ["a"] };
const COMMANDS = { taskName: "t", targets: TARGETS, timeoutMinutes: 10, serviceId: "S", method: "M" };
const CONFIGURATION = { taskName: "t", targets: TARGETS, values: { sensitivity: "0" } };
const BY = { name: "t", operator: "admin", origin: "Portal", targets: TARGETS };

test("commands, configurations and deletions are created for the operator", async () => {
  const { ask, calls } = startApi();
  const answers = [
    await ask("POST", "/apps/app1/batch-commands", { ...COMMANDS, paras: { a: 1 }, callbackUrl: "http://h:9/c" }),
    await ask("POST", "/apps/app1/batch-configurations", { ...CONFIGURATION, retry: { times: 2 } }),
    await ask("POST", "/apps/app1/batch-configurations", {
      ...{ ...CONFIGURATION, execute: "custom", startTime: AT_TEXT, endTime: AT_TEXT },
    }),
    await ask("POST", "/apps/app1/batch-deletions", { taskName: "t", targets: TARGETS }),
  ];
  expect(answers.map(({ status, body }) => [status, body.taskId, body.kind])).toEqual([
    [201, "b1", "command"],
    [201, "b1", "configuration"],
    [201, "b1", "configuration"],
    [201, "b1", "deletion"],
  ]);
  expect(calls).toEqual([
    [
      "createCommands",
      "app1",
      { ...BY, timeoutMinutes: 10, serviceId: "S", method: "M", paras: { a: 1 }, callbackUrl: "http://h:9/c" },
    ],
    ["createConfiguration", "app1", { ...BY, values: { sensitivity: "0" }, retry: { times: 2, intervalS: 120 } }],
    ["createConfiguration", "app1", { ...BY, values: { sensitivity: "0" }, startAt: AT, endAt: AT }],
    ["createDeletion", "app1", { ...BY, cascade: true }],
  ]);
});

test.each([
  ["batch-commands", { ...COMMANDS, taskName: "" }, "taskName"],
  ["batch-commands", { ...COMMANDS, targets: { type: "Everybody" } }, "targets.type"],
  ["batch-commands", { ...COMMANDS, targets: { type: "DeviceList", deviceIds: [] } }, "targets.deviceIds"],
  ["batch-commands", { ...COMMANDS, maxRetransmit: 4 }, "maxRetransmit"],
  ["batch-configurations", { ...CONFIGURATION, values: [] }, "values"],
  ["batch-configurations", { ...CONFIGURATION, startTime: AT_TEXT }, "(body)"],
  ["batch-configurations", { ...CONFIGURATION, execute: "custom", endTime: AT_TEXT }, "(body)"],
  ["batch-configurations", { ...CONFIGURATION, execute: "custom", startTime: "now", endTime: AT_TEXT }, "startTime"],
  ["batch-deletions", { taskName: "t", targets: { type: "Broadcast", all: true } }, "targets.all"],
  ["batch-deletions", { taskName: "t" }, "targets"],
])("%s with %j is refused", async (path, body, at) => {
  const { ask, calls } = startApi();
  const answer = await ask("POST", `/apps/app1/${path}`, body);
  expect([answer.status, answer.body.code, (answer.body.errors as { path: string }[])[0]?.path]).toEqual([
    ...[400, "INPUT_INVALID", at],
  ] as never);
  expect(calls).toEqual([]);
});

test("a callback address has to be one", async () => {
  const answer = await startApi().ask("POST", "/apps/app1/batch-commands", { ...COMMANDS, callbackUrl: "http://h" });
  expect([answer.status, answer.body.code]).toEqual([400, "CALLBACK_URL_ILLEGAL"]);
});

const form = (fields: Record<string, string | File>) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
};
test("devices are registered with a file", async () => {
  const { ask, calls } = startApi();
  const file = new File(["nodeId\nn1\n"], "devices.csv");
  const answer = await ask("POST", "/apps/app1/batch-registrations", form({ file, taskName: "t", productId: "p1" }));
  expect([answer.status, answer.body.kind]).toEqual([201, "registration"]);
  const { targets: _, ...by } = BY;
  expect(calls).toEqual([
    ["createRegistrations", "app1", { ...by, productId: "p1", fileName: "devices.csv" }, "nodeId\nn1\n"],
  ]);
});
test.each([
  [{ taskName: "t", productId: "p1" }],
  [{ taskName: "t", productId: "p1", file: "nodeId" }],
  [{ file: new File([""], "f"), productId: "p1" }],
  [{ file: new File([""], "f"), taskName: "t" }],
  [{ file: new File([""], "f"), taskName: "t", productId: "p1", more: "x" }],
] as Record<string, string | File>[][])("not with %p", async (fields) => {
  const { ask, calls } = startApi();
  expect(
    (await ask("POST", "/apps/app1/batch-registrations", form(fields as Record<string, string | File>))).status,
  ).toBe(400);
  expect(calls).toEqual([]);
});
test("nor with JSON", async () => {
  const { ask } = startApi();
  expect((await ask("POST", "/apps/app1/batch-registrations", { taskName: "t", productId: "p1" })).status).toBe(415);
});

test.each([
  ["BATCH_NAME_TAKEN", 409],
  ["BATCH_LIMIT_REACHED", 409],
  ["BATCH_TARGET_NOT_FOUND", 404],
  ["TAG_NOT_FOUND", 404],
  ["PRODUCT_NOT_FOUND", 404],
  ["PAYLOAD_TOO_LARGE", 413],
  ["BATCH_FILE_INVALID", 422],
] as const)("%s is told", async (code, status) => {
  const createRegistrations = async () => {
    throw new DomainError(code, { line: 3, reason: "why" });
  };
  const { ask } = startApi({ batch: { createRegistrations } as never });
  const body = form({ file: new File(["x"], "f"), taskName: "t", productId: "p1" });
  expect(await ask("POST", "/apps/app1/batch-registrations", body)).toMatchObject({
    ...{ status, body: { code, detail: "why", details: { line: 3 } } },
  });
});

test("the template has every column", async () => {
  const { body, headers } = await startApi().ask("GET", "/batch-registrations/template");
  expect(body.text).toBe("nodeId,secret,psk,verifyCode,deviceName,description,location,imsi,isSecure,timeout\r\n");
  expect(headers.get("content-disposition")).toBe('attachment; filename="devices.csv"');
});

test("tasks are listed, shown, stopped and deleted", async () => {
  const { ask, calls } = startApi();
  expect((await ask("GET", "/batch-tasks?kind=deletion&phase=ended&page=2&pageSize=5")).body).toEqual({
    items: [TASK],
    total: 41,
  });
  expect((await ask("GET", "/apps/app1/batch-tasks")).body.total).toBe(41);
  expect((await ask("GET", "/batch-tasks/b1")).body).toEqual({
    ...TASK,
    ...{ targets: { type: "DeviceList", deviceIds: ["p1_n1"] }, action: { cascade: true } },
  });
  expect((await ask("POST", "/batch-tasks/b1/stop")).body).toMatchObject({ phase: "closing", ending: "Stopped" });
  expect((await ask("DELETE", "/batch-tasks/b1")).status).toBe(204);
  expect(calls).toEqual([
    ["list", { kind: "deletion", phase: "ended" }, 1, 5],
    ["list", { appNo: 7 }, 0, 50],
    ["stop", "b1"],
    ["delete", "b1"],
  ]);
});

test("sub-tasks are listed", async () => {
  const { ask, calls } = startApi();
  const { body } = await ask("GET", "/batch-tasks/b1/items?status=Fail&target=p1_n1");
  expect(body).toEqual({
    items: [
      {
        ...{ target: "p1_n1", deviceId: "p1_n1", status: "Fail", tries: 0, commandId: "c1", endedAt: AT_TEXT },
        ...{ result: { status: "FAILED", detail: { result: 1 } } },
        error: { code: "COMMAND_FAILED", details: { errcode: 1 } },
      },
    ],
    total: 41,
  });
  expect(calls).toEqual([["items", "b1", { state: "Fail", target: "p1_n1" }, 0, 50]]);
});

test("the result of a registration is a file", async () => {
  const { body, headers } = await startApi().ask("GET", "/batch-tasks/b1/result");
  expect(body.text).toBe("nodeId\r\nn1\r\n");
  expect([headers.get("content-type"), headers.get("cache-control")]).toEqual(["text/csv; charset=utf-8", "no-store"]);
});

test.each([
  ["GET", "/batch-tasks/b2"],
  ["GET", "/batch-tasks/b2/items"],
  ["GET", "/batch-tasks/b2/result"],
  ["POST", "/batch-tasks/b2/stop"],
  ["DELETE", "/batch-tasks/b2"],
])("%s %s is unknown", async (method, path) => {
  const { status, body } = await startApi().ask(method, path);
  expect([status, body.code]).toEqual([404, "BATCH_TASK_NOT_FOUND"]);
});
test("nothing is created for an unknown application", async () => {
  for (const [path, body] of [
    ["batch-commands", COMMANDS],
    ["batch-configurations", CONFIGURATION],
    ["batch-deletions", { taskName: "t", targets: TARGETS }],
    ["batch-registrations", form({ file: new File(["x"], "f"), taskName: "t", productId: "p1" })],
  ] as const)
    expect((await startApi().ask("POST", `/apps/nobody/${path}`, body)).status).toBe(404);
});
