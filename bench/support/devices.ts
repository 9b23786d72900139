import { type DeviceCredentials, registerDevices } from "../../src/simulator";
import type { Server } from "./server";

/** Registers devices for the load, through the application API as everybody does. */
export async function registerLoadDevices(server: Server, count: number): Promise<DeviceCredentials[]> {
  return registerDevices({ url: server.url, ...(await server.setUp()) }, "load", count);
}

export const anonymousDevices = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ deviceId: `load-${index}` }));
