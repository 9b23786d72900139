import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../platform/clock";
import { manualClock } from "../../platform/testing/manual-clock";
import {
  DATAGRAM_DEFAULTS,
  type DatagramDrop,
  type DatagramSocket,
  type DatagramSocketOptions,
  type OpenRawSocket,
  openDatagramSocket,
} from "./datagram-socket";

const open: DatagramSocket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

/** A socket that keeps what it hears; `next` waits for one more datagram. */
async function start(hostname: string, changes: Partial<DatagramSocketOptions> = {}) {
  const heard: { text: string; address: string; port: number }[] = [];
  const drops: DatagramDrop[] = [];
  let wake = () => {};
  const socket = await openDatagramSocket({
    hostname,
    port: 0,
    settings: DATAGRAM_DEFAULTS,
    clock: systemClock,
    receive(bytes, address, port) {
      heard.push({ text: Buffer.from(bytes).toString(), address, port });
      wake();
    },
    dropped(reason) {
      drops.push(reason);
      wake();
    },
    ...changes,
  });
  open.push(socket);
  const changed = () => new Promise<void>((resolve) => (wake = resolve));
  return { socket, heard, drops, changed };
}
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

test.each([
  ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
  ["::1", "::1", "::1"],
  ["::", "127.0.0.1", "127.0.0.1"], // not the mapped form
])("a socket at %s and a client at %s hear each other", async (hostname, client, expected) => {
  const server = await start(hostname);
  const other = await start(client);
  const arrived = server.changed();
  other.socket.send(bytes("up"), client, server.socket.port);
  await arrived;
  const [from] = server.heard;
  expect(from).toEqual({ text: "up", address: expected, port: other.socket.port });
  const answered = other.changed();
  server.socket.send(bytes("down"), from?.address ?? "", from?.port ?? 0);
  await answered;
  expect(other.heard.map(({ text }) => text)).toEqual(["down"]);
});

test("clients that are gone (ICMP) end nothing, and cost nobody else a datagram", async () => {
  const server = await start("127.0.0.1");
  const gone = await start("127.0.0.1");
  const { port } = gone.socket;
  gone.socket.close();
  const client = await start("127.0.0.1");
  for (let round = 0; round < 20; round++) {
    server.socket.send(bytes("lost"), "127.0.0.1", port);
    const arrived = client.changed();
    server.socket.send(bytes(`${round}`), "127.0.0.1", client.socket.port);
    await arrived;
  }
  expect(client.heard.map(({ text }) => Number(text))).toEqual(Array.from({ length: 20 }, (_, round) => round));
});

test("what cannot be sent is counted and lost", async () => {
  const { socket, drops } = await start("127.0.0.1");
  socket.send(new Uint8Array(70_000), "127.0.0.1", 9);
  socket.send(bytes("x"), "no address", 9);
  socket.send(bytes("x"), "127.0.0.1", 0);
  expect(drops).toEqual(["not_sendable", "not_sendable", "not_sendable"]);
  socket.close();
  socket.send(bytes("late"), "127.0.0.1", 9);
  expect(drops).toHaveLength(3);
});

test("while it is paused, what comes is dropped and counted", async () => {
  const server = await start("127.0.0.1");
  const client = await start("127.0.0.1");
  for (const listens of [false, true]) {
    if (listens) server.socket.resume();
    else server.socket.pause();
    const changed = server.changed();
    client.socket.send(bytes(`${listens}`), "127.0.0.1", server.socket.port);
    await changed;
  }
  expect([server.drops, server.heard.map(({ text }) => text)]).toEqual([["not_listening"], ["true"]]);
});

test("a receiver that throws is a fault, not the end", async () => {
  const faults: unknown[] = [];
  let calls = 0;
  let wake = () => {};
  const server = await start("127.0.0.1", {
    receive() {
      calls++;
      wake();
      throw new Error("ours");
    },
    fault: (error) => faults.push(error),
  });
  const client = await start("127.0.0.1");
  for (let round = 0; round < 2; round++) {
    const called = new Promise<void>((resolve) => (wake = resolve));
    client.socket.send(bytes("x"), "127.0.0.1", server.socket.port);
    await called;
  }
  expect([calls, faults.length]).toEqual([2, 2]);
});

test("a taken port is told", async () => {
  const { socket } = await start("127.0.0.1");
  const again = openDatagramSocket({
    hostname: "127.0.0.1",
    port: socket.port,
    settings: DATAGRAM_DEFAULTS,
    clock: systemClock,
    receive() {},
  });
  await expect(again).rejects.toThrow(/EADDRINUSE/);
});

test("who sends faster than it is handled does not keep the loop from other work", async () => {
  const clock = manualClock();
  let nowMs = 0;
  const heard: number[] = [];
  const drops: DatagramDrop[] = [];
  let arrive = (_at: number) => {};
  await openDatagramSocket(
    {
      ...{ hostname: "127.0.0.1", port: 0, settings: { ...DATAGRAM_DEFAULTS, maxTurnMs: 10 } },
      clock: { monotonic: () => nowMs, after: clock.after },
      receive(datagram) {
        nowMs += 4;
        heard.push(datagram[0] as number);
      },
      dropped: (reason) => drops.push(reason),
    },
    async ({ socket }) => {
      arrive = (at) => socket.data(undefined, Uint8Array.of(at), 9, "127.0.0.1");
      return { hostname: "127.0.0.1", port: 1, close() {}, send: () => true };
    },
  );
  for (let at = 1; at <= 5; at++) arrive(at);
  expect([heard, drops]).toEqual([
    [1, 2, 3],
    ["flooded", "flooded"],
  ]);
  await clock.advance(0); // the loop has come round
  arrive(6);
  expect(heard).toEqual([1, 2, 3, 6]);
});

describe("a kernel without room", () => {
  async function full() {
    const sent: string[] = [];
    const kernel = { room: 0, drain: () => {}, throws: undefined as string | undefined };
    const openFull: OpenRawSocket = async ({ socket }) => {
      kernel.drain = socket.drain;
      return {
        hostname: "127.0.0.1",
        port: 1,
        close() {},
        send(datagram) {
          const code = kernel.throws;
          kernel.throws = undefined;
          if (code !== undefined) throw Object.assign(new Error("late"), { code });
          if (kernel.room === 0) return false;
          kernel.room--;
          sent.push(Buffer.from(datagram).toString());
          return true;
        },
      };
    };
    const drops: DatagramDrop[] = [];
    const socket = await openDatagramSocket(
      {
        ...{ hostname: "127.0.0.1", port: 0, receive() {}, dropped: (reason: DatagramDrop) => drops.push(reason) },
        settings: { ...DATAGRAM_DEFAULTS, maxQueuedDatagrams: 3, maxQueuedBytes: 8 },
        clock: systemClock,
      },
      openFull,
    );
    const send = (text: string) => socket.send(bytes(text), "127.0.0.1", 9);
    return { kernel, sent, drops, send };
  }

  test("keeps so many datagrams in order, and loses what comes on top", async () => {
    const { kernel, sent, drops, send } = await full();
    for (const text of ["a", "b", "c", "d"]) send(text);
    expect([sent, drops]).toEqual([[], ["send_queue_full"]]);
    kernel.room = 2;
    kernel.drain();
    expect(sent).toEqual(["a", "b"]);
    kernel.room = 9;
    send("e"); // behind what waits
    expect(sent).toEqual(["a", "b", "c", "e"]);
  });

  test("keeps so many bytes", async () => {
    const { kernel, sent, drops, send } = await full();
    send("12345");
    send("6789");
    send("678");
    kernel.room = 9;
    kernel.drain();
    expect([sent, drops]).toEqual([["12345", "678"], ["send_queue_full"]]);
  });

  test("the error of an earlier datagram is not this one's", async () => {
    const { kernel, sent, drops, send } = await full();
    kernel.room = 9;
    kernel.throws = "ECONNREFUSED";
    send("a");
    expect([sent, drops]).toEqual([["a"], []]);
  });
});
