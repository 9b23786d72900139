import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { ALERTS, type AlertName } from "./alert";
import { PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8 } from "./cipher-suite";
import { HANDSHAKE_TYPE, type HandshakeMessage } from "./handshake";
import { HANDSHAKE_SETTINGS, type HandshakeEvent, type HelloFacts, type ServerHandshake } from "./handshake-state";
import { type ClientHello, decodeServerHello, encodeClientHello, encodeClientKeyExchange } from "./messages";
import { step } from "./server-handshake";
import { hex } from "./testing/hex";

const facts: HelloFacts = {
  random: new Uint8Array(32).fill(2),
  newSessionId: new Uint8Array(32).fill(3),
  newConnectionId: hex("aabbccdd"),
  resumable: undefined,
};
const clientHello: ClientHello = {
  version: 0xfefd,
  random: new Uint8Array(32).fill(1),
  sessionId: hex(""),
  cookie: hex("01"),
  cipherSuites: [0xc0a8],
  compressionMethods: hex("00"),
  extensions: undefined,
};
const message = (type: number, sequence: number, body: Uint8Array): HandshakeMessage => ({ type, sequence, body });
const hello = (changes: Partial<ClientHello> = {}): HandshakeEvent => ({
  type: "hello",
  message: message(HANDSHAKE_TYPE.clientHello, 1, encodeClientHello({ ...clientHello, ...changes })),
  facts,
  settings: HANDSHAKE_SETTINGS,
});
const keyExchange: HandshakeEvent = {
  type: "message",
  message: message(HANDSHAKE_TYPE.clientKeyExchange, 2, encodeClientKeyExchange({ identity: hex("61") })),
  epoch: 0,
};
const finished = (epoch: number, body = new Uint8Array(12)): HandshakeEvent => ({
  type: "message",
  message: message(HANDSHAKE_TYPE.finished, 3, body),
  epoch,
});
const pskFound: HandshakeEvent = { type: "pskFound", psk: hex("0011") };
const alert = (name: AlertName, epoch: number, fatal = true): HandshakeEvent => ({
  type: "alert",
  alert: { fatal, description: ALERTS[name] },
  epoch,
});

const after = (...events: HandshakeEvent[]): ServerHandshake =>
  events.reduce<ServerHandshake>((state, event) => step(state, event).next, { at: "start" });
const keyExchangeAwaited = after(hello());
const pskAwaited = after(hello(), keyExchange);
const finishedAwaited = after(hello(), keyExchange, pskFound);
const finishedAwaitedCbc = after(hello({ cipherSuites: [0x00ae] }), keyExchange, pskFound);
if (finishedAwaited.at !== "finishedAwaited") throw new Error(finishedAwaited.at);
const open: ServerHandshake = { at: "open", session: finishedAwaited.session, flight: finishedAwaited.flight };
const closed: ServerHandshake = { at: "closed", reason: "closedByUs" };

const finishedAwaitedCbcId = after(
  hello({ cipherSuites: [0x00ae], extensions: [{ type: 54, data: hex("00") }] }),
  keyExchange,
  pskFound,
);

const noReply = (maxAttempts: number): HandshakeEvent => ({ type: "noReply", maxAttempts });
const renegotiation: HandshakeEvent = {
  type: "message",
  message: message(1, 4, encodeClientHello(clientHello)),
  epoch: 1,
};

type Row = [rule: string, from: ServerHandshake, event: HandshakeEvent, at: string, effects: string[]];
const TABLE: Row[] = [
  ["a hello is answered", { at: "start" }, hello(), "keyExchangeAwaited", ["send", "startTimer"]],
  ["only the first one", keyExchangeAwaited, hello(), "keyExchangeAwaited", []],
  [
    "DTLS 1.0 is refused",
    { at: "start" },
    hello({ version: 0xfeff }),
    "closed noCommonVersion",
    ["sendAlert", "stopTimer", "closed"],
  ],
  [
    "compression is refused",
    { at: "start" },
    hello({ compressionMethods: hex("01") }),
    "closed noCommonCompression",
    ["sendAlert", "stopTimer", "closed"],
  ],
  [
    "no suite of ours",
    { at: "start" },
    hello({ cipherSuites: [0x1301] }),
    "closed noCommonSuite",
    ["sendAlert", "stopTimer", "closed"],
  ],
  ["the identity asks for its key", keyExchangeAwaited, keyExchange, "pskAwaited", ["lookUpPsk"]],
  ["what comes before the key is lost", pskAwaited, finished(1), "pskAwaited", []],
  ["the key makes the keys", pskAwaited, pskFound, "finishedAwaited", ["useKeys"]],
  ["a key that nobody asked for", keyExchangeAwaited, pskFound, "keyExchangeAwaited", []],
  [
    "Finished before its time",
    keyExchangeAwaited,
    finished(0),
    "closed unexpectedMessage",
    ["sendAlert", "stopTimer", "closed"],
  ],
  [
    "Finished that was not sealed",
    finishedAwaited,
    finished(0),
    "closed unexpectedMessage",
    ["sendAlert", "stopTimer", "closed"],
  ],
  ["a wrong Finished", finishedAwaited, finished(1), "closed wrongFinished", ["sendAlert", "stopTimer", "closed"]],
  [
    "a repeated hello gets the flight again",
    keyExchangeAwaited,
    { type: "repeated", epoch: 0 },
    "keyExchangeAwaited",
    ["send"],
  ],
  ["a repeated key exchange has no answer yet", finishedAwaited, { type: "repeated", epoch: 0 }, "finishedAwaited", []],
  ["a repeated Finished gets ours again", open, { type: "repeated", epoch: 1 }, "open", ["send"]],
  ["not for who has no keys", open, { type: "repeated", epoch: 0 }, "open", []],
  ["silence repeats the flight", keyExchangeAwaited, noReply(2), "keyExchangeAwaited", ["send", "startTimer"]],
  ["too much silence ends it", keyExchangeAwaited, noReply(1), "closed noReply", ["stopTimer", "closed"]],
  ["an open session needs no replies", open, noReply(1), "open", []],
  ["CCM_8 that does not open is a doubt", finishedAwaited, { type: "unreadable" }, "finishedAwaited", ["keyDoubted"]],
  [
    "CBC that does not open is the end",
    finishedAwaitedCbc,
    { type: "unreadable" },
    "closed wrongKey",
    ["keyDoubted", "sendAlert", "stopTimer", "closed"],
  ],
  ["but never with connection ids", finishedAwaitedCbcId, { type: "unreadable" }, "finishedAwaited", ["keyDoubted"]],
  ["an open session ignores what does not open", open, { type: "unreadable" }, "open", []],
  [
    "a malformed message ends a handshake",
    keyExchangeAwaited,
    { type: "malformed" },
    "closed malformedMessage",
    ["sendAlert", "stopTimer", "closed"],
  ],
  ["and no session", open, { type: "malformed" }, "open", []],
  [
    "a fatal alert ends a handshake",
    keyExchangeAwaited,
    alert("handshakeFailure", 0),
    "closed alertFromPeer",
    ["stopTimer", "closed"],
  ],
  ["a warning does not", keyExchangeAwaited, alert("userCanceled", 0, false), "keyExchangeAwaited", []],
  ["an open session hears only sealed alerts", open, alert("internalError", 0), "open", []],
  ["a sealed fatal alert ends it", open, alert("internalError", 1), "closed alertFromPeer", ["stopTimer", "closed"]],
  [
    "close_notify is answered",
    open,
    alert("closeNotify", 1, false),
    "closed closedByPeer",
    ["sendAlert", "stopTimer", "closed"],
  ],
  ["our own close", open, { type: "close" }, "closed closedByUs", ["sendAlert", "stopTimer", "closed"]],
  ["renegotiation is declined", open, renegotiation, "open", ["sendAlert"]],
  ["nothing opens a closed one", closed, hello(), "closed closedByUs", []],
];
test.each(TABLE)("%s", (_rule, from, event, at, effects) => {
  const result = step(from, event);
  const { next } = result;
  expect(next.at === "closed" ? `closed ${next.reason}` : next.at).toBe(at);
  expect(result.effects.map(({ type }) => type as string)).toEqual(effects);
});

describe("the answer to a hello", () => {
  const answerTo = (event: HandshakeEvent) => {
    const [send] = step({ at: "start" }, event).effects;
    if (send?.type !== "send") throw new Error("no flight");
    return send.flight.flatMap((item) => (item.type === "handshake" ? [item.message] : []));
  };
  const serverHello = (event: HandshakeEvent) => decodeServerHello(answerTo(event)[0]?.body ?? hex(""));

  test("has no extensions for a client without", () => expect(serverHello(hello()).extensions).toBeUndefined());
  test("says nothing that was not offered", () => {
    const { extensions } = serverHello(hello({ extensions: [{ type: 23, data: hex("") }] }));
    expect(extensions).toEqual([{ type: 23, data: hex("") }]);
  });
  test("encrypt-then-MAC only with CBC", () => {
    const extensions = [{ type: 22, data: hex("") }];
    expect(serverHello(hello({ extensions })).extensions).toBeUndefined();
    expect(serverHello(hello({ extensions, cipherSuites: [0x00ae] })).extensions).toEqual(extensions);
  });
  test("gives a connection id out where one is offered, even an empty one", () => {
    const { extensions } = serverHello(hello({ extensions: [{ type: 54, data: hex("00") }] }));
    expect(extensions).toEqual([{ type: 54, data: hex("04aabbccdd") }]);
  });
  test("takes the preferred suite", () => {
    expect(serverHello(hello({ cipherSuites: [0x00ae, 0xc0a8] })).cipherSuite).toBe(PSK_AES_128_CCM_8.id);
    const settings = { ...HANDSHAKE_SETTINGS, suites: [PSK_AES_128_CBC_SHA256] };
    const event = { ...hello({ cipherSuites: [0xc0a8, 0x00ae] }), settings } as HandshakeEvent;
    expect(serverHello(event).cipherSuite).toBe(PSK_AES_128_CBC_SHA256.id);
  });
  test("has ServerKeyExchange only with a hint; messages count on from the hello", () => {
    const kinds = (event: HandshakeEvent) => answerTo(event).map(({ type, sequence }) => [type, sequence]);
    expect(kinds(hello())).toEqual([
      [HANDSHAKE_TYPE.serverHello, 1],
      [HANDSHAKE_TYPE.serverHelloDone, 2],
    ]);
    const settings = { ...HANDSHAKE_SETTINGS, identityHint: hex("61") };
    expect(kinds({ ...hello(), settings } as HandshakeEvent)).toEqual([
      [HANDSHAKE_TYPE.serverHello, 1],
      [HANDSHAKE_TYPE.serverKeyExchange, 2],
      [HANDSHAKE_TYPE.serverHelloDone, 3],
    ]);
  });
});

test("a malformed hello throws and leaves the state to the caller", () => {
  const event = { ...hello(), message: message(HANDSHAKE_TYPE.clientHello, 1, hex("fefd")) } as HandshakeEvent;
  expect(() => step({ at: "start" }, event)).toThrow(MalformedError);
});
