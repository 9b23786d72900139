import { expect, test } from "bun:test";
import { TELEMETRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import { reportedShadow } from "./reported-shadow";

test("gives what was last reported, service by service, for one device and for a page of them", () => {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  db.run(`INSERT INTO shadow VALUES (1, 'B', '{"x":1,"y":[2]}', 50, '{"x":40}'), (1, 'A', '{}', 30, NULL),
    (2, 'A', '{"z":"ü"}', 20, NULL), (3, 'A', '{}', 10, NULL)`);
  const shadow = reportedShadow(db);
  expect(shadow.of(1)).toEqual([
    { serviceId: "A", reported: {}, eventTimeMs: 30, olderTimesMs: {} },
    { serviceId: "B", reported: { x: 1, y: [2] }, eventTimeMs: 50, olderTimesMs: { x: 40 } },
  ]);
  expect(shadow.of(9)).toEqual([]);
  const many = shadow.ofMany([2, 1, 9]);
  expect([...many.keys()].sort()).toEqual([1, 2]);
  expect(many.get(2)).toMatchObject([{ serviceId: "A", reported: { z: "ü" } }]);
});
