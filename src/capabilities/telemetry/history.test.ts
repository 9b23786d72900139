import { expect, test } from "bun:test";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { seededRandom } from "../../platform/testing/seeded-random";
import { createHistory, type HistoryQuery } from "./history";
import { append, BLOCK_SPAN_MS, type OpenBlock, openBlock, renderBlock } from "./history-block";
import { recentBlocks } from "./recent-blocks";
import { HISTORY_DEFAULTS } from "./settings";

const T0 = Date.UTC(2026, 0, 1);

function start(settings = HISTORY_DEFAULTS) {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const insert = db.query(
    "INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records) VALUES (?, ?, ?, ?, ?, ?)",
  );
  let turns = 0;
  const schedule = (run: () => void) => {
    turns++;
    queueMicrotask(run);
  };
  const history = createHistory({ reads: db, recents: recentBlocks(db), settings, schedule });
  const put = (block: OpenBlock) =>
    insert.run(block.deviceNo, T0, block.minMs, block.maxMs, block.count, renderBlock(block));
  /** One block; every record is named by its data. */
  function store(deviceNo: number, ...records: [timestampMs: number, name: string][]): void {
    const block = openBlock(deviceNo, records[0]?.[0] ?? 0);
    for (const [at, name] of records) append(block, "S", at, JSON.stringify({ name }));
    put(block);
  }
  async function names(query: Partial<HistoryQuery>) {
    const { items, total } = await history.page({ deviceNos: [1], page: 0, pageSize: 10, ...query });
    return `${items.map(({ data }) => data.name).join(" ")} of ${total}`;
  }
  return { db, history, store, names, turns: () => turns };
}

test("a page has the newest records and the total of all", async () => {
  const { store, names } = start();
  store(1, [T0, "a"], [T0 + 1, "b"]);
  store(1, [T0 + 2, "c"]);
  store(2, [T0 + 3, "other"]);
  expect(await names({ pageSize: 2 })).toBe("c b of 3");
  expect(await names({ pageSize: 2, page: 1 })).toBe("a of 3");
  expect(await names({ pageSize: 2, page: 2 })).toBe(" of 3");
  expect(await names({ deviceNos: [3] })).toBe(" of 0");
  expect(await names({ deviceNos: [] })).toBe(" of 0");
});

test("a gateway's history is that of all its devices in one order", async () => {
  const { history, store, names } = start();
  store(1, [T0, "gateway"]);
  store(2, [T0 + 2, "sub"], [T0 - 1, "early"]);
  store(3, [T0 + 1, "sub2"]);
  expect(await names({ deviceNos: [1, 2, 3] })).toBe("sub sub2 gateway early of 4");
  const { items } = await history.page({ deviceNos: [1, 2, 3], page: 0, pageSize: 1 });
  expect(items[0]).toEqual({ deviceNo: 2, serviceId: "S", timestampMs: T0 + 2, data: { name: "sub" } });
});

test("a time range cuts through blocks and counts what is inside", async () => {
  const { store, names } = start();
  store(1, [T0, "a"], [T0 + 10, "b"], [T0 + 20, "c"]);
  store(1, [T0 + 15, "d"], [T0 + 30, "e"]);
  expect(await names({ fromMs: T0 + 10, toMs: T0 + 20 })).toBe("c d b of 3");
  expect(await names({ fromMs: T0 + 10 })).toBe("e c d b of 4");
  expect(await names({ toMs: T0 + 10 })).toBe("b a of 2");
  expect(await names({ fromMs: T0 + 11, toMs: T0 + 14 })).toBe(" of 0");
  expect(await names({ fromMs: T0 + 20, toMs: T0 + 10 })).toBe(" of 0");
});

test("pages stay as they were for a reader while reports come in, and purged blocks do not break them", async () => {
  const { db, store, names } = start({ ...HISTORY_DEFAULTS, unitsPerTurn: 1 });
  for (let index = 0; index < 30; index++) store(1, [T0 + index, `r${index}`]);
  const reading = names({ pageSize: 3, page: 1 });
  store(1, [T0 + 99, "newer"]);
  expect(await reading).toBe("r26 r25 r24 of 30");
  const again = names({ pageSize: 3 });
  db.run("DELETE FROM history_block WHERE no > 20");
  expect(await again).toMatch(/of/);
});

test("the event loop gets its turns during a deep page", async () => {
  const { store, names, turns } = start({ ...HISTORY_DEFAULTS, unitsPerTurn: 100 });
  for (let index = 0; index < 2_000; index++) store(1, [T0 + index, `r${index}`]);
  expect(await names({ pageSize: 1, page: 1_999 })).toBe("r0 of 2000");
  expect(turns()).toBeGreaterThan(15);
});

test("blocks of one constant time are counted and paged", async () => {
  const { db, names } = start();
  db.run(`INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
    SELECT 1, ${T0}, ${T0}, ${T0}, 1, '{"s":"S","t":[${T0}],"d":[{"name":"' || i || '"}]}' FROM n`);
  expect(await names({ pageSize: 2, page: 6_000 })).toBe("13000 12999 of 25000");
  expect(await names({ pageSize: 1, fromMs: T0, toMs: T0 })).toBe("25000 of 25000");
});

test("wrong pages and too large ones are refused", async () => {
  const { history, store } = start({ ...HISTORY_DEFAULTS, maxPageChars: 50 });
  const page = (change: Partial<HistoryQuery>) => history.page({ deviceNos: [1], page: 0, pageSize: 1, ...change });
  const refused = async (answer: Promise<unknown>) =>
    answer.then(
      () => "accepted",
      (error: { code: string }) => error.code,
    );
  expect(await refused(page({ pageSize: 2_001 }))).toBe("INPUT_INVALID");
  expect(await refused(page({ pageSize: 0 }))).toBe("INPUT_INVALID");
  expect(await refused(page({ page: -1 }))).toBe("INPUT_INVALID");
  expect(await refused(page({ page: 0.5 }))).toBe("INPUT_INVALID");
  store(1, [T0, "x".repeat(100)]);
  expect(await refused(page({}))).toBe("RESULT_TOO_LARGE");
});

test("every query agrees with sorting all records", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const { db, store, names } = start({ ...HISTORY_DEFAULTS, unitsPerTurn: 20 });
  const all: { deviceNo: number; at: number; name: string; order: number }[] = [];
  for (let no = 0; no < 120; no++) {
    const deviceNo = 1 + below(3);
    const hour = T0 + below(3) * BLOCK_SPAN_MS;
    const records = Array.from({ length: 1 + below(4) }, (_, index): [number, string] => [
      hour + (random() < 0.2 ? BLOCK_SPAN_MS - 1 : below(40)),
      `${no}.${index}`,
    ]);
    store(deviceNo, ...records);
    for (const [at, name] of records) all.push({ deviceNo, at, name, order: all.length });
  }
  expect(db.query("SELECT COUNT(*) AS n FROM history_block").get()).toEqual({ n: 120 });
  for (let round = 0; round < 200; round++) {
    const deviceNos = [1, 2, 3].filter(() => random() < 0.6);
    const near = () => T0 + below(3) * BLOCK_SPAN_MS + below(50) - 5;
    const fromMs = random() < 0.3 ? undefined : near();
    const toMs = random() < 0.3 ? undefined : near();
    const pageSize = 1 + below(20);
    const page = below(8);
    const expected = all
      .filter(({ deviceNo, at }) => deviceNos.includes(deviceNo) && at >= (fromMs ?? 0) && at <= (toMs ?? Infinity))
      .sort((a, b) => b.at - a.at || b.order - a.order)
      .map(({ name }) => name);
    expect(await names({ deviceNos, fromMs, toMs, page, pageSize }), `seed ${seed} round ${round}`).toBe(
      `${expected.slice(page * pageSize, (page + 1) * pageSize).join(" ")} of ${expected.length}`,
    );
  }
});
