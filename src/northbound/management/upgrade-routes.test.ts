import { expect, test } from "bun:test";
import { OPERATION_ID } from "../../capabilities/upgrades/testing/samples";
import { AT, AT_TEXT, startApi } from "./testing/fake-ports";

const NEW = { kind: "software", packages: ["f1"], targets: { devices: ["d1"] } };
const PATH = `/upgrades/${OPERATION_ID}`;
const UPGRADE = {
  ...{ operationId: OPERATION_ID, appId: "app1", name: "winter", kind: "software", operator: "meters" },
  ...{ origin: "Northbound", packages: ["f1"], targets: { devices: ["d1", "d2"] }, status: "processing" },
  policy: { executeType: "now", retryTimes: 2, retryIntervalSeconds: 120, priority: 0 },
  counts: { total: 2, wait: 0, processing: 1, success: 1, fail: 0, stop: 0, timeout: 0 },
  ...{ createdAt: AT_TEXT, startedAt: "2026-01-31T12:00:10.000Z" },
};

test("an upgrade is created for the operator, with what the vendor does not have", async () => {
  const { ask, calls } = startApi();
  const policy = {
    ...{ executeType: "custom", startTime: AT_TEXT, endTime: AT_TEXT, retryTimes: 3, retryIntervalSeconds: 60 },
    ...{ maxConcurrent: 5, spreadSeconds: 600, pauseOnFailure: { percent: 20 }, priority: 7 },
  };
  const { status, body } = await ask("POST", "/apps/app1/upgrades", { ...NEW, name: "w", policy });
  expect([status, body]).toEqual([201, UPGRADE]);
  expect((await ask("POST", "/apps/app1/upgrades", NEW)).status).toBe(201);
  const by = { ...NEW, operator: "admin", origin: "Portal" };
  expect(calls).toEqual([
    [
      "create",
      7,
      {
        ...{ ...by, name: "w" },
        policy: {
          ...{ executeType: "custom", startAt: AT, endAt: AT, retryTimes: 3, retryIntervalS: 60 },
          ...{ maxConcurrent: 5, spreadS: 600, pauseOnFailure: { percent: 20, minEnded: 10 }, priority: 7 },
        },
      },
    ],
    ["create", 7, { ...by, policy: { executeType: "now", retryTimes: 0, retryIntervalS: 120, priority: 0 } }],
  ]);
});

test.each([
  [{ ...NEW, kind: "hardware" }, "kind"],
  [{ ...NEW, packages: [] }, "packages"],
  [{ ...NEW, targets: { everything: true } }, "targets.everything"],
  [{ ...NEW, policy: { retryTimes: 6 } }, "policy.retryTimes"],
  [{ ...NEW, policy: { pauseOnFailure: { percent: 0 } } }, "policy.pauseOnFailure.percent"],
  [{ ...NEW, policy: { priority: 10 } }, "policy.priority"],
])("%j does not fit at %s", async (input, path) => {
  const { ask, calls } = startApi();
  const { status, body } = await ask("POST", "/apps/app1/upgrades", input);
  expect([status, (body.errors as { path: string }[])[0]?.path, calls]).toEqual([400, path, []]);
});

test("a dry run tells who would be upgraded", async () => {
  const { ask, calls } = startApi();
  const { status, body } = await ask("POST", "/apps/app1/upgrades/dry-run", NEW);
  const item = { deviceId: "p1_n1", version: "V2", targetVersion: "V2", wouldUpgrade: false };
  expect([status, body]).toEqual([
    200,
    { items: [{ ...item, obstacle: "it has this version", warnings: ["offline"] }], total: 41 },
  ]);
  expect(calls.map(([method]) => method)).toEqual(["dryRun"]);
});

test("upgrades and their devices are listed", async () => {
  const { ask, calls } = startApi();
  const ofApp = await ask("GET", "/apps/app1/upgrades?status=failed&kind=firmware&page=2&pageSize=5&deviceId=d");
  const all = await ask("GET", "/upgrades");
  const devices = await ask("GET", `${PATH}/devices?status=fail`);
  expect([ofApp.body, all.body, (await ask("GET", PATH)).body]).toEqual([
    { items: [UPGRADE], total: 41 },
    { items: [UPGRADE], total: 41 },
    UPGRADE,
  ]);
  expect(devices.body).toEqual({
    items: [
      {
        ...{ subOperationId: "s1", deviceId: "d1", status: "success", executions: 1, way: "pcp", packageId: "f1" },
        ...{ sourceVersion: "V1.0", currentVersion: "V2.0", targetVersion: "V2.0", detail: "success" },
        ...{ createdAt: AT_TEXT, startedAt: "2026-01-31T12:00:10.000Z" },
        ...{ downloadStartedAt: "2026-01-31T12:00:20.000Z", downloadedAt: "2026-01-31T12:00:50.000Z" },
        endedAt: "2026-01-31T12:01:40.000Z",
      },
    ],
    total: 41,
  });
  expect(calls).toEqual([
    ["list", { appNo: 7, status: "failed", kind: "firmware", deviceId: "d" }, 1, 5],
    ["list", {}, 0, 50],
    ["subTasks", OPERATION_ID, { status: "fail" }, 0, 50],
  ]);
});

test.each(["stop", "retry", "pause", "resume"])("%s", async (action) => {
  const { ask, calls } = startApi();
  const { status, body } = await ask("POST", `${PATH}/${action}`);
  expect([status, body, calls]).toEqual([200, UPGRADE, [[action, OPERATION_ID]]]);
});

test.each([
  ["GET", "/upgrades/nothing", 404, "UPGRADE_TASK_NOT_FOUND"],
  ["POST", "/upgrades/nothing/stop", 404, "UPGRADE_TASK_NOT_FOUND"],
  ["DELETE", PATH, 409, "CONFLICT"],
  ["POST", "/apps/nobody/upgrades", 404, "APP_NOT_FOUND"],
])("%s %s is %d %s", async (method, path, status, code) => {
  const { ask } = startApi();
  const answer = await ask(method, path, method === "POST" && path.endsWith("upgrades") ? NEW : undefined);
  expect([answer.status, answer.body.code]).toEqual([status, code]);
});
