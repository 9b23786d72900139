import type { InstanceKey, KeptValue, ValueRow } from "./value-repository";

/** Changes of the kept values on their way to the disk: per resource only the newest. */
export type UnstoredValues = ReturnType<typeof unstoredValues>;

type OfDevice = {
  /** Hidden: deleted on the device. They go before what is put. */
  readonly removed: Set<string>;
  readonly values: Map<string, KeptValue>;
};

const instanceKey = (objectId: number, instanceId: number) => `${objectId}/${instanceId}`;
export const keyOf = ({ objectId, instanceId, resourceId }: KeptValue) => `${objectId}/${instanceId}/${resourceId}`;

export function unstoredValues() {
  const devices = new Map<number, OfDevice>();
  let count = 0;

  function ofDevice(deviceNo: number): OfDevice {
    const known = devices.get(deviceNo);
    if (known) return known;
    const made: OfDevice = { removed: new Set(), values: new Map() };
    devices.set(deviceNo, made);
    return made;
  }

  function put(deviceNo: number, kept: KeptValue): void {
    const { values } = ofDevice(deviceNo);
    const key = keyOf(kept);
    const known = values.get(key);
    if (!known) count++;
    else if (kept.type === undefined) return; // only that it is there, which is known
    values.set(key, kept);
  }

  function removeInstance(deviceNo: number, objectId: number, instanceId: number): void {
    const { removed, values } = ofDevice(deviceNo);
    removed.add(instanceKey(objectId, instanceId));
    for (const [key, kept] of values)
      if (kept.objectId === objectId && kept.instanceId === instanceId) {
        values.delete(key);
        count--;
      }
  }

  const removedInstances = (): InstanceKey[] =>
    [...devices].flatMap(([deviceNo, { removed }]) =>
      [...removed].map((key) => {
        const [objectId = 0, instanceId = 0] = key.split("/").map(Number);
        return { deviceNo, objectId, instanceId };
      }),
    );
  const rows = (): ValueRow[] =>
    [...devices].flatMap(([deviceNo, { values }]) => [...values.values()].map((kept) => ({ deviceNo, kept })));

  return {
    put,
    removeInstance,
    removedInstances,
    rows,
    count: () => count,
    countOf: (deviceNo: number) => devices.get(deviceNo)?.values.size ?? 0,
    find: (deviceNo: number, key: string): KeptValue | undefined => devices.get(deviceNo)?.values.get(key),
    hides: (deviceNo: number, objectId: number, instanceId: number): boolean =>
      devices.get(deviceNo)?.removed.has(instanceKey(objectId, instanceId)) ?? false,
    has: (deviceNo: number, kept: KeptValue): boolean => devices.get(deviceNo)?.values.has(keyOf(kept)) ?? false,

    forget(deviceNo: number): void {
      count -= devices.get(deviceNo)?.values.size ?? 0;
      devices.delete(deviceNo);
    },

    /** Changes `kept` (by key) as it will be on disk. */
    applyTo(deviceNo: number, kept: Map<string, KeptValue>): void {
      const mine = devices.get(deviceNo);
      if (!mine) return;
      for (const [key, { objectId, instanceId }] of kept)
        if (mine.removed.has(instanceKey(objectId, instanceId))) kept.delete(key);
      for (const [key, value] of mine.values) if (value.type !== undefined || !kept.has(key)) kept.set(key, value);
    },

    /** What `newer` says comes after what is here. */
    replay(newer: { removedInstances(): InstanceKey[]; rows(): ValueRow[] }): void {
      for (const { deviceNo, objectId, instanceId } of newer.removedInstances())
        removeInstance(deviceNo, objectId, instanceId);
      for (const { deviceNo, kept } of newer.rows()) put(deviceNo, kept);
    },
    deviceNos: () => [...devices.keys()],
  };
}
