import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import {
  type ConnectionOutput,
  type ConnectionSettings,
  type DtlsRecord,
  type DtlsSession,
  type ResumableSession,
  type ScreenedHello,
  ServerConnection,
} from "../../wire/dtls";
import { boundedMemory } from "../datagram/bounded-memory";
import { tokenBuckets } from "../datagram/token-buckets";
import { type Drop, type DtlsCounters, type HandshakeOutcome, OUTCOME_OF } from "./counters";
import { createHandshakes, type Handshake } from "./handshakes";
import type { Login, PskLogins } from "./psk-login";
import { type AddressKey, addressKey, CONNECTION_ID_LENGTH, connectionKey } from "./routes";
import { sealSession } from "./sealed-session";
import type { Session } from "./session";
import type { SessionRepository } from "./session-repository";
import type { Sessions } from "./sessions";
import type { DtlsSettings } from "./settings";

export type AcceptanceOptions = {
  readonly sessions: Sessions;
  readonly repository: SessionRepository;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly logins: PskLogins;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly log: Log;
  readonly trace: TraceSink;
  readonly counters: () => DtlsCounters;
  readonly settings: DtlsSettings;
  readonly connectionSettings: ConnectionSettings;
  send(datagram: Uint8Array, address: string, port: number): void;
  opened(session: Session, resumed: boolean): void;
  deliver(session: Session, plaintext: Uint8Array): void;
};

type AcceptedHello = Extract<ScreenedHello, { type: "accept" }>;

const RANDOM_BYTES = 32;
const SESSION_ID_BYTES = 32;
/** Of what waits for the row of a session that has just opened. */
const MAX_WAITING = 8;

/** From a hello with the right cookie to a session that is on disk. */
export function createAcceptance(options: AcceptanceOptions) {
  const { sessions, repository, transactor, logins, clock, random, trace, settings } = options;
  const count = () => options.counters();
  const throttle = tokenBuckets(clock, settings.handshakesPerSecondPerAddress, settings.handshakeBurstPerAddress);
  /** Random bytes of hellos that led to a session, by address: a late repetition begins nothing. */
  const openedHellos = boundedMemory<AddressKey, Uint8Array>(settings.maxHandshakes);
  const handshakes = createHandshakes({
    clock,
    settings,
    noReply(handshake) {
      handshake.cancelTimer = undefined;
      try {
        run(handshake, handshake.connection.noReply(settings.maxFlightAttempts));
      } catch (error) {
        options.log.error("dtls_fault", { error });
        finish(handshake, "given_up");
      }
    },
  });

  /** What became of the hello: undefined, or why it was dropped. */
  function begin(
    { hello, sequence }: AcceptedHello,
    record: DtlsRecord,
    address: string,
    port: number,
  ): Drop | undefined {
    const key = addressKey(address, port);
    const opened = openedHellos.get(key);
    if (opened && isSame(opened, hello.random)) return "late";
    const earlier = handshakes.byAddress(key);
    if (earlier && isSame(earlier.random, hello.random)) return take(earlier, record);
    if (earlier?.isStoring) return "not_stored_yet"; // the client has started anew; it will ask again
    if (sessions.isFull()) return "overloaded";
    if (!throttle.admit(address)) return "handshake_rate";
    if (earlier) finish(earlier, "restarted");
    const surplus = handshakes.surplus();
    if (surplus) finish(surplus, "given_up");
    else if (handshakes.size >= settings.maxHandshakes) return "handshake_limit";

    const known = hello.sessionId.length > 0 ? sessions.resumable(hello.sessionId) : undefined;
    const connectionId = freshConnectionId();
    const handshake: Handshake = {
      connection: new ServerConnection(options.connectionSettings, (identity) => pskFor(handshake, identity), {
        facts: {
          random: random(RANDOM_BYTES),
          newSessionId: random(SESSION_ID_BYTES),
          newConnectionId: connectionId,
          resumable: known?.session satisfies ResumableSession | undefined,
        },
        helloSequence: sequence,
        recordSequence: record.sequence,
      }),
      ...{ address, port, random: hello.random, connectionId },
      login: known && {
        identity: Buffer.from(known.session.identity).toString(),
        deviceNo: known.deviceNo,
        refusal: undefined,
        keyMark: known.keyMark,
      },
      ...{ isTraced: false, isStoring: false, isOver: false, held: [], early: [], cancelTimer: undefined },
    };
    handshakes.add(handshake);
    return take(handshake, record);
  }

  /** One that no session has, and no other handshake. */
  function freshConnectionId(): Uint8Array {
    for (;;) {
      const id = random(CONNECTION_ID_LENGTH);
      const key = connectionKey(id);
      if (sessions.routes.ofConnection(key) === undefined && !handshakes.byConnection(key)) return id;
    }
  }

  function pskFor(handshake: Handshake, identity: Uint8Array): Uint8Array {
    const { login, psk } = logins.begin(identity, handshake.address);
    handshake.login = login;
    return psk;
  }

  /** Undefined, or why the record was dropped. */
  function take(handshake: Handshake, record: DtlsRecord): Drop | undefined {
    run(handshake, handshake.connection.receive(record));
    const fate = handshake.connection.lastFate;
    return fate === "plain" || fate === "authentic" ? undefined : fate;
  }

  function run(handshake: Handshake, outputs: readonly ConnectionOutput[]): void {
    // What opens the session for the client must not be sent before the session is on disk.
    const opening = outputs.find((output) => output.type === "opened");
    if (opening) handshake.isStoring = true;
    for (const output of outputs) {
      switch (output.type) {
        case "datagram":
          if (!handshake.isStoring) options.send(output.bytes, handshake.address, handshake.port);
          else if (handshake.held.length < MAX_WAITING) handshake.held.push(output.bytes);
          break;
        case "received": // a client that resumes may speak at once
          if (handshake.early.length < MAX_WAITING) handshake.early.push(output.content.slice());
          else count().drop("not_stored_yet");
          break;
        case "startTimer":
          handshakes.startTimer(handshake, output.attempt);
          break;
        case "stopTimer":
          handshake.cancelTimer?.();
          handshake.cancelTimer = undefined;
          break;
        case "keyDoubted":
          refused(handshake);
          break;
        case "opened":
          store(handshake, output.session, output.resumed);
          break;
        case "closed":
          if (output.reason === "wrongFinished") refused(handshake);
          finish(handshake, OUTCOME_OF[output.reason]);
          break;
        default:
          output satisfies never;
      }
    }
  }

  function store(handshake: Handshake, session: DtlsSession, resumed: boolean): void {
    const { connection, address, port, login } = handshake;
    const deviceNo = login?.deviceNo;
    // With a key that nobody has, no client finishes.
    if (login === undefined || deviceNo === undefined) throw new Error("a handshake has opened for nobody");
    logins.succeeded(login, address);
    const sealed = sealSession(options.sealer, deviceNo, { session, keyMark: login.keyMark });
    const { sessionId, ownConnectionId: connectionId } = session;
    const work = () => {
      const snapshot = connection.snapshot();
      if (handshake.isOver || snapshot === undefined) return undefined; // closed meanwhile
      const displaced = sessions.displace(deviceNo, { connectionId, address, port });
      const usedMs = clock.now();
      const { nextSequence, window } = snapshot;
      const { generation } = sessions;
      const row = { deviceNo, sessionId, connectionId, address, port, sealed, generation, nextSequence, window };
      const no = repository.insert(row, usedMs);
      return { no, displaced, written: { nextSequence, window, address, port, usedMs } };
    };
    transactor.write(work).then(
      (stored) => {
        if (stored === undefined || handshake.isOver) {
          if (stored) void sessions.forgetDevice(deviceNo);
          return;
        }
        const { no, displaced, written } = stored;
        const added = sessions.add({ no, deviceNo, connection, connectionId, written }, displaced);
        openedHellos.set(addressKey(address, port), handshake.random);
        finish(handshake, resumed ? "resumed" : "opened");
        trace.record({
          ...{ deviceNo, kind: "login", outcome: "succeeded" },
          reason: resumed ? "dtls_resumed" : "dtls_opened",
          detail: session.suite.name,
        });
        for (const datagram of handshake.held.splice(0)) options.send(datagram, address, port);
        options.opened(added, resumed);
        for (const plaintext of handshake.early.splice(0)) options.deliver(added, plaintext);
      },
      (error: unknown) => {
        options.log.error("dtls_session_not_stored", { deviceNo, error });
        if (!handshake.isOver) finish(handshake, "store_failed");
      },
    );
  }

  /** The client's key is not ours, or nobody's. It hears what anybody hears; why is for the trace. */
  function refused(handshake: Handshake): void {
    const { login } = handshake;
    if (login === undefined || handshake.isTraced) return;
    handshake.isTraced = true;
    logins.failed(login, handshake.address);
    traceFailure(login, login.refusal ?? "key_wrong");
  }

  function traceFailure({ deviceNo, identity }: Login, reason: string, detail?: string): void {
    trace.record({
      ...(deviceNo === undefined ? { claimedId: identity } : { deviceNo }),
      ...{ kind: "login", outcome: "failed", reason },
      ...(detail !== undefined && { detail }),
    });
  }

  function finish(handshake: Handshake, outcome: HandshakeOutcome): void {
    handshakes.end(handshake);
    count().handshake(outcome);
    const { login } = handshake;
    const isFailure = outcome !== "opened" && outcome !== "resumed";
    // Of those that nobody knows the reason is told already, or they went away before their key was tried.
    if (isFailure && login?.deviceNo !== undefined && !handshake.isTraced && outcome !== "restarted") {
      traceFailure(login, "dtls_handshake_failed", outcome);
    }
  }

  return {
    begin,
    take,
    byAddress: handshakes.byAddress,
    byConnection: handshakes.byConnection,
    get size() {
      return handshakes.size;
    },
    /** The device has another key, or is shut out: what is under way with the old one must not open. */
    cancelDevice(deviceNo: number): void {
      for (const handshake of [...handshakes.all()]) {
        if (handshake.login?.deviceNo === deviceNo) finish(handshake, "cancelled");
      }
    },
    stop(): void {
      for (const handshake of [...handshakes.all()]) if (!handshake.isStoring) handshakes.end(handshake);
    },
  };
}

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
export type Acceptance = ReturnType<typeof createAcceptance>;
