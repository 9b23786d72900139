import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { CODES, DEFAULT_TRANSMISSION, decodeMessage, OPTIONS, option, pathOptions } from "../wire/coap";
import { fuzzSeed, Random } from "../wire/testing/random";
import { type CoapNode, createCoapNode, type NodeRequest } from "./coap-node";

const NOTHING = new Uint8Array(0);
let clock: ManualClock;
let sent: string[];
let asked: NodeRequest[];
let notes: string[];
let node: CoapNode;
beforeEach(() => {
  clock = manualClock();
  [sent, asked, notes] = [[], [], []];
  node = createCoapNode({
    send: (datagram) => sent.push(datagram.toHex()),
    clock,
    random: () => 0,
    transmission: DEFAULT_TRANSMISSION,
    answer(request) {
      asked.push(request);
      if (request.path[0] === "big") return { code: CODES.content, payload: new Uint8Array(40).fill(7) };
      return request.path[0] === "silent" ? undefined : { code: CODES.changed };
    },
    on: { duplicate: () => notes.push("duplicate"), reset: () => notes.push("reset") },
  });
});
const receive = (hex: string) => node.receive(Uint8Array.fromHex(hex.replaceAll(" ", "")));

describe("what it is asked", () => {
  test("the write of nb-iot.md 4, answered byte for byte, and again from memory", () => {
    receive("42 03 60 02 2d82 b2 3139 01 31 01 30 11 2a ff 0105");
    receive("42 03 60 02 2d82 b2 3139 01 31 01 30 11 2a ff 0105");
    expect(sent).toEqual(["624460022d82", "624460022d82"]);
    expect(asked.map(({ path, contentFormat, payload }) => [path.join("/"), contentFormat, payload.toHex()])).toEqual([
      ["19/1/0", 42, "0105"],
    ]);
    expect(notes).toEqual(["duplicate"]);
  });

  test("a message id may be used again after its lifetime", async () => {
    const put = "42 03 60 02 2d82 b2 3139 01 31 01 30 11 2a ff 0105";
    receive(put);
    await clock.advance(246_000);
    receive(put);
    await clock.advance(2_000);
    receive(put);
    expect([asked.length, notes]).toEqual([2, ["duplicate"]]);
  });

  test("remembers as many messages as a device has room for", () => {
    for (let id = 0; id < 100; id++) receive(`4003${id.toString(16).padStart(4, "0")}b178`);
    receive("40030063b178");
    receive("40030000b178");
    expect(asked.length).toBe(101);
  });

  test("a ping, a response to nothing and a broken message hear RST", () => {
    receive("40000001");
    receive("44450002aabbccdd");
    receive("4001 0003 f0");
    expect(sent).toEqual(["70000001", "70000002", "70000003"]);
  });

  test("a critical option that it does not know is refused", () => {
    receive("40 01 0001 b178 d1 4b 01"); // option 99
    expect(decodeMessage(Uint8Array.fromHex(sent[0] ?? "")).code).toBe(CODES.badOption);
    expect(asked).toEqual([]);
  });

  test("what is not answered stays unanswered when it comes again", () => {
    for (let time = 0; time < 2; time++) receive("50 02 0001 b6 73696c656e74");
    expect([sent, asked.length]).toEqual([[], 1]);
  });

  test("a body in blocks is put together, a large answer is cut", () => {
    receive("40 03 0001 b178 d1 03 08 ff 000102030405060708090a0b0c0d0e0f"); // Block1 0/1/16
    receive("40 03 0002 b178 d1 03 10 ff aa"); // Block1 1/0/16
    expect(asked.map(({ payload }) => payload.toHex())).toEqual(["000102030405060708090a0b0c0d0e0faa"]);
    expect(sent.map((hex) => hex.slice(0, 4))).toEqual(["605f", "6044"]);
    receive("40 01 0003 b3626967 c1 00"); // Block2 0/0/16
    receive("40 01 0004 b3626967 c1 20"); // Block2 2/0/16
    const [first, last] = sent.slice(2).map((hex) => decodeMessage(Uint8Array.fromHex(hex)));
    expect([first?.payload.length, last?.payload.length]).toEqual([16, 8]);
    expect(last?.options.find(({ number }) => number === OPTIONS.block2.number)?.value.toHex()).toBe("20");
    expect(asked.length).toBe(2);
  });
});

describe("what it asks", () => {
  const get = () => node.request({ code: CODES.get, options: pathOptions("x"), payload: NOTHING });

  test("is repeated after 2, 4, 8 and 16 seconds, and given up", async () => {
    const result = get();
    const times: number[] = [];
    for (let ms = 0; ms < 70_000; ms += 1_000) {
      if (sent.length > times.length) times.push(ms / 1_000);
      await clock.advance(1_000);
    }
    expect([times, new Set(sent).size, (await result).kind]).toEqual([[0, 2, 6, 14, 30], 1, "noAcknowledgement"]);
    expect(node.isBusy).toBe(false);
  });

  test("is answered in the ACK", async () => {
    const result = get();
    receive("6445 0000 00000000 ff 31");
    expect(await result).toMatchObject({ kind: "response", message: { code: CODES.content } });
  });

  test("is answered in a message of its own, which is acknowledged each time it comes", async () => {
    const result = get();
    receive("60000000");
    for (let time = 0; time < 2; time++) receive("4445 7777 00000000 ff 31");
    expect(await result).toMatchObject({ kind: "response" });
    expect(sent.slice(1)).toEqual(["60007777", "60007777"]);
  });

  test("an ACK with another token answers nothing, RST ends it", async () => {
    const result = get();
    receive("6445 0000 00000001 ff 31");
    expect(node.isBusy).toBe(true);
    receive("70000000");
    expect((await result).kind).toBe("reset");
  });

  test("a NON is sent, and its RST is told", async () => {
    const message = { code: CODES.content, token: Uint8Array.of(1), options: [option("observe", 2)], payload: NOTHING };
    expect(await node.notify(message, false)).toBe("sent");
    expect(sent).toEqual(["51450000016102"]);
    receive("70000000");
    expect(notes).toEqual(["reset"]);
  });

  test("nothing is left after abandoning", async () => {
    const result = get();
    node.abandon();
    expect((await result).kind).toBe("cancelled");
    await clock.advance(100_000);
    expect(sent.length).toBe(1);
  });
});

test(`random and changed datagrams do no harm (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const valid = Uint8Array.fromHex("420360022d82b2313901310130112aff0105");
  for (let round = 0; round < 5_000; round++) {
    const bytes = random.flip() ? random.bytes(random.below(40)) : valid.slice();
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    node.receive(bytes);
  }
  expect(node.isBusy).toBe(false);
});
