import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { ResourceLink } from "./resource-link";
import type { ResourceSettings } from "./settings";

type Parts = {
  linkOf: (deviceNo: number) => ResourceLink | undefined;
  clock: Clock;
  settings: Pick<ResourceSettings, "maxOperationsPerDevice" | "maxOperations" | "operationTimeoutMs">;
};

type Entry = {
  /** Waits for a device that sleeps. */
  readonly waits: boolean;
  start(link: ResourceLink): Promise<void>;
  refuse(error: DomainError): void;
};
type Line = { readonly entries: Entry[]; running: boolean };
export type DeviceQueue = ReturnType<typeof deviceQueue>;

/** Work with devices: one at a time per device, in the order of the calls; some of it waits until the device is heard. */
export function deviceQueue({ linkOf, clock, settings }: Parts) {
  const lines = new Map<number, Line>();
  let count = 0;
  let stopped = false;

  const absence = (deviceNo: number) => new DomainError(linkOf(deviceNo) ? "DEVICE_ASLEEP" : "DEVICE_NOT_REGISTERED");

  const tooSlow = () => new DomainError("DEVICE_NO_ANSWER", { reason: "other operations are before it" });

  function pump(deviceNo: number, line: Line): void {
    if (line.running) return;
    const link = linkOf(deviceNo);
    if (!link?.isListening(deviceNo)) {
      for (const entry of line.entries.filter(({ waits }) => !waits)) entry.refuse(absence(deviceNo));
      return;
    }
    const [head] = line.entries;
    if (!head) return;
    line.running = true;
    void head.start(link).finally(() => {
      line.running = false;
      leave(deviceNo, line, head);
      pump(deviceNo, line);
    });
  }

  function leave(deviceNo: number, line: Line, entry: Entry): void {
    const at = line.entries.indexOf(entry);
    if (at < 0) return;
    line.entries.splice(at, 1);
    count--;
    if (line.entries.length === 0 && lines.get(deviceNo) === line) lines.delete(deviceNo);
  }

  function refuseWaiting(line: Line, error: DomainError): void {
    const [first, ...others] = line.entries;
    for (const entry of others) entry.refuse(error);
    if (!line.running) first?.refuse(error); // what is under way ends by itself
  }

  return {
    /**
     * `waitMs` undefined: the device must listen now. Rejects with what `send` threw, or CONGESTED, DEVICE_ASLEEP,
     * DEVICE_NOT_REGISTERED, DEVICE_NO_ANSWER (others before it took too long), DEVICE_NOT_FOUND (deleted); then it is
     * not sent later either.
     */
    submit<T>(deviceNo: number, waitMs: number | undefined, send: (link: ResourceLink) => Promise<T>): Promise<T> {
      const line = lines.get(deviceNo) ?? { entries: [], running: false };
      if (stopped || count >= settings.maxOperations || line.entries.length >= settings.maxOperationsPerDevice)
        return Promise.reject(new DomainError("CONGESTED", { reason: stopped ? "stopping" : "operations under way" }));
      if (waitMs === undefined && !linkOf(deviceNo)?.isListening(deviceNo)) return Promise.reject(absence(deviceNo));
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      let cancelTimer = () => {};
      const entry: Entry = {
        waits: waitMs !== undefined,
        start(link) {
          cancelTimer();
          return send(link).then(resolve, reject);
        },
        refuse(error) {
          cancelTimer();
          leave(deviceNo, line, entry);
          reject(error);
        },
      };
      const limitMs = Math.min(waitMs ?? settings.operationTimeoutMs, settings.operationTimeoutMs);
      cancelTimer = clock.after(limitMs, () => entry.refuse(line.running ? tooSlow() : absence(deviceNo)));
      line.entries.push(entry);
      lines.set(deviceNo, line);
      count++;
      pump(deviceNo, line);
      return promise;
    },

    /** Called for every contact of every device. */
    heard(deviceNo: number): void {
      const line = lines.get(deviceNo);
      if (line) pump(deviceNo, line);
    },
    forget(deviceNo: number): void {
      const line = lines.get(deviceNo);
      if (line) refuseWaiting(line, new DomainError("DEVICE_NOT_FOUND"));
    },
    /** Refuses what waits, and everything that comes. */
    stop(): void {
      stopped = true;
      for (const line of [...lines.values()]) refuseWaiting(line, new DomainError("CONGESTED", { reason: "stopping" }));
    },
    count: () => count,
  };
}
