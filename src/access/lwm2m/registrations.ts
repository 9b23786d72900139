import type { LiveDevice } from "../../capabilities/devices/device";
import type { Clock } from "../../platform/clock";
import type { Transactor } from "../../platform/storage/group-commit";
import type { LwM2mPath } from "../../wire/lwm2m";
import type { Peer } from "../datagram/peer";
import type { Registered } from "./registered";
import type { RegistrationRepository, StoredObservation, StoredRegistration } from "./registration-repository";

type Parts = {
  repository: RegistrationRepository;
  transactor: Transactor;
  devices: { acquire(deviceNo: number): LiveDevice | undefined; release(device: LiveDevice): void };
  clock: Pick<Clock, "now" | "monotonic">;
  maxActive: number;
  /** A device is not at `from` any more: what is open there goes on at `to`. */
  redirect: (from: Peer, to: Peer) => void;
  /** A registered device is behind it: its messages are remembered apart from those of strangers. */
  vouch: (peer: Peer) => void;
};

/** What may be said anew of a registration. */
export type RegistrationChange = Partial<
  Pick<StoredRegistration, "binding" | "lifetimeSeconds" | "objects" | "contentFormats" | "rootPath">
>;

/**
 * Registrations: rows, of which those in use are held in memory (two generations, as many as `maxActive`). A device
 * that sleeps costs a row.
 */
export function registrations({ repository, transactor, devices, clock, maxActive, redirect, vouch }: Parts) {
  let young = new Map<number, Registered>();
  let old = new Map<number, Registered>();
  const byPeer = new Map<Peer, Registered>();
  const boundListeners = new Map<number, Set<() => void>>();

  function held(deviceNo: number): Registered | undefined {
    const known = young.get(deviceNo);
    if (known) return known;
    const older = old.get(deviceNo);
    if (!older) return undefined;
    old.delete(deviceNo);
    insert(older);
    return older;
  }

  function insert(registered: Registered): void {
    young.set(registered.stored.deviceNo, registered);
    if (young.size * 2 > maxActive) turn();
  }

  function turn(): void {
    const leaving = old;
    old = young;
    young = new Map();
    for (const registered of leaving.values()) {
      if (registered.busy > 0) young.set(registered.stored.deviceNo, registered);
      else letGo(registered);
    }
  }

  function letGo(registered: Registered): void {
    if (registered.peer && byPeer.get(registered.peer) === registered) byPeer.delete(registered.peer);
    devices.release(registered.live);
  }

  function forget(deviceNo: number): Registered | undefined {
    const registered = young.get(deviceNo) ?? old.get(deviceNo);
    young.delete(deviceNo);
    old.delete(deviceNo);
    if (!registered) return undefined;
    registered.over.abort();
    letGo(registered);
    return registered;
  }

  function hold(stored: StoredRegistration): Registered | undefined {
    const live = devices.acquire(stored.deviceNo);
    if (!live) return undefined;
    const registered: Registered = {
      ...{ stored, live, peer: undefined, heardMs: undefined, newest: new Map(), over: new AbortController(), busy: 0 },
    };
    insert(registered);
    return registered;
  }

  function byDevice(deviceNo: number): Registered | undefined {
    const known = held(deviceNo);
    if (known) return known;
    const stored = repository.byDevice(deviceNo);
    return stored && hold(stored);
  }

  /** Writes, then changes what is in memory. The entry stays in memory until then. */
  async function change(registered: Registered, write: () => void, next: Partial<StoredRegistration>): Promise<void> {
    registered.busy++;
    try {
      await transactor.write(() => {
        const stored = repository.byDevice(registered.stored.deviceNo);
        if (stored?.location === registered.stored.location) write(); // else it has registered anew in the meantime
      });
      registered.stored = { ...registered.stored, ...next };
    } finally {
      registered.busy--;
    }
  }

  /** The device is reached by this peer from now on. Stored where addresses are all that is known of a device. */
  function bind(registered: Registered, peer: Peer): void {
    const before = registered.peer;
    if (before === peer) return;
    if (before) {
      if (byPeer.get(before) === registered) byPeer.delete(before);
      redirect(before, peer);
    }
    registered.peer = peer;
    byPeer.set(peer, registered);
    vouch(peer);
    const { deviceNo, host, port } = registered.stored;
    for (const listener of boundListeners.get(deviceNo) ?? []) listener();
    if (peer.deviceNo !== undefined || (host === peer.address && port === peer.port)) return;
    const { address } = peer;
    change(registered, () => repository.setAddress(deviceNo, address, peer.port), {
      host: address,
      port: peer.port,
    }).catch(
      () => {}, // a full disk, say: the next message of the device tells the address again
    );
  }

  return {
    byDevice,
    byPeer: (peer: Peer) => byPeer.get(peer),
    byLocation(location: string) {
      const deviceNo = repository.deviceOfLocation(location);
      return deviceNo === undefined ? undefined : byDevice(deviceNo);
    },
    byToken(token: Uint8Array) {
      const deviceNo = repository.deviceOfToken(token);
      return deviceNo === undefined ? undefined : byDevice(deviceNo);
    },
    observation: repository.observation,
    observationsOf: repository.observationsOf,
    count: repository.count,
    active: () => young.size + old.size,
    bind,
    /** Calls `listener` whenever there is a new way to the device; gives a function that ends that. */
    onBound(deviceNo: number, listener: () => void): () => void {
      const listeners = boundListeners.get(deviceNo) ?? new Set();
      boundListeners.set(deviceNo, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && boundListeners.get(deviceNo) === listeners) boundListeners.delete(deviceNo);
      };
    },

    /** Lifetime 0 never ends. */
    isExpired: ({ stored }: Registered): boolean =>
      stored.expiresAtMs !== undefined && stored.expiresAtMs <= clock.now(),

    /** In place of what the device had registered before, whose observations end. */
    async register(stored: StoredRegistration, peer: Peer): Promise<Registered | undefined> {
      await transactor.write(() => {
        repository.remove(stored.deviceNo);
        repository.put(stored);
      });
      const before = forget(stored.deviceNo);
      const registered = hold(repository.asStored(stored));
      if (!registered) return undefined;
      registered.heardMs = clock.monotonic();
      registered.peer = before?.peer;
      bind(registered, peer);
      return registered;
    },
    async update(registered: Registered, changes: RegistrationChange): Promise<void> {
      const now = clock.now();
      const next = { ...registered.stored, ...changes, ...whereabouts(registered), updatedAtMs: now };
      const renewed = repository.asStored({ ...next, expiresAtMs: expiryOf(next.lifetimeSeconds, now) });
      await change(registered, () => repository.put(renewed), renewed);
    },
    /** It was heard after its lifetime: it goes on for another one. */
    revive(registered: Registered): Promise<void> {
      const { deviceNo, lifetimeSeconds } = registered.stored;
      const expiresAtMs = expiryOf(lifetimeSeconds, clock.now());
      return change(registered, () => repository.setExpiry(deviceNo, expiresAtMs), { expiresAtMs });
    },
    setObserved: (registered: Registered, observed: boolean) =>
      registered.stored.observed === observed
        ? Promise.resolve()
        : change(registered, () => repository.setObserved(registered.stored.deviceNo, observed), { observed }),
    addObservation: (observation: StoredObservation) => transactor.write(() => repository.addObservation(observation)),
    removeObservation: (deviceNo: number, path: LwM2mPath) =>
      transactor.write(() => repository.removeObservation(deviceNo, path)),

    async remove(deviceNo: number): Promise<Registered | undefined> {
      await transactor.write(() => repository.remove(deviceNo));
      return forget(deviceNo);
    },
    /** Inside the transaction that deletes the device. */
    removeWithDevice(deviceNo: number, gone: (registered: Registered | undefined) => void): void {
      repository.remove(deviceNo);
      transactor.afterCommit(() => gone(forget(deviceNo)));
    },
    /** Rows whose time has been over for `keepMs`; at most `limit`. */
    async removeExpired(keepMs: number, limit: number): Promise<Registered[]> {
      const gone = await transactor.write(() => {
        const due = repository.expired(clock.now() - keepMs, limit);
        for (const deviceNo of due) repository.remove(deviceNo);
        return due;
      });
      return gone.map(forget).filter((it) => it !== undefined);
    },
  };
}
export type Registrations = ReturnType<typeof registrations>;

export const expiryOf = (lifetimeSeconds: number, nowMs: number): number | undefined =>
  lifetimeSeconds === 0 ? undefined : nowMs + lifetimeSeconds * 1_000;

const whereabouts = ({ stored, peer }: Registered) =>
  peer && peer.deviceNo === undefined
    ? { host: peer.address, port: peer.port }
    : { host: stored.host, port: stored.port };
