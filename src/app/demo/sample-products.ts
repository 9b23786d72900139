/** What the demo imports, in the shapes of the files of a product package: a street lamp and a smoke detector. */
const number = (propertyName: string, dataType: "int" | "decimal", min: number, max: number, unit: string) => ({
  propertyName,
  dataType,
  required: true,
  min,
  max,
  step: dataType === "int" ? 1 : 0.1,
  maxLength: 0,
  method: "RE",
  unit,
  enumList: null,
});

/** A command with one whole number, which its answer says back under the name `answered`. */
const numberCommand = (commandName: string, paraName: string, max: number, answered: string) => ({
  commandName,
  paras: [{ paraName, dataType: "int", required: true, min: 0, max }],
  responses: [
    {
      responseName: `${commandName}_RSP`,
      paras: [{ paraName: answered, dataType: "int", required: true, min: 0, max }],
    },
  ],
});

type Model = {
  readonly model: string;
  readonly deviceType: string;
  readonly protocolType: "MQTT" | "LWM2M";
  readonly service: { readonly serviceType: string; readonly [more: string]: unknown };
};
const product = ({ service, ...device }: Model) => ({
  devicetype: {
    devices: [
      {
        manufacturerId: "IsletDemo",
        manufacturerName: "Islet Demo",
        ...device,
        omCapability: null,
        serviceTypeCapabilities: [
          { serviceId: service.serviceType, serviceType: service.serviceType, option: "Mandatory" },
        ],
      },
    ],
  },
  servicetypes: [{ services: [service] }],
});

export const LAMP = product({
  model: "Lamp1",
  deviceType: "StreetLamp",
  protocolType: "MQTT",
  service: {
    serviceType: "Lamp",
    description: "Light and what it takes",
    properties: [
      number("brightness", "int", 0, 100, "%"),
      number("power", "decimal", 0, 250, "W"),
      number("temperature", "decimal", -40, 125, "°C"),
    ],
    commands: [numberCommand("SET_BRIGHTNESS", "brightness", 100, "brightness")],
  },
});

export const DETECTOR = product({
  model: "Detector1",
  deviceType: "SmokeDetector",
  protocolType: "LWM2M",
  service: {
    serviceType: "Smoke",
    description: "Smoke in a room",
    properties: [number("level", "int", 0, 65_535, "ppm")],
    commands: [numberCommand("SET_ALARM", "value", 255, "result")],
  },
});

const messageId = (value: string) => ({
  name: "messageId",
  dataType: "int8u",
  mark: "messageId",
  default: value,
});
const mid = { name: "mid", dataType: "int16u", mark: "mid" };

/** The detector speaks binary: 00 and the level in two bytes; 03, mid and value come down; 04, mid, errcode, result. */
export const DETECTOR_CODEC = {
  kind: "messages",
  messages: [
    {
      type: "dataReport",
      name: "smoke",
      fields: [
        messageId("0x0"),
        { name: "level", dataType: "int16u", link: { serviceId: "Smoke", property: "level" } },
      ],
    },
    {
      type: "commandDelivery",
      name: "set_alarm",
      serviceId: "Smoke",
      command: "SET_ALARM",
      fields: [messageId("0x3"), mid, { name: "value", dataType: "int8u", link: { parameter: "value" } }],
      response: {
        fields: [
          messageId("0x4"),
          mid,
          { name: "errcode", dataType: "int8u", mark: "errcode" },
          { name: "result", dataType: "int8u", link: { parameter: "result" } },
        ],
      },
    },
  ],
};
/** How a detector reports, and how it answers a SET_ALARM, in the language of the simulator. */
export const detectorReport = (level: number) => Uint8Array.of(0, level >> 8, level & 0xff);
export const DETECTOR_ANSWER = "03=04{1:2}00{3}";
