import { DomainError } from "../../../platform/domain-error";
import { randomIds } from "../../../platform/ids";
import { APP_B, deviceBench } from "../../devices/testing/device-bench";
import type { GroupSettings, NewGroup } from "../group";
import { groupService } from "../group-service";

export const NO_A = 1; // of APP_A
export const NO_B = 2;

/** Groups on a real database, with the devices of `deviceBench` and their two applications. */
export async function groupBench(settings: Partial<GroupSettings> = {}) {
  const bench = deviceBench();
  const { db, transactor, clock } = bench;
  const groups = groupService({ db, transactor, ids: randomIds, clock, settings });
  const product = await bench.importProduct();
  const create = async (name: string, more: Partial<NewGroup> = {}, appNo = NO_A) =>
    (await groups.create(appNo, { name, creator: "tester", ...more })).group;
  return {
    ...bench,
    groups,
    create,
    /** Devices d0, d1, …; their ids. */
    register: async (count: number) => {
      const ids: string[] = [];
      for (let n = 0; n < count; n++) ids.push((await bench.register(`d${n}`, product)).id);
      return ids;
    },
    /** A device of the other application; its id. */
    registerForeign: async (nodeId: string) =>
      (await bench.register(nodeId, await bench.importProduct({}, APP_B), {}, APP_B)).id,
    membersOf: (groupId: string) => {
      const { items, total } = groups.members(NO_A, groupId, 0, 1_000);
      if (items.length !== total) throw new Error(`${total} counted, ${items.length} found`);
      return items.map(({ deviceId }) => deviceId as string);
    },
  };
}

/** The code of the domain error that the work ends with. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
    return "none";
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}
