import { MalformedError } from "../malformed-error";
import { decodeAlert, encodeAlert } from "./alert";
import { flightDatagrams } from "./flight-datagrams";
import { decodeFragments, HANDSHAKE_TYPE } from "./handshake";
import type {
  DtlsSession,
  HandshakeEffect,
  HandshakeEvent,
  HandshakeSettings,
  HelloFacts,
  ServerHandshake,
} from "./handshake-state";
import { HandshakeReassembler } from "./reassembly";
import { CONTENT_TYPE, DTLS_1_2, type DtlsRecord, encodeRecord } from "./record";
import { createRecordProtection, type RecordProtection } from "./record-protection";
import { accepted, EMPTY_WINDOW, isReplay, type ReplayWindow } from "./replay-window";
import { isSameBytes } from "./same-bytes";
import { step } from "./server-handshake";

export type ConnectionOutput =
  | { type: "datagram"; bytes: Uint8Array }
  /** Application data; may be a view into the datagram that was received. */
  | { type: "received"; content: Uint8Array }
  | Exclude<HandshakeEffect, { type: "send" | "sendAlert" | "lookUpPsk" | "useKeys" }>;

export type ConnectionSettings = HandshakeSettings & {
  /** Handshake flights are cut to datagrams of this size. */
  readonly maxDatagramBytes: number;
};

/** All that an open connection needs to go on after a restart. */
export type ConnectionSnapshot = {
  readonly session: DtlsSession;
  /** Of the next record to be sent; after an unclean end it must be moved on far enough that none is used twice. */
  readonly nextSequence: number;
  readonly window: ReplayWindow;
};

/**
 * What a record turned out to be: `plain` is of epoch 0 and proves nothing; `foreign` has another epoch or connection id,
 * or came before the keys; `unreadable` was not sealed with them.
 */
export type RecordFate = "plain" | "foreign" | "replayed" | "unreadable" | "authentic";

/**
 * One client, from its hello with the right cookie on: records in, records out, the handshake machine in the middle.
 * No socket, no clock: the owner sends what comes out as `datagram`, and calls `noReply` when a started timer ends.
 * Hellos without the right cookie (see `screenHello`), also of a client that has lost its session, never come here.
 */
export class ServerConnection {
  #state: ServerHandshake;
  /** Of the keys in use; outlives the state that it came from by one alert. */
  #session: DtlsSession | undefined;
  #reader: RecordProtection | undefined;
  #writer: RecordProtection | undefined;
  #window: ReplayWindow = EMPTY_WINDOW;
  /** Next record number per epoch. */
  readonly #next: [plain: number, sealed: number];
  readonly #messages: HandshakeReassembler;
  #facts: HelloFacts | undefined;
  #fate: RecordFate = "plain";
  readonly #settings: ConnectionSettings;
  readonly #pskOf: (identity: Uint8Array) => Uint8Array;

  /**
   * `helloSequence` and `recordSequence` are those of the hello. `pskOf` must answer at once, since a client sends its
   * identity and all that follows in one datagram; for an unknown identity with random bytes.
   */
  constructor(
    settings: ConnectionSettings,
    pskOf: (identity: Uint8Array) => Uint8Array,
    begin: { facts: HelloFacts; helloSequence: number; recordSequence: number } | ConnectionSnapshot,
  ) {
    this.#settings = settings;
    this.#pskOf = pskOf;
    if ("session" in begin) {
      this.#state = { at: "open", session: begin.session, flight: [] };
      this.#session = begin.session;
      this.#next = [0, begin.nextSequence];
      this.#window = begin.window;
      this.#messages = new HandshakeReassembler(0);
    } else {
      this.#state = { at: "start" };
      this.#facts = begin.facts;
      this.#next = [begin.recordSequence, 0]; // RFC 6347 §4.2.1
      this.#messages = new HandshakeReassembler(begin.helloSequence);
    }
  }

  get at(): ServerHandshake["at"] {
    return this.#state.at;
  }

  /**
   * Of the newest record that was authentic, -1 before the first. A client has moved to another address only if its
   * record raised this (RFC 9146 §6).
   */
  get newestSequence(): number {
    return this.#window.top;
  }

  /** Of the record that `receive` was given last. */
  get lastFate(): RecordFate {
    return this.#fate;
  }

  /** Of the next record to be sealed: what an owner must have on disk, or have moved beyond, before it goes out. */
  get nextSequence(): number {
    return this.#next[1];
  }

  /** Undefined unless it is open. */
  snapshot(): ConnectionSnapshot | undefined {
    if (this.#state.at !== "open") return undefined;
    return { session: this.#state.session, nextSequence: this.#next[1], window: this.#window };
  }

  /**
   * Gives up what can be made again: the cipher objects, nearly all of an open connection's memory. For devices that
   * sleep; the next record makes the objects anew. The last flight stays, as its client may still ask for it.
   */
  rest(): void {
    this.#reader = undefined;
    this.#writer = undefined;
  }

  /** MalformedError: drop the record and count it; the connection goes on. */
  receive(record: DtlsRecord): ConnectionOutput[] {
    const outputs: ConnectionOutput[] = [];
    this.#fate = record.epoch === 0 ? "plain" : "foreign";
    if (record.epoch === 0) {
      if (record.type === CONTENT_TYPE.handshake) this.#takeHandshake(record.fragment, 0, outputs);
      if (record.type === CONTENT_TYPE.alert) {
        this.#step({ type: "alert", alert: decodeAlert(record.fragment), epoch: 0 }, outputs);
      }
      return outputs;
    }
    const session = this.#session;
    if (record.epoch !== 1 || session === undefined || !hasId(record, session.ownConnectionId)) return outputs;
    if (isReplay(this.#window, record.sequence)) {
      this.#fate = "replayed";
      return outputs;
    }
    this.#reader ??= protection(session, "client");
    const opened = this.#reader.open(record);
    this.#fate = opened === undefined ? "unreadable" : "authentic";
    if (opened === undefined) {
      this.#step({ type: "unreadable" }, outputs);
      return outputs;
    }
    this.#window = accepted(this.#window, record.sequence);
    const { type, content } = opened;
    if (type === CONTENT_TYPE.handshake) this.#takeHandshake(content, 1, outputs);
    if (type === CONTENT_TYPE.alert) this.#step({ type: "alert", alert: decodeAlert(content), epoch: 1 }, outputs);
    // Data that overtook Finished is lost, as datagrams may be.
    if (type === CONTENT_TYPE.applicationData && this.#state.at === "open") outputs.push({ type: "received", content });
    return outputs;
  }

  noReply(maxAttempts: number): ConnectionOutput[] {
    return this.#step({ type: "noReply", maxAttempts }, []);
  }

  close(): ConnectionOutput[] {
    return this.#step({ type: "close" }, []);
  }

  /** One datagram; undefined unless the connection is open. */
  seal(content: Uint8Array): Uint8Array | undefined {
    if (this.#state.at !== "open") return undefined;
    return this.#record(CONTENT_TYPE.applicationData, 1, content);
  }

  #takeHandshake(content: Uint8Array, epoch: number, outputs: ConnectionOutput[]): void {
    let repeated = false;
    for (const fragment of decodeFragments(content)) {
      if (this.#messages.push(fragment) === "old") repeated = true;
      for (let message = this.#messages.next(); message; message = this.#messages.next()) {
        if (this.#state.at === "start" && message.type === HANDSHAKE_TYPE.clientHello && this.#facts) {
          this.#step({ type: "hello", message, facts: this.#facts, settings: this.#settings }, outputs);
          this.#facts = undefined;
        } else {
          this.#step({ type: "message", message, epoch }, outputs);
        }
      }
    }
    if (repeated) this.#step({ type: "repeated", epoch }, outputs);
  }

  #step(event: HandshakeEvent, outputs: ConnectionOutput[]): ConnectionOutput[] {
    let result: ReturnType<typeof step>;
    try {
      result = step(this.#state, event);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return this.#step({ type: "malformed" }, outputs);
    }
    this.#state = result.next;
    for (const effect of result.effects) this.#run(effect, outputs);
    return outputs;
  }

  #run(effect: HandshakeEffect, outputs: ConnectionOutput[]): void {
    switch (effect.type) {
      case "send":
        for (const bytes of flightDatagrams(effect.flight, this.#settings.maxDatagramBytes, this.#record.bind(this))) {
          outputs.push({ type: "datagram", bytes });
        }
        break;
      case "sendAlert": {
        const bytes = this.#record(CONTENT_TYPE.alert, effect.epoch, encodeAlert(effect.alert));
        outputs.push({ type: "datagram", bytes });
        break;
      }
      case "lookUpPsk":
        this.#step({ type: "pskFound", psk: this.#pskOf(effect.identity) }, outputs);
        break;
      case "useKeys":
        this.#session = effect.session;
        break;
      default:
        outputs.push(effect);
    }
  }

  #record(type: number, epoch: 0 | 1, content: Uint8Array): Uint8Array {
    const sequence = this.#next[epoch]++;
    if (epoch === 0) return encodeRecord({ type, version: DTLS_1_2, epoch, sequence }, content);
    if (!this.#session) throw new Error("no keys for epoch 1"); // the machine says useKeys before it sends
    this.#writer ??= protection(this.#session, "server");
    return this.#writer.seal({ type, epoch, sequence, connectionId: this.#session.peerConnectionId, content });
  }
}

function protection(session: DtlsSession, sender: "client" | "server"): RecordProtection {
  return createRecordProtection(session.suite, session.keys[sender], session);
}

/** A client that was given an id uses it in every sealed record, or the record is not its own. */
function hasId({ connectionId }: DtlsRecord, own: Uint8Array | undefined): boolean {
  if (connectionId === undefined || own === undefined) return connectionId === own;
  return isSameBytes(connectionId, own);
}
