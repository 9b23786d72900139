import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { eventBus, type Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import { steadyTime } from "../../platform/steady-time";
import type { Transactor } from "../../platform/storage/group-commit";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import type { Worker } from "../../platform/worker";
import type { Application } from "../applications/application";
import type { ApplicationGrants } from "../applications/application-grants";
import type { ReportNotifier } from "../telemetry/report";
import type { CallbackClient } from "./callback-client";
import { messageIds } from "./message-ids";
import type { RenderNotification } from "./notification";
import { OUTBOX_SOURCES, outboxReader } from "./outbox";
import type { PushLog } from "./push-log";
import { pushLogService } from "./push-log-service";
import { pushPurge } from "./push-purge";
import type { PushSettings } from "./push-settings";
import { pushWorker, refusalOf } from "./push-worker";
import { type Notify, notifyOfEvents, type RegistryEvents, registryNotifier } from "./registry-notifier";
import { reportNotifier } from "./report-notifier";
import { settlement } from "./settlement";
import type { SubscriberLink } from "./subscriber-link";
import type { Channel, SubscriptionEvents, SubscriptionService } from "./subscription";
import { subscriptionIndex } from "./subscription-index";
import { subscriptionRepository } from "./subscription-repository";
import { subscriptionService } from "./subscription-service";
import { targetTable } from "./target";
import { targetQueue } from "./target-queue";
import { targetRepository } from "./target-repository";

type Parts = {
  registry: Database;
  transactor: Transactor;
  /** telemetry.db, read-only. */
  telemetryReads: Database;
  writer: StorageWriter;
  render: RenderNotification;
  client: CallbackClient;
  /** In memory: `ApplicationService.byNo`. */
  application: (no: number) => Application | undefined;
  grants: Pick<ApplicationGrants, "holds">;
  /** Joined at once. The application listener must come after those that refuse a deletion. */
  events: RegistryEvents;
  clock: Clock;
  ids: Ids;
  log: Log;
  metrics: Metrics;
  settings: PushSettings;
};

export type Push = {
  readonly subscriptions: SubscriptionService;
  /** Inside the transaction of the change. */
  readonly subscriptionEvents: Listenable<SubscriptionEvents>;
  readonly notifier: ReportNotifier;
  readonly notify: Notify;
  readonly log: PushLog;
  /** Applications that take their notifications by MQTT; `keepMs`: how long a message waits for one that is away. */
  joinSubscribers(link: SubscriberLink, limits: { readonly keepMs: number }): void;
  /** Starts sending; everything above works (and is kept for later) before. `stop` before the writer is closed. */
  start(): Worker;
};

/** Subscriptions and everything that gets a notification from a change to an application server. */
export async function openPush(parts: Parts): Promise<Push> {
  const { registry, transactor, telemetryReads, writer, render, client, application, grants, events } = parts;
  const { clock, ids, log, metrics, settings } = parts;
  const steadyNow = steadyTime(clock);
  const outboxes = {
    registry: outboxReader(registry, "registry"),
    telemetry: outboxReader(telemetryReads, "telemetry"),
  };
  const lastIdBefore = Math.max(outboxes.registry.lastId(), lastTelemetryId(telemetryReads));
  const sequence = messageIds(steadyNow, lastIdBefore);

  let bodyBytes = 0;
  const memory = {
    hasRoom: (bytes: number) => bodyBytes + bytes <= settings.totalWindowBytes,
    claim(bytes: number) {
      bodyBytes += bytes;
    },
  };
  const repository = targetRepository(registry);
  const newQueue = (channel: Channel) => targetQueue({ ...settings, memory, isStream: channel === "MQTTS" });
  const targets = targetTable({ repository, transactor, log, steadyNow, newQueue });
  const index = subscriptionIndex((no) => application(no)?.pushEnabled === true);
  const bus = eventBus<SubscriptionEvents>();
  const subscriptions = subscriptionService({
    repository: subscriptionRepository(registry),
    index,
    ensureTarget: targets.ensure,
    appIdOf: (no) => application(no)?.id,
    grants,
    transactor,
    events: bus,
    clock,
    ids,
  });
  const outcomes = settlement({
    registry,
    writer,
    transactor,
    clock,
    log,
    steadyNow,
    settings,
    onDone: (rows) => worker.done(rows),
  });
  const worker = pushWorker({
    targets,
    outboxes,
    settlement: outcomes,
    client,
    isSubscribed: index.isActive,
    ids: sequence,
    lastIdBefore,
    clock,
    steadyNow,
    settings,
    metrics,
  });
  const purge = pushPurge({
    reads: telemetryReads,
    writer,
    outbox: outboxes.telemetry,
    targets,
    index,
    clock,
    steadyNow,
    log,
    settings,
  });

  for (const source of OUTBOX_SOURCES)
    for (const { targetNo, rows } of outboxes[source].depths()) worker.expect(source, targetNo, rows);
  await purge.clean();

  const notify = registryNotifier({
    db: registry,
    index,
    render,
    transactor,
    messageIds: sequence,
    steadyNow,
    ensureTarget: targets.ensure,
    application,
    grants,
    committed: worker.accept,
  });
  notifyOfEvents(events, application, notify);
  events.applications.on("grantRevoked", ({ owner, grantee }) => subscriptions.removeOfGrant(owner.no, grantee.no));
  events.applications.on("applicationDeleted", ({ application: { no } }) => {
    subscriptions.removeOfApplication(no);
    const gone = targets.removeOfApplication(no);
    transactor.afterCommit(() => {
      purge.forget(gone).catch((error: unknown) => log.error("push_purge_failed", { error }));
    });
  });

  const notifier = reportNotifier({
    index,
    render,
    messageIds: sequence,
    requestIds: ids,
    steadyNow,
    refusal(targetNo) {
      const target = targets.byNo(targetNo);
      return target && refusalOf(target, settings);
    },
    committed: worker.accept,
    refused: worker.refused,
  });

  metrics.gauge("islet_push_outbox_rows", "Messages committed and not yet delivered or given up.", () =>
    OUTBOX_SOURCES.map((source) => ({ labels: { database: source }, value: worker.depths[source] })),
  );
  metrics.gauge("islet_push_in_flight", "Push requests under way.", () =>
    targets.all().reduce((sum, { inFlight }) => sum + inFlight, 0),
  );
  metrics.gauge("islet_push_targets", "Callback addresses by state.", () =>
    (["valid", "invalid"] as const).map((state) => ({
      labels: { state },
      value: targets.all().filter(({ channel, health }) => channel === "HTTP" && health.state === state).length,
    })),
  );

  return {
    subscriptions,
    subscriptionEvents: bus,
    notifier,
    notify,
    log: pushLogService({
      reads: telemetryReads,
      writer,
      targets,
      ids: sequence,
      steadyNow,
      stateOf: worker.stateOf,
      committed: worker.accept,
    }),
    joinSubscribers: worker.joinSubscribers,
    start() {
      const purging = purge.start();
      worker.start();
      return {
        finished: purging.finished,
        async stop() {
          await worker.stop();
          await purging.stop();
        },
      };
    },
  };
}

/** The highest id that telemetry.db has seen, so that none is given twice. */
function lastTelemetryId(reads: Database): number {
  const query = reads.query<{ id: number | null }, []>(
    `SELECT max(id) AS id FROM (SELECT max(id) AS id FROM outbox UNION ALL SELECT max(id) FROM dead_letter
       UNION ALL SELECT max(id) FROM push_attempt)`,
  );
  return query.get()?.id ?? 0;
}
