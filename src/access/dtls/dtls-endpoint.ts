import type { Database } from "bun:sqlite";
import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { Clock } from "../../platform/clock";
import type { ListenAddress } from "../../platform/listen-address";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import {
  type ConnectionOutput,
  type ConnectionSettings,
  type DtlsRecord,
  decodeRecord,
  HANDSHAKE_SETTINGS,
  screenHello,
} from "../../wire/dtls";
import { MalformedError } from "../../wire/malformed-error";
import { type DatagramSocket, type DatagramSocketOptions, openDatagramSocket } from "../datagram/datagram-socket";
import type { Peer } from "../datagram/peer";
import { createAcceptance } from "./accept-clients";
import { cookieSecrets } from "./cookie-secrets";
import { type Drop, dtlsCounters } from "./counters";
import { type Handshake, hasKeys } from "./handshakes";
import type { DtlsReceivers, LookUpPsk, SessionEnd } from "./ports";
import { pskLogins } from "./psk-login";
import { addressKey, CONNECTION_ID_LENGTH, connectionKey } from "./routes";
import type { Session } from "./session";
import type { SessionPeer } from "./session-peer";
import { sessionRepository } from "./session-repository";
import { createSessions } from "./sessions";
import type { DtlsSettings } from "./settings";

export type DtlsEndpointOptions = DtlsReceivers & {
  /** Where to listen. */
  readonly listen: ListenAddress;
  readonly lookUp: LookUpPsk;
  /** registry.db, and telemetry.db for reading. */
  readonly registry: Database;
  readonly telemetry: Database;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Cryptographically strong. */
  readonly random: (length: number) => Uint8Array;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: DtlsSettings;
  /** For tests: another network. */
  readonly openSocket?: (options: DatagramSocketOptions) => Promise<DatagramSocket>;
};

export type DtlsEndpoint = {
  /** Reads where all sessions are reached, then opens the socket; throws when the address is taken. */
  listen(): Promise<ListenAddress>;
  /** Writes the sessions and closes the socket. No device is told: sessions go on after the restart. */
  stop(): Promise<void>;
  /** Undefined before `listen`. */
  readonly address: ListenAddress | undefined;
  /** The device's present session, wherever it is; good for sending at any later time. */
  peerOf(deviceNo: number): Peer | undefined;
  /**
   * Ends the device's session (with a close_notify if it is in memory), and forgets it on disk too: it has another key, or
   * was deleted or shut out. Also what is about to open. `reason` is for the log.
   */
  closeSessions(deviceNo: number, reason: string): void;
};

/** DTLS 1.2 with the devices' pre-shared keys, and their sessions, which outlive this process (docs/dtls.md). */
export function createDtlsEndpoint(options: DtlsEndpointOptions): DtlsEndpoint {
  const { clock, log, settings, random, transactor, sealer, trace } = options;
  let socket: DatagramSocket | undefined;
  let cancelSweep: (() => void) | undefined;
  let cancelExpiry: (() => void) | undefined;
  let isStopped = false;

  const connectionSettings: ConnectionSettings = {
    ...HANDSHAKE_SETTINGS,
    maxDatagramBytes: settings.maxHandshakeDatagramBytes,
  };
  const repository = sessionRepository(options.registry, options.telemetry);
  const logins = pskLogins({ lookUp: options.lookUp, random, clock, settings });
  const secrets = cookieSecrets(clock, random, settings.cookieLifetimeMs);
  const counters = () => counts;
  const shared = { repository, transactor, sealer, logins, clock, log, counters, settings, connectionSettings };
  const sessions = createSessions({ ...shared, send: sealAndSend, ended });
  const clients = createAcceptance({
    ...{ ...shared, sessions, random, trace, deliver },
    send,
    opened: (session, resumed) => guard(() => options.opened?.(session.peer, resumed)),
  });
  const counts = dtlsCounters(options.metrics, {
    sessions: () => sessions.routes.size,
    inMemory: () => sessions.inMemory.size,
    handshakes: () => clients.size,
  });

  function send(datagram: Uint8Array, address: string, port: number): void {
    counts.out.add();
    socket?.send(datagram, address, port);
  }

  function sealAndSend(session: Session, content: Uint8Array): void {
    if (isStopped) return;
    const record = sessions.mayNumber(session) ? seal(session, content) : "numbers_used_up";
    if (typeof record === "string") counts.drop(record);
    else send(record, session.address, session.port);
  }

  function seal(session: Session, content: Uint8Array): Uint8Array | Drop {
    try {
      return session.connection.seal(content) ?? "session_over";
    } catch (error) {
      log.error("dtls_record_not_sealed", { deviceNo: session.deviceNo, bytes: content.length, error });
      return "not_sendable"; // longer than a record can be
    }
  }

  /** What the layer above throws is a fault of ours, and not of this datagram. */
  function guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error("dtls_fault", { error });
    }
  }

  function ended(peer: SessionPeer, reason: SessionEnd): void {
    guard(() => options.ended?.(peer, reason));
  }

  function deliver(session: Session, plaintext: Uint8Array): void {
    guard(() => options.receive(session.peer, plaintext));
  }

  function receive(bytes: Uint8Array, address: string, port: number): void {
    for (let at = 0; at < bytes.length; ) {
      const record = attempt(() => decodeRecord(bytes, at, CONNECTION_ID_LENGTH));
      if (record === undefined) return; // where the next one begins is not known
      at += record.header.length + record.fragment.length;
      counts.in.add();
      const drop = attempt(() => takeRecord(record, address, port));
      if (drop !== undefined) counts.drop(drop);
    }
  }

  function attempt<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (error instanceof MalformedError) counts.drop("malformed");
      else log.error("dtls_fault", { error });
      return undefined;
    }
  }

  /** Undefined, or why it was dropped; so all below. */
  function takeRecord(record: DtlsRecord, address: string, port: number): Drop | undefined {
    if (record.connectionId) {
      const key = connectionKey(record.connectionId);
      const handshake = clients.byConnection(key);
      if (handshake) return clients.take(handshake, record);
      const session = sessions.byConnection(key);
      return session ? takeRecordOf(session, record, address, port) : "unknown_connection_id"; // RFC 9146 §3: silently
    }
    if (record.epoch === 0) return takePlain(record, address, port);
    const key = addressKey(address, port);
    const handshake = clients.byAddress(key);
    if (handshake && hasKeys(handshake)) return takeOfEither(handshake, record, address, port);
    const session = sessions.byAddress(key);
    return session ? takeRecordOf(session, record, address, port) : "unknown_address";
  }

  /** Nothing here is proved; an open session is not touched by it (RFC 6347 §4.2.8). */
  function takePlain(record: DtlsRecord, address: string, port: number): Drop | undefined {
    const screened = screenHello(record, `${address} ${port}`, secrets());
    if (screened?.type === "answer") {
      counts.cookies.add();
      send(screened.datagram, address, port);
      return undefined;
    }
    if (screened?.type === "accept") return clients.begin(screened, record, address, port);
    const key = addressKey(address, port);
    const handshake = clients.byAddress(key);
    if (handshake) return clients.take(handshake, record);
    return sessions.routes.ofAddress(key) === undefined ? "no_handshake" : "late";
  }

  /** Late records of the old session may still come while the same address opens a new one. */
  function takeOfEither(handshake: Handshake, record: DtlsRecord, address: string, port: number): Drop | undefined {
    const session = handshake.isStoring ? undefined : sessions.byAddress(addressKey(address, port));
    if (session && takeRecordOf(session, record, address, port) === undefined) return undefined;
    return clients.take(handshake, record);
  }

  function takeRecordOf(session: Session, record: DtlsRecord, address: string, port: number): Drop | undefined {
    const { connection } = session;
    const newest = connection.newestSequence;
    const outputs = connection.receive(record);
    const fate = connection.lastFate;
    if (fate !== "authentic") return fate === "plain" ? "late" : fate;
    // Only who has the newest record is where the device is (RFC 9146 §6). Without an id there is no moving.
    const isNewest = connection.newestSequence > newest;
    const isMoved = isNewest && (session.address !== address || session.port !== port);
    if (isMoved) {
      counts.moves.add();
      session.address = address;
      session.port = port;
    }
    for (const output of outputs) run(session, output);
    if (session.isOpen) sessions.heard(session, isMoved);
    return undefined;
  }

  function run(session: Session, output: ConnectionOutput): void {
    switch (output.type) {
      case "datagram":
        send(output.bytes, session.address, session.port);
        break;
      case "received":
        deliver(session, output.content);
        break;
      case "closed":
        // close_notify leaves a session that can be resumed, an alert does not (RFC 5246 §7.2.2).
        if (output.reason === "closedByPeer") sessions.close(session);
        else sessions.forget(session, "failed");
        break;
      default: // timers and keys are the handshake's
    }
  }

  const settle = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => {
      log.error("dtls_fault", { error });
      return undefined;
    });

  function sweepLater(): void {
    cancelSweep = clock.after(settings.sweepMs, () => {
      void settle(sessions.sweep()).then(() => {
        if (!isStopped) sweepLater();
      });
    });
  }

  function expireLater(delayMs: number): void {
    cancelExpiry = clock.after(delayMs, () => {
      void settle(sessions.expire()).then((isMore) => {
        if (!isStopped) expireLater(isMore ? 0 : settings.expirySweepMs);
      });
    });
  }

  return {
    get address() {
      return socket && { hostname: socket.hostname, port: socket.port };
    },
    async listen() {
      await sessions.start();
      const open = options.openSocket ?? openDatagramSocket;
      socket = await open({
        ...{ ...options.listen, settings, clock, receive },
        dropped: (reason: Drop) => counts.drop(reason),
        fault: (error) => log.error("dtls_fault", { error }),
      });
      sweepLater();
      expireLater(settings.expirySweepMs);
      return { hostname: socket.hostname, port: socket.port };
    },
    async stop() {
      if (isStopped) return;
      socket?.pause();
      clients.stop();
      await transactor.settled(); // what has just opened is told so
      isStopped = true;
      cancelSweep?.();
      cancelExpiry?.();
      await sessions.stop();
      socket?.close();
    },
    peerOf: (deviceNo) => sessions.peerOf(deviceNo),
    closeSessions(deviceNo, reason) {
      clients.cancelDevice(deviceNo);
      const peer = sessions.peerOf(deviceNo);
      const session = peer && sessions.inMemory.get(peer.sessionNo); // one that sleeps would not hear it
      for (const output of session?.connection.close() ?? []) {
        if (session && output.type === "datagram") send(output.bytes, session.address, session.port);
      }
      void sessions.forgetDevice(deviceNo);
      if (peer) log.info("dtls_session_closed", { deviceNo, reason });
    },
  };
}
