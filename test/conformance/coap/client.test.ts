import { describe, expect, test } from "bun:test";
import type { OutgoingRequest, TransmitOptions } from "../../../src/access/coap/coap-endpoint";
import { bytesOf, hex, lockstep, type RawPeer } from "./lockstep";

const GET: OutgoingRequest = { method: "get", path: ["3", "0"] };
const PATIENCE: TransmitOptions = { ackTimeoutMs: 10_000, maxRetransmit: 3, giveUpAfterMs: 180_000 };
const answer = (peer: RawPeer, code = "2.05") => {
  const { messageId, token } = peer.take();
  peer.say({ ack: true, code, messageId, token });
};

describe("the bytes of a request", () => {
  test("of LwM2M: PUT /19/1/0 (nb-iot.md 4)", () => {
    const { endpoint, peer } = lockstep();
    const device = peer();
    void endpoint.request(device, {
      ...{ method: "put", path: ["19", "1", "0"], contentFormat: 42, payload: hex("0105"), token: hex("2d82") },
    });
    const bytes = device.takeBytes();
    expect(bytes.toHex()).toBe(
      hex(`42 03 ${bytes.subarray(2, 4).toHex()} 2d82 b2 3139 01 31 01 30 11 2a ff 0105`).toHex(),
    );
  });

  test("of TUP: GET /t/d with Observe first (nb-iot.md 2.2)", () => {
    const { endpoint, peer } = lockstep();
    const device = peer();
    void endpoint.request(device, { method: "get", path: ["t", "d"], observe: 0, token: hex("c3a10f77") });
    const bytes = device.takeBytes();
    expect(bytes.toHex()).toBe(hex(`44 01 ${bytes.subarray(2, 4).toHex()} c3a10f77 60 51 74 01 64`).toHex());
  });

  test("with everything: the options in the order of their numbers", () => {
    const { endpoint, peer } = lockstep();
    const device = peer();
    void endpoint.request(device, {
      ...{ method: "fetch", path: ["a"], query: ["x=1", "y"], observe: 0, accept: 60, contentFormat: 110 },
      payload: bytesOf("[]"),
    });
    const { code, token, options, payload } = device.take();
    expect([code, token.length, payload.toString()]).toEqual(["0.05", 8, "[]"]);
    expect(options.map(({ name, value }) => `${name} ${value.toString("latin1")}`)).toEqual([
      ...["Observe ", "Uri-Path a", "Content-Format n", "Uri-Query x=1", "Uri-Query y", "Accept <"],
    ]);
  });

  test("have tokens that differ", () => {
    const { endpoint, peer } = lockstep();
    const tokens = new Set<string>();
    for (let port = 1; port <= 200; port++) {
      const device = peer(port);
      void endpoint.request(device, GET);
      tokens.add(device.take().token.toString("hex"));
    }
    expect(tokens.size).toBe(200);
  });
});

test("a response is told with all of it, as copies", async () => {
  const { endpoint, peer } = lockstep();
  const device = peer();
  const outcome = endpoint.request(device, { ...GET, observe: 0, token: hex("53") });
  const bytes = device.takeBytes();
  device.say(`61 45 ${bytes.subarray(2, 4).toHex()} 53 61 0c 22 7264 01 35 41 28 21 3c ff 6869`);
  expect(await outcome).toEqual({
    kind: "response",
    response: {
      ...{ code: 0x45, payload: bytesOf("hi"), contentFormat: 40, observe: 12, maxAgeSeconds: 60 },
      locationPath: ["rd", "5"],
    },
  });
});

describe("a response with a critical option that we do not know (§5.4.1)", () => {
  test("in a CON is rejected, and the request has failed", async () => {
    const { endpoint, peer } = lockstep();
    const device = peer();
    const outcome = endpoint.request(device, { ...GET, token: hex("53") });
    device.takeBytes();
    device.say("41 45 0007 53 d1 fc 01");
    device.expect("70 00 0007");
    expect(await outcome).toEqual({ kind: "failed", reason: "criticalOption" });
  });
  test("in an ACK ends the request at once: there will be no other answer", async () => {
    const { endpoint, peer, clock } = lockstep();
    const device = peer();
    const outcome = endpoint.request(device, { ...GET, token: hex("53") });
    device.say(`61 45 ${device.takeBytes().subarray(2, 4).toHex()} 53 d1 fc 01`);
    expect(await outcome).toEqual({ kind: "failed", reason: "criticalOption" });
    await clock.advance(100_000);
    device.expectNothing();
  });
});

describe("a request that ends before its response", () => {
  test("is cancelled by its signal, sent or not", async () => {
    const { endpoint, peer, clock, open } = lockstep();
    const device = peer();
    const stop = new AbortController();
    const outcomes = [1, 2].map(() => endpoint.request(device, GET, { signal: stop.signal }));
    device.takeBytes();
    stop.abort();
    expect(await Promise.all(outcomes)).toEqual([{ kind: "cancelled" }, { kind: "cancelled" }]);
    expect(await endpoint.request(device, GET, { signal: stop.signal })).toEqual({ kind: "cancelled" });
    await clock.advance(100_000);
    device.expectNothing();
    expect([open("peers"), open("exchanges"), open("waiting")]).toEqual([0, 0, 0]);
  });

  test("has its late response acknowledged, not rejected", async () => {
    const { endpoint, peer, clock, count } = lockstep();
    const device = peer();
    const stop = new AbortController();
    void endpoint.request(device, { ...GET, token: hex("53") }, { signal: stop.signal });
    device.takeBytes();
    stop.abort();
    device.say("41 45 0007 53 ff 31");
    device.expect("60 00 0007");
    device.say("51 45 0008 53 ff 31");
    device.expectNothing();
    expect(count("islet_coap_messages_total", '{direction="in",type="con",outcome="late_response"}')).toBe(1);
    await clock.advance(247_001);
    device.say("41 45 0009 53 ff 31");
    device.expect("70 00 0009"); // too late even for that
  });

  test("also when it is over on the way through its queue", async () => {
    const { endpoint, peer, open } = lockstep();
    const device = peer();
    void endpoint.request(device, GET);
    const stop = new AbortController();
    const outcome = endpoint.request(device, GET, { signal: stop.signal });
    stop.abort();
    expect(await outcome).toEqual({ kind: "cancelled" });
    answer(device);
    device.expectNothing();
    await Bun.sleep(0);
    expect(open("peers")).toBe(0);
  });
});

test("acknowledged is called once, and a callback that throws does no harm", async () => {
  const { endpoint, peer, faults } = lockstep();
  const device = peer();
  let calls = 0;
  const acknowledged = () => {
    calls++;
    throw new Error("a bug");
  };
  const outcome = endpoint.request(device, { ...GET, token: hex("53") }, { acknowledged });
  const { messageId } = device.take();
  device.say({ ack: true, code: "0.00", messageId });
  device.say({ ack: true, code: "0.00", messageId });
  expect(calls).toBe(1);
  device.say("51 45 0007 53");
  expect(await outcome).toMatchObject({ kind: "response" });
  expect([calls, faults]).toEqual([1, ["coapFault a bug"]]);
});

describe("a stored message", () => {
  const PUT: OutgoingRequest = { method: "put", path: ["19", "1", "0"], contentFormat: 42, payload: hex("0105") };

  test("is prepared once and goes out as it is, every time, from every process", async () => {
    const first = lockstep({ seed: 1 });
    const stored = first.endpoint.prepare(first.peer(), PUT);
    for (const seed of [1, 2]) {
      const { endpoint, peer, clock } = seed === 1 ? first : lockstep({ seed });
      const device = peer();
      const told: string[] = [];
      const outcome = endpoint.transmit(device, stored, { ...PATIENCE, acknowledged: () => told.push("yes") });
      for (const waitMs of [15_000, 30_000, 60_000]) {
        expect(device.takeBytes()).toEqual(stored);
        await clock.advance(waitMs);
      }
      answer(device, "2.04");
      expect(await outcome).toMatchObject({ kind: "response", response: { code: 0x44 } });
      expect(told).toEqual(["yes"]);
    }
  });

  test("is given up after its time, and can be sent again at the next contact", async () => {
    const { endpoint, peer, clock } = lockstep();
    const device = peer();
    const stored = endpoint.prepare(undefined, PUT);
    for (let contact = 0; contact < 2; contact++) {
      const started = clock.monotonic();
      let endedAfterMs = 0;
      const outcome = endpoint.transmit(device, stored, PATIENCE).then((it) => {
        endedAfterMs = clock.monotonic() - started;
        return it;
      });
      await clock.advance(180_000);
      expect(await outcome).toEqual({ kind: "noAcknowledgement" });
      expect(endedAfterMs).toBeLessThanOrEqual(180_000);
      expect(endedAfterMs).toBeGreaterThanOrEqual(150_000);
      expect(device.received.splice(0).map((bytes) => bytes.toHex())).toEqual(Array(4).fill(stored.toHex()));
    }
  });

  test("is given up also while it waits for its turn", async () => {
    const { endpoint, peer, clock } = lockstep();
    const device = peer();
    void endpoint.transmit(device, endpoint.prepare(device, PUT), PATIENCE);
    device.takeBytes();
    const waiting = endpoint.transmit(device, endpoint.prepare(device, PUT), { ...PATIENCE, giveUpAfterMs: 5_000 });
    await clock.advance(5_000);
    expect(await waiting).toEqual({ kind: "noAcknowledgement" });
    device.expectNothing();
  });

  test("waits while another message to its peer has its id, for a command must not be taken for an old one", async () => {
    const { endpoint, peer, clock } = lockstep();
    const device = peer();
    void endpoint.request(device, GET);
    const { messageId, token } = device.take();
    device.say({ ack: true, code: "2.05", messageId, token });
    const stored = hex(`41 03 ${messageId.toString(16).padStart(4, "0")} 77`);
    const outcome = endpoint.transmit(device, stored, PATIENCE);
    await clock.advance(179_000);
    device.expectNothing();
    expect(endpoint.request(device, GET)).toBeInstanceOf(Promise); // others may pass
    answer(device);
    await clock.advance(1_000);
    expect(await outcome).toEqual({ kind: "noAcknowledgement" });
    const again = endpoint.transmit(device, stored, PATIENCE);
    await clock.advance(75_000); // EXCHANGE_LIFETIME is over now
    expect(device.takeBytes()).toEqual(stored);
    device.say({ ack: true, code: "2.04", messageId, token: Buffer.from("w") });
    expect(await again).toMatchObject({ kind: "response" });
  });

  test("fails when it is no confirmable request, and changes nothing", async () => {
    const { endpoint, peer, open } = lockstep();
    for (const bytes of ["", "40", "50 01 0001", "60 45 0001", "40 00 0001", "40 01 0001 ff"])
      expect(await endpoint.transmit(peer(), hex(bytes), PATIENCE)).toMatchObject({ kind: "failed" });
    expect(open("peers")).toBe(0);
  });

  test("cannot have a payload that needs blocks", () => {
    const { endpoint } = lockstep();
    expect(() => endpoint.prepare(undefined, { ...PUT, payload: new Uint8Array(1_025) })).toThrow(RangeError);
    expect(endpoint.prepare(undefined, { ...PUT, payload: new Uint8Array(1_024) })).toBeInstanceOf(Uint8Array);
  });
});

describe("a client that has moved", () => {
  test("gets what is open at its new address: retransmissions, what waits, separate responses", async () => {
    const { promise, resolve } = Promise.withResolvers<{ code: number }>();
    const { endpoint, peer, clock, open } = lockstep({ handlers: { request: () => promise } });
    const [from, to] = [peer(1), peer(2)];
    const outcomes = [1, 2].map(() => endpoint.request(from, GET));
    const first = from.takeBytes();
    from.say("41 01 0001 77");
    await clock.advance(1_000);
    from.expect("60 00 0001");
    endpoint.redirect(from, to);
    await clock.advance(2_000);
    from.expectNothing();
    expect(to.received[0]).toEqual(first);
    from.say({ ack: true, code: "2.05", messageId: to.take().messageId }); // the old address is nobody now
    to.say({
      ack: true,
      code: "2.05",
      messageId: (first[2] as number) * 256 + (first[3] as number),
      token: Buffer.from(first.subarray(4, 12)),
    });
    answer(to);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["response", "response"]);
    resolve({ code: 0x44 });
    await clock.advance(0);
    const separate = to.take();
    expect(separate.token.toString()).toBe("w");
    to.say({ ack: true, code: "0.00", messageId: separate.messageId });
    from.expectNothing();
    expect(open("peers")).toBe(0);
  });

  test("onto an address where something is open: all of it goes on, one at a time", async () => {
    const { endpoint, peer, clock, open } = lockstep();
    const [from, to] = [peer(1), peer(2)];
    const ask = (device: RawPeer, name: string) => endpoint.request(device, { method: "get", path: [name] });
    const outcomes = [ask(from, "a"), ask(from, "b"), ask(to, "c"), ask(to, "d")];
    endpoint.redirect(from, to);
    const messages = [from.takeBytes(), to.takeBytes()];
    for (const bytes of messages)
      to.say({
        ack: true,
        code: "2.05",
        messageId: (bytes[2] as number) * 256 + (bytes[3] as number),
        token: Buffer.from(bytes.subarray(4, 12)),
      });
    answer(to);
    answer(to);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(Array(4).fill("response"));
    await clock.advance(0);
    expect([open("peers"), open("exchanges")]).toEqual([0, 0]);
  });

  test("or not: nothing happens", () => {
    const { endpoint, peer } = lockstep();
    endpoint.redirect(peer(1), peer(2));
    endpoint.redirect(peer(1), peer(1));
    endpoint.abandon(peer(1));
  });
});

test("abandon ends everything towards one peer", async () => {
  const never = new Promise<{ code: number }>(() => {});
  const { endpoint, peer, clock, open } = lockstep({ handlers: { request: () => never } });
  const [gone, other] = [peer(1), peer(2)];
  const outcomes = [1, 2, 3].map(() => endpoint.request(gone, GET));
  const kept = endpoint.request(other, GET);
  gone.takeBytes();
  gone.say("41 01 0001 77");
  endpoint.abandon(gone);
  expect(await Promise.all(outcomes)).toEqual(Array(3).fill({ kind: "cancelled" }));
  await clock.advance(300_000);
  gone.expectNothing();
  expect(await kept).toEqual({ kind: "noAcknowledgement" });
  expect([open("peers"), open("answering")]).toEqual([0, 0]);
});

test("stop ends everything, and nothing begins again", async () => {
  const { endpoint, peer, clock, open } = lockstep();
  const device = peer();
  const outcome = endpoint.request(device, GET);
  device.takeBytes();
  endpoint.stop();
  expect(await outcome).toEqual({ kind: "cancelled" });
  expect(await endpoint.request(device, GET)).toEqual({ kind: "cancelled" });
  device.say("40 00 0001");
  await clock.advance(300_000);
  device.expectNothing();
  expect(open("peers")).toBe(0);
});
