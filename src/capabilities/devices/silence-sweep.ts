import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Worker } from "../../platform/worker";
import type { DeviceStatus } from "./device";
import type { DeviceCore } from "./device-core";
import type { DeviceRepository, SilentRow } from "./device-repository";
import type { DeviceSettings } from "./device-settings";
import { nextPresence } from "./status";

/** Port: when these devices were last heard, ms; those never heard are left out. Joined in `app` with `telemetry`. */
export type LastContacts = (deviceNos: readonly number[]) => ReadonlyMap<number, number>;

type Parts = {
  core: Pick<DeviceCore, "setPresence" | "edits">;
  repository: Pick<DeviceRepository, "productsWithoutConnection" | "inStatus" | "findByNo">;
  transactor: Transactor;
  lastContacts: LastContacts;
  clock: Clock;
  settings: Pick<DeviceSettings, "abnormalAfterMs" | "offlineAfterMs" | "silenceSweepMs" | "silenceBatch">;
  log: Log;
};

/**
 * Status by silence (platform.md 12.1). Walks the devices without a long connection that a status is still to be taken
 * from, a page a turn of the event loop. A walk finds out when the first of them can be due at all, so the next ones
 * cost nothing until then: contacts only move that moment away, and who comes ONLINE meanwhile is due later still.
 * Only an edit (another product, no gateway any more) can bring in somebody who is due earlier.
 */
export function startSilenceSweep(parts: Parts): Worker {
  const { core, repository, transactor, lastContacts, clock, settings, log } = parts;
  const { abnormalAfterMs, offlineAfterMs, silenceSweepMs, silenceBatch } = settings;
  const stopping = new AbortController();
  // The status of the longer silence is the last one: nothing follows it.
  const walked: readonly DeviceStatus[] =
    offlineAfterMs >= abnormalAfterMs ? ["ONLINE", "ABNORMAL"] : ["ONLINE", "OFFLINE"];
  const shorterMs = Math.min(abnormalAfterMs, offlineAfterMs);
  const longerMs = Math.max(abnormalAfterMs, offlineAfterMs);

  async function run(): Promise<void> {
    let nextDueAt = Number.NEGATIVE_INFINITY;
    let lastNow = clock.now();
    let edits = core.edits();
    while (!stopping.signal.aborted) {
      const now = clock.now();
      // A wall clock that was put back may have stamped contacts in what is now the future.
      const isDue = now >= nextDueAt || now < lastNow || edits !== core.edits();
      lastNow = now;
      edits = core.edits();
      if (isDue) nextDueAt = await walk(now);
      await clock.sleep(silenceSweepMs, stopping.signal);
    }
  }

  /** Changes what is due and gives the first moment at which anything else can be. */
  async function walk(now: number): Promise<number> {
    let nextDueAt = now + shorterMs; // of whoever comes ONLINE from now on
    for (const productNo of repository.productsWithoutConnection()) {
      for (const status of walked) {
        for (let lastNo = 0; !stopping.signal.aborted; ) {
          const page = repository.inStatus(productNo, status, lastNo, silenceBatch);
          const last = page.at(-1);
          if (!last) break;
          lastNo = last.no;
          nextDueAt = Math.min(nextDueAt, await look(page));
          await turn();
        }
      }
    }
    return stopping.signal.aborted ? now : nextDueAt;
  }

  async function look(page: readonly SilentRow[]): Promise<number> {
    const contacts = contactsOf(page);
    const now = clock.now();
    const due = page.filter((row) => isDue(row, now - contactOf(row, contacts)));
    const changed = due.length === 0 || (await change(due.map(({ no }) => no)));
    if (!changed) return now;
    return Math.min(...page.map((row) => dueAfter(contactOf(row, contacts), now)));
  }

  /** Facts are looked at again inside: somebody may have been heard meanwhile. */
  async function change(deviceNos: readonly number[]): Promise<boolean> {
    try {
      await transactor.write(() => {
        const heard = lastContacts(deviceNos);
        for (const deviceNo of deviceNos) {
          const row = repository.findByNo(deviceNo);
          if (!row || row.bound === 0) continue;
          const contactMs = Math.max(heard.get(deviceNo) ?? 0, row.contacted_at_ms ?? row.modified_at_ms);
          core.setPresence(row, { kind: "silence", silentMs: clock.now() - contactMs, settings });
        }
      });
      return true;
    } catch (error) {
      log.error("devices.silence_not_stored", { devices: deviceNos.length, error }); // a full disk, say: the next sweep tries again
      return false;
    }
  }

  /** Most have been in touch by what their rows say: only the others are asked about. */
  function contactsOf(page: readonly SilentRow[]): ReadonlyMap<number, number> {
    const now = clock.now();
    const silent = page.filter((row) => now - row.contact_ms > shorterMs).map(({ no }) => no);
    return silent.length === 0 ? new Map() : lastContacts(silent);
  }

  function isDue({ status, status_detail: detail }: SilentRow, silentMs: number): boolean {
    const current = { status, detail };
    return nextPresence(current, { kind: "silence", silentMs, settings }) !== current;
  }

  /** The first moment after now at which a threshold is passed. */
  function dueAfter(contactMs: number, now: number): number {
    for (const thresholdMs of [shorterMs, longerMs]) {
      const passedAt = contactMs + thresholdMs + 1;
      if (passedAt > now) return passedAt;
    }
    return Number.POSITIVE_INFINITY;
  }

  const finished = run();
  return {
    finished,
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

const contactOf = ({ no, contact_ms }: SilentRow, contacts: ReadonlyMap<number, number>): number =>
  Math.max(contact_ms, contacts.get(no) ?? 0);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
