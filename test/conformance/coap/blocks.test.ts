import { describe, expect, test } from "bun:test";
import type { NamedOption } from "coap-packet";
import type { IncomingRequest, OutgoingRequest, OutgoingResponse } from "../../../src/access/coap/coap-endpoint";
import { block, blockOf, bytesOf, lockstep, numberOf, path, pattern, type RawPeer, uint } from "./lockstep";

function server(answer: (request: IncomingRequest) => OutgoingResponse, settings = {}) {
  const requests: IncomingRequest[] = [];
  const request = (_peer: unknown, given: IncomingRequest) => {
    requests.push(given);
    return answer(given);
  };
  return { requests, ...lockstep({ handlers: { request }, settings }) };
}
type Method = "GET" | "PUT" | "POST" | "FETCH";
let nextId = 1_000;
/** Asks, and gives the answer as the RFC writes it: `2.05 2:0/1/128 128`. */
function ask(
  client: RawPeer,
  code: Method,
  uri: string,
  options: NamedOption[],
  payload: Uint8Array = new Uint8Array(0),
) {
  const messageId = nextId++;
  client.say({
    confirmable: true,
    code,
    messageId,
    options: [...path(uri), ...options],
    payload: Buffer.from(payload),
  });
  const answer = client.take();
  expect(answer.messageId).toBe(messageId);
  const blocks = (["Block1", "Block2"] as const).map((name) => blockOf(answer, name)).filter((it) => it !== undefined);
  return { answer, text: [answer.code, ...blocks, answer.payload.length].join(" ") };
}
const part = (body: Uint8Array, num: number, size: number) => body.subarray(num * size, (num + 1) * size);

describe("RFC 7959 §3.1, as the server", () => {
  const body = pattern(300);
  const status = (settings = {}) =>
    server(() => ({ code: 0x45, payload: body, contentFormat: 42 }), { blockSize: 128, ...settings });

  test("figure 2: a GET in blocks, from one answer of the layer above", () => {
    const { peer, requests } = status();
    const client = peer();
    const parts = [
      ask(client, "GET", "status", []),
      ask(client, "GET", "status", [block("Block2", 1, 0, 128)]),
      ask(client, "GET", "status", [block("Block2", 2, 0, 128)]),
    ];
    expect(parts.map(({ text }) => text)).toEqual(["2.05 2:0/1/128 128", "2.05 2:1/1/128 128", "2.05 2:2/0/128 44"]);
    expect(Buffer.concat(parts.map(({ answer }) => answer.payload))).toEqual(Buffer.from(body));
    expect(requests).toHaveLength(1);
    const options = parts.map(({ answer }) => [
      numberOf(answer, "ETag"),
      numberOf(answer, "Content-Format"),
      numberOf(answer, "Size2"),
    ]);
    expect(options[0]?.[0]).toBeDefined();
    expect(options).toEqual([
      [options[0]?.[0], 42, 300],
      [options[0]?.[0], 42, undefined],
      [options[0]?.[0], 42, undefined],
    ]);
  });

  test("figure 3: early negotiation", () => {
    const { peer } = status();
    const client = peer();
    const texts = [0, 1, 2, 3, 4].map((num) => ask(client, "GET", "status", [block("Block2", num, 0, 64)]).text);
    expect(texts).toEqual([0, 1, 2, 3, 4].map((num) => `2.05 2:${num}/${num < 4 ? 1 : 0}/64 ${num < 4 ? 64 : 44}`));
  });

  test("figure 4: late negotiation", () => {
    const { peer } = status();
    const client = peer();
    expect(ask(client, "GET", "status", []).text).toBe("2.05 2:0/1/128 128");
    expect(ask(client, "GET", "status", [block("Block2", 2, 0, 64)]).text).toBe("2.05 2:2/1/64 64");
    expect(ask(client, "GET", "status", [block("Block2", 4, 0, 64)]).text).toBe("2.05 2:4/0/64 44");
  });

  test("figure 6: a lost ACK", () => {
    const { peer, requests } = status();
    const client = peer();
    ask(client, "GET", "status", []);
    const message = {
      confirmable: true,
      code: "GET",
      messageId: 7,
      options: [...path("status"), block("Block2", 1, 0, 128)],
    };
    client.say(message);
    const first = client.takeBytes();
    client.say(message);
    expect(client.takeBytes()).toEqual(first);
    expect(requests).toHaveLength(1);
  });

  test("a block larger than ours is answered by ours", () => {
    const { peer } = status();
    expect(ask(peer(), "GET", "status", [block("Block2", 0, 0, 1024)]).text).toBe("2.05 2:0/1/128 128");
  });

  test("any block may be asked for first; behind the end is 4.00", () => {
    const { peer, requests } = status();
    const client = peer();
    expect(ask(client, "GET", "status", [block("Block2", 2, 0, 128)]).text).toBe("2.05 2:2/0/128 44");
    expect(ask(client, "GET", "status", [block("Block2", 1, 0, 128)]).text).toBe("2.05 2:1/1/128 128");
    expect(ask(client, "GET", "status", [block("Block2", 3, 0, 128)]).answer.code).toBe("4.00");
    expect(requests).toHaveLength(1);
    expect(ask(peer(2), "GET", "status", [block("Block2", 3, 0, 128)]).answer.code).toBe("4.00");
  });

  test("one block asked for of what fits one is given as a block", () => {
    const { peer, open } = server(() => ({ code: 0x45, payload: bytesOf("hi") }));
    expect(ask(peer(), "GET", "a", [block("Block2", 0, 0, 64)]).text).toBe("2.05 2:0/0/64 2");
    expect(open("transfers")).toBe(0); // nothing is left to ask for
  });

  test("the body is the one of the first block, until it begins again", () => {
    let version = 0;
    const { peer } = server(() => ({ code: 0x45, payload: new Uint8Array(200).fill(++version) }), { blockSize: 128 });
    const client = peer();
    const first = ask(client, "GET", "a", []).answer;
    const second = ask(client, "GET", "a", [block("Block2", 1, 0, 128)]).answer;
    expect([first.payload[0], second.payload[0], numberOf(first, "ETag")]).toEqual([1, 1, numberOf(second, "ETag")]);
    const again = ask(client, "GET", "a", []).answer;
    expect([again.payload[0], numberOf(again, "ETag") === numberOf(first, "ETag")]).toEqual([2, false]);
  });

  test("bodies of different peers, paths, queries and formats are not mixed up", () => {
    let made = 0;
    const { peer } = server(() => ({ code: 0x45, payload: new Uint8Array(200).fill(++made) }), { blockSize: 128 });
    const [one, two] = [peer(1), peer(2)];
    const query: NamedOption = { name: "Uri-Query", value: Buffer.from("x") };
    const accept: NamedOption = { name: "Accept", value: uint(60) };
    const kinds: [RawPeer, string, NamedOption[]][] = [
      [one, "a", []],
      [two, "a", []],
      [one, "b", []],
      [one, "a", [query]],
      [one, "a", [accept]],
    ];
    for (const [client, uri, options] of kinds) ask(client, "GET", uri, options);
    expect(
      kinds
        .slice(0, 4)
        .map(
          ([client, uri, options]) =>
            ask(client, "GET", uri, [...options, block("Block2", 1, 0, 128)]).answer.payload[0],
        ),
    ).toEqual([1, 2, 3, 4]);
  });

  test("a body that nobody goes on with is dropped", async () => {
    const { peer, clock, open, requests } = status();
    const client = peer();
    ask(client, "GET", "status", []);
    expect(open("transfers")).toBe(1);
    await clock.advance(600_000);
    expect(open("transfers")).toBe(0);
    expect(ask(client, "GET", "status", [block("Block2", 1, 0, 128)]).text).toBe("2.05 2:1/1/128 128"); // asked anew
    expect(requests).toHaveLength(2);
  });

  test("a body that is too old but not swept away yet is asked for anew", async () => {
    const { peer, clock, requests } = status();
    ask(peer(2), "GET", "status", []); // starts the sweep
    await clock.advance(200_000);
    ask(peer(), "GET", "status", []);
    await clock.advance(247_001);
    expect(ask(peer(), "GET", "status", [block("Block2", 1, 0, 128)]).text).toBe("2.05 2:1/1/128 128");
    expect(requests).toHaveLength(3);
  });

  test("of a POST it cannot be asked anew: 4.08", async () => {
    const { peer, clock, requests } = status();
    const client = peer();
    expect(ask(client, "POST", "a", []).text).toBe("2.05 2:0/1/128 128");
    expect(ask(client, "POST", "a", [block("Block2", 1, 0, 128)]).text).toBe("2.05 2:1/1/128 128");
    await clock.advance(600_000);
    expect(ask(client, "POST", "a", [block("Block2", 2, 0, 128)]).answer.code).toBe("4.08");
    expect(requests).toHaveLength(1);
  });
});

describe("RFC 7959 §3.2, as the server", () => {
  const body = pattern(300);
  const options = (settings = {}) => server(({ payload }) => ({ code: payload.length > 0 ? 0x44 : 0x80 }), settings);
  const put = (client: RawPeer, num: number, more: 0 | 1, size: number, extra: NamedOption[] = [], uri = "options") =>
    ask(client, "PUT", uri, [block("Block1", num, more, size), ...extra], part(body, num, size)).text;

  test("figure 7: an atomic PUT", () => {
    const { peer, requests } = options();
    const client = peer();
    expect([put(client, 0, 1, 128), put(client, 1, 1, 128)]).toEqual(["2.31 1:0/1/128 0", "2.31 1:1/1/128 0"]);
    expect(requests).toHaveLength(0);
    expect(put(client, 2, 0, 128)).toBe("2.04 1:2/0/128 0");
    expect(requests.map(({ payload }) => payload)).toEqual([body]);
  });

  test("figure 9: with negotiation", () => {
    const { peer, requests } = options({ blockSize: 32 });
    const client = peer();
    expect(put(client, 0, 1, 128)).toBe("2.31 1:0/1/32 0");
    for (let num = 4; num < 9; num++) expect(put(client, num, 1, 32)).toBe(`2.31 1:${num}/1/32 0`);
    expect(put(client, 9, 0, 32)).toBe("2.04 1:9/0/32 0");
    expect(requests[0]?.payload).toEqual(body);
  });

  test("a doubled block is taken once, under its old message id or a new one", () => {
    const { peer, requests } = options();
    const client = peer();
    put(client, 0, 1, 128);
    put(client, 1, 1, 128);
    put(client, 1, 1, 128);
    put(client, 2, 0, 128);
    expect(requests.map(({ payload }) => payload)).toEqual([body]);
  });

  test("the last block again gets the answer again, and is not handled twice", () => {
    const { peer, requests } = options();
    const client = peer();
    put(client, 0, 1, 256);
    const message = {
      confirmable: true,
      code: "PUT",
      messageId: 9,
      options: [...path("options"), block("Block1", 1, 0, 256)],
      payload: Buffer.from(part(body, 1, 256)),
    };
    client.say(message);
    const first = client.takeBytes();
    client.say(message);
    expect(client.takeBytes()).toEqual(first);
    expect(requests).toHaveLength(1);
  });

  test("beginning again takes the place of what was there (§2.5)", () => {
    const { peer, requests } = options();
    const client = peer();
    put(client, 0, 1, 128);
    put(client, 1, 1, 128);
    put(client, 0, 1, 128);
    put(client, 1, 1, 128);
    put(client, 2, 0, 128);
    expect(requests.map(({ payload }) => payload)).toEqual([body]);
  });

  test("a block that is missing is 4.08 (§2.9.2)", () => {
    const { peer, requests } = options();
    const client = peer();
    expect(put(client, 1, 1, 128)).toMatch(/^4\.08 /);
    put(client, 0, 1, 128);
    expect(put(client, 2, 0, 128)).toMatch(/^4\.08 /);
    put(client, 0, 1, 128);
    expect(put(client, 1, 1, 128, [{ name: "Content-Format", value: uint(42) }])).toMatch(/^4\.08 /);
    expect(requests).toHaveLength(0);
  });

  test("a transfer that nobody goes on with is dropped: 4.08", async () => {
    const { peer, clock, open } = options();
    const client = peer();
    put(client, 0, 1, 128);
    expect(open("transfers")).toBe(1);
    await clock.advance(600_000);
    expect([open("transfers"), put(client, 1, 1, 128).slice(0, 4)]).toEqual([0, "4.08"]);
  });

  test("too large is 4.13 with the size that would do, as soon as it is known (§2.9.3, §4)", () => {
    const { peer, open } = options({ maxRequestBodyBytes: 299 });
    const client = peer();
    const announced = ask(
      client,
      "PUT",
      "a",
      [block("Block1", 0, 1, 128), { name: "Size1", value: uint(300) }],
      part(body, 0, 128),
    );
    expect([announced.answer.code, numberOf(announced.answer, "Size1")]).toEqual(["4.13", 299]);
    put(client, 0, 1, 128);
    put(client, 1, 1, 128);
    expect(put(client, 2, 0, 128)).toMatch(/^4\.13 /);
    const whole = ask(client, "PUT", "a", [], body);
    expect([whole.answer.code, numberOf(whole.answer, "Size1"), open("transfers")]).toEqual(["4.13", 299, 0]);
  });

  test("a block that is not full, and says more, is 4.00", () => {
    const { peer } = options();
    expect(ask(peer(), "PUT", "a", [block("Block1", 0, 1, 128)], part(body, 0, 64)).answer.code).toBe("4.00");
  });

  test("transfers to different resources go on side by side", () => {
    const { peer, requests } = options();
    const client = peer();
    for (const uri of ["a", "b"]) put(client, 0, 1, 256, [], uri);
    for (const uri of ["a", "b"]) put(client, 1, 0, 256, [], uri);
    expect(requests.map(({ path: segments, payload }) => [segments[0], payload])).toEqual([
      ["a", body],
      ["b", body],
    ]);
  });

  test("are bounded per peer: the one that was idle longest makes room", () => {
    const { peer, open } = options({ maxTransfersPerPeer: 2 });
    const client = peer();
    for (const uri of ["a", "b", "c"]) put(client, 0, 1, 256, [], uri);
    expect(open("transfers")).toBe(2);
    expect([put(client, 1, 0, 256, [], "b"), put(client, 1, 0, 256, [], "a").slice(0, 4)]).toEqual([
      "2.04 1:1/0/256 0",
      "4.08",
    ]);
  });

  test("of strangers cannot push out those of known devices", () => {
    const { peer, count, requests } = options({ maxStrangerTransferBytes: 10_000, maxTransferBytes: 10_000 });
    const device = peer(1, 17);
    put(device, 0, 1, 256);
    for (let port = 2; port < 500; port++) put(peer(port), 0, 1, 256);
    expect(count("islet_coap_transfer_bytes")).toBeLessThanOrEqual(11_024);
    expect(put(device, 1, 0, 256)).toBe("2.04 1:1/0/256 0");
    expect(requests).toHaveLength(1);
  });

  test("go on at a new address, and end with their peer", () => {
    const { peer, endpoint, open, requests } = options();
    const [from, to] = [peer(1), peer(2)];
    put(from, 0, 1, 256);
    endpoint.redirect(from, to);
    expect(put(to, 1, 0, 256)).toBe("2.04 1:1/0/256 0");
    put(to, 0, 1, 256);
    endpoint.abandon(to);
    expect([requests.length, open("transfers")]).toEqual([1, 0]);
  });
});

test("figures 10 and 11: both directions, with early negotiation", () => {
  for (const early of [[], [block("Block2", 0, 0, 64)]]) {
    const size = early.length > 0 ? 64 : 128;
    const { peer, requests } = server(({ payload }) => ({ code: 0x44, payload: payload.toReversed() }), {
      blockSize: 128,
    });
    const client = peer();
    const body = pattern(300);
    for (const num of [0, 1]) ask(client, "POST", "soap", [block("Block1", num, 1, 128)], part(body, num, 128));
    const first = ask(client, "POST", "soap", [block("Block1", 2, 0, 128), ...early], part(body, 2, 128));
    expect(first.text).toBe(`2.04 1:2/0/128 2:0/1/${size} ${size}`);
    const parts = [first.answer.payload];
    for (let num = 1; num * size < 300; num++)
      parts.push(ask(client, "POST", "soap", [block("Block2", num, 0, size)]).answer.payload);
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(body.toReversed());
    expect(requests).toHaveLength(1);
  }
});

/** Answers like a server by the book, with what the test wants to be different. */
function device(peer: RawPeer, resource: Uint8Array, settings: { size: number; etag?: () => number }) {
  const seen: string[] = [];
  const received: Buffer[] = [];
  const answerNext = (how: { code?: string; options?: NamedOption[]; payload?: Uint8Array } = {}) => {
    const request = peer.take();
    const blocks = (["Block1", "Block2"] as const)
      .map((name) => blockOf(request, name))
      .filter((it) => it !== undefined);
    const format = numberOf(request, "Content-Format");
    seen.push(
      [request.code, ...blocks, request.payload.length, ...(format === undefined ? [] : [`ct=${format}`])].join(" "),
    );
    const asked = numberOf(request, "Block2") ?? 0;
    const size = Math.min(
      settings.size,
      request.options.some(({ name }) => name === "Block2") ? 2 ** ((asked & 7) + 4) : settings.size,
    );
    const offset = (asked >> 4) * 2 ** ((asked & 7) + 4);
    const payload = resource.subarray(offset, offset + size);
    const more = offset + payload.length < resource.length ? 1 : 0;
    const options: NamedOption[] = [
      { name: "ETag", value: uint(settings.etag?.() ?? 1) },
      block("Block2", offset / size, more, size),
    ];
    received.push(request.payload);
    peer.say({
      ack: true,
      code: "2.05",
      messageId: request.messageId,
      token: request.token,
      options,
      payload: Buffer.from(payload),
      ...how,
    } as Parameters<RawPeer["say"]>[0]);
    return request;
  };
  return { seen, received, answerNext };
}

describe("RFC 7959, as the client", () => {
  const body = pattern(300);
  const GET: OutgoingRequest = { method: "get", path: ["status"] };

  test("figure 2: a GET in blocks", async () => {
    const { endpoint, peer, open } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, GET);
    const { seen, answerNext } = device(server, body, { size: 128 });
    for (let n = 0; n < 3; n++) answerNext();
    expect(seen).toEqual(["0.01 0", "0.01 2:1/0/128 0", "0.01 2:2/0/128 0"]);
    expect(await outcome).toMatchObject({ kind: "response", response: { payload: body } });
    expect(open("peers")).toBe(0);
  });

  test("figure 4: late negotiation, when its blocks are smaller", async () => {
    const { endpoint, peer } = lockstep({ settings: { blockSize: 64 } });
    const server = peer();
    const outcome = endpoint.request(server, GET);
    const { seen, answerNext } = device(server, body, { size: 128 });
    for (let n = 0; n < 4; n++) answerNext();
    expect(seen).toEqual(["0.01 0", "0.01 2:2/0/64 0", "0.01 2:3/0/64 0", "0.01 2:4/0/64 0"]);
    expect(await outcome).toMatchObject({ response: { payload: body } });
  });

  test("figure 7: a PUT in blocks; its format goes with every block", async () => {
    const { endpoint, peer } = lockstep({ settings: { blockSize: 128 } });
    const server = peer();
    const told: string[] = [];
    const outcome = endpoint.request(
      server,
      { method: "put", path: ["options"], contentFormat: 42, payload: body },
      { acknowledged: () => told.push("yes") },
    );
    const { seen, received, answerNext } = device(server, body, { size: 128 });
    answerNext({ code: "2.31", options: [block("Block1", 0, 1, 128)], payload: Buffer.alloc(0) });
    answerNext({ code: "2.31", options: [block("Block1", 1, 1, 128)], payload: Buffer.alloc(0) });
    expect(told).toEqual([]);
    answerNext({ code: "2.04", options: [block("Block1", 2, 0, 128)], payload: Buffer.alloc(0) });
    expect(seen).toEqual(["0.03 1:0/1/128 128 ct=42", "0.03 1:1/1/128 128 ct=42", "0.03 1:2/0/128 44 ct=42"]);
    expect(new Uint8Array(Buffer.concat(received))).toEqual(body);
    expect(await outcome).toMatchObject({ response: { code: 0x44 } });
    expect(told).toEqual(["yes"]);
  });

  test("figure 9: with smaller blocks from the second on", async () => {
    const { endpoint, peer } = lockstep({ settings: { blockSize: 128 } });
    const server = peer();
    void endpoint.request(server, { method: "put", path: ["options"], payload: body });
    const { seen, answerNext } = device(server, body, { size: 128 });
    answerNext({ code: "2.31", options: [block("Block1", 0, 1, 32)], payload: Buffer.alloc(0) });
    answerNext({ code: "2.31", options: [block("Block1", 4, 1, 32)], payload: Buffer.alloc(0) });
    answerNext();
    expect(seen).toEqual(["0.03 1:0/1/128 128", "0.03 1:4/1/32 32", "0.03 1:5/1/32 32"]);
  });

  test("4.13 with a smaller size begins again with that; without, it is the answer", async () => {
    const { endpoint, peer } = lockstep({ settings: { blockSize: 128 } });
    const server = peer();
    const outcome = endpoint.request(server, { method: "put", path: ["options"], payload: body });
    const { seen, answerNext } = device(server, body, { size: 128 });
    answerNext({ code: "4.13", options: [block("Block1", 0, 1, 64)], payload: Buffer.alloc(0) });
    answerNext({ code: "4.13", options: [{ name: "Size1", value: uint(10) }], payload: Buffer.alloc(0) });
    expect(seen).toEqual(["0.03 1:0/1/128 128", "0.03 1:0/1/64 64"]);
    expect(await outcome).toMatchObject({ response: { code: 0x8d } });
  });

  test("figure 10: both directions; a body is not sent again, its format neither", async () => {
    const { endpoint, peer } = lockstep({ settings: { blockSize: 256 } });
    const server = peer();
    const outcome = endpoint.request(server, { method: "post", path: ["soap"], contentFormat: 42, payload: body });
    const { seen, answerNext } = device(server, body.toReversed(), { size: 128 });
    answerNext({ code: "2.31", options: [block("Block1", 0, 1, 256)], payload: Buffer.alloc(0) });
    answerNext({
      ...{ code: "2.04", options: [block("Block1", 1, 0, 256), block("Block2", 0, 1, 128)] },
      payload: Buffer.from(part(body.toReversed(), 0, 128)),
    });
    for (const num of [1, 2])
      answerNext({
        options: [block("Block2", num, num < 2 ? 1 : 0, 128)],
        payload: Buffer.from(part(body.toReversed(), num, 128)),
      });
    expect(seen).toEqual([
      "0.02 1:0/1/256 256 ct=42",
      "0.02 1:1/0/256 44 ct=42",
      "0.02 2:1/0/128 0",
      "0.02 2:2/0/128 0",
    ]);
    expect(await outcome).toMatchObject({ response: { payload: body.toReversed() } });
  });

  test("a resource that changes under way begins again, not for ever", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    const changing = endpoint.request(server, GET);
    let etag = 1;
    const first = device(server, body, { size: 128, etag: () => etag });
    first.answerNext();
    etag = 2;
    for (let n = 0; n < 4; n++) first.answerNext();
    expect(first.seen.slice(1)).toEqual([
      "0.01 2:1/0/128 0",
      "0.01 2:0/0/128 0",
      "0.01 2:1/0/128 0",
      "0.01 2:2/0/128 0",
    ]);
    expect(await changing).toMatchObject({ response: { payload: body } });
    const unsteady = endpoint.request(server, GET);
    const second = device(server, body, { size: 128, etag: () => etag++ });
    while (server.received.length > 0) second.answerNext();
    expect(await unsteady).toEqual({ kind: "failed", reason: "changed" });
  });

  test("a POST never begins again: it would be done twice", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, { method: "post", path: ["a"] });
    let etag = 1;
    const { seen, answerNext } = device(server, body, { size: 128, etag: () => etag++ });
    while (server.received.length > 0) answerNext();
    expect(seen).toHaveLength(2);
    expect(await outcome).toEqual({ kind: "failed", reason: "changed" });
  });

  test("what FETCH asks goes with every block", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    void endpoint.request(server, { method: "fetch", path: [], contentFormat: 110, payload: bytesOf("[q]") });
    const { seen, answerNext } = device(server, body, { size: 128 });
    for (let n = 0; n < 3; n++) answerNext();
    expect(seen).toEqual(["0.05 3 ct=110", "0.05 2:1/0/128 3 ct=110", "0.05 2:2/0/128 3 ct=110"]);
  });

  const BROKEN: [
    what: string,
    how: NonNullable<Parameters<ReturnType<typeof device>["answerNext"]>[0]>,
    reason: string,
  ][] = [
    [
      "another block than was asked for",
      { options: [block("Block2", 2, 1, 128)], payload: Buffer.alloc(128) },
      "unexpectedBlock",
    ],
    [
      "a block that is not full",
      { options: [block("Block2", 0, 1, 128)], payload: Buffer.alloc(100) },
      "unexpectedBlock",
    ],
    ["a reserved size", { options: [{ name: "Block2", value: uint(7) }] }, "unexpectedBlock"],
    ["a reserved size of Block1", { options: [{ name: "Block1", value: uint(7) }] }, "unexpectedBlock"],
    [
      "too much announced",
      { options: [block("Block2", 0, 1, 128), { name: "Size2", value: uint(65_537) }], payload: Buffer.alloc(128) },
      "tooLarge",
    ],
  ];
  test.each(BROKEN)("a response with %s has failed", async (_what, how, reason) => {
    const { endpoint, peer, open } = lockstep();
    const server = peer();
    const outcome = endpoint.request(server, GET);
    device(server, body, { size: 128 }).answerNext(how);
    expect(await outcome).toEqual({ kind: "failed", reason });
    expect(open("peers")).toBe(0);
  });

  test("a body that grows over the limit has failed", async () => {
    const { endpoint, peer } = lockstep({ settings: { maxResponseBodyBytes: 256 } });
    const server = peer();
    const outcome = endpoint.request(server, GET);
    const { answerNext } = device(server, body, { size: 128 });
    while (server.received.length > 0) answerNext();
    expect(await outcome).toEqual({ kind: "failed", reason: "tooLarge" });
  });

  test("a transfer keeps its turn to the end, and ends when a block is not acknowledged", async () => {
    const { endpoint, peer, clock } = lockstep({ settings: { ackRandomFactor: 1 } });
    const server = peer();
    const transfer = endpoint.request(server, GET);
    const next = endpoint.request(server, { method: "get", path: ["next"] });
    const { seen, answerNext } = device(server, body, { size: 128 });
    answerNext();
    await clock.advance(62_000);
    expect(await transfer).toEqual({ kind: "noAcknowledgement" });
    expect(server.received).toHaveLength(5 + 1);
    server.received.splice(0, 5);
    answerNext({ code: "2.05", options: [], payload: Buffer.alloc(0) });
    expect(await next).toMatchObject({ kind: "response" });
    expect(seen).toEqual(["0.01 0", "0.01 0"]);
  });

  test("a first block in a separate response: the others wait for their turn, before anything new", async () => {
    const { endpoint, peer } = lockstep();
    const server = peer();
    const transfer = endpoint.request(server, { ...GET, token: bytesOf("t1") });
    void endpoint.request(server, { method: "get", path: ["b"], token: bytesOf("t2") });
    void endpoint.request(server, { method: "get", path: ["c"], token: bytesOf("t3") });
    server.say({ ack: true, code: "0.00", messageId: server.take().messageId });
    const second = server.take();
    server.say({
      confirmable: true,
      code: "2.05",
      messageId: 5,
      token: Buffer.from("t1"),
      options: [block("Block2", 0, 1, 128)],
      payload: Buffer.from(part(body, 0, 128)),
    });
    server.expect("60 00 0005");
    server.expectNothing();
    server.say({ ack: true, code: "2.05", messageId: second.messageId, token: second.token });
    const { seen, answerNext } = device(server, body, { size: 128, etag: () => 0 });
    for (const num of [1, 2]) answerNext({ options: [block("Block2", num, num < 2 ? 1 : 0, 128)] });
    expect(seen).toEqual(["0.01 2:1/0/128 0", "0.01 2:2/0/128 0"]);
    expect(await transfer).toMatchObject({ response: { payload: body } });
    expect(server.take().token.toString()).toBe("t3");
  });
});

describe("§2.6, figure 12: a notification in blocks", () => {
  const body = pattern(300);
  const icon: OutgoingRequest = { method: "get", path: ["status-icon"], observe: 0, token: bytesOf("fb") };
  const notify = (server: RawPeer, payload: Uint8Array, options: NamedOption[]) =>
    server.say({
      ...{ confirmable: true, code: "2.05", messageId: 0xaf9c, token: Buffer.from("fb") },
      options: [{ name: "Observe", value: uint(62_354) }, { name: "ETag", value: uint(1) }, ...options],
      payload: Buffer.from(payload),
    });

  function observer() {
    const outcomes: ReturnType<typeof step.endpoint.completeBlock2>[] = [];
    const step = lockstep({
      handlers: {
        notification(from, view) {
          outcomes.push(step.endpoint.completeBlock2(from, icon, view));
          return "acknowledge";
        },
      },
    });
    return { ...step, outcomes };
  }

  test("is completed without Observe and under other tokens", async () => {
    const { peer, outcomes } = observer();
    const server = peer();
    notify(server, part(body, 0, 128), [block("Block2", 0, 1, 128)]);
    const { seen, answerNext } = device(server, body, { size: 128 });
    // Ours leaves while the notification is handled, its ACK behind it: both are under way at once.
    const [first, ack] = server.received.splice(0);
    expect(ack?.toHex()).toBe("6000af9c");
    server.received.push(first as Uint8Array);
    const requests = [answerNext(), answerNext()];
    expect(seen).toEqual(["0.01 2:1/0/128 0", "0.01 2:2/0/128 0"]);
    for (const { token, options } of requests) {
      expect(token.toString()).not.toBe("fb");
      expect(options.map(({ name }) => name)).toEqual(["Uri-Path", "Block2"]);
    }
    expect(await outcomes[0]).toMatchObject({ kind: "response", response: { payload: body, observe: 62_354 } });
  });

  test("that is whole is there at once", async () => {
    const { peer, outcomes, open } = observer();
    const server = peer();
    notify(server, bytesOf("small"), []);
    server.expect("60 00 af9c");
    expect(await outcomes[0]).toMatchObject({
      kind: "response",
      response: { payload: bytesOf("small"), observe: 62_354 },
    });
    expect(open("peers")).toBe(0);
  });
});
