import { expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../../migrations";
import { openDatabase } from "../../platform/storage/open-database";
import type { OutboundMessage } from "./session";
import { INBOUND_ADDED, INBOUND_FORGOTTEN, INBOUND_RELEASED, sessionRepository } from "./session-repository";

function setUp() {
  const registry = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const telemetry = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  return { registry, telemetry, sessions: sessionRepository(registry, telemetry) };
}
const message = (packetId: number): OutboundMessage => ({
  packetId,
  topic: Buffer.from("t"),
  payload: Buffer.from([packetId]),
  qos: 2,
  mid: packetId + 100,
  state: "publish",
  delivered: undefined,
});

test("what is stored comes back, messages in the order of sending", () => {
  const { telemetry, sessions } = setUp();
  const no = sessions.create(7, 0);
  sessions.subscribe(no, { filter: "b", qos: 1 });
  sessions.subscribe(no, { filter: "a", qos: 0 });
  sessions.subscribe(no, { filter: "b", qos: 2 });
  sessions.unsubscribe(no, "a");
  for (const id of [9, 3, 5]) sessions.addOutbound(no, message(id));
  sessions.releaseOutbound(no, 3);
  sessions.removeOutbound(no, 9);
  for (const id of [1, 1, 2]) telemetry.query(INBOUND_ADDED).run(no, id);
  telemetry.query(INBOUND_RELEASED).run(no, 2);

  const session = sessions.load(7, 0);
  expect(session?.no).toBe(no);
  expect([...(session?.subscriptions ?? [])]).toEqual([["b", 2]]);
  expect(
    [...(session?.outbound.values() ?? [])].map(({ packetId, state, mid, payload }) => [
      packetId,
      state,
      mid,
      [...payload],
    ]),
  ).toEqual([
    [3, "pubrel", 103, [3]],
    [5, "publish", 105, [5]],
  ]);
  expect([...(session?.inbound ?? [])]).toEqual([1]);
  expect([sessions.holdsCommand(7, 103), sessions.holdsCommand(7, 109), sessions.holdsCommand(8, 103)]).toEqual([
    true,
    false,
    false,
  ]);
  expect([session?.takePacketId(), session?.takePacketId(), session?.takePacketId()]).toEqual([1, 2, 4]);
});

test("an expired session is not loaded, and found by the sweep; a connected one never", () => {
  const { sessions } = setUp();
  const [first, second] = [sessions.create(1, 0), sessions.create(2, 0)];
  sessions.expireAt(first, 1_000);
  expect(sessions.load(1, 999)?.no).toBe(first);
  expect(sessions.load(1, 1_000)).toBeUndefined();
  expect(sessions.expired(999, 10)).toEqual([]);
  expect(sessions.expired(1_000, 10)).toEqual([{ no: first, device_no: 1 }]);
  expect(sessions.load(2, Number.MAX_SAFE_INTEGER)?.no).toBe(second);
  sessions.expireAllAt(5_000);
  expect(sessions.load(2, 5_000)).toBeUndefined();
  expect(sessions.load(1, 999)?.no).toBe(first); // keeps the earlier time
});

test("a number never comes back, so that rows of telemetry.db cannot be another session's", () => {
  const { registry, telemetry, sessions } = setUp();
  const no = sessions.create(1, 0);
  sessions.subscribe(no, { filter: "a", qos: 0 });
  sessions.addOutbound(no, message(1));
  telemetry.query(INBOUND_ADDED).run(no, 1);
  expect(sessions.orphans()).toEqual([]);
  sessions.remove(no);
  expect(registry.query("SELECT * FROM mqtt_subscription").all()).toEqual([]);
  expect(registry.query("SELECT * FROM mqtt_outbound").all()).toEqual([]);
  expect(sessions.orphans()).toEqual([no]);
  expect(sessions.create(1, 0)).toBeGreaterThan(no);
  expect(sessions.load(1, 0)?.inbound).toBeUndefined();
  telemetry.query(INBOUND_FORGOTTEN).run(no);
  expect(sessions.orphans()).toEqual([]);
});
