import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { OUTBOX_SOURCES, type OutboxRow, type OutboxSource } from "./outbox";
import { type QueueLimits, targetQueue } from "./target-queue";

const unlimited = { hasRoom: () => true, claim: () => {} };
const LIMITS: QueueLimits = { windowRows: 1_000, windowBytes: 1_000_000, maxRowsPerBlockedKey: 4, memory: unlimited };
const row = (id: number, orderKey = 1, source: OutboxSource = "telemetry"): OutboxRow => ({
  source,
  targetNo: 1,
  id,
  subscriptionNo: 1,
  type: "deviceDataChanged",
  orderKey,
  body: "body",
  createdMs: 0,
  attempts: 0,
  retryMs: 0,
});

/** What the database would answer. */
function disk(rows: readonly OutboxRow[]) {
  const all = new Map(rows.map((it) => [it.id, it]));
  return {
    all,
    read: (source: OutboxSource, afterId: number, limit: number) =>
      [...all.values()]
        .filter((it) => it.source === source && it.id > afterId)
        .sort((a, b) => a.id - b.id)
        .slice(0, limit),
  };
}

test("after a start the rows of both databases come in the order of their ids", () => {
  // The registry has two rows for each of telemetry, so that its pages are full before telemetry's.
  const rows = Array.from({ length: 600 }, (_, id) => row(id + 1, 1, id % 3 === 0 ? "telemetry" : "registry"));
  const { read } = disk(rows);
  const queue = targetQueue(LIMITS);
  for (const source of OUTBOX_SOURCES) queue.expectOnDisk(source);
  const taken: number[] = [];
  while (taken.length < rows.length) {
    queue.refill(read);
    const next = queue.take();
    if (!next) break;
    taken.push(next.id);
    queue.finish(next);
  }
  expect(taken).toEqual(rows.map(({ id }) => id));
});

test("a row that was read before its commit was announced is not queued twice", () => {
  const rows = [row(1), row(2)];
  const { read } = disk(rows);
  const queue = targetQueue(LIMITS);
  queue.expectOnDisk("telemetry");
  queue.refill(read);
  for (const it of rows) queue.accept(it);
  for (const it of rows) {
    expect(queue.take()).toBe(it);
    queue.finish(it);
  }
  expect(queue.take()).toBeUndefined();
});

test("a row that is being given up elsewhere is not read from disk", () => {
  const { read } = disk([row(1)]);
  const queue = targetQueue(LIMITS);
  queue.remember(1);
  queue.expectOnDisk("telemetry");
  queue.refill(read);
  expect(queue.take()).toBeUndefined();
});

test("memory is given back", () => {
  let claimed = 0;
  const queue = targetQueue({ ...LIMITS, memory: { hasRoom: () => true, claim: (bytes) => (claimed += bytes) } });
  for (let id = 1; id <= 10; id++) queue.accept(row(id));
  expect(claimed).toBe(40);
  const first = queue.take();
  if (first) queue.wait(first, 100); // ten rows wait: only four stay
  expect(claimed).toBe(16);
  queue.clear();
  expect(claimed).toBe(0);
});

const SEED = Number(process.env.QUEUE_SEED ?? Math.floor(Math.random() * 2 ** 31));
test(`every row is taken once, in order per key and source, whatever is announced late (QUEUE_SEED=${SEED})`, () => {
  const random = seededRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 30; round++) {
    const store = disk([]);
    const queue = targetQueue({ ...LIMITS, windowRows: 4 + below(40), maxRowsPerBlockedKey: 1 + below(4) });
    const unannounced: Record<OutboxSource, OutboxRow[]> = { registry: [], telemetry: [] };
    const taken: OutboxRow[] = [];
    const finished: number[] = []; // not yet deleted on disk
    const last = new Map<string, number>();
    let underWay: OutboxRow[] = [];
    let lastId = 0;
    let now = 0;

    const commit = () => {
      const source = random() < 0.7 ? "telemetry" : "registry";
      const fresh = row(++lastId, below(5), source);
      store.all.set(fresh.id, fresh);
      unannounced[source].push(fresh);
    };
    const announce = () => {
      const next = unannounced[OUTBOX_SOURCES[below(2)] as OutboxSource].shift();
      if (next) queue.accept(next);
    };
    const take = () => {
      const next = queue.take();
      if (next) underWay.push(next);
    };
    const conclude = (mayFail: boolean) => {
      const next = underWay.splice(below(underWay.length), 1)[0];
      if (!next) return;
      if (mayFail && random() < 0.2) {
        queue.wait({ ...next, attempts: next.attempts + 1 }, now + 10);
        return;
      }
      const lane = `${next.orderKey} ${next.source}`;
      expect(next.id).toBeGreaterThan(last.get(lane) ?? 0);
      last.set(lane, next.id);
      taken.push(next);
      finished.push(next.id);
      queue.finish(next);
    };
    const erase = () => {
      // Announced rows only: the writer tells of commits in their order, so a deletion is known last.
      const id = finished[0];
      if (id === undefined || OUTBOX_SOURCES.some((source) => unannounced[source].some((it) => it.id === id))) return;
      finished.shift();
      store.all.delete(id);
      queue.forget(id);
    };
    const refill = () => queue.wantsRefill && queue.refill(store.read);
    const release = () => queue.release(now++);

    const actions = [
      commit,
      commit,
      commit,
      announce,
      announce,
      take,
      take,
      () => conclude(true),
      erase,
      refill,
      release,
    ];
    for (let step = 0; step < 2_000; step++) actions[below(actions.length)]?.();
    for (let step = 0; taken.length < lastId && step < 50_000; step++) {
      for (const action of [announce, take, () => conclude(false), erase, refill, release]) action();
    }
    expect(taken.length).toBe(lastId);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(lastId);
    underWay = [];
  }
});

test("a stream gives all in one order, several at a time, and puts back what was lost in front", () => {
  const queue = targetQueue({ ...LIMITS, isStream: true });
  for (let id = 1; id <= 6; id++) queue.accept(row(id, id % 2));
  expect(queue.peek()?.id).toBe(1);
  const taken = [queue.take(), queue.take(), queue.take(), queue.take()] as OutboxRow[];
  expect(taken.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  queue.finish(taken[1] as OutboxRow);
  for (const lost of [taken[0], taken[2], taken[3]] as OutboxRow[]) queue.putBack({ ...lost, attempts: 1 });
  const again = [queue.take(), queue.take(), queue.take(), queue.take(), queue.take()];
  expect(again.map((it) => [it?.id, it?.attempts])).toEqual([
    [1, 1],
    [3, 1],
    [4, 1],
    [5, 0],
    [6, 0],
  ]);
  expect(queue.take()).toBeUndefined();
});

test("a stream that rests has little in memory, and all of it again when it goes on", () => {
  let claimed = 0;
  const memory = {
    hasRoom: () => true,
    claim(bytes: number) {
      claimed += bytes;
    },
  };
  const rows = Array.from({ length: 500 }, (_, id) => row(id + 1, id));
  const { read } = disk(rows);
  const queue = targetQueue({ ...LIMITS, isStream: true, memory });
  for (const it of rows) queue.accept(it);
  expect(claimed).toBe(500 * 4);
  const first = queue.take() as OutboxRow;
  queue.rest(true);
  expect(claimed).toBe(64 * 4);
  queue.accept(row(501)); // left on disk
  expect([claimed, queue.wantsRefill]).toEqual([64 * 4, false]);
  queue.putBack({ ...first, attempts: 1 });
  queue.rest(false);
  const taken: number[] = [];
  while (taken.length < 500) {
    if (queue.wantsRefill) queue.refill(read);
    const next = queue.take();
    if (!next) break;
    taken.push(next.id);
    queue.finish(next);
  }
  expect(taken).toEqual(Array.from({ length: 500 }, (_, id) => id + 1));
});
