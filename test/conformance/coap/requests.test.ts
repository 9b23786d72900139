import { describe, expect, test } from "bun:test";
import type { IncomingRequest, OutgoingResponse } from "../../../src/access/coap/coap-endpoint";
import { bytesOf, hex, lockstep, numberOf, path, textOf, typeOf } from "./lockstep";

type Answer = (request: IncomingRequest) => OutgoingResponse | Promise<OutgoingResponse>;

function server(answer: Answer, settings = {}) {
  const requests: IncomingRequest[] = [];
  return {
    requests,
    ...lockstep({
      handlers: {
        request(_peer, request) {
          requests.push(request);
          return answer(request);
        },
      },
      settings,
    }),
  };
}
const OK: OutgoingResponse = { code: 0x44 };

test("a request arrives whole, and as a copy", async () => {
  const { peer, requests } = server(() => OK);
  // POST /rd?lwm2m=1.0&ep=aa, Content-Format 40, Accept 60, Observe 0, "</0>"
  peer().say("44 02 0001 a1b2c3d4 60 52 7264 11 28 39 6c776d326d3d312e30 05 65703d6161 21 3c ff 3c2f303e");
  await Bun.sleep(0);
  expect(requests).toEqual([
    {
      code: 0x02,
      confirmable: true,
      path: ["rd"],
      query: ["lwm2m=1.0", "ep=aa"],
      contentFormat: 40,
      accept: 60,
      observe: 0,
      payload: bytesOf("</0>"),
    },
  ]);
});

test("a response carries Location-Path, Content-Format and Max-Age", () => {
  const { peer } = server(() => ({
    code: 0x41,
    locationPath: ["rd", "5a3f"],
    contentFormat: 0,
    maxAgeSeconds: 30,
    payload: bytesOf("x"),
  }));
  const client = peer();
  client.say("40 02 0001");
  client.expect("60 41 0001 82 7264 04 35613366 40 21 1e ff 78");
});

test.each(["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"] as const)(
  "%s reaches the layer above",
  (code) => {
    const { peer, requests } = server(() => OK);
    peer().say({ confirmable: true, code, messageId: 1 });
    expect(requests).toHaveLength(1);
  },
);

test("a method that nobody knows is 4.05 (§5.8), once for each message", () => {
  const { peer, requests } = server(() => OK);
  const client = peer();
  client.say("41 08 0001 77");
  const answer = client.take();
  expect([typeOf(answer), answer.code, answer.token.toString()]).toEqual(["ack", "4.05", "w"]);
  client.say("51 1f 0002 77");
  expect(client.take().code).toBe("4.05");
  expect(requests).toEqual([]);
});

describe("options (§5.4)", () => {
  const ROWS: [what: string, options: string, code: string | undefined][] = [
    ["an unknown critical one is 4.02 (§5.4.1)", "d1 fc 01" /* 265 */, "4.02"],
    ["an unknown elective one is ignored", "e1 0003 01" /* 272 */, "2.04"],
    ["If-Match, which we do not act on, is 4.02", "11 01", "4.02"],
    ["If-None-Match is 4.02", "50", "4.02"],
    ["Proxy-Uri is 5.05 (§5.10.2)", "d3 16 636f61" /* 35 */, "5.05"],
    ["Proxy-Scheme is 5.05", "d4 1a 636f6170" /* 39 */, "5.05"],
    ["Uri-Host and Uri-Port are understood", "31 68 42 1633", "2.04"],
    ["a critical one that is too long is as if unknown (§5.4.3)", "73 010203", "4.02"],
    ["a critical one that comes twice is as if unknown (§5.4.5)", "31 68 01 69", "4.02"],
    ["an elective one that is too long is ignored", "c3 010203", "2.04"],
    ["a path that is not UTF-8 is 4.00", "b2 c328", "4.00"],
    ["a query that is not UTF-8 is 4.00", "d2 02 c328", "4.00"],
    ["Block2 of the reserved size is 4.00 (RFC 7959 §2.2)", "d1 0a 07", "4.00"],
    ["Block1 of the reserved size is 4.00", "d1 0e 07", "4.00"],
  ];
  test.each(ROWS)("%s", (_what, options, code) => {
    const { peer } = server(() => OK);
    const client = peer();
    client.say(`40 02 0001 ${options}`);
    const answer = client.take();
    expect(answer.code).toBe(code as string);
    if (code?.startsWith("4")) expect(answer.payload.length).toBeGreaterThan(0); // §5.5.2
  });

  test("an unknown critical one in a NON ends it silently (§5.4.1, §4.3)", () => {
    const { peer, requests } = server(() => OK);
    const client = peer();
    client.say("50 02 0001 11 01");
    client.expectNothing();
    expect(requests).toEqual([]);
  });

  test("the diagnostic payload names the option", () => {
    const { peer } = server(() => OK);
    const client = peer();
    client.say("40 02 0001 11 01");
    client.expect(`60 82 0001 ff ${bytesOf("option 1 is not understood").toHex()}`);
  });
});

describe("answers that take time (§5.2)", () => {
  const later = () => {
    const { promise, resolve, reject } = Promise.withResolvers<OutgoingResponse>();
    return Object.assign(
      server(() => promise),
      { resolve, reject },
    );
  };

  test("go into the ACK when they are quick", async () => {
    const { peer, clock, resolve } = later();
    const client = peer();
    client.say("41 01 0001 77");
    await clock.advance(999);
    resolve(OK);
    await clock.advance(0);
    client.expect("61 44 0001 77");
    await clock.advance(100_000);
    client.expectNothing();
  });

  test("are a NON of their own for a NON, however late", async () => {
    const { peer, clock, resolve } = later();
    const client = peer();
    client.say("51 01 0001 77");
    await clock.advance(50_000);
    client.expectNothing();
    resolve(OK);
    await clock.advance(0);
    const answer = client.take();
    expect([typeOf(answer), answer.code, answer.token.toString()]).toEqual(["non", "2.04", "w"]);
  });

  test.each([0, 2_000])("that fail after %d ms are 5.00, and logged", async (afterMs) => {
    const { peer, clock, reject, faults } = later();
    const client = peer();
    client.say("41 01 0001 77");
    await clock.advance(afterMs);
    reject(new Error("disk full"));
    await clock.advance(0);
    const answers = client.received.splice(0).map((datagram) => datagram[1]);
    expect(answers).toEqual(afterMs === 0 ? [0xa0] : [0, 0xa0]);
    expect(faults).toEqual(["coapRequestFailed disk full"]);
  });

  test("wait for their turn when a request of ours is under way", async () => {
    const { peer, clock, resolve, endpoint } = later();
    const client = peer();
    void endpoint.request(client, { method: "get", path: [] });
    const { messageId } = client.take();
    client.say("41 01 0001 77");
    await clock.advance(1_000);
    client.expect("60 00 0001");
    resolve(OK);
    await clock.advance(0);
    client.expectNothing();
    client.say({ ack: true, code: "0.00", messageId });
    expect(client.take().code).toBe("2.04");
  });

  test("are bounded: beyond it 5.03, also per peer", async () => {
    const never = new Promise<OutgoingResponse>(() => {});
    const { peer, requests, open } = server(() => never, { maxAnsweringPerPeer: 2, maxStrangerAnswering: 3 });
    const [one, two, session] = [peer(1), peer(2), peer(3, 17)];
    for (const id of ["01", "02", "03"]) one.say(`40 02 00${id}`);
    expect(one.take().code).toBe("5.03");
    two.say("40 02 0001");
    two.say("40 02 0002");
    expect(two.take().code).toBe("5.03");
    two.say("50 02 0003"); // a NON over the limit is dropped
    two.expectNothing();
    session.say("40 02 0001"); // known peers have a limit of their own
    session.expectNothing();
    expect([requests.length, open("answering")]).toEqual([4, 4]);
  });
});

test("a handler that throws is answered 5.00 and logged, and nothing escapes", () => {
  const { peer, faults } = server(() => {
    throw new Error("a bug");
  });
  const client = peer();
  client.say("41 01 0001 77");
  expect(client.take().code).toBe("5.00");
  expect(faults).toEqual(["coapRequestFailed a bug"]);
});

test.each<[string, OutgoingResponse]>([
  ["a location too long", { code: 0x41, locationPath: ["x".repeat(256)] }],
  ["a location of too many segments", { code: 0x41, locationPath: Array(60).fill("x") }],
  ["no response code", { code: 0x01 }],
  ["a body over the limit", { code: 0x45, payload: new Uint8Array(2_000) }],
  ["an error with a body that does not fit", { code: 0x80, payload: new Uint8Array(1_500) }],
])("an answer with %s is 5.00 and logged", (_what, response) => {
  const { peer, faults } = server(() => response, { maxServedBodyBytes: 1_999 });
  const client = peer();
  client.say("41 01 0001 77");
  expect(client.take().code).toBe("5.00");
  expect(faults).toHaveLength(1);
});

test("a diagnostic text is cut where a character ends", () => {
  const { peer } = server(() => ({ code: 0x80, diagnostic: "ä".repeat(100) }), { blockSize: 33 });
  const client = peer();
  client.say("40 01 0001");
  expect(textOf(client.take().payload)).toBe("ä".repeat(16)); // a block has 32 bytes then
});

describe("sent", () => {
  test("is called once, behind the response, also when that was lost", async () => {
    const order: string[] = [];
    const { peer, endpoint } = server((request) => ({
      ...OK,
      sent: () => {
        order.push(`${request.path.join("/")} sent`);
        void endpoint.request(client, { method: "get", path: ["t", "d"], observe: 0 });
      },
    }));
    const client = peer();
    client.say("40 02 0001 b1 74 01 72");
    client.say("40 02 0001 b1 74 01 72");
    expect(order).toEqual(["t/r sent"]);
    client.expect("60 44 0001");
    expect(client.take().code).toBe("0.01"); // the observation leaves with no time between
    client.expect("60 44 0001");
  });

  test("may throw without harm", () => {
    const { peer, faults } = server(() => ({
      ...OK,
      sent: () => {
        throw new Error("a bug");
      },
    }));
    const client = peer();
    client.say("40 02 0001");
    client.expect("60 44 0001");
    expect(faults).toEqual(["coapFault a bug"]);
  });
});

describe("No-Response (RFC 7967)", () => {
  const ROWS: [value: string, type: "con" | "non", code: number, answer: string | undefined][] = [
    ["d1 f5 02" /* 2.xx */, "con", 0x44, "60 00 0001"],
    ["d1 f5 02", "con", 0x84, "60 84 0001"],
    ["d1 f5 1a" /* all */, "con", 0x84, "60 00 0001"],
    ["d1 f5 1a", "non", 0x44, undefined],
    ["d0 f5" /* none */, "con", 0x44, "60 44 0001"],
  ];
  test.each(ROWS)("%s of a %s request with a response of %d", (value, type, code, answer) => {
    const told: string[] = [];
    const { peer } = server(() => ({ code, sent: () => told.push("sent") }));
    const client = peer();
    client.say(`${type === "con" ? "40" : "50"} 02 0001 ${value}`);
    if (answer) client.expect(answer);
    client.expectNothing();
    expect(told).toEqual(["sent"]);
  });
});

test("Observe in a request is told, and the response has none: we are not observed", () => {
  const { peer, requests } = server(() => ({ code: 0x45, payload: bytesOf("1") }));
  const client = peer();
  client.say("41 01 0001 77 60");
  expect(numberOf(client.take(), "Observe")).toBeUndefined();
  expect(requests[0]?.observe).toBe(0);
});

test("a request in a buffer that is used again is not torn by it", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { peer, clock } = server(({ payload, path: segments }) =>
    promise.then(() => ({ code: 0x44, payload: bytesOf(`${segments.join("/")} ${textOf(payload)}`) })),
  );
  const client = peer();
  client.say({
    confirmable: true,
    code: "PUT",
    messageId: 1,
    token: Buffer.from("tok"),
    options: path("a/b"),
    payload: Buffer.from("body"),
  });
  resolve();
  await clock.advance(0);
  await clock.advance(0);
  const answer = client.take();
  expect([answer.token.toString(), answer.payload.toString()]).toEqual(["tok", "a/b body"]);
});

test("what arrives while something is handled has a view of its own", () => {
  const { peer, requests, endpoint } = server((request) => {
    if (request.path[0] === "outer") other.say("40 01 0002 b5 696e6e6572");
    return { code: 0x45, payload: bytesOf(request.path.join()) };
  });
  const client = peer(1);
  const other = peer(2);
  client.say("42 01 0001 abcd b5 6f75746572");
  other.expect(`60 45 0002 ff ${bytesOf("inner").toHex()}`);
  client.expect(`62 45 0001 abcd ff ${bytesOf("outer").toHex()}`);
  expect(requests).toHaveLength(2);
  endpoint.stop();
  client.say("40 01 0003");
  client.expectNothing();
});

test("the bytes of an answer are the layer's to use again", async () => {
  const shared = hex("0102");
  const { peer } = server(() => ({ code: 0x45, payload: shared }));
  const client = peer();
  client.say("40 02 0001");
  shared.fill(0xff);
  client.say("40 02 0001");
  client.expect("60 45 0001 ff 0102");
  client.expect("60 45 0001 ff 0102");
});
