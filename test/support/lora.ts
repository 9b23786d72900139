import type { Setup } from "./api";
import { commandTopic, connectDevice, dataTopic } from "./device";
import type { Islet } from "./islet";

/** What the platform asks of a LoRa server (docs/lora.md). */
export type Request = { mid: number; serviceId: string; cmd: string; paras: Record<string, unknown> };

async function addProduct(
  { manage, appId }: Pick<Setup, "manage" | "appId">,
  model: string,
  deviceType: string,
  protocolType: string,
) {
  const services = protocolType === "MQTT" ? [] : ["Meter"];
  const { status, body } = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, {
    devicetype: {
      devices: [
        {
          ...{ manufacturerId: "Lora", manufacturerName: "Lora", model, deviceType, protocolType, omCapability: null },
          serviceTypeCapabilities: services.map((id) => ({ serviceId: id, serviceType: id, option: "Mandatory" })),
        },
      ],
    },
    servicetypes: services.map((serviceType) => ({
      services: [
        {
          ...{ serviceType, description: "" },
          properties: [{ propertyName: "level", dataType: "int", min: 0, max: 100, method: "R" }],
          commands: [{ commandName: "RESET", paras: [], responses: [] }],
        },
      ],
    })),
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body.productId;
}

export const addLoraProducts = async (it: Pick<Setup, "manage" | "appId">) => ({
  server: await addProduct(it, "Server", "LoRaServer", "MQTT"),
  gateway: await addProduct(it, "Gateway", "LoRaGateway", "LoRaWAN"),
  node: await addProduct(it, "Node", "WaterMeter", "LoRaWAN"),
});

export async function registerServer({ app }: Pick<Setup, "app">, productId: string, nodeId = "lora-server") {
  const { body } = await app<{ deviceId: string; secret: string }>("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", {
    deviceInfo: { nodeId },
    productId,
    mqttConnect: true,
  });
  return body;
}

/** A LoRa server as docs/lora.md has it; `decide` makes it refuse or say nothing. */
export async function connectServer(islet: Islet, server: { deviceId: string; secret: string }) {
  const requests: Request[] = [];
  const it = { decide: (_request: Request): object | undefined => ({ errcode: 0 }) };
  const client = await connectDevice(islet, server);
  client.on("message", (topic, payload) => {
    if (topic !== commandTopic(server.deviceId)) return;
    const request = JSON.parse(payload.toString()) as Request;
    requests.push(request);
    const answer = it.decide(request);
    if (answer)
      client.publish(dataTopic(server.deviceId), JSON.stringify({ msgType: "deviceRsp", mid: request.mid, ...answer }));
  });
  await client.subscribeAsync(commandTopic(server.deviceId), { qos: 1 });
  return Object.assign(it, { client, requests });
}
