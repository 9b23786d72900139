import type { LwM2mHub } from "./hub";
import type { Registered } from "./registered";

/** The registration of the device, unless its lifetime is over. */
export function runningRegistration(hub: LwM2mHub, deviceNo: number): Registered | undefined {
  const registered = hub.registrations.byDevice(deviceNo);
  return registered && !hub.registrations.isExpired(registered) ? registered : undefined;
}

/** It was heard so lately that it still listens. */
export function isAwake(hub: LwM2mHub, { heardMs }: Registered): boolean {
  return heardMs !== undefined && hub.clock.monotonic() - heardMs < hub.settings.awakeMs;
}
