import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { randomIds } from "../../platform/ids";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { manualClock } from "../../platform/testing/manual-clock";
import { httpFront, type Mount } from "./http-front";
import { renderProblem } from "./problem";
import { type HttpServer, SERVE_DEFAULTS, serveHttp } from "./serve-http";

const opened: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.stop()));
});

/** A server whose only dialect tells the length of the body, or waits for `gate`. */
function serve({ maxBodyBytes = 1_000, gate = Promise.resolve() } = {}) {
  const lengths: number[] = [];
  const clock = manualClock();
  const { promise: waiting, resolve: waits } = Promise.withResolvers<void>();
  const mount: Mount = {
    name: "echo",
    prefixes: [],
    fetch: async (request) => {
      if (request.url.endsWith("/unread")) return new Response("enough");
      if (request.url.endsWith("/wait")) {
        waits();
        await gate;
      }
      const length = (await request.arrayBuffer()).byteLength;
      lengths.push(length);
      return Response.json({ length });
    },
    fail: (error, { requestId }, path) => renderProblem(error, { path, requestId }),
  };
  const front = httpFront({
    mounts: [],
    otherwise: mount,
    log: silentLog,
    metrics: createMetrics(),
    clock,
    ids: randomIds,
    settings: { maxBodyBytes },
  });
  const server = serveHttp({ listen: "127.0.0.1:0", fetch: front, clock });
  opened.push(server);
  return { server, lengths, clock, waiting };
}

/** Speaks raw bytes; resolves with all that came back when the server closes. */
function speak(port: number, feed: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => feed(socket));
    socket.on("data", (chunk) => {
      received += chunk.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

const tooLarge = expect.stringMatching(/^HTTP\/1\.1 413 [\s\S]*"code":"PAYLOAD_TOO_LARGE"/);

test("tells its real address", async () => {
  const { server } = serve();
  expect(server.address).toBe(`127.0.0.1:${server.port}`);
  const response = await fetch(`${server.url}/x`, { method: "POST", body: "abc" });
  expect(await response.json()).toEqual({ length: 3 });
  expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
});

test("a body that is announced too large is refused before it is sent", async () => {
  const { server, lengths } = serve();
  const answer = await speak(server.port, (socket) =>
    socket.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\nabc"),
  );
  expect(answer).toEqual(tooLarge);
  expect(lengths).toEqual([]);
});

test("a body without a length is refused as soon as it is too large", async () => {
  const { server, lengths } = serve();
  const chunk = `1000\r\n${"a".repeat(4_096)}\r\n`; // never ends
  const answer = await speak(server.port, (socket) =>
    socket.write(`POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`),
  );
  expect(answer).toEqual(tooLarge);
  expect(lengths).toEqual([]);
});

test("a body without an end is not read on when the answer is there", async () => {
  const { server } = serve();
  const answer = await speak(server.port, (socket) => {
    socket.write(`POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  });
  expect(answer).toStartWith("HTTP/1.1 200"); // and the server closed: nothing else ends `speak`
});

test("a body without a length arrives whole when it fits", async () => {
  const { server, lengths } = serve();
  const answer = await speak(server.port, (socket) =>
    socket.write(
      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    ),
  );
  expect(answer).toStartWith("HTTP/1.1 200");
  expect(lengths).toEqual([5]);
});

test("a body that is cut off is nobody's fault", async () => {
  const { server, lengths } = serve();
  await speak(server.port, (socket) => {
    socket.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", () => socket.destroy());
  });
  expect(lengths).toEqual([]);
  expect((await fetch(`${server.url}/x`)).status).toBe(200); // and the server lives
});

test("a stop lets a request under way finish and accepts no more", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { server, waiting } = serve({ gate });
  const underWay = fetch(`${server.url}/wait`, { method: "POST", body: "abc" });
  await waiting;
  const stopped = server.stop();
  await expect(fetch(`${server.url}/x`)).rejects.toThrow();
  open();
  expect(await (await underWay).json()).toEqual({ length: 3 });
  await stopped;
});

test("a stop cuts what is not finished in time", async () => {
  const { server, clock, waiting } = serve({ gate: new Promise(() => {}) });
  const cut = fetch(`${server.url}/wait`, { method: "POST", body: "abc" }).catch(() => "cut");
  await waiting;
  const stopped = server.stop();
  await clock.advance(SERVE_DEFAULTS.stopGraceMs);
  await stopped;
  expect(await cut).toBe("cut");
});

test("a taken port is told with its address", () => {
  const { server } = serve();
  expect(() => serveHttp({ listen: server.address, fetch: () => new Response(), clock: manualClock() })).toThrow(
    `cannot listen on ${server.address}: the port is taken`,
  );
});

test.each(["nonsense", ":80", "127.0.0.1:99999"])("%s is no address", (listen) => {
  expect(() => serveHttp({ listen, fetch: () => new Response(), clock: manualClock() })).toThrow("is not HOST:PORT");
});

test.each([
  ["of HTTP/1.0", "HTTP/1.0\r\n"],
  ["that is empty", "HTTP/1.1\r\nHost:\r\n"],
  ["that is none", "HTTP/1.1\r\nHost: a b:99999\r\n"],
])("a request without a proper Host %s finds its path", async (_, head) => {
  const urls: string[] = [];
  const server = serveHttp({
    listen: "127.0.0.1:0",
    clock: manualClock(),
    async fetch(request) {
      urls.push(request.url);
      return new Response(await request.text());
    },
  });
  opened.push(server);
  const answer = await speak(server.port, (socket) =>
    socket.end(`POST /iocm/app?x=1 ${head}Connection: close\r\nContent-Length: 4\r\n\r\nbody`),
  );
  expect(answer).toStartWith("HTTP/1.1 200");
  expect(answer).toEndWith("body");
  expect(urls).toEqual([`${server.url}/iocm/app?x=1`]);
});
