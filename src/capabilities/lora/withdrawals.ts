import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Worker } from "../../platform/worker";
import type { PlatformRequests } from "../commands/platform-requests";
import type { Device } from "../devices/device";
import type { LoraSettings } from "./lora";
import type { LoraRepository, PendingRow } from "./lora-repository";
import { deletionRequest } from "./server-request";

type Parts = {
  readonly repository: LoraRepository;
  readonly transactor: Transactor;
  readonly devices: { findByNo(no: number): Device | undefined };
  readonly requests: PlatformRequests;
  readonly clock: Pick<Clock, "now">;
  readonly settings: LoraSettings;
};

/**
 * One round: every connected server is asked to delete what it may have and the platform has not. Any answer ends the
 * matter, also a no: then it does not have it. Who is silent is asked in the next round; who is not there waits.
 */
export function withdrawals({ repository, transactor, devices, requests, clock, settings }: Parts) {
  const { withdrawBatch, withdrawKeepMs, answerTimeoutMs } = settings;

  /** False: its server gave no answer. */
  async function settle(row: PendingRow): Promise<boolean> {
    const server = devices.findByNo(row.server_no);
    if (!server || row.since_ms + withdrawKeepMs <= clock.now()) return true;
    if (!requests.isConnected(server.no)) return false;
    // Looked at in the same turn in which the request leaves: a registration that began since comes behind it.
    if (!repository.isWithdrawing(row)) return true;
    const { kind } = await requests.ask(server, deletionRequest(row.kind, row.spelling), answerTimeoutMs);
    return kind === "answered";
  }

  return async (): Promise<void> => {
    const silent = new Set<number>(); // not asked again in this round
    let after = { server_no: 0, eui: "" };
    for (;;) {
      const rows = repository.withdrawing(after, withdrawBatch);
      const over: PendingRow[] = [];
      for (const row of rows) {
        if (silent.has(row.server_no)) continue;
        if (await settle(row)) over.push(row);
        else silent.add(row.server_no);
      }
      if (over.length > 0) await transactor.write(() => over.forEach(repository.removeWithdrawing));
      const last = rows.at(-1);
      if (!last || rows.length < withdrawBatch) return;
      after = last;
    }
  };
}

/** Withdraws again and again; what the last run left is withdrawn when its server is there. */
export function startLoraUpkeep({
  lora,
  clock,
  log,
  settings,
}: {
  readonly lora: { withdraw(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<LoraSettings, "withdrawIntervalMs">;
}): Worker {
  const stopping = new AbortController();

  async function run(): Promise<void> {
    for (;;) {
      await clock.sleep(settings.withdrawIntervalMs, stopping.signal);
      if (stopping.signal.aborted) return;
      // A full disk passes; the next round tries again.
      await lora.withdraw().catch((error: unknown) => log.error("lora_withdrawal_failed", { error }));
    }
  }

  const finished = run();
  return {
    finished,
    stop() {
      stopping.abort();
      return finished;
    },
  };
}
