import { createHmac } from "node:crypto";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { Islet } from "./islet";

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

/** A device that MQTT.js speaks for; it connects once. `prepare` is called before it does, so that nothing is missed. */
export async function connectDevice(
  { ready }: Pick<Islet, "ready">,
  { deviceId, secret }: { deviceId: string; secret: string },
  options: IClientOptions = {},
  prepare: (client: MqttClient) => void = () => {},
): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://${ready.mqtt}`, {
    ...credentials(deviceId, secret, new Date()),
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  });
  prepare(client);
  const connected = Promise.withResolvers<void>();
  client.once("connect", () => connected.resolve());
  client.on("error", connected.reject); // afterwards: a process that is killed under it
  await connected.promise;
  return client;
}
