import type { Clock } from "../platform/clock";
import type { Network } from "./network";

export type BadNetworkSettings = {
  /** Share of the datagrams that get lost, each way; 0 to 1. */
  readonly loss: number;
  /** Share that comes twice. */
  readonly duplicate: number;
  /** Each takes a random time up to this, so that later ones overtake. */
  readonly delayMs: number;
};

/** Loses, doubles and reorders what goes out and what comes in. */
export function badNetwork(
  network: Network,
  { loss, duplicate, delayMs }: BadNetworkSettings,
  clock: Clock,
  random: () => number,
): Network {
  if (loss === 0 && duplicate === 0 && delayMs === 0) return network;
  const carry = (datagram: Uint8Array, deliver: (datagram: Uint8Array) => void): void => {
    if (random() < loss) return;
    const copies = random() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // DTLS decrypts in place: every copy is one of its own.
      const bytes = datagram.slice();
      if (delayMs === 0) deliver(bytes);
      else clock.after(random() * delayMs, () => deliver(bytes));
    }
  };
  return {
    async open(local, receive) {
      let isOpen = true;
      const socket = await network.open(local, (datagram) =>
        carry(datagram, (late) => {
          if (isOpen) receive(late);
        }),
      );
      return {
        port: socket.port,
        send: (datagram) =>
          carry(datagram, (late) => {
            if (isOpen) socket.send(late);
          }),
        close() {
          isOpen = false;
          socket.close();
        },
      };
    },
  };
}
