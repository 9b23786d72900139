import { MalformedError } from "../malformed-error";
import { decodeAlert, encodeAlert } from "./alert";
import { stepClient } from "./client-handshake";
import type { ClientEffect, ClientEvent, ClientHandshake, ClientOffer } from "./client-state";
import { flightDatagrams } from "./flight-datagrams";
import { decodeFragments } from "./handshake";
import type { DtlsSession } from "./handshake-state";
import { HandshakeReassembler } from "./reassembly";
import { CONTENT_TYPE, DTLS_1_2, type DtlsRecord, decodeDatagram, encodeRecord } from "./record";
import { createRecordProtection, type RecordProtection } from "./record-protection";
import { accepted, EMPTY_WINDOW, isReplay, type ReplayWindow } from "./replay-window";
import { isSameBytes } from "./same-bytes";
import type { ConnectionSnapshot } from "./server-connection";

export type ClientOutput =
  | { type: "datagram"; bytes: Uint8Array }
  /** Application data; may be a view into the datagram that was received. */
  | { type: "received"; content: Uint8Array }
  | Exclude<ClientEffect, { type: "send" | "sendAlert" | "useKeys" }>;

export type ClientConnectionSettings = {
  /** Handshake flights are cut to datagrams of this size. */
  readonly maxDatagramBytes: number;
};
export const CLIENT_CONNECTION_SETTINGS: ClientConnectionSettings = { maxDatagramBytes: 1_200 };

/**
 * One server as a client sees it: datagrams in, datagrams out, the handshake machine in the middle. No socket, no clock:
 * the owner sends what comes out as `datagram`, and calls `noReply` when a started timer ends. A new connection begins
 * with `start`; one from a snapshot is open.
 */
export class ClientConnection {
  #state: ClientHandshake;
  /** Of the keys in use; outlives the state that it came from by one alert. */
  #session: DtlsSession | undefined;
  #reader: RecordProtection | undefined;
  #writer: RecordProtection | undefined;
  #window: ReplayWindow = EMPTY_WINDOW;
  /** Next record number per epoch. */
  readonly #next: [plain: number, sealed: number] = [0, 0];
  #messages: HandshakeReassembler | undefined;
  #offered: ClientOffer | undefined;
  readonly #settings: ClientConnectionSettings;

  constructor(begin: ClientOffer | ConnectionSnapshot, settings = CLIENT_CONNECTION_SETTINGS) {
    this.#settings = settings;
    if ("session" in begin) {
      this.#state = { at: "open", session: begin.session, flight: [] };
      this.#session = begin.session;
      this.#next[1] = begin.nextSequence;
      this.#window = begin.window;
    } else {
      this.#state = { at: "start" };
      this.#offered = begin;
      this.#messages = new HandshakeReassembler(0);
    }
  }

  get at(): ClientHandshake["at"] {
    return this.#state.at;
  }

  /** Undefined before the keys are there. */
  get session(): DtlsSession | undefined {
    return this.#session;
  }

  start(): ClientOutput[] {
    const offer = this.#offered;
    return offer ? this.#step({ type: "start", offer }, []) : [];
  }

  /** Undefined unless it is open. What was sent after it was taken must not be sent again under the same numbers. */
  snapshot(): ConnectionSnapshot | undefined {
    if (this.#state.at !== "open") return undefined;
    return { session: this.#state.session, nextSequence: this.#next[1], window: this.#window };
  }

  /** Gives up the cipher objects, most of an open connection's memory; the next record makes them anew. */
  rest(): void {
    if (this.#state.at !== "open") return;
    this.#reader = undefined;
    this.#writer = undefined;
    this.#offered = undefined;
    // After a resumption the last flight may be missing over there, and nothing else can make it come again.
    if (this.#state.flight.length === 0) this.#messages = undefined;
  }

  /** MalformedError: the datagram ends there and is counted; the connection goes on. */
  receive(datagram: Uint8Array): ClientOutput[] {
    const outputs: ClientOutput[] = [];
    const ownId = this.#offered?.connectionId ?? this.#session?.ownConnectionId;
    for (const record of decodeDatagram(datagram, ownId?.length ?? 0)) this.#takeRecord(record, outputs);
    return outputs;
  }

  noReply(maxAttempts: number): ClientOutput[] {
    return this.#step({ type: "noReply", maxAttempts }, []);
  }

  close(): ClientOutput[] {
    return this.#step({ type: "close" }, []);
  }

  /** One datagram; undefined unless the connection is open. */
  seal(content: Uint8Array): Uint8Array | undefined {
    if (this.#state.at !== "open") return undefined;
    return this.#record(CONTENT_TYPE.applicationData, 1, content);
  }

  #takeRecord(record: DtlsRecord, outputs: ClientOutput[]): void {
    const { epoch, fragment, sequence } = record;
    if (epoch === 0) {
      if (record.type === CONTENT_TYPE.handshake) this.#takeHandshake(fragment, 0, outputs);
      if (record.type === CONTENT_TYPE.alert)
        this.#step({ type: "alert", alert: decodeAlert(fragment), epoch: 0 }, outputs);
      return;
    }
    const session = this.#session;
    if (epoch !== 1 || session === undefined || !hasId(record, session.ownConnectionId)) return;
    if (isReplay(this.#window, sequence)) return;
    this.#reader ??= createRecordProtection(session.suite, session.keys.server, session);
    const opened = this.#reader.open(record);
    if (opened === undefined) return;
    this.#window = accepted(this.#window, sequence);
    const { type, content } = opened;
    if (type === CONTENT_TYPE.handshake) this.#takeHandshake(content, 1, outputs);
    if (type === CONTENT_TYPE.alert) this.#step({ type: "alert", alert: decodeAlert(content), epoch: 1 }, outputs);
    // Data that overtook Finished is lost, as datagrams may be.
    if (type !== CONTENT_TYPE.applicationData || this.#state.at !== "open") return;
    if (this.#state.flight.length > 0) this.#step({ type: "proven" }, outputs);
    outputs.push({ type: "received", content });
  }

  #takeHandshake(content: Uint8Array, epoch: number, outputs: ClientOutput[]): void {
    if (!this.#messages) return; // it has rested: whatever this repeats was done long ago
    let repeated = false;
    for (const fragment of decodeFragments(content)) {
      if (this.#messages.push(fragment) === "old") repeated = true;
      for (let message = this.#messages.next(); message; message = this.#messages.next()) {
        this.#step({ type: "message", message, epoch }, outputs);
      }
    }
    if (repeated) this.#step({ type: "repeated", epoch }, outputs);
  }

  #step(event: ClientEvent, outputs: ClientOutput[]): ClientOutput[] {
    let result: ReturnType<typeof stepClient>;
    try {
      result = stepClient(this.#state, event);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return this.#step({ type: "malformed" }, outputs);
    }
    this.#state = result.next;
    for (const effect of result.effects) this.#run(effect, outputs);
    return outputs;
  }

  #run(effect: ClientEffect, outputs: ClientOutput[]): void {
    switch (effect.type) {
      case "send": {
        const { maxDatagramBytes } = this.#settings;
        for (const bytes of flightDatagrams(effect.flight, maxDatagramBytes, this.#record.bind(this))) {
          outputs.push({ type: "datagram", bytes });
        }
        break;
      }
      case "sendAlert": {
        const bytes = this.#record(CONTENT_TYPE.alert, effect.epoch, encodeAlert(effect.alert));
        outputs.push({ type: "datagram", bytes });
        break;
      }
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
    const session = this.#session;
    if (!session) throw new Error("no keys for epoch 1"); // the machine says useKeys before it sends
    this.#writer ??= createRecordProtection(session.suite, session.keys.client, session);
    return this.#writer.seal({ type, epoch, sequence, connectionId: session.peerConnectionId, content });
  }
}

/** A server that was given an id uses it in every sealed record, or the record is not meant for us. */
function hasId({ connectionId }: DtlsRecord, own: Uint8Array | undefined): boolean {
  if (connectionId === undefined || own === undefined) return connectionId === own;
  return isSameBytes(connectionId, own);
}
