/** A bad network on loopback, in front of one UDP port. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

export type Conditions = {
  /** Shares of the datagrams, each way, 0 to 1: that get lost, come twice, and are held back while others overtake. */
  loss: number;
  duplicate: number;
  reorder: number;
  /** Each takes a random time up to this; one that is held back up to ten times as long. */
  delayMs: number;
};
export const GOOD_CONDITIONS: Conditions = { loss: 0, duplicate: 0, reorder: 0, delayMs: 0 };

type Client = { send(datagram: Uint8Array): void; close(): void };
const HELD_BACK = 10;

/**
 * Every client has a socket of its own towards the server, so that addresses stay apart. `conditions` may be changed at
 * any time. What becomes of a datagram is drawn from `random`, in the order in which they come.
 */
export async function startUdpProxy(server: string, random: () => number, conditions: Conditions) {
  const [host = "", port = ""] = server.split(/:(?=\d+$)/);
  const clients = new Map<string, Client>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const counts = { passed: 0, lost: 0, doubled: 0, heldBack: 0 };
  let isClosed = false;
  const door = await bound();
  door.on("message", (datagram, from) => {
    const client = clientOf(from);
    carry(datagram, (bytes) => client.send(bytes));
  });

  function clientOf(from: RemoteInfo): Client {
    const key = `${from.address}:${from.port}`;
    const known = clients.get(key);
    if (known) return known;
    const upstream = createSocket("udp4");
    let isOpen = true;
    upstream.on("error", () => {}); // ICMP: the server is gone
    upstream.on("message", (answer) => carry(answer, (bytes) => door.send(bytes, from.port, from.address, () => {})));
    const client: Client = {
      send(bytes) {
        if (isOpen) upstream.send(bytes, Number(port), host, () => {});
      },
      close() {
        isOpen = false;
        upstream.close();
      },
    };
    clients.set(key, client);
    return client;
  }

  function carry(datagram: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    const { loss, duplicate, reorder, delayMs } = conditions;
    if (isClosed) return;
    if (random() < loss) {
      counts.lost++;
      return;
    }
    const copies = random() < duplicate ? 2 : 1;
    counts.passed++;
    counts.doubled += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      const isHeldBack = random() < reorder;
      if (isHeldBack) counts.heldBack++;
      const waitMs = random() * delayMs * (isHeldBack ? HELD_BACK : 1);
      if (waitMs === 0) {
        deliver(datagram);
        continue;
      }
      const timer = setTimeout(() => {
        timers.delete(timer);
        deliver(datagram);
      }, waitMs);
      timers.add(timer);
    }
  }

  return {
    /** Where clients are to send to. */
    address: `127.0.0.1:${door.address().port}`,
    port: door.address().port,
    conditions,
    counts,
    /** As a NAT does whose entries have aged: the server sees all clients at new addresses from now on. */
    rebind(): void {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      for (const client of clients.values()) client.close();
      await new Promise<void>((resolve) => door.close(() => resolve()));
    },
  };
}
export type UdpProxy = Awaited<ReturnType<typeof startUdpProxy>>;

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
}
