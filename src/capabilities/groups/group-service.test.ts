import { describe, expect, test } from "bun:test";
import type { GroupNode } from "./group";
import { groupRepository } from "./group-repository";
import { memberRepository } from "./member-repository";
import { codeOf, groupBench, NO_A, NO_B } from "./testing/group-bench";

const page = { page: 0, pageSize: 100 };
const names = (bench: Awaited<ReturnType<typeof groupBench>>, filter = {}) =>
  bench.groups.list(NO_A, filter, page.page, page.pageSize).items.map(({ name }) => name);
/** `A(B C(D))` */
const draw = (nodes: readonly GroupNode[]): string =>
  nodes.map(({ name, children }) => (children.length > 0 ? `${name}(${draw(children)})` : name)).join(" ");

/** DefaultGroup, A(B(C) D), E */
async function tree(settings = {}) {
  const bench = await groupBench(settings);
  const a = await bench.create("A");
  const b = await bench.create("B", { parentId: a.id });
  const c = await bench.create("C", { parentId: b.id });
  const d = await bench.create("D", { parentId: a.id });
  const e = await bench.create("E");
  return { ...bench, a, b, c, d, e, drawn: () => draw(bench.groups.topology(NO_A)) };
}

describe("a new group", () => {
  test("has what was said, and is a root without a limit otherwise", async () => {
    const { groups, create } = await groupBench();
    const plain = await create("Cellar");
    expect(plain).toEqual({
      no: expect.any(Number),
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      appNo: NO_A,
      appId: "appA" as never,
      parentId: undefined,
      name: "Cellar",
      description: undefined,
      maxDevices: 0,
      devices: 0,
      isDefault: false,
      creator: "tester",
      createdAt: expect.any(Number),
    });
    expect(groups.get(NO_A, plain.id)).toEqual(plain);
    expect(groups.getById(plain.id)).toEqual(plain);
    expect(groups.find(NO_A, plain.id)).toEqual(plain);
    const full = await create("Shelf", {
      description: "left",
      maxDevices: 3,
      parentId: plain.id,
      creator: "é".repeat(60),
    });
    expect(full).toMatchObject({ description: "left", maxDevices: 3, parentId: plain.id, creator: "é".repeat(50) });
    expect((await create("Odd", { creator: `${"x".repeat(49)}🙂` })).creator).toBe("x".repeat(49));
  });

  test("takes its first members, each once", async () => {
    const { groups, register, membersOf } = await groupBench();
    const [one = "", two = ""] = await register(2);
    const { group, deviceIds } = await groups.create(NO_A, {
      name: "G",
      maxDevices: 2,
      deviceIds: [two, one, two],
      creator: "x",
    });
    expect([deviceIds as string[], group.devices, membersOf(group.id)]).toEqual([[two, one], 2, [one, two]]);
  });

  test.each([
    ["more members than it may have", { maxDevices: 1, known: 2 }, "GROUP_TOO_MANY_DEVICES"],
    ["more members than one call may name", { known: 4 }, "GROUP_TOO_MANY_DEVICES"],
    ["a device that nobody knows", { known: 1, deviceIds: ["nobody"] }, "DEVICE_NOT_FOUND"],
    ["a device of another application", { foreign: true }, "DEVICE_NOT_FOUND"],
    ["a device of another group", { taken: true }, "DEVICE_IN_OTHER_GROUP"],
    ["a parent that nobody knows", { parentId: "nobody" }, "GROUP_NOT_FOUND"],
    ["a parent of another application", { foreignParent: true }, "GROUP_NOT_FOUND"],
    ["the name of another group", { name: "Taken" }, "GROUP_NAME_TAKEN"],
    ["the name of the default group", { name: "DefaultGroup" }, "GROUP_NAME_TAKEN"],
  ])("with %s is refused and leaves nothing", async (_what, input, code) => {
    const bench = await groupBench({ maxIdsPerCall: 3 });
    const { groups, create, register, registerForeign } = bench;
    const known = await register(4);
    await create("Taken", { deviceIds: [known[3] as string] });
    const foreign = await groups.create(NO_B, { name: "Foreign", creator: "x" });
    const given = input as { known?: number; deviceIds?: string[]; foreign?: true; taken?: true; foreignParent?: true };
    const deviceIds = [
      ...known.slice(0, given.known ?? 0),
      ...(given.deviceIds ?? []),
      ...(given.foreign ? [await registerForeign("f")] : []),
      ...(given.taken ? [known[3] as string] : []),
    ];
    const before = names(bench);
    const parentId = given.foreignParent && foreign.group.id;
    const work = groups.create(NO_A, { name: "New", creator: "x", ...input, deviceIds, ...(parentId && { parentId }) });
    expect(await codeOf(work)).toBe(code);
    expect(names(bench)).toEqual(before);
    expect(await codeOf(groups.create(NO_A, { name: "New", creator: "x", deviceIds: known.slice(0, 3) }))).toBe("none");
  });

  test("may have the name of another application's group", async () => {
    const { create } = await groupBench();
    await create("Same");
    expect(await codeOf(create("Same", {}, NO_B))).toBe("none");
    expect(await codeOf(create("same"))).toBe("none"); // letters are told apart by their case
  });

  test("is refused beyond the number of groups, which the default group is not counted in", async () => {
    const bench = await groupBench({ maxGroups: 2 });
    const first = await bench.create("A");
    await bench.create("B");
    expect(await codeOf(bench.create("C"))).toBe("GROUP_LIMIT_REACHED");
    expect(await codeOf(bench.create("B"))).toBe("GROUP_NAME_TAKEN");
    expect(await codeOf(bench.create("C", {}, NO_B))).toBe("none");
    await bench.groups.delete(NO_A, first.id, { cascade: false });
    expect(await codeOf(bench.create("C"))).toBe("none");
    expect(names(bench)).toEqual(["DefaultGroup", "B", "C"]);
  });

  test("no limit is 0", async () => {
    const bench = await groupBench({ maxGroups: 0 });
    await bench.create("A");
    expect(names(bench)).toEqual(["DefaultGroup", "A"]);
  });
});

describe("a list", () => {
  test("is the oldest first, in pages, by name and by parent", async () => {
    const bench = await tree();
    const { groups, a, b } = bench;
    expect(names(bench)).toEqual(["DefaultGroup", "A", "B", "C", "D", "E"]);
    expect(names(bench, { createdOnly: true })).toEqual(["A", "B", "C", "D", "E"]);
    expect(names(bench, { parentId: null })).toEqual(["DefaultGroup", "A", "E"]);
    expect(names(bench, { parentId: a.id })).toEqual(["B", "D"]);
    expect(names(bench, { parentId: a.id, name: "D" })).toEqual(["D"]);
    expect(names(bench, { name: "C" })).toEqual(["C"]);
    expect(names(bench, { name: "c" })).toEqual([]);
    expect(groups.list(NO_A, { createdOnly: true }, 1, 2)).toMatchObject({
      total: 5,
      items: [{ name: "C" }, { name: "D" }],
    });
    expect(groups.list(NO_A, {}, 99, 2)).toEqual({ total: 6, items: [] });
    expect(groups.list(NO_B, {}, 0, 9)).toMatchObject({ total: 1, items: [{ name: "DefaultGroup" }] });
    expect(await codeOf(() => groups.list(NO_B, { parentId: b.id }, 0, 9))).toBe("GROUP_NOT_FOUND");
  });

  test("uses indexes", async () => {
    const { db } = await tree();
    const seen: string[] = [];
    const watched = new Proxy(db, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (key !== "query") return typeof value === "function" ? value.bind(target) : value;
        return (sql: string) => {
          seen.push(sql);
          return target.query(sql);
        };
      },
    });
    memberRepository(watched);
    const repository = groupRepository(watched);
    for (const name of [undefined, "A"])
      for (const parentNo of [undefined, null, 3])
        for (const createdOnly of [false, true]) repository.list(NO_A, { name, parentNo, createdOnly }, 10, 0);
    const scans = seen
      .filter((sql) => !/^INSERT/.test(sql))
      .flatMap((sql) =>
        db
          .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`)
          .all()
          .map((it) => `${it.detail}: ${sql}`),
      )
      .filter((step) => /^SCAN (?!it VIRTUAL|wanted|json_each)/.test(step));
    expect([seen.length > 20, scans]).toEqual([true, []]);
  });
});

describe("a change", () => {
  test("is of what is given", async () => {
    const { groups, a, b } = await tree();
    const changed = await groups.change(NO_A, a.id, { description: "new", maxDevices: 4 });
    expect(changed).toEqual({ ...a, description: "new", maxDevices: 4 });
    expect(await groups.change(NO_A, a.id, { name: "Z" })).toEqual({ ...changed, name: "Z" });
    expect(await groups.change(NO_A, a.id, { description: null })).toEqual({
      ...changed,
      name: "Z",
      description: undefined,
    });
    expect(await groups.change(NO_A, b.id, { name: "B" })).toEqual(b); // its own name is free
  });

  test.each([
    [{ name: "E" }, "GROUP_NAME_TAKEN"],
    [{ parentId: "nobody" }, "GROUP_NOT_FOUND"],
  ])("%j is refused", async (patch, code) => {
    const { groups, a } = await tree();
    expect(await codeOf(groups.change(NO_A, a.id, { description: "lost", ...patch }))).toBe(code);
    expect(groups.get(NO_A, a.id)).toEqual(a);
  });

  test("of the limit reaches down to the number of members, and 0 lifts it", async () => {
    const { groups, create, register } = await groupBench();
    const { id } = await create("G", { deviceIds: await register(3) });
    expect(await codeOf(groups.change(NO_A, id, { name: "H", maxDevices: 2 }))).toBe("GROUP_FULL");
    expect(groups.get(NO_A, id)).toMatchObject({ name: "G", maxDevices: 0, devices: 3 });
    expect(await groups.change(NO_A, id, { maxDevices: 3 })).toMatchObject({ maxDevices: 3 });
    expect(await groups.change(NO_A, id, { maxDevices: 0 })).toMatchObject({ maxDevices: 0 });
  });

  test("of a group of another application is not found", async () => {
    const { groups, a } = await tree();
    expect(await codeOf(() => groups.get(NO_B, a.id))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(groups.change(NO_B, a.id, { name: "Z" }))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(groups.delete(NO_B, a.id, { cascade: true }))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(() => groups.members(NO_B, a.id, 0, 1))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(groups.add(NO_B, a.id, []))).toBe("GROUP_NOT_FOUND");
    expect(await codeOf(groups.remove(NO_B, a.id, []))).toBe("GROUP_NOT_FOUND");
    expect([groups.find(NO_B, a.id), await codeOf(() => groups.getById("x"))]).toEqual([undefined, "GROUP_NOT_FOUND"]);
  });
});

describe("the tree", () => {
  test.each([
    ["detach", "b", null, "DefaultGroup A(D) B(C) E"],
    ["move with all below", "b", "e", "DefaultGroup A(D) E(B(C))"],
    ["move a root below another", "a", "e", "DefaultGroup E(A(B(C) D))"],
    ["below its own parent: nothing changes", "b", "a", "DefaultGroup A(B(C) D) E"],
    ["below the default group", "e", "default-appA", "DefaultGroup(E) A(B(C) D)"],
  ] as const)("%s", async (_what, which, to, expected) => {
    const bench = await tree();
    expect(bench.drawn()).toBe("DefaultGroup A(B(C) D) E");
    const parentId = to === "a" || to === "e" ? bench[to].id : to;
    await bench.groups.change(NO_A, bench[which].id, { parentId });
    expect(bench.drawn()).toBe(expected);
  });

  test.each([
    ["below itself", "a", "a", "GROUP_HIERARCHY_INVALID"],
    ["below its child", "a", "b", "GROUP_HIERARCHY_INVALID"],
    ["below its grandchild", "a", "c", "GROUP_HIERARCHY_INVALID"],
    ["too deep with what is below it", "a", "e", "GROUP_HIERARCHY_INVALID"],
  ] as const)("a move %s is refused", async (_what, which, to, code) => {
    const bench = await tree({ maxDepth: 3 });
    expect(await codeOf(bench.groups.change(NO_A, bench[which].id, { parentId: bench[to].id }))).toBe(code);
    expect(bench.drawn()).toBe("DefaultGroup A(B(C) D) E");
  });

  test("has a bottom for new groups too", async () => {
    const { create, c, d } = await tree({ maxDepth: 3 });
    expect(await codeOf(create("F", { parentId: c.id }))).toBe("GROUP_HIERARCHY_INVALID");
    expect(await codeOf(create("F", { parentId: d.id }))).toBe("none");
  });

  test.each([
    ["a", false, "DefaultGroup B(C) D E"],
    ["a", true, "DefaultGroup E"],
    ["b", false, "DefaultGroup A(D) C E"],
    ["b", true, "DefaultGroup A(D) E"],
    ["c", false, "DefaultGroup A(B D) E"],
  ] as const)("without %s, cascade %p", async (which, cascade, expected) => {
    const { groups, drawn, ...bench } = await tree();
    await groups.delete(NO_A, bench[which].id, { cascade });
    expect(drawn()).toBe(expected);
    expect(await codeOf(groups.delete(NO_A, bench[which].id, { cascade }))).toBe("GROUP_NOT_FOUND");
  });
});

describe("the default group", () => {
  const id = "default-appA";
  test("is there, stays there and stays a root", async () => {
    const { groups, e, drawn } = await tree();
    expect(groups.get(NO_A, id)).toMatchObject({
      name: "DefaultGroup",
      isDefault: true,
      creator: "system",
      devices: 0,
    });
    expect(await codeOf(groups.delete(NO_A, id, { cascade: true }))).toBe("GROUP_IS_DEFAULT");
    expect(await codeOf(groups.change(NO_A, id, { parentId: e.id }))).toBe("GROUP_IS_DEFAULT");
    expect(await codeOf(groups.change(NO_A, id, { parentId: null }))).toBe("none");
    expect(drawn()).toBe("DefaultGroup A(B(C) D) E");
  });

  test("holds devices, has a name and a limit like any other", async () => {
    const { groups, register, membersOf } = await groupBench();
    const ids = await register(1);
    await groups.add(NO_A, id, ids);
    await groups.change(NO_A, id, { name: "Rest", maxDevices: 1 });
    expect([membersOf(id), groups.get(NO_A, id).name]).toEqual([ids, "Rest"]);
  });
});

test("groups go with their application, whatever their order", async () => {
  const { db } = await tree();
  db.run("DELETE FROM product WHERE app_no = 1");
  db.run("DELETE FROM application WHERE no = 1");
  expect(db.query("SELECT app_no FROM device_group").all()).toEqual([{ app_no: NO_B }]);
});
