/** node-coap as client, as server and as an observed device, over loopback sockets. */
import { describe, expect, test } from "bun:test";
import {
  Agent,
  createServer,
  type IncomingMessage,
  type ObserveWriteStream,
  type OutgoingMessage,
  request,
} from "coap";
import type { IncomingRequest, OutgoingResponse } from "../../src/access/coap/coap-endpoint";
import { OPTIONS } from "../../src/wire/coap";
import { type CoapSocket, openCoapSocket } from "../support/coap-socket";
import { eventually } from "../support/eventually";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const LONG = Array.from({ length: 200 }, (_, line) => `line ${line} of a long text\n`).join("");
type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What node-coap gets for a request to us. */
function ask(
  socket: CoapSocket,
  agent: Agent,
  given: {
    method: Method;
    pathname: string;
    query?: string;
    confirmable?: boolean;
    payload?: string;
    options?: object;
  },
): Promise<IncomingMessage> {
  const { payload, ...rest } = given;
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname: "127.0.0.1", port: socket.port, agent, ...rest });
    outgoing.on("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}

async function withAgent(run: (agent: Agent) => Promise<void>) {
  const agent = new Agent({ type: "udp4" });
  try {
    await run(agent);
  } finally {
    agent.close(); // it may have closed itself already, and would not call back then
  }
}

describe("node-coap as client", () => {
  test.each([true, false])("asks with all methods (confirmable: %p)", (confirmable) =>
    withAgent(async (agent) => {
      const requests: IncomingRequest[] = [];
      const answer = (given: IncomingRequest): OutgoingResponse => {
        requests.push(given);
        return given.code === 0x01
          ? { code: 0x45, contentFormat: 50, maxAgeSeconds: 5, payload: bytesOf('{"a":1}') }
          : { code: 0x44, payload: given.payload.toReversed() };
      };
      await using socket = await openCoapSocket({ request: (_peer, given) => answer(given) });
      const got = await ask(socket, agent, { method: "GET", pathname: "/a/b", query: "x=1&y=2", confirmable });
      expect([got.code, got.payload.toString(), got.headers["Content-Format"]]).toEqual([
        ...["2.05", '{"a":1}', "application/json"],
      ]);
      for (const method of ["POST", "PUT", "DELETE"] as const) {
        const done = await ask(socket, agent, { method, pathname: "/a", payload: "abc", confirmable });
        expect([done.code, done.payload.toString()]).toEqual(["2.04", "cba"]);
      }
      expect(requests[0]).toMatchObject({ path: ["a", "b"], query: ["x=1", "y=2"], confirmable });
      expect(socket.faults).toEqual([]);
    }),
  );

  test("waits for a separate response", () =>
    withAgent(async (agent) => {
      const later = () => Bun.sleep(150).then(() => ({ code: 0x45, payload: bytesOf("later") }));
      await using socket = await openCoapSocket({ request: later }, { separateAfterMs: 20 });
      expect((await ask(socket, agent, { method: "GET", pathname: "/slow" })).payload.toString()).toBe("later");
    }));

  test("fetches and sends bodies in blocks", () =>
    withAgent(async (agent) => {
      const bodies: string[] = [];
      await using socket = await openCoapSocket({
        request(_peer, { code, payload }) {
          if (code === 0x03) bodies.push(textOf(payload));
          return code === 0x01 ? { code: 0x45, payload: bytesOf(LONG) } : { code: 0x44 };
        },
      });
      const block2 = { Block2: Buffer.of(0x02) };
      expect((await ask(socket, agent, { method: "GET", pathname: "/long", options: block2 })).payload.toString()).toBe(
        LONG,
      );
      const block1 = { Block1: Buffer.of(0x04) };
      const put = { method: "PUT", pathname: "/body", payload: LONG, options: block1 } as const;
      expect((await ask(socket, agent, put)).code).toBe("2.04");
      expect([bodies, socket.faults]).toEqual([[LONG], []]);
    }));
});

describe("node-coap as device", () => {
  async function withDevice(
    listener: (incoming: IncomingMessage, outgoing: OutgoingMessage) => void,
    run: (port: number) => Promise<void>,
  ) {
    // In milliseconds: what is not written by then is answered separately.
    const server = createServer({ piggybackReplyMs: 30 }, listener as Parameters<typeof createServer>[1] & object);
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server._sock as { address(): { port: number } }).address().port));
    });
    try {
      await run(port);
    } finally {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }

  test("is read, written and sent a stored command", () => {
    const commands: string[] = [];
    return withDevice(
      (incoming, outgoing) => {
        if (incoming.method === "GET") {
          outgoing.code = "2.05";
          outgoing.end(`value of ${incoming.url}`);
        } else {
          commands.push(`${incoming.method} ${incoming.url} ${incoming.payload.toString("hex")}`);
          outgoing.code = "2.04";
          outgoing.end();
        }
      },
      async (port) => {
        await using socket = await openCoapSocket({});
        const { endpoint } = socket;
        const device = socket.peer(port);
        const read = await endpoint.request(device, { method: "get", path: ["3", "0", "1"], query: ["x=1"] });
        expect(read.kind === "response" && textOf(read.response.payload)).toBe("value of /3/0/1?x=1");
        const put = { method: "put", path: ["19", "1", "0"], contentFormat: 42, payload: Uint8Array.of(1, 5) } as const;
        const stored = endpoint.prepare(undefined, put);
        const patience = { ackTimeoutMs: 10_000, maxRetransmit: 3, giveUpAfterMs: 180_000 };
        const sent = await endpoint.transmit(device, stored, patience);
        expect(sent).toMatchObject({ kind: "response", response: { code: 0x44 } });
        // The same bytes again, as after a crash: the device knows them, and answers without doing it twice.
        expect(await endpoint.transmit(device, stored, patience)).toMatchObject({ kind: "response" });
        expect([commands, socket.faults]).toEqual([["PUT /19/1/0 0105"], []]);
      },
    );
  });

  test("answers separately", () =>
    withDevice(
      (_incoming, outgoing) => {
        setTimeout(() => outgoing.end("later"), 150);
      },
      async (port) => {
        await using socket = await openCoapSocket({});
        let acknowledged = 0;
        const options = { acknowledged: () => acknowledged++ };
        const outcome = await socket.endpoint.request(socket.peer(port), { method: "get", path: ["slow"] }, options);
        expect(outcome.kind === "response" && textOf(outcome.response.payload)).toBe("later");
        expect(acknowledged).toBe(1);
      },
    ));

  test("has long answers", () =>
    withDevice(
      (_incoming, outgoing) => outgoing.end(LONG),
      async (port) => {
        await using socket = await openCoapSocket({});
        const outcome = await socket.endpoint.request(socket.peer(port), { method: "get", path: ["long"] });
        expect(outcome.kind === "response" && textOf(outcome.response.payload)).toBe(LONG);
      },
    ));

  test("is observed: what it reports is taken, acknowledged, and rejected when the observation is over", () => {
    const streams: ObserveWriteStream[] = [];
    let ended = 0;
    return withDevice(
      (incoming, outgoing) => {
        const stream = outgoing as unknown as ObserveWriteStream;
        expect(incoming.headers.Observe).toBe(0);
        streams.push(stream);
        stream.on("finish", () => ended++);
        stream.write("first");
      },
      async (port) => {
        const token = Uint8Array.of(0x8f, 0x1e, 0x22, 0xc0);
        const reports: string[] = [];
        let isOpen = true;
        await using socket = await openCoapSocket({
          notification(peer, view) {
            if (!isOpen || view.token().toHex() !== token.toHex()) return "unknown";
            reports.push(`${view.type} ${textOf(view.payload())} ${view.has(OPTIONS.observe.number)}`);
            if (view.type === "con") setTimeout(() => socket.endpoint.acknowledge(peer, messageId), 20);
            const { messageId } = view;
            return "taken";
          },
        });
        const request = { method: "get", path: ["19", "0", "0"], observe: 0, token } as const;
        const registered = await socket.endpoint.request(socket.peer(port), request);
        expect(registered.kind === "response" && textOf(registered.response.payload)).toBe("first");
        const [stream] = streams as [ObserveWriteStream];
        for (const value of ["second", "third"]) {
          const before = reports.length;
          stream.write(value);
          await eventually(
            () => reports.length,
            (count) => count > before,
          );
        }
        expect(reports.map((report) => report.slice(4))).toEqual(["second true", "third true"]);
        isOpen = false;
        stream.write("fourth");
        await eventually(
          () => ended,
          (count) => count === 1,
        );
        expect([reports.length, socket.faults]).toEqual([2, []]);
      },
    );
  });
});
