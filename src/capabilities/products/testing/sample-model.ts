import { zipSync } from "fflate";

/** A model as files, to be spoiled in tests: every call gives fresh objects. */
export const sampleDeviceType = () => ({
  devices: [
    {
      manufacturerId: "TestManuId",
      manufacturerName: "Test Manufacturer",
      model: "NBIoTDevice",
      deviceType: "WaterMeter",
      protocolType: "mqtt",
      omCapability: null as unknown,
      serviceTypeCapabilities: [
        { serviceId: "WaterMeterBasic", serviceType: "WaterMeterBasic", option: "Mandatory" },
        { serviceId: "Battery", serviceType: "Battery", option: "Optional" },
      ] as unknown,
    } as Record<string, unknown>,
  ],
});

export const sampleServiceTypes = () => ({
  WaterMeterBasic: {
    services: [
      {
        serviceType: "WaterMeterBasic",
        description: "Readings",
        commands: [
          {
            commandName: "SET_PRESSURE",
            paras: [
              { paraName: "value", dataType: "int", required: true, min: 1, max: "10", maxLength: 0, enumList: null },
              { paraName: "note", dataType: "string", required: false, maxLength: 5 },
            ],
            responses: [{ responseName: "SET_PRESSURE_RSP", paras: [{ paraName: "result", dataType: "int" }] }],
          },
        ],
        properties: [
          { propertyName: "temperature", dataType: "int", required: false, min: "-40", max: "125.0", method: "RE" },
          { propertyName: "flow", dataType: "string", required: true, min: "0", max: "0", maxLength: 6, method: "RWE" },
        ],
      } as Record<string, unknown>,
    ],
  },
  Battery: {
    services: [
      {
        serviceType: "Battery",
        description: "",
        commands: null,
        properties: [
          { propertyName: "level", dataType: "decimal", min: 0, max: 100, step: 0.1, unit: "%", method: "R" },
        ],
      } as Record<string, unknown>,
    ],
  },
});

export const SAMPLE_PACKAGE_NAME = "WaterMeter_TestManuId_NBIoTDevice.zip";

/** Texts are taken as they are, other values as JSON. */
export function zipOf(files: Record<string, unknown>): Uint8Array {
  const encode = (value: unknown) =>
    value instanceof Uint8Array
      ? value
      : new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, value]) => [name, encode(value)])));
}

export function sampleFiles(): Record<string, unknown> {
  const { WaterMeterBasic, Battery } = sampleServiceTypes();
  return {
    "profile/devicetype-capability.json": sampleDeviceType(),
    "service/WaterMeterBasic/profile/servicetype-capability.json": WaterMeterBasic,
    "service/Battery/profile/servicetype-capability.json": Battery,
  };
}

/** Sets the value at a path like `devices[0].model`; undefined removes it. */
export function withValue<T>(root: T, path: string, value: unknown): T {
  const copy = structuredClone(root);
  const keys = path.split(/[.[\]]+/).filter((key) => key !== "");
  const last = keys.pop() as string;
  // biome-ignore lint/suspicious/noExplicitAny: the whole point is to make what the types forbid
  const holder = keys.reduce((at: any, key) => at[key], copy);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}
