import { renderListenAddress } from "../../platform/listen-address";
import { boundedMemory } from "./bounded-memory";
import type { DatagramSocket } from "./datagram-socket";
import type { Peer } from "./peer";

export type PlainPeers = {
  /** The same object for as long as the address is among those that were used last. */
  of(address: string, port: number): Peer;
  readonly size: number;
};

/** Clients of a port without DTLS: nobody has proved anything, so anybody can make up any number of them. */
export function plainPeers(socket: Pick<DatagramSocket, "send">, maxPeers: number): PlainPeers {
  const peers = boundedMemory<string, Peer>(Math.ceil(maxPeers / 2));
  return {
    of(address, port) {
      const key = renderListenAddress({ hostname: address, port });
      const known = peers.get(key);
      if (known) return known;
      const peer: Peer = {
        key,
        deviceNo: undefined,
        address,
        port,
        send: (datagram) => socket.send(datagram, address, port),
      };
      peers.set(key, peer);
      return peer;
    },
    get size() {
      return peers.size;
    },
  };
}
