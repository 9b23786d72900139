import type { AckSink, Ingest } from "../../capabilities/telemetry/report";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Subscription } from "../../wire/mqtt";
import { type OutboundMessage, Session } from "./session";
import { INBOUND_FORGOTTEN, type SessionRepository } from "./session-repository";
import { ACK_KIND, ticketOf } from "./ticket";

export type OpenedSession = { readonly session: Session; readonly present: boolean };

/** For rows that nobody waits for. */
export const NOBODY: AckSink = { acknowledge() {}, abandon() {}, flush() {} };
export const NO_TICKET = ticketOf(ACK_KIND.none, 0);

const SWEEP_MS = 60_000;
const SWEEP_ROWS = 500;

type Parts = {
  repository: SessionRepository;
  transactor: Transactor;
  ingest: Pick<Ingest, "pass">;
  clock: Clock;
  log: Log;
  sessionExpiryMs: number;
};

/**
 * Sessions by device: the client id cannot be the key, since its timestamp changes every hour (docs/decisions/0004).
 * In memory are those that are in use or hold unacknowledged messages; the rest is read when its device comes back.
 */
export function mqttSessions({ repository, transactor, ingest, clock, log, sessionExpiryMs }: Parts) {
  const kept = new Map<number, Session>();
  const opening = new Map<number, Promise<OpenedSession>>();
  let stopped = false;

  /** Removes an inbound packet identifier's session; not before the row of the session is gone. */
  const forgetInbound = (no: number) => ingest.pass(NOBODY, NO_TICKET, { sql: INBOUND_FORGOTTEN, values: [no] });

  async function discard(session: Session): Promise<void> {
    const no = session.no as number;
    await transactor.write(() => repository.remove(no));
    if (kept.get(session.deviceNo) === session) kept.delete(session.deviceNo);
    forgetInbound(no);
  }

  function openNow(deviceNo: number, clean: boolean): OpenedSession | Promise<OpenedSession> {
    const existing = kept.get(deviceNo) ?? repository.load(deviceNo, clock.now());
    if (clean) {
      const fresh: OpenedSession = { session: used(new Session(deviceNo, undefined)), present: false };
      return existing ? discard(existing).then(() => fresh) : fresh; // [MQTT-3.1.2-6]
    }
    if (existing) {
      kept.set(deviceNo, used(existing));
      keep(transactor.write(() => repository.expireAt(existing.no as number, undefined)));
      return { session: existing, present: true }; // [MQTT-3.2.2-2]
    }
    return create(deviceNo);
  }

  async function create(deviceNo: number): Promise<OpenedSession> {
    const { no, expiredNo } = await transactor.write(() => {
      const expiredNo = repository.numberOf(deviceNo); // not loaded: it is over
      if (expiredNo !== undefined) repository.remove(expiredNo);
      return { no: repository.create(deviceNo, clock.now()), expiredNo };
    });
    if (expiredNo !== undefined) forgetInbound(expiredNo);
    const session = used(new Session(deviceNo, no));
    kept.set(deviceNo, session);
    return { session, present: false };
  }

  const used = (session: Session) => {
    session.users++;
    return session;
  };

  function release(session: Session): void {
    session.users--;
    // With messages under way it stays: it knows whom to tell of their delivery.
    if (session.users === 0 && session.outbound.size === 0 && kept.get(session.deviceNo) === session)
      kept.delete(session.deviceNo);
  }

  /** Stores a change of a persistent session; a session that ends with its connection has nothing to store. */
  function store(session: Session, work: (no: number) => void): Promise<void> | undefined {
    const { no } = session;
    if (no === undefined) return undefined;
    session.users++;
    return transactor.write(() => work(no)).finally(() => release(session));
  }

  /** For changes that nobody waits for: what is lost with them is repeated by the other side. */
  function keep(stored: Promise<unknown> | undefined): void {
    stored?.catch((error: unknown) => log.error("mqtt_session_not_stored", { error }));
  }

  function sweep(): void {
    if (stopped) return;
    clock.after(SWEEP_MS, sweep);
    keep(
      transactor.write(() => {
        for (const { no, device_no } of repository.expired(clock.now(), SWEEP_ROWS)) {
          const session = kept.get(device_no);
          if (session && session.users > 0) continue;
          repository.remove(no);
          transactor.afterCommit(() => {
            if (kept.get(device_no) === session) kept.delete(device_no);
            forgetInbound(no);
          });
        }
      }),
    );
  }

  return {
    /** Before anything else: no device is connected yet. */
    async start(): Promise<void> {
      await transactor.write(() => repository.expireAllAt(clock.now() + sessionExpiryMs));
      for (const no of repository.orphans()) forgetInbound(no);
      clock.after(SWEEP_MS, sweep);
    },

    /** Resolves when what the answer says is on disk. The session is in use until `close`. */
    open(deviceNo: number, clean: boolean): OpenedSession | Promise<OpenedSession> {
      const before = opening.get(deviceNo); // two connections of a device at once: one after the other
      const opened = before
        ? before.then(
            () => openNow(deviceNo, clean),
            () => openNow(deviceNo, clean),
          )
        : openNow(deviceNo, clean);
      if (!(opened instanceof Promise)) return opened;
      opening.set(deviceNo, opened);
      return opened.finally(() => {
        if (opening.get(deviceNo) === opened) opening.delete(deviceNo);
      });
    },

    /** Its connection is gone and its last message is on disk. */
    close(session: Session): void {
      const { no } = session;
      if (no !== undefined && !stopped && session.users === 1)
        keep(store(session, () => repository.expireAt(no, clock.now() + sessionExpiryMs)));
      release(session);
    },

    /** Undefined: done already. The filters count when it is done. */
    subscribe(session: Session, subscriptions: readonly Subscription[]): Promise<void> | undefined {
      const apply = () => {
        for (const { filter, qos } of subscriptions) session.subscribe(filter, qos);
      };
      const stored = store(session, (no) => {
        for (const subscription of subscriptions) repository.subscribe(no, subscription);
      });
      if (!stored) apply();
      return stored?.then(apply);
    },
    unsubscribe(session: Session, filters: readonly string[]): Promise<void> | undefined {
      const present = filters.filter((filter) => session.subscriptions.has(filter));
      if (present.length === 0) return undefined;
      for (const filter of present) session.unsubscribe(filter);
      return store(session, (no) => {
        for (const filter of new Set(present)) repository.unsubscribe(no, filter);
      });
    },

    /** Undefined: done already. When it is done, the message survives a restart. */
    addOutbound: (session: Session, message: OutboundMessage) =>
      store(session, (no) => repository.addOutbound(no, message)),
    /** QoS 2: the device has it; PUBREL may go out when this is done. */
    releaseOutbound: (session: Session, packetId: number) =>
      store(session, (no) => repository.releaseOutbound(no, packetId)),
    removeOutbound(session: Session, packetId: number): void {
      session.removeOutbound(packetId);
      keep(store(session, (no) => repository.removeOutbound(no, packetId)));
    },

    /** Whether a session that outlives its connection will send this command again. */
    holdsCommand(deviceNo: number, mid: number): boolean {
      const session = kept.get(deviceNo);
      if (!session) return repository.holdsCommand(deviceNo, mid);
      for (const message of session.outbound.values()) if (message.mid === mid) return true;
      return false;
    },

    /** Inside the transaction that deletes the device. */
    forgetDevice(deviceNo: number): void {
      const no = repository.numberOf(deviceNo);
      if (no === undefined) return;
      repository.remove(no);
      transactor.afterCommit(() => {
        kept.delete(deviceNo);
        forgetInbound(no);
      });
    },

    inMemory: () => kept.size,
    stop() {
      stopped = true;
    },
  };
}
export type MqttSessions = ReturnType<typeof mqttSessions>;
