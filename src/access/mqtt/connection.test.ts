import { expect, test } from "bun:test";
import { Connection, type ConnectionHost, PAUSE } from "./connection";
import { MQTT_DEFAULTS } from "./settings";
import { ACK_KIND, answerTicket, isAnswer, kindOf, packetIdOf, ticketOf } from "./ticket";

/** A socket that takes as many bytes as it is allowed to. */
function setUp(settings = {}) {
  const events: string[] = [];
  const written: number[] = [];
  const socket = {
    room: Number.POSITIVE_INFINITY,
    write(bytes: Uint8Array, offset = 0, length = bytes.length - offset) {
      const taken = Math.min(length, this.room);
      this.room -= taken;
      written.push(...bytes.subarray(offset, offset + taken));
      if (taken > 0) events.push(`write ${taken}`);
      return taken;
    },
    end: () => void events.push("end"),
    terminate: () => void events.push("terminate"),
    pause: () => void events.push("pause"),
    resume: () => void events.push("resume"),
    setKeepAlive: () => true,
    localAddress: "127.0.0.1",
    remoteAddress: "",
  };
  const host: ConnectionHost = {
    settings: { ...MQTT_DEFAULTS, ...settings },
    ackBuffers: [],
    countOutput() {},
    countAcks() {},
    readable: () => void events.push("readable"),
    abandoned: (_connection, ticket) => void events.push(`abandoned ${ticket}`),
    settled() {},
    outputMoved: (_connection, waiting) => void events.push(`waiting ${waiting}`),
    slowReader: (connection) => {
      events.push("slow");
      connection.state = "closed";
    },
  };
  const connection = new Connection(socket, "mqtt", host);
  connection.state = "open";
  return { connection, socket, events, written, host };
}
const puback = (id: number) => ticketOf(ACK_KIND.puback, id);

test("a ticket carries its kind and identifier, and fits 30 bits", () => {
  for (const kind of Object.values(ACK_KIND)) {
    for (const id of [1, 0x1234, 0xffff]) {
      for (const ticket of [
        ticketOf(kind, id),
        answerTicket(ticketOf(kind, id), 0),
        answerTicket(ticketOf(kind, id), 123_456_789),
      ]) {
        expect([kindOf(ticket), packetIdOf(ticket)]).toEqual([kind, id]);
        expect(ticket).toBeLessThan(2 ** 30);
      }
      expect([isAnswer(ticketOf(kind, id)), isAnswer(answerTicket(ticketOf(kind, id), 4_095))]).toEqual([false, true]);
    }
  }
});

test("acknowledgements of one commit are one write, and their buffer is used again", () => {
  const { connection, events, written, host } = setUp();
  for (let id = 1; id <= 3; id++) connection.submitted(10);
  connection.acknowledge(puback(1));
  connection.acknowledge(ticketOf(ACK_KIND.none, 0));
  connection.acknowledge(ticketOf(ACK_KIND.pubrec, 0x0102));
  expect(events).toEqual([]);
  connection.flush();
  expect(events).toEqual(["write 8"]);
  expect(written).toEqual([0x40, 2, 0, 1, 0x50, 2, 1, 2]);
  expect(host.ackBuffers.length).toBe(1);
});

test("more acknowledgements than a buffer holds are several writes in order", () => {
  const { connection, written } = setUp();
  const ids = Array.from({ length: 5_000 }, (_, index) => index + 1);
  for (const _ of ids) connection.submitted(0);
  for (const id of ids) connection.acknowledge(puback(id));
  connection.flush();
  expect(written).toEqual(ids.flatMap((id) => [0x40, 2, id >> 8, id & 0xff]));
});

test("other packets go behind acknowledgements that were there before", () => {
  const { connection, written } = setUp();
  connection.submitted(1);
  connection.acknowledge(puback(1));
  connection.send(Uint8Array.of(0xd0, 0));
  expect(written).toEqual([0x40, 2, 0, 1, 0xd0, 0]);
});

test("what a full socket does not take waits in order, and is asked about", () => {
  const { connection, socket, events, written } = setUp();
  socket.room = 3;
  connection.send(Uint8Array.of(1, 2, 3, 4, 5));
  connection.send(Uint8Array.of(6, 7));
  expect(written).toEqual([1, 2, 3]);
  expect(events).toEqual(["write 3", "waiting 2", "pause"]);
  socket.room = 1;
  connection.drained();
  expect(written).toEqual([1, 2, 3, 4]);
  socket.room = 100;
  connection.drained();
  expect(written).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(events.at(-1)).toBe("waiting 0");
  expect(events).toContain("resume"); // little enough waits
});

test("too much waiting output is a slow reader", () => {
  const { connection, socket, events } = setUp({ maxOutboundBytes: 10 });
  socket.room = 0;
  connection.send(new Uint8Array(10));
  expect(events).not.toContain("slow");
  connection.send(new Uint8Array(1));
  expect(events.at(-1)).toBe("slow");
});

test("reading pauses at the window and goes on at half of it", () => {
  const { connection, events } = setUp({ maxUncommittedMessages: 4 });
  for (let id = 1; id <= 4; id++) connection.submitted(1);
  expect(events).toEqual(["pause"]);
  connection.acknowledge(puback(1));
  connection.flush();
  expect(connection.pauses).toBe(PAUSE.uncommitted);
  connection.acknowledge(puback(2));
  connection.flush();
  expect(connection.pauses).toBe(0);
});

test("bytes count until the messages of their generation are on disk", () => {
  const { connection } = setUp({ maxUncommittedBytes: 100 });
  connection.submitted(40);
  connection.submitted(40);
  connection.acknowledge(puback(1)); // begins a generation; its bytes count on
  connection.submitted(19);
  expect(connection.pauses).toBe(0);
  connection.submitted(1);
  expect(connection.pauses).toBe(PAUSE.uncommitted);
  connection.acknowledge(puback(2)); // the first generation is done
  connection.flush();
  expect(connection.pauses).toBe(0);
  expect(connection.uncommitted).toBe(2);
});

test("a reason to pause that is gone does not end another", () => {
  const { connection, events } = setUp();
  connection.pause(PAUSE.congested);
  connection.pause(PAUSE.connecting);
  connection.resume(PAUSE.congested);
  connection.resume(PAUSE.congested);
  expect(events).toEqual(["pause"]);
  connection.resume(PAUSE.connecting);
  expect(events).toEqual(["pause", "readable", "resume"]);
});

test("nothing is written to a closed connection, and its messages are still counted down", () => {
  const { connection, written } = setUp();
  connection.submitted(1);
  connection.state = "closed";
  connection.acknowledge(puback(1));
  connection.flush();
  expect(written).toEqual([]);
  expect(connection.uncommitted).toBe(0);
});
