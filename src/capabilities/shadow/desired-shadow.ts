import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter, Listenable } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ContactEvents, Device, DeviceEvents } from "../devices/device";
import type { SleepingDeviceLink } from "../devices/device-link";
import type { DeviceService } from "../devices/device-service";
import type { TraceSink } from "../devices/trace-sink";
import type { ProductService } from "../products/product";
import type { ResourceLink } from "../resources/resource-link";
import { deliverDesired } from "./deliver-desired";
import type { DesiredProperty, DesiredShadow, ServiceDesired, ShadowEvents, ShadowSettings, Values } from "./desired";
import { NEW_DESIRE, step } from "./desired-delivery";
import { desiredRepository } from "./desired-repository";
import { desiredSender } from "./desired-sender";
import { checkDesired } from "./desired-target";

type Parts = {
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly devices: Pick<DeviceService, "findByNo">;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly contactEvents: Listenable<ContactEvents>;
  readonly products: Pick<ProductService, "compiled">;
  /** Asked at each delivery, so links may join later. */
  readonly resourceLinks: readonly ResourceLink[];
  readonly sleepingLinks: readonly SleepingDeviceLink[];
  /** A `mid` that no open command of the device has; left out: from the upper end, which commands reach last. */
  readonly nextMid?: (deviceNo: number) => number;
  readonly events: Emitter<ShadowEvents>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: ShadowSettings;
};

/** The desired side of the shadow. `purge` deletes old history; see `startShadowUpkeep`. */
export function createDesiredShadow(parts: Parts) {
  const { transactor, devices, deviceEvents, contactEvents, products, resourceLinks, sleepingLinks, clock } = parts;
  const { settings } = parts;
  const repository = desiredRepository(parts.db);
  const sender = desiredSender({
    ...parts,
    repository,
    deliver: deliverDesired({ ...parts, nextMid: parts.nextMid ?? downwards() }),
    isListening: (deviceNo) =>
      resourceLinks.some((it) => it.isListening(deviceNo)) || sleepingLinks.some((it) => it.isListening(deviceNo)),
  });

  contactEvents.on("deviceHeard", ({ deviceNo, hasMore }) => {
    if (!hasMore) sender.heard(deviceNo);
  });
  // Deleted with its device, in the same transaction.
  deviceEvents.on("deviceDeleted", ({ device }) => {
    repository.removeOfDevice(device.no);
    transactor.afterCommit(() => sender.forget(device.no));
  });

  /** Only inside a transaction. */
  function change(deviceNo: number, serviceId: string, desired: Values): void {
    const setAtMs = clock.now();
    const properties = new Map(repository.find(deviceNo, serviceId));
    for (const [name, value] of Object.entries(desired)) {
      const { next } = step(properties.get(name)?.delivery ?? NEW_DESIRE, { type: "changed" });
      properties.set(name, { value, setAtMs, delivery: next });
    }
    assertFits(serviceId, properties, settings.maxDesiredChars);
    repository.save(deviceNo, serviceId, properties);
    repository.addHistory({ deviceNo, serviceId, desired, setAtMs }, settings.historyPerDevice);
  }

  function check(device: Device, services: readonly ServiceDesired[]): ReadonlyMap<string, Values> {
    const model = device.productNo === undefined ? undefined : products.compiled(device.productNo);
    return checkDesired(model, device, services);
  }

  /** Only inside a transaction. */
  function store(device: Device, wanted: ReadonlyMap<string, Values>): void {
    if (!devices.findByNo(device.no)) throw new DomainError("DEVICE_NOT_FOUND", { deviceId: device.id });
    for (const [serviceId, values] of wanted) change(device.no, serviceId, values);
    transactor.afterCommit(() => sender.wanted(device.no));
  }

  const desired: DesiredShadow = {
    async want(device, services) {
      const wanted = check(device, services);
      await transactor.write(() => store(device, wanted));
    },
    of: repository.of,
    history: repository.history,
  };

  return {
    desired,
    /** `DesiredShadow.want` for work that has a transaction of its own; only inside it. When it throws, undo it. */
    wantInTransaction: (device: Device, services: readonly ServiceDesired[]): void =>
      store(device, check(device, services)),
    async purge(): Promise<void> {
      for (let deleted = settings.purgeBatch; deleted === settings.purgeBatch; )
        deleted = await transactor.write(() =>
          repository.purgeHistory(clock.now() - settings.historyKeepMs, settings.purgeBatch),
        );
    },
    /** Sends no more. Before the links and the database are closed. */
    stop: sender.stop,
    /** Devices that something waits for, and those that are written to now. */
    openCount: sender.openCount,
    sendingCount: sender.sendingCount,
  };
}

function assertFits(serviceId: string, properties: ReadonlyMap<string, DesiredProperty>, maxChars: number): void {
  const values = [...properties].map(([name, { value }]) => [name, value]);
  const chars = JSON.stringify(Object.fromEntries(values)).length;
  if (chars <= maxChars) return;
  const reason = `the desired values of ${serviceId} are ${chars} characters of JSON, more than ${maxChars}`;
  throw new DomainError("INPUT_INVALID", { issues: [{ field: "desired", reason }] });
}

const MAX_MID = 65_535;
const MIDS = 512;

function downwards(): () => number {
  let used = 0;
  return () => MAX_MID - (used++ % MIDS);
}
