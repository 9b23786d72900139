import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);
const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const ADD = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices";
const REMOVE = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices";

/** 1.11: a house is rebuilt. */
test("a facility manager groups sensors by floor, runs out of room, and closes a floor", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet, "facility");
  const ids: string[] = [];
  for (const room of ["101", "102", "201"]) ids.push((await register(room)).deviceId);
  const [first, second, third] = ids as [string, string, string];

  const ground = await app<{ id: string }>("POST", GROUPS, { name: "FirstFloor", maxDevNum: "2", deviceIds: [first] });
  expect(ground.status).toBe(200);
  const groupId = ground.body.id;
  const taken = await app("POST", GROUPS, { name: "FirstFloor", maxDevNum: "2" });
  expect(taken.body.error_code).toBe("100602");
  expect((await app("POST", ADD, { devGroupId: groupId, deviceIds: [second] })).status).toBe(200);
  const full = await app("POST", ADD, { devGroupId: groupId, deviceIds: [third] });
  expect(full.body.error_code).toBe("100601");

  const members = async () =>
    (
      await app<{ deviceIds: string[] }>(
        "GET",
        `/iocm/app/dm/v1.2.0/devices/ids?devGroupId=${groupId}&pageNo=0&pageSize=10`,
      )
    ).body.deviceIds;
  expect((await members()).sort()).toEqual([first, second].sort());
  expect((await app("PUT", `${GROUPS}/${groupId}`, { name: "GroundFloor", maxDevNum: "10" })).status).toBe(200);
  expect((await app("POST", ADD, { devGroupId: groupId, deviceIds: [third] })).status).toBe(200);
  const shown = await app<{ name: string; curDevNum: number }>("GET", `${GROUPS}/${groupId}`);
  expect(shown.body).toMatchObject({ name: "GroundFloor", curDevNum: 3 });

  expect((await app("POST", REMOVE, { devGroupId: groupId, deviceIds: [first, second] })).status).toBe(200);
  expect(await members()).toEqual([third]);
  expect((await app("DELETE", `${GROUPS}/${groupId}`)).status).toBe(200);
  expect((await app("GET", `${GROUPS}/${groupId}`)).body.error_code).toBe("100603");
  // The devices are still there, in no group.
  expect((await app("GET", `/iocm/app/dm/v1.4.0/devices/${third}`)).status).toBe(200);
});
