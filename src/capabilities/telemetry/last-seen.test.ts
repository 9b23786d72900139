import { expect, test } from "bun:test";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { lastSeen } from "./last-seen";

test("the later of memory and disk counts", () => {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  db.run("INSERT INTO device_seen VALUES (1, 100), (2, 200)");
  const inMemory = new Map([
    [1, 150],
    [2, 50],
    [3, 10],
    [4, Number.MIN_SAFE_INTEGER],
  ]);
  const seen = lastSeen(db, (no) => inMemory.get(no));
  expect([...seen.ofMany([1, 2, 3, 4])].sort()).toEqual([
    [1, 150],
    [2, 200],
    [3, 10],
  ]);
  expect([seen.of(1), seen.of(4)]).toEqual([150, undefined]);
});
