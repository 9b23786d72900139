import { expect, test } from "bun:test";
import { groupCommit } from "./group-commit";
import { openDatabase } from "./open-database";

const MIGRATIONS = [{ name: "0001", sql: "CREATE TABLE item (name TEXT PRIMARY KEY) STRICT" }];

/** The end of the turn comes when the test says so. */
function start() {
  const db = openDatabase(":memory:", { migrations: MIGRATIONS });
  const ends: (() => void)[] = [];
  const transactor = groupCommit(db, (run) => ends.push(run));
  const insert = db.query("INSERT INTO item VALUES (?)");
  const names = () =>
    db
      .query<{ name: string }, []>("SELECT name FROM item ORDER BY name")
      .all()
      .map(({ name }) => name);
  const endTurn = () => {
    for (const run of ends.splice(0)) run();
  };
  return { db, ...transactor, add: (name: string) => insert.run(name), names, endTurn, ends };
}

test("all work of one turn shares one commit and gets its own answer", async () => {
  const { write, add, names, endTurn, ends } = start();
  const both = Promise.all([write(() => add("a").changes), write(() => add("b").changes + 1)]);
  expect(ends).toHaveLength(1);
  expect(names()).toEqual([]);
  endTurn();
  expect(await both).toEqual([1, 2]);
  expect(names()).toEqual(["a", "b"]);
});

test("work that throws is undone alone", async () => {
  const { write, add, names, endTurn } = start();
  const outcomes = Promise.allSettled([
    write(() => add("a")),
    write(() => {
      add("undone");
      throw new Error("no");
    }),
    write(() => add("a")),
    write(() => add("b")),
  ]);
  endTurn();
  expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(names()).toEqual(["a", "b"]);
});

test("work must be synchronous", async () => {
  const { write, add, names, endTurn } = start();
  const refused = write(() => {
    add("a");
    return Promise.resolve();
  });
  endTurn();
  await expect(refused).rejects.toThrow(/synchronous/);
  expect(names()).toEqual([]);
});

test("hooks run after the commit, in order, and not for work that was undone", async () => {
  const { db, write, afterCommit, add, endTurn } = start();
  const seen: string[] = [];
  const hook = (name: string) => () => seen.push(`${name} ${db.inTransaction ? "inside" : "after"}`);
  const outcomes = Promise.allSettled([
    write(() => {
      add("a");
      afterCommit(hook("first"));
      afterCommit(hook("second"));
    }),
    write(() => {
      afterCommit(hook("undone"));
      throw new Error("no");
    }),
  ]);
  expect(() => afterCommit(() => {})).toThrow(/inside a transaction/);
  endTurn();
  await outcomes;
  expect(seen).toEqual(["first after", "second after"]);
});

test("a commit that fails is told to everybody who waits for it", async () => {
  const { db, write, add, endTurn } = start();
  db.run("PRAGMA foreign_keys = ON");
  db.run("CREATE TABLE child (item TEXT REFERENCES item (name) DEFERRABLE INITIALLY DEFERRED) STRICT");
  const outcomes = Promise.allSettled([
    write(() => add("a")),
    write(() => db.run("INSERT INTO child VALUES ('nobody')")),
  ]);
  endTurn();
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(db.inTransaction).toBe(false);
  expect(db.query("SELECT COUNT(*) AS n FROM item").get()).toEqual({ n: 0 });
});

test("settled waits for what is queued", async () => {
  const { write, settled, add, names, endTurn } = start();
  await settled();
  const written = write(() => add("a"));
  let isSettled = false;
  const waiting = settled().then(() => {
    isSettled = true;
  });
  await Promise.resolve();
  expect(isSettled).toBe(false);
  endTurn();
  await waiting;
  await written;
  expect(names()).toEqual(["a"]);
});
