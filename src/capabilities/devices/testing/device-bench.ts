import type { Database } from "bun:sqlite";
import { REGISTRY_MIGRATIONS } from "../../../../migrations";
import type { Clock } from "../../../platform/clock";
import { DomainError } from "../../../platform/domain-error";
import { eventBus } from "../../../platform/events";
import { randomIds } from "../../../platform/ids";
import { silentLog } from "../../../platform/log";
import { createSealer } from "../../../platform/secrets";
import { groupCommit, type Transactor } from "../../../platform/storage/group-commit";
import { openDatabase } from "../../../platform/storage/open-database";
import { manualClock } from "../../../platform/testing/manual-clock";
import type { AppId, Application, ApplicationEvents } from "../../applications/application";
import type { Product, ProductEvents } from "../../products/product";
import { productService } from "../../products/product-service";
import { sampleDeviceType, sampleServiceTypes, withValue } from "../../products/testing/sample-model";
import type { Device, DeviceEvents } from "../device";
import type { DeviceSettings } from "../device-settings";
import { openDevices } from "../open-devices";

export const APP_A = "appA" as AppId;
export const APP_B = "appB" as AppId;

type Options = {
  path?: string;
  settings?: Partial<DeviceSettings>;
  db?: Database;
  clock?: Clock;
  transactor?: (db: Database) => Transactor;
};

/** The capability on a real database with two applications; events are noted as they come. */
export function deviceBench({ path = ":memory:", settings = {}, db: given, ...options }: Options = {}) {
  const db = given ?? openDatabase(path, { migrations: REGISTRY_MIGRATIONS });
  const manual = manualClock();
  const clock = options.clock ?? manual;
  const transactor = (options.transactor ?? groupCommit)(db);
  const events = eventBus<DeviceEvents & ProductEvents & ApplicationEvents>();
  const apps = new Map<number, Application>();
  for (const [index, id] of [APP_A, APP_B].entries()) {
    const no = index + 1;
    apps.set(no, { no, id, name: id, storeHistory: true, pushEnabled: true } as unknown as Application);
    db.run(
      `INSERT OR IGNORE INTO application
         (no, id, name, store_history, push_enabled, frozen, secret_hash, token_generation, sign_pushes, signing_generation, created_at_ms)
       VALUES (?, ?, ?, 1, 1, 0, '', 0, 0, 0, 0)`,
      [no, id, id],
    );
  }
  const find = (id: AppId) => [...apps.values()].find((it) => it.id === id);
  const get = (id: AppId) => {
    const found = find(id);
    if (!found) throw new DomainError("APP_NOT_FOUND", { appId: id });
    return found;
  };
  const applications = { find, get, byNo: (no: number) => apps.get(no) };
  const ids = randomIds;
  const products = productService({ db, transactor, applications, events, ids, clock });

  const seen: string[] = [];
  const note = (name: string, device: Device) => seen.push(`${name} ${device.nodeId} ${device.status}`);
  events.on("deviceAdded", ({ device }) => note("added", device));
  events.on("deviceBound", ({ device, result }) => note(`bound ${result}`, device));
  events.on("deviceInfoChanged", ({ device }) => note("changed", device));
  events.on("deviceDeleted", ({ device }) => note("deleted", device));

  const disconnected: string[] = [];
  const joined = openDevices({
    db,
    transactor,
    applications,
    products,
    events,
    applicationEvents: events,
    productEvents: events,
    sealer: createSealer(new Uint8Array(32)),
    ids,
    clock,
    log: silentLog,
    disconnect: (no, reason) => void disconnected.push(`${no} ${reason}`),
    settings,
  });

  /** A further product: `spoil` changes fields of the device file. */
  function importProduct(changes: Record<string, unknown> = {}, app = APP_A): Promise<Product> {
    const devicetype = Object.entries(changes).reduce(
      (file, [field, value]) => withValue(file, `devices[0].${field}`, value),
      sampleDeviceType(),
    );
    return products.importJson(app, { devicetype, servicetypes: Object.values(sampleServiceTypes()) });
  }

  /** Registers by password. */
  const register = async (nodeId: string, product: Product, more: object = {}, app = APP_A) =>
    (
      await joined.devices.register(app, {
        nodeId,
        product: { productId: product.id },
        credentials: { kind: "password" },
        ...more,
      })
    ).device;

  async function changeApplication(no: number, change: Partial<Application>): Promise<void> {
    await transactor.write(() => {
      const application = { ...(apps.get(no) as Application), ...change };
      transactor.afterCommit(() => apps.set(no, application));
      events.emit("applicationChanged", { application });
    });
  }

  return {
    ...joined,
    db,
    clock: manual,
    transactor,
    applications,
    products,
    events,
    importProduct,
    register,
    changeApplication,
    disconnected,
    /** What has been told since the last call. */
    told: () => seen.splice(0),
  };
}
