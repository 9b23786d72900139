import type { RegistrationView } from "./resource";
import type { LwM2mRegistration } from "./resource-link";

export const toRegistrationView = (it: LwM2mRegistration, listening: boolean): RegistrationView => ({
  endpoint: it.endpoint,
  style: it.style,
  version: it.version,
  transports: it.binding.transports,
  queueMode: it.binding.queueMode,
  lifetimeS: it.lifetimeSeconds,
  address: it.address,
  isSecure: it.isSecure,
  rootPath: it.rootPath,
  objects: it.objects.map(({ objectId, version, instanceIds }) => ({ objectId, version, instanceIds })),
  registeredAtMs: it.registeredAtMs,
  updatedAtMs: it.updatedAtMs,
  expiresAtMs: it.expiresAtMs,
  listening,
});
