import type { CounterChild, Metrics } from "../../platform/metrics";
import type { CloseReason } from "../../wire/dtls";
import { DATAGRAM_DROPS, type DatagramDrop } from "../datagram/datagram-socket";

/** Why a record or datagram was dropped; a closed set. */
const DROPS = [
  ...DATAGRAM_DROPS,
  "malformed",
  "unknown_connection_id",
  "unknown_address",
  "no_handshake",
  "late",
  "foreign",
  "replayed",
  "unreadable",
  "handshake_rate",
  "handshake_limit",
  "overloaded",
  "not_stored_yet",
  "numbers_used_up",
  "session_over",
] as const;
export type Drop = (typeof DROPS)[number] | DatagramDrop;

/** How a handshake ended. `CloseReason` of the machine, and what the endpoint decides. */
export type HandshakeOutcome =
  | "opened"
  | "resumed"
  | "restarted"
  | "given_up"
  | "store_failed"
  | "cancelled"
  | (typeof OUTCOME_OF)[CloseReason];

export const OUTCOME_OF = {
  closedByPeer: "closed_by_peer",
  closedByUs: "closed_by_us",
  alertFromPeer: "alert_from_peer",
  noReply: "no_reply",
  wrongKey: "wrong_key",
  wrongFinished: "wrong_finished",
  noCommonSuite: "no_common_suite",
  noCommonVersion: "no_common_version",
  noCommonCompression: "no_common_compression",
  resumptionWithoutExtendedMasterSecret: "resumption_without_extended_master_secret",
  malformedMessage: "malformed_message",
  unexpectedMessage: "unexpected_message",
} as const satisfies Record<CloseReason, string>;

type Gauges = { readonly sessions: () => number; readonly inMemory: () => number; readonly handshakes: () => number };

export function dtlsCounters(metrics: Metrics, { sessions, inMemory, handshakes }: Gauges) {
  const records = metrics.counter("islet_dtls_records_total", "DTLS records by direction");
  const drops = metrics.counter("islet_dtls_drops_total", "DTLS records and datagrams dropped, by reason");
  const ended = metrics.counter("islet_dtls_handshakes_total", "DTLS handshakes by outcome");
  const loads = metrics.counter("islet_dtls_sessions_loaded_total", "DTLS sessions read from disk");
  const moves = metrics.counter("islet_dtls_address_changes_total", "Devices that moved with their connection id");
  const cookies = metrics.counter("islet_dtls_cookies_sent_total", "HelloVerifyRequests sent");
  metrics.gauge("islet_dtls_sessions", "DTLS sessions whose device can be reached", sessions);
  metrics.gauge("islet_dtls_sessions_in_memory", "DTLS sessions held in memory", inMemory);
  metrics.gauge("islet_dtls_half_open", "DTLS handshakes under way", handshakes);

  const dropsBy = Object.fromEntries(DROPS.map((reason) => [reason, drops.with({ reason })])) as Record<
    Drop,
    CounterChild
  >;
  return {
    in: records.with({ direction: "in" }),
    out: records.with({ direction: "out" }),
    loads,
    moves,
    cookies,
    drop: (reason: Drop) => dropsBy[reason].add(),
    handshake: (outcome: HandshakeOutcome) => ended.with({ outcome }).add(),
  };
}
export type DtlsCounters = ReturnType<typeof dtlsCounters>;
