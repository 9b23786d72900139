import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { APP_A } from "../devices/testing/device-bench";
import { codeOf, groupBench, NO_A, NO_B } from "./testing/group-bench";

/** Group g with d0 and d1 (limit 3), group h with d2; d3 and d4 in none. */
async function filled() {
  const bench = await groupBench({ maxIdsPerCall: 4 });
  const ids = await bench.register(5);
  const d = (...which: number[]) => which.map((n) => ids[n] as string);
  const g = await bench.create("G", { maxDevices: 3, deviceIds: d(0, 1) });
  const h = await bench.create("H", { deviceIds: d(2) });
  const { membersOf, groups } = bench;
  return {
    ...bench,
    ...{ d, g, h },
    state: () => [membersOf(g.id), membersOf(h.id), groups.get(NO_A, g.id).devices, groups.get(NO_A, h.id).devices],
  };
}

describe("add", () => {
  test("tells whom, each once, and leaves those that are in it", async () => {
    const { groups, g, h, d, state } = await filled();
    expect(await groups.add(NO_A, g.id, d(3, 0, 3))).toEqual(d(3, 0) as never);
    expect(state()).toEqual([d(0, 1, 3), d(2), 3, 1]);
    expect(await groups.add(NO_A, h.id, [])).toEqual([]);
    expect(await groups.add(NO_A, g.id, d(0, 1, 3))).toEqual(d(0, 1, 3) as never); // full, and nobody comes
  });

  test.each([
    ["a device of another group", [3, 2], [], "DEVICE_IN_OTHER_GROUP"],
    ["more than fit", [3, 4], [], "GROUP_FULL"],
    ["an unknown device", [3], ["nobody"], "DEVICE_NOT_FOUND"],
    ["more ids than a call may have", [0, 0, 0, 0, 0], [], "INPUT_INVALID"],
  ])("%s is refused, and nobody comes", async (_what, which, more, code) => {
    const { groups, g, d, state } = await filled();
    const before = state();
    expect(await codeOf(groups.add(NO_A, g.id, [...d(...which), ...more]))).toBe(code);
    expect(state()).toEqual(before);
  });

  test("of another application's device, or to its group, is not found", async () => {
    const { groups, g, d, registerForeign, state } = await filled();
    const foreign = await registerForeign("f");
    const theirs = await groups.create(NO_B, { name: "G", creator: "x" });
    expect(await codeOf(groups.add(NO_A, g.id, [foreign]))).toBe("DEVICE_NOT_FOUND");
    expect(await codeOf(groups.add(NO_B, theirs.group.id, d(3)))).toBe("DEVICE_NOT_FOUND");
    expect(await codeOf(groups.add(NO_A, theirs.group.id, d(3)))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(groups.move(NO_A, g.id, theirs.group.id, d(0)))).toBe("GROUP_NOT_FOUND");
    expect(state()).toEqual([d(0, 1), d(2), 2, 1]);
  });

  test("a refusal names the devices, ten of them", async () => {
    const { groups, g } = await groupBench().then(async (bench) => ({ ...bench, g: await bench.create("G") }));
    const wrong = Array.from({ length: 12 }, (_, n) => `wrong${n}`);
    await expect(groups.add(NO_A, g.id, wrong)).rejects.toMatchObject({
      details: { devices: 12, deviceIds: wrong.slice(0, 10) },
    });
  });
});

describe("remove", () => {
  test("frees them for another group", async () => {
    const { groups, g, h, d, state } = await filled();
    await groups.remove(NO_A, g.id, d(1, 1));
    await groups.add(NO_A, h.id, d(1));
    expect(state()).toEqual([d(0), d(1, 2), 1, 2]);
  });

  test.each([
    ["a device of another group", [0, 2], [], "DEVICE_NOT_IN_GROUP"],
    ["a device of no group", [0, 3], [], "DEVICE_NOT_IN_GROUP"],
    ["an unknown device", [0], ["nobody"], "DEVICE_NOT_FOUND"],
    ["more ids than a call may have", [0, 0, 0, 0, 0], [], "INPUT_INVALID"],
  ])("of %s is refused, and nobody leaves", async (_what, which, more, code) => {
    const { groups, g, d, state } = await filled();
    expect(await codeOf(groups.remove(NO_A, g.id, [...d(...which), ...more]))).toBe(code);
    expect(state()).toEqual([d(0, 1), d(2), 2, 1]);
  });
});

describe("move", () => {
  test("takes them out of one group into the other", async () => {
    const { groups, g, h, d, state } = await filled();
    expect(await groups.move(NO_A, g.id, h.id, d(1, 0, 1))).toEqual(d(1, 0) as never);
    expect(state()).toEqual([[], d(0, 1, 2), 0, 3]);
  });
  test("within one group changes nothing, also when it is full", async () => {
    const { groups, g, d, state } = await filled();
    await groups.change(NO_A, g.id, { maxDevices: 2 });
    await groups.move(NO_A, g.id, g.id, d(0, 1));
    expect(state()).toEqual([d(0, 1), d(2), 2, 1]);
  });
  test("is refused for those of elsewhere and where there is no room", async () => {
    const { groups, g, h, d, state } = await filled();
    expect(await codeOf(groups.move(NO_A, g.id, h.id, d(0, 3)))).toBe("DEVICE_NOT_IN_GROUP");
    expect(await codeOf(groups.move(NO_A, g.id, "nobody", d(0)))).toBe("GROUP_NOT_FOUND");
    await groups.change(NO_A, h.id, { maxDevices: 2 });
    expect(await codeOf(groups.move(NO_A, g.id, h.id, d(0, 1)))).toBe("GROUP_FULL");
    expect(state()).toEqual([d(0, 1), d(2), 2, 1]);
  });
});

describe("members leave", () => {
  test("with their device, in the same transaction", async () => {
    const { db, groups, devices, g, d, state, transactor } = await filled();
    const { no } = devices.get(APP_A, d(0)[0] as string);
    const undone = transactor.write(() => {
      db.run("DELETE FROM device WHERE no = ?", [no]);
      expect(groups.get(NO_A, g.id).devices).toBe(1);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(state()).toEqual([d(0, 1), d(2), 2, 1]);
    await devices.delete(no, { cascade: true });
    expect(state()).toEqual([d(1), d(2), 1, 1]);
    expect(groups.ofDevice(no)).toBeUndefined();
  });

  test("with their group: they are in none, and free for the next", async () => {
    const { groups, devices, g, h, d, membersOf } = await filled();
    const { no } = devices.get(APP_A, d(0)[0] as string);
    expect(groups.ofDevice(no)).toEqual(groups.get(NO_A, g.id));
    await groups.delete(NO_A, g.id, { cascade: false });
    expect([groups.ofDevice(no), groups.membersAfter(g.no, 0, 9)]).toEqual([undefined, []]);
    expect(await codeOf(groups.remove(NO_A, h.id, d(0)))).toBe("DEVICE_NOT_IN_GROUP");
    await groups.add(NO_A, h.id, d(0, 1));
    expect([membersOf(h.id), groups.get(NO_A, h.id).devices]).toEqual([d(0, 1, 2), 3]);
  });

  test("with their group at no cost: however many they are, one row is written", async () => {
    const { db, groups, create, register } = await groupBench();
    const { id } = await create("G", { deviceIds: await register(50) });
    const written = () => db.query<{ rows: number }, []>("SELECT total_changes() AS rows").get()?.rows ?? 0;
    const before = written();
    await groups.delete(NO_A, id, { cascade: true });
    expect(written() - before).toBe(1);
  });

  test("with a group above that is deleted in cascade", async () => {
    const { groups, create, d, g } = await filled();
    const above = await create("Above");
    await groups.change(NO_A, g.id, { parentId: above.id });
    await groups.delete(NO_A, above.id, { cascade: true });
    expect(await codeOf(create("Next", { deviceIds: d(0, 1) }))).toBe("none");
  });
});

test("pages and steps are in the order of registration", async () => {
  const { groups, create, register } = await groupBench();
  const ids = await register(7);
  const { id, no } = await create("G", { deviceIds: ids.toReversed() });
  const page = (number: number) => groups.members(NO_A, id, number, 3).items.map(({ deviceId }) => deviceId as string);
  expect([page(0), page(1), page(2), page(3)]).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6), []]);
  expect(groups.members(NO_A, id, 2_147_483_647, 1_000)).toEqual({ items: [], total: 7 });
  const stepped: string[] = [];
  for (let after = 0, step = groups.membersAfter(no, 0, 3); step.length > 0; step = groups.membersAfter(no, after, 3)) {
    stepped.push(...step.map(({ deviceId }) => deviceId as string));
    after = step.at(-1)?.deviceNo ?? 0;
  }
  expect(stepped).toEqual(ids);
});

const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
test(`whatever happens, counts and members agree with a plain model (SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const bench = await groupBench();
  const { groups, create, devices } = bench;
  const ids = await bench.register(12);
  const alive = new Set(ids);
  const model = new Map<string, { limit: number; members: Set<string> }>();
  const upTo = (count: number) => Math.floor(random() * count);
  const pick = <T>(from: readonly T[]) => from[upTo(from.length)] as T;
  const groupOf = (device: string) => [...model].find(([, { members }]) => members.has(device))?.[0];
  let done = 0;
  for (let round = 0; round < 300; round++) {
    const chosen = [...new Set(Array.from({ length: 1 + upTo(3) }, () => pick(ids)))];
    const [from, to] = [pick([...model.keys(), "none"]), pick([...model.keys(), "none"])];
    const isKnown = chosen.every((it) => alive.has(it));
    const kind = pick(["create", "add", "add", "remove", "move", "move", "delete", "limit", "gone"]);
    const source = model.get(from);
    const target = model.get(to);
    const room = (it: { limit: number; members: Set<string> }, more: number) =>
      it.limit === 0 || it.members.size + more <= it.limit;
    let works = false;
    let work: Promise<unknown>;
    if (kind === "create") {
      works = model.size < 6;
      const limit = upTo(5);
      work = works
        ? create(`R${round}`, { maxDevices: limit }).then(({ id }) => model.set(id, { limit, members: new Set() }))
        : Promise.reject();
    } else if (kind === "add") {
      const isFree = chosen.every((it) => [undefined, from].includes(groupOf(it)));
      const newcomers = chosen.filter((it) => groupOf(it) === undefined).length;
      works = Boolean(source && isKnown && isFree && room(source, newcomers));
      work = groups.add(NO_A, from, chosen);
      if (works) for (const it of chosen) source?.members.add(it);
    } else if (kind === "remove") {
      works = Boolean(source && isKnown && chosen.every((it) => source.members.has(it)));
      work = groups.remove(NO_A, from, chosen);
      if (works) for (const it of chosen) source?.members.delete(it);
    } else if (kind === "move") {
      const isIn = Boolean(source && chosen.every((it) => source.members.has(it)));
      works = Boolean(target && isIn && isKnown && (from === to || room(target, chosen.length)));
      work = groups.move(NO_A, from, to, chosen);
      for (const it of works ? chosen : []) {
        source?.members.delete(it);
        target?.members.add(it);
      }
    } else if (kind === "delete") {
      works = source !== undefined;
      work = groups.delete(NO_A, from, { cascade: true });
      model.delete(from);
    } else if (kind === "limit") {
      const limit = upTo(5);
      works = Boolean(source && (limit === 0 || source.members.size <= limit));
      work = groups.change(NO_A, from, { maxDevices: limit });
      if (source && works) source.limit = limit;
    } else {
      const victim = pick(ids);
      works = alive.size > 6 && alive.has(victim);
      work = works ? devices.delete(devices.get(APP_A, victim).no, { cascade: true }) : Promise.reject();
      if (works) {
        model.get(groupOf(victim) ?? "")?.members.delete(victim);
        alive.delete(victim);
      }
    }
    const result = await work.then(
      () => true,
      () => false,
    );
    const context = `seed ${seed}, round ${round}: ${kind} ${chosen} ${from} ${to}`;
    expect([context, result]).toEqual([context, works]);
    for (const [id, { members }] of model)
      expect([context, ...bench.membersOf(id)]).toEqual([context, ...ids.filter((it) => members.has(it))]);
    if (works) done++;
  }
  expect(done).toBeGreaterThan(60);
});
