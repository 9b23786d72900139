import type { Database } from "bun:sqlite";
import { DELETE_DTLS_WINDOW_OF_DEVICE } from "../access/dtls";
import { DELETE_RESOURCE_VALUES_OF_DEVICE } from "../capabilities/resources/value-repository";
import { startPurge } from "../capabilities/telemetry/purge";
import { deletedDevicesPurge, type PendingPurges } from "../capabilities/telemetry/purge-devices";
import { type AgingOverrides, historyPurge } from "../capabilities/telemetry/purge-history";
import type { RecentBlocks } from "../capabilities/telemetry/recent-blocks";
import { tracePurge } from "../capabilities/trace/trace-purge";
import { DELETE_TRACES_OF_DEVICE } from "../capabilities/trace/trace-repository";
import type { Clock } from "../platform/clock";
import type { Log } from "../platform/log";
import type { Metrics } from "../platform/metrics";
import type { StorageWriter } from "../platform/storage/storage-writer";
import type { Worker } from "../platform/worker";
import type { Settings } from "./settings";

type Parts = {
  readonly writer: StorageWriter;
  readonly reads: Database;
  readonly devices: AgingOverrides & PendingPurges;
  readonly recents: RecentBlocks;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: Settings;
};

/** All that goes from telemetry.db in time, one after the other: history, what deleted devices left behind, traces. */
export function startTelemetryPurge({ writer, reads, devices, recents, clock, log, metrics, settings }: Parts): Worker {
  return startPurge({
    ...{ writer, clock, log, metrics, settings: settings.history },
    tasks: [
      historyPurge({ reads, clock, overrides: devices, recents, settings: settings.history }),
      deletedDevicesPurge({
        ...{ reads, devices, recents },
        alsoDelete: [DELETE_TRACES_OF_DEVICE, DELETE_RESOURCE_VALUES_OF_DEVICE, DELETE_DTLS_WINDOW_OF_DEVICE],
      }),
      tracePurge({ reads, clock, settings: settings.trace }),
    ],
  });
}
