import type { Socket } from "bun";
import { decodePacket, encodePacket, FrameReader, type Packet } from "../../wire/mqtt";

type State = { frames: FrameReader };
type Of<T extends Packet["type"]> = Extract<Packet, { type: T }>;

/** Accepts everybody, acknowledges everything unless told otherwise, and remembers what came. Listens on a free port. */
export function startStubBroker() {
  const received: Packet[] = [];
  const sockets = new Set<Socket<State>>();
  let waiting: { type: Packet["type"]; count: number; resolve: () => void }[] = [];
  let acknowledges = true;
  let connackCode: 0 | 5 = 0;

  const listener = Bun.listen<State>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { frames: new FrameReader(1 << 20) };
        sockets.add(socket);
      },
      data(socket, chunk) {
        const { frames } = socket.data;
        frames.push(chunk);
        while (frames.next()) handle(socket, decodePacket(frames.firstByte, frames.body()));
      },
      close(socket) {
        sockets.delete(socket);
      },
    },
  });

  function handle(socket: Socket<State>, packet: Packet): void {
    const send = (answer: Packet) => socket.write(encodePacket(answer));
    received.push(packet);
    if (packet.type === "connect") send({ type: "connack", sessionPresent: false, returnCode: connackCode });
    if (packet.type === "subscribe") send({ type: "suback", packetId: packet.packetId, returnCodes: [1] });
    if (packet.type === "pingreq") send({ type: "pingresp" });
    if (packet.type === "publish" && acknowledges && packet.qos > 0)
      send({ type: packet.qos === 1 ? "puback" : "pubrec", packetId: packet.packetId });
    if (packet.type === "pubrel") send({ type: "pubcomp", packetId: packet.packetId });
    waiting = waiting.filter(({ type, count, resolve }) => {
      if (of(type).length < count) return true;
      resolve();
      return false;
    });
  }
  const of = <T extends Packet["type"]>(type: T): Of<T>[] =>
    received.filter((packet): packet is Of<T> => packet.type === type);

  return {
    address: { host: "127.0.0.1", port: listener.port },
    of,
    /** Resolves when that many packets of the kind have come in all. */
    came: (type: Packet["type"], count: number): Promise<void> =>
      new Promise((resolve) => {
        if (of(type).length >= count) resolve();
        else waiting.push({ type, count, resolve });
      }),
    send(packet: Packet): void {
      for (const socket of sockets) socket.write(encodePacket(packet));
    },
    refuseFromNowOn(): void {
      connackCode = 5;
    },
    stopAcknowledging(): void {
      acknowledges = false;
    },
    dropAll(): void {
      for (const socket of sockets) socket.terminate();
    },
    stop: () => listener.stop(true),
  };
}
