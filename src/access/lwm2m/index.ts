export type { LwM2mUpgrades } from "./hub";
export {
  createLwM2mServer,
  type LwM2mServer,
  type LwM2mServerOptions,
} from "./server";
export { LWM2M_DEFAULTS, type LwM2mSettings } from "./settings";
