import { type Alert, CHANGE_CIPHER_SPEC, decodeAlert, encodeAlert } from "../alert";
import { type CipherSuite, cipherSuiteById } from "../cipher-suite";
import { decodeFragments, encodeFragments, HANDSHAKE_TYPE, type HandshakeMessage } from "../handshake";
import type { ResumableSession } from "../handshake-state";
import { readHelloExtensions, writeHelloExtensions } from "../hello-extensions";
import * as messages from "../messages";
import * as prf from "../prf";
import { HandshakeReassembler } from "../reassembly";
import { CONTENT_TYPE, DTLS_1_2, decodeDatagram, encodeRecord } from "../record";
import { createRecordProtection, type RecordProtection } from "../record-protection";
import { type Transcript, transcriptHash, withMessage } from "../transcript";

export type TestClientOptions = {
  psk: Uint8Array;
  identity: Uint8Array;
  random: Uint8Array;
  suites: readonly number[];
  /** False: no extensions block at all. */
  extensions: boolean;
  extendedMasterSecret: boolean;
  encryptThenMac: boolean;
  connectionId: Uint8Array | undefined;
  resume: ResumableSession | undefined;
  maxPartBytes: number;
};

/** A client of the same codec: simple, insistent, and ignorant of what the server should do next. */
export class TestClient {
  opened = false;
  readonly received: string[] = [];
  readonly alerts: number[] = [];
  suite: CipherSuite | undefined;
  resumed = false;
  /** That the server gave out. */
  peerConnectionId: Uint8Array | undefined;
  readonly #options: TestClientOptions;
  readonly #reassembler = new HandshakeReassembler(0);
  #transcript: Transcript = [];
  #flight: (HandshakeMessage | "changeCipherSpec")[] = [];
  #nextMessage = 0;
  #next: [number, number] = [0, 0];
  #master: Uint8Array = new Uint8Array(0);
  #server: messages.ServerHello | undefined;
  #reader: RecordProtection | undefined;
  #writer: RecordProtection | undefined;

  constructor(options: TestClientOptions) {
    this.#options = options;
  }

  start(cookie: Uint8Array = new Uint8Array(0)): Uint8Array[] {
    const { random, suites, extensions, resume, extendedMasterSecret, encryptThenMac, connectionId } = this.#options;
    const offered = { extendedMasterSecret, encryptThenMac, connectionId, secureRenegotiation: false };
    const body = messages.encodeClientHello({
      version: DTLS_1_2,
      random,
      sessionId: resume?.sessionId ?? new Uint8Array(0),
      cookie,
      cipherSuites: suites,
      compressionMethods: Uint8Array.of(0),
      extensions: extensions ? writeHelloExtensions(offered) : undefined,
    });
    this.#flight = [this.#message(HANDSHAKE_TYPE.clientHello, body)];
    return this.repeat();
  }

  /** Of the connection id that the server puts into its records. */
  get ownIdLength(): number {
    return this.#options.connectionId?.length ?? 0;
  }

  /** To be resumed by another client. */
  get session(): ResumableSession {
    if (this.#server === undefined || this.suite === undefined) throw new Error("nothing was agreed upon");
    const { sessionId, extensions } = this.#server;
    return {
      sessionId,
      suite: this.suite,
      masterSecret: this.#master,
      extendedMasterSecret: readHelloExtensions(extensions).extendedMasterSecret,
      identity: this.#options.identity,
    };
  }

  /** The last flight with new record numbers. */
  repeat(): Uint8Array[] {
    let epoch: 0 | 1 = 0;
    return this.#flight.flatMap((item) => {
      if (item !== "changeCipherSpec") {
        return encodeFragments(item, this.#options.maxPartBytes).map((part) =>
          this.#record(CONTENT_TYPE.handshake, epoch, part),
        );
      }
      const record = this.#record(CONTENT_TYPE.changeCipherSpec, 0, CHANGE_CIPHER_SPEC);
      epoch = 1;
      return [record];
    });
  }

  seal(content: Uint8Array): Uint8Array {
    return this.#record(CONTENT_TYPE.applicationData, 1, content);
  }

  sealAlert(alert: Alert): Uint8Array {
    return this.#record(CONTENT_TYPE.alert, 1, encodeAlert(alert));
  }

  receive(datagram: Uint8Array): Uint8Array[] {
    const answers: Uint8Array[] = [];
    const { connectionId } = this.#options;
    for (const record of decodeDatagram(datagram, connectionId?.length ?? 0)) {
      const opened = record.epoch === 0 ? { ...record, content: record.fragment } : this.#reader?.open(record);
      if (opened === undefined) continue;
      if (opened.type === CONTENT_TYPE.alert) this.alerts.push(decodeAlert(opened.content).description);
      if (opened.type === CONTENT_TYPE.applicationData) this.received.push(Buffer.from(opened.content).toString());
      if (opened.type !== CONTENT_TYPE.handshake) continue;
      for (const fragment of decodeFragments(opened.content)) {
        const isOld = this.#reassembler.push(fragment) === "old";
        if (isOld && fragment.type === HANDSHAKE_TYPE.finished && this.resumed) answers.push(...this.repeat());
      }
      for (let message = this.#reassembler.next(); message; message = this.#reassembler.next()) {
        answers.push(...this.#take(message));
      }
    }
    return answers;
  }

  #take(message: HandshakeMessage): Uint8Array[] {
    const { type, body } = message;
    if (type === HANDSHAKE_TYPE.helloVerifyRequest) return this.start(messages.decodeHelloVerifyRequest(body).cookie);
    if (type === HANDSHAKE_TYPE.finished) return this.#takeFinished(message);
    this.#transcript = withMessage(this.#transcript, message);
    if (type === HANDSHAKE_TYPE.serverHello) this.#takeServerHello(messages.decodeServerHello(body));
    if (type !== HANDSHAKE_TYPE.serverHelloDone) return [];
    const { identity, psk } = this.#options;
    this.#flight = [this.#message(HANDSHAKE_TYPE.clientKeyExchange, messages.encodeClientKeyExchange({ identity }))];
    const premaster = prf.pskPremasterSecret(psk);
    this.#master = readHelloExtensions(this.#server?.extensions).extendedMasterSecret
      ? prf.extendedMasterSecret(premaster, transcriptHash(this.#transcript))
      : prf.masterSecret(premaster, this.#randoms());
    this.#useKeys();
    return this.#finish();
  }

  #takeServerHello(server: messages.ServerHello): void {
    const { resume } = this.#options;
    this.#server = server;
    this.suite = cipherSuiteById(server.cipherSuite);
    const { connectionId } = readHelloExtensions(server.extensions);
    this.peerConnectionId = connectionId?.length ? connectionId : undefined;
    if (resume === undefined || server.sessionId.toHex() !== resume.sessionId.toHex()) return;
    this.resumed = true;
    this.#master = resume.masterSecret;
    this.#useKeys();
  }

  #takeFinished(message: HandshakeMessage): Uint8Array[] {
    const expected = prf.verifyData(this.#master, "server", transcriptHash(this.#transcript));
    if (messages.decodeFinished(message.body).verifyData.toHex() !== expected.toHex())
      throw new Error("wrong Finished");
    this.#transcript = withMessage(this.#transcript, message);
    this.opened = true;
    this.#flight = [];
    return this.resumed ? this.#finish() : [];
  }

  #finish(): Uint8Array[] {
    const body = prf.verifyData(this.#master, "client", transcriptHash(this.#transcript));
    this.#flight = [...this.#flight, "changeCipherSpec", this.#message(HANDSHAKE_TYPE.finished, body)];
    return this.repeat();
  }

  #message(type: number, body: Uint8Array): HandshakeMessage {
    const message = { type, sequence: this.#nextMessage++, body };
    this.#transcript = withMessage(this.#transcript, message);
    return message;
  }

  #useKeys(): void {
    if (this.suite === undefined) throw new Error("no suite");
    const keys = prf.sessionKeys(this.suite, this.#master, this.#randoms());
    const { encryptThenMac } = readHelloExtensions(this.#server?.extensions);
    this.#reader = createRecordProtection(this.suite, keys.server, { encryptThenMac });
    this.#writer = createRecordProtection(this.suite, keys.client, { encryptThenMac });
  }

  #randoms(): prf.HelloRandoms {
    return { client: this.#options.random, server: this.#server?.random ?? new Uint8Array(0) };
  }

  #record(type: number, epoch: 0 | 1, content: Uint8Array): Uint8Array {
    const sequence = this.#next[epoch]++;
    if (epoch === 0) return encodeRecord({ type, version: DTLS_1_2, epoch, sequence }, content);
    if (this.#writer === undefined) throw new Error("no keys");
    return this.#writer.seal({ type, epoch, sequence, connectionId: this.peerConnectionId, content });
  }
}
