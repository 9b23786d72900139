import { z } from "zod";
import type { Command, Parameter, Product, Property, Service } from "../../capabilities/products/product";

import { known, list } from "./answer-fields";

const word = known(z.string());
const type = {
  ...{ dataType: z.string(), required: z.boolean(), min: word, max: word },
  ...{ step: known(z.number()), maxLength: known(z.number()) },
};
const look = { unit: word, enumList: known(list(z.string())) };
const Para = z.object({ paraName: z.string(), ...type, ...look });
const CapabilityProperty = z.object({ propertyName: z.string(), ...type, method: z.string(), ...look });
const CapabilityCommand = z.object({
  commandName: z.string(),
  paras: list(Para),
  responses: list(z.object({ responseName: z.string(), paras: list(Para) })),
});
export const DeviceCapabilityResource = z.object({
  deviceId: z.string(),
  serviceCapabilities: list(
    z.object({
      ...{ serviceId: z.string(), serviceType: z.string(), option: z.string(), description: word },
      commands: list(CapabilityCommand),
      properties: list(CapabilityProperty),
    }),
  ),
});

/** 1.6.5: what a product model defines, in the document's words. Bounds are strings there; null is "no bound". */
export const toCapabilities = (deviceId: string, product: Product | undefined) => ({
  deviceId,
  serviceCapabilities: (product?.services ?? []).map(toService),
});

const toService = ({ serviceId, serviceType, option, description, commands, properties }: Service) => ({
  serviceId,
  serviceType,
  option,
  description: description ?? null,
  commands: commands.map(toCommand),
  properties: properties.map(toProperty),
});

const toCommand = ({ name, paras, responses }: Command) => ({
  commandName: name,
  paras: paras.map(toPara),
  responses: responses.map((response) => ({ responseName: response.name, paras: response.paras.map(toPara) })),
});

const toPara = (parameter: Parameter) => ({ paraName: parameter.name, ...toType(parameter), ...toLook(parameter) });
const toProperty = (property: Property) => ({
  propertyName: property.name,
  ...toType(property),
  method: property.method,
  ...toLook(property),
});

const toType = ({ dataType, required, min, max, step, maxLength }: Parameter) => ({
  dataType,
  required,
  min: min === undefined ? null : String(min),
  max: max === undefined ? null : String(max),
  step: step ?? null,
  maxLength: maxLength ?? null,
});
const toLook = ({ unit, enumList }: Parameter) => ({ unit: unit ?? null, enumList: enumList ?? null });
