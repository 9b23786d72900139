import { expect, test } from "bun:test";
import { application, setUp } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const IDS = "/iocm/app/dm/v1.2.0/devices/ids";
const ADD = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices";
const REMOVE = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices";
type Group = { id: string; curDevNum: number; error_code?: string };
type Members = { totalCount: number; deviceIds: string[] };

test("an application groups its devices; what was acknowledged outlives a crash", async () => {
  using folder = temporaryFolder();
  await using crashing = await startIslet({ data: folder.path });
  const { app, appId, appSecret, register } = await setUp(crashing);
  const a = (await register("a")).deviceId;
  const b = (await register("b")).deviceId;
  const c = (await register("c")).deviceId;

  const made = await app<Group>("POST", GROUPS, { name: "Cellar", maxDevNum: "2", deviceIds: [a] });
  const { id } = made.body;
  expect(made).toEqual({
    status: 200,
    body: { name: "Cellar", description: null, id, appId, maxDevNum: 2, curDevNum: 1, deviceIds: [a] } as never,
  });
  const other = (await app<Group>("POST", GROUPS, { name: "Attic" })).body.id;
  const code = async (method: string, path: string, body: unknown) => {
    const answer = await app<Group>(method, path, body);
    return [answer.status, answer.body.error_code];
  };
  expect(await code("POST", GROUPS, { name: "Cellar" })).toEqual([200, "100602"]);
  expect(await code("POST", GROUPS, { name: "New", maxDevNum: 1, deviceIds: [b, c] })).toEqual([400, "100609"]);
  expect(await code("POST", ADD, { devGroupId: other, deviceIds: [b, a] })).toEqual([400, "100604"]);
  expect(await code("POST", ADD, { devGroupId: id, deviceIds: ["nobody"] })).toEqual([400, "100604"]);
  expect(await code("POST", ADD, { devGroupId: id, deviceIds: [b, c] })).toEqual([200, "100601"]);
  expect(await code("POST", ADD, { devGroupId: id, deviceIds: [b] })).toEqual([200, undefined]);
  expect(await code("PUT", `${GROUPS}/${id}`, { name: "Cellar", maxDevNum: 1 })).toEqual([200, "100601"]);
  expect(await code("POST", REMOVE, { devGroupId: id, deviceIds: [c] })).toEqual([400, "100604"]);
  expect(await code("POST", REMOVE, { devGroupId: id, deviceIds: [a] })).toEqual([200, undefined]);
  expect(await code("DELETE", `${GROUPS}/${other}`, undefined)).toEqual([200, undefined]);
  expect(await code("DELETE", `${GROUPS}/${other}`, undefined)).toEqual([200, "100603"]);

  await crashing.crash();
  await using islet = await startIslet({ data: folder.path });
  const again = await application(islet, appId, appSecret);
  expect((await again<Members>("GET", `${IDS}?devGroupId=${id}`)).body).toMatchObject({
    totalCount: 1,
    deviceIds: [b],
  });
  await again("DELETE", `/iocm/app/dm/v1.4.0/devices/${b}`);
  expect((await again<Members>("GET", `${IDS}?devGroupId=${id}`)).body).toMatchObject({ totalCount: 0, deviceIds: [] });
  const list = await again("GET", `${GROUPS}?pageSize=10`);
  expect(list.body).toMatchObject({ totalCount: 1, list: [{ name: "Cellar", maxDevNum: 2, creator: "journey" }] });
});

test("an operator arranges groups in trees and finds devices by their tags", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, appId, manage, register } = await setUp(islet);
  const { deviceId } = await register("a");
  const group = async (name: string, parentId?: string) =>
    (await manage<{ groupId: string }>("POST", `/apps/${appId}/groups`, { name, parentId })).body.groupId;
  const north = await group("North");
  const hall = await group("Hall", north);
  const desk = await group("Desk", hall);
  type Node = { name: string; children: Node[] };
  const draw = (nodes: Node[]): string =>
    nodes.map(({ name, children }) => name + (children.length > 0 ? `(${draw(children)})` : "")).join(" ");
  const drawn = async () =>
    draw((await manage<{ groups: Node[] }>("GET", `/apps/${appId}/group-topology`)).body.groups);

  expect(await drawn()).toBe("DefaultGroup North(Hall(Desk))");
  expect((await manage("PATCH", `/groups/${north}`, { parentId: desk })).status).toBe(409);
  await manage("POST", `/groups/default-${appId}/devices`, { deviceIds: [deviceId] });
  await manage("POST", `/groups/default-${appId}/devices/move`, { deviceIds: [deviceId], toGroupId: desk });
  expect((await manage("GET", `/devices/${deviceId}/group`)).body).toMatchObject({ name: "Desk", deviceCount: 1 });
  await app("DELETE", `${GROUPS}/${hall}`); // the application does not know of trees
  expect(await drawn()).toBe("DefaultGroup North Desk");
  expect((await manage("DELETE", `/groups/default-${appId}?cascade=true`)).body.code).toBe("GROUP_IS_DEFAULT");

  const tags = [{ tagName: "floor", tagValue: "1" }];
  await app("PUT", `/iocm/app/dm/v1.4.0/devices/${deviceId}`, { tags });
  const found = await manage("GET", `/apps/${appId}/devices?tagName=floor&tagValue=1`);
  expect(found.body).toMatchObject({ total: 1, items: [{ deviceId, tags }] });
  expect((await manage("GET", `/apps/${appId}/devices?tagName=floor&tagValue=2`)).body.total).toBe(0);
});
