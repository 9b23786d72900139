import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import {
  type Admission,
  answerToMalformed,
  CODES,
  CoapMalformedError,
  checkOptions,
  decodeMessageView,
  encodeEmpty,
  exchangeSettings,
  isRequest,
  MessageView,
  transmissionTimes,
  type MessageView as View,
} from "../../wire/coap";
import type { Peer } from "../datagram/peer";
import { createClient } from "./client";
import type { CoapEndpoint, CoapHandlers } from "./coap-endpoint";
import { coapCounters } from "./counters";
import { EndedTokens } from "./ended-tokens";
import { SeenMessages } from "./known-peers";
import { MessageIds } from "./message-ids";
import { UNDERSTOOD_IN_RESPONSES } from "./messages";
import { OpenPeers } from "./open-peers";
import type { EndpointParts } from "./parts";
import { createServer } from "./server";
import { blockSizeOf, type CoapSettings, transmissionOf } from "./settings";

export type CoapEndpointParts = {
  readonly handlers: CoapHandlers;
  readonly clock: Clock;
  /** So many random bytes, which nobody can guess. */
  readonly random: (length: number) => Uint8Array;
  /**
   * 32 secret bits, the same for every process that speaks to the same peers: it gives no message ids that they remember of
   * the one before. Left out: random.
   */
  readonly messageIdSeed?: number | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: CoapSettings;
};

/**
 * CoAP (RFC 7252, 7641, 7959, 7967) between datagrams and the layer above, both roles, for all ports at once. Knows no
 * sockets: datagrams come in by `receive` and go out by `Peer.send`.
 */
export function createCoapEndpoint({
  handlers,
  clock,
  random,
  messageIdSeed,
  log,
  metrics,
  settings,
}: CoapEndpointParts): CoapEndpoint {
  const transmission = transmissionOf(settings);
  const lifetimeMs = transmissionTimes(transmission).exchangeLifetimeMs;
  const nowMs = clock.monotonic();
  const [one, two, three, four, five] = new Uint32Array(random(20).slice().buffer) as unknown as Five;
  const remembering = (entriesPerGeneration: number, replyBytesPerGeneration: number, maxReplyBytes: number) => ({
    ...{ lifetimeMs, entriesPerGeneration, replyBytesPerGeneration, maxReplyBytes },
  });
  const { duplicateReplyBytes, maxReplyBytes, usedMessageIds } = settings;
  const seen = new SeenMessages(
    remembering(settings.knownDuplicates, duplicateReplyBytes, maxReplyBytes),
    remembering(settings.strangerDuplicates, duplicateReplyBytes, maxReplyBytes),
    [one, two],
    nowMs,
  );
  const messageIds = new MessageIds(
    remembering(usedMessageIds, usedMessageIds * 8, 8),
    [three, four, messageIdSeed ?? five],
    nowMs,
    () => clock.now(),
  );
  const peers = new OpenPeers(settings.nstart);
  const counters = coapCounters(metrics, () => ({
    peers: peers.count,
    exchanges: peers.openCount - server.answering,
    waiting: peers.waitingCount,
    answering: server.answering,
    transfers: server.transfers,
    transferBytes: server.transferBytes,
    evictedKnown: seen.memories.known.evictedEarly,
    evictedStrangers: seen.memories.strangers.evictedEarly,
    reusedMessageIds: messageIds.reused,
  }));
  const parts: EndpointParts = {
    ...{ handlers, settings, clock, log, counters, peers, seen, messageIds, random, guarded },
    blockSize: blockSizeOf(settings),
    exchange: { ...exchangeSettings(transmission), responseTimeoutMs: settings.responseTimeoutMs },
    endedTokens: new EndedTokens(settings.maxEndedTokens, lifetimeMs),
    randomFraction: () => (new DataView(random(4).slice().buffer).getUint32(0) as number) / 2 ** 32,
  };
  const server = createServer(parts);
  let isStopped = false;
  const client = createClient(parts, () => isStopped);
  /** Used again for every datagram, unless one arrives while another is handled. */
  const view = new MessageView();
  let isBusy = false;

  function guarded(where: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error("coapFault", { where, error });
    }
  }

  function dispatch(peer: Peer, message: View) {
    if (message.code === CODES.empty) return receiveEmpty(peer, message);
    if (message.type === "ack") return receivePiggybacked(peer, message);
    const admission = seen.admit(peer, message.messageId, clock.monotonic());
    if (admission !== "new") return repeat(peer, message, admission);
    if (isRequest(message.code)) server.receive(peer, message);
    else receiveResponse(peer, message);
  }

  /** What was answered is answered again the same way; what is being worked on is waited for. */
  function repeat(peer: Peer, message: View, reply: Exclude<Admission, "new">): void {
    counters.received(message.type, "duplicate");
    if (reply === "seen") return;
    counters.sent("ack", "repeated");
    peer.send(reply.slice());
  }

  function receiveEmpty(peer: Peer, message: View) {
    if (message.type === "con") {
      counters.received("con", "ping");
      return sendEmpty(peer, "rst", message.messageId);
    }
    const ours = peers.find(peer)?.findById(message.messageId);
    if (!ours) return counters.received(message.type, "unmatched");
    counters.received(message.type, message.type === "ack" ? "ack" : "reset");
    if (message.type === "ack") ours.acknowledged();
    else ours.reset();
  }

  /** Both the message id and the token have to be right (RFC 7252 §5.3.2). */
  function receivePiggybacked(peer: Peer, message: View) {
    const ours = peers.find(peer)?.findById(message.messageId);
    if (!ours?.wantsResponse || !ours.hasToken(message.bytes, 4, message.tokenEnd))
      return counters.received("ack", "unmatched");
    counters.received("ack", "response");
    ours.answered(message);
  }

  function receiveResponse(peer: Peer, message: View) {
    const isRefused = checkOptions(message, UNDERSTOOD_IN_RESPONSES).action !== "accept";
    const ours = peers.find(peer)?.findByToken(message.bytes, 4, message.tokenEnd);
    if (isRefused) {
      counters.received(message.type, "option_refused");
      if (message.type === "con") sendEmpty(peer, "rst", message.messageId, "remember");
      ours?.answered(message); // it fails by the same rule
      return;
    }
    if (ours) {
      counters.received(message.type, "response");
      if (message.type === "con") sendEmpty(peer, "ack", message.messageId, "remember");
      return ours.answered(message);
    }
    receiveNotification(peer, message);
  }

  function receiveNotification(peer: Peer, message: View) {
    const { type, messageId } = message;
    let verdict: ReturnType<CoapHandlers["notification"]>;
    try {
      verdict = handlers.notification(peer, message);
    } catch (error) {
      seen.forget(peer, messageId); // not stored: it is welcome again
      log.error("coapFault", { where: "notification", peer: peer.key, error });
      return;
    }
    switch (verdict) {
      case "taken":
        return counters.received(type, "notification");
      case "acknowledge":
        counters.received(type, "notification");
        if (type === "con") sendEmpty(peer, "ack", messageId, "remember");
        return;
      case "unknown": {
        const isLate = parts.endedTokens.has(peer, message.token(), clock.monotonic());
        counters.received(type, isLate ? "late_response" : "unknown_response");
        if (!isLate) sendEmpty(peer, "rst", messageId, "remember");
        else if (type === "con") sendEmpty(peer, "ack", messageId, "remember");
        return;
      }
      default:
        return verdict satisfies never;
    }
  }

  function sendEmpty(peer: Peer, type: "ack" | "rst", messageId: number, remember?: "remember"): void {
    const bytes = encodeEmpty(type, messageId);
    if (remember) seen.remember(peer, messageId, bytes);
    counters.sent(type, type === "ack" ? "ack" : "reset");
    peer.send(bytes);
  }

  function receiveMalformed(peer: Peer, error: CoapMalformedError): void {
    counters.malformed(error.reason);
    const answer = answerToMalformed(error);
    if (answer) sendEmpty(peer, "rst", answer.resetMessageId);
  }

  return {
    ...client,

    receive(peer, datagram) {
      if (isStopped) return;
      const message = isBusy ? new MessageView() : view;
      const wasBusy = isBusy;
      isBusy = true;
      try {
        dispatch(peer, decodeMessageView(datagram, message));
      } catch (error) {
        if (error instanceof CoapMalformedError) receiveMalformed(peer, error);
        else log.error("coapFault", { where: "receive", peer: peer.key, error });
      } finally {
        isBusy = wasBusy;
      }
    },

    vouch: (peer) => seen.vouch(peer),
    acknowledge: (peer, messageId) => sendEmpty(peer, "ack", messageId, "remember"),
    forget: (peer, messageId) => seen.forget(peer, messageId),

    hasTaken(peer, messageId) {
      const before = seen.find(peer, messageId, clock.monotonic());
      return before !== "new" && (before === "seen" || !isReset(before));
    },

    repeat(peer) {
      const open = peers.find(peer);
      if (open) for (const message of [...open.messages]) message.heard();
    },

    redirect(from, to) {
      const moved = peers.move(from, to);
      server.move(from, to);
      if (!moved) return;
      const now = clock.monotonic();
      for (const { messageId, token } of moved.messages) messageIds.claim(to.key, messageId, token, now);
    },

    abandon(peer) {
      peers.cancelAll(peer);
      server.drop(peer);
    },

    stop() {
      isStopped = true;
      peers.stop();
      server.stop();
    },
  };
}

const isReset = (reply: Uint8Array) => (((reply[0] as number) >> 4) & 3) === 3;
type Five = readonly [number, number, number, number, number];
