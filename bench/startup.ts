import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { defineBench } from "./bench";
import { registerLoadDevices } from "./support/devices";
import { residentBytes, startServer } from "./support/server";

const SETTLE_MS = 2_000;

export const startup = defineBench({
  name: "startup",
  about: "start with 100,000 registered devices: to the ready line, and the memory two seconds later",
  goals: [
    { value: "readyMs", below: 1_500 },
    { value: "residentMegabytes", below: 400 },
  ],
  runs: 5,
  async prepare({ quick }) {
    const server = await startServer();
    await registerLoadDevices(server, 1);
    await server.stop();
    multiply(join(server.data, "registry.db"), quick ? 10_000 : 100_000);
    return { folder: server.data, dispose: () => rmSync(server.data, { recursive: true, force: true }) };
  },
  async run(_context, { folder }) {
    const server = await startServer({ data: folder });
    await Bun.sleep(SETTLE_MS);
    const residentMegabytes = residentBytes(server.pid) / 2 ** 20;
    await server.stop();
    return { readyMs: server.readyMs, residentMegabytes };
  },
});

/** Copies the one device that there is. Its secret comes along, sealed; nobody logs in with it. */
function multiply(path: string, wanted: number): void {
  const db = new Database(path, { strict: true });
  const own = new Map([
    ["no", "i"],
    ["gateway_no", "i"],
    ["id", "id || '-' || i"],
    ["node_id", "node_id || '-' || i"],
    ["verify_key", "NULL"],
  ]);
  const columns = db.query<{ name: string }, []>("SELECT name FROM pragma_table_info('device')").all();
  const names = columns.map(({ name }) => name);
  const values = names.map((name) => own.get(name) ?? name);
  db.run(
    `INSERT INTO device (${names.join(", ")})
     WITH RECURSIVE number (i) AS (SELECT max(no) + 1 FROM device UNION ALL SELECT i + 1 FROM number LIMIT ${wanted - 1})
     SELECT ${values.join(", ")} FROM number, (SELECT * FROM device LIMIT 1)`,
  );
  db.close();
}
