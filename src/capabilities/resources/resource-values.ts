import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { StorageWriter, WriteStep } from "../../platform/storage/storage-writer";
import { declaredType, type LwM2mNode, type LwM2mPath, type LwM2mType, type ResourceNode } from "../../wire/lwm2m";
import { nodeToJson } from "./node-json";
import type { JsonValue } from "./resource";
import type { ResourceSettings } from "./settings";
import { keyOf, unstoredValues } from "./unstored-values";
import { type KeptValue, valueRepository } from "./value-repository";

type Parts = {
  writer: StorageWriter;
  reads: Database;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  settings: ResourceSettings;
};
export type ResourceValues = ReturnType<typeof resourceValues>;

/** An exchange that was under way when its device was deleted has ended by then. */
const REMEMBER_DELETED_MS = 600_000;

/**
 * The last known value of every resource. New ones are held back for a moment, the newest of each, and written together;
 * a crash loses that moment, which the next notification or read brings back. Bounded per device and in all.
 */
export function resourceValues({ writer, reads, clock, log, metrics, settings }: Parts) {
  const repository = valueRepository(reads);
  const counter = metrics.counter("islet_resource_values_total", "Values of resources by what became of them");
  const stored = counter.with({ outcome: "stored" });
  const dropped = counter.with({ outcome: "dropped" });
  const deleted = new Map<number, number>(); // device → when
  let pending = unstoredValues();
  let flushing: { readonly batch: typeof pending; readonly done: Promise<void> } | undefined;
  let cancelTimer: (() => void) | undefined;

  function put(deviceNo: number, kept: KeptValue): void {
    if (deleted.has(deviceNo)) return;
    const isNew = !pending.has(deviceNo, kept);
    const isFull =
      pending.count() >= settings.maxUnstoredValues || pending.countOf(deviceNo) >= settings.maxValuesPerDevice;
    if (isNew && isFull) dropped.add();
    else {
      pending.put(deviceNo, kept);
      arm();
    }
  }

  function putValue(deviceNo: number, path: LwM2mPath, type: LwM2mType, value: JsonValue, seenMs: number): void {
    const [objectId = 0, instanceId = 0, resourceId = 0] = path;
    const { length } = JSON.stringify(value);
    const fits = length <= settings.maxValueChars;
    const rest = fits ? { value, omittedChars: undefined } : { value: undefined, omittedChars: length };
    put(deviceNo, { objectId, instanceId, resourceId, type, ...rest, seenMs });
  }

  function putResource(deviceNo: number, path: LwM2mPath, node: ResourceNode, atMs: number): void {
    const type = node.kind === "resource" ? node.value.type : node.instances[0]?.value.type;
    // A list without values tells no type.
    putValue(deviceNo, path, type ?? declaredType(path) ?? "opaque", nodeToJson(node), atMs);
  }

  /** One of several values: the others stay. */
  function putOneOf(deviceNo: number, path: LwM2mPath, type: LwM2mType, value: JsonValue, atMs: number): void {
    const before = find(deviceNo, path.slice(0, 3))?.value;
    const others = typeof before === "object" ? before : {};
    putValue(deviceNo, path, type, { ...others, [String(path[3])]: value }, atMs);
  }

  function record(deviceNo: number, path: LwM2mPath, node: LwM2mNode, atMs: number): void {
    switch (node.kind) {
      case "object":
        for (const instance of node.instances) record(deviceNo, [...path, instance.id], instance, atMs);
        return;
      case "objectInstance":
        for (const resource of node.resources) record(deviceNo, [...path, resource.id], resource, atMs);
        return;
      case "resource":
      case "multipleResource":
        putResource(deviceNo, path, node, atMs);
        return;
      case "resourceInstance":
        putOneOf(deviceNo, path, node.value.type, nodeToJson(node), atMs);
        return;
      default:
        node satisfies never;
    }
  }

  function find(deviceNo: number, [objectId = 0, instanceId = 0, resourceId = 0]: LwM2mPath): KeptValue | undefined {
    const key = `${objectId}/${instanceId}/${resourceId}`;
    let weak: KeptValue | undefined; // known to be there, a value may be further down
    for (const batch of [pending, flushing?.batch]) {
      const found = batch?.find(deviceNo, key);
      if (found && found.type !== undefined) return found;
      weak ??= found;
      if (batch?.hides(deviceNo, objectId, instanceId)) return weak;
    }
    return repository.find(deviceNo, objectId, instanceId, resourceId) ?? weak;
  }

  function arm(): void {
    if (!flushing) cancelTimer ??= clock.after(settings.valueFlushMs, flush);
  }

  function flush(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    const before = clock.monotonic() - REMEMBER_DELETED_MS;
    for (const [deviceNo, at] of deleted) if (at < before) deleted.delete(deviceNo);
    if (flushing || pending.deviceNos().length === 0) return;
    const batch = pending;
    pending = unstoredValues();
    flushing = { batch, done: write(batch) };
  }

  async function write(batch: typeof pending): Promise<void> {
    const rows = batch.rows();
    try {
      await writer.commit(stepsOf(batch));
      stored.add(rows.length);
    } catch (error) {
      // A full disk passes: this waits for the next round, below what has come since.
      log.error("resource_values_not_stored", { values: rows.length, error });
      batch.replay(pending);
      for (const deviceNo of deleted.keys()) batch.forget(deviceNo);
      pending = batch;
    } finally {
      flushing = undefined;
      if (pending.deviceNos().length > 0) arm();
    }
  }

  function stepsOf(batch: typeof pending): WriteStep[] {
    const rows = batch.rows();
    return [
      repository.steps.removeInstances(batch.removedInstances()),
      repository.steps.put(rows.filter(({ kept }) => kept.type !== undefined)),
      repository.steps.addKnown(rows.filter(({ kept }) => kept.type === undefined)),
      repository.steps.trim(batch.deviceNos(), settings.maxValuesPerDevice),
    ];
  }

  return {
    /** Every value of the node that lies at `path`. */
    record,
    /** The resource is there. */
    recordKnown(deviceNo: number, [objectId = 0, instanceId = 0, resourceId = 0]: LwM2mPath, seenMs: number): void {
      const nothing = { type: undefined, value: undefined, omittedChars: undefined };
      put(deviceNo, { objectId, instanceId, resourceId, ...nothing, seenMs });
    },
    removeInstance(deviceNo: number, objectId: number, instanceId: number): void {
      pending.removeInstance(deviceNo, objectId, instanceId);
      arm();
    },
    find,
    of(deviceNo: number): KeptValue[] {
      const kept = new Map(repository.of(deviceNo).map((it) => [keyOf(it), it]));
      flushing?.batch.applyTo(deviceNo, kept);
      pending.applyTo(deviceNo, kept);
      return [...kept.values()];
    },
    /** After the commit of its deletion; the rows go with `DELETE_RESOURCE_VALUES_OF_DEVICE`. */
    forget(deviceNo: number): void {
      deleted.set(deviceNo, clock.monotonic());
      pending.forget(deviceNo);
    },
    /** Writes what is waiting. */
    async stop(): Promise<void> {
      await flushing?.done;
      flush();
      await flushing?.done;
    },
  };
}
