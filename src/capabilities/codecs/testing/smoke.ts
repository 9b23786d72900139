import type { AppId } from "../../applications/application";
import type { DataType, Parameter, Product, ProductId } from "../../products/product";
import type { CloudReq } from "../codec";
import type { MessageDefinition } from "../messages/definition";

export const parameter = (name: string, dataType: DataType, required = false): Parameter => ({
  name,
  dataType,
  required,
  min: undefined,
  max: undefined,
  step: undefined,
  maxLength: undefined,
  unit: undefined,
  enumList: undefined,
});
export const property = (name: string, dataType: DataType, required = false) => ({
  ...parameter(name, dataType, required),
  method: "RE",
});

export function productOf(services: Product["services"]): Product {
  return {
    no: 7,
    id: "p7" as ProductId,
    appNo: 1,
    appId: "app" as AppId,
    name: "Smoke",
    manufacturerId: "M",
    manufacturerName: "Maker",
    model: "S",
    deviceType: "Smoke",
    protocolType: "MQTT",
    omCapability: undefined,
    services,
    topics: [],
    createdAt: 0,
  };
}

/** The product of codec.md 3.8. */
export const SMOKE_PRODUCT: Product = productOf([
  {
    serviceId: "Smoke",
    serviceType: "Smoke",
    option: "Mandatory",
    description: undefined,
    properties: [property("level", "int", true), property("note", "string"), property("raw", "string")],
    commands: [
      {
        name: "SET_ALARM",
        paras: [parameter("value", "int", true)],
        responses: [{ name: "SET_ALARM_RSP", paras: [parameter("result", "int")] }],
      },
    ],
  },
]);

const link = (name: string) => ({ serviceId: "Smoke", property: name });
/** Its messages; fresh at each call, to be spoiled. */
export const smokeMessages = (): MessageDefinition[] => [
  {
    type: "dataReport",
    name: "smokeinfo",
    fields: [
      { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x0" },
      { name: "level", dataType: "int16u", link: link("level") },
    ],
    response: { default: "AAAA0000" },
  },
  {
    type: "dataReport",
    name: "note_msg",
    fields: [
      { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x1" },
      { name: "len", dataType: "int8u" },
      { name: "note", dataType: "varstring", lengthField: "len", link: link("note") },
    ],
  },
  {
    type: "dataReport",
    name: "raw_msg",
    fields: [
      { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x2" },
      { name: "len", dataType: "int8u" },
      { name: "raw", dataType: "variant", lengthField: "len", link: link("raw") },
    ],
  },
  {
    type: "commandDelivery",
    name: "set_alarm",
    serviceId: "Smoke",
    command: "SET_ALARM",
    fields: [
      { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x3" },
      { name: "mid", dataType: "int16u", mark: "mid" },
      { name: "value", dataType: "int8u", link: { parameter: "value" } },
    ],
    response: {
      fields: [
        { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x4" },
        { name: "mid", dataType: "int16u", mark: "mid" },
        { name: "errcode", dataType: "int8u", mark: "errcode" },
        { name: "result", dataType: "int8u", link: { parameter: "result" } },
      ],
    },
  },
];

export const setAlarm = (paras: Record<string, unknown>, mid: number): CloudReq => ({
  msgType: "cloudReq",
  serviceId: "Smoke",
  cmd: "SET_ALARM",
  paras,
  mid,
  hasMore: 0,
});

/** The same product as a script. */
export const SMOKE_SCRIPT = `
var SERVICE = "Smoke";
function report(data) { return JSON.stringify({ msgType: "deviceReq", data: [{ serviceId: SERVICE, serviceData: data }] }); }
function decode(payload, topic) {
  switch (payload[0]) {
    case 0: return report({ level: payload[1] * 256 + payload[2] });
    case 1: return report({ note: String.fromCharCode.apply(null, payload.slice(2, 2 + payload[1])) });
    case 4: return { msgType: "deviceRsp", mid: payload[1] * 256 + payload[2], errcode: payload[3], body: { result: payload[4] } };
    default: throw new Error("unknown message " + payload[0]);
  }
}
function encode(json) {
  var message = JSON.parse(json);
  if (message.msgType === "cloudRsp") return message.request[0] === 0 ? [0xaa, 0xaa, 0, 0] : [];
  return [3, message.mid >> 8, message.mid & 255, message.paras.value];
}
`;
