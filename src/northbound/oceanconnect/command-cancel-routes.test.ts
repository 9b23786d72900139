import { describe, expect, test } from "bun:test";
import type { DomainErrorCode } from "../../platform/domain-error";
import { cancelTask, failing, harness } from "./testing/harness";
import type { CallSection } from "./testing/requests";
import { REQUESTS } from "./testing/requests";

const long = (length: number) => "x".repeat(length);
const COMMAND = {
  commandId: "c1",
  appId: "app-1",
  deviceId: "p1_node-1",
  command: { serviceId: "Battery", method: "SET", paras: { mode: "ECO" } },
  callbackUrl: null,
  expireTime: 172_800,
  status: "CANCELED",
  result: null,
  creationTime: "20260102T030405Z",
  executeTime: null,
  platformIssuedTime: "20260102T030406Z",
  deliveredTime: null,
  issuedTimes: 1,
  maxRetransmit: null,
};
const TASK = {
  taskId: "t1",
  appId: "app-1",
  deviceId: "p1_node-1",
  status: "WAITTING",
  totalCount: 1,
  deviceCommands: [{ ...COMMAND, expireTime: 60, status: "PENDING", platformIssuedTime: null, issuedTimes: 0 }],
};

describe("1.9.3", () => {
  const { path, body } = REQUESTS["1.9.3"];
  test("cancels, and answers with the command", async () => {
    const h = harness();
    const { status, text } = await h.call("PUT", path, body);
    expect([status, text]).toEqual([200, JSON.stringify(COMMAND)]);
    expect(h.commands.cancel.mock.calls as unknown[]).toEqual([["app-1", "c1"]]);
  });
  test.each([[{}], [{ status: null }], [{ status: "PENDING" }], [{ status: "canceled" }], [{ status: ["CANCELED"] }]])(
    "refuses %j",
    async (bad) => {
      const h = harness();
      expect(await h.call("PUT", path, bad)).toMatchObject({ status: 400, json: { error_code: "100022" } });
      expect(h.commands.cancel).not.toHaveBeenCalled();
    },
  );
});

describe("1.9.5", () => {
  const { path } = REQUESTS["1.9.5"];
  test("creates a task, which waits", async () => {
    const h = harness();
    const { status, text } = await h.call("POST", path, { deviceId: "p1_node-1" });
    expect([status, text]).toEqual([201, JSON.stringify(TASK)]);
    expect(h.commands.createCancelTask.mock.calls as unknown[]).toEqual([["app-1", "p1_node-1"]]);
  });
  test.each([[{}], [{ deviceId: "" }], [{ deviceId: null }], [{ deviceId: 7 }], [{ deviceId: long(257) }]])(
    "refuses %j",
    async (bad) => {
      const h = harness();
      expect(await h.call("POST", path, bad)).toMatchObject({ status: 400, json: { error_code: "100022" } });
      expect(h.commands.createCancelTask).not.toHaveBeenCalled();
    },
  );
});

describe("1.9.6", () => {
  const { path } = REQUESTS["1.9.6"];
  test("lists with the defaults of the document; totalSize counts commands, data lists tasks", async () => {
    const h = harness();
    const { status, json } = await h.call("GET", path);
    expect([status, json]).toEqual([200, { pagination: { pageNo: 0, pageSize: 1_000, totalSize: 5 }, data: [TASK] }]);
  });
  test("hands on every filter, with both ends of the period", async () => {
    const h = harness();
    const query =
      "pageNo=1&pageSize=20&taskId=t&deviceId=d&status=PART_SUCCESS&startTime=20260101T000000Z&endTime=20260101T000001Z";
    await h.call("GET", `${path}?${query}`);
    const at = Date.UTC(2026, 0, 1);
    const filter = { taskId: "t", deviceId: "d", status: "PART_SUCCESS", pageNo: 1, pageSize: 20 };
    expect(h.commands.queryCancelTasks.mock.calls as unknown[]).toEqual([
      ["app-1", { ...filter, createdAfter: at - 1, createdBefore: at + 2_000 }],
    ]);
  });
  test.each(["WAITTING", "RUNNING", "SUCCESS", "FAILED", "PART_SUCCESS"] as const)(
    "a task can be %s, and be asked for",
    async (status) => {
      const h = harness();
      h.commands.queryCancelTasks.mockReturnValue({ items: [{ ...cancelTask, status }], totalCommands: 1 });
      expect((await h.call("GET", `${path}?status=${status}`)).json.data).toEqual([{ ...TASK, status }]);
    },
  );
  test.each([
    "pageNo=-1",
    "pageSize=0",
    "pageSize=1001",
    "status=WAITING",
    "startTime=x",
    `taskId=${long(65)}`,
    `deviceId=${long(257)}`,
    "startTime=20260102T000000Z&endTime=20260101T000000Z",
  ])("refuses %s", async (query) => {
    const h = harness();
    expect(await h.call("GET", `${path}?${query}`)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.commands.queryCancelTasks).not.toHaveBeenCalled();
  });
});

// Every row of the error tables that can happen here. What all calls have in common is in endpoint.test.ts:
// 100203, 100217, 100220, 1010005, 1010009, 100001.
type Cause = DomainErrorCode;
type ErrorTable = [cause: Cause, status: number, code: string, desc: string][];
const INPUT: ErrorTable[number] = ["INPUT_INVALID", 400, "100022", "The input is invalid."];
const DEVICE: ErrorTable[number] = ["DEVICE_NOT_FOUND", 200, "100418", "The deviceData is not existed."];
const CONGESTED: ErrorTable[number] = [
  ...(["CONGESTED", 503, "100501"] as const),
  "Congestion occurs, and the current network has been flow-controlled",
];
const TABLES: Partial<Record<CallSection, ErrorTable>> = {
  "1.9.1": [
    DEVICE,
    ["DEVICE_OFFLINE", 200, "100428", "The device is not online."],
    ["SERVICE_NOT_FOUND", 200, "100431", "The serviceType is not exist."],
    ["COMMAND_MUTED", 200, "100432", "The device command is muted."], // of platform.md 7
    INPUT,
    ["COMMAND_LIMIT_REACHED", 400, "100223", "Command counts has reached the upLimit."],
    ["DEVICE_ZOMBIE", 403, "100612", "Device is zombie."],
    CONGESTED,
  ],
  "1.9.2": [DEVICE, INPUT],
  "1.9.3": [
    ["COMMAND_NOT_FOUND", 200, "100434", "The device command is not existed."],
    [
      ...(["COMMAND_NOT_CANCELLABLE", 200, "100435"] as const),
      "The device command already canceled, expired or executed, Cannot cancel.",
    ],
    INPUT,
  ],
  "1.9.5": [DEVICE, INPUT],
  "1.9.6": [DEVICE, INPUT],
};
const METHODS = {
  "1.9.1": "create",
  "1.9.2": "query",
  "1.9.3": "cancel",
  "1.9.5": "createCancelTask",
  "1.9.6": "queryCancelTasks",
} as const;
const ROWS = Object.entries(TABLES).flatMap(([section, rows]) =>
  rows.map((row) => [section as keyof typeof METHODS, ...row] as const),
);
test.each(ROWS)("%s: %s is %d %s %s", async (section, cause, status, error_code, error_desc) => {
  const h = harness();
  h.commands[METHODS[section]].mockImplementation(failing(cause));
  const { method, path, body } = REQUESTS[section];
  const answer = await h.call(method, path, body);
  expect([answer.status, answer.json]).toEqual([status, { error_code, error_desc }]);
  expect(h.faults).toEqual([]);
});
