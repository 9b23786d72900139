import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter } from "../../platform/events";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Device, DeviceEvents } from "./device";
import type { DeviceRepository } from "./device-repository";
import type { ReadRow, RowReader } from "./device-row";
import type { DeviceSettings } from "./device-settings";
import type { LiveDevices } from "./live-devices";
import { nextPresence, type PresenceEvent } from "./status";

/** What every change of devices needs. All functions but `toDevice` are for use inside a transaction. */
export type DeviceCore = ReturnType<typeof deviceCore>;

type Parts = {
  repository: DeviceRepository;
  toDevice: RowReader;
  live: LiveDevices;
  transactor: Transactor;
  events: Emitter<DeviceEvents>;
  settings: DeviceSettings;
  clock: Pick<Clock, "now">;
};

export function deviceCore({ repository, toDevice, live, transactor, events, settings, clock }: Parts) {
  function row(deviceNo: number): ReadRow {
    const found = repository.findByNo(deviceNo);
    if (!found) throw new DomainError("DEVICE_NOT_FOUND", { deviceNo });
    return found;
  }

  let edits = 0;

  /** Tells of the change once it is in the tables. */
  function changed(deviceNo: number): Device {
    edits++;
    const device = toDevice(row(deviceNo));
    transactor.afterCommit(() => live.refresh(deviceNo));
    events.emit("deviceInfoChanged", { device });
    return device;
  }

  /**
   * Stores what follows from the event and tells of it; nothing when nothing follows.
   * The first contact binds the device: it no longer expires, and is activated for ever.
   */
  function setPresence(current: ReadRow, event: PresenceEvent): void {
    const { no } = current;
    const presence = nextPresence({ status: current.status, detail: current.status_detail }, event);
    const isContact = event.kind === "contact" || (event.kind === "reported" && event.status === "ONLINE");
    const binds = isContact && current.bound === 0;
    const isNew = presence.status !== current.status || presence.detail !== current.status_detail;
    if (!binds && !isNew) return;
    repository.setPresence({
      no,
      status: presence.status,
      status_detail: presence.detail,
      activated: isContact ? 1 : current.activated,
      bound: isContact ? 1 : current.bound,
      expires_at_ms: isContact ? null : current.expires_at_ms,
      contacted_at_ms: isContact ? clock.now() : current.contacted_at_ms,
    });
    transactor.afterCommit(() => live.refresh(no));
    const device = toDevice(row(no));
    if (binds) events.emit("deviceBound", { device, result: "succeeded" });
    if (isNew) events.emit("deviceInfoChanged", { device });
  }

  const LIMITS = {
    devices: ["maxDevices", "DEVICE_LIMIT_REACHED"],
    frozen: ["maxFrozenDevices", "FROZEN_LIMIT_REACHED"],
    non_secure: ["maxNonSecureDevices", "NON_SECURE_LIMIT_REACHED"],
  } as const;

  /** Throws when the application has as many of them as it may. */
  function assertRoom(appNo: number, what: keyof typeof LIMITS): void {
    const [setting, code] = LIMITS[what];
    const limit = settings[setting];
    if (limit === 0) return;
    const used = repository.counts(appNo).reduce((sum, counts) => sum + counts[what], 0);
    if (used >= limit) throw new DomainError(code, { limit });
  }

  return {
    ...{ repository, toDevice, live, transactor, events, settings, row, changed, setPresence, assertRoom },
    /** Grows with every call of `changed`: what is known of devices as a whole may be out of date. */
    edits: () => edits,
  };
}

export const inputInvalid = (field: string, reason: string) => new DomainError("INPUT_INVALID", { field, reason });
