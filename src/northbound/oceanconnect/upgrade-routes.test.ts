import { describe, expect, test } from "bun:test";
import { OPERATION_ID, sampleTask } from "../../capabilities/upgrades/testing/samples";
import { POLICY_PROBLEMS, TARGET_PROBLEMS } from "../../capabilities/upgrades/upgrade";
import { DomainError } from "../../platform/domain-error";
import { harness } from "./testing/harness";

const OPERATIONS = "/iodm/northbound/v1.5.0/operations";
const SOFTWARE = `${OPERATIONS}/softwareUpgrade`;
const FIRMWARE = `${OPERATIONS}/firmwareUpgrade`;
const BODY = { fileId: "f1", targets: { devices: ["d1", "d2"] } };
const NOW = { executeType: "now", retryTimes: 0, retryIntervalS: 120, priority: 0 };

describe("1.12.4, 1.12.5", () => {
  test.each([
    [SOFTWARE, "software"],
    [FIRMWARE, "firmware"],
  ])("%s creates a task", async (path, kind) => {
    const h = harness();
    const { status, json } = await h.call("POST", path, BODY);
    expect([status, json]).toEqual([200, { operationId: OPERATION_ID }]);
    expect(h.upgrades.create.mock.calls as unknown[]).toEqual([
      [
        7,
        {
          ...{ kind, packages: ["f1"], targets: { devices: ["d1", "d2"] }, policy: NOW },
          ...{ operator: "meters", origin: "Northbound" },
        },
      ],
    ]);
  });

  test.each([
    ["left out", undefined, NOW],
    ["null", null, NOW],
    ["without an executeType", { retryType: false, retryTimes: 9 }, NOW],
    ["device_online", { executeType: "device_online" }, { ...NOW, executeType: "device_online" }],
    ["retries as texts", { executeType: "now", retryType: "true", retryTimes: "5" }, { ...NOW, retryTimes: 5 }],
    [
      "custom",
      { executeType: "custom", startTime: "20260131T120000Z", endTime: "20260131T130000Z" },
      { ...NOW, executeType: "custom", startAt: Date.UTC(2026, 0, 31, 12), endAt: Date.UTC(2026, 0, 31, 13) },
    ],
    ["now does not look at times", { executeType: "now", startTime: "soon" }, NOW],
  ])("the policy %s", async (_name, policy, expected) => {
    const h = harness();
    expect((await h.call("POST", SOFTWARE, { ...BODY, policy })).status).toBe(200);
    expect(h.upgrades.create.mock.calls[0]?.[1].policy as unknown).toEqual(expected);
  });

  const CUSTOM = { executeType: "custom", startTime: "20260131T120000Z", endTime: "20260131T130000Z" };
  test.each([
    [{ executeType: null }, "123025"],
    [{ executeType: "" }, "123025"],
    [{ executeType: "later" }, "123025"],
    [{ executeType: ["now"] }, "123025"],
    [{ ...CUSTOM, startTime: undefined }, "123026"],
    [{ ...CUSTOM, startTime: "" }, "123026"],
    [{ ...CUSTOM, endTime: "2026-01-31T13:00:00Z" }, "123026"],
    [{ ...CUSTOM, endTime: 5 }, "123026"],
    [{ executeType: "now", retryType: true }, "123028"],
    [{ executeType: "now", retryType: true, retryTimes: 0 }, "123028"],
    [{ executeType: "now", retryType: true, retryTimes: 6 }, "123028"],
    [{ executeType: "now", retryType: true, retryTimes: "many" }, "123028"],
    [{ executeType: "now", retryType: "yes" }, "120015"],
    ["now", "120015"],
  ])("the policy %j is %s", async (policy, code) => {
    const h = harness();
    const { status, json } = await h.call("POST", SOFTWARE, { ...BODY, policy });
    expect([status, json.error_code, h.effects()]).toEqual([400, code, 0]);
  });

  test.each([
    [{}],
    [{ targets: BODY.targets }],
    [{ ...BODY, fileId: "" }],
    [{ ...BODY, fileId: "x".repeat(257) }],
    [{ fileId: "f1" }],
    [{ ...BODY, targets: "all" }],
    [{ ...BODY, targets: { devices: "d1" } }],
    [{ ...BODY, targets: { devices: [1] } }],
    [{ ...BODY, targets: { deviceGroups: ["g"], deviceType: "x".repeat(257) } }],
    ["{"],
  ])("%j is a bad request", async (body) => {
    const h = harness();
    const { status, json } = await h.call("POST", FIRMWARE, body);
    expect([status, json.error_code, h.effects()]).toEqual([400, "120015", 0]);
  });

  test("an empty list and an empty text are none", async () => {
    const h = harness();
    const targets = { devices: [], deviceGroups: ["g1"], deviceType: "", model: "m", manufacturerName: null };
    await h.call("POST", SOFTWARE, { ...BODY, targets });
    expect(h.upgrades.create.mock.calls[0]?.[1].targets as unknown).toEqual({ deviceGroups: ["g1"], model: "m" });
  });

  test("each problem has its row", async () => {
    const rows: Record<string, string> = {};
    for (const [code, problems] of [
      ["UPGRADE_TARGET_INVALID", TARGET_PROBLEMS],
      ["UPGRADE_POLICY_INVALID", POLICY_PROBLEMS],
    ] as const)
      for (const problem of problems) {
        const h = harness();
        h.upgrades.create.mockRejectedValueOnce(new DomainError(code, { problem }));
        const { status, json } = await h.call("POST", SOFTWARE, BODY);
        rows[problem] = `${status} ${json.error_code} ${json.error_desc}`;
      }
    expect(rows).toEqual({
      productMismatch: "400 123016 The parameter is error, targetversion not match with device.",
      manufacturerMissing: "400 123019 manufacturerName is null.",
      deviceTypeMissing: "400 123020 deviceType is null",
      modelMissing: "400 123021 model is null.",
      targetsMissing: "400 123022 deviceGroups and devices cannot be null together",
      targetsAmbiguous: "400 123023 deviceGroups and devices cannot be exist together",
      tooManyTargets: "400 123024 The number of deviceGroups or devices reached upper limit",
      executeTypeInvalid: "400 123025 executeType is error or can not to be null.",
      windowInvalid: "400 123026 startTime or endTime is null or error.",
      retryTimesInvalid: "400 123028 retryTimes is null or beyond the limit.",
      startAfterEnd: "400 123032 startTime can not be later than the endTime.",
      startInThePast: "400 123033 startTime can not be earlier than the now.",
      windowTooShort: "400 123034 endtime must be greater than 5 minutes.",
    });
  });

  test.each([
    ["PACKAGE_NOT_FOUND", 404, "123002"],
    ["DEVICE_NOT_FOUND", 404, "123002"],
    ["GROUP_NOT_FOUND", 404, "123002"],
    ["UPGRADE_PACKAGES_INVALID", 400, "120015"],
    ["UPGRADE_TARGET_INVALID", 400, "120015"], // without a problem
  ] as const)("%s is %d %s", async (code, status, vendorCode) => {
    const h = harness();
    h.upgrades.create.mockRejectedValueOnce(new DomainError(code));
    const answer = await h.call("POST", FIRMWARE, BODY);
    expect([answer.status, answer.json.error_code]).toEqual([status, vendorCode]);
  });
});

const OPERATION = {
  operationId: OPERATION_ID,
  createTime: "20260131T120000Z",
  startTime: "20260131T120010Z",
  stopTime: null,
  operateType: "software_upgrade",
  targets: { deviceGroups: null, deviceType: null, model: null, manufacturerName: null, devices: ["d1", "d2"] },
  policy: { executeType: "now", startTime: null, endTime: null, retryType: true, retryTimes: 2 },
  status: "processing",
  staResult: { total: 2, wait: 0, processing: 1, success: 1, fail: 0, stop: 0, timeout: 0 },
  extendPara: { taskName: "winter", fileId: "f1" },
};

test("1.12.6 shows a task", async () => {
  const { status, json } = await harness().call("GET", `${OPERATIONS}/${OPERATION_ID}`);
  expect([status, json]).toEqual([200, OPERATION]);
});

test("a group task, its window and its pause are shown", async () => {
  const h = harness();
  h.upgrades.get.mockReturnValueOnce({
    ...sampleTask,
    targets: { deviceGroups: ["g"], deviceType: "Meter", model: "M1", manufacturerName: "Maker" },
    policy: { ...sampleTask.policy, executeType: "custom", startAt: 0, endAt: 3_600_000, retryTimes: 0 },
    paused: "byFailures",
  });
  const { json } = await h.call("GET", `${OPERATIONS}/${OPERATION_ID}`);
  expect([json.targets, json.policy, json.extendPara.paused]).toEqual([
    { deviceGroups: ["g"], deviceType: "Meter", model: "M1", manufacturerName: "Maker", devices: null },
    {
      executeType: "custom",
      startTime: "19700101T000000Z",
      endTime: "19700101T010000Z",
      retryType: false,
      retryTimes: null,
    },
    "byFailures",
  ]);
});

test("1.12.7 shows its devices", async () => {
  const h = harness();
  const path = `${OPERATIONS}/${OPERATION_ID}/subOperations?subOperationStatus=success&pageNo=3&pageSize=100`;
  const { status, json } = await h.call("GET", path);
  expect(status).toBe(200);
  expect(json).toEqual({
    data: [
      {
        ...{ subOperationId: "s1", createTime: "20260131T120000Z", startTime: "20260131T120010Z" },
        ...{ stopTime: "20260131T120140Z", operateType: "software_upgrade", deviceId: "d1", status: "success" },
        detailInfo: "success",
        extendPara: {
          ...{
            upgradeTime: "90",
            downloadTime: "30",
            sourceVersion: "V1.0",
            curVersion: "V2.0",
            targetVersion: "V2.0",
          },
        },
      },
    ],
    ...{ pageNo: 3, pageSize: 100, totalCount: 2 },
  });
  expect(h.upgrades.subTasks.mock.calls[0]?.slice(1) as unknown[]).toEqual([{ status: "success" }, 3, 100]);
});

test("1.12.8 lists tasks", async () => {
  const h = harness();
  const names = "deviceType=t&model=m&manufacturerName=n&deviceId=d";
  const query = `operationType=firmware_upgrade&operationStatus=failed&${names}`;
  const { status, json } = await h.call("GET", `${OPERATIONS}?${query}`);
  expect([status, json]).toEqual([200, { data: [OPERATION], pageNo: 0, pageSize: 10, totalCount: 41 }]);
  expect(h.upgrades.list.mock.calls[0] as unknown[]).toEqual([
    { appNo: 7, kind: "firmware", status: "failed", deviceType: "t", model: "m", manufacturerName: "n", deviceId: "d" },
    0,
    10,
  ]);
});

test.each([
  [`/${"f".repeat(32)}`, 404, "123009"],
  ["/nothing", 400, "120015"],
  [`/${"f".repeat(32)}/subOperations`, 404, "123009"],
  [`/${OPERATION_ID}/subOperations?subOperationStatus=FAIL`, 400, "120015"],
  [`/${OPERATION_ID}/subOperations?pageSize=101`, 400, "123029"],
  [`/${OPERATION_ID}/subOperations?pageNo=-1`, 400, "123029"],
  ["?pageSize=0", 400, "123029"],
  ["?pageNo=first", 400, "120015"],
  ["?operationStatus=fail", 400, "120015"],
  ["?operationType=firmware", 400, "120015"],
  [`?deviceId=${"x".repeat(257)}`, 400, "120015"],
])("GET …%s is %d %s", async (path, status, code) => {
  const answer = await harness().call("GET", `${OPERATIONS}${path}`);
  expect([answer.status, answer.json.error_code]).toEqual([status, code]);
});
