import { createHmac } from "node:crypto";

export type DeviceCredentials = { readonly deviceId: string; readonly secret: string };

/**
 * What a device of the vendor puts into CONNECT (device interface 2.2): logged in by deviceId, timestamp not checked.
 * `nowMs` is the time of connecting; only its hour counts.
 */
export function deviceLogin({ deviceId, secret }: DeviceCredentials, nowMs: number) {
  const timestamp = new Date(nowMs).toISOString().replace(/[-T]/g, "").slice(0, 10);
  return {
    clientId: `${deviceId}_0_0_${timestamp}`,
    username: deviceId,
    password: createHmac("sha256", timestamp).update(secret).digest("hex"),
  };
}

export const dataTopic = (deviceId: string) => `/huawei/v1/devices/${deviceId}/data/json`;
export const commandTopic = (deviceId: string) => `/huawei/v1/devices/${deviceId}/command/json`;
