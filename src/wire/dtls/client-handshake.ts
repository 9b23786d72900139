/**
 * The client's side of a handshake with a pre-shared key (RFC 6347 §4.2, RFC 5246 §7.3, RFC 4279 §2). Pure, like its
 * counterpart in server-handshake.ts: the caller feeds it facts, keeps `next`, then runs the effects in order.
 */
import { ALERTS, type Alert, type AlertName } from "./alert";
import type {
  ClientAgreed,
  ClientCloseReason,
  ClientEffect,
  ClientEvent,
  ClientHandshake,
  ClientOffer,
  ClientStep,
  Sent,
} from "./client-state";
import { HANDSHAKE_TYPE, type HandshakeMessage } from "./handshake";
import type { DtlsSession, Flight } from "./handshake-state";
import { type HelloExtensions, readHelloExtensions, writeHelloExtensions } from "./hello-extensions";
import {
  decodeFinished,
  decodeHelloVerifyRequest,
  decodeServerHello,
  decodeServerKeyExchange,
  encodeClientHello,
  encodeClientKeyExchange,
  type ServerHello,
} from "./messages";
import { extendedMasterSecret, masterSecret, pskPremasterSecret, sessionKeys, verifyData } from "./prf";
import { DTLS_1_2 } from "./record";
import { isSameBytes } from "./same-bytes";
import { type Transcript, transcriptHash, withMessage } from "./transcript";

/** A server that forgets its cookies asks again; one that always does would keep us for ever. */
const MAX_COOKIES = 3;
const NOTHING = new Uint8Array(0);

type Waiting = Extract<ClientHandshake, Sent>;

/** Throws MalformedError for a body that breaks its format; nothing has happened then. */
export function stepClient(from: ClientHandshake, event: ClientEvent): ClientStep {
  if (from.at === "closed") return to(from);
  switch (event.type) {
    case "start":
      return from.at === "start" ? sayHello(event.offer, NOTHING, 0, 0) : to(from);
    case "message":
      return takeMessage(from, event.message, event.epoch);
    case "repeated":
      return repeat(from, event.epoch);
    case "proven":
      return from.at === "open" && from.flight.length > 0 ? to({ ...from, flight: [] }) : to(from);
    case "malformed":
      return from.at === "open" ? to(from) : refuse(from, "decodeError", "malformedMessage");
    case "noReply":
      if (!("attempt" in from)) return to(from);
      if (from.attempt >= event.maxAttempts) return closed("noReply");
      return to({ ...from, attempt: from.attempt + 1 }, ...sent(from.flight, from.attempt + 1));
    case "alert":
      return takeAlert(from, event.alert, event.epoch);
    case "close":
      return from.at === "start" ? closed("closedByUs") : refuse(from, "closeNotify", "closedByUs");
    default:
      return event satisfies never;
  }
}

function sayHello(offer: ClientOffer, cookie: Uint8Array, sequence: number, cookies: number): ClientStep {
  const { random, suites, resume } = offer;
  const message: HandshakeMessage = {
    type: HANDSHAKE_TYPE.clientHello,
    sequence,
    body: encodeClientHello({
      version: DTLS_1_2,
      random,
      sessionId: resume?.sessionId ?? NOTHING,
      cookie,
      cipherSuites: suites.map(({ id }) => id),
      compressionMethods: Uint8Array.of(0),
      extensions: writeHelloExtensions(offeredExtensions(offer)),
    }),
  };
  const flight: Flight = [{ type: "handshake", epoch: 0, message }];
  const transcript = withMessage([], message);
  return to({ at: "serverHelloAwaited", offer, transcript, flight, attempt: 1, cookies }, ...sent(flight, 1));
}

function offeredExtensions(offer: ClientOffer): HelloExtensions {
  if (!offer.extensions) return readHelloExtensions(undefined);
  const { extendedMasterSecret, encryptThenMac, connectionId } = offer;
  return { extendedMasterSecret, encryptThenMac, connectionId, secureRenegotiation: true };
}

function takeMessage(from: ClientHandshake, message: HandshakeMessage, epoch: number): ClientStep {
  const { helloVerifyRequest, serverHello, serverKeyExchange, serverHelloDone, finished } = HANDSHAKE_TYPE;
  if (from.at === "open") return to(from); // late, or a wish to renegotiate: neither is served
  if (from.at === "serverHelloAwaited" && epoch === 0) {
    if (message.type === helloVerifyRequest) return takeCookie(from, message);
    if (message.type === serverHello) return takeServerHello(from, message);
  }
  if (from.at === "serverHelloDoneAwaited" && epoch === 0) {
    const transcript = withMessage(from.transcript, message);
    if (message.type === serverKeyExchange && !from.hasKeyExchange) {
      decodeServerKeyExchange(message.body); // the hint says nothing to a device with one key
      return to({ ...from, transcript, hasKeyExchange: true });
    }
    if (message.type === serverHelloDone) return finish({ ...from, transcript });
  }
  if (from.at === "finishedAwaited" && epoch === 1 && message.type === finished) return takeFinished(from, message);
  return refuse(from, "unexpectedMessage", "unexpectedMessage");
}

function takeCookie(
  from: Extract<ClientHandshake, { at: "serverHelloAwaited" }>,
  message: HandshakeMessage,
): ClientStep {
  const { cookie } = decodeHelloVerifyRequest(message.body);
  if (from.cookies >= MAX_COOKIES) return refuse(from, "unexpectedMessage", "tooManyCookies");
  return sayHello(from.offer, cookie, message.sequence + 1, from.cookies + 1);
}

function takeServerHello(
  from: Extract<ClientHandshake, { at: "serverHelloAwaited" }>,
  message: HandshakeMessage,
): ClientStep {
  const { offer } = from;
  const hello = decodeServerHello(message.body);
  const chosen = readHelloExtensions(hello.extensions);
  const suite = offer.suites.find(({ id }) => id === hello.cipherSuite);
  const base = isResumed(offer, hello) ? offer.resume : undefined;
  const isFit =
    suite !== undefined &&
    hello.version === DTLS_1_2 &&
    hello.compressionMethod === 0 &&
    isOffered(chosen, offer, hello) &&
    (base === undefined || (base.suite.id === suite.id && base.extendedMasterSecret === chosen.extendedMasterSecret));
  if (!isFit) return refuse(from, "illegalParameter", "notOffered");

  const agreed: ClientAgreed = {
    suite,
    randoms: { client: offer.random, server: hello.random },
    sessionId: hello.sessionId,
    extendedMasterSecret: chosen.extendedMasterSecret,
    encryptThenMac: chosen.encryptThenMac,
    ownConnectionId: chosen.connectionId && offer.connectionId?.length ? offer.connectionId : undefined,
    peerConnectionId: chosen.connectionId?.length ? chosen.connectionId : undefined,
  };
  const transcript = withMessage(from.transcript, message);
  if (base === undefined) {
    return to({ ...from, at: "serverHelloDoneAwaited", transcript, agreed, hasKeyExchange: false });
  }
  const session = sessionOf(agreed, base.masterSecret, offer.identity);
  return to({ ...from, at: "finishedAwaited", session, resumed: true, transcript }, { type: "useKeys", session });
}

const isResumed = ({ resume }: ClientOffer, { sessionId }: ServerHello) =>
  resume !== undefined && sessionId.length > 0 && isSameBytes(sessionId, resume.sessionId);

/** A server may answer only what was asked (RFC 5246 §7.4.1.4); encrypt-then-MAC is for block ciphers (RFC 7366 §3). */
function isOffered(chosen: HelloExtensions, offer: ClientOffer, { extensions }: ServerHello): boolean {
  const offered = offeredExtensions(offer);
  return (
    (extensions === undefined || offer.extensions || chosen.secureRenegotiation) &&
    (offered.extendedMasterSecret || !chosen.extendedMasterSecret) &&
    (offered.encryptThenMac || !chosen.encryptThenMac) &&
    (offered.connectionId !== undefined || chosen.connectionId === undefined)
  );
}

/** All of the server's first flight is there: our key exchange and our Finished. */
function finish(from: Extract<ClientHandshake, { at: "serverHelloDoneAwaited" }>): ClientStep {
  const { offer, agreed, flight } = from;
  const keyExchange: HandshakeMessage = {
    type: HANDSHAKE_TYPE.clientKeyExchange,
    sequence: nextSequence(flight),
    body: encodeClientKeyExchange({ identity: offer.identity }),
  };
  const soFar = withMessage(from.transcript, keyExchange);
  const premaster = pskPremasterSecret(offer.psk);
  const master = agreed.extendedMasterSecret
    ? extendedMasterSecret(premaster, transcriptHash(soFar))
    : masterSecret(premaster, agreed.randoms);
  const session = sessionOf(agreed, master, offer.identity);
  const finished = finishedMessage(session, soFar, keyExchange.sequence + 1);
  const answer: Flight = [{ type: "handshake", epoch: 0, message: keyExchange }, ...finishing(finished)];
  const transcript = withMessage(soFar, finished);
  return to(
    { at: "finishedAwaited", offer, session, resumed: false, transcript, flight: answer, attempt: 1 },
    { type: "useKeys", session },
    ...sent(answer, 1),
  );
}

function takeFinished(
  from: Extract<ClientHandshake, { at: "finishedAwaited" }>,
  message: HandshakeMessage,
): ClientStep {
  const { session, transcript, resumed, flight } = from;
  const expected = verifyData(session.masterSecret, "server", transcriptHash(transcript));
  if (!isSameBytes(decodeFinished(message.body).verifyData, expected)) {
    return refuse(from, "decryptError", "wrongFinished");
  }
  const opened: ClientEffect[] = [{ type: "stopTimer" }, { type: "opened", session, resumed }];
  if (!resumed) return to({ at: "open", session, flight: [] }, ...opened);
  const answer = finishing(finishedMessage(session, withMessage(transcript, message), nextSequence(flight)));
  return to({ at: "open", session, flight: answer }, { type: "send", flight: answer }, ...opened);
}

/** Before the session is open our timer repeats what was lost; afterwards only the server can say that it misses it. */
function repeat(from: ClientHandshake, epoch: number): ClientStep {
  if (from.at !== "open" || epoch === 0 || from.flight.length === 0) return to(from);
  return to(from, { type: "send", flight: from.flight });
}

function takeAlert(from: ClientHandshake, { fatal, description }: Alert, epoch: number): ClientStep {
  if (from.at === "open" && epoch === 0) return to(from); // anybody could have written it
  if (description === ALERTS.closeNotify) return refuse(from, "closeNotify", "closedByPeer");
  return fatal ? closed("alertFromPeer", description) : to(from);
}

function sessionOf({ randoms, ...agreed }: ClientAgreed, master: Uint8Array, identity: Uint8Array): DtlsSession {
  return { ...agreed, masterSecret: master, identity, keys: sessionKeys(agreed.suite, master, randoms) };
}

function finishedMessage(session: DtlsSession, transcript: Transcript, sequence: number): HandshakeMessage {
  const body = verifyData(session.masterSecret, "client", transcriptHash(transcript));
  return { type: HANDSHAKE_TYPE.finished, sequence, body };
}

/** Of our next message: they count through all flights. */
function nextSequence(flight: Flight): number {
  const last = flight.at(-1);
  return last?.type === "handshake" ? last.message.sequence + 1 : 0;
}

const finishing = (message: HandshakeMessage): Flight => [
  { type: "changeCipherSpec" },
  { type: "handshake", epoch: 1, message },
];
const to = (next: ClientHandshake, ...effects: ClientEffect[]): ClientStep => ({ next, effects });
const sent = (flight: Flight, attempt: number): ClientEffect[] => [
  { type: "send", flight },
  { type: "startTimer", attempt },
];
const closed = (reason: ClientCloseReason, alert?: number): ClientStep =>
  to(
    { at: "closed", reason },
    { type: "stopTimer" },
    { type: "closed", reason, ...(alert !== undefined && { alert }) },
  );

/** Under the keys that the server is known to have. */
function refuse(from: Waiting | ClientHandshake, name: AlertName, reason: ClientCloseReason): ClientStep {
  const alert = { fatal: name !== "closeNotify", description: ALERTS[name] };
  const { next, effects } = closed(reason);
  return to(next, { type: "sendAlert", alert, epoch: from.at === "open" ? 1 : 0 }, ...effects);
}
