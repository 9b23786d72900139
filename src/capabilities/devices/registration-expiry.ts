import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Worker } from "../../platform/worker";
import type { DeviceRepository } from "./device-repository";
import type { DeviceRemoval } from "./remove-device";

type Parts = {
  repository: Pick<DeviceRepository, "expired">;
  removal: DeviceRemoval;
  transactor: Transactor;
  clock: Clock;
  sweepMs: number;
  log: Log;
};

const AT_ONCE = 200;

/** Deletes registrations whose validity is over; what falls due while the process is down goes at the next start. */
export function startRegistrationExpiry({ repository, removal, transactor, clock, sweepMs, log }: Parts): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const due = repository.expired(clock.now(), AT_ONCE);
      if (due.length > 0) await sweep(due);
      if (due.length < AT_ONCE) await clock.sleep(sweepMs, stopping.signal);
    }
  }

  async function sweep(due: readonly number[]): Promise<void> {
    try {
      await transactor.write(() => {
        for (const deviceNo of due) removal.expire(deviceNo, clock.now());
      });
      log.info("devices.expired", { devices: due.length });
    } catch (error) {
      // A full disk, say: they are still due at the next sweep.
      log.error("devices.expiry_failed", { devices: due.length, error });
      await clock.sleep(sweepMs, stopping.signal);
    }
  }

  const finished = run();
  return {
    finished,
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
