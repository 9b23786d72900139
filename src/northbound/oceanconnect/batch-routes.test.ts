import { describe, expect, test } from "bun:test";
import type { Item, SpecOf } from "../../capabilities/batch/task";
import type { CommandId } from "../../capabilities/commands/command";
import type { DomainErrorCode } from "../../platform/domain-error";
import { batchItem, batchSpec, batchTask, failing, harness } from "./testing/harness";
import { type CallSection, REQUESTS } from "./testing/requests";

const TASKS = "/iocm/app/batchtask/v1.1.0/tasks";
const DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails";
const BODY = REQUESTS["1.10.1"].body as { param: Record<string, unknown> } & Record<string, unknown>;
const withParam = (param: object) => ({ ...BODY, param: { ...BODY.param, ...param } });

test("1.10.1 creates a task", async () => {
  const h = harness();
  const tags = [{ tagName: "site", tagValue: "north" }];
  const param = { callbackUrl: "http://h:9/c", maxRetransmit: 2, groupTag: "floor" };
  const { status, json } = await h.call("POST", TASKS, { ...withParam(param), appId: "app-1", tags });
  expect([status, json]).toEqual([200, { taskID: "b1" }]);
  expect(h.batch.createCommands.mock.calls).toEqual([
    [
      "app-1",
      {
        ...{ name: "all meters", operator: batchTask.operator, origin: "Northbound", timeoutMinutes: 10, tags },
        ...{ targets: { type: "Broadcast" }, groupTag: "floor", callbackUrl: "http://h:9/c", maxRetransmit: 2 },
        ...{ serviceId: "Battery", method: "SET", paras: { mode: "ECO" } },
      },
    ],
  ] as never);
});

test.each([
  [
    { type: "DeviceList", deviceList: ["a", "b"] },
    { type: "DeviceList", deviceIds: ["a", "b"] },
  ],
  [
    { type: "DeviceType", deviceType: "Meter" },
    { type: "DeviceType", deviceType: "Meter" },
  ],
  [
    { type: "DeviceType", deviceType: "Meter", manufacturerId: "M", model: "m" },
    { type: "DeviceType", deviceType: "Meter", manufacturerId: "M", model: "m" },
  ],
  [
    { type: "DeviceArea", deviceLocation: "roof" },
    { type: "DeviceArea", location: "roof" },
  ],
  [
    { type: "GroupList", groupList: ["g"] },
    { type: "GroupList", groups: ["g"] },
  ],
  [
    { type: "GroupIdList", groupList: ["g"] },
    { type: "GroupIdList", groups: ["g"] },
  ],
  [{ type: "Broadcast", deviceList: [], deviceType: null }, { type: "Broadcast" }],
])("the targets %j are understood, and shown again", async (given, targets) => {
  const h = harness();
  expect((await h.call("POST", TASKS, withParam(given))).status).toBe(200);
  expect(h.batch.createCommands.mock.calls[0]?.[1].targets as never).toEqual(targets as never);
  h.batch.spec.mockImplementation(() => ({ ...batchSpec, targets }) as SpecOf<"command">);
  const { json } = await h.call("GET", `${TASKS}/b1`);
  const { deviceList: _, deviceType: __, ...shown } = given as Record<string, unknown>;
  expect(json.param).toMatchObject(given.type === "Broadcast" ? shown : given);
});

test("numbers may come as texts, and empty texts as nothing", async () => {
  const h = harness();
  const body = { ...withParam({ maxRetransmit: "3", callbackUrl: "", groupTag: "" }), timeout: "2880" };
  expect((await h.call("POST", TASKS, body)).status).toBe(200);
  expect(h.batch.createCommands.mock.calls[0]?.[1]).toMatchObject({
    ...{ timeoutMinutes: 2_880, maxRetransmit: 3, callbackUrl: undefined, groupTag: undefined },
  });
});

const WRONG: [name: string, body: unknown, field: string][] = [
  ["no name", { ...BODY, taskName: "" }, "taskName"],
  ["a long name", { ...BODY, taskName: "x".repeat(257) }, "taskName"],
  ["another type", { ...BODY, taskType: "DeviceReg" }, "taskType"],
  ["no timeout", { ...BODY, timeout: undefined }, "timeout"],
  ["half a minute", { ...BODY, timeout: 10.5 }, "timeout"],
  ["no param", { ...BODY, param: undefined }, "param"],
  ["an unknown kind of target", withParam({ type: "Everybody" }), "param.type"],
  ["no devices", withParam({ type: "DeviceList" }), "param.deviceList"],
  ["devices that are none", withParam({ type: "DeviceList", deviceList: [7] }), "param.deviceList.0"],
  ["no device type", withParam({ type: "DeviceType" }), "param.deviceType"],
  ["no location", withParam({ type: "DeviceArea" }), "param.deviceLocation"],
  ["no groups", withParam({ type: "GroupList" }), "param.groupList"],
  ["no group ids", withParam({ type: "GroupIdList", groupList: null }), "param.groupList"],
  ["no command", withParam({ command: undefined }), "param.command"],
  ["no service", withParam({ command: { method: "SET" } }), "param.command.serviceId"],
  ["a long service", withParam({ command: { serviceId: "x".repeat(65), method: "SET" } }), "param.command.serviceId"],
  ["no method", withParam({ command: { serviceId: "S" } }), "param.command.method"],
  ["a long method", withParam({ command: { serviceId: "S", method: "x".repeat(129) } }), "param.command.method"],
  ["paras that are none", withParam({ command: { serviceId: "S", method: "M", paras: [] } }), "param.command.paras"],
  ["four retransmissions", withParam({ maxRetransmit: 4 }), "param.maxRetransmit"],
  ["a tag without a name", { ...BODY, tags: [{ tagName: "", tagValue: "v" }] }, "tags.0.tagName"],
  ["a tag with a long name", { ...BODY, tags: [{ tagName: "x".repeat(129), tagValue: "v" }] }, "tags.0.tagName"],
  ["a tag with a long value", { ...BODY, tags: [{ tagName: "n", tagValue: "x".repeat(1_025) }] }, "tags.0.tagValue"],
  ["a long appId that is nobody's type", { ...BODY, appId: 7 }, "appId"],
];
test.each(WRONG)("1.10.1 with %s is refused", async (_name, body, field) => {
  const h = harness();
  const { status, json } = await h.call("POST", TASKS, body);
  expect([status, json.error_code, json.error_desc]).toEqual([400, "50400", "The input is invalid."]);
  expect(json.error_detail.issues[0].field).toBe(field);
  expect(h.effects()).toBe(0);
});
test.each(["ftp://h:9/c", "http://h/c", "http://h:9"])("the callback address %s is refused", async (callbackUrl) => {
  const h = harness();
  const { status, json } = await h.call("POST", TASKS, withParam({ callbackUrl }));
  expect([status, json.error_code, h.effects()]).toEqual([400, "50400", 0]);
});

test("the paras may be left out", async () => {
  const h = harness();
  await h.call("POST", TASKS, withParam({ command: { serviceId: "S", method: "M" } }));
  expect(h.batch.createCommands.mock.calls[0]?.[1].paras).toEqual({});
});

const ROWS: [CallSection, DomainErrorCode, status: number, code: string, desc: string][] = [
  ["1.10.1", "BATCH_LIMIT_REACHED", 200, "105001", "The batchTask count has reached the limit."],
  ["1.10.1", "BATCH_NAME_TAKEN", 200, "105002", "The batchTask name has exist."],
  ["1.10.1", "BATCH_TARGET_NOT_FOUND", 200, "101001", "Resource doesn't exist."],
  ["1.10.1", "TAG_USED", 400, "105201", "The tagName and tagValue has been used on the platform."],
  ["1.10.1", "TAG_NOT_FOUND", 404, "105202", "The tag is not existed."],
  ["1.10.1", "INPUT_INVALID", 400, "50400", "The input is invalid."],
  ["1.10.1", "APP_NOT_AUTHORIZED", 403, "100217", "The application hasn't been authorized."],
  ["1.10.1", "APP_NOT_FOUND", 403, "100203", "The application is not existed."],
  ["1.10.2", "BATCH_TASK_NOT_FOUND", 404, "105005", "The batchTask is not existed."],
  ["1.10.2", "APP_NOT_AUTHORIZED", 403, "100217", "The application hasn't been authorized"],
  ["1.10.2", "APP_NOT_FOUND", 403, "100203", "The application is not existed."],
  ["1.10.3", "BATCH_TASK_NOT_FOUND", 404, "105005", "The batchTask is not existed."],
  ["1.10.3", "APP_NOT_AUTHORIZED", 403, "100217", "The application hasn't been authorized"],
  ["1.10.3", "APP_NOT_FOUND", 403, "100203", "The application is not existed."],
];
test.each(ROWS)("%s tells %s", async (section, code, ...row) => {
  const h = harness();
  h.batch.createCommands.mockImplementation(failing(code) as never);
  h.batch.get.mockImplementation(failing(code));
  const { method, path, body } = REQUESTS[section];
  const { status, json } = await h.call(method, path, body);
  expect([status, json.error_code, json.error_desc]).toEqual(row);
});

test("1.10.2 shows a task, with its time limit in seconds and its rates per mille", async () => {
  const h = harness();
  const { status, json } = await h.call("GET", `${TASKS}/b1?appId=app-1`);
  expect([status, json]).toEqual([
    200,
    {
      ...{ appId: "app-1", taskId: "b1", taskName: "all meters", operator: batchTask.operator, taskFrom: "Northbound" },
      ...{ taskType: "DeviceCmd", status: "Running", startTime: json.startTime, timeout: 600, progress: 714 },
      ...{ totalCnt: 7, successCnt: 2, failCnt: 1, timeoutCnt: 2, expiredCnt: 1, completeCnt: 5, successRate: 285 },
      param: {
        ...{ type: "Broadcast", command: { serviceId: "Battery", method: "SET", paras: { mode: "ECO" } } },
        ...{ callbackUrl: null, maxRetransmit: null, groupTag: null },
      },
    },
  ]);
  expect(json.startTime).toMatch(/^\d{8}T\d{6}Z$/);
  const tagged = await h.call("GET", `${TASKS}/b1?select=tag`);
  expect(tagged.json.tags).toEqual([{ tagName: "site", tagValue: "north" }]);
});

test.each([
  [`${TASKS}/`, "100019", "Illegal request."],
  [`${TASKS}/%20`, "100019", "Illegal request."],
  [`${TASKS}/b1?select=all`, "100022", "The input is invalid"],
  [DETAILS, "100022", "The input is invalid"],
  [`${DETAILS}?taskId=b1&status=Done`, "100022", "The input is invalid"],
  [`${DETAILS}?taskId=b1&pageNo=-1`, "100022", "The input is invalid"],
  [`${DETAILS}?taskId=b1&pageSize=0`, "100022", "The input is invalid"],
  [`${DETAILS}?taskId=b1&pageSize=251`, "100022", "The input is invalid"],
  [`${DETAILS}?taskId=b1&taskId=b2`, "100022", "The input is invalid"],
])("%s is refused", async (path, code, desc) => {
  const { status, json } = await harness().call("GET", path);
  expect([status, json.error_code, json.error_desc]).toEqual([400, code, desc]);
});

test("a task of nobody, or of another application, is not there", async () => {
  for (const path of [`${TASKS}/b2`, `${DETAILS}?taskId=b2`])
    expect((await harness().call("GET", path)).json.error_code).toBe("105005");
});

test("1.10.3 shows sub-tasks by pages and filters", async () => {
  const h = harness();
  const { json } = await h.call("GET", `${DETAILS}?taskId=b1`);
  expect(json).toEqual({
    ...{ pageNo: 0, pageSize: 25, totalCount: 41 },
    taskDetails: [
      {
        ...{ status: "WaitResult", output: '{"requestId":"c1","commandResult":null}', error: null },
        param: { deviceId: batchItem.target, commandId: "c1" },
      },
    ],
  });
  await h.call("GET", `${DETAILS}?taskId=b1&status=Fail&deviceId=d&commandId=c&pageNo=3&pageSize=250`);
  expect(h.batch.items.mock.calls.map((call) => call.slice(1))).toEqual([
    [{ state: undefined, target: undefined, commandId: undefined }, 0, 25],
    [{ state: "Fail", target: "d", commandId: "c" }, 3, 250],
  ] as never);
});

describe("a sub-task of 1.10.3", () => {
  const pending = { commandNo: undefined, commandId: undefined };
  const made = { commandNo: 1, commandId: "c1" as CommandId };
  const output = (commandResult: unknown) => JSON.stringify({ requestId: "c1", commandResult });
  const error = (error_code: string, error_desc: string, error_detail?: object) => ({
    ...{ error_code, error_desc },
    ...(error_detail && { error_detail }),
  });
  const ITEMS: [item: Partial<Item>, output: string | null, error: object | null][] = [
    [{ state: "Pending", ...pending }, null, null],
    [
      { state: "Success", ...made, result: { status: "SUCCESSFUL", detail: { ok: true } } },
      output({ resultCode: "SUCCESSFUL", resultDetail: { ok: true } }),
      null,
    ],
    [
      {
        ...{ state: "Fail", ...made, result: { status: "FAILED", detail: null } },
        error: { code: "COMMAND_FAILED", details: { errcode: 1 } },
      },
      output({ resultCode: "FAILED", resultDetail: null }),
      error("FAILED", "The command failed.", { errcode: 1 }),
    ],
    ...(
      [
        ["Fail", "DEVICE_NOT_FOUND", "100418", "The deviceData is not existed."],
        ["Fail", "COMMAND_LIMIT_REACHED", "100223", "Command counts has reached the upLimit."],
        ["Fail", "DEVICE_ZOMBIE", "100612", "Device is zombie."],
        ["Fail", "COMMAND_MUTED", "100432", "The device command is muted."],
        ["Fail", "SERVICE_NOT_FOUND", "100431", "The serviceType is not exist."],
        ["Fail", "COMMAND_PARAMETERS_INVALID", "100022", "The input is invalid."],
        ["Fail", "COMMAND_NOT_CACHEABLE", "100022", "The input is invalid."],
        ["Fail", "CONGESTED", "100501", "Congestion occurs, and the current network has been flow-controlled"],
        ["Fail", "COMMAND_CANCELED", "CANCELED", "The command was cancelled."],
        ["Fail", "TASK_STOPPED", "CANCELED", "The task was stopped."],
        ["Fail", "INTERNAL", "50252", "Internal server error."],
        ["Timeout", "COMMAND_TIMEOUT", "TIMEOUT", "The device did not acknowledge the command."],
        ["Timeout", "COMMAND_EXPIRED", "EXPIRED", "The command expired before it was sent."],
        ["Timeout", "TASK_TIMEOUT", "TIMEOUT", "The time of the task is over."],
      ] as const
    ).map(([state, code, vendorCode, desc]): [Partial<Item>, null, object] => [
      { state, ...pending, error: { code } },
      null,
      error(vendorCode, desc),
    ]),
  ];
  test.each(ITEMS)("%j", async (item, output, error) => {
    const h = harness();
    h.batch.items.mockImplementation(() => ({ items: [{ ...batchItem, ...item }], total: 1 }));
    const [detail] = (await h.call("GET", `${DETAILS}?taskId=b1`)).json.taskDetails;
    expect([detail.output, detail.error === null ? null : JSON.parse(detail.error)]).toEqual([output, error]);
  });
});

test("for an application that has authorised the caller, in its name; the address stays the caller's", async () => {
  const h = harness();
  h.grants.accessOf.mockImplementation(() => "edit");
  const { json } = await h.call("POST", TASKS, { ...withParam({ callbackUrl: "http://h:9/c" }), appId: "app-2" });
  expect(json).toEqual({ taskID: "b1" });
  const [appId, input] = h.batch.createCommands.mock.calls[0] ?? [];
  expect([appId, input?.callbackAppNo, input?.operator]).toEqual([
    "app-2",
    batchTask.appNo,
    batchTask.operator,
  ] as never);
  h.grants.accessOf.mockImplementation(() => "query");
  const refused = await h.call("POST", TASKS, { ...BODY, appId: "app-2" });
  expect([refused.json.error_code, h.effects()]).toEqual(["100217", 1]);
});
