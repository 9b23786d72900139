import type { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { seededRandom } from "../../platform/testing/seeded-random";
import type { Device, Tag } from "./device";
import { deviceListing } from "./device-listing";
import type { DeviceFilter } from "./device-service";
import { deviceTags } from "./tags";
import { APP_A, APP_B, deviceBench } from "./testing/device-bench";

const SEED = 20261121;
const TAGS: readonly Tag[] = [
  { tagName: "floor", tagValue: "1" },
  { tagName: "floor", tagValue: "2" },
  { tagName: "wing", tagValue: "1" },
];

/** Two applications; names, places and types repeat, some often. `queries` are the statements that have been prepared. */
async function filled(perApp: number) {
  const random = seededRandom(SEED);
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const queries = new Set<string>();
  const real = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const db = new Proxy(real, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (key === "query")
        return (sql: string) => {
          queries.add(sql);
          return target.query(sql);
        };
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as Database;
  const bench = deviceBench({ db });
  const devices: Device[] = [];
  for (const app of [APP_A, APP_B]) {
    const meter = await bench.importProduct({}, app);
    const valve = await bench.importProduct({ deviceType: "Valve", model: "V" }, app);
    const gateways: Device[] = [];
    for (let n = 0; n < perApp; n++) {
      const device = await bench.register(
        `${app}-${n}`,
        pick([meter, meter, meter, valve]),
        {
          info: {
            name: pick(["pump", "pump", "pump", `unique ${n}`]),
            ...(random() < 0.7 && { location: pick(["here", "there"]) }),
          },
          tags: TAGS.filter(() => random() < 0.5),
          ...(gateways.length > 0 && random() < 0.4 && { gatewayNo: pick(gateways).no }),
        },
        app,
      );
      if (gateways.length < 3 && device.gatewayNo === undefined) gateways.push(device);
      if (random() < 0.3) await bench.devices.seen(device.no);
      devices.push(device);
      if (random() < 0.5) await bench.clock.advance(1_000);
    }
  }
  return { ...bench, all: devices.map(({ no }) => bench.devices.findByNo(no) as Device), queries, real, watched: db };
}

const carries = ({ tagName, tagValue }: Tag, wanted: DeviceFilter["tag"]) =>
  tagName === wanted?.name && (wanted.value === undefined || tagValue === wanted.value);
const matches = (device: Device, filter: DeviceFilter): boolean =>
  (filter.gatewayId === undefined || device.gatewayId === filter.gatewayId) &&
  (filter.nodeType === undefined || device.nodeType === filter.nodeType) &&
  (filter.deviceType === undefined || device.info.deviceType === filter.deviceType) &&
  (filter.location === undefined || device.info.location === filter.location) &&
  (filter.name === undefined || device.info.name === filter.name) &&
  (filter.status === undefined || device.status === filter.status) &&
  (filter.tag === undefined || device.tags.some((it) => carries(it, filter.tag))) &&
  (filter.startMs === undefined || device.createdAt >= filter.startMs) &&
  (filter.endMs === undefined || device.createdAt <= filter.endMs);

test("every combination of filters, in both orders, page by page, is what looking at each device gives", async () => {
  const { devices, all, queries, real, watched, transactor } = await filled(150);
  const own = all.filter((it) => it.appId === APP_A);
  const middle = own[75]?.createdAt ?? 0;
  const filters: DeviceFilter = {
    gatewayId: own[0]?.id,
    nodeType: "ENDPOINT",
    deviceType: "WaterMeter",
    location: "here",
    name: "pump",
    status: "INACTIVE",
    tag: { name: "floor", value: "1" },
    startMs: middle - 40_000,
    endMs: middle + 30_000,
  };
  const kinds = Object.keys(filters) as (keyof DeviceFilter)[];
  // Where everything counts as much, the other ways of finding are taken.
  const meagre = deviceListing(watched, 5);
  const tag = deviceTags(real, transactor).find(1, { name: "floor", value: "1" });
  const gatewayNo = own[0]?.no;
  let found = 0;
  for (let mask = 0; mask < 1 << kinds.length; mask++) {
    const filter: DeviceFilter = Object.fromEntries(
      kinds.filter((_, bit) => mask & (1 << bit)).map((kind) => [kind, filters[kind]]),
    );
    const ascending = own.filter((it) => matches(it, filter)).map(({ no }) => no);
    for (const sort of ["ASC", "DESC"] as const) {
      const expected = sort === "ASC" ? ascending : [...ascending].reverse();
      for (const page of [0, 1, 50]) {
        const { items, total } = devices.list(APP_A, { ...filter, sort, page, pageSize: 7 });
        const where = `seed ${SEED}: ${JSON.stringify(filter)} ${sort} ${page}`;
        expect([where, total, ...items.map(({ no }) => no)]).toEqual([
          where,
          expected.length,
          ...expected.slice(page * 7, page * 7 + 7),
        ]);
        const named = { gatewayNo: filter.gatewayId && gatewayNo, tag: filter.tag && tag };
        const other = meagre.list(1, named as never, { ...filter, sort, page, pageSize: 7 });
        expect([where, other.total, ...other.rows.map(({ no }) => no)]).toEqual([
          where,
          expected.length,
          ...expected.slice(page * 7, page * 7 + 7),
        ]);
        found += items.length;
      }
    }
  }
  expect(found).toBeGreaterThan(1_000);
  for (const tag of [{ name: "floor" }, { name: "wing" }, { name: "wing", value: "2" }, { name: "1" }]) {
    const expected = own.filter((it) => matches(it, { tag })).map(({ no }) => no);
    const { items, total } = devices.list(APP_A, { tag, sort: "ASC", page: 0, pageSize: 1_000 });
    expect([JSON.stringify(tag), total, ...items.map(({ no }) => no)]).toEqual([
      JSON.stringify(tag),
      expected.length,
      ...expected,
    ]);
  }
  // Few have this status, many this tag.
  const rare = { tag: { name: "floor" }, status: "ONLINE", nodeType: "ENDPOINT" } as const;
  const expected = own.filter((it) => matches(it, rare)).map(({ no }) => no);
  const anyFloor = deviceTags(real, transactor).find(1, rare.tag);
  const list = { ...rare, sort: "ASC", page: 0, pageSize: 1_000 } as const;
  const { rows } = meagre.list(1, { gatewayNo: undefined, tag: anyFloor }, list);
  expect([rows.length > 5, ...rows.map(({ no }) => no)]).toEqual([true, ...expected]);
  assertNoScans(real, queries);
});

/** A full scan of `device` through no index, or of a whole index, would read every device of every application. */
function assertNoScans(db: Database, queries: ReadonlySet<string>): void {
  const listings = [...queries].filter((sql) => /FROM (device INDEXED BY device_by_|device_tag)/.test(sql));
  expect(listings.length).toBeGreaterThan(100);
  expect(listings.some((sql) => /INDEXED BY device_by_status .* EXISTS/s.test(sql))).toBe(true);
  const breaches = new Set<string>();
  for (const sql of listings) {
    const plan = db.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all();
    const steps = plan.map(({ detail }) => detail);
    // The rows of the page, found and cut by then, are sorted once more.
    const finding = steps.includes("SCAN wanted") ? steps.slice(0, steps.indexOf("SCAN wanted")) : steps;
    for (const step of finding)
      if (/^SCAN (device|device_tag|gateway)\b|TEMP B-TREE/.test(step)) breaches.add(`${step}: ${sql}`);
    if (/device_by_(time|status)/.test(sql) && !finding.some((step) => /USING COVERING INDEX device_by_/.test(step)))
      breaches.add(`reads the table: ${sql}`);
  }
  expect([...breaches]).toEqual([]);
}

test("look-ups use an index too", async () => {
  const { queries, real, devices, told } = await filled(3);
  await devices.delete(1, { cascade: true });
  told();
  const scans: string[] = [];
  for (const sql of queries) {
    if (!/\bdevice\b/.test(sql) || /^\s*INSERT/.test(sql)) continue;
    // `device_online` holds the devices that are ONLINE, `device_purge` those that are to be purged: all are wanted.
    for (const { detail } of real.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all())
      if (/^SCAN (?!device USING (COVERING )?INDEX device_online|device_purge|sqlite_sequence)/.test(detail))
        scans.push(`${detail}: ${sql}`);
  }
  expect(scans.filter((it) => !it.includes("wanted"))).toEqual([]);
});

test("filters of another application find nothing", async () => {
  const { devices, all } = await filled(10);
  const foreign = all.find((it) => it.appId === APP_B) as Device;
  const list = { sort: "ASC", page: 0, pageSize: 10 } as const;
  expect(devices.list(APP_A, { ...list, gatewayId: foreign.id })).toEqual({ items: [], total: 0 });
  expect(devices.list(APP_A, { ...list, gatewayId: "gone" })).toEqual({ items: [], total: 0 });
  expect(devices.list(APP_A, { ...list, name: "'; DROP TABLE device; --" })).toEqual({ items: [], total: 0 });
  expect(() => devices.list("gone" as never, list)).toThrow();
});

test("a changed name and place are found by the new text only", async () => {
  const bench = deviceBench();
  const { no } = await bench.register("a", await bench.importProduct(), { info: { name: "old", location: "here" } });
  await bench.devices.modify(no, { info: { name: "new", location: null } });
  const total = (filter: DeviceFilter) =>
    bench.devices.list(APP_A, { ...filter, sort: "ASC", page: 0, pageSize: 1 }).total;
  expect([total({ name: "old" }), total({ name: "new" }), total({ location: "here" })]).toEqual([0, 1, 0]);
});
