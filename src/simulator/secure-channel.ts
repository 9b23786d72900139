import type { Clock } from "../platform/clock";
import { type CipherSuite, ClientConnection, type ClientOutput, type ResumableSession } from "../wire/dtls";
import { MalformedError } from "../wire/malformed-error";

/** What a device sends its datagrams through. */
export type Channel = {
  /** False: it cannot be used now; the next call tries again. Never rejects. */
  ready(): Promise<boolean>;
  /** Is lost unless the channel is ready. */
  send(datagram: Uint8Array): void;
  receive(datagram: Uint8Array): void;
  /** The other side may have lost us, or cannot know our new address: begin anew with the next `ready`. */
  renew(): void;
  /** As `renew`, and nothing of the old session is kept, as after a restart of the device. */
  forget(): void;
  /** Gives up what can be made again. */
  rest(): void;
  close(): void;
  /** The other side finds us wherever we are. */
  readonly survivesMove: boolean;
};

export type ChannelEnds = {
  readonly send: (datagram: Uint8Array) => void;
  readonly deliver: (datagram: Uint8Array) => void;
};

export const plainChannel = ({ send, deliver }: ChannelEnds): Channel => ({
  ready: () => Promise.resolve(true),
  send,
  receive: deliver,
  renew() {},
  forget() {},
  rest() {},
  close() {},
  survivesMove: false,
});

export type SecureSettings = {
  readonly suites: readonly CipherSuite[];
  /** Offer a connection id, and take one. */
  readonly connectionId: boolean;
  /** A hello without extensions, as old modules send it: no connection id, no extended master secret. */
  readonly oldHello: boolean;
  readonly maxDatagramBytes: number;
  /** Wait for the first repetition of a flight; doubles each time (RFC 6347 §4.2.4.1). */
  readonly firstTimeoutMs: number;
  readonly maxAttempts: number;
};
export const SECURE_SETTINGS: Omit<SecureSettings, "suites"> = {
  connectionId: false,
  oldHello: false,
  maxDatagramBytes: 1_200,
  firstTimeoutMs: 1_000,
  maxAttempts: 6,
};

type Parts = ChannelEnds & {
  readonly identity: Uint8Array;
  readonly psk: Uint8Array;
  readonly settings: SecureSettings;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly on: {
    handshake(outcome: "full" | "resumed" | "failed"): void;
  };
};

const NO_ID_WANTED = new Uint8Array(0);

/** DTLS with a pre-shared key. A session that was open once is offered for resumption. */
export function secureChannel({ send, deliver, identity, psk, settings, clock, randomBytes, on }: Parts): Channel {
  let connection: ClientConnection | undefined;
  let resumable: ResumableSession | undefined;
  let shaking: PromiseWithResolvers<boolean> | undefined;
  let cancelTimer = () => {};

  function run(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      switch (output.type) {
        case "datagram":
          send(output.bytes);
          break;
        case "received":
          deliver(output.content);
          break;
        case "startTimer":
          cancelTimer();
          cancelTimer = clock.after(settings.firstTimeoutMs * 2 ** (output.attempt - 1), () =>
            run(connection?.noReply(settings.maxAttempts) ?? []),
          );
          break;
        case "stopTimer":
          cancelTimer();
          break;
        case "opened":
          resumable = output.session;
          on.handshake(output.resumed ? "resumed" : "full");
          settle(true);
          break;
        case "closed":
          connection = undefined;
          // RFC 5246 §7.2.2: a session that ended in a fatal alert is not resumed.
          if (output.reason !== "closedByPeer" && output.reason !== "closedByUs") resumable = undefined;
          if (shaking) on.handshake("failed");
          settle(false);
          break;
        default:
          output satisfies never;
      }
    }
  }

  function settle(isReady: boolean): void {
    shaking?.resolve(isReady);
    shaking = undefined;
  }

  function renew(): void {
    cancelTimer();
    connection = undefined;
    settle(false);
  }

  return {
    ready() {
      if (connection?.at === "open") return Promise.resolve(true);
      if (shaking) return shaking.promise;
      shaking = Promise.withResolvers<boolean>();
      const { promise } = shaking;
      connection = new ClientConnection(
        {
          random: randomBytes(32),
          identity,
          psk,
          suites: settings.suites,
          extensions: !settings.oldHello,
          extendedMasterSecret: true,
          encryptThenMac: true,
          connectionId: settings.connectionId ? NO_ID_WANTED : undefined,
          resume: resumable,
        },
        settings,
      );
      run(connection.start());
      return promise;
    },
    send(datagram) {
      const record = connection?.seal(datagram);
      if (record) send(record);
    },
    receive(datagram) {
      if (!connection) return;
      try {
        run(connection.receive(datagram));
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error; // what is not for us is dropped
      }
    },
    renew,
    forget() {
      renew();
      resumable = undefined;
    },
    rest: () => connection?.rest(),
    close() {
      if (connection) run(connection.close());
      renew();
    },
    get survivesMove() {
      return connection?.session?.peerConnectionId !== undefined;
    },
  };
}
