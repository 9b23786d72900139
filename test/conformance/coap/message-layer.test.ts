import { describe, expect, test } from "bun:test";
import type { CoapHandlers, OutgoingResponse } from "../../../src/access/coap/coap-endpoint";
import { bytesOf, hex, lockstep, path, typeOf } from "./lockstep";

const TEMPERATURE = "bb 74656d7065726174757265";
const WARM: OutgoingResponse = { code: 0x45, payload: bytesOf("22.3 C") };
const WARM_HEX = "ff 32322e332043";

function thermometer(settings = {}) {
  const asked: string[] = [];
  const handlers: Partial<CoapHandlers> = {
    request: (_peer, { path: segments, confirmable }) => {
      asked.push(`${confirmable ? "con" : "non"} ${segments.join("/")}`);
      return WARM;
    },
  };
  return { asked, ...lockstep({ handlers, settings }) };
}

describe("RFC 7252 appendix A, as the server", () => {
  test("figure 16: a piggybacked response", () => {
    const { peer } = thermometer();
    const client = peer();
    client.say(`40 01 7d34 ${TEMPERATURE}`);
    client.expect(`60 45 7d34 ${WARM_HEX}`);
    client.expectNothing();
  });

  test("figure 17: with a token", () => {
    const { peer } = thermometer();
    const client = peer();
    client.say(`41 01 7d35 20 ${TEMPERATURE}`);
    client.expect(`61 45 7d35 20 ${WARM_HEX}`);
  });

  test("figure 19: the same response when its ACK was lost, without asking twice", () => {
    const { peer, asked } = thermometer();
    const client = peer();
    for (let copy = 0; copy < 3; copy++) {
      client.say(`41 01 7d37 42 ${TEMPERATURE}`);
      client.expect(`61 45 7d37 42 ${WARM_HEX}`);
    }
    expect(asked).toEqual(["con temperature"]);
  });

  test("figure 20: a separate response", async () => {
    const { promise, resolve } = Promise.withResolvers<OutgoingResponse>();
    const { peer, clock, open } = lockstep({ handlers: { request: () => promise } });
    const client = peer();
    client.say(`41 01 7d38 53 ${TEMPERATURE}`);
    await clock.advance(999);
    client.expectNothing();
    await clock.advance(1);
    client.expect("60 00 7d38");
    client.say(`41 01 7d38 53 ${TEMPERATURE}`); // a duplicate gets the same ACK
    client.expect("60 00 7d38");
    resolve(WARM);
    await clock.advance(0);
    const response = client.take();
    expect([typeOf(response), response.code, response.token.toString("hex"), response.payload.toString()]).toEqual([
      ...["con", "2.05", "53", "22.3 C"],
    ]);
    client.say({ ack: true, code: "0.00", messageId: response.messageId });
    await clock.advance(300_000);
    client.expectNothing();
    expect([open("answering"), open("peers")]).toEqual([0, 0]);
  });

  test("figure 22: NON for NON, once", () => {
    const { peer, asked } = thermometer();
    const client = peer();
    client.say(`51 01 7d40 75 ${TEMPERATURE}`);
    const response = client.take();
    expect([typeOf(response), response.code, response.token.toString("hex")]).toEqual(["non", "2.05", "75"]);
    client.say(`51 01 7d40 75 ${TEMPERATURE}`);
    client.expectNothing();
    expect(asked).toEqual(["non temperature"]);
  });
});

describe("RFC 7252 appendix A, as the client", () => {
  const request = { method: "get", path: ["temperature"], token: hex("31") } as const;

  test("figure 18: sent again after ACK_TIMEOUT, the same bytes", async () => {
    const { endpoint, peer, clock } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, request);
    const first = server.takeBytes();
    await clock.advance(1_999);
    server.expectNothing();
    await clock.advance(1_001);
    expect(server.takeBytes()).toEqual(first);
    server.say(`61 45 ${first.subarray(2, 4).toHex()} 31 ${WARM_HEX}`);
    expect(await outcome).toMatchObject({ kind: "response", response: { code: 0x45, payload: WARM.payload } });
    await clock.advance(300_000);
    server.expectNothing();
  });

  test("figure 20: acknowledges a separate response, whatever comes first", async () => {
    for (const order of ["ack first", "response first", "ack lost"]) {
      const { endpoint, peer, clock } = lockstep();
      const server = peer();
      const acknowledged: string[] = [];
      const outcome = endpoint.request(server, request, { acknowledged: () => acknowledged.push("yes") });
      const { messageId } = server.take();
      const ack = () => server.say({ ack: true, code: "0.00", messageId });
      if (order === "ack first") ack();
      server.say(`41 45 ad7b 31 ${WARM_HEX}`);
      server.expect("60 00 ad7b");
      if (order === "response first") ack();
      expect(await outcome).toMatchObject({ kind: "response", response: { payload: WARM.payload } });
      expect(acknowledged).toEqual(["yes"]);
      server.say(`41 45 ad7b 31 ${WARM_HEX}`); // its ACK was lost
      server.expect("60 00 ad7b");
      await clock.advance(300_000);
      server.expectNothing();
    }
  });

  test("figure 21: a response that nobody waits for is rejected, an ACK of nothing is ignored", () => {
    const { peer } = lockstep();
    const server = peer();
    server.say("60 00 7d39");
    server.expectNothing();
    server.say(`41 45 ad7c 64 ${WARM_HEX}`);
    server.expect("70 00 ad7c");
    server.say(`41 45 ad7c 64 ${WARM_HEX}`);
    server.expect("70 00 ad7c");
  });

  test("figure 22: a NON request, answered by a NON", async () => {
    const { endpoint, peer, clock } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, { ...request, confirmable: false });
    expect(typeOf(server.take())).toBe("non");
    server.say(`51 45 ad7d 31 ${WARM_HEX}`);
    expect(await outcome).toMatchObject({ kind: "response" });
    await clock.advance(300_000);
    server.expectNothing();
  });
});

describe("§4.2: what is rejected", () => {
  const ROWS: [what: string, bytes: string, answer: string | undefined][] = [
    ["a ping gets RST (§4.3)", "40 00 1234", "70 00 1234"],
    ["a CON of a reserved class gets RST", "40 e1 1234", "70 00 1234"],
    ["a malformed CON gets RST", "40 01 1234 ff", "70 00 1234"],
    ["a token of nine bytes gets RST", `49 01 1234 ${"00".repeat(9)}`, "70 00 1234"],
    ["an empty CON with more behind it gets RST", "40 00 1234 00", "70 00 1234"],
    ["a malformed NON gets nothing", "50 01 1234 ff", undefined],
    ["an empty NON gets nothing", "50 00 1234", undefined],
    ["an ACK with a request gets nothing", "60 01 1234", undefined],
    ["an RST that is not empty gets nothing", "70 45 1234", undefined],
    ["another version gets nothing (§3)", "80 01 1234", undefined],
    ["three bytes get nothing", "40 01 12", undefined],
    ["no byte gets nothing", "", undefined],
    ["an ACK of nothing gets nothing", "60 00 1234", undefined],
    ["an RST of nothing gets nothing", "70 00 1234", undefined],
    ["a piggybacked response to nothing gets nothing", "61 45 1234 01", undefined],
  ];
  test.each(ROWS)("%s", (_what, bytes, answer) => {
    const { peer, asked, faults } = thermometer();
    const client = peer();
    client.say(bytes);
    if (answer) client.expect(answer);
    client.expectNothing();
    expect([asked, faults]).toEqual([[], []]);
  });

  test("malformed datagrams are counted by their reason", () => {
    const { peer, count } = thermometer();
    const client = peer();
    client.say("40 01 1234 ff");
    client.say("80 01 1234");
    client.say("80 01 1235");
    expect(count("islet_coap_malformed_total", '{reason="payload_marker"}')).toBe(1);
    expect(count("islet_coap_malformed_total", '{reason="version"}')).toBe(2);
  });
});

describe("§4.2, §4.8: retransmission", () => {
  test("after 2 to 3 s, doubling, four times, then it is over", async () => {
    for (let seed = 1; seed < 8; seed++) {
      const { endpoint, peer, clock, open } = lockstep({ seed });
      const server = peer();
      const outcome = endpoint.request(server, { method: "get", path: [] });
      const sentAtMs: number[] = [];
      const started = clock.monotonic();
      for (let step = 0; step < 1_000; step++) {
        for (; server.received.length > 0; server.takeBytes()) sentAtMs.push(clock.monotonic() - started);
        await clock.advance(100);
      }
      const first = sentAtMs[1] as number;
      expect(sentAtMs).toHaveLength(5);
      expect(first).toBeGreaterThanOrEqual(2_000);
      expect(first).toBeLessThanOrEqual(3_100);
      for (const [at, factor] of [1, 3, 7, 15].entries())
        expect(Math.abs((sentAtMs[at + 1] as number) - first * factor)).toBeLessThanOrEqual(factor * 100);
      expect(await outcome).toEqual({ kind: "noAcknowledgement" });
      expect([open("exchanges"), open("peers")]).toEqual([0, 0]);
    }
  });

  test("an RST ends it", async () => {
    const { endpoint, peer, clock } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, { method: "get", path: [] });
    server.say({ reset: true, code: "0.00", messageId: server.take().messageId });
    expect(await outcome).toEqual({ kind: "reset" });
    await clock.advance(300_000);
    server.expectNothing();
  });

  test("an ACK stops it, and silence behind it is noResponse", async () => {
    const { endpoint, peer, clock } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, { method: "get", path: [] });
    server.say({ ack: true, code: "0.00", messageId: server.take().messageId });
    await clock.advance(246_999);
    server.expectNothing();
    await clock.advance(1);
    expect(await outcome).toEqual({ kind: "noResponse" });
  });

  test("an ACK or RST of another peer changes nothing (§4.4, §5.3.2)", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    const stranger = peer(1);
    const outcome = endpoint.request(server, { method: "get", path: [] });
    const { messageId, token } = server.take();
    stranger.say({ reset: true, code: "0.00", messageId });
    stranger.say({ ack: true, code: "2.05", messageId, token });
    stranger.expectNothing();
    server.say({ ack: true, code: "2.04", messageId, token });
    expect(await outcome).toMatchObject({ response: { code: 0x44 } });
  });

  test("a piggybacked response needs the right token too", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, { method: "get", path: [] });
    const { messageId, token } = server.take();
    server.say({ ack: true, code: "2.05", messageId, token: Buffer.from("wrong") });
    server.say({ ack: true, code: "2.05", messageId: messageId ^ 1, token });
    server.say({ ack: true, code: "2.04", messageId, token });
    expect(await outcome).toMatchObject({ response: { code: 0x44 } });
  });

  test("a separate response is repeated until it is acknowledged, and given up in the end", async () => {
    const { peer, clock, open } = lockstep({
      handlers: { request: () => Bun.sleep(0).then(() => WARM) },
      settings: { separateAfterMs: 0 },
    });
    const client = peer();
    client.say({ confirmable: true, code: "GET", messageId: 1, token: Buffer.from("t") });
    await clock.advance(0);
    client.expect("60 00 0001");
    await Bun.sleep(1);
    await clock.advance(0);
    const first = client.takeBytes();
    let copies = 0;
    for (let step = 0; step < 120; step++) {
      await clock.advance(1_000);
      for (; client.received.length > 0; copies++) expect(client.takeBytes()).toEqual(first);
    }
    expect([copies, open("peers"), open("answering")]).toEqual([4, 0, 0]);
  });

  test("an RST for a separate response ends it", async () => {
    const { promise, resolve } = Promise.withResolvers<OutgoingResponse>();
    const { peer, clock, open } = lockstep({ handlers: { request: () => promise } });
    const client = peer();
    client.say({ confirmable: true, code: "GET", messageId: 1, token: Buffer.from("t") });
    await clock.advance(1_000);
    client.takeBytes();
    resolve(WARM);
    await clock.advance(0);
    client.say({ reset: true, code: "0.00", messageId: client.take().messageId });
    await clock.advance(100_000);
    client.expectNothing();
    expect(open("peers")).toBe(0);
  });
});

describe("§4.5: duplicates", () => {
  test("are another message from another port, and after EXCHANGE_LIFETIME", async () => {
    const { peer, asked, clock } = thermometer();
    const client = peer();
    client.say(`40 01 7d34 ${TEMPERATURE}`);
    peer(2).say(`40 01 7d34 ${TEMPERATURE}`);
    await clock.advance(246_000);
    client.say(`40 01 7d34 ${TEMPERATURE}`);
    expect(asked).toHaveLength(2);
    await clock.advance(1_200);
    client.say(`40 01 7d34 ${TEMPERATURE}`);
    expect(asked).toHaveLength(3);
  });

  test("of a request under way wait for its answer", async () => {
    const { promise, resolve } = Promise.withResolvers<OutgoingResponse>();
    let asked = 0;
    const request = () => {
      asked++;
      return promise;
    };
    const { peer, clock } = lockstep({ handlers: { request } });
    const client = peer();
    client.say(`40 02 7d34 ${TEMPERATURE}`);
    client.say(`40 02 7d34 ${TEMPERATURE}`);
    client.expectNothing();
    resolve({ code: 0x44 });
    await clock.advance(0);
    client.expect("60 44 7d34");
    client.say(`40 02 7d34 ${TEMPERATURE}`);
    client.expect("60 44 7d34");
    expect(asked).toBe(1);
  });

  test("of a request with a long answer are handled again where that does no harm, and never else", () => {
    const asked: number[] = [];
    const request: CoapHandlers["request"] = (_peer, { code }) => {
      asked.push(code);
      return { code: 0x45, payload: new Uint8Array(500).fill(asked.length) };
    };
    const { peer } = lockstep({ handlers: { request } });
    const client = peer();
    for (const method of ["GET", "GET", "POST", "POST"] as const)
      client.say({ confirmable: true, code: method, messageId: method === "GET" ? 1 : 2, options: path("a") });
    expect(asked).toEqual([1, 1, 2]);
    expect(client.received.map((datagram) => datagram.at(-1))).toEqual([1, 2, 3, 3]);
  });

  test("of somebody who becomes known by his message are still duplicates", () => {
    let asked = 0;
    const { peer, endpoint } = lockstep({
      handlers: {
        request: (from) => {
          asked++;
          endpoint.vouch(from);
          return { code: 0x41, locationPath: ["rd", "1"] };
        },
      },
    });
    const client = peer();
    for (let copy = 0; copy < 3; copy++) {
      client.say({ confirmable: true, code: "POST", messageId: 9, options: path("rd") });
      client.expect("60 41 0009 82 7264 01 31");
    }
    expect(asked).toBe(1);
  });

  test("of known peers are found through a flood of strangers", () => {
    const { peer, asked, endpoint } = thermometer({ strangerDuplicates: 64, knownDuplicates: 64 });
    const session = peer(1, 17);
    const vouched = peer(2);
    const stranger = peer(3);
    endpoint.vouch(vouched);
    const all = [session, vouched, stranger];
    for (const client of all) client.say(`40 02 7d34 ${TEMPERATURE}`);
    for (let port = 1_000; port < 1_500; port++) peer(port).say(`40 02 7d34 ${TEMPERATURE}`);
    const before = asked.length;
    for (const client of all) client.say(`40 02 7d34 ${TEMPERATURE}`);
    expect(asked.length - before).toBe(1); // the stranger's own
  });
});

describe("§4.7: NSTART", () => {
  test("one at a time, in order; the next goes when the peer has the one before", async () => {
    const { endpoint, peer, clock, open } = lockstep();
    const server = peer();
    const outcomes = ["a", "b", "c"].map((name) => endpoint.request(server, { method: "get", path: [name] }));
    const uri = (message: ReturnType<typeof server.take>) => message.options[0]?.value.toString();
    const first = server.take();
    server.expectNothing();
    expect([uri(first), open("waiting")]).toEqual(["a", 2]);
    server.say({ ack: true, code: "0.00", messageId: first.messageId }); // its response comes later
    const second = server.take();
    server.expectNothing();
    server.say({ ack: true, code: "2.05", messageId: second.messageId, token: second.token });
    const third = server.take();
    server.say({ reset: true, code: "0.00", messageId: third.messageId });
    server.say({ confirmable: true, code: "2.04", messageId: 7, token: first.token });
    expect([uri(second), uri(third)]).toEqual(["b", "c"]);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["response", "response", "reset"]);
    await clock.advance(0);
    expect(open("peers")).toBe(0);
  });

  test("does not hold up other peers", () => {
    const { endpoint, peer } = lockstep();
    const [one, two] = [peer(1), peer(2)];
    void endpoint.request(one, { method: "get", path: [] });
    void endpoint.request(two, { method: "get", path: [] });
    expect([one.received.length, two.received.length]).toEqual([1, 1]);
  });

  test("has a queue with an end, and each end of it is told", async () => {
    const { endpoint, peer } = lockstep({ settings: { maxOpenPerPeer: 3, maxOpen: 5 } });
    const ask = (port: number) => endpoint.request(peer(port), { method: "get", path: [] });
    const full = { kind: "failed", reason: "tooManyOpen" } as const;
    for (let n = 0; n < 3; n++) void ask(1);
    expect(await ask(1)).toEqual(full);
    void ask(2);
    void ask(2);
    expect(await ask(3)).toEqual(full);
  });

  test("more at a time when told so", () => {
    const { endpoint, peer } = lockstep({ settings: { nstart: 2 } });
    const server = peer();
    for (let n = 0; n < 3; n++) void endpoint.request(server, { method: "get", path: [] });
    expect(server.received).toHaveLength(2);
  });
});

describe("§4.4: message ids", () => {
  test("are never the same towards one peer within EXCHANGE_LIFETIME", async () => {
    const { endpoint, peer, clock } = lockstep();
    const server = peer();
    const used = new Set<number>();
    for (let n = 0; n < 20_000; n++) {
      void endpoint.request(server, { method: "get", path: [] });
      const { messageId } = server.take();
      expect(used.has(messageId)).toBe(false);
      used.add(messageId);
      server.say({ reset: true, code: "0.00", messageId });
    }
    await clock.advance(0);
  });

  test("of a resumed message are not given to another one", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    // The next id would be `first` + 1 to + 20: they are taken by messages of an earlier process.
    void endpoint.request(server, { method: "get", path: [] });
    const first = server.take().messageId;
    server.say({ reset: true, code: "0.00", messageId: first });
    const resumed = new Set<number>();
    for (let n = 1; n <= 20; n++) {
      const messageId = (first + n) & 0xffff;
      const bytes = hex(`42 02 ${messageId.toString(16).padStart(4, "0")} ${(n + 256).toString(16).padStart(4, "0")}`);
      void endpoint.transmit(server, bytes, { ackTimeoutMs: 10_000, maxRetransmit: 0, giveUpAfterMs: 1_000 });
      expect(server.takeBytes()).toEqual(bytes);
      server.say({ reset: true, code: "0.00", messageId });
      resumed.add(messageId);
    }
    void endpoint.request(server, { method: "get", path: [] });
    expect(resumed.has(server.take().messageId)).toBe(false);
  });
});

test("a request with an option too long fails without a fault, and what is behind it goes on", async () => {
  const { endpoint, peer, faults } = lockstep();
  const server = peer();
  expect(await endpoint.request(server, { method: "get", path: ["x".repeat(256)] })).toMatchObject({ kind: "failed" });
  expect(await endpoint.request(server, { method: "get", path: [], token: new Uint8Array(9) })).toMatchObject({
    kind: "failed",
  });
  void endpoint.request(server, { method: "get", path: ["ok"] });
  expect(server.received).toHaveLength(1);
  expect(faults).toEqual([]);
});
