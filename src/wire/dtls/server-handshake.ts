/**
 * The server's side of a handshake with a pre-shared key (RFC 6347 §4.2, RFC 5246 §7.3, RFC 4279 §2) and the end of the
 * session. Pure: the caller feeds it facts, keeps `next`, then runs the effects in order. It begins behind the cookie.
 * ChangeCipherSpec from the client is no event: every record says its epoch, so one that got lost stops nothing.
 */
import { ALERTS, type Alert, type AlertName } from "./alert";
import { chooseCipherSuite } from "./cipher-suite";
import { HANDSHAKE_TYPE, type HandshakeMessage } from "./handshake";
import type {
  Agreed,
  CloseReason,
  DtlsSession,
  Flight,
  FlightItem,
  HandshakeEffect,
  HandshakeEvent,
  HandshakeSettings,
  HandshakeStep,
  HelloFacts,
  ResumableSession,
  ServerHandshake,
} from "./handshake-state";
import { readClientExtensions, writeHelloExtensions } from "./hello-extensions";
import {
  bodyOf,
  type ClientHello,
  decodeClientHello,
  decodeClientKeyExchange,
  decodeFinished,
  encodeServerHello,
  encodeServerKeyExchange,
} from "./messages";
import { extendedMasterSecret, masterSecret, pskPremasterSecret, sessionKeys, verifyData } from "./prf";
import { DTLS_1_2 } from "./record";
import { isSameBytes } from "./same-bytes";
import { type Transcript, transcriptHash, withMessage } from "./transcript";

/** Throws MalformedError for a body that breaks its format; nothing has happened then. */
export function step(from: ServerHandshake, event: HandshakeEvent): HandshakeStep {
  if (from.at === "closed") return to(from);
  switch (event.type) {
    case "hello":
      return from.at === "start" ? answerHello(event.message, event.facts, event.settings) : to(from);
    case "message":
      return takeMessage(from, event.message, event.epoch);
    case "pskFound":
      return from.at === "pskAwaited" ? deriveKeys(from, event.psk) : to(from);
    case "repeated":
      return repeat(from, event.epoch);
    case "unreadable":
      return doubtKey(from);
    case "malformed":
      return from.at === "open" ? to(from) : refuse(from, "decodeError", "malformedMessage");
    case "noReply":
      if (!("attempt" in from)) return to(from);
      if (from.attempt >= event.maxAttempts) return closed(isDoubted(from) ? "wrongKey" : "noReply");
      return to({ ...from, attempt: from.attempt + 1 }, ...sent(from.flight, from.attempt + 1));
    case "alert":
      return takeAlert(from, event.alert, event.epoch);
    case "close":
      return refuse(from, "closeNotify", "closedByUs");
    default:
      return event satisfies never;
  }
}

function answerHello(message: HandshakeMessage, facts: HelloFacts, settings: HandshakeSettings): HandshakeStep {
  const start: ServerHandshake = { at: "start" };
  const hello = decodeClientHello(bodyOf(message, "clientHello"));
  if (hello.version > DTLS_1_2) return refuse(start, "protocolVersion", "noCommonVersion"); // they count downwards
  if (!hello.compressionMethods.includes(0)) return refuse(start, "illegalParameter", "noCommonCompression");
  const offered = readClientExtensions(hello);
  const base = isResumption(hello, facts.resumable) ? facts.resumable : undefined;
  if (base?.extendedMasterSecret && !offered.extendedMasterSecret) {
    return refuse(start, "handshakeFailure", "resumptionWithoutExtendedMasterSecret"); // RFC 7627 §5.3
  }
  // The other way round the old secret is not worth what the client asks for: a full handshake.
  const resumed = base?.extendedMasterSecret === offered.extendedMasterSecret ? base : undefined;
  const suite = resumed?.suite ?? chooseCipherSuite(hello.cipherSuites, settings.suites);
  if (suite === undefined) return refuse(start, "handshakeFailure", "noCommonSuite");

  const agreed: Agreed = {
    suite,
    randoms: { client: hello.random, server: facts.random },
    sessionId: resumed?.sessionId ?? facts.newSessionId,
    extendedMasterSecret: offered.extendedMasterSecret,
    encryptThenMac: offered.encryptThenMac && suite.cipher === "cbc", // RFC 7366 §3
    ownConnectionId: offered.connectionId && facts.newConnectionId,
    peerConnectionId: offered.connectionId?.length ? offered.connectionId.slice() : undefined,
  };
  // With an id of ours or an empty one: either tells the client that its own will be used.
  const connectionId = offered.connectionId && (agreed.ownConnectionId ?? new Uint8Array(0));
  const body = encodeServerHello({
    version: DTLS_1_2,
    random: facts.random,
    sessionId: agreed.sessionId,
    cipherSuite: suite.id,
    compressionMethod: 0,
    extensions: writeHelloExtensions({ ...offered, encryptThenMac: agreed.encryptThenMac, connectionId }),
  });
  // As many answers went before it as hellos did.
  const serverHello: HandshakeMessage = { type: HANDSHAKE_TYPE.serverHello, sequence: message.sequence, body };
  const transcript = withMessage(withMessage([], message), serverHello);
  return resumed
    ? resume(agreed, resumed, transcript, serverHello)
    : askForKey(agreed, transcript, serverHello, settings);
}

function askForKey(
  agreed: Agreed,
  soFar: Transcript,
  serverHello: HandshakeMessage,
  { identityHint }: HandshakeSettings,
): HandshakeStep {
  const messages = [serverHello];
  if (identityHint) {
    const body = encodeServerKeyExchange({ identityHint });
    messages.push({ type: HANDSHAKE_TYPE.serverKeyExchange, sequence: serverHello.sequence + 1, body });
  }
  const sequence = serverHello.sequence + messages.length;
  messages.push({ type: HANDSHAKE_TYPE.serverHelloDone, sequence, body: new Uint8Array(0) });
  const transcript = messages.slice(1).reduce(withMessage, soFar);
  const flight = messages.map((message): FlightItem => ({ type: "handshake", epoch: 0, message }));
  return to({ at: "keyExchangeAwaited", agreed, transcript, flight, attempt: 1 }, ...sent(flight, 1));
}

/** The abbreviated handshake: here the server finishes first. */
function resume(
  agreed: Agreed,
  base: ResumableSession,
  soFar: Transcript,
  serverHello: HandshakeMessage,
): HandshakeStep {
  const session = sessionOf(agreed, base.masterSecret, base.identity);
  const finished = finishedMessage(session, soFar, serverHello.sequence + 1);
  const flight: Flight = [{ type: "handshake", epoch: 0, message: serverHello }, ...finishing(finished)];
  const transcript = withMessage(soFar, finished);
  return to(
    { at: "finishedAwaited", session, resumed: true, keyDoubted: false, transcript, flight, attempt: 1 },
    { type: "useKeys", session },
    ...sent(flight, 1),
  );
}

function takeMessage(from: ServerHandshake, message: HandshakeMessage, epoch: number): HandshakeStep {
  if (from.at === "keyExchangeAwaited" && epoch === 0 && message.type === HANDSHAKE_TYPE.clientKeyExchange) {
    const { identity } = decodeClientKeyExchange(message.body);
    const transcript = withMessage(from.transcript, message);
    return to({ ...from, at: "pskAwaited", identity, transcript }, { type: "lookUpPsk", identity });
  }
  if (from.at === "finishedAwaited" && epoch === 1 && message.type === HANDSHAKE_TYPE.finished) {
    return takeFinished(from, message);
  }
  if (from.at === "open") {
    // A hello inside the session asks for a renegotiation (RFC 5246 §7.2.2); all else is late and harmless.
    if (epoch === 0 || message.type !== HANDSHAKE_TYPE.clientHello) return to(from);
    return to(from, { type: "sendAlert", alert: { fatal: false, description: ALERTS.noRenegotiation }, epoch: 1 });
  }
  return from.at === "pskAwaited" ? to(from) : refuse(from, "unexpectedMessage", "unexpectedMessage");
}

function deriveKeys(from: Extract<ServerHandshake, { at: "pskAwaited" }>, psk: Uint8Array): HandshakeStep {
  const { agreed, identity, transcript, flight, attempt } = from;
  const premaster = pskPremasterSecret(psk);
  const master = agreed.extendedMasterSecret
    ? extendedMasterSecret(premaster, transcriptHash(transcript))
    : masterSecret(premaster, agreed.randoms);
  const session = sessionOf(agreed, master, identity);
  return to(
    { at: "finishedAwaited", session, resumed: false, keyDoubted: false, transcript, flight, attempt },
    { type: "useKeys", session },
  );
}

function takeFinished(
  from: Extract<ServerHandshake, { at: "finishedAwaited" }>,
  message: HandshakeMessage,
): HandshakeStep {
  const { session, transcript, resumed, flight } = from;
  const expected = verifyData(session.masterSecret, "client", transcriptHash(transcript));
  if (!isSameBytes(decodeFinished(message.body).verifyData, expected)) {
    return refuse(from, "decryptError", "wrongFinished");
  }
  const opened: HandshakeEffect[] = [{ type: "stopTimer" }, { type: "opened", session, resumed }];
  if (resumed) return to({ at: "open", session, flight: [] }, ...opened);
  const last = flight.at(-1);
  const sequence = last?.type === "handshake" ? last.message.sequence + 1 : 0;
  const answer = finishing(finishedMessage(session, withMessage(transcript, message), sequence));
  return to({ at: "open", session, flight: answer }, { type: "send", flight: answer }, ...opened);
}

/** Our flight got lost, or theirs crossed it. Once the session is open, only who has its keys makes us answer. */
function repeat(from: ServerHandshake, epoch: number): HandshakeStep {
  switch (from.at) {
    case "keyExchangeAwaited":
      return to(from, { type: "send", flight: from.flight });
    case "finishedAwaited":
      return from.resumed ? to(from, { type: "send", flight: from.flight }) : to(from);
    case "open":
      return epoch > 0 && from.flight.length > 0 ? to(from, { type: "send", flight: from.flight }) : to(from);
    default:
      return to(from);
  }
}

/**
 * The first record of epoch 1 shows whether both have the same key. A client with CBC gets the alert that it waits for;
 * the others nothing, as their record may be forged, and none that has a connection id (RFC 9146 §6).
 */
function doubtKey(from: ServerHandshake): HandshakeStep {
  if (from.at !== "finishedAwaited" || from.keyDoubted) return to(from);
  const { suite, ownConnectionId } = from.session;
  if (suite.cipher !== "cbc" || ownConnectionId) return to({ ...from, keyDoubted: true }, { type: "keyDoubted" });
  const { next, effects } = refuse(from, "badRecordMac", "wrongKey");
  return to(next, { type: "keyDoubted" }, ...effects);
}

function takeAlert(from: ServerHandshake, { fatal, description }: Alert, epoch: number): HandshakeStep {
  if (from.at === "open" && epoch === 0) return to(from); // anybody could have written it
  if (description === ALERTS.closeNotify) return refuse(from, "closeNotify", "closedByPeer");
  return fatal ? closed("alertFromPeer") : to(from);
}

function isResumption(hello: ClientHello, base: ResumableSession | undefined): base is ResumableSession {
  if (base === undefined || hello.sessionId.length === 0) return false;
  return isSameBytes(hello.sessionId, base.sessionId) && hello.cipherSuites.includes(base.suite.id);
}

function sessionOf(agreed: Agreed, master: Uint8Array, identity: Uint8Array): DtlsSession {
  const { randoms, ...rest } = agreed;
  return { ...rest, masterSecret: master, identity, keys: sessionKeys(agreed.suite, master, randoms) };
}

function finishedMessage(session: DtlsSession, transcript: Transcript, sequence: number): HandshakeMessage {
  const body = verifyData(session.masterSecret, "server", transcriptHash(transcript));
  return { type: HANDSHAKE_TYPE.finished, sequence, body };
}

const finishing = (message: HandshakeMessage): Flight => [
  { type: "changeCipherSpec" },
  { type: "handshake", epoch: 1, message },
];

const isDoubted = (from: ServerHandshake) => from.at === "finishedAwaited" && from.keyDoubted;
const to = (next: ServerHandshake, ...effects: HandshakeEffect[]): HandshakeStep => ({ next, effects });
const sent = (flight: Flight, attempt: number): HandshakeEffect[] => [
  { type: "send", flight },
  { type: "startTimer", attempt },
];
const closed = (reason: CloseReason): HandshakeStep =>
  to({ at: "closed", reason }, { type: "stopTimer" }, { type: "closed", reason });

/** Under the keys that the client is known to have. */
function refuse(from: ServerHandshake, name: AlertName, reason: CloseReason): HandshakeStep {
  const alert = { fatal: name !== "closeNotify", description: ALERTS[name] };
  const { next, effects } = closed(reason);
  return to(next, { type: "sendAlert", alert, epoch: from.at === "open" ? 1 : 0 }, ...effects);
}
