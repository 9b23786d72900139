import { describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { DomainError } from "../../platform/domain-error";
import { openDatabase } from "../../platform/storage/open-database";
import { seededRandom } from "../../platform/testing/seeded-random";
import type { Tag } from "./device";
import { APP_A, APP_B, deviceBench } from "./testing/device-bench";

const NO_A = 1;
const tag = (tagName: string, tagValue: string, tagType?: number): Tag =>
  tagType === undefined ? { tagName, tagValue } : { tagName, tagValue, tagType };

async function bench() {
  const opened = deviceBench();
  const product = await opened.importProduct();
  const { tags, devices } = opened;
  return {
    ...opened,
    register: (nodeId: string, ...its: Tag[]) => opened.register(nodeId, product, { tags: its }),
    known: () =>
      tags
        .list(NO_A, {}, 0, 100)
        .items.map((it) => `${it.tagName}=${it.tagValue} ${it.devices}${it.defined ? " defined" : ""}`),
    carriers: (name: string, value?: string) =>
      devices
        .list(APP_A, { tag: { name, value }, sort: "ASC", page: 0, pageSize: 100 })
        .items.map(({ nodeId }) => nodeId),
  };
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error) => (error instanceof DomainError ? error.code : String(error)),
  );

describe("devices are found by what they carry", () => {
  test("from their registration", async () => {
    const { register, carriers } = await bench();
    await register("a", tag("floor", "1"), tag("wing", "east"));
    await register("b", tag("floor", "2", 7), tag("floor", "1"));
    await register("c");
    expect([carriers("floor", "1"), carriers("floor", "2"), carriers("floor"), carriers("wing")]).toEqual([
      ["a", "b"],
      ["b"],
      ["a", "b"],
      ["a"],
    ]);
    expect([carriers("Floor"), carriers("floor", "3"), carriers("wing", "1"), carriers("c")]).toEqual([[], [], [], []]);
  });

  test("after a change, by the new ones only", async () => {
    const { register, devices, carriers, known } = await bench();
    const { no } = await register("a", tag("floor", "1"), tag("wing", "east"));
    await devices.modify(no, { tags: [tag("wing", "west"), tag("wing", "east")] });
    expect([carriers("floor"), carriers("wing", "west"), carriers("wing", "east")]).toEqual([[], ["a"], ["a"]]);
    await devices.modify(no, { info: { name: "same tags" } });
    expect(carriers("wing", "west")).toEqual(["a"]);
    await devices.modify(no, { tags: [] });
    expect([carriers("wing"), known()]).toEqual([[], []]);
    await devices.modify(no, { tags: [tag("new", "1")] });
    expect(known()).toEqual(["new=1 1"]);
  });

  test("until they are deleted", async () => {
    const { register, devices, carriers, known } = await bench();
    const { no } = await register("a", tag("floor", "1"));
    await register("b", tag("floor", "1"));
    await devices.delete(no, { cascade: true });
    expect([carriers("floor", "1"), known()]).toEqual([["b"], ["floor=1 1"]]);
  });

  test("whatever the text is", async () => {
    const odd = [
      "'; DROP TABLE tag; --",
      '"quoted" \\ / {}',
      "🙂\u0001",
      "x".repeat(1_024),
      "a\u0000b",
      "null",
      "1",
      "true",
    ];
    const { register, carriers } = await bench();
    for (const [index, text] of odd.entries()) await register(`d${index}`, tag(text.slice(0, 128), text));
    for (const [index, text] of odd.entries()) expect(carriers(text.slice(0, 128), text)).toEqual([`d${index}`]);
  });

  test("when they carry the same tag twice, once", async () => {
    const { register, carriers, known, devices } = await bench();
    const { no } = await register("a", tag("floor", "1"), tag("floor", "1", 2));
    expect([carriers("floor", "1"), known()]).toEqual([["a"], ["floor=1 1"]]);
    await devices.delete(no, { cascade: true });
    expect(known()).toEqual([]);
  });

  test("in their own application only", async () => {
    const { register, devices, importProduct, known } = await bench();
    await register("a", tag("floor", "1"));
    await devices.register(APP_B, {
      nodeId: "b",
      product: { productId: (await importProduct({}, APP_B)).id },
      credentials: { kind: "password" },
      tags: [tag("floor", "1"), tag("theirs", "1")],
    });
    expect(known()).toEqual(["floor=1 1"]);
    const list = { sort: "ASC", page: 0, pageSize: 9 } as const;
    expect(devices.list(APP_A, { tag: { name: "theirs" }, ...list })).toEqual({ items: [], total: 0 });
    expect(devices.list(APP_B, { tag: { name: "floor" }, ...list })).toMatchObject({
      total: 1,
      items: [{ nodeId: "b" }],
    });
  });
});

test("a device has a limited number of them", async () => {
  const opened = deviceBench({ settings: { maxTags: 2 } });
  const product = await opened.importProduct();
  const many = [tag("a", "1"), tag("b", "1"), tag("c", "1")];
  expect(await codeOf(opened.register("a", product, { tags: many }))).toBe("INPUT_INVALID");
  const { no } = await opened.register("a", product, { tags: many.slice(1) });
  expect(await codeOf(opened.devices.modify(no, { tags: many, info: { name: "lost" } }))).toBe("INPUT_INVALID");
  expect(opened.devices.findByNo(no)).toMatchObject({ tags: many.slice(1), info: { name: "a" } });
});

describe("defined tags", () => {
  test("are there before and after their devices", async () => {
    const { register, tags, devices, known } = await bench();
    expect(await tags.define(NO_A, "floor", "1")).toEqual({ ...tag("floor", "1"), devices: 0, defined: true });
    const { no } = await register("a", tag("floor", "1"), tag("wing", "east"));
    expect(await tags.define(NO_A, "floor", "1")).toEqual({ ...tag("floor", "1"), devices: 1, defined: true });
    expect(known()).toEqual(["floor=1 1 defined", "wing=east 1"]);
    await devices.delete(no, { cascade: true });
    expect(known()).toEqual(["floor=1 0 defined"]);
  });

  test("are removed when no device carries them", async () => {
    const { register, tags, known } = await bench();
    await tags.define(NO_A, "floor", "1");
    await register("a", tag("wing", "east"));
    expect(await codeOf(tags.remove(NO_A, "wing", "east"))).toBe("CONFLICT");
    expect(await codeOf(tags.remove(NO_A, "floor", "2"))).toBe("NOT_FOUND");
    expect(await codeOf(tags.remove(NO_A, "wing", ""))).toBe("NOT_FOUND"); // the row of any value is not a tag
    expect(await codeOf(tags.remove(2, "floor", "1"))).toBe("NOT_FOUND");
    expect(await codeOf(tags.remove(NO_A, "floor", "1"))).toBe("none");
    expect(known()).toEqual(["wing=east 1"]);
  });

  test("are listed by name and value, in pages", async () => {
    const { tags } = await bench();
    for (const [name, value] of [
      ["b", "1"],
      ["a", "2"],
      ["a", "1"],
    ] as const)
      await tags.define(NO_A, name, value);
    const list = (...args: [object, number, number]) => {
      const { items, total } = tags.list(NO_A, ...args);
      return [total, ...items.map((it) => it.tagName + it.tagValue)];
    };
    expect(list({}, 0, 2)).toEqual([3, "a1", "a2"]);
    expect(list({}, 1, 2)).toEqual([3, "b1"]);
    expect(list({ name: "a" }, 0, 9)).toEqual([2, "a1", "a2"]);
    expect(list({ name: "a", value: "2" }, 0, 9)).toEqual([1, "a2"]);
    expect(list({ value: "1" }, 0, 9)).toEqual([2, "a1", "b1"]);
  });

  test("go with their application", async () => {
    const { tags, db } = await bench();
    await tags.define(NO_A, "floor", "1");
    db.run("DELETE FROM product");
    db.run("DELETE FROM application WHERE no = 1");
    expect(db.query("SELECT * FROM tag").all()).toEqual([]);
  });
});

test("devices of an older database are found by their tags, too", () => {
  const isNew = ({ name }: { name: string }) => name === "0014-groups";
  const older = REGISTRY_MIGRATIONS.slice(0, REGISTRY_MIGRATIONS.findIndex(isNew));
  const db = openDatabase(":memory:", { migrations: older });
  db.run(`INSERT INTO application VALUES (1, 'a', 'a', NULL, NULL, 1, 1, NULL, 0, '', 0, 0, 0, 9)`);
  const insert = db.query(
    `INSERT INTO device (no, id, app_no, node_id, gateway_no, node_type, info, status, status_detail, muted, is_secure,
       tags, activated, bound, secret, psk, created_at_ms, modified_at_ms)
     VALUES (?1, 'd' || ?1, 1, 'n' || ?1, ?1, 'ENDPOINT', '{}', 'OFFLINE', 'NONE', 0, 0, ?2, 0, 0, x'', x'', ?1, 0)`,
  );
  insert.run(1, JSON.stringify([tag("floor", "1"), tag("floor", "2")]));
  insert.run(2, null);
  insert.run(3, JSON.stringify([tag("floor", "1")]));
  for (const { sql } of REGISTRY_MIGRATIONS.filter(isNew)) db.run(sql);
  expect(db.query("SELECT name, value, devices FROM tag ORDER BY value").values()).toEqual([
    ["floor", "", 2],
    ["floor", "1", 2],
    ["floor", "2", 1],
  ]);
  expect(db.query("SELECT id, name, is_default, created_at_ms FROM device_group").values()).toEqual([
    ["default-a", "DefaultGroup", 1, 9],
  ]);
});

const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
test(`whatever happens, what is searched agrees with what is carried (SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const upTo = (count: number) => Math.floor(random() * count);
  const { register, devices, carriers, known } = await bench();
  const model = new Map<string, { no: number; tags: string[] }>();
  const some = () => Array.from({ length: upTo(5) }, () => `n${upTo(3)}=v${upTo(3)}`);
  const toTags = (texts: string[]) => texts.map((it) => tag(it.slice(0, 2), it.slice(3)));
  for (let round = 0; round < 200; round++) {
    const nodeId = `d${upTo(8)}`;
    const tags = some();
    const current = model.get(nodeId);
    if (!current) model.set(nodeId, { no: (await register(nodeId, ...toTags(tags))).no, tags });
    else if (random() < 0.3) {
      await devices.delete(current.no, { cascade: true });
      model.delete(nodeId);
    } else {
      await devices.modify(current.no, { tags: toTags(tags) });
      current.tags = tags;
    }
    const counted = new Map<string, number>();
    for (const { tags } of model.values()) for (const it of new Set(tags)) counted.set(it, (counted.get(it) ?? 0) + 1);
    expect(known()).toEqual(
      [...counted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([it, devices]) => `${it} ${devices}`),
    );
    const carrying = (test: (it: string) => boolean) =>
      [...model]
        .filter(([, { tags }]) => tags.some(test))
        .map(([it]) => it)
        .sort();
    expect(carriers("n1").sort()).toEqual(carrying((it) => it.startsWith("n1=")));
    expect(carriers("n1", "v2").sort()).toEqual(carrying((it) => it === "n1=v2"));
  }
});
