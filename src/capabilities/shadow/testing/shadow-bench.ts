import type { Database } from "bun:sqlite";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import type { ContactEvents, Device } from "../../devices/device";
import { APP_A, deviceBench } from "../../devices/testing/device-bench";
import type { TraceEntry } from "../../devices/trace-sink";
import { sampleDeviceType, withValue } from "../../products/testing/sample-model";
import { SHADOW_DEFAULTS, type ShadowEvents, type ShadowSettings } from "../desired";
import { createDesiredShadow } from "../desired-shadow";
import { type ScriptedDevices, scriptedDevices } from "./scripted-device";

const property = (propertyName: string, dataType: string, method = "RW", more: object = {}) => ({
  propertyName,
  dataType,
  method,
  ...more,
});
/** `Device` is object 3; `Valve` is for the codec; `Empty` has no properties. */
const SERVICES = {
  Device: [
    property("UTC Offset", "string"),
    property("Timezone", "string", "RWE"),
    property("Current Time", "int"),
    property("Serial Number", "string"),
    property("Pump", "int"),
  ],
  Valve: [
    property("opening", "int", "RW", { min: 0, max: 100 }),
    property("limit", "int", "W"),
    property("state", "string", "R"),
  ],
  Empty: [],
};

type Options = { settings?: Partial<ShadowSettings>; db?: Database; devices?: ScriptedDevices };

/** The desired side of the shadow over a real database and scripted devices. */
export async function shadowBench({ settings, db, devices: scripted = scriptedDevices() }: Options = {}) {
  const bench = deviceBench(db ? { db } : {});
  const contactEvents = eventBus<ContactEvents>();
  const events = eventBus<ShadowEvents>();
  const traces: TraceEntry[] = [];
  const settled: string[] = [];
  events.on("desiredSettled", ({ device, serviceId, properties, status }) => {
    bench.transactor.afterCommit(() => {
      settled.push(`${device.no} ${status} ${serviceId} ${JSON.stringify(properties)}`);
    });
  });
  const shadow = createDesiredShadow({
    ...{
      db: bench.db,
      transactor: bench.transactor,
      devices: bench.devices,
      deviceEvents: bench.events,
      contactEvents,
    },
    ...{ products: bench.products, resourceLinks: [scripted.resourceLink], sleepingLinks: [scripted.sleepingLink] },
    ...{ events, clock: bench.clock, log: silentLog, metrics: createMetrics() },
    trace: { record: (entry) => void traces.push(entry) },
    settings: { ...SHADOW_DEFAULTS, ...settings },
  });

  function importModel(protocolType = "CoAP", services: Record<string, unknown[]> = SERVICES) {
    const names = Object.keys(services);
    const changes = {
      protocolType,
      model: `M${protocolType}${names.length}`,
      serviceTypeCapabilities: names.map((serviceId) => ({ serviceId, serviceType: serviceId, option: "Optional" })),
    };
    const devicetype = Object.entries(changes).reduce(
      (file, [field, value]) => withValue(file, `devices[0].${field}`, value),
      sampleDeviceType(),
    );
    const servicetypes = names.map((serviceType) => ({
      services: [{ serviceType, description: "", commands: null, properties: services[serviceType] }],
    }));
    return bench.products.importJson(APP_A, { devicetype, servicetypes });
  }

  /** Lets everything happen that waits for nothing but the store and the devices. */
  const settle = async () => {
    for (let turn = 0; turn < 30; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return {
    ...bench,
    ...shadow,
    scripted,
    contactEvents,
    shadowEvents: events,
    traces,
    importModel,
    settle,
    async heard(deviceNo: number, hasMore = false) {
      contactEvents.emit("deviceHeard", { deviceNo, hasMore });
      await settle();
    },
    async want(device: Device, serviceId: string, values: Record<string, unknown>) {
      await shadow.desired.want(device, [{ serviceId, desired: values }]);
      await settle();
    },
    /** Notifications committed since the last call. */
    settled: () => settled.splice(0),
    stateOf: (deviceNo: number, serviceId: string, name: string) =>
      shadow.desired.of(deviceNo).find((it) => it.serviceId === serviceId)?.properties[name]?.delivery,
  };
}
