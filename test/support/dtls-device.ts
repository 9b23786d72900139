import { createSocket } from "node:dgram";
import { CIPHER_SUITES, type CipherSuite, ClientConnection, type ClientOutput } from "../../src/wire/dtls";
import { MalformedError } from "../../src/wire/malformed-error";

export type DtlsOptions = {
  readonly address: string;
  readonly identity: string;
  readonly psk: string;
  readonly suites?: readonly CipherSuite[];
  /** What really goes out instead of a datagram. */
  readonly tamper?: (datagram: Uint8Array) => Uint8Array[];
};

/** The client side of DTLS on a socket of its own, once and without repetitions: loopback loses nothing. */
export async function dtlsDevice({
  address,
  identity,
  psk,
  suites = CIPHER_SUITES,
  tamper = (it) => [it],
}: DtlsOptions) {
  const [host = "", port = ""] = address.split(/:(?=\d+$)/);
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const connection = new ClientConnection({
    ...{ random: crypto.getRandomValues(new Uint8Array(32)), identity: Buffer.from(identity) },
    ...{ psk: Uint8Array.fromHex(psk), suites, extensions: true, extendedMasterSecret: true, encryptThenMac: true },
    ...{ connectionId: undefined, resume: undefined },
  });
  const received: Uint8Array[] = [];
  let wake: (() => void)[] = [];
  let isOpen = true;
  const send = (datagram: Uint8Array): void => {
    if (isOpen) for (const bytes of tamper(datagram)) socket.send(bytes, Number(port), host, () => {});
  };

  function run(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      if (output.type === "datagram") send(output.bytes);
      if (output.type === "received") received.push(output.content.slice());
    }
    for (const resume of wake.splice(0)) resume();
  }
  socket.on("message", (datagram) => {
    try {
      run(connection.receive(Uint8Array.from(datagram)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error; // an answer to what was tampered with
    }
  });
  run(connection.start());

  return {
    connection,
    /** Contents of records, in the order in which they came. */
    received,
    /** Whatever it is, in one record. */
    say(content: Uint8Array): void {
      const record = connection.seal(content);
      if (record) send(record);
    },
    /** Resolves when it is true, asked after each datagram. */
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) {
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
      }
    },
    [Symbol.dispose]() {
      isOpen = false;
      socket.close();
    },
  };
}
export type DtlsDevice = Awaited<ReturnType<typeof dtlsDevice>>;
