import { describe, expect, test } from "bun:test";
import type { DomainErrorCode } from "../../platform/domain-error";
import { AUTHORIZED, failing, group, harness } from "./testing/harness";
import { type CallSection, REQUESTS, type Sample, withQuery } from "./testing/requests";
import { otherApplication } from "./testing/samples";

const long = (length: number) => "x".repeat(length);
const send = (h: ReturnType<typeof harness>, { method, path, body }: Sample) => h.call(method, path, body);

async function sent(section: CallSection, body: unknown, query = "") {
  const h = harness();
  const { method, path } = REQUESTS[section];
  return { ...h, answer: await h.call(method, query ? withQuery(path, query) : path, body) };
}

const RESOURCE = { name: "cellar", description: null, id: "g1", appId: "app-1", maxDevNum: 10, curDevNum: 2 };

describe("answers have the fields of the document", () => {
  test.each([
    ["1.11.1", { ...RESOURCE, deviceIds: ["p1_node-1"] }],
    ["1.11.3", RESOURCE],
    ["1.11.4", { totalCount: 1, pageNo: 0, pageSize: 1, list: [{ ...RESOURCE, creator: "meters" }] }],
    ["1.11.5", { ...RESOURCE, creator: "meters" }],
    ["1.11.6", { totalCount: 2, pageNo: 0, pageSize: 10, deviceIds: ["p1_node-1"] }],
    ["1.11.7", { devGroupId: "g1", deviceIds: ["p1_node-1"] }],
  ] as const)("%s", async (section, expected) => {
    const { status, json } = await send(harness(), REQUESTS[section]);
    expect([status, json]).toEqual([200, expected]);
    expect(Object.keys(json)).toEqual(Object.keys(expected)); // in the order of the tables
  });
  test.each(["1.11.2", "1.11.8"] as const)("%s has none, under 200", async (section) => {
    expect(await send(harness(), REQUESTS[section])).toMatchObject({ status: 200, text: "", type: null });
  });
});

describe("1.11.1 creates", () => {
  test.each([
    [{ name: "a" }, { name: "a", description: undefined, maxDevices: 0, deviceIds: undefined }],
    [
      { name: long(50), description: long(1_024), maxDevNum: 2_147_483_647, deviceIds: [] },
      { name: long(50), description: long(1_024), maxDevices: 2_147_483_647, deviceIds: [] },
    ],
    [{ name: "A1", maxDevNum: "10" }, { maxDevices: 10 }],
    [{ name: "A1", maxDevNum: null, description: null, deviceIds: null, appId: null }, { maxDevices: 0 }],
    [{ name: "A1", appId: "app-1", deviceIds: ["a", "b"] }, { deviceIds: ["a", "b"] }],
  ])("with %j", async (body, expected) => {
    const { answer, groups } = await sent("1.11.1", body);
    expect(answer.status).toBe(200);
    expect(groups.create.mock.calls).toMatchObject([[7, { creator: "meters", ...expected }]]);
  });
  test("for another application: its group, created by the caller", async () => {
    const h = harness();
    h.tokens.authorize.mockResolvedValue(otherApplication);
    h.grants.accessOf.mockReturnValue("edit");
    expect((await h.call("POST", REQUESTS["1.11.1"].path, { name: "A1", appId: "app-1" })).status).toBe(200);
    expect(h.groups.create.mock.calls).toMatchObject([[7, { creator: "lamps" }]]);
  });
  test.each([
    [{}],
    [{ name: "" }],
    [{ name: long(51) }],
    [{ name: "two words" }],
    [{ name: "é" }],
    [{ name: "a_b" }],
    [{ name: "line\n" }],
    [{ name: 7 }],
    [{ name: "a", description: long(1_025) }],
    [{ name: "a", description: 7 }],
    [{ name: "a", maxDevNum: -1 }],
    [{ name: "a", maxDevNum: "-1" }],
    [{ name: "a", maxDevNum: "ten" }],
    [{ name: "a", maxDevNum: 1.5 }],
    [{ name: "a", maxDevNum: 2_147_483_648 }],
    [{ name: "a", deviceIds: "p1_node-1" }],
    [{ name: "a", deviceIds: [""] }],
    [{ name: "a", deviceIds: [7] }],
    [{ name: "a", deviceIds: [long(257)] }],
    [{ name: "a", appId: 7 }],
  ])("not with %j", async (body) => {
    const { answer, groups } = await sent("1.11.1", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400", error_desc: "The input is invalid." } });
    expect(groups.create).not.toHaveBeenCalled();
  });
});

test.each([
  [{ name: "attic" }, { name: "attic", description: undefined, maxDevices: 0 }], // the documented default
  [
    { name: "attic", description: "up", maxDevNum: "3" },
    { name: "attic", description: "up", maxDevices: 3 },
  ],
])("1.11.3 modifies with %j", async (body, expected) => {
  const { answer, groups } = await sent("1.11.3", body);
  expect(answer.status).toBe(200);
  expect(groups.change.mock.calls).toEqual([[7, "g1", expected]]);
});

test.each([[{}], [{ maxDevNum: 3 }], [{ name: "a b" }], [{ name: long(51) }], [{ name: "a", maxDevNum: -1 }]])(
  "1.11.3 does not with %j",
  async (body) => {
    const { answer, groups } = await sent("1.11.3", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400" } });
    expect(groups.change).not.toHaveBeenCalled();
  },
);

test.each([
  [50, 200, "100603"],
  [51, 400, "50400"],
])("1.11.3 with an id of %d characters is %d %s", async (length, status, error_code) => {
  const { method, path, body } = REQUESTS["1.11.3"];
  const answer = await harness().call(method, path.replace("g1", long(length)), body);
  expect(answer).toMatchObject({ status, json: { error_code } });
});

test("1.11.2 leaves the groups below it, as roots", async () => {
  const h = harness();
  await send(h, REQUESTS["1.11.2"]);
  expect(h.groups.delete.mock.calls).toEqual([[7, "g1", { cascade: false }]]);
});

describe("1.11.4 lists", () => {
  const { method, path } = REQUESTS["1.11.4"];
  test.each([
    ["", { name: undefined, createdOnly: true }, 0, 1],
    ["?pageNo=3&pageSize=500&name=cellar", { name: "cellar", createdOnly: true }, 3, 500],
    ["?pageNo=&pageSize=&name=", { name: undefined, createdOnly: true }, 0, 1],
  ] as const)("%s", async (query, filter, pageNo, pageSize) => {
    const h = harness();
    expect((await h.call(method, path + query)).json).toMatchObject({ pageNo, pageSize });
    expect(h.groups.list.mock.calls).toEqual([[7, filter, pageNo, pageSize]]);
  });
  test.each(["pageNo=-1", "pageNo=x", "pageSize=0", "pageSize=501", `name=${long(257)}`])(
    "not with %s",
    async (query) => {
      const h = harness();
      expect(await h.call(method, `${path}?${query}`)).toMatchObject({ status: 400, json: { error_code: "50400" } });
      expect(h.groups.list).not.toHaveBeenCalled();
    },
  );
});

describe("1.11.6 lists members", () => {
  const path = "/iocm/app/dm/v1.2.0/devices/ids";
  test.each([
    ["devGroupId=g1", 0, 10],
    ["devGroupId=g1&pageNo=2&pageSize=1000&accessAppId=app-1", 2, 1_000],
    ["devGroupId=g1&appId=app-1", 0, 10],
  ])("%s", async (query, pageNo, pageSize) => {
    const h = harness();
    expect((await h.call("GET", `${path}?${query}`)).json).toMatchObject({ totalCount: 2, pageNo, pageSize });
    expect(h.groups.members.mock.calls).toEqual([[7, "g1", pageNo, pageSize]]);
  });
  test.each(["", "devGroupId=", "devGroupId=g1&pageNo=-1", "devGroupId=g1&pageSize=0", "devGroupId=g1&pageSize=1001"])(
    "not with %s",
    async (query) => {
      const h = harness();
      expect(await h.call("GET", `${path}?${query}`)).toMatchObject({ status: 400, json: { error_code: "50400" } });
      expect(h.groups.members).not.toHaveBeenCalled();
    },
  );
});

describe.each(["1.11.7", "1.11.8"] as const)("%s", (section) => {
  test.each([
    [{}],
    [{ devGroupId: "g1" }],
    [{ deviceIds: ["a"] }],
    [{ devGroupId: "", deviceIds: ["a"] }],
    [{ devGroupId: long(51), deviceIds: ["a"] }],
    [{ devGroupId: "g1", deviceIds: null }],
    [{ devGroupId: "g1", deviceIds: "a" }],
    [{ devGroupId: "g1", deviceIds: [{}] }],
    [{ devGroupId: "g1", deviceIds: [long(257)] }],
  ])("refuses %j", async (body) => {
    const { answer, effects } = await sent(section, body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400" } });
    expect(effects()).toBe(0);
  });
  test("passes the ids on", async () => {
    const { groups } = await sent(section, { devGroupId: "g1", deviceIds: ["a", "b"] });
    const { calls } = section === "1.11.7" ? groups.add.mock : groups.remove.mock;
    expect(calls).toEqual([[7, "g1", ["a", "b"]]]);
  });
});

// Each row of the tables that this part can cause; who calls and for whom is in endpoint.test.ts.
type Row = [section: CallSection, code: DomainErrorCode, status: number, error_code: string, error_desc: string];
const USED = "The device group name has been used.";
const FULL = "The number of device in the group has reach the max.";
const NO_GROUP = "The device group is not existed.";
const PARAMETER = "The device group request parameter is invalid.";
const INPUT = "The input is invalid.";
const ROWS: Row[] = [
  ["1.11.1", "GROUP_NAME_TAKEN", 200, "100602", USED],
  ["1.11.1", "GROUP_LIMIT_REACHED", 200, "100607", "The devGroup has reached the limit."],
  ["1.11.1", "GROUP_TOO_MANY_DEVICES", 400, "100609", "Too much devices to add."],
  ["1.11.1", "DEVICE_NOT_FOUND", 400, "50400", INPUT],
  ["1.11.1", "DEVICE_IN_OTHER_GROUP", 400, "50400", INPUT],
  ["1.11.2", "GROUP_NOT_FOUND", 200, "100603", "The device group is not existed"],
  ["1.11.2", "GROUP_IS_DEFAULT", 200, "100603", "The device group is not existed"],
  ["1.11.3", "GROUP_FULL", 200, "100601", FULL],
  ["1.11.3", "GROUP_NAME_TAKEN", 200, "100602", USED],
  ["1.11.3", "GROUP_NOT_FOUND", 200, "100603", NO_GROUP],
  ["1.11.5", "GROUP_NOT_FOUND", 200, "100603", NO_GROUP],
  ["1.11.6", "GROUP_NOT_FOUND", 200, "100603", NO_GROUP],
  ["1.11.7", "GROUP_FULL", 200, "100601", FULL],
  ["1.11.7", "GROUP_NOT_FOUND", 200, "100603", NO_GROUP],
  ["1.11.7", "DEVICE_NOT_FOUND", 400, "100604", PARAMETER],
  ["1.11.7", "DEVICE_IN_OTHER_GROUP", 400, "100604", PARAMETER],
  ["1.11.7", "INPUT_INVALID", 400, "50400", INPUT],
  ["1.11.8", "GROUP_NOT_FOUND", 200, "100603", NO_GROUP],
  ["1.11.8", "DEVICE_NOT_FOUND", 400, "100604", PARAMETER],
  ["1.11.8", "DEVICE_NOT_IN_GROUP", 400, "100604", PARAMETER],
  ["1.11.8", "INPUT_INVALID", 400, "50400", INPUT],
];
const DOES = {
  "1.11.1": "create",
  "1.11.2": "delete",
  "1.11.3": "change",
  "1.11.4": "list",
  "1.11.5": "get",
  "1.11.6": "members",
  "1.11.7": "add",
  "1.11.8": "remove",
} as const;

test.each(ROWS)("%s: %s is %d %s %s", async (section, code, status, error_code, error_desc) => {
  for (const query of ["", "appId=app-1"]) {
    const h = harness();
    h.groups[DOES[section as keyof typeof DOES]].mockImplementation(failing(code));
    const { path, ...sample } = REQUESTS[section];
    const answer = await send(h, { ...sample, path: query ? withQuery(path, query) : path });
    expect([answer.status, answer.json]).toEqual([status, { error_code, error_desc }]);
  }
});

describe.each(Object.keys(DOES).slice(1) as (keyof typeof DOES)[])("accessAppId at %s", (section) => {
  const isMember = ["1.11.6", "1.11.7", "1.11.8"].includes(section);
  const { path, ...sample } = REQUESTS[section];
  test.each([
    ["app-1", 200, undefined],
    ["app-2", isMember ? 403 : 200, "100217"],
    ["app-9", isMember ? 403 : 200, "100203"],
  ])("%s", async (accessAppId, status, code) => {
    const h = harness();
    const answer = await send(h, { ...sample, path: withQuery(path, `accessAppId=${accessAppId}`) });
    expect([answer.status, answer.json?.error_code]).toEqual([status, code]);
    if (section === "1.11.2" && code === "100217")
      expect(answer.json.error_desc).toBe("The application hasn't been authorized");
    expect(h.groups[DOES[section]].mock.calls.length).toBe(code ? 0 : 1);
  });
  test("beside an appId of another application is refused too", async () => {
    const h = harness();
    const answer = await send(h, { ...sample, path: withQuery(path, "accessAppId=app-1&appId=app-2") });
    expect(answer.json.error_code).toBe("100217");
    expect(h.groups[DOES[section]]).not.toHaveBeenCalled();
  });
});

test("accessAppId is not a parameter of 1.11.1, whose body names the owner", async () => {
  const h = harness();
  const { method, path, body } = REQUESTS["1.11.1"];
  expect((await h.call(method, `${path}?accessAppId=app-2`, body)).json).toMatchObject({ id: group.id });
  const foreign = await h.call(method, path, { ...body, appId: "app-2" }, AUTHORIZED);
  expect([foreign.status, foreign.json.error_code]).toEqual([200, "100217"]);
  const unknown = await h.call(method, path, { appId: "app-9" }, AUTHORIZED); // before anything else is looked at
  expect([unknown.status, unknown.json.error_code, h.groups.create.mock.calls.length]).toEqual([200, "100203", 1]);
});
