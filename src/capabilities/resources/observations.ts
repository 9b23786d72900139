import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Transactor } from "../../platform/storage/group-commit";
import { isAtOrBelow, type LwM2mPath, parsePath, renderPath } from "../../wire/lwm2m";
import type { ObservationView } from "./resource";
import type { ResourceSettings } from "./settings";

type Parts = {
  db: Database;
  transactor: Transactor;
  clock: Clock;
  settings: Pick<ResourceSettings, "maxObservations" | "maxObservationsPerDevice">;
};
type Wanted = {
  readonly path: LwM2mPath;
  readonly sinceMs: number;
  state: ObservationView["state"];
  endedReason: string | undefined;
};
export type Observations = ReturnType<typeof observations>;

/** What operators want to be observed: on disk, and in memory, where every new registration asks for it. */
export function observations({ db, transactor, clock, settings }: Parts) {
  const insert = db.query<null, [number, string, number]>(
    "INSERT OR IGNORE INTO resource_observation (device_no, path, since_ms) VALUES (?, ?, ?)",
  );
  const remove = db.query<null, [number, string]>("DELETE FROM resource_observation WHERE device_no = ? AND path = ?");
  const removeAll = db.query<null, [number]>("DELETE FROM resource_observation WHERE device_no = ?");
  const devices = new Map<number, Map<string, Wanted>>();
  let count = 0;

  const load = db.query<{ device_no: number; path: string; since_ms: number }, []>(
    "SELECT * FROM resource_observation",
  );
  for (const { device_no, path, since_ms } of load.iterate()) add(device_no, parsePath(path), since_ms, "unknown");

  function add(deviceNo: number, path: LwM2mPath, sinceMs: number, state: Wanted["state"]): void {
    const wanted = devices.get(deviceNo) ?? new Map<string, Wanted>();
    devices.set(deviceNo, wanted);
    const key = renderPath(path);
    const known = wanted.get(key);
    if (!known) count++;
    wanted.set(key, { path, sinceMs: known?.sinceMs ?? sinceMs, state, endedReason: undefined });
  }

  function forget(deviceNo: number): void {
    count -= devices.get(deviceNo)?.size ?? 0;
    devices.delete(deviceNo);
  }

  return {
    wanted: (deviceNo: number): LwM2mPath[] => [...(devices.get(deviceNo)?.values() ?? [])].map(({ path }) => path),
    /** Is what lies at `path` observed, by itself or with what is around it? */
    covers: (deviceNo: number, path: LwM2mPath): boolean =>
      [...(devices.get(deviceNo)?.values() ?? [])].some((it) => isAtOrBelow(path, it.path)),
    list: (deviceNo: number): ObservationView[] =>
      [...(devices.get(deviceNo) ?? [])].map(([path, { sinceMs, state, endedReason }]) => ({
        ...{ path, sinceMs, state, endedReason },
      })),
    count: () => count,

    /** Throws CONFLICT when there is no room for one more. */
    assertRoom(deviceNo: number, path: LwM2mPath): void {
      const wanted = devices.get(deviceNo);
      if (wanted?.has(renderPath(path))) return;
      if ((wanted?.size ?? 0) >= settings.maxObservationsPerDevice)
        throw new DomainError("CONFLICT", {
          reason: `${settings.maxObservationsPerDevice} observations are the limit`,
        });
      if (count >= settings.maxObservations)
        throw new DomainError("CONFLICT", { reason: "the limit of observations of all devices is reached" });
    },

    /** Resolves when it is on disk. `exists`: asked inside the transaction. */
    want: (deviceNo: number, path: LwM2mPath, exists: () => boolean): Promise<void> =>
      transactor.write(() => {
        if (!exists()) return;
        const sinceMs = clock.now();
        insert.run(deviceNo, renderPath(path), sinceMs);
        transactor.afterCommit(() => add(deviceNo, path, sinceMs, "active"));
      }),
    unwant: (deviceNo: number, path: LwM2mPath): Promise<void> =>
      transactor.write(() => {
        const key = renderPath(path);
        remove.run(deviceNo, key);
        transactor.afterCommit(() => {
          const wanted = devices.get(deviceNo);
          if (!wanted?.delete(key)) return;
          count--;
          if (wanted.size === 0) devices.delete(deviceNo);
        });
      }),
    /** Inside the transaction of the device's deletion. */
    removeDevice(deviceNo: number): void {
      removeAll.run(deviceNo);
      transactor.afterCommit(() => forget(deviceNo));
    },

    setState(deviceNo: number, path: LwM2mPath, state: "active" | "ended", reason?: string): void {
      const wanted = devices.get(deviceNo)?.get(renderPath(path));
      if (!wanted) return;
      wanted.state = state;
      wanted.endedReason = reason?.slice(0, MAX_REASON_CHARS);
    },
  };
}
const MAX_REASON_CHARS = 200;
