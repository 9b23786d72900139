import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import type { Worker } from "../../platform/worker";
import { canJoin, joinBlocks, type OpenBlock, renderBlock } from "./history-block";
import type { RecentBlock, RecentBlocks } from "./recent-blocks";
import type { RecentSettings } from "./settings";

const INSERT_BLOCK =
  "INSERT INTO history_block (no, device_no, stored_ms, min_ms, max_ms, count, records) VALUES (?, ?, ?, ?, ?, ?, ?)";

type Options = {
  recents: RecentBlocks;
  writer: StorageWriter;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  settings: RecentSettings;
};

/**
 * Moves recent blocks to their place under the index, joined per device: one index entry then stands for all that a
 * device said in seconds or minutes. In steps of some devices each; a device goes at once. Queries wait for a step, never
 * for all of them. After the last step the marker in `history_moved` says that the recent rows are done with; a crash
 * before it is cleared up by `openRecentBlocks`, and the move begins again.
 */
export function startMovingRecents({ recents, writer, clock, log, metrics, settings }: Options): Worker {
  const { recentMaxBlocks, recentMaxChars, recentMaxAgeMs, moveIntervalMs, moveStepBlocks, moveStepChars } = settings;
  const { deleteStepRows, moveDutyCycle } = settings;
  const moved = metrics.counter("islet_history_blocks_moved_total", "Recent history blocks by what became of them");
  const taken = moved.with({ outcome: "joined" });
  const made = moved.with({ outcome: "made" });
  metrics.gauge("islet_history_recent_blocks", "History blocks that are not under the index yet", () => recents.size);
  const stopping = new AbortController();
  let deletedNo: number | undefined; // recent rows up to here are gone

  const isDue = () =>
    recents.size >= recentMaxBlocks ||
    recents.chars >= recentMaxChars ||
    clock.now() - (recents.oldestMs ?? Number.POSITIVE_INFINITY) >= recentMaxAgeMs;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (isDue()) await moveAll().catch((error: unknown) => log.error("history_move_failed", { error }));
      await clock.sleep(moveIntervalMs, stopping.signal);
    }
  }

  async function moveAll(): Promise<void> {
    const uptoNo = recents.lastNo;
    deletedNo ??= (recents.firstNo ?? 1) - 1;
    const devices = recents.devices();
    for (let next = 0; next < devices.length && !stopping.signal.aborted; )
      next = await moveSome(devices, next, uptoNo);
    if (stopping.signal.aborted) return;
    await paced(() => writer.commit([{ sql: "UPDATE history_moved SET upto_no = ?", columns: [[uptoNo]] }]));
    for (let from = deletedNo + 1; from <= uptoNo && !stopping.signal.aborted; from += deleteStepRows) {
      const to = Math.min(from + deleteStepRows - 1, uptoNo);
      const sql = "DELETE FROM history_recent WHERE no BETWEEN ? AND ?";
      await paced(() => writer.commit([{ sql, columns: [[from], [to]] }]));
      deletedNo = to;
    }
  }

  /** Moves the devices from `start` on until a step is full; returns where the next one begins. */
  async function moveSome(devices: readonly number[], start: number, uptoNo: number): Promise<number> {
    let next = start;
    await paced(() =>
      recents.moving(async () => {
        const blocks: RecentBlock[] = [];
        let chars = 0;
        let joined = 0;
        for (; next < devices.length && blocks.length < moveStepBlocks && chars < moveStepChars; next++) {
          const own = recents.of(devices[next] as number).filter(({ no }) => no <= uptoNo);
          joined += own.length;
          for (const it of joinAll(own)) {
            blocks.push(it);
            chars += it.block.data.length;
          }
        }
        if (blocks.length > 0) await writer.commit([insertStep(blocks)]);
        for (const deviceNo of devices.slice(start, next)) recents.moved(deviceNo, uptoNo);
        taken.add(joined);
        made.add(blocks.length);
      }),
    );
    return next;
  }

  /** The pause after it is as long as it leaves the rest of the time to the ingest path. */
  async function paced(work: () => Promise<void>): Promise<void> {
    const since = clock.monotonic();
    await work();
    await clock.sleep((clock.monotonic() - since) * (1 / moveDutyCycle - 1), stopping.signal);
  }

  const finished = run();
  return {
    finished,
    stop() {
      stopping.abort();
      return finished;
    },
  };
}

/** Neighbours in the order of storing become one, as far as a block may reach. It keeps the number of its first. */
export function joinAll(recents: readonly RecentBlock[]): RecentBlock[] {
  const joined: { no: number; storedMs: number; block: OpenBlock }[] = [];
  for (const { no, storedMs, block } of recents) {
    const last = joined.at(-1);
    if (last && canJoin(last.block, block)) {
      last.block = joinBlocks(last.block, block);
      last.storedMs = storedMs;
    } else joined.push({ no, storedMs, block });
  }
  return joined;
}

function insertStep(blocks: readonly RecentBlock[]): WriteStep {
  return {
    sql: INSERT_BLOCK,
    columns: [
      blocks.map(({ no }) => no),
      blocks.map(({ block }) => block.deviceNo),
      blocks.map(({ storedMs }) => storedMs),
      blocks.map(({ block }) => block.minMs),
      blocks.map(({ block }) => block.maxMs),
      blocks.map(({ block }) => block.count),
      blocks.map(({ block }) => renderBlock(block)),
    ],
  };
}
