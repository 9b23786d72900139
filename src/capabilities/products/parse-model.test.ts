import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { parseModel } from "./parse-model";
import { sampleDeviceType, sampleServiceTypes, withValue } from "./testing/sample-model";

const at = (file: string, value: unknown) => ({ file, path: "$", value });
const parse = (device: unknown, services: readonly unknown[] = Object.values(sampleServiceTypes())) =>
  parseModel(
    at("D", device),
    services.map((value, index) => ({ at: at(`S${index}`, value), folder: undefined })),
  );

function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof DomainError && error.code === "PRODUCT_INVALID") return error.details;
    throw error;
  }
  return "nothing was refused";
}

const DEVICE = "$.devices[0]";
const P = "services[0].properties[0]";
const C = "services[0].commands[0]";

const DEVICE_REFUSALS: [path: string, value: unknown, where: string, reason: string][] = [
  ["devices", "x", "$.devices", "is not a list"],
  ["devices", [], "$.devices", "must hold exactly one device"],
  ["devices[1]", {}, "$.devices", "must hold exactly one device"],
  ["devices[0]", 7, DEVICE, "is not an object"],
  ["devices[0].manufacturerId", undefined, `${DEVICE}.manufacturerId`, "is missing"],
  ["devices[0].manufacturerId", " ", `${DEVICE}.manufacturerId`, "is empty"],
  ["devices[0].manufacturerName", null, `${DEVICE}.manufacturerName`, "is missing"],
  ["devices[0].model", 5, `${DEVICE}.model`, "is not a string"],
  ["devices[0].model", "x".repeat(257), `${DEVICE}.model`, "is longer than 256 characters"],
  ["devices[0].deviceType", undefined, `${DEVICE}.deviceType`, "is missing"],
  ["devices[0].protocolType", "Zigbee", `${DEVICE}.protocolType`, '"Zigbee" is none of CoAP, LWM2M, MQTT, LoRaWAN'],
  ["devices[0].omCapability", [], `${DEVICE}.omCapability`, "is not an object"],
  ["devices[0].omCapability", { other: 1 }, `${DEVICE}.omCapability.other`, "is not known here"],
  ["devices[0].serviceTypeCapabilities", undefined, `${DEVICE}.serviceTypeCapabilities`, "is missing"],
  ["devices[0].serviceTypeCapabilities", {}, `${DEVICE}.serviceTypeCapabilities`, "is not a list"],
  [
    "devices[0].serviceTypeCapabilities[0].option",
    "Sometimes",
    `${DEVICE}.serviceTypeCapabilities[0].option`,
    "is none of Master, Mandatory, Optional",
  ],
  [
    "devices[0].serviceTypeCapabilities[1].serviceId",
    "WaterMeterBasic",
    `${DEVICE}.serviceTypeCapabilities[1].serviceId`,
    '"WaterMeterBasic" is there twice',
  ],
];
for (const [path, value, where, reason] of DEVICE_REFUSALS) {
  test(`refuses ${path} = ${JSON.stringify(value)?.slice(0, 40)} in the device file`, () => {
    expect(refusal(() => parse(withValue(sampleDeviceType(), path, value)))).toEqual({
      file: "D",
      path: where,
      reason,
    });
  });
}

const SERVICE_REFUSALS: [path: string, value: unknown, where: string, reason: string][] = [
  ["services", null, "$.services", "is missing"],
  ["services[1]", {}, "$.services", "must hold exactly one service"],
  ["services[0].serviceType", undefined, "$.services[0].serviceType", "is missing"],
  ["services[0].commands", {}, "$.services[0].commands", "is not a list"],
  ["services[0].properties", "none", "$.services[0].properties", "is not a list"],
  [`${P}.propertyName`, undefined, `$.${P}.propertyName`, "is missing"],
  [
    "services[0].properties[1].propertyName",
    "temperature",
    "$.services[0].properties[1].propertyName",
    '"temperature" is there twice',
  ],
  [
    `${P}.dataType`,
    "integer",
    `$.${P}.dataType`,
    '"integer" is not a data type: int, long, decimal, float, double, string, DateTime, jsonObject, boolean, string list, enum',
  ],
  [`${P}.min`, "low", `$.${P}.min`, "is not a number"],
  [`${P}.min`, 126, `$.${P}.min`, "126 is over the maximum 125"],
  [`${P}.min`, true, `$.${P}.min`, "is neither a number nor a short string"],
  [`${P}.maxLength`, -1, `$.${P}.maxLength`, "is not a length"],
  [`${P}.maxLength`, "1.5", `$.${P}.maxLength`, "is not a length"],
  [`${P}.step`, {}, `$.${P}.step`, "is not a number"],
  [`${P}.required`, "yes", `$.${P}.required`, "is not a boolean"],
  [`${P}.enumList`, "a,b", `$.${P}.enumList`, "is not a list"],
  [`${P}.enumList`, ["a", {}], `$.${P}.enumList[1]`, "is not a string"],
  [`${P}.method`, "RX", `$.${P}.method`, '"RX" is not a combination of R, W and E'],
  [`${P}.method`, "RR", `$.${P}.method`, '"RR" is not a combination of R, W and E'],
  [`${C}.commandName`, "", `$.${C}.commandName`, "is empty"],
  [
    "services[0].commands[1]",
    { commandName: "SET_PRESSURE" },
    "$.services[0].commands[1].commandName",
    '"SET_PRESSURE" is there twice',
  ],
  [`${C}.paras`, 1, `$.${C}.paras`, "is not a list"],
  [`${C}.paras[1].paraName`, "value", `$.${C}.paras[1].paraName`, '"value" is there twice'],
  [
    `${C}.responses[0].paras[0].dataType`,
    "text",
    `$.${C}.responses[0].paras[0].dataType`,
    '"text" is not a data type: int, long, decimal, float, double, string, DateTime, jsonObject, boolean, string list, enum',
  ],
];
for (const [path, value, where, reason] of SERVICE_REFUSALS) {
  test(`refuses ${path} = ${JSON.stringify(value)?.slice(0, 40)} in a service file`, () => {
    const { WaterMeterBasic, Battery } = sampleServiceTypes();
    const run = () => parse(sampleDeviceType(), [withValue(WaterMeterBasic, path, value), Battery]);
    expect(refusal(run)).toEqual({ file: "S0", path: where, reason });
  });
}

test("refuses a listed service without a file, a file that is not listed, and a second file of a type", () => {
  const { WaterMeterBasic, Battery } = sampleServiceTypes();
  expect(refusal(() => parse(sampleDeviceType(), [WaterMeterBasic]))).toEqual({
    file: "D",
    path: "$.devices[0].serviceTypeCapabilities[1].serviceType",
    reason: '"Battery" has no service file',
  });
  const unlisted = withValue(Battery, "services[0].serviceType", "Other");
  expect(refusal(() => parse(sampleDeviceType(), [WaterMeterBasic, Battery, unlisted]))).toEqual({
    file: "S2",
    path: "$.services[0].serviceType",
    reason: '"Other" is not listed in the device file',
  });
  expect(refusal(() => parse(sampleDeviceType(), [WaterMeterBasic, Battery, Battery]))).toMatchObject({ file: "S2" });
});

test("keeps the canonical spelling of the protocol and reads numbers, strings and no-bounds", () => {
  const { protocolType, services } = parse(sampleDeviceType());
  expect(protocolType).toBe("MQTT");
  const [basic, battery] = services;
  expect(basic?.properties[0]).toMatchObject({ min: -40, max: 125, minText: "-40", maxText: "125.0", method: "RE" });
  expect(basic?.properties[1]).toMatchObject({
    min: undefined,
    max: undefined,
    minText: "0",
    maxText: "0",
    maxLength: 6,
  });
  expect(basic?.commands[0]?.paras[0]).toMatchObject({ min: 1, max: 10, maxLength: undefined, required: true });
  expect(battery).toMatchObject({ option: "Optional", description: undefined, commands: [] });
  expect(battery?.properties[0]).toMatchObject({ min: 0, max: 100, step: 0.1, unit: "%" });
});

const BOUNDS: [min: unknown, max: unknown, expected: [number | undefined, number | undefined]][] = [
  [null, null, [undefined, undefined]],
  ["", "", [undefined, undefined]],
  [0, 0, [undefined, undefined]],
  ["0", "0.0", [undefined, undefined]],
  ["0", null, [0, undefined]],
  [undefined, 5, [undefined, 5]],
  ["-1e3", " 7 ", [-1000, 7]],
];
for (const [min, max, expected] of BOUNDS) {
  test(`bounds ${JSON.stringify(min)} to ${JSON.stringify(max)} mean ${expected}`, () => {
    const { WaterMeterBasic, Battery } = sampleServiceTypes();
    const spoiled = withValue(withValue(WaterMeterBasic, `${P}.min`, min), `${P}.max`, max);
    const property = parse(sampleDeviceType(), [spoiled, Battery]).services[0]?.properties[0];
    expect([property?.min, property?.max]).toEqual(expected);
  });
}

test("one service type may serve several service ids, and no services make a pass-through product", () => {
  const two = withValue(sampleDeviceType(), "devices[0].serviceTypeCapabilities", [
    { serviceId: "Battery1", serviceType: "Battery", option: "" },
    { serviceId: "Battery2", serviceType: "Battery", option: "master" },
  ]);
  const { services } = parse(two, [sampleServiceTypes().Battery]);
  expect(services.map(({ serviceId, option }) => [serviceId, option])).toEqual([
    ["Battery1", "Optional"],
    ["Battery2", "Master"],
  ]);
  const none = withValue(sampleDeviceType(), "devices[0].serviceTypeCapabilities", []);
  expect(parse(none, []).services).toEqual([]);
});

const OM: [value: unknown, outcome: "taken" | string][] = [
  [{}, "taken"],
  [{ upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "PCP" } }, "taken"],
  [{ fwUpgradeCapability: { supportUpgrade: false, upgradeProtocolType: null } }, "taken"],
  [{ configCapability: { supportConfig: true, configMethod: "file", defaultConfigFile: { a: 1 } } }, "taken"],
  [
    { upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "LWM2M" } },
    "upgradeCapability.upgradeProtocolType",
  ],
  [{ fwUpgradeCapability: { supportUpgrade: "true" } }, "fwUpgradeCapability.supportUpgrade"],
  [{ configCapability: { supportConfig: true, configMethod: "http" } }, "configCapability.configMethod"],
  [
    { configCapability: { supportConfig: true, configMethod: "file", defaultConfigFile: [] } },
    "configCapability.defaultConfigFile",
  ],
];
for (const [value, outcome] of OM) {
  test(`O&M capability ${JSON.stringify(value)}: ${outcome}`, () => {
    const device = withValue(sampleDeviceType(), "devices[0].omCapability", value);
    if (outcome === "taken") expect(parse(device).omCapability).toEqual(value as Record<string, unknown>);
    else expect(refusal(() => parse(device))).toMatchObject({ path: `${DEVICE}.omCapability.${outcome}` });
  });
}
