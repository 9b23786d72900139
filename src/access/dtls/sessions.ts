import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import { type ConnectionSettings, ServerConnection } from "../../wire/dtls";
import type { DtlsCounters } from "./counters";
import { mergeWindows } from "./merge-windows";
import { peerMemory } from "./peer-memory";
import type { SessionEnd } from "./ports";
import type { PskLogins } from "./psk-login";
import { type AddressKey, type Route, sessionRoutes } from "./routes";
import { openSession, type SealedSession } from "./sealed-session";
import { limitBehind, sequenceRange } from "./sequence-space";
import { Session, type Written } from "./session";
import { type PeerSessions, SessionPeer } from "./session-peer";
import type { SessionRepository, SessionRow } from "./session-repository";
import type { DtlsSettings } from "./settings";

export type SessionsOptions = {
  readonly repository: SessionRepository;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly logins: PskLogins;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: () => DtlsCounters;
  readonly settings: DtlsSettings;
  readonly connectionSettings: ConnectionSettings;
  readonly send: PeerSessions["send"];
  readonly ended: (session: SessionPeer, reason: SessionEnd) => void;
};

/** A session that has just been stored. */
export type OpenedSession = {
  readonly no: number;
  readonly deviceNo: number;
  readonly connection: ServerConnection;
  readonly connectionId: Uint8Array | undefined;
  readonly written: Written;
};

/** The device's session until now, and the one that was reached where the new one is. */
export type Displaced = {
  readonly earlier: { readonly no: number; readonly route: Route | undefined } | undefined;
  readonly holder: number | undefined;
};

const PLACES_AT_ONCE = 1_000;
/** Of the bound of sessions in memory: so much room is made when it is reached. */
const ROOM = 0.1;
const NOBODYS_PSK = () => new Uint8Array(0); // an open connection asks for no key
const SEQUENCE_MARGIN = 2 ** 20;

/** Open sessions: where they are reached, which of them are in memory, and what of them must go to disk. */
export function createSessions(options: SessionsOptions) {
  const { repository, transactor, sealer, logins, clock, log, settings, send } = options;
  const routes = sessionRoutes();
  const inMemory = new Map<number, Session>();
  const byDevice = new Map<number, Session>();
  const peers = peerMemory();
  const behind = new Set<Session>();
  let generation = 0;
  let cancelFlush: (() => void) | undefined;
  let makingRoom: Promise<void> | undefined;
  /** Record numbers can be given out: this process has its generation, and has not said goodbye. */
  let isRunning = false;

  const ofNo = (no: number): Session | undefined => inMemory.get(no) ?? tryToLoad(no);
  const peerParts: PeerSessions = { ofNo, send };
  /** More come than can be written away. */
  const isFull = () => inMemory.size >= 2 * settings.maxSessionsInMemory;

  function tryToLoad(no: number): Session | undefined {
    if (!isRunning) return undefined;
    if (isFull()) {
      options.counters().drop("overloaded");
      return undefined;
    }
    try {
      return load(no);
    } catch (error) {
      log.error("dtls_session_not_read", { sessionNo: no, error }); // a peer's send must not throw
      return undefined;
    }
  }

  function load(no: number): Session | undefined {
    const row = repository.find(no);
    if (row?.address === undefined || row.port === undefined) return undefined;
    const secrets = unseal(row);
    const range = sequenceRange(row, generation);
    if (secrets === undefined || range === undefined) {
      if (range === undefined) options.counters().drop("numbers_used_up");
      forget(row.no, row.deviceNo, range === undefined ? "failed" : "closed_by_us");
      return undefined;
    }
    const { address, port, usedMs } = row;
    const window = mergeWindows(row.window, repository.acknowledged(row.deviceNo, no));
    const session = new Session({
      no,
      deviceNo: row.deviceNo,
      connection: new ServerConnection(options.connectionSettings, NOBODYS_PSK, {
        session: secrets.session,
        nextSequence: range.start,
        window,
      }),
      peer: peers.find(no) ?? new SessionPeer(peerParts, no, row.deviceNo, address, port),
      connectionId: row.connectionId,
      written: { nextSequence: range.start, window: row.window, address, port, usedMs },
      sequenceLimit: range.limit,
      usedAt: clock.monotonic(),
    });
    session.enclosedTop = window.top;
    options.counters().loads.add();
    keep(session);
    return session;
  }

  /** Undefined: cannot be opened, or the device is gone, shut out, or has another key. */
  function unseal(row: SessionRow): SealedSession | undefined {
    try {
      const secrets = openSession(sealer, row.deviceNo, row.sessionId, row.sealed);
      return logins.check(secrets.session.identity, row.deviceNo, secrets.keyMark) && secrets;
    } catch (error) {
      log.error("dtls_session_unreadable", { deviceNo: row.deviceNo, sessionNo: row.no, error });
      return undefined;
    }
  }

  function keep(session: Session): void {
    session.peer.attach(session);
    inMemory.set(session.no, session);
    byDevice.set(session.deviceNo, session);
    if (inMemory.size > settings.maxSessionsInMemory) makeRoom();
  }

  /** Out of memory; on disk it goes on, or is gone already. */
  function drop(session: Session): void {
    inMemory.delete(session.no);
    if (byDevice.get(session.deviceNo) === session) byDevice.delete(session.deviceNo);
    behind.delete(session);
    session.peer.detach();
    peers.keep(session.peer);
  }

  /** Of memory and routes only; what is on disk is the caller's. */
  function end(no: number, reason: SessionEnd): void {
    const session = inMemory.get(no);
    const peer = session?.peer ?? peers.find(no);
    if (session) {
      session.isOpen = false;
      routes.remove(session.route, no);
      drop(session);
    }
    if (peer) options.ended(peer, reason);
  }

  function forget(no: number, deviceNo: number, reason: SessionEnd): void {
    const place = repository.placeOfDevice(deviceNo);
    if (place?.no === no && place.route) routes.remove(place.route, no);
    end(no, reason);
    void store("dtls_session_not_forgotten", () => repository.remove(no));
  }

  function store(failure: string, work: () => void): Promise<void> {
    return transactor.write(work).catch((error: unknown) => log.error(failure, { error }));
  }

  /** Writes these as they are when the transaction runs; those of a failed one stay as they were. */
  async function write(sessions: readonly Session[]): Promise<void> {
    const done: [Session, Written][] = [];
    await store("dtls_sessions_not_written", () => {
      for (const session of sessions) {
        const snapshot = session.connection.snapshot();
        if (!session.isOpen || snapshot === undefined) continue;
        const { nextSequence, window } = snapshot;
        const { address, port, usedMs } = session;
        session.storedTop = window.top;
        const written: Written = { nextSequence, window, address, port, usedMs };
        repository.update(session.no, { ...written, generation });
        done.push([session, written]);
      }
      transactor.afterCommit(() => {
        for (const [session, written] of done) {
          session.written = written;
          session.sequenceLimit = limitBehind(written.nextSequence);
        }
      });
    });
  }

  async function writeBatches(sessions: readonly Session[]): Promise<void> {
    for (let at = 0; at < sessions.length; at += settings.writeBatch) {
      const batch = sessions.slice(at, at + settings.writeBatch);
      await write(batch.filter((session) => !session.isWritten || session.isBehind(settings.usedStepMs)));
    }
  }

  /** Writes them, and lets go those that nothing has happened to since. */
  async function retire(sessions: readonly Session[]): Promise<void> {
    for (let at = 0; at < sessions.length && isRunning; at += settings.writeBatch) {
      const batch = sessions.slice(at, at + settings.writeBatch);
      await write(batch.filter((session) => !session.isWritten));
      for (const session of batch) if (session.isOpen && session.isWritten && inMemory.has(session.no)) drop(session);
    }
  }

  function makeRoom(): void {
    if (makingRoom !== undefined) return;
    const oldest = [...inMemory.values()].sort((a, b) => a.usedAt - b.usedAt);
    const surplus = oldest.slice(0, inMemory.size - Math.floor(settings.maxSessionsInMemory * (1 - ROOM)));
    makingRoom = retire(surplus).finally(() => {
      makingRoom = undefined;
    });
  }

  function scheduleFlush(delayMs: number): void {
    cancelFlush ??= clock.after(delayMs, () => {
      cancelFlush = undefined;
      const due = [...behind];
      behind.clear();
      void writeBatches(due);
    });
  }

  /** How many numbers are left; a write in time gives more. */
  function extendNumbers(session: Session): number {
    const left = session.sequenceLimit - session.connection.nextSequence;
    if (left < SEQUENCE_MARGIN && !behind.has(session)) {
      behind.add(session);
      scheduleFlush(0);
    }
    return left;
  }

  return {
    routes,
    ofNo,
    inMemory,
    isFull,
    get generation() {
      return generation;
    },

    /** Before the first record is sent: this process' generation, and where all sessions are reached. */
    async start(): Promise<void> {
      generation = await transactor.write(() => repository.nextGeneration(clock.now()));
      for (let after = 0; ; ) {
        const places = repository.reachable(after, PLACES_AT_ONCE);
        for (const { no, address, port, connectionId } of places) routes.add({ address, port, connectionId }, no);
        const last = places.at(-1);
        if (last === undefined) break;
        after = last.no;
      }
      isRunning = true;
    },

    byConnection(key: number): Session | undefined {
      const no = routes.ofConnection(key);
      return no === undefined ? undefined : ofNo(no);
    },
    byAddress(key: AddressKey): Session | undefined {
      const no = routes.ofAddress(key);
      return no === undefined ? undefined : ofNo(no);
    },

    /** The session that this id names, if its device may still use it. */
    resumable(sessionId: Uint8Array): (SealedSession & { readonly deviceNo: number }) | undefined {
      const row = repository.findBySessionId(sessionId);
      const secrets = row && unseal(row);
      return row && secrets && { ...secrets, deviceNo: row.deviceNo };
    },

    /**
     * Inside the transaction that stores `route`: what must give way on disk. Afterwards call `add` with the result.
     */
    displace(deviceNo: number, route: Route): Displaced {
      const earlier = repository.placeOfDevice(deviceNo);
      const holder = routes.holder(route);
      // Another device without connection id was here; it is not any more, but may resume.
      if (holder !== undefined && holder !== earlier?.no) repository.close(holder);
      return { earlier, holder };
    },
    add(opened: OpenedSession, { earlier, holder }: Displaced): Session {
      if (earlier) {
        if (earlier.route) routes.remove(earlier.route, earlier.no);
        end(earlier.no, "replaced");
      }
      if (holder !== undefined && holder !== earlier?.no) end(holder, "closed_by_us");
      const { no, deviceNo, connection, connectionId, written } = opened;
      const session = new Session({
        ...{ no, deviceNo, connection, connectionId, written },
        peer: new SessionPeer(peerParts, no, deviceNo, written.address, written.port),
        sequenceLimit: limitBehind(written.nextSequence),
        usedAt: clock.monotonic(),
      });
      routes.add(session.route, no);
      keep(session);
      return session;
    },

    /** The device's present session, whether it is in memory or not. */
    peerOf(deviceNo: number): SessionPeer | undefined {
      const session = byDevice.get(deviceNo);
      if (session) return session.peer;
      const place = repository.placeOfDevice(deviceNo);
      if (!place?.route || routes.holder(place.route) !== place.no) return undefined;
      const { address, port } = place.route;
      const peer = peers.find(place.no) ?? new SessionPeer(peerParts, place.no, deviceNo, address, port);
      peers.keep(peer);
      return peer;
    },

    /** An authentic record came; `isMoved`: from another address than before, and it was the newest. */
    heard(session: Session, isMoved: boolean): void {
      session.usedAt = clock.monotonic();
      session.usedMs = clock.now();
      session.isResting = false;
      extendNumbers(session);
      if (!isMoved && !session.isBehind(settings.usedStepMs)) return;
      behind.add(session);
      scheduleFlush(isMoved ? 0 : settings.flushMs);
    },
    /** May another record be numbered? */
    mayNumber(session: Session): boolean {
      session.usedAt = clock.monotonic();
      session.isResting = false;
      return extendNumbers(session) > 0;
    },

    end,
    /** The device said goodbye: the row stays, to be resumed. */
    close(session: Session): void {
      end(session.no, "closed_by_device");
      void store("dtls_session_not_closed", () => repository.close(session.no));
    },
    forget: (session: Session, reason: SessionEnd) => forget(session.no, session.deviceNo, reason),
    /** Also what is on disk only. Resolves when it is forgotten there. */
    forgetDevice(deviceNo: number): Promise<void> {
      const place = repository.placeOfDevice(deviceNo);
      if (place?.route) routes.remove(place.route, place.no);
      if (place) end(place.no, "closed_by_us");
      return store("dtls_session_not_forgotten", () => repository.removeOfDevice(deviceNo));
    },

    /** Lets silent sessions rest, and those that are silent for longer leave memory. */
    sweep(): Promise<void> {
      const now = clock.monotonic();
      const silent: Session[] = [];
      for (const session of inMemory.values()) {
        const idleMs = now - session.usedAt;
        if (idleMs >= settings.dropAfterMs) silent.push(session);
        else if (idleMs >= settings.restAfterMs && !session.isResting) {
          session.connection.rest();
          session.isResting = true;
        }
      }
      return retire(silent);
    },

    /** Forgets some of the sessions that nobody has used for too long; true: there may be more. */
    async expire(): Promise<boolean> {
      const before = clock.now() - settings.sessionExpiryMs;
      const gone = repository.expired(before, settings.writeBatch).filter(({ no }) => !inMemory.has(no));
      if (gone.length === 0) return false;
      await store("dtls_sessions_not_expired", () => {
        for (const { no } of gone) repository.remove(no);
      });
      for (const { no, route } of gone) {
        if (route) routes.remove(route, no);
        end(no, "expired");
      }
      return gone.length === settings.writeBatch;
    },

    /** Writes all exactly as they are. Nothing is loaded from here on. */
    async stop(): Promise<void> {
      isRunning = false;
      cancelFlush?.();
      await makingRoom;
      await writeBatches([...inMemory.values()]);
      await transactor.settled();
    },
  };
}
export type Sessions = ReturnType<typeof createSessions>;
