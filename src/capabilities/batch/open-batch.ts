import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationEvents, ApplicationService } from "../applications/application";
import type { CommandEvents, CommandTransactions } from "../commands/command";
import type { Device, DeviceEvents } from "../devices/device";
import type { Tags } from "../devices/tags";
import type { ProductService } from "../products/product";
import type { ServiceDesired, ShadowEvents } from "../shadow/desired";
import { batchRunner } from "./batch-runner";
import { batchService } from "./batch-service";
import { type BatchGroups, findTargets, type TargetDevices } from "./find-targets";
import { followOthers } from "./follow";
import { itemChanges } from "./item-changes";
import { itemRepository } from "./item-repository";
import { registrationLoader } from "./load-registrations";
import { specCache } from "./specs";
import { type DeviceTransactions, startItems } from "./start-items";
import { BATCH_DEFAULTS, type BatchService, type BatchSettings } from "./task";
import { taskRepository } from "./task-repository";

type Parts = {
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly applications: Pick<ApplicationService, "get">;
  readonly products: Pick<ProductService, "compiled" | "get">;
  readonly devices: TargetDevices & { readonly inTransaction: DeviceTransactions };
  readonly commands: CommandTransactions;
  readonly wantInTransaction: (device: Device, services: readonly ServiceDesired[]) => void;
  readonly groups: BatchGroups;
  readonly tags: Pick<Tags, "list">;
  readonly applicationEvents: Listenable<ApplicationEvents>;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly commandEvents: Listenable<CommandEvents>;
  readonly shadowEvents: Listenable<ShadowEvents>;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings?: Partial<BatchSettings>;
};

/** The whole capability, joined. `start` begins the work in the background, after the commands are known again. */
export function openBatch(parts: Parts): {
  readonly batch: BatchService;
  start: ReturnType<typeof batchRunner>["start"];
} {
  const { db, products, devices, groups, metrics } = parts;
  const settings: BatchSettings = { ...BATCH_DEFAULTS, ...parts.settings };
  const tasks = taskRepository(db);
  const items = itemRepository(db);
  const specs = specCache(tasks);
  const changes = itemChanges({ ...parts, tasks, items });
  const shared = { ...parts, settings, tasks, items, specs, changes };
  const runner = batchRunner({ ...shared, next: findTargets({ devices, groups }), start: startItems(shared) });
  const wake = () => runner.wake();
  followOthers({ ...shared, wake });
  metrics.gauge("islet_batch_tasks_open", "Batch tasks that have not ended", tasks.countOpen);

  return {
    batch: batchService({
      ...shared,
      wake,
      hasTag: (appNo, name) => parts.tags.list(appNo, { name }, 0, 1).total > 0,
      load: registrationLoader(shared),
      productOf(appNo, productId) {
        const product = products.get(productId as Parameters<typeof products.get>[0]);
        if (product.appNo !== appNo) throw new DomainError("PRODUCT_NOT_FOUND", { productId });
        return product;
      },
    }),
    start: runner.start,
  };
}
