import type { Database } from "bun:sqlite";
import type { WriteStep } from "../../platform/storage/storage-writer";
import type { PurgeStep, PurgeTask } from "./purge";
import { deleteBlocks } from "./purge-history";
import type { RecentBlocks } from "./recent-blocks";

/** Port: deleted devices whose data are still there. Implemented by `devices`, joined in `app`. */
export interface PendingPurges {
  /** Numbers of deleted devices, at most `limit`; a number is never given to another device. */
  pendingPurges(limit: number): readonly number[];
  /** Nothing of them is left. */
  purged(deviceNos: readonly number[]): void | Promise<void>;
}

type Options = {
  reads: Database;
  devices: PendingPurges;
  recents: Pick<RecentBlocks, "of">;
  /** Statements of other capabilities with data of devices in telemetry.db: `DELETE … WHERE device_no = ?`. */
  alsoDelete: readonly string[];
};

const DEVICES_AT_ONCE = 200;
const OWN_DELETES = ["DELETE FROM shadow WHERE device_no = ?", "DELETE FROM device_seen WHERE device_no = ?"];

/** Everything of deleted devices. Small ones share a step; a large one is worn down over many. */
export function deletedDevicesPurge({ reads, devices, recents, alsoDelete }: Options): PurgeTask {
  const selectBlocks = reads.query<{ no: number; count: number }, [number, number]>(
    "SELECT no, count FROM history_block WHERE device_no = ? LIMIT ?",
  );
  const rest = [...OWN_DELETES, ...alsoDelete];

  return {
    name: "deleted_devices",
    *round(maxRows) {
      for (;;) {
        // Recent blocks move to the others first, within a minute or so; the device's turn is then.
        const pending = devices.pendingPurges(DEVICES_AT_ONCE).filter((no) => recents.of(no).length === 0);
        if (pending.length === 0) return;
        yield nextStep(pending, maxRows());
      }
    },
  };

  function nextStep(pending: readonly number[], maxRows: number): PurgeStep {
    const blocks: { no: number; count: number }[] = [];
    const finished: number[] = [];
    for (const deviceNo of pending) {
      const room = maxRows - blocks.length - finished.length;
      if (room <= 0) break;
      const found = selectBlocks.all(deviceNo, room);
      blocks.push(...found);
      if (found.length < room) finished.push(deviceNo);
    }
    const step = deleteBlocks(blocks);
    return {
      steps: [...(blocks.length > 0 ? step.steps : []), ...(finished.length > 0 ? rest.map(deleteOf(finished)) : [])],
      rows: step.rows,
      committed: () => (finished.length > 0 ? devices.purged(finished) : undefined),
    };
  }
}

const deleteOf =
  (deviceNos: readonly number[]) =>
  (sql: string): WriteStep => ({ sql, columns: [deviceNos] });
