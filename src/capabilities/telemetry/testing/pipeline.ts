import type { Database } from "bun:sqlite";
import { TELEMETRY_MIGRATIONS } from "../../../../migrations";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { openDatabase } from "../../../platform/storage/open-database";
import type { StorageWriter, WriteStep } from "../../../platform/storage/storage-writer";
import { manualClock } from "../../../platform/testing/manual-clock";
import type { TraceEntry } from "../../devices/trace-sink";
import { createIngest } from "../ingest";
import { recentBlocks } from "../recent-blocks";
import type { ReportNotifier } from "../report";
import { INGEST_DEFAULTS, type IngestSettings } from "../settings";
import { nobody } from "./fixtures";
import { writeSteps } from "./write-steps";

/** A writer whose disk works when the test says so; it writes through to a real database in memory. */
export function steppedWriter(db: Database) {
  type Pending = { steps: readonly WriteStep[]; resolve(): void; reject(error: Error): void };
  const pending: Pending[] = [];
  const writer: StorageWriter = {
    commit: (steps) => new Promise((resolve, reject) => pending.push({ steps, resolve, reject })),
    close: async () => {},
  };
  return {
    writer,
    pending,
    /** Writes the oldest commit and lets whoever waits for it run. */
    async next(): Promise<void> {
      const entry = pending.shift();
      if (!entry) throw new Error("nothing is waiting for the disk");
      writeSteps(db, entry.steps);
      entry.resolve();
      await new Promise<void>((done) => setImmediate(done));
    },
    async fail(): Promise<void> {
      pending.shift()?.reject(new Error("disk full"));
      await new Promise<void>((done) => setImmediate(done));
    },
  };
}

type Change = { settings?: Partial<IngestSettings>; notifier?: ReportNotifier };

/** The pipeline on a database in memory. `endTurn` ends the turn of the event loop, `store` also writes everything. */
export function startPipeline({ settings = {}, notifier = nobody }: Change = {}) {
  const db = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const clock = manualClock();
  const disk = steppedWriter(db);
  const metrics = createMetrics();
  const traced: TraceEntry[] = [];
  const ends: (() => void)[] = [];
  const recents = recentBlocks(db);
  const ingest = createIngest({
    writer: disk.writer,
    recents,
    reads: db,
    clock,
    log: silentLog,
    metrics,
    trace: { record: (entry) => traced.push(entry) },
    notifier,
    settings: { ...INGEST_DEFAULTS, ...settings },
    schedule: (run) => ends.push(run),
  });
  const endTurn = () => {
    for (const run of ends.splice(0)) run();
  };
  async function store(): Promise<void> {
    endTurn();
    await new Promise<void>((done) => setImmediate(done));
    while (disk.pending.length > 0) await disk.next();
  }
  const counted = (outcome: string, reason: string) =>
    Number(new RegExp(`outcome="${outcome}",reason="${reason}"} (\\d+)`).exec(metrics.render())?.[1]);
  return { db, clock, disk, recents, ingest, traced, endTurn, store, counted };
}
