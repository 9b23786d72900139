import type { Connections } from "./connections";
import type { DeviceCore } from "./device-core";
import type { ReadRow } from "./device-row";

type Parts = {
  core: DeviceCore;
  connections: Pick<Connections, "forget">;
  disconnect: (deviceNo: number, reason: string) => void;
};

/** Deletions, by the application and by time. Both functions are for use inside a transaction. */
export function deviceRemoval({ core, connections, disconnect }: Parts) {
  const { repository, transactor, events, live, toDevice } = core;
  const everyone = Number.MAX_SAFE_INTEGER;

  function remove(row: ReadRow): void {
    const { no } = row;
    events.emit("deviceDeleted", { device: toDevice(row) }); // before the row goes: listeners' rows refer to it
    repository.remove(no);
    transactor.afterCommit(() => {
      live.forget(no);
      connections.forget(no);
      disconnect(no, "deleted");
    });
  }

  function removeWithBehind(row: ReadRow, cascade: boolean): void {
    for (const behind of repository.behind(row.no, everyone)) {
      if (behind.no === row.no) continue;
      if (cascade) remove(behind);
      else {
        repository.setGateway(behind.no, behind.no);
        core.changed(behind.no);
      }
    }
    remove(row);
  }

  return {
    remove: removeWithBehind,
    /** Its validity has passed without a contact. */
    expire(deviceNo: number, nowMs: number): void {
      const row = repository.findByNo(deviceNo);
      if (!row || row.bound === 1 || row.expires_at_ms === null || row.expires_at_ms > nowMs) return;
      events.emit("deviceBound", { device: toDevice(row), result: "expired" });
      removeWithBehind(row, true);
    },
  };
}
export type DeviceRemoval = ReturnType<typeof deviceRemoval>;
