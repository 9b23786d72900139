import { describe, expect, test } from "bun:test";
import {
  type Block,
  type Block1Event,
  type Block1Receiving,
  type Block1Sending,
  type Block2Response,
  type BlockSize,
  CODES,
  DEFAULT_BLOCK1_RECEIVE,
  DEFAULT_BLOCK1_SEND,
  DEFAULT_BLOCK2_RECEIVE,
  DEFAULT_BLOCK2_SEND,
  decodeBlock,
  encodeBlock,
  isBlock1Idle,
  receiveBlock1,
  receiveBlock2,
  sendBlock1,
  sendBlock2,
  startBlock1,
  startBlock2,
  startBlock2Response,
} from ".";

const block = (num: number, more: boolean, size: BlockSize): Block => ({ num, more, size });
const pattern = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
const NOTHING = new Uint8Array(0);

describe("the value of a block option", () => {
  test.each([
    [0x00, block(0, false, 16)],
    [0x0b, block(0, true, 128)],
    [0x13, block(1, false, 128)],
    [0x2b, block(2, true, 128)],
    [0xfffffe, block(0xfffff, true, 1024)],
  ])("%d", (value, decoded) => {
    expect(decodeBlock(value)).toEqual(decoded);
    expect(encodeBlock(decoded)).toBe(value);
  });
  test("with size exponent 7 is none", () => expect(decodeBlock(0x1f)).toBeUndefined());
  test("has 20 bits of number", () => expect(() => encodeBlock(block(2 ** 20, false, 16))).toThrow(RangeError));
});

describe("receiving Block1", () => {
  const settings = { maxBodyBytes: 200, preferredSize: 64 as BlockSize, idleMs: 1_000 };
  const body = pattern(160);
  const event = (num: number, more: boolean, size: BlockSize, given: Partial<Block1Event> = {}): Block1Event => ({
    block: block(num, more, size),
    payload: body.subarray(num * size, Math.min((num + 1) * size, body.length)),
    contentFormat: 42,
    size1: undefined,
    nowMs: 0,
    ...given,
  });
  const first = receiveBlock1(undefined, event(0, true, 64), settings).next as Block1Receiving;

  test("puts the body together", () => {
    const second = receiveBlock1(first, event(1, true, 64), settings);
    expect(second.reply).toEqual({ type: "continue", block: block(1, true, 64) });
    const third = receiveBlock1(second.next, event(2, false, 64), settings);
    expect(third).toEqual({ next: undefined, reply: { type: "complete", block: block(2, false, 64), body } });
  });

  test("asks for smaller blocks, and takes them from where it is (as RFC 7959 figure 9)", () => {
    const large = receiveBlock1(undefined, event(0, true, 128), settings);
    expect(large.reply).toEqual({ type: "continue", block: block(0, true, 64) });
    expect(receiveBlock1(large.next, event(2, false, 64), settings).reply).toMatchObject({ type: "complete", body });
  });

  test("does not keep views of the datagram", () => {
    const datagram = body.slice(0, 64);
    const step = receiveBlock1(undefined, event(0, true, 64, { payload: datagram }), settings);
    datagram.fill(0);
    const second = receiveBlock1(step.next, event(1, true, 64), settings);
    expect(receiveBlock1(second.next, event(2, false, 64), settings).reply).toMatchObject({ body });
  });

  const refused = (code: number) => ({ type: "refuse", code });
  const ROWS: [rule: string, from: Block1Receiving | undefined, event: Block1Event, reply: object][] = [
    ["takes a body of one block", undefined, event(0, false, 1024), { type: "complete", body }],
    ["begins again with block 0", first, event(0, true, 64), { type: "continue" }],
    ["does not append a repeated block", first, event(0, true, 64), { type: "continue", block: block(0, true, 64) }],
    ["wants the first block first", undefined, event(1, true, 64), refused(CODES.requestEntityIncomplete)],
    ["wants every block", first, event(2, false, 64), refused(CODES.requestEntityIncomplete)],
    ["wants one format", first, event(1, true, 64, { contentFormat: 0 }), refused(CODES.requestEntityIncomplete)],
    ["does not wait for ever", first, event(1, true, 64, { nowMs: 1_001 }), refused(CODES.requestEntityIncomplete)],
    ["waits a while", first, event(1, true, 64, { nowMs: 1_000 }), { type: "continue" }],
    ["refuses the reserved size", first, { ...event(1, true, 64), block: undefined }, refused(CODES.badRequest)],
    ["refuses half a block with more", undefined, event(0, true, 256), refused(CODES.badRequest)],
    ["refuses more than a block", undefined, event(0, false, 64, { payload: body }), refused(CODES.badRequest)],
    [
      "refuses what is announced too large",
      undefined,
      event(0, true, 64, { size1: 201 }),
      { ...refused(CODES.requestEntityTooLarge), size1: 200 },
    ],
    [
      "refuses what becomes too large",
      first,
      event(3, true, 64, { payload: new Uint8Array(64) }),
      { ...refused(CODES.requestEntityTooLarge), size1: 200 },
    ],
  ];
  test.each(ROWS)("%s", (_rule, from, event, reply) => {
    expect(receiveBlock1(from, event, settings).reply).toMatchObject(reply);
  });

  test("a repeated middle block is not appended", () => {
    const second = receiveBlock1(first, event(1, true, 64), settings);
    const again = receiveBlock1(second.next, event(1, true, 64), settings);
    expect(receiveBlock1(again.next, event(2, false, 64), settings).reply).toMatchObject({ type: "complete", body });
  });

  test("is idle after its time", () => {
    expect([isBlock1Idle(first, 1_000, settings), isBlock1Idle(first, 1_001, settings)]).toEqual([false, true]);
  });
});

describe("sending Block1", () => {
  const settings = { size: 64 as BlockSize, maxRestarts: 1 };
  const body = pattern(160);
  const start = startBlock1(body, settings);
  const begun = start.next as NonNullable<typeof start.next>;
  const continued = (num: number, size: BlockSize = 64) => ({ code: CODES.continue, block: block(num, true, size) });

  test("goes whole when it fits", () => {
    const whole = startBlock1(body.subarray(0, 64), settings);
    expect(whole.effect).toEqual({ type: "send", payload: body.subarray(0, 64) });
    expect(sendBlock1(whole.next as typeof begun, { code: CODES.changed, block: undefined }).effect.type).toBe(
      "answered",
    );
  });

  test("goes on where it broke off, at the beginning of a block, and from the start when nobody knows of it", () => {
    const reads: number[] = [];
    const body = {
      length: 100,
      subarray(start: number, end: number) {
        reads.push(start);
        return new Uint8Array(Math.min(end, 100) - start);
      },
    };
    const begun = startBlock1(body, { size: 32, maxRestarts: 1 }, 70);
    expect(begun.effect).toMatchObject({ block: { num: 2, more: true, size: 32 } });
    const again = sendBlock1(begun.next as Block1Sending, { code: CODES.requestEntityIncomplete, block: undefined });
    expect(again.effect).toMatchObject({ block: { num: 0, more: true, size: 32 }, size1: 100 });
    expect([startBlock1(body, { size: 32, maxRestarts: 1 }, 1_000).effect, reads]).toMatchObject([
      { block: { num: 3, more: false, size: 32 } },
      [64, 0, 96],
    ]);
  });

  test("announces its size with the first block", () => {
    expect(start.effect).toEqual({
      type: "send",
      block: block(0, true, 64),
      payload: body.subarray(0, 64),
      size1: 160,
    });
  });

  test("takes the smaller size from then on", () => {
    const step = sendBlock1(begun, continued(0, 32));
    expect(step.effect).toEqual({ type: "send", block: block(2, true, 32), payload: body.subarray(64, 96) });
    expect(sendBlock1(step.next as typeof begun, continued(2, 32)).effect).toMatchObject({ block: block(3, true, 32) });
  });

  test.each<[string, Parameters<typeof sendBlock1>[1], object]>([
    ["goes on", continued(0), { type: "send", block: block(1, true, 64) }],
    [
      "goes on after a block that was processed by itself",
      { code: CODES.changed, block: block(0, false, 64) },
      { type: "send" },
    ],
    ["is answered by an error", { code: CODES.notFound, block: undefined }, { type: "answered" }],
    [
      "is answered by a server that does not know blocks",
      { code: CODES.changed, block: undefined },
      { type: "answered" },
    ],
    ["fails on 2.31 for another block", continued(1), { type: "failed", reason: "unexpectedBlock" }],
    ["fails on 2.31 for no block", { code: CODES.continue, block: undefined }, { type: "failed" }],
    ["fails on a larger size", continued(0, 128), { type: "failed", reason: "unexpectedBlock" }],
    [
      "begins again after 4.08",
      { code: CODES.requestEntityIncomplete, block: undefined },
      { type: "send", block: block(0, true, 64) },
    ],
    [
      "begins again smaller after 4.13 with a size",
      { code: CODES.requestEntityTooLarge, block: block(0, false, 16) },
      { type: "send", block: block(0, true, 16) },
    ],
    ["takes a plain 4.13 for an answer", { code: CODES.requestEntityTooLarge, block: undefined }, { type: "answered" }],
  ])("%s", (_rule, response, effect) => expect(sendBlock1(begun, response).effect).toMatchObject(effect));

  test("does not begin again for ever", () => {
    const again = sendBlock1(begun, { code: CODES.requestEntityIncomplete, block: undefined });
    const { effect } = sendBlock1(again.next as typeof begun, {
      code: CODES.requestEntityIncomplete,
      block: undefined,
    });
    expect(effect).toEqual({ type: "failed", reason: "incomplete" });
  });

  test("goes in blocks when the whole was too large at once", () => {
    const whole = startBlock1(body, { size: 1024, maxRestarts: 1 });
    const step = sendBlock1(whole.next as typeof begun, {
      code: CODES.requestEntityTooLarge,
      block: block(0, true, 128),
    });
    expect(step.effect).toMatchObject({ type: "send", block: block(0, true, 128), size1: 160 });
  });
});

describe("receiving Block2", () => {
  const settings = { maxBodyBytes: 200, preferredSize: 64 as BlockSize, maxRestarts: 1 };
  const body = pattern(160);
  const response = (
    num: number,
    more: boolean,
    size: BlockSize,
    given: Partial<Block2Response> = {},
  ): Block2Response => ({
    code: CODES.content,
    block: block(num, more, size),
    payload: body.subarray(num * size, Math.min((num + 1) * size, body.length)),
    etag: Uint8Array.of(1),
    contentFormat: 11_542,
    size2: undefined,
    ...given,
  });
  const begun = startBlock2(settings);
  const after = receiveBlock2(begun, response(0, true, 64), settings).next as typeof begun;

  test.each<[string, typeof begun, Block2Response, object]>([
    [
      "takes a response without blocks",
      begun,
      response(0, false, 64, { block: undefined, payload: body }),
      { type: "complete", body },
    ],
    ["takes a body of one block", begun, response(0, false, 1024), { type: "complete", body }],
    ["asks for the next", begun, response(0, true, 64), { type: "request", block: block(1, false, 64) }],
    [
      "asks for smaller ones (RFC 7959 figure 4)",
      begun,
      response(0, true, 128),
      { type: "request", block: block(2, false, 64) },
    ],
    [
      "goes on with the server's smaller size",
      begun,
      response(0, true, 16),
      { type: "request", block: block(1, false, 16) },
    ],
    ["ignores a double", after, response(0, true, 64), { type: "ignore" }],
    ["fails on a hole", after, response(2, false, 64), { type: "failed", reason: "unexpectedBlock" }],
    ["fails when it does not start at the start", begun, response(1, true, 64), { type: "failed" }],
    ["fails on the reserved size", begun, response(0, true, 64, { block: "reserved" }), { type: "failed" }],
    ["fails on half a block with more", begun, response(0, true, 256), { type: "failed" }],
    ["fails on a larger size than asked for", after, response(0, true, 128), { type: "failed" }],
    ["fails when blocks end without an end", after, response(0, false, 64, { block: undefined }), { type: "failed" }],
    [
      "begins again when the ETag changed",
      after,
      response(1, true, 64, { etag: Uint8Array.of(2) }),
      { type: "request", block: block(0, false, 64) },
    ],
    [
      "begins again when the format changed",
      after,
      response(1, true, 64, { contentFormat: 0 }),
      { type: "request", block: block(0, false, 64) },
    ],
    [
      "begins again when the ETag went away",
      after,
      response(1, true, 64, { etag: undefined }),
      { type: "request", block: block(0, false, 64) },
    ],
    [
      "fails on what is announced too large",
      begun,
      response(0, true, 64, { size2: 201 }),
      { type: "failed", reason: "tooLarge" },
    ],
    [
      "takes an error as the answer",
      after,
      response(1, false, 64, { code: CODES.notFound, block: undefined, payload: NOTHING }),
      { type: "complete", body: NOTHING },
    ],
  ])("%s", (_rule, from, response, effect) => {
    expect(receiveBlock2(from, response, settings).effect).toMatchObject(effect);
  });

  test("does not begin again for ever", () => {
    const changed = (etag: number) => response(0, true, 64, { etag: Uint8Array.of(etag) });
    const again = receiveBlock2(after, response(1, true, 64, { etag: Uint8Array.of(2) }), settings)
      .next as typeof begun;
    const second = receiveBlock2(again, changed(2), settings).next as typeof begun;
    const third = receiveBlock2(second, response(1, true, 64, { etag: Uint8Array.of(3) }), settings);
    expect(third.effect).toEqual({ type: "failed", reason: "changed" });
  });

  test("stops when more comes than is allowed", () => {
    let state: typeof begun | undefined = begun;
    for (let num = 0; num < 3; num++)
      state = receiveBlock2(
        state as typeof begun,
        response(num, true, 64, { payload: new Uint8Array(64) }),
        settings,
      ).next;
    expect(
      receiveBlock2(state as typeof begun, response(3, true, 64, { payload: new Uint8Array(64) }), settings).effect,
    ).toEqual({
      type: "failed",
      reason: "tooLarge",
    });
  });
});

describe("sending Block2", () => {
  const settings = { size: 64 as BlockSize, idleMs: 1_000 };
  const body = pattern(160);
  const begun = startBlock2Response(body, undefined, 0, settings);

  test("goes whole when it fits and nobody asked", () => {
    expect(startBlock2Response(body.subarray(0, 64), undefined, 0, settings)).toEqual({
      next: undefined,
      reply: { type: "whole", payload: body.subarray(0, 64) },
    });
  });
  test("begins with its size", () => {
    expect(begun.reply).toMatchObject({ block: block(0, true, 64), payload: body.subarray(0, 64), size2: 160 });
  });
  test("follows early negotiation", () => {
    const { reply } = startBlock2Response(body, block(0, false, 16), 0, settings);
    expect(reply).toMatchObject({ block: block(0, true, 16), payload: body.subarray(0, 16) });
  });
  test("never sends larger blocks than its own", () => {
    expect(sendBlock2(begun.next, block(1, false, 128), 0, settings).reply).toMatchObject({
      block: block(2, false, 64),
    });
  });
  test("follows late negotiation", () => {
    expect(sendBlock2(begun.next, block(4, true, 16), 0, settings).reply).toMatchObject({
      block: block(4, true, 16),
      payload: body.subarray(64, 80),
    });
  });
  test("has nothing behind the end", () => {
    expect(sendBlock2(begun.next, block(3, false, 64), 0, settings).reply).toEqual({
      type: "refuse",
      code: CODES.badRequest,
    });
  });
  test("is forgotten after its time", () => {
    const gone = { type: "refuse" as const, code: CODES.requestEntityIncomplete };
    expect(sendBlock2(begun.next, block(1, false, 64), 1_001, settings).reply).toEqual(gone);
    expect(sendBlock2(undefined, block(1, false, 64), 0, settings).reply).toEqual(gone);
  });
});

const LENGTHS = [0, 1, 15, 16, 17, 64, 65, 1_023, 1_024, 1_025, 5_000];
const PAIRS: [BlockSize, BlockSize][] = [
  [16, 16],
  [64, 16],
  [16, 64],
  [1024, 256],
];
describe.each(PAIRS)("sender %d and receiver %d", (theirs, ours) => {
  test.each(LENGTHS)("carry a request of %d bytes", (length) => {
    const body = pattern(length);
    let received: Uint8Array | undefined;
    let state: Block1Receiving | undefined;
    let step = startBlock1(body, { ...DEFAULT_BLOCK1_SEND, size: theirs });
    while (step.next && step.effect.type === "send") {
      const { block, payload } = step.effect;
      if (!block) {
        received = payload;
        break;
      }
      const event = { block, payload, contentFormat: undefined, size1: step.effect.size1, nowMs: 0 };
      const receipt = receiveBlock1(state, event, { ...DEFAULT_BLOCK1_RECEIVE, preferredSize: ours });
      state = receipt.next;
      if (receipt.reply.type === "refuse") throw new Error(`refused ${receipt.reply.code}`);
      if (receipt.reply.type === "complete") received = receipt.reply.body;
      const code = receipt.reply.type === "complete" ? CODES.changed : CODES.continue;
      step = sendBlock1(step.next, { code, block: receipt.reply.block });
    }
    expect(received).toEqual(body);
  });

  test.each(LENGTHS)("carry a response of %d bytes", (length) => {
    const body = pattern(length);
    const sendSettings = { ...DEFAULT_BLOCK2_SEND, size: theirs };
    const receiveSettings = { ...DEFAULT_BLOCK2_RECEIVE, preferredSize: ours };
    let sending = startBlock2Response(body, undefined, 0, sendSettings);
    let receiving = startBlock2(receiveSettings);
    for (;;) {
      const { reply } = sending;
      if (reply.type === "refuse") throw new Error(`refused ${reply.code}`);
      const sent = reply.type === "block" ? reply : { block: undefined, etag: undefined, size2: undefined };
      const { payload } = reply;
      const response = {
        code: CODES.content,
        payload,
        contentFormat: 0,
        block: sent.block,
        etag: sent.etag,
        size2: sent.size2,
      };
      const step = receiveBlock2(receiving, response, receiveSettings);
      if (step.effect.type === "complete") {
        expect(step.effect.body).toEqual(body);
        return;
      }
      if (step.effect.type !== "request" || !step.next) throw new Error(JSON.stringify(step.effect));
      receiving = step.next;
      sending = sendBlock2(sending.next, step.effect.block, 0, sendSettings);
    }
  });
});
