import { describe, expect, test } from "bun:test";
import {
  DEFAULT_TRANSMISSION,
  type Exchange,
  type ExchangeEvent,
  exchangeSettings,
  startExchange,
  stepExchange,
  transmissionTimes,
} from ".";

const settings = exchangeSettings(DEFAULT_TRANSMISSION);
const SEND = { type: "send" } as const;
const finished = (outcome: string) => ({ type: "finished", outcome });

test("the derived times are those of RFC 7252 table 3", () => {
  expect(transmissionTimes(DEFAULT_TRANSMISSION)).toEqual({
    maxTransmitSpanMs: 45_000,
    maxTransmitWaitMs: 93_000,
    maxRttMs: 202_000,
    exchangeLifetimeMs: 247_000,
    nonLifetimeMs: 145_000,
  });
});

/** Steps in time until it is done; the times of its transmissions and the time it gave up. */
function run(random: number) {
  let { next } = startExchange({ type: "con", wantsResponse: true, nowMs: 0, random }, settings);
  const sentAtMs = [0];
  for (;;) {
    if (next.state === "done") throw new Error("done without an end");
    const nowMs = next.dueAtMs;
    const step = stepExchange(next, { type: "tick", nowMs }, settings);
    if (step.next.state === "done") return { sentAtMs, gaveUpAtMs: nowMs, outcome: step.next.outcome };
    sentAtMs.push(nowMs);
    next = step.next;
  }
}

describe("a CON that nobody acknowledges", () => {
  test("is sent after 2, 6, 14 and 30 s at the fastest", () => {
    expect(run(0)).toEqual({
      sentAtMs: [0, 2_000, 6_000, 14_000, 30_000],
      gaveUpAtMs: 62_000,
      outcome: "noAcknowledgement",
    });
  });
  test("stays within MAX_TRANSMIT_SPAN and MAX_TRANSMIT_WAIT at the slowest", () => {
    expect(run(1)).toMatchObject({ sentAtMs: [0, 3_000, 9_000, 21_000, 45_000], gaveUpAtMs: 93_000 });
  });
});

const unacknowledged = (wantsResponse: boolean): Exchange => ({
  state: "unacknowledged",
  wantsResponse,
  retransmissions: 0,
  timeoutMs: 2_000,
  dueAtMs: 2_000,
});
const request = unacknowledged(true);

describe("when its peer is heard, an unacknowledged CON", () => {
  const heard = (from: Exchange, nowMs: number, with_ = settings) =>
    stepExchange(from, { type: "heard", nowMs }, with_);

  test("is sent once more, and the schedule stays as it was", () => {
    const { next, effects } = heard(request, 1_500);
    expect([next, effects]).toEqual([{ ...request, repeatedAtMs: 1_500 } as Exchange, [SEND]]);
    expect(stepExchange(next, { type: "tick", nowMs: 2_000 }, settings).next).toMatchObject({ dueAtMs: 6_000 });
  });
  test("is not sent again within a second: its ACK may be under way", () => {
    expect(heard(request, 999).effects).toEqual([]);
    const { next } = heard(request, 1_000);
    expect([heard(next, 1_999).effects, heard(next, 2_000).effects]).toEqual([[], [SEND]]);
  });
  test("is left alone when nothing may be repeated, or its time is over", () => {
    const once = exchangeSettings({ ...DEFAULT_TRANSMISSION, maxRetransmit: 0 });
    expect(heard(request, 1_500, once).effects).toEqual([]);
    expect(heard({ ...request, giveUpAtMs: 1_500 } as Exchange, 1_500).effects).toEqual([]);
  });
  test("is left alone when it was acknowledged, or is done", () => {
    for (const from of [
      { state: "waiting", dueAtMs: 9 },
      { state: "done", outcome: "reset" },
    ] as const)
      expect(heard(from, 5_000)).toEqual({ next: from, effects: [] });
  });
});
const waiting: Exchange = { state: "waiting", dueAtMs: 247_500 };
const done = (outcome: Extract<Exchange, { state: "done" }>["outcome"]): Exchange => ({ state: "done", outcome });
const response = (carrier: "ack" | "con" | "non"): ExchangeEvent => ({ type: "response", carrier });

const TABLE: [rule: string, from: Exchange, event: ExchangeEvent, next: Exchange, effects: object[]][] = [
  ["waits for its time", request, { type: "tick", nowMs: 1_999 }, request, []],
  [
    "is sent again, and waits twice as long",
    request,
    { type: "tick", nowMs: 2_010 },
    { ...request, retransmissions: 1, timeoutMs: 4_000, dueAtMs: 6_010 } as Exchange,
    [SEND],
  ],
  ["is answered in its ACK", request, response("ack"), done("answered"), [finished("answered")]],
  ["waits for its response after an empty ACK", request, { type: "acknowledged", nowMs: 500 }, waiting, []],
  [
    "acknowledges a separate response",
    waiting,
    response("con"),
    done("answered"),
    [{ type: "acknowledge" }, finished("answered")],
  ],
  ["does not acknowledge a NON response", waiting, response("non"), done("answered"), [finished("answered")]],
  [
    "takes a response for the ACK that was lost",
    request,
    response("con"),
    done("answered"),
    [{ type: "acknowledge" }, finished("answered")],
  ],
  [
    "acknowledges a repeated separate response",
    done("answered"),
    response("con"),
    done("answered"),
    [{ type: "acknowledge" }],
  ],
  ["says nothing to a late response after giving up", done("noResponse"), response("con"), done("noResponse"), []],
  [
    "is done with an ACK if it wants no response",
    unacknowledged(false),
    { type: "acknowledged", nowMs: 5 },
    done("acknowledged"),
    [finished("acknowledged")],
  ],
  ["is not sent again once acknowledged", waiting, { type: "tick", nowMs: 247_499 }, waiting, []],
  ["gives up on the response", waiting, { type: "tick", nowMs: 247_500 }, done("noResponse"), [finished("noResponse")]],
  ["does not mind a second ACK", waiting, { type: "acknowledged", nowMs: 900 }, waiting, []],
  ["ends with RST", request, { type: "reset" }, done("reset"), [finished("reset")]],
  ["ends with RST after the ACK", waiting, { type: "reset" }, done("reset"), [finished("reset")]],
  ["can be cancelled", request, { type: "cancelled" }, done("cancelled"), [finished("cancelled")]],
  ["is not reopened", done("cancelled"), { type: "tick", nowMs: 1e9 }, done("cancelled"), []],
];
test.each(TABLE)("a confirmable message %s", (_rule, from, event, next, effects) => {
  expect<object>(stepExchange(from, event, settings)).toEqual({ next, effects });
});

test("a NON is sent once, and waits only if it wants a response", () => {
  const start = { type: "non" as const, nowMs: 500, random: 0.5 };
  expect<object>(startExchange({ ...start, wantsResponse: false }, settings)).toEqual({
    next: done("sent"),
    effects: [SEND],
  });
  expect<object>(startExchange({ ...start, wantsResponse: true }, settings)).toEqual({
    next: waiting,
    effects: [SEND],
  });
});

test("no retransmission at all can be asked for", () => {
  const never = exchangeSettings({ ...DEFAULT_TRANSMISSION, maxRetransmit: 0 });
  expect(stepExchange(request, { type: "tick", nowMs: 2_000 }, never).next).toEqual(done("noAcknowledgement"));
});

describe("a limit of time", () => {
  const slow = exchangeSettings({ ...DEFAULT_TRANSMISSION, ackTimeoutMs: 10_000, maxRetransmit: 3 });
  const sentAt = (giveUpAtMs: number | undefined, random: number) => {
    let { next } = startExchange({ type: "con", wantsResponse: true, nowMs: 0, random, giveUpAtMs }, slow);
    const times = [0];
    for (;;) {
      if (next.state === "done") throw new Error("done without an end");
      const nowMs = next.dueAtMs;
      const step = stepExchange(next, { type: "tick", nowMs }, slow);
      if (step.next.state === "done") return { times, gaveUpAtMs: nowMs, outcome: step.next.outcome };
      times.push(nowMs);
      next = step.next;
    }
  };
  test.each([
    [180_000, 0, [0, 10_000, 30_000, 70_000], 150_000],
    [180_000, 1, [0, 15_000, 45_000, 105_000], 180_000],
    [40_000, 1, [0, 15_000], 40_000],
    [5_000, 0, [0], 5_000],
    [undefined, 1, [0, 15_000, 45_000, 105_000], 225_000],
  ])("of %p ms at a random factor of %p", (giveUpAtMs, random, times, gaveUpAtMs) => {
    expect(sentAt(giveUpAtMs, random)).toEqual({ times, gaveUpAtMs, outcome: "noAcknowledgement" });
  });
});
