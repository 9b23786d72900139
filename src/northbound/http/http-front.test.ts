import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { createLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { manualClock } from "../../platform/testing/manual-clock";
import { httpFront, type Mount } from "./http-front";
import type { RequestEnv } from "./request-env";

type Line = Record<string, unknown>;

function start(fetch: Mount["fetch"] = () => new Response("owner")) {
  const lines: Line[] = [];
  const clock = manualClock();
  const metrics = createMetrics();
  const mount = (name: string, prefixes: string[], answer: Mount["fetch"]): Mount => ({
    name,
    prefixes,
    fetch: answer,
    fail: (error) => Response.json({ from: name, error: error.message }, { status: 418 }),
  });
  let made = 0;
  const front = httpFront({
    mounts: [mount("vendor", ["iocm", "api"], fetch)],
    otherwise: mount("other", [], () => new Response("other", { status: 404 })),
    log: createLog({ level: "debug", format: "json", clock, write: (line) => lines.push(JSON.parse(line)) }),
    metrics,
    clock,
    ids: { next: () => `id-${++made}` },
    settings: { maxBodyBytes: 10 },
  });
  return { front, lines, metrics, clock };
}
const ask = (path: string, init?: RequestInit) => new Request(`http://host:80${path}`, init);

describe("the path decides who answers:", () => {
  test.each([
    ["/iocm", "owner"],
    ["/iocm/app/x?y=1", "owner"],
    ["/api/v3", "owner"],
    ["/iocmx", "other"],
    ["/", "other"],
    ["//iocm", "other"],
    ["/IOCM/x", "other"],
    ["/?a=/iocm", "other"],
  ])("%s → %s", async (path, by) => {
    expect(await (await start().front(ask(path))).text()).toBe(by);
  });
});

describe("the request id", () => {
  test("is made, handed on, answered and logged", async () => {
    let seen: RequestEnv | undefined;
    const { front, lines } = start((_request, env) => {
      seen = env;
      return new Response();
    });
    const response = await front(ask("/iocm"), "10.0.0.1");
    expect(response.headers.get("x-request-id")).toBe("id-1");
    expect(seen).toMatchObject({ requestId: "id-1", peer: "10.0.0.1" });
    expect(lines).toMatchObject([{ event: "http.request", requestId: "id-1", peer: "10.0.0.1" }]);
  });
  test.each([
    ["abcdef12-3456.7", "abcdef12-3456.7"],
    ["short", "id-1"],
    ['"} {"event":"x"', "id-1"],
    ["a".repeat(65), "id-1"],
  ])("%s of a proxy in front gives %s", async (given, expected) => {
    const response = await start().front(ask("/iocm", { headers: { "x-request-id": given } }));
    expect(response.headers.get("x-request-id")).toBe(expected);
  });
});

test("the access log has the caller and the time taken, and nothing of the query, the headers or the body", async () => {
  const { front, lines, clock } = start(async (_request, env) => {
    env.caller = "app1";
    await clock.advance(12.34);
    return new Response(null, { status: 403 });
  });
  const headers = { authorization: "Bearer s3cret" };
  await front(ask("/iocm/x?access_token=s3cret", { method: "POST", headers, body: "s3cret" }));
  expect(lines).toEqual([
    {
      time: expect.any(String),
      level: "info",
      event: "http.request",
      requestId: "id-1",
      caller: "app1",
      method: "POST",
      path: "/iocm/x",
      status: 403,
      ms: 12.3,
    },
  ]);
});

test("success is logged for debugging only", async () => {
  const { front, lines } = start();
  await front(ask("/iocm"));
  expect(lines).toMatchObject([{ level: "debug", status: 200 }]);
});

describe("a fault", () => {
  test("that a dialect let through is logged with its stack and answered by it", async () => {
    const { front, lines } = start(() => {
      throw new Error("disk gone");
    });
    const response = await front(ask("/iocm/x"));
    expect([response.status, await response.json()]).toEqual([418, { from: "vendor", error: "disk gone" }]);
    expect(lines).toMatchObject([
      { level: "error", event: "http.fault", requestId: "id-1" },
      { event: "http.request", status: 418 },
    ]);
    expect(lines[0]?.error).toMatchObject({ message: "disk gone", stack: expect.stringContaining("at ") });
  });
  test("that is no Error is one too", async () => {
    const { front, lines } = start(() => Promise.reject("odd"));
    expect((await front(ask("/iocm"))).status).toBe(418);
    expect(lines[0]).toMatchObject({ event: "http.fault" });
  });
  test("is not one when a dialect lets a domain error through", async () => {
    const { front, lines } = start(() => {
      throw new DomainError("CONFLICT");
    });
    expect((await front(ask("/iocm"))).status).toBe(418);
    expect(lines.map(({ event }) => event)).toEqual(["http.request"]);
  });
  test("of a client that has left is not ours", async () => {
    const left = new AbortController();
    const { front, lines } = start(() => {
      left.abort();
      throw new Error("body cut off");
    });
    await front(ask("/iocm", { signal: left.signal }));
    expect(lines.map(({ event, level }) => [event, level])[0]).toEqual(["http.gone", "debug"]);
  });
});

describe("a body", () => {
  const stream = (...chunks: string[]) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
  const read: Mount["fetch"] = async (request) => new Response(await request.text());

  test("within the limit arrives as it was sent", async () => {
    const response = await start(read).front(ask("/iocm", { method: "POST", body: stream("hello", "world") }));
    expect(await response.text()).toBe("helloworld");
    expect(response.headers.get("connection")).toBeNull();
  });
  test("over the limit fails where it is read, and ends the connection", async () => {
    const response = await start(read).front(ask("/iocm", { method: "POST", body: stream("hello", "world", "!") }));
    expect(await response.json()).toEqual({ from: "vendor", error: "PAYLOAD_TOO_LARGE" });
    expect(response.headers.get("connection")).toBe("close");
  });
  test("that nobody has read to its end ends the connection", async () => {
    const response = await start().front(ask("/iocm", { method: "POST", body: stream("hello") }));
    expect([await response.text(), response.headers.get("connection")]).toEqual(["owner", "close"]);
  });
  test.each(["11", "99999999999", "1e9", "-", "0x1"])("announced with %s bytes", async (length) => {
    let reached = false;
    const { front } = start(() => {
      reached = true;
      return new Response();
    });
    const request = ask("/iocm", { method: "POST", headers: { "content-length": length } });
    const isLarge = !(Number(length) <= 10);
    expect((await front(request)).status).toBe(isLarge ? 418 : 200);
    expect(reached).toBe(!isLarge);
  });
});

test("requests are counted by API and kind of answer, and timed", async () => {
  const { front, metrics, clock } = start(async (_request, env) => {
    await clock.advance(30);
    return new Response(null, { status: env.requestId === "id-1" ? 201 : 500 });
  });
  await front(ask("/iocm"));
  await front(ask("/iocm"));
  await front(ask("/nowhere"));
  const text = metrics.render();
  for (const line of [
    'islet_http_requests_total{api="vendor",status="2xx"} 1',
    'islet_http_requests_total{api="vendor",status="5xx"} 1',
    'islet_http_requests_total{api="other",status="4xx"} 1',
    'islet_http_request_duration_seconds_bucket{le="0.025"} 1',
    'islet_http_request_duration_seconds_bucket{le="0.05"} 3',
    "islet_http_requests_in_flight 0",
  ])
    expect(text).toContain(`${line}\n`);
});
