import { expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { fuzzSeed, Random } from "../testing/random";
import { decodeFragments, encodeFragments, type HandshakeFragment, type HandshakeMessage } from "./handshake";
import { HandshakeReassembler } from "./reassembly";
import { hex } from "./testing/hex";

const fragment = (offset: number, part: string, changes: Partial<HandshakeFragment> = {}): HandshakeFragment => ({
  type: 1,
  length: 6,
  sequence: 0,
  offset,
  part: hex(part),
  ...changes,
});

const ORDERS: [rule: string, fragments: HandshakeFragment[]][] = [
  ["in one", [fragment(0, "010203040506")]],
  ["in order", [fragment(0, "0102"), fragment(2, "0304"), fragment(4, "0506")]],
  ["last first", [fragment(4, "0506"), fragment(0, "0102"), fragment(2, "0304")]],
  ["twice", [fragment(0, "010203"), fragment(0, "010203"), fragment(3, "040506")]],
  ["overlapping", [fragment(0, "01020304"), fragment(2, "03040506")]],
  ["the first bytes stay", [fragment(0, "01020304"), fragment(2, "ffff0506")]],
];
test.each(ORDERS)("a message %s", (_rule, fragments) => {
  const reassembler = new HandshakeReassembler(0);
  for (const [index, each] of fragments.entries()) {
    expect(reassembler.next()).toBeUndefined();
    expect(reassembler.push(each)).toBe("kept");
    if (index < fragments.length - 1) expect(reassembler.heldBytes).toBe(12);
  }
  expect(reassembler.next()).toEqual({ type: 1, sequence: 0, body: hex("010203040506") });
  expect(reassembler.heldBytes).toBe(0);
  expect(reassembler.push(fragment(0, "0102"))).toBe("old");
});

test("a message without a body is whole at once", () => {
  const reassembler = new HandshakeReassembler(3);
  reassembler.push(fragment(0, "", { type: 14, length: 0, sequence: 3 }));
  expect(reassembler.next()).toEqual({ type: 14, sequence: 3, body: hex("") });
});

test("messages wait for their turn, but not too many", () => {
  const reassembler = new HandshakeReassembler(1, { maxMessageBytes: 10, maxMessagesAhead: 2 });
  expect(reassembler.push(fragment(0, "010203040506", { sequence: 2 }))).toBe("kept");
  expect(reassembler.push(fragment(0, "010203040506", { sequence: 4 }))).toBe("tooEarly");
  expect(reassembler.next()).toBeUndefined();
  expect(reassembler.push(fragment(0, "010203040506", { sequence: 1 }))).toBe("kept");
  expect([reassembler.next()?.sequence, reassembler.next()?.sequence, reassembler.next()]).toEqual([1, 2, undefined]);
  expect(() => reassembler.push(fragment(0, "01", { sequence: 3, length: 11 }))).toThrow(MalformedError);
  expect(reassembler.heldBytes).toBe(0);
});

test.each([
  ["type", { type: 2 }],
  ["length", { length: 7 }],
])("a fragment that gives its message another %s is malformed", (_what, changes) => {
  const reassembler = new HandshakeReassembler(0);
  reassembler.push(fragment(0, "0102"));
  expect(() => reassembler.push(fragment(2, "0304", changes))).toThrow(MalformedError);
});

test.each([
  ["nothing", ""],
  ["behind its message", "01 000002 0000 000001 000002 0102"],
  ["an empty part", "01 000002 0000 000001 000000"],
  ["a cut header", "01 000002 0000 000001 0000"],
  ["a cut body", "01 000002 0000 000000 000002 01"],
])("a record with %s is malformed", (_what, bytes) => {
  expect(() => decodeFragments(hex(bytes))).toThrow(MalformedError);
});

test(`fragments of any size in any order give the messages back (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 300; round++) {
    const sent: HandshakeMessage[] = random
      .list(4, () => 0)
      .map((_, sequence) => ({
        type: random.below(20),
        sequence,
        body: random.bytes(random.below(random.oneOf([1, 50, 900]))),
      }));
    const fragments = sent.flatMap((message) => encodeFragments(message, 1 + random.below(random.oneOf([20, 400]))));
    for (const again of random.list(5, () => random.oneOf(fragments))) fragments.push(again);
    const reassembler = new HandshakeReassembler(0);
    const received: HandshakeMessage[] = [];
    while (fragments.length > 0) {
      const [bytes = new Uint8Array(0)] = fragments.splice(random.below(fragments.length), 1);
      for (const each of decodeFragments(bytes)) reassembler.push(each);
      for (let message = reassembler.next(); message; message = reassembler.next()) received.push(message);
    }
    expect(received).toEqual(sent);
    expect(reassembler.heldBytes).toBe(0);
  }
});
