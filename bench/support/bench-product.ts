const property = (propertyName: string, dataType: "int" | "decimal", max: number) => ({
  propertyName,
  dataType,
  required: true,
  min: 0,
  max,
  step: 0,
  maxLength: 0,
  method: "RE",
  unit: null,
  enumList: null,
});

/** One service with three properties; the sequence tells lost and overtaken reports. */
export const BENCH_PRODUCT = {
  devicetype: {
    devices: [
      {
        manufacturerId: "Bench",
        manufacturerName: "Bench",
        model: "Load1",
        deviceType: "Load",
        protocolType: "MQTT",
        omCapability: null,
        serviceTypeCapabilities: [{ serviceId: "Load", serviceType: "Load", option: "Mandatory" }],
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          serviceType: "Load",
          description: "What the load generator sends",
          properties: [
            property("sequence", "int", 2_000_000_000),
            property("temperature", "decimal", 100),
            property("humidity", "int", 100),
          ],
          commands: [],
        },
      ],
    },
  ],
};

/** 1,000,000,000 and up, because JSON knows no leading zeros. */
export const FIRST_SEQUENCE = 1_000_000_000;
export const BENCH_PAYLOAD =
  '{"msgType":"deviceReq","data":[{"serviceId":"Load","serviceData":{"sequence":1@@@@@@@@@,"temperature":2#.#,"humidity":4#}}]}';

const [benchDevice] = BENCH_PRODUCT.devicetype.devices;

/** The same for devices that speak binary. */
export const NB_BENCH_PRODUCT = {
  ...BENCH_PRODUCT,
  devicetype: { devices: [{ ...benchDevice, model: "Load2", protocolType: "LWM2M" }] },
};
const link = (property: string) => ({ serviceId: "Load", property });
/** Seven bytes, of which the last four count. */
export const NB_BENCH_MESSAGES = [
  {
    type: "dataReport",
    name: "load",
    fields: [
      { name: "temperature", dataType: "int16u", link: link("temperature") },
      { name: "humidity", dataType: "int8u", link: link("humidity") },
      { name: "sequence", dataType: "int32u", link: link("sequence") },
    ],
  },
];
export const NB_BENCH_PAYLOAD = "00152d00000000";

/** With a command that is kept for a device that sleeps. */
export const NORTHBOUND_BENCH_PRODUCT = {
  devicetype: { devices: [{ ...benchDevice, model: "Load3", protocolType: "LWM2M" }] },
  servicetypes: [
    {
      services: BENCH_PRODUCT.servicetypes[0]?.services.map((service) => ({
        ...service,
        commands: [
          {
            commandName: "SET_INTERVAL",
            paras: [
              { paraName: "seconds", dataType: "int", required: true, min: 1, max: 86_400, step: 0, maxLength: 0 },
            ],
            responses: [],
          },
        ],
      })),
    },
  ],
};
