import type { Database } from "bun:sqlite";
import type { QoS, Subscription } from "../../wire/mqtt";
import { type OutboundMessage, Session } from "./session";

type SessionRow = { no: number; expires_ms: number | null };
type OutboundRow = {
  packet_id: number;
  qos: 1 | 2;
  mid: number;
  state: "publish" | "pubrel";
  topic: Uint8Array;
  payload: Uint8Array;
};

/** Persistent sessions: `registry` holds all of them but the inbound packet identifiers, which `telemetry` holds. */
export function sessionRepository(registry: Database, telemetry: Database) {
  const find = registry.query<SessionRow, { deviceNo: number }>(
    "SELECT no, expires_ms FROM mqtt_session WHERE device_no = $deviceNo",
  );
  const create = registry.query<{ no: number }, { deviceNo: number; now: number }>(
    `INSERT INTO mqtt_session (device_no, created_ms) VALUES ($deviceNo, $now)
     ON CONFLICT (device_no) DO UPDATE SET expires_ms = NULL RETURNING no`,
  );
  const setExpiry = registry.query<null, { no: number; at: number | null }>(
    "UPDATE mqtt_session SET expires_ms = $at WHERE no = $no",
  );
  const expireAll = registry.query<null, { at: number }>(
    "UPDATE mqtt_session SET expires_ms = $at WHERE expires_ms IS NULL",
  );
  const remove = registry.query<null, { no: number }>("DELETE FROM mqtt_session WHERE no = $no");
  const expired = registry.query<{ no: number; device_no: number }, { now: number; limit: number }>(
    "SELECT no, device_no FROM mqtt_session WHERE expires_ms <= $now ORDER BY expires_ms LIMIT $limit",
  );
  const isThere = registry.query<{ no: number }, { no: number }>("SELECT no FROM mqtt_session WHERE no = $no");

  const subscriptions = registry.query<{ filter: string; qos: QoS }, { no: number }>(
    "SELECT filter, qos FROM mqtt_subscription WHERE session_no = $no",
  );
  const subscribe = registry.query<null, { no: number; filter: string; qos: number }>(
    `INSERT INTO mqtt_subscription (session_no, filter, qos) VALUES ($no, $filter, $qos)
     ON CONFLICT DO UPDATE SET qos = excluded.qos`,
  );
  const unsubscribe = registry.query<null, { no: number; filter: string }>(
    "DELETE FROM mqtt_subscription WHERE session_no = $no AND filter = $filter",
  );

  const outbound = registry.query<OutboundRow, { no: number }>(
    "SELECT packet_id, qos, mid, state, topic, payload FROM mqtt_outbound WHERE session_no = $no ORDER BY seq",
  );
  const addOutbound = registry.query<
    null,
    { no: number; packetId: number; qos: number; mid: number; topic: Uint8Array; payload: Uint8Array }
  >(
    `INSERT INTO mqtt_outbound (session_no, packet_id, qos, mid, state, topic, payload)
     VALUES ($no, $packetId, $qos, $mid, 'publish', $topic, $payload)`,
  );
  const holding = registry.query<{ no: number }, { deviceNo: number; mid: number }>(
    `SELECT no FROM mqtt_session JOIN mqtt_outbound ON session_no = no
     WHERE device_no = $deviceNo AND mid = $mid LIMIT 1`,
  );
  const releaseOutbound = registry.query<null, { no: number; packetId: number }>(
    "UPDATE mqtt_outbound SET state = 'pubrel' WHERE session_no = $no AND packet_id = $packetId",
  );
  const removeOutbound = registry.query<null, { no: number; packetId: number }>(
    "DELETE FROM mqtt_outbound WHERE session_no = $no AND packet_id = $packetId",
  );
  const inbound = telemetry.query<{ packet_id: number }, { no: number }>(
    "SELECT packet_id FROM mqtt_inbound WHERE session_no = $no",
  );
  const inboundSessions = telemetry.query<{ session_no: number }, []>("SELECT DISTINCT session_no FROM mqtt_inbound");

  return {
    /** Undefined when the device has none, or one that has expired by `now`. */
    load(deviceNo: number, now: number): Session | undefined {
      const row = find.get({ deviceNo });
      if (!row || (row.expires_ms !== null && row.expires_ms <= now)) return undefined;
      const { no } = row;
      const session = new Session(deviceNo, no);
      for (const { filter, qos } of subscriptions.all({ no })) session.subscribe(filter, qos);
      for (const message of outbound.all({ no })) session.addOutbound(toMessage(message));
      const packetIds = inbound.all({ no }).map(({ packet_id }) => packet_id);
      if (packetIds.length > 0) session.inbound = new Set(packetIds);
      return session;
    },
    numberOf: (deviceNo: number): number | undefined => find.get({ deviceNo })?.no,
    create: (deviceNo: number, now: number): number => (create.get({ deviceNo, now }) as { no: number }).no,
    /** `at` undefined: not while it is connected. */
    expireAt: (no: number, at: number | undefined) => void setExpiry.run({ no, at: at ?? null }),
    /** At the start no device is connected, whatever the file says. */
    expireAllAt: (at: number) => void expireAll.run({ at }),
    remove: (no: number) => void remove.run({ no }),
    expired: (now: number, limit: number) => expired.all({ now, limit }),
    /** Sessions of which only inbound packet identifiers are left. */
    orphans: (): number[] =>
      inboundSessions
        .all()
        .map(({ session_no }) => session_no)
        .filter((no) => isThere.get({ no }) === null),
    subscribe: (no: number, { filter, qos }: Subscription) => void subscribe.run({ no, filter, qos }),
    unsubscribe: (no: number, filter: string) => void unsubscribe.run({ no, filter }),
    addOutbound: (no: number, { packetId, qos, mid, topic, payload }: OutboundMessage) =>
      void addOutbound.run({ no, packetId, qos, mid, topic, payload }),
    holdsCommand: (deviceNo: number, mid: number): boolean => holding.get({ deviceNo, mid }) !== null,
    releaseOutbound: (no: number, packetId: number) => void releaseOutbound.run({ no, packetId }),
    removeOutbound: (no: number, packetId: number) => void removeOutbound.run({ no, packetId }),
  };
}
export type SessionRepository = ReturnType<typeof sessionRepository>;

const toMessage = ({ packet_id, ...row }: OutboundRow): OutboundMessage => ({
  ...row,
  packetId: packet_id,
  delivered: undefined,
});

/** Rows of `telemetry.db`, enclosed in the transaction of the report that they belong to. */
export const INBOUND_ADDED = "INSERT OR IGNORE INTO mqtt_inbound (session_no, packet_id) VALUES (?, ?)";
export const INBOUND_RELEASED = "DELETE FROM mqtt_inbound WHERE session_no = ? AND packet_id = ?";
export const INBOUND_FORGOTTEN = "DELETE FROM mqtt_inbound WHERE session_no = ?";
