import { expect, test } from "bun:test";
import { nextPresence, type Presence, type PresenceEvent, SILENCE_DEFAULTS } from "./status";

const HOUR = 3_600_000;
const presence = (text: string): Presence => {
  const [status, detail] = text.split("/");
  return { status, detail } as Presence;
};
const contact: PresenceEvent = { kind: "contact" };
const gone: PresenceEvent = { kind: "connectionGone" };
const unbound: PresenceEvent = { kind: "unbound" };
const reported = (status: "ONLINE" | "OFFLINE", detail?: string): PresenceEvent => ({
  kind: "reported",
  status,
  detail,
});
const silence = (hours: number, settings = SILENCE_DEFAULTS): PresenceEvent => ({
  kind: "silence",
  silentMs: hours * HOUR,
  settings,
});
/** The vendor's other document: OFFLINE after 25 hours, ABNORMAL after 169. */
const guide = { abnormalAfterMs: 169 * HOUR, offlineAfterMs: 25 * HOUR };

const RULES: [rule: string, from: string, event: PresenceEvent, to: string][] = [
  ["the first contact brings it online", "INACTIVE/NOT_ACTIVE", contact, "ONLINE/NONE"],
  ["any contact brings it back", "OFFLINE/TIME_OUT", contact, "ONLINE/NONE"],
  ["any contact makes it normal", "ABNORMAL/NONE", contact, "ONLINE/NONE"],
  ["a contact leaves the detail of an online one", "ONLINE/UE_REACHABILITY", contact, "ONLINE/UE_REACHABILITY"],
  ["it is offline when its connection is gone", "ONLINE/NONE", gone, "OFFLINE/NONE"],
  ["a late end changes nothing", "OFFLINE/NOT_ACTIVE", gone, "OFFLINE/NOT_ACTIVE"],
  ["never connected stays so", "INACTIVE/NOT_ACTIVE", gone, "INACTIVE/NOT_ACTIVE"],
  ["25 hours of silence are fine", "ONLINE/NONE", silence(25), "ONLINE/NONE"],
  ["more are abnormal", "ONLINE/NONE", silence(25.01), "ABNORMAL/NONE"],
  ["49 hours are still abnormal", "ABNORMAL/NONE", silence(49), "ABNORMAL/NONE"],
  ["more are offline", "ABNORMAL/NONE", silence(49.01), "OFFLINE/TIME_OUT"],
  ["offline at once when both are over", "ONLINE/NONE", silence(60), "OFFLINE/TIME_OUT"],
  ["silence keeps the reason of an offline one", "OFFLINE/DUTY_CYCLE", silence(60), "OFFLINE/DUTY_CYCLE"],
  ["silence of one that never spoke means nothing", "INACTIVE/NOT_ACTIVE", silence(500), "INACTIVE/NOT_ACTIVE"],
  ["the guide's order: first offline", "ONLINE/NONE", silence(26, guide), "OFFLINE/TIME_OUT"],
  ["the guide's order: then abnormal", "OFFLINE/TIME_OUT", silence(170, guide), "ABNORMAL/NONE"],
  ["a gateway says online", "OFFLINE/NOT_ACTIVE", reported("ONLINE"), "ONLINE/NONE"],
  ["a gateway says offline, and why", "ONLINE/NONE", reported("OFFLINE", "DUTY_CYCLE"), "OFFLINE/DUTY_CYCLE"],
  ["new credentials must be used first", "ABNORMAL/NONE", unbound, "OFFLINE/NOT_ACTIVE"],
];
for (const [rule, from, event, to] of RULES) {
  test(rule, () => {
    const current = presence(from);
    const next = nextPresence(current, event);
    expect(`${next.status}/${next.detail}`).toBe(to);
    if (from === to) expect(next).toBe(current);
  });
}
