import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { Hono } from "hono";

/**
 * The peer of the northbound bench: bare routes of Hono on this runtime, without authentication, that read out of 100,000
 * rows by their primary key in one statement. Says its port. Argument: `HonoPeer`.
 */
export type HonoPeer = {
  readonly file: string;
  readonly rows: number;
  /** What it answers; `bytes` is the JSON of a row. The name is the path, and the table. */
  readonly answers: readonly { readonly name: string; readonly bytes: number }[];
};
const COLUMNS = 10;

const [, , argument = ""] = process.argv;
const { file, rows, answers } = JSON.parse(readFileSync(argument, "utf8")) as HonoPeer;
const db = new Database(file, { create: true, strict: true });
db.run("PRAGMA journal_mode = WAL");
db.run("PRAGMA synchronous = FULL");

const app = new Hono();
const names = Array.from({ length: COLUMNS }, (_, index) => `column${index}`);
for (const { name, bytes } of answers) {
  fill(name, bytes);
  const select = db.query<Record<string, unknown>, [number, number]>(
    `SELECT * FROM ${name} WHERE no >= ? ORDER BY no LIMIT ?`,
  );
  const one = db.query<Record<string, unknown>, [number]>(`SELECT * FROM ${name} WHERE no = ?`);
  app.get(`/${name}/:no`, (c) => {
    const row = one.get(Number(c.req.param("no")));
    return row ? c.json(row) : c.notFound();
  });
  app.get(`/${name}`, (c) => {
    const from = Number(c.req.query("from"));
    return c.json(select.all(from, Number(c.req.query("limit"))));
  });
}

db.run("CREATE TABLE command (no INTEGER PRIMARY KEY, device TEXT, body TEXT)");
const insert = db.query<{ no: number }, [string, string]>(
  "INSERT INTO command (device, body) VALUES (?, ?) RETURNING no",
);
let waiting: { readonly row: [string, string]; readonly done: (no: number) => void }[] = [];
/** What came in one turn of the event loop shares a commit, and its fsync. */
function commit(): void {
  const entries = waiting;
  waiting = [];
  db.run("BEGIN IMMEDIATE");
  const numbers = entries.map(({ row }) => insert.get(...row)?.no ?? 0);
  db.run("COMMIT");
  entries.forEach(({ done }, index) => void done(numbers[index] ?? 0));
}
app.post("/command", async (c) => {
  const body = await c.req.json<{ deviceId: string }>();
  const no = await new Promise<number>((done) => {
    if (waiting.length === 0) setImmediate(commit);
    waiting.push({ row: [body.deviceId, JSON.stringify(body)], done });
  });
  return c.json({ no, ...body }, 201);
});

console.log(Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: app.fetch }).port);

function fill(name: string, bytes: number): void {
  const frame = `{"no":100000,${names.map((column) => `"${column}":""`).join(",")}},`.length;
  const width = Math.max(1, Math.round((bytes - frame) / COLUMNS));
  db.run(`CREATE TABLE ${name} (no INTEGER PRIMARY KEY, ${names.map((column) => `${column} TEXT`).join(", ")})`);
  db.run(
    `INSERT INTO ${name} WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number LIMIT ${rows})
     SELECT i, ${names.map(() => `substr(printf('%d-', i) || '${"x".repeat(width)}', 1, ${width})`).join(", ")} FROM number`,
  );
}
