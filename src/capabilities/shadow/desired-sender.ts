import type { Clock } from "../../platform/clock";
import type { Emitter } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { DeviceService } from "../devices/device-service";
import type { TraceSink } from "../devices/trace-sink";
import type { ProductService } from "../products/product";
import type { ClaimedService, DeliverDesired, PartOutcome } from "./deliver-desired";
import type { ShadowEvents, ShadowSettings, Values } from "./desired";
import { type DesiredEvent, isOpen, step } from "./desired-delivery";
import type { DesiredRepository, Properties } from "./desired-repository";

type Parts = {
  readonly repository: DesiredRepository;
  readonly transactor: Transactor;
  readonly devices: Pick<DeviceService, "findByNo">;
  readonly products: Pick<ProductService, "compiled">;
  readonly deliver: DeliverDesired;
  readonly isListening: (deviceNo: number) => boolean;
  readonly events: Emitter<ShadowEvents>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: Pick<ShadowSettings, "maxTries" | "maxSendingDevices">;
};

const STOP_GRACE_MS = 5_000;

/** Brings desired values to devices that listen: a service at a time, one write of a device at a time. */
export function desiredSender(parts: Parts) {
  const { repository, transactor, devices, products, deliver, isListening, events, clock, log, trace, settings } =
    parts;
  const counter = parts.metrics.counter("islet_desired_properties_total", "Desired values by what became of them");
  // All that the hot path looks at: a device with nothing waiting costs this look-up.
  const open = new Set(repository.openDevices());
  const queue = new Set<number>();
  const busy = new Map<number, { again: boolean; done: Promise<void> }>();
  const stopping = new AbortController();
  let isStopped = false;

  function offer(deviceNo: number): void {
    if (!open.has(deviceNo) || stopping.signal.aborted) return;
    const running = busy.get(deviceNo);
    if (running) running.again = true;
    else {
      queue.add(deviceNo);
      fill();
    }
  }

  function fill(): void {
    for (const deviceNo of queue) {
      if (busy.size >= settings.maxSendingDevices) return;
      queue.delete(deviceNo);
      const run = { again: false, done: Promise.resolve() };
      busy.set(deviceNo, run);
      run.done = sendAll(deviceNo, run)
        .catch((error: unknown) => log.error("desired_failed", { deviceNo, error }))
        .then(() => {
          busy.delete(deviceNo);
          if (run.again) offer(deviceNo); // heard in the last moment
          fill();
        });
    }
  }

  async function sendAll(deviceNo: number, run: { again: boolean }): Promise<void> {
    do {
      run.again = false; // a contact from now on is worth another round, whatever this one comes to
      for (let goOn = true; goOn && open.has(deviceNo) && isListening(deviceNo); )
        goOn = !stopping.signal.aborted && (await sendNext(deviceNo));
    } while (run.again && !stopping.signal.aborted);
  }

  /** False when there is nothing (more) to send, or the device does not answer. */
  async function sendNext(deviceNo: number): Promise<boolean> {
    const claimed = await transactor.write(() => claim(deviceNo));
    if (!claimed) return false;
    const outcomes = await deliver(claimed, stopping.signal);
    if (isStopped) return false; // the next process sends it again
    await transactor.write(() => settle(claimed, outcomes));
    return outcomes.every(({ event: { type } }) => type === "delivered" || type === "refused");
  }

  /** The service whose wish is oldest. */
  function claim(deviceNo: number): ClaimedService | undefined {
    const [oldest] = repository.openOf(deviceNo).sort((a, b) => openSince(a.properties) - openSince(b.properties));
    const device = oldest && devices.findByNo(deviceNo);
    if (!device) {
      transactor.afterCommit(() => void open.delete(deviceNo));
      return undefined;
    }
    const { serviceId } = oldest;
    const properties = new Map(oldest.properties);
    const values: [string, unknown][] = [];
    for (const [name, property] of oldest.properties) {
      if (!isOpen(property.delivery)) continue;
      properties.set(name, { ...property, delivery: step(property.delivery, { type: "claimed" }).next });
      values.push([name, property.value]);
    }
    repository.save(deviceNo, serviceId, properties);
    const model = device.productNo === undefined ? undefined : products.compiled(device.productNo);
    const serviceType = model?.services.get(serviceId)?.serviceType ?? serviceId;
    const { no, id, appNo, appId } = device;
    return { device: { no, id, appNo, appId }, serviceId, serviceType, values: Object.fromEntries(values) };
  }

  function settle({ device, serviceId }: ClaimedService, outcomes: readonly PartOutcome[]): void {
    const deviceNo = device.no;
    const properties = new Map(repository.find(deviceNo, serviceId));
    if (properties.size === 0) return; // deleted with its device meanwhile
    const told = { DELIVERED: new Map<string, unknown>(), FAILED: new Map<string, unknown>() };
    for (const { values, event } of outcomes) {
      for (const [name, value] of Object.entries(values)) {
        const property = properties.get(name);
        if (!property) continue;
        const { next, notice } = step(property.delivery, event);
        properties.set(name, { ...property, delivery: next });
        if (notice) told[notice].set(name, value);
      }
    }
    repository.save(deviceNo, serviceId, properties);
    for (const status of ["DELIVERED", "FAILED"] as const) {
      if (told[status].size === 0) continue;
      const settled = Object.fromEntries(told[status]);
      events.emit("desiredSettled", { device, serviceId, properties: settled, status });
    }
    const isDone = !repository.hasOpen(deviceNo);
    transactor.afterCommit(() => {
      if (isDone) open.delete(deviceNo);
      for (const outcome of outcomes) record(deviceNo, serviceId, outcome);
    });
  }

  function record(deviceNo: number, serviceId: string, { values, event }: PartOutcome): void {
    counter.with({ outcome: event.type }).add(Object.keys(values).length);
    trace.record({
      deviceNo,
      kind: "command",
      outcome: event.type === "delivered" ? "succeeded" : "failed",
      reason: `desired_${event.type}`,
      detail: describe(serviceId, values, event),
    });
  }

  return {
    /** A device was heard and listens, or something is wanted of one. Cheap for the many of which nothing is wanted. */
    heard: offer,
    /** After the commit. */
    wanted(deviceNo: number): void {
      open.add(deviceNo);
      if (isListening(deviceNo)) offer(deviceNo);
    },
    /** After the commit of its deletion. */
    forget(deviceNo: number): void {
      open.delete(deviceNo);
      queue.delete(deviceNo);
    },
    /** What has not been answered within some seconds is sent again by the next process. */
    async stop(): Promise<void> {
      stopping.abort();
      queue.clear();
      const graceOver = new AbortController();
      const running = Promise.all([...busy.values()].map(({ done }) => done)).then(() => graceOver.abort());
      await Promise.race([running, clock.sleep(STOP_GRACE_MS, graceOver.signal)]);
      isStopped = true;
    },
    /** For tests and metrics. */
    openCount: () => open.size,
    sendingCount: () => busy.size,
  };
}

const openSince = (properties: Properties): number =>
  Math.min(...[...properties.values()].filter(({ delivery }) => isOpen(delivery)).map(({ setAtMs }) => setAtMs));

function describe(serviceId: string, values: Values, event: DesiredEvent): string {
  const reason = "reason" in event ? `: ${event.reason}` : "";
  return `${serviceId} ${Object.keys(values).join(", ")}`.slice(0, 160) + reason.slice(0, 160);
}
