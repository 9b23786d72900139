/** libcoap's client against our server role, and its server against our client role, over loopback sockets. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IncomingRequest, OutgoingResponse, RequestOutcome } from "../../src/access/coap/coap-endpoint";
import { type CoapSocket, freeUdpPort, openCoapSocket } from "../support/coap-socket";
import { eventually } from "../support/eventually";
import { withProgram } from "../support/foreign";
import { temporaryFolder } from "../support/islet";

const client = withProgram("coap-client-notls");
const server = withProgram("coap-server-notls");

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const LONG = Array.from({ length: 300 }, (_, line) => `line ${line} of a long text\n`).join("");

/** A few resources with everything a client may meet. */
function resources() {
  const stored = new Map<string, Uint8Array>();
  const requests: IncomingRequest[] = [];
  const answer = (request: IncomingRequest): OutgoingResponse => {
    const name = request.path.join("/");
    const body = stored.get(name);
    switch (request.code) {
      case 0x01:
        return name === "long"
          ? { code: 0x45, contentFormat: 0, payload: bytesOf(LONG) }
          : body
            ? { code: 0x45, contentFormat: 0, payload: body }
            : { code: 0x84, diagnostic: `there is no ${name}` };
      case 0x02:
        return { code: 0x44, contentFormat: 0, payload: request.payload.toReversed() };
      case 0x03:
        stored.set(name, request.payload);
        return { code: body ? 0x44 : 0x41 };
      case 0x04:
        stored.delete(name);
        return { code: 0x42 };
      case 0x05:
        return { code: 0x45, payload: bytesOf(`fetched ${textOf(request.payload)}`) };
      default:
        return { code: 0x85 };
    }
  };
  return {
    stored,
    requests,
    request(_peer: unknown, request: IncomingRequest) {
      requests.push(request);
      return request.path[0] === "slow" ? Bun.sleep(150).then(() => answer(request)) : answer(request);
    },
  };
}

/** What the program printed, and its complaints. */
async function coap(socket: CoapSocket, uri: string, ...options: string[]): Promise<{ out: string; err: string }> {
  const command = [client.path, "-B", "10", ...options, `coap://127.0.0.1:${socket.port}/${uri}`];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return { out, err };
}

describe("coap-client", () => {
  client.test.each(["CON", "NON"])("gets, puts, posts, fetches and deletes with %s", async (type) => {
    const { request, stored, requests } = resources();
    await using socket = await openCoapSocket({ request });
    const non = type === "NON" ? ["-N"] : [];
    expect((await coap(socket, "a/b", ...non)).err).toContain("4.04 there is no a/b");
    await coap(socket, "a/b?x=1&y", "-m", "put", "-e", "hello", "-t", "0", ...non);
    expect(textOf(stored.get("a/b") as Uint8Array)).toBe("hello");
    expect((await coap(socket, "a/b", "-A", "0", ...non)).out).toContain("hello");
    expect((await coap(socket, "a/b", "-m", "post", "-e", "abc", ...non)).out).toContain("cba");
    expect((await coap(socket, "a/b", "-m", "fetch", "-e", "q", ...non)).out).toContain("fetched q");
    await coap(socket, "a/b", "-m", "delete", ...non);
    expect(stored.size).toBe(0);
    expect(requests.map(({ confirmable }) => confirmable)).toEqual(Array(6).fill(type === "CON"));
    expect(requests[1]).toMatchObject({ path: ["a", "b"], query: ["x=1", "y"], contentFormat: 0 });
    expect([requests[2]?.accept, socket.faults]).toEqual([0, []]);
  });

  client.test.each(["16", "64", "256", "1024"])("moves bodies in blocks of %s, both ways", async (size) => {
    const { request, stored, requests } = resources();
    await using socket = await openCoapSocket({ request });
    using folder = temporaryFolder();
    const [given, got] = [join(folder.path, "given"), join(folder.path, "got")];
    writeFileSync(given, LONG);
    await coap(socket, "body", "-m", "put", "-f", given, "-b", size);
    expect(textOf(stored.get("body") as Uint8Array)).toBe(LONG);
    await coap(socket, "long", "-b", size, "-o", got);
    expect(await Bun.file(got).text()).toBe(LONG);
    await coap(socket, "both", "-m", "post", "-f", given, "-b", size, "-o", got);
    expect(await Bun.file(got).text()).toBe([...LONG].toReversed().join(""));
    expect([requests.map(({ code }) => code), socket.faults]).toEqual([[3, 1, 2], []]);
  });

  client.test("takes our size when it is smaller", async () => {
    const { request, stored } = resources();
    await using socket = await openCoapSocket({ request }, { blockSize: 32 });
    using folder = temporaryFolder();
    const [given, got] = [join(folder.path, "given"), join(folder.path, "got")];
    writeFileSync(given, LONG);
    await coap(socket, "body", "-m", "put", "-f", given, "-b", "512");
    expect(textOf(stored.get("body") as Uint8Array)).toBe(LONG);
    await coap(socket, "long", "-o", got);
    expect(await Bun.file(got).text()).toBe(LONG);
  });

  client.test("is told when a body is too large", async () => {
    const { request, requests } = resources();
    await using socket = await openCoapSocket({ request }, { maxRequestBodyBytes: 4_000 });
    using folder = temporaryFolder();
    const given = join(folder.path, "given");
    writeFileSync(given, LONG);
    expect((await coap(socket, "body", "-m", "put", "-f", given, "-b", "256")).err).toContain("4.13");
    expect(requests).toHaveLength(0);
  });

  client.test("waits for a separate response", async () => {
    const { request } = resources();
    await using socket = await openCoapSocket({ request }, { separateAfterMs: 20 });
    await coap(socket, "slow", "-m", "put", "-e", "later");
    expect((await coap(socket, "slow")).out).toContain("later");
  });

  client.test("loses some of its datagrams, and gets through all the same", async () => {
    const { request, stored } = resources();
    await using socket = await openCoapSocket({ request });
    using folder = temporaryFolder();
    const given = join(folder.path, "given");
    writeFileSync(given, LONG.slice(0, 2_000));
    await coap(socket, "body", "-m", "put", "-f", given, "-b", "1024", "-l", "1,3");
    expect(textOf(stored.get("body") as Uint8Array)).toBe(LONG.slice(0, 2_000));
  });

  client.test("asks to observe, and learns that there is nothing to observe", async () => {
    const { request, stored, requests } = resources();
    await using socket = await openCoapSocket({ request });
    stored.set("a", bytesOf("once"));
    expect((await coap(socket, "a", "-s", "1")).out).toContain("once");
    expect(requests[0]?.observe).toBe(0);
  });

  client.test("is refused for a critical option that we do not know", async () => {
    await using socket = await openCoapSocket(resources());
    expect((await coap(socket, "a", "-O", "2049,0x01")).err).toContain("4.02");
  });
});

describe("coap-server", () => {
  async function withServer(
    run: (socket: CoapSocket, peer: ReturnType<CoapSocket["peer"]>) => Promise<void>,
    options: {
      server?: string[];
      settings?: Parameters<typeof openCoapSocket>[1];
      handlers?: Parameters<typeof openCoapSocket>[0];
    } = {},
  ) {
    const port = await freeUdpPort();
    const command = [server.path, "-A", "127.0.0.1", "-p", String(port), "-d", "10", ...(options.server ?? [])];
    const child = Bun.spawn(command, { stdout: "ignore", stderr: "ignore", stdin: "ignore" });
    try {
      await using socket = await openCoapSocket(options.handlers ?? {}, options.settings);
      const peer = socket.peer(port);
      await eventually(
        () => {
          const signal = AbortSignal.timeout(300); // it may not listen yet
          return socket.endpoint.request(peer, { method: "get", path: [], confirmable: false }, { signal });
        },
        ({ kind }) => kind === "response",
      );
      await run(socket, peer);
      expect(socket.faults).toEqual([]);
    } finally {
      child.kill();
      await child.exited;
    }
  }
  const payloadOf = (outcome: RequestOutcome) =>
    outcome.kind === "response" ? textOf(outcome.response.payload) : outcome;

  server.test("is asked for what it has", () =>
    withServer(async ({ endpoint }, peer) => {
      const core = await endpoint.request(peer, { method: "get", path: [".well-known", "core"] });
      expect(core).toMatchObject({ kind: "response", response: { code: 0x45, contentFormat: 40 } });
      expect(payloadOf(core)).toContain("</time>");
      expect(await endpoint.request(peer, { method: "get", path: ["nothing"] })).toMatchObject({
        response: { code: 0x84 },
      });
    }),
  );

  server.test("answers separately", () =>
    withServer(async ({ endpoint }, peer) => {
      const told: string[] = [];
      const options = { acknowledged: () => told.push("acknowledged") };
      const outcome = endpoint.request(peer, { method: "get", path: ["async"], query: ["1"] }, options);
      await eventually(
        () => told.length,
        (count) => count === 1,
      );
      expect(payloadOf(await outcome)).toBe("done");
    }),
  );

  server.test.each([64, 1_024])("moves bodies in blocks of %d, both ways", (blockSize) =>
    withServer(
      async ({ endpoint }, peer) => {
        const put = { method: "put", path: ["body"], contentFormat: 0, payload: bytesOf(LONG) } as const;
        expect(await endpoint.request(peer, put)).toMatchObject({ response: { code: 0x41 } });
        expect(payloadOf(await endpoint.request(peer, { method: "get", path: ["body"] }))).toBe(LONG);
      },
      { settings: { blockSize } },
    ),
  );

  server.test("is observed, with CON and NON notifications, and the observation ends", async () => {
    const token = Uint8Array.of(1, 2, 3, 4);
    const types: string[] = [];
    let isOpen = true;
    let registered = 0;
    await withServer(
      async ({ endpoint }, peer) => {
        const outcome = await endpoint.request(peer, { method: "get", path: ["time"], observe: 0, token });
        expect(outcome.kind === "response" && outcome.response.observe).toBeNumber();
        registered++;
        await eventually(
          () => types.length,
          (count) => count >= 2,
        );
        isOpen = false; // the next one is rejected, and the server forgets us
        const before = types.length;
        await eventually(
          () => types.length,
          (count) => count > before,
        );
        const after = types.length;
        await Bun.sleep(2_500);
        expect(types.length).toBe(after);
      },
      {
        handlers: {
          notification(_peer, view) {
            expect(view.token().toHex()).toBe("01020304");
            types.push(view.type);
            return isOpen ? "acknowledge" : "unknown";
          },
        },
      },
    );
    expect(registered).toBe(1);
  });
});
