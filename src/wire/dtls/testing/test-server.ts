import { HANDSHAKE_SETTINGS, type ResumableSession } from "../handshake-state";
import { screenHello } from "../hello-screen";
import type { DtlsRecord } from "../record";
import { decodeDatagram } from "../record";
import { type ConnectionOutput, ServerConnection } from "../server-connection";

const COOKIE_SECRET = new Uint8Array(32).fill(9);

export type TestServerOptions = {
  address: string;
  pskOf: (identity: Uint8Array) => Uint8Array;
  /** Given out to clients that want one; records with ids of this length are read. */
  connectionId: Uint8Array;
  /** The sessions that may be resumed, by their id in hex; full ones are added. */
  sessions: Map<string, ResumableSession>;
  maxDatagramBytes: number;
  random: () => Uint8Array; // 32 bytes
};

/** The stateless part and the connection of one address, as an endpoint would join them. */
export class TestServer {
  connection: ServerConnection | undefined;
  readonly outputs: ConnectionOutput[] = [];
  readonly options: TestServerOptions;
  #helloRandom = "";

  constructor(options: TestServerOptions) {
    this.options = options;
  }

  /** Answers of the handshake; application data goes to `take`. */
  receive(datagram: Uint8Array, take: (content: Uint8Array) => void = () => {}): Uint8Array[] {
    return decodeDatagram(datagram, this.options.connectionId.length).flatMap((record) => {
      const answer = this.#screen(record);
      if (answer) return [answer];
      return this.keep(this.connection?.receive(record) ?? [], take);
    });
  }

  keep(outputs: ConnectionOutput[], take: (content: Uint8Array) => void = () => {}): Uint8Array[] {
    return outputs.flatMap((output) => {
      if (output.type === "received") take(output.content);
      else if (output.type !== "datagram") this.outputs.push(output);
      if (output.type === "opened") {
        const { session } = output;
        if (session.sessionId.length > 0) this.options.sessions.set(session.sessionId.toHex(), session);
      }
      return output.type === "datagram" ? [output.bytes] : [];
    });
  }

  #screen(record: DtlsRecord): Uint8Array | undefined {
    const { address, sessions, connectionId, pskOf, maxDatagramBytes, random } = this.options;
    const screened = screenHello(record, address, [COOKIE_SECRET]);
    if (screened?.type === "answer") return screened.datagram;
    if (screened?.type !== "accept") return undefined;
    const helloRandom = screened.hello.random.toHex();
    if (helloRandom === this.#helloRandom) return undefined;
    this.#helloRandom = helloRandom;
    this.connection = new ServerConnection({ ...HANDSHAKE_SETTINGS, maxDatagramBytes }, pskOf, {
      facts: {
        random: random(),
        newSessionId: random(),
        newConnectionId: connectionId.length > 0 ? connectionId : undefined,
        resumable: sessions.get(screened.hello.sessionId.toHex()),
      },
      helloSequence: screened.sequence,
      recordSequence: record.sequence,
    });
    return undefined;
  }
}
