import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Identity, issueAuthority, issueServer } from "../../platform/certificates/issue";
import { systemClock } from "../../platform/clock";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { PushTrust } from "../applications/push-certificate";
import type { PostResult } from "./callback-client";
import { httpCallbackClient, sign } from "./http-callback-client";
import { DEFAULT_PUSH_SETTINGS } from "./push-settings";

const opened: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

/** A receiver made of bare bytes. `requests` counts what looks like the start of a request. */
async function receiver(talk: (socket: Socket, request: string) => void) {
  const state = { connections: 0, requests: [] as string[], port: 0 };
  const got = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    state.connections++;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      state.requests.push(data.toString());
      got.resolve();
      talk(socket, data.toString());
    });
  });
  state.port = await listen(server);
  return { ...state, state, got: got.promise, url: `http://127.0.0.1:${state.port}/cb` };
}

function listen(server: Server): Promise<number> {
  opened.push(server);
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
  );
}

function client(clock: ManualClock, trust?: PushTrust, secret?: string) {
  const it = httpCallbackClient({
    clock,
    settings: DEFAULT_PUSH_SETTINGS,
    findTrust: () => trust,
    findSigningSecret: () => secret,
  });
  const never = new AbortController().signal;
  const target = (url: string) => ({ no: 1, appNo: 1, callbackUrl: url });
  return {
    post: (url: string, body = "{}", stopping = never): Promise<PostResult> =>
      it.post(target(url), { id: 42, body }, stopping),
    probe: (url: string) => it.probe(target(url), never),
  };
}

const answer = (head: string, body = "") => `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("what a receiver answers", () => {
  const ANSWERS: [says: string, bytes: string, result: PostResult, ends?: "and closes"][] = [
    ["200", answer("200 OK", "{}"), { reason: "delivered", status: 200 }],
    ["201", answer("201 Created"), { reason: "delivered", status: 201 }],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", { reason: "delivered", status: 204 }],
    ["100 first", `HTTP/1.1 100 Continue\r\n\r\n${answer("200 OK")}`, { reason: "delivered", status: 200 }],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", { reason: "delivered", status: 200 }, "and closes"],
    ["302", answer("302 Found\r\nLocation: http://127.0.0.1:1/"), { reason: "redirected", status: 302 }],
    ["307", answer("307 Temporary\r\nLocation: /elsewhere"), { reason: "redirected", status: 307 }],
    ["400", answer("400 Bad Request"), { reason: "status_other", status: 400 }],
    ["500", answer("500 Oops"), { reason: "status_other", status: 500 }],
    ["501", answer("501 No"), { reason: "status_501", status: 501 }],
    ["502", answer("502 No"), { reason: "status_502", status: 502 }],
    ["503", answer("503 No"), { reason: "status_503", status: 503 }],
    ["504", answer("504 No"), { reason: "status_504", status: 504 }],
    ["a broken gzip", answer("200 OK\r\nContent-Encoding: gzip", "nope"), { reason: "delivered", status: 200 }],
    ["another protocol", "SSH-2.0-OpenSSH_9\r\nzzz\r\n\r\n", { reason: "bad_response", status: undefined }],
    [
      "an upgrade",
      "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      { reason: "bad_response", status: undefined },
    ],
    ["nothing and closes", "", { reason: "reset", status: undefined }, "and closes"],
  ];
  // Three parameters would make Bun take a fourth for `done`.
  test.each(ANSWERS)("%s", async (...[, bytes, result, ends]) => {
    const there = await receiver((socket) => (ends ? socket.end(bytes) : socket.write(bytes)));
    expect(await client(manualClock()).post(there.url)).toEqual(result);
    expect(there.state.requests.length).toBe(1);
  });

  test("headers without end are cut off", async () => {
    const there = await receiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const more = () => {
        while (socket.writable) if (!socket.write(`X-More: ${"y".repeat(1_000)}\r\n`)) return;
      };
      socket.on("drain", more);
      more();
    });
    expect(await client(manualClock()).post(there.url)).toEqual({ reason: "bad_response", status: undefined });
  });

  test("100 MB of body: delivered, and the connection is dropped long before", async () => {
    let written = 0;
    const closed = Promise.withResolvers<void>();
    const there = await receiver((socket) => {
      const chunk = Buffer.alloc(65_536);
      socket.on("close", () => closed.resolve());
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
      const more = () => {
        while (socket.writable && written < 104_857_600) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    expect(await client(manualClock()).post(there.url)).toEqual({ reason: "delivered", status: 200 });
    await closed.promise;
    expect(written).toBeLessThan(50_000_000);
  });
});

describe("a receiver that does not answer", () => {
  const HANGS: [how: string, bytes: string | Buffer][] = [
    ["says nothing", ""],
    ["stops within its headers", "HTTP/1.1 200 OK\r\nContent-"],
    ["speaks binary without a line", Buffer.from([0, 1, 2, 255])],
  ];
  test.each(HANGS)("%s: 15 s", async (_how, bytes) => {
    const clock = manualClock();
    const there = await receiver((socket) => void socket.write(bytes));
    let result: PostResult | undefined;
    const done = client(clock)
      .post(there.url)
      .then((it) => {
        result = it;
      });
    await there.got;
    await clock.advance(14_999);
    expect(result).toBeUndefined();
    await clock.advance(1);
    await done;
    expect(result).toEqual({ reason: "timeout", status: undefined });
  });

  test("a body that never ends is left after a second: the status has been said", async () => {
    const clock = manualClock();
    const there = await receiver((socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow"));
    let isDone = false;
    const done = client(clock)
      .post(there.url)
      .then((it) => {
        isDone = true;
        return it;
      });
    await there.got;
    while (!isDone) {
      await Bun.sleep(10); // the head of the answer is on its way through a real socket
      await clock.advance(100);
    }
    expect(await done).toEqual({ reason: "delivered", status: 200 });
    expect(clock.monotonic()).toBeLessThan(15_000);
  });

  test("nobody listens", async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const it = client(manualClock());
    expect((await it.post(`http://127.0.0.1:${port}/`)).reason).toBe("refused");
    expect(await it.probe(`http://127.0.0.1:${port}/`)).toBe(false);
  });

  test("there is no such host", async () => {
    const { reason } = await client(manualClock()).post("http://no-such-host.invalid:80/");
    expect(reason).toBe("name_not_found");
  });

  test("resets the connection", async () => {
    const there = await receiver((socket) => void socket.resetAndDestroy());
    expect((await client(manualClock()).post(there.url)).reason).toBe("reset");
  });

  test("stopping cuts off what is under way", async () => {
    const stopping = new AbortController();
    const there = await receiver(() => {});
    const posted = client(manualClock()).post(there.url, "{}", stopping.signal);
    await there.got;
    stopping.abort();
    expect((await posted).status).toBeUndefined();
  });
});

describe("requests", () => {
  test("carry the body as JSON, keep the connection and are signed on request", async () => {
    const clock = manualClock(1_700_000_000_999);
    const there = await receiver((socket) => void socket.write(answer("200 OK", "ok")));
    const it = client(clock, undefined, "a secret");
    for (let round = 0; round < 5; round++) await it.post(there.url, '{"a":"ü"}');
    expect(there.state.connections).toBe(1);
    const [request = ""] = there.state.requests;
    expect(request).toStartWith("POST /cb HTTP/1.1\r\n");
    expect(request).toContain("Content-Type: application/json\r\n");
    expect(request).toContain("X-Islet-Message: 42\r\n");
    expect(request).toContain(`X-Islet-Signature: ${sign("a secret", '{"a":"ü"}', clock.now())}\r\n`);
    expect(request).toEndWith('\r\n\r\n{"a":"ü"}');
  });

  test("the signature is HMAC-SHA256 over time and body", () => {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    expect(sign("key", "{}", 1_700_000_000_999)).toBe(
      `t=1700000000,v1=${new Bun.CryptoHasher("sha256", "key").update("1700000000.{}").digest("hex")}`,
    );
  });

  test("survive connections that close at random between requests", async () => {
    let count = 0;
    const there = await receiver((socket) => {
      socket.write(answer("200 OK"));
      if (++count % 3 === 0) socket.destroy();
    });
    const it = client(manualClock());
    const results: PostResult[] = [];
    for (let round = 0; round < 30; round++) results.push(await it.post(there.url));
    expect(results.every(({ reason }) => reason === "delivered" || reason === "reset")).toBe(true);
    expect(results.filter(({ reason }) => reason === "delivered").length).toBeGreaterThan(15);
  });

  test("do not use a proxy of the environment", async () => {
    process.env.HTTP_PROXY = "http://127.0.0.1:1";
    try {
      const there = await receiver((socket) => void socket.write(answer("200 OK")));
      expect((await client(manualClock()).post(there.url)).reason).toBe("delivered");
    } finally {
      delete process.env.HTTP_PROXY;
    }
  });
});

describe("over TLS", () => {
  let authority: Identity;
  let stranger: Identity;
  let names: string[]; // asked for by SNI
  let url: string;
  const VALID = { notBefore: systemClock.now() - 86_400_000, notAfter: systemClock.now() + 86_400_000 };

  beforeAll(async () => {
    authority = await issueAuthority(VALID);
    stranger = await issueAuthority(VALID);
  });

  async function tlsReceiver(identity: Identity): Promise<void> {
    names = [];
    const server = createTlsServer({ cert: identity.certificate, key: identity.key }, (socket) => {
      names.push(String(socket.servername || ""));
      socket.on("error", () => {});
      socket.on("data", () => void socket.write(answer("200 OK")));
    });
    url = `https://127.0.0.1:${await listen(server)}/cb`;
  }
  const trust = (patch: Partial<PushTrust> = {}): PushTrust => ({
    ca: authority.certificate,
    checkCommonName: true,
    commonName: undefined,
    sni: false,
    ...patch,
  });

  type Row = [rule: string, names: string[], patch: Partial<PushTrust> | "none" | "stranger", reason: string];
  const ROWS: Row[] = [
    ["its own CA and address are accepted", ["127.0.0.1"], {}, "delivered"],
    ["another name than the address is refused", ["api.example.com"], {}, "tls_name"],
    ["the entered name is accepted", ["api.example.com"], { commonName: "api.example.com" }, "delivered"],
    ["a name that was not entered is refused", ["api.example.com"], { commonName: "b.example.com" }, "tls_name"],
    ["any name is accepted without the check", ["api.example.com"], { checkCommonName: false }, "delivered"],
    ["another CA is refused", ["127.0.0.1"], "stranger", "tls_untrusted"],
    ["another CA is refused without the name check too", ["127.0.0.1"], "stranger", "tls_untrusted"],
    ["an own CA without upload is refused", ["127.0.0.1"], "none", "tls_untrusted"],
  ];
  test.each(ROWS)("%s", async (rule, certificateNames, patch, reason) => {
    await tlsReceiver(await issueServer(authority, certificateNames, VALID));
    const checkCommonName = !rule.includes("without the name check");
    const trusted =
      patch === "none"
        ? undefined
        : patch === "stranger"
          ? trust({ ca: stranger.certificate, checkCommonName })
          : trust(patch);
    const it = client(manualClock(), trusted);
    expect((await it.post(url)).reason as string).toBe(reason);
    expect(await it.probe(url)).toBe(reason === "delivered");
  });

  test("an expired certificate is refused", async () => {
    const past = { notBefore: VALID.notBefore, notAfter: systemClock.now() - 3_600_000 };
    await tlsReceiver(await issueServer(authority, ["127.0.0.1"], past));
    expect((await client(manualClock(), trust()).post(url)).reason).toBe("tls_untrusted");
  });

  test("SNI names the entered common name", async () => {
    await tlsReceiver(await issueServer(authority, ["api.example.com"], VALID));
    const it = client(manualClock(), trust({ commonName: "api.example.com", sni: true }));
    expect((await it.post(url)).reason).toBe("delivered");
    expect(names).toEqual(["api.example.com"]);
    expect(await it.probe(url)).toBe(true);
  });

  test("the connection is kept, and given up when the certificate is exchanged", async () => {
    await tlsReceiver(await issueServer(authority, ["127.0.0.1"], VALID));
    let current = trust();
    const it = httpCallbackClient({
      clock: manualClock(),
      settings: DEFAULT_PUSH_SETTINGS,
      findTrust: () => ({ ...current }),
    });
    const never = new AbortController().signal;
    const post = () => it.post({ no: 1, appNo: 1, callbackUrl: url }, { id: 1, body: "{}" }, never);
    for (let round = 0; round < 5; round++) expect((await post()).reason).toBe("delivered");
    expect(names.length).toBe(1);
    current = trust({ ca: stranger.certificate });
    expect((await post()).reason).toBe("tls_untrusted");
  });

  test("an address that speaks no TLS is a failed handshake", async () => {
    const there = await receiver((socket) => void socket.write(answer("200 OK")));
    const it = client(manualClock(), trust());
    expect((await it.post(there.url.replace("http:", "https:"))).reason).toBe("tls_failed");
    expect(await it.probe(there.url.replace("http:", "https:"))).toBe(false);
  });
});
