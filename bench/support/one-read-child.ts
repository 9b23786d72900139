/**
 * What an application API on this runtime cannot be faster than: a bare Hono route with one read by primary key out of
 * `count` rows, for anybody who asks; and one that reads a page of rows. Says its port.
 */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";

const { folder, count } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as { folder: string; count: number };
const db = new Database(join(folder, "peer.db"), { strict: true, create: true });
db.run("PRAGMA journal_mode = WAL");
db.run("PRAGMA synchronous = OFF");
db.run(
  "CREATE TABLE thing (id TEXT PRIMARY KEY, no INTEGER UNIQUE, name TEXT, status TEXT, info TEXT, created_at TEXT)",
);
db.query(
  `INSERT INTO thing WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number LIMIT ?)
   SELECT 'thing-' || i, i, 'Thing ' || i, 'ONLINE', ?, '20260101T000000Z' FROM number`,
).run(count, JSON.stringify({ manufacturer: "Bench", model: "Load1", location: "somewhere", note: "x".repeat(400) }));

type Row = { id: string; no: number; name: string; status: string; info: string; created_at: string };
const one = db.query<Row, [string]>("SELECT * FROM thing WHERE id = ?");
const page = db.query<Row, [number]>("SELECT * FROM thing WHERE no >= ? ORDER BY no LIMIT 25");
const app = new Hono()
  .get("/things/:id", (c) => c.json(one.get(c.req.param("id"))))
  .get("/pages/:no", (c) => c.json({ things: page.all(Number(c.req.param("no"))) }));

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: app.fetch });
console.log(server.port);
