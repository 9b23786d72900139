import type { Database } from "bun:sqlite";
import type { LwM2mRegistration } from "../../capabilities/resources/resource-link";
import {
  type Binding,
  type DeviceObject,
  type LwM2mPath,
  parsePath,
  renderPath,
  type Transport,
} from "../../wire/lwm2m";
import { sharedJson } from "./shared-json";

/** A registration as it is stored; `access/lwm2m` works with it, others see `LwM2mRegistration`. */
export type StoredRegistration = Omit<LwM2mRegistration, "address" | "expiresAtMs"> & {
  readonly deviceNo: number;
  /** Content formats that the device says it knows. */
  readonly contentFormats: readonly number[];
  readonly host: string;
  readonly port: number;
  /** Of the observation that carries its reports. */
  readonly token: Uint8Array;
  readonly observed: boolean;
  readonly expiresAtMs: number | undefined; // never
};
export type StoredObservation = { readonly token: Uint8Array; readonly deviceNo: number; readonly path: LwM2mPath };

type RegistrationRow = {
  device_no: number;
  location: string;
  style: "lwm2m" | "tup";
  endpoint: string;
  version: string;
  binding: string;
  lifetime_s: number;
  root_path: string;
  formats: string;
  objects: string;
  secure: number;
  address: string;
  port: number;
  token: Uint8Array;
  observed: number;
  registered_ms: number;
  updated_ms: number;
  expires_ms: number | null;
};
type ObservationRow = { token: Uint8Array; device_no: number; path: string };

const COLUMNS = [
  "device_no",
  "location",
  "style",
  "endpoint",
  "version",
  "binding",
  "lifetime_s",
  "root_path",
  "formats",
  "objects",
  "secure",
  "address",
  "port",
  "token",
  "observed",
  "registered_ms",
  "updated_ms",
  "expires_ms",
] as const satisfies (keyof RegistrationRow)[];

/** Rows of registry.db. What changes is written inside the caller's transactions. */
export function registrationRepository(db: Database) {
  const put = db.query<null, RegistrationRow>(
    `INSERT OR REPLACE INTO lwm2m_registration (${COLUMNS.join(", ")})
     VALUES (${COLUMNS.map((column) => `$${column}`).join(", ")})`,
  );
  const byDevice = db.query<RegistrationRow, [number]>("SELECT * FROM lwm2m_registration WHERE device_no = ?");
  const byLocation = db.query<{ device_no: number }, [string]>(
    "SELECT device_no FROM lwm2m_registration WHERE location = ?",
  );
  const byToken = db.query<{ device_no: number }, [Uint8Array]>(
    "SELECT device_no FROM lwm2m_registration WHERE token = ?",
  );
  const setAddress = db.query<null, [string, number, number]>(
    "UPDATE lwm2m_registration SET address = ?, port = ? WHERE device_no = ?",
  );
  const setObserved = db.query<null, [number, number]>(
    "UPDATE lwm2m_registration SET observed = ? WHERE device_no = ?",
  );
  const setExpiry = db.query<null, [number | null, number]>(
    "UPDATE lwm2m_registration SET expires_ms = ? WHERE device_no = ?",
  );
  const remove = db.query<null, [number]>("DELETE FROM lwm2m_registration WHERE device_no = ?");
  const removeObservations = db.query<null, [number]>("DELETE FROM lwm2m_observation WHERE device_no = ?");
  const expired = db.query<{ device_no: number }, [number, number]>(
    `SELECT device_no FROM lwm2m_registration INDEXED BY lwm2m_registration_expiry
     WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?`,
  );
  const count = db.query<{ count: number }, []>("SELECT count(*) AS count FROM lwm2m_registration");
  const addObservation = db.query<null, [Uint8Array, number, string]>(
    "INSERT OR REPLACE INTO lwm2m_observation (token, device_no, path) VALUES (?, ?, ?)",
  );
  const removeObservation = db.query<null, [number, string]>(
    "DELETE FROM lwm2m_observation WHERE device_no = ? AND path = ?",
  );
  const observation = db.query<ObservationRow, [Uint8Array]>("SELECT * FROM lwm2m_observation WHERE token = ?");
  const observations = db.query<ObservationRow, [number]>("SELECT * FROM lwm2m_observation WHERE device_no = ?");

  const read = sharedJson();

  return {
    put: (registration: StoredRegistration) => void put.run(toRow(registration)),
    byDevice: (deviceNo: number) => fromRow(byDevice.get(deviceNo), read),
    /** As it would be read: with what it shares with others. */
    asStored: (registration: StoredRegistration): StoredRegistration => ({
      ...registration,
      contentFormats: read(JSON.stringify(registration.contentFormats)),
      objects: read(JSON.stringify(registration.objects)),
    }),
    deviceOfLocation: (location: string) => byLocation.get(location)?.device_no,
    deviceOfToken: (token: Uint8Array) => byToken.get(token)?.device_no,
    setAddress: (deviceNo: number, host: string, port: number) => void setAddress.run(host, port, deviceNo),
    setObserved: (deviceNo: number, observed: boolean) => void setObserved.run(observed ? 1 : 0, deviceNo),
    setExpiry: (deviceNo: number, atMs: number | undefined) => void setExpiry.run(atMs ?? null, deviceNo),
    /** With its observations. */
    remove(deviceNo: number): void {
      remove.run(deviceNo);
      removeObservations.run(deviceNo);
    },
    expired: (beforeMs: number, limit: number) => expired.all(beforeMs, limit).map((row) => row.device_no),
    count: () => count.get()?.count ?? 0,

    addObservation: ({ token, deviceNo, path }: StoredObservation) =>
      void addObservation.run(token, deviceNo, renderPath(path)),
    removeObservation: (deviceNo: number, path: LwM2mPath) => void removeObservation.run(deviceNo, renderPath(path)),
    removeObservations: (deviceNo: number) => void removeObservations.run(deviceNo),
    observation: (token: Uint8Array) => fromObservationRow(observation.get(token)),
    observationsOf: (deviceNo: number) =>
      observations
        .all(deviceNo)
        .map(fromObservationRow)
        .filter((it) => it !== undefined),
  };
}
export type RegistrationRepository = ReturnType<typeof registrationRepository>;

const toRow = (it: StoredRegistration): RegistrationRow => ({
  device_no: it.deviceNo,
  location: it.location,
  style: it.style,
  endpoint: it.endpoint,
  version: it.version,
  binding: renderBinding(it.binding),
  lifetime_s: it.lifetimeSeconds,
  root_path: it.rootPath,
  formats: JSON.stringify(it.contentFormats),
  objects: JSON.stringify(it.objects),
  secure: it.isSecure ? 1 : 0,
  address: it.host,
  port: it.port,
  token: it.token,
  observed: it.observed ? 1 : 0,
  registered_ms: it.registeredAtMs,
  updated_ms: it.updatedAtMs,
  expires_ms: it.expiresAtMs ?? null,
});

function fromRow(row: RegistrationRow | null, read: ReturnType<typeof sharedJson>): StoredRegistration | undefined {
  if (!row) return undefined;
  return {
    deviceNo: row.device_no,
    location: row.location,
    style: row.style,
    endpoint: row.endpoint,
    version: row.version,
    binding: parseBinding(row.binding),
    lifetimeSeconds: row.lifetime_s,
    rootPath: row.root_path,
    contentFormats: read<number[]>(row.formats),
    objects: read<DeviceObject[]>(row.objects),
    isSecure: row.secure === 1,
    host: row.address,
    port: row.port,
    token: row.token,
    observed: row.observed === 1,
    registeredAtMs: row.registered_ms,
    updatedAtMs: row.updated_ms,
    expiresAtMs: row.expires_ms ?? undefined,
  };
}

const fromObservationRow = (row: ObservationRow | null): StoredObservation | undefined =>
  row ? { token: row.token, deviceNo: row.device_no, path: parsePath(row.path) } : undefined;

const renderBinding = ({ transports, queueMode }: Binding) => transports.join("") + (queueMode ? "Q" : "");
const parseBinding = (text: string): Binding => ({
  transports: [...text].filter((letter): letter is Transport => letter !== "Q"),
  queueMode: text.includes("Q"),
});
