import { systemClock } from "../../src/platform/clock";
import { startLwm2mDevice } from "../../src/simulator/lwm2m-device";
import type { Network } from "../../src/simulator/network";
import { SECURE_SETTINGS } from "../../src/simulator/secure-channel";
import { udpNetwork } from "../../src/simulator/udp-network";
import { DEFAULT_TRANSMISSION } from "../../src/wire/coap";
import { type CipherSuite, decodeDatagram, PSK_AES_128_CCM_8 } from "../../src/wire/dtls";
import type { Registered } from "./nb-iot";

type Options = {
  readonly device: Registered;
  readonly random: () => number;
  readonly suite?: CipherSuite;
  readonly connectionId?: boolean;
  /** Each command as it is executed, before its acknowledgement leaves. */
  readonly execute?: (payload: Uint8Array, times: number) => void;
  /** What it answers to a command; undefined: nothing. */
  readonly answer?: (payload: Uint8Array) => Uint8Array | undefined;
  /** An answer is done with. */
  readonly answered?: (accepted: boolean) => void;
  readonly maxRetransmit?: number;
  readonly ackTimeoutMs?: number;
  /** First repetition of a flight of the handshake; five more follow. */
  readonly firstTimeoutMs?: number;
  /** How long it waits to be observed before it registers again. */
  readonly observeWaitMs?: number;
  /** Each datagram that came, before it is looked at. */
  readonly heard?: (count: number) => void;
};

/** A simulated LwM2M device over DTLS; every datagram either way is kept. It says that it sleeps, and does not; it repeats itself for long. */
export function secureDevice(address: string, options: Options) {
  const { device, random, suite = PSK_AES_128_CCM_8, connectionId = false } = options;
  const [host = "", port = ""] = address.split(/:(?=\d+$)/);
  const sent: Uint8Array[] = [];
  const received: Uint8Array[] = [];
  const handshakes: string[] = [];
  let raw: (bytes: Uint8Array) => void = () => {};
  const udp = udpNetwork({ host, port: Number(port) });
  const network: Network = {
    async open(local, receive) {
      const socket = await udp.open(local, (datagram) => {
        received.push(datagram.slice()); // DTLS decrypts in place
        options.heard?.(received.length);
        receive(datagram);
      });
      raw = socket.send;
      return {
        port: socket.port,
        close: socket.close,
        send(datagram) {
          sent.push(datagram.slice());
          socket.send(datagram);
        },
      };
    },
  };
  const simulated = startLwm2mDevice({
    ...{ nodeId: device.nodeId, psk: Uint8Array.fromHex(device.psk), network, clock: systemClock, random },
    settings: {
      ...{ style: "lwm2m", queueMode: true, awakeMs: 60_000, lifetimeSeconds: 86_400, confirmable: true },
      ...{ observeWaitMs: options.observeWaitMs ?? 10_000, rebootMs: 100, logBytes: 3_000 },
      transmission: {
        ...DEFAULT_TRANSMISSION,
        ackTimeoutMs: options.ackTimeoutMs ?? 300,
        maxRetransmit: options.maxRetransmit ?? 7,
      },
      secure: {
        ...SECURE_SETTINGS,
        ...{ suites: [suite], connectionId },
        firstTimeoutMs: options.firstTimeoutMs ?? SECURE_SETTINGS.firstTimeoutMs,
      },
      answers: options.answer ? [options.answer] : [],
    },
    on: {
      registered() {},
      registrationFailed() {},
      updated() {},
      handshake: (outcome) => void handshakes.push(outcome),
      command: (payload, times) => options.execute?.(payload, times),
      answered: (accepted) => options.answered?.(accepted),
      duplicate() {},
      rebooted() {},
      slept() {},
      moved() {},
    },
  });
  return {
    register: simulated.register,
    report: simulated.report,
    ...{ sent, received, handshakes },
    /** These very bytes, from its own address, as whoever has recorded them would. */
    replay: (bytes: Uint8Array) => raw(bytes.slice()),
    /** Record numbers of the sealed records that came from the server, in their order. */
    numbers: () => received.flatMap((datagram) => sealedNumbers(datagram)),
    [Symbol.asyncDispose]: () => simulated.stop("quietly"),
  };
}
export type SecureDevice = ReturnType<typeof secureDevice>;

const sealedNumbers = (datagram: Uint8Array): number[] =>
  decodeDatagram(datagram)
    .filter(({ epoch }) => epoch > 0)
    .map(({ sequence }) => sequence);
