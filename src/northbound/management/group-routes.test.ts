import { describe, expect, test } from "bun:test";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const RESOURCE = {
  groupId: "g1",
  appId: "app1",
  name: "cellar",
  description: "below",
  maxDevices: 0,
  deviceCount: 1,
  isDefault: false,
  creator: "admin",
  createdAt: AT_TEXT,
};
const OTHER = { ...RESOURCE, groupId: "g2", name: "attic", parentId: "g1" };
const TAG = { tagName: "floor", tagValue: "2", deviceCount: 1, defined: false };

type Row = [method: string, path: string, body: unknown, call: unknown[] | undefined, status: number, answer: unknown];
const ROWS: Row[] = [
  [
    ...["POST", "/apps/app1/groups"],
    { name: "cellar", description: "below", maxDevices: 3, parentId: "g2", deviceIds: ["p1_n1"] },
    [
      ...["create", 7],
      { name: "cellar", description: "below", maxDevices: 3, parentId: "g2", deviceIds: ["p1_n1"], creator: "admin" },
    ],
    ...[201, RESOURCE],
  ] as Row,
  ["GET", "/apps/app1/groups", undefined, ["list", 7, {}, 0, 50], 200, { items: [RESOURCE], total: 41 }],
  ["GET", "/apps/app1/groups?roots=true&page=2&pageSize=9", undefined, ["list", 7, { parentId: null }, 1, 9], 200, {}],
  [
    "GET",
    "/apps/app1/groups?parentId=g1&name=a",
    undefined,
    ["list", 7, { parentId: "g1", name: "a" }, 0, 50],
    200,
    {},
  ],
  ["GET", "/groups/g1", undefined, undefined, 200, RESOURCE],
  ["PATCH", "/groups/g1", { name: "cellar" }, ["change", 7, "g1", { name: "cellar" }], 200, RESOURCE],
  ["PATCH", "/groups/g1", { parentId: "g2" }, ["change", 7, "g1", { parentId: "g2" }], 200, RESOURCE],
  [
    ...["PATCH", "/groups/g1", { parentId: null, description: null, maxDevices: 0 }],
    ["change", 7, "g1", { parentId: null, description: null, maxDevices: 0 }],
    ...[200, RESOURCE],
  ] as Row,
  ["DELETE", "/groups/g1", undefined, ["delete", 7, "g1", { cascade: false }], 204, {}],
  ["DELETE", "/groups/g1?cascade=true", undefined, ["delete", 7, "g1", { cascade: true }], 204, {}],
  [
    ...["GET", "/groups/g1/devices?page=2", undefined, ["members", 7, "g1", 1, 50], 200],
    { items: [{ deviceId: "p1_n1", lastSeen: AT_TEXT }], total: 41 },
  ] as Row,
  ["POST", "/groups/g1/devices", { deviceIds: ["a", "b"] }, ["add", 7, "g1", ["a", "b"]], 200, RESOURCE],
  ["POST", "/groups/g1/devices/remove", { deviceIds: ["a"] }, ["remove", 7, "g1", ["a"]], 200, RESOURCE],
  [
    ...["POST", "/groups/g1/devices/move", { deviceIds: ["a"], toGroupId: "g2" }],
    ["move", 7, "g1", "g2", ["a"]],
    ...[200, OTHER],
  ] as Row,
  ["GET", "/devices/p1_n1/group", undefined, undefined, 200, RESOURCE],
  ["GET", "/apps/app1/tags", undefined, ["list", 7, {}, 0, 50], 200, { items: [TAG], total: 41 }],
  ["GET", "/apps/app1/tags?tagName=a&tagValue=b", undefined, ["list", 7, { name: "a", value: "b" }, 0, 50], 200, {}],
  ["POST", "/apps/app1/tags", { tagName: "floor", tagValue: "2" }, ["define", 7, "floor", "2"], 201, TAG],
  ["DELETE", "/apps/app1/tags?tagName=a&tagValue=b%20c", undefined, ["remove", 7, "a", "b c"], 204, {}],
  ["GET", "/apps/app1/devices?tagName=a", undefined, ["list", "app1" as never, { tag: { name: "a" } }], 200, {}],
];
test.each(ROWS)("%s %s %j", async (method, path, body, call, status, expected) => {
  const { ask, calls } = startApi();
  const answer = await ask(method, path, body);
  expect([answer.status, answer.body]).toMatchObject([status, expected as object]);
  expect(calls).toMatchObject(call ? [call] : []);
});

test("the topology is a file of trees", async () => {
  const { body: download, headers } = await startApi().ask("GET", "/apps/app1/group-topology");
  const node = { groupId: "g1", name: "cellar", description: "below", maxDevices: 0, deviceCount: 1, isDefault: false };
  const child = { ...node, groupId: "g3", name: "shelf", children: [] };
  expect(JSON.parse(String(download.text))).toEqual({ appId: "app1", groups: [{ ...node, children: [child] }] });
  expect(headers.get("content-disposition")).toBe('attachment; filename="groups-app1.json"');
});

describe("refused before anything happens", () => {
  test.each<[method: string, path: string, body: unknown, where: string]>([
    ["POST", "/apps/app1/groups", {}, "name"],
    ["POST", "/apps/app1/groups", { name: "two words" }, "name"],
    ["POST", "/apps/app1/groups", { name: "x".repeat(51) }, "name"],
    ["POST", "/apps/app1/groups", { name: "a", maxDevices: -1 }, "maxDevices"],
    ["POST", "/apps/app1/groups", { name: "a", maxDevices: "10" }, "maxDevices"],
    ["POST", "/apps/app1/groups", { name: "a", description: "x".repeat(1_025) }, "description"],
    ["POST", "/apps/app1/groups", { name: "a", deviceIds: [""] }, "deviceIds[0]"],
    ["POST", "/apps/app1/groups", { name: "a", creator: "me" }, "creator"],
    ["GET", "/apps/app1/groups?roots=true&parentId=g1", undefined, "query.roots"],
    ["GET", "/apps/app1/groups?pageSize=1001", undefined, "query.pageSize"],
    ["PATCH", "/groups/g1", { name: null }, "name"],
    ["PATCH", "/groups/g1", { parentId: "" }, "parentId"],
    ["DELETE", "/groups/g1?cascade=yes", undefined, "query.cascade"],
    ["POST", "/groups/g1/devices", {}, "deviceIds"],
    ["POST", "/groups/g1/devices/remove", { deviceIds: "a" }, "deviceIds"],
    ["POST", "/groups/g1/devices/move", { deviceIds: ["a"] }, "toGroupId"],
    ["POST", "/apps/app1/tags", { tagName: "a", tagValue: "" }, "tagValue"],
    ["POST", "/apps/app1/tags", { tagName: "x".repeat(129), tagValue: "b" }, "tagName"],
    ["DELETE", "/apps/app1/tags?tagName=a", undefined, "query.tagValue"],
    ["GET", "/apps/app1/devices?tagValue=b", undefined, "query.tagName"],
  ])("%s %s %j", async (method, path, body, where) => {
    const { ask, calls } = startApi();
    const answer = await ask(method, path, body);
    expect([answer.status, answer.body.errors]).toEqual([400, [{ path: where, reason: expect.any(String) }]]);
    expect(calls).toEqual([]);
  });

  test.each([
    ["POST", "/apps/nobody/groups", { name: "a" }, "APP_NOT_FOUND"],
    ["GET", "/apps/nobody/groups", undefined, "APP_NOT_FOUND"],
    ["GET", "/apps/nobody/group-topology", undefined, "APP_NOT_FOUND"],
    ["GET", "/groups/nobody", undefined, "GROUP_NOT_FOUND"],
    ["PATCH", "/groups/nobody", {}, "GROUP_NOT_FOUND"],
    ["DELETE", "/groups/nobody", undefined, "GROUP_NOT_FOUND"],
    ["GET", "/groups/nobody/devices", undefined, "GROUP_NOT_FOUND"],
    ["POST", "/groups/nobody/devices", { deviceIds: [] }, "GROUP_NOT_FOUND"],
    ["POST", "/groups/nobody/devices/remove", { deviceIds: [] }, "GROUP_NOT_FOUND"],
    ["POST", "/groups/nobody/devices/move", { deviceIds: [], toGroupId: "g1" }, "GROUP_NOT_FOUND"],
    ["GET", "/devices/nobody/group", undefined, "DEVICE_NOT_FOUND"],
    ["GET", "/apps/nobody/tags", undefined, "APP_NOT_FOUND"],
    ["POST", "/apps/nobody/tags", { tagName: "a", tagValue: "b" }, "APP_NOT_FOUND"],
    ["DELETE", "/apps/nobody/tags?tagName=a&tagValue=b", undefined, "APP_NOT_FOUND"],
  ])("%s %s: 404", async (method, path, body, code) => {
    const { ask, calls } = startApi();
    const answer = await ask(method, path, body);
    expect([answer.status, answer.body.code, calls]).toEqual([404, code, []]);
  });
});
