/** A street lamp: what the demo imports. The same shapes as the files of a product package (docs: product model). */
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

export const SAMPLE_PRODUCT = {
  devicetype: {
    devices: [
      {
        manufacturerId: "IsletDemo",
        manufacturerName: "Islet Demo",
        model: "Lamp1",
        deviceType: "StreetLamp",
        protocolType: "MQTT",
        omCapability: null,
        serviceTypeCapabilities: [{ serviceId: "Lamp", serviceType: "Lamp", option: "Mandatory" }],
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          serviceType: "Lamp",
          description: "Light and what it takes",
          properties: [
            number("brightness", "int", 0, 100, "%"),
            number("power", "decimal", 0, 250, "W"),
            number("temperature", "decimal", -40, 125, "°C"),
          ],
          commands: [
            {
              commandName: "SET_BRIGHTNESS",
              paras: [{ paraName: "brightness", dataType: "int", required: true, min: 0, max: 100, unit: "%" }],
              responses: [
                {
                  responseName: "SET_BRIGHTNESS_RSP",
                  paras: [{ paraName: "brightness", dataType: "int", required: true, min: 0, max: 100 }],
                },
              ],
            },
          ],
        },
      ],
    },
  ],
};
