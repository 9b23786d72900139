import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";
import { setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
type Body = Record<string, unknown>;
type Group = { id: string; name: string; curDevNum: number; maxDevNum: number; deviceIds?: string[] };
type Groups = { totalCount: number; list: Group[] };
type Members = { totalCount: number; deviceIds: string[] };
type Task = { totalCnt: number; status: string };

test("a fleet is sorted into groups, commanded by them, re-sorted and taken apart", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, commands, productId, register } = await setUpNbIot(islet, "fleet");
  const devices: string[] = [];
  for (let at = 0; at < 6; at++) devices.push((await register(productId, `86123450000020${at}`)).deviceId);
  const [a, b, c, d, e, f] = devices as [string, string, string, string, string, string];

  // 1.11.1: two groups, one with members from the start.
  const create = (body: object) => app<Group>("POST", PATHS.groups, body);
  const north = (await create({ name: "North", description: "up there", maxDevNum: "3", deviceIds: [a, b] })).body;
  expect(north).toMatchObject({ name: "North", maxDevNum: 3, curDevNum: 2, deviceIds: [a, b] });
  const south = (await create({ name: "South" })).body;
  expect(south).toMatchObject({ maxDevNum: 0, curDevNum: 0, deviceIds: [] });
  expect(outcome(await create({ name: "No blanks" }))).toBe("400 50400");

  // 1.11.4 and 1.11.5: one a page unless asked otherwise.
  const list = async (query: string) => (await app<Groups>("GET", `${PATHS.groups}${query}`)).body;
  expect((await list("")).list.map(({ name }) => name)).toEqual(["North"]);
  expect((await list("?pageSize=10")).list.map(({ name }) => name)).toEqual(["North", "South"]);
  expect((await list("?pageNo=1")).list.map(({ name }) => name)).toEqual(["South"]);
  expect(await list("?name=South")).toMatchObject({ totalCount: 1, list: [{ id: south.id }] });
  const one = async (id: string) => (await app<Group>("GET", `${PATHS.groups}/${id}`)).body;
  expect(await one(north.id)).toMatchObject({ description: "up there", curDevNum: 2, creator: "fleet" });

  // 1.11.7, 1.11.8, 1.11.6: a device is in one group at most, so it leaves before it comes.
  const add = async (devGroupId: string, deviceIds: string[]) =>
    outcome(await app("POST", PATHS.addToGroup, { devGroupId, deviceIds }));
  const remove = async (devGroupId: string, deviceIds: string[]) =>
    outcome(await app("POST", PATHS.removeFromGroup, { devGroupId, deviceIds }));
  const members = async (devGroupId: string) => {
    const ids: string[] = [];
    for (let pageNo = 0; ; pageNo++) {
      const { body } = await app<Members>(
        "GET",
        `${PATHS.members}?devGroupId=${devGroupId}&pageNo=${pageNo}&pageSize=2`,
      );
      ids.push(...body.deviceIds);
      if (ids.length >= body.totalCount) return ids;
    }
  };
  expect(await add(south.id, [b, c, d, e, f])).toBe("400 100604"); // b is in the north
  expect(await members(south.id)).toEqual([]); // and so nobody came
  expect(await remove(north.id, [b])).toBe("200 ok");
  expect(await add(south.id, [b, c, d, e, f])).toBe("200 ok");
  expect(await members(south.id)).toEqual([b, c, d, e, f]);
  expect([(await one(north.id)).curDevNum, (await one(south.id)).curDevNum]).toEqual([1, 5]);

  // What is deleted leaves its group; the place is free.
  expect(outcome(await app("DELETE", `${PATHS.devices}/${f}`))).toBe("204 ok");
  expect([await members(south.id), (await one(south.id)).curDevNum]).toEqual([[b, c, d, e], 4]);

  // 1.10 works on members: by name and by id, as they are when the task is created.
  const command = async (taskName: string, param: object): Promise<Task | Body> => {
    const made = await app<{ taskID?: string; error_code?: string }>("POST", PATHS.tasks, {
      ...{ taskName, taskType: "DeviceCmd", timeout: 10 },
      param: { command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } }, ...param },
    });
    if (made.body.taskID === undefined) return made.body;
    return eventually(
      async () => (await app<Task>("GET", `${PATHS.tasks}/${made.body.taskID}`)).body,
      ({ status }) => status === "Running",
    );
  };
  const waiting = async () => {
    const counts = [];
    for (const deviceId of [a, b, c, d, e]) counts.push((await commands(deviceId)).length);
    return counts.join(" ");
  };
  expect(await command("by name", { type: "GroupList", groupList: ["South"] })).toMatchObject({ totalCnt: 4 });
  await eventually(waiting, (counts) => counts === "0 1 1 1 1");

  // 1.11.3: renamed, it answers to its new name and keeps its id; a limit below its members is refused.
  const change = (body: object) => app<Group>("PUT", `${PATHS.groups}/${south.id}`, body);
  expect(outcome(await change({ name: "Coast", maxDevNum: 3 }))).toBe("200 100601");
  expect((await change({ name: "Coast", maxDevNum: 4 })).body).toMatchObject({ id: south.id, maxDevNum: 4 });
  expect(outcome(await change({ name: "North" }))).toBe("200 100602");
  expect(await add(south.id, [c])).toBe("200 ok"); // it is there already
  expect(await command("old name", { type: "GroupList", groupList: ["South"] })).toMatchObject({
    error_code: "101001",
  });
  const both = { type: "GroupIdList", groupList: [south.id, north.id] };
  expect(await command("by ids", both)).toMatchObject({ totalCnt: 5 });
  await eventually(waiting, (counts) => counts === "1 2 2 2 2");

  // 1.11.2: the groups go, the devices and what waits for them stay, and are free for other groups.
  for (const { id } of [south, north]) expect(outcome(await app("DELETE", `${PATHS.groups}/${id}`))).toBe("200 ok");
  expect(outcome(await app("GET", `${PATHS.members}?devGroupId=${south.id}`))).toBe("200 100603");
  expect((await list("?pageSize=10")).totalCount).toBe(0);
  expect(await waiting()).toBe("1 2 2 2 2");
  const west = (await create({ name: "North", deviceIds: [a, b, c, d, e] })).body;
  expect(west.curDevNum).toBe(5);
  expect(west.id).not.toBe(north.id);
});
