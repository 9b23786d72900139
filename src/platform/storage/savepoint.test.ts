import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { savepoint } from "./savepoint";

test("what threw is undone alone; what is done about it stays", () => {
  using db = new Database(":memory:");
  db.run("CREATE TABLE t (n INTEGER) STRICT");
  const alone = savepoint(db, "part");
  const add = (n: number) => db.run("INSERT INTO t VALUES (?)", [n]);
  db.run("BEGIN");
  alone(
    () => add(1),
    () => add(-1),
  );
  alone(
    () => {
      add(2);
      throw new Error("no");
    },
    () => add(3),
  );
  db.run("COMMIT");
  expect(db.query("SELECT n FROM t ORDER BY n").values()).toEqual([[1], [3]]);
});
