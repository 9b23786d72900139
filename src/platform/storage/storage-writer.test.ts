import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase, openForReading } from "./open-database";
import { startStorageWriter } from "./storage-writer";

const MIGRATIONS = [
  { name: "0001", sql: "CREATE TABLE item (no INTEGER PRIMARY KEY, name TEXT NOT NULL, bytes BLOB) STRICT" },
];
const INSERT = "INSERT INTO item (no, name) VALUES (?, ?)";
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

// Not `expect(…).rejects`: it waits without letting the messages of a thread in.
const failure = (promise: Promise<unknown>) => promise.then(() => "none", String);

async function start() {
  const folder = mkdtempSync(join(tmpdir(), "islet-writer-"));
  folders.push(folder);
  const path = join(folder, "test.db");
  openDatabase(path, { migrations: MIGRATIONS }).close();
  const writer = await startStorageWriter(path, "full");
  const reads = openForReading(path);
  const names = () =>
    reads
      .query<{ name: string }, []>("SELECT name FROM item ORDER BY no")
      .all()
      .map(({ name }) => name);
  return { path, writer, reads, names };
}

test("what was committed can be read at once, rows in columns, steps in order", async () => {
  const { writer, names } = await start();
  await writer.commit([
    {
      sql: INSERT,
      columns: [
        [1, 2],
        ["a", "b"],
      ],
    },
    { sql: "UPDATE item SET name = name || ? WHERE no = ?", columns: [["!"], [2]] },
  ]);
  expect(names()).toEqual(["a", "b!"]);
  await writer.close();
});

test("commits that wait together are written in the order of the calls", async () => {
  const { writer, names } = await start();
  const order: number[] = [];
  const commits = Array.from({ length: 50 }, (_, no) =>
    writer
      .commit([
        {
          sql: no === 0 ? INSERT : "UPDATE item SET name = ? WHERE no = 0",
          columns: no === 0 ? [[0], ["0"]] : [[`${no}`]],
        },
      ])
      .then(() => order.push(no)),
  );
  await Promise.all(commits);
  expect(order).toEqual(Array.from({ length: 50 }, (_, no) => no));
  expect(names()).toEqual(["49"]);
  await writer.close();
});

test("a commit that fails leaves nothing behind and takes no neighbour with it", async () => {
  const { writer, names } = await start();
  const outcomes = await Promise.allSettled([
    writer.commit([{ sql: INSERT, columns: [[1], ["before"]] }]),
    writer.commit([
      { sql: INSERT, columns: [[2], ["undone"]] },
      { sql: INSERT, columns: [[1], ["taken"]] },
    ]),
    writer.commit([{ sql: INSERT, columns: [[3], ["after"]] }]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(names()).toEqual(["before", "after"]);
  expect(await failure(writer.commit([{ sql: "INSERT INTO missing VALUES (?)", columns: [[1]] }]))).toMatch(/missing/);
  await writer.close();
});

test("bytes and nothing are values too", async () => {
  const { writer, reads } = await start();
  await writer.commit([
    {
      sql: "INSERT INTO item VALUES (?, ?, ?)",
      columns: [
        [1, 2],
        ["ü", ""],
        [new Uint8Array([0, 255]), null],
      ],
    },
  ]);
  expect(reads.query("SELECT name, bytes FROM item ORDER BY no").all()).toEqual([
    { name: "ü", bytes: new Uint8Array([0, 255]) },
    { name: "", bytes: null },
  ]);
  await writer.close();
});

test("closing writes what waits; a later commit is refused, and the file can be opened again", async () => {
  const { path, writer, names } = await start();
  const last = writer.commit([{ sql: INSERT, columns: [[1], ["last"]] }]);
  await writer.close();
  await last;
  expect(names()).toEqual(["last"]);
  expect(await failure(writer.commit([{ sql: INSERT, columns: [[2], ["late"]] }]))).toMatch(/closed/);
  const again = await startStorageWriter(path, "relaxed");
  await again.commit([{ sql: INSERT, columns: [[2], ["again"]] }]);
  await again.close();
  expect(names()).toEqual(["last", "again"]);
});

test("a database that cannot be opened is told at the start", async () => {
  const path = join(tmpdir(), "islet-no-such-folder", "x.db");
  expect(await failure(startStorageWriter(path, "full"))).toMatch(/thread/);
});

test("tells how long the statements of a commit took", async () => {
  const { writer } = await start();
  const took: number[] = [];
  await writer.commit([{ sql: INSERT, columns: [[1], ["a"]] }], (ms) => took.push(ms));
  expect(took).toHaveLength(1);
  expect(took[0]).toBeGreaterThan(0);
  await writer.close();
});
