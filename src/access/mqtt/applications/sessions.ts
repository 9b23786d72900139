import type { Clock } from "../../../platform/clock";
import { DomainError } from "../../../platform/domain-error";
import type { Log } from "../../../platform/log";
import type { Transactor } from "../../../platform/storage/group-commit";
import type { ApplicationSessionRepository } from "./session-repository";
import type { Subscriber } from "./subscriber";

export type OpenedApplicationSession = {
  readonly no: number | undefined;
  readonly present: boolean;
  readonly filters: readonly string[];
};

const SWEEP_MS = 60_000;
const SWEEP_ROWS = 500;

type Parts = {
  repository: ApplicationSessionRepository;
  transactor: Transactor;
  clock: Clock;
  log: Log;
  sessionExpiryMs: number;
  maxSessions: number; // of one application
};

/** What of an application's connection outlives it: its filters, by application and client id. */
export function applicationSessions(parts: Parts) {
  const { repository, transactor, clock, log, sessionExpiryMs, maxSessions } = parts;
  let stopped = false;

  /** Inside a transaction. */
  function openNow(appNo: number, clientId: string, clean: boolean): OpenedApplicationSession {
    const row = repository.find(appNo, clientId);
    const isOver = row !== undefined && row.expires_ms !== null && row.expires_ms <= clock.now();
    if (row && !clean && !isOver) {
      repository.expireAt(row.no, undefined);
      return { no: row.no, present: true, filters: repository.filters(row.no) }; // [MQTT-3.2.2-2]
    }
    if (row) repository.remove(row.no); // [MQTT-3.1.2-6]
    if (clean) return { no: undefined, present: false, filters: [] };
    if (repository.count(appNo) >= maxSessions) throw new DomainError("CONGESTED", { maxSessions });
    return { no: repository.create(appNo, clientId), present: false, filters: [] };
  }

  function keep(stored: Promise<unknown>): void {
    stored.catch((error: unknown) => log.error("mqtt_application_session_not_stored", { error }));
  }

  function sweep(): void {
    if (stopped) return;
    clock.after(SWEEP_MS, sweep);
    keep(transactor.write(() => repository.removeExpired(clock.now(), SWEEP_ROWS)));
  }

  return {
    /** Before anything else: nobody is connected yet. */
    async start(): Promise<void> {
      await transactor.write(() => repository.expireAllAt(clock.now() + sessionExpiryMs));
      clock.after(SWEEP_MS, sweep);
    },
    /** Resolves when what the answer says is on disk. Throws CONGESTED when the application has too many sessions. */
    open: (appNo: number, clientId: string, clean: boolean): Promise<OpenedApplicationSession> =>
      transactor.write(() => openNow(appNo, clientId, clean)),
    /** Its connection is gone. */
    close(sessionNo: number | undefined): void {
      if (sessionNo === undefined || stopped) return;
      keep(transactor.write(() => repository.expireAt(sessionNo, clock.now() + sessionExpiryMs)));
    },
    /** Resolves when the filters are on disk, and count. */
    async subscribe({ sessionNo, filters }: Subscriber, added: readonly string[]): Promise<void> {
      if (sessionNo !== undefined)
        await transactor.write(() => {
          for (const filter of added) repository.subscribe(sessionNo, filter);
        });
      for (const filter of added) filters.add(filter);
    },
    /** They count no more at once; resolves when that is on disk. */
    async unsubscribe({ sessionNo, filters }: Subscriber, removed: readonly string[]): Promise<void> {
      const present = removed.filter((filter) => filters.delete(filter));
      if (sessionNo === undefined || present.length === 0) return;
      await transactor.write(() => {
        for (const filter of present) repository.unsubscribe(sessionNo, filter);
      });
    },
    stop() {
      stopped = true;
    },
  };
}
export type ApplicationSessions = ReturnType<typeof applicationSessions>;
