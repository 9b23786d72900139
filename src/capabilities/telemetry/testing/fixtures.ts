import type { AppId } from "../../applications/application";
import type { DeviceId, LiveDevice } from "../../devices/device";
import type { CompiledProduct, CompiledService, ProductId } from "../../products/product";
import type { AckSink, ReportNotifier } from "../report";

/** Services with the properties that they know; the value of each must be a number, a string or an object. */
export function testProduct(services: Readonly<Record<string, readonly string[]>>): CompiledProduct {
  const compiled = Object.entries(services).map(([serviceId, names]): [string, CompiledService] => {
    const known = new Set(names);
    return [
      serviceId,
      {
        serviceId,
        serviceType: `${serviceId}Type`,
        checkReport(data) {
          for (const name in data) if (!known.has(name)) return `${name} is no property`;
          return undefined;
        },
        commands: new Map(),
      },
    ];
  });
  return {
    product: {
      no: 1,
      id: "product" as ProductId,
      appNo: 1,
      appId: "app" as AppId,
      name: "test",
      manufacturerId: "m",
      manufacturerName: "m",
      model: "m",
      deviceType: "Sensor",
      protocolType: "MQTT",
      omCapability: undefined,
      services: [],
      topics: [],
      createdAt: 0,
    },
    passThrough: compiled.length === 0,
    services: new Map(compiled),
  };
}

export const liveDevice = (no: number, change: Partial<LiveDevice> = {}): LiveDevice => ({
  no,
  id: `product_${no}` as DeviceId,
  appNo: 1,
  appId: "app" as AppId,
  nodeId: `${no}`,
  gatewayNo: undefined,
  gatewayId: `product_${no}` as DeviceId,
  product: testProduct({ Environment: ["temperature", "humidity", "state"], Battery: ["level"] }),
  muted: false,
  isSecure: false,
  needsContact: false,
  storeHistory: true,
  pushEnabled: true,
  deleted: false,
  ...change,
});

export type RecordingSink = AckSink & { readonly heard: string[] };
export function recordingSink(heard: string[] = [], name = ""): RecordingSink {
  return {
    heard,
    acknowledge: (ticket) => heard.push(`${name}ack ${ticket}`),
    abandon: (ticket) => heard.push(`${name}abandon ${ticket}`),
    flush: () => heard.push(`${name}flush`),
  };
}

export const nobody: ReportNotifier = { wants: () => false, rowsFor: () => [] };
