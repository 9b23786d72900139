import { createHmac } from "node:crypto";

/** What a device of the vendor sends in CONNECT (document section 2.2). */
export function credentials(id: string, secret: string, at: Date, { authType = "0", signType = "0" } = {}) {
  const timestamp = at.toISOString().replace(/[-T]/g, "").slice(0, 10);
  return {
    clientId: `${id}_${authType}_${signType}_${timestamp}`,
    username: id,
    password: createHmac("sha256", timestamp).update(secret).digest("hex"),
  };
}

export const report = (serviceId: string, serviceData: Record<string, unknown>, eventTime?: string) =>
  JSON.stringify({
    msgType: "deviceReq",
    data: [{ serviceId, serviceData, ...(eventTime === undefined ? {} : { eventTime }) }],
  });

export const dataTopic = (deviceId: string) => `/huawei/v1/devices/${deviceId}/data/json`;
export const commandTopic = (deviceId: string) => `/huawei/v1/devices/${deviceId}/command/json`;
