import { z } from "@hono/zod-openapi";
import { DATA_TYPES, type Parameter, PROTOCOL_TYPES, type Product } from "../../capabilities/products/product";
import { Timestamp, toTimestamp } from "./routes";

const ParameterResource = z
  .object({
    name: z.string(),
    dataType: z.enum(DATA_TYPES),
    required: z.boolean(),
    min: z.number().optional(),
    max: z.number().optional(),
    step: z.number().optional(),
    maxLength: z.int().optional(),
    unit: z.string().optional(),
    enumList: z.array(z.string()).optional(),
  })
  .openapi("Parameter");
const PropertyResource = ParameterResource.extend({
  method: z.string().openapi({ description: "of R (readable), W (writable), E (reports changes)" }),
}).openapi("Property");
const CommandResource = z
  .object({
    name: z.string(),
    paras: z.array(ParameterResource),
    responses: z.array(z.object({ name: z.string(), paras: z.array(ParameterResource) })),
  })
  .openapi("Command");
const ServiceResource = z
  .object({
    serviceId: z.string(),
    serviceType: z.string(),
    option: z.enum(["Master", "Mandatory", "Optional"]),
    description: z.string().optional(),
    properties: z.array(PropertyResource),
    commands: z.array(CommandResource),
  })
  .openapi("Service");
export const TopicResource = z
  .strictObject({
    name: z.string().min(1).openapi({ description: "what follows `$oc/devices/{device_id}/user/`" }),
    permission: z.enum(["publish", "subscribe", "both"]),
    description: z.string().max(1_024).optional(),
  })
  .openapi("CustomTopic");

export const ProductSummary = z
  .object({
    productId: z.string(),
    appId: z.string(),
    name: z.string(),
    manufacturerId: z.string(),
    manufacturerName: z.string(),
    model: z.string(),
    deviceType: z.string(),
    protocolType: z.enum(PROTOCOL_TYPES),
    serviceIds: z.array(z.string()).openapi({ description: "empty: a pass-through product" }),
    createdAt: Timestamp,
  })
  .openapi("ProductSummary");
export const ProductResource = ProductSummary.extend({
  omCapability: z.record(z.string(), z.unknown()).nullable(),
  services: z.array(ServiceResource),
  topics: z.array(TopicResource),
}).openapi("Product");

export const toProductSummary = (it: Product) => ({
  productId: it.id,
  appId: it.appId,
  name: it.name,
  manufacturerId: it.manufacturerId,
  manufacturerName: it.manufacturerName,
  model: it.model,
  deviceType: it.deviceType,
  protocolType: it.protocolType,
  serviceIds: it.services.map(({ serviceId }) => serviceId),
  createdAt: toTimestamp(it.createdAt),
});

export const toProductResource = (it: Product) => ({
  ...toProductSummary(it),
  omCapability: it.omCapability ? { ...it.omCapability } : null,
  services: it.services.map((service) => ({
    ...service,
    properties: service.properties.map((property) => ({ ...toParameter(property), method: property.method })),
    commands: service.commands.map(({ name, paras, responses }) => ({
      name,
      paras: paras.map(toParameter),
      responses: responses.map((response) => ({ name: response.name, paras: response.paras.map(toParameter) })),
    })),
  })),
  topics: it.topics.map((topic) => ({ ...topic })),
});

const toParameter = (it: Parameter) => ({
  name: it.name,
  dataType: it.dataType,
  required: it.required,
  min: it.min,
  max: it.max,
  step: it.step,
  maxLength: it.maxLength,
  unit: it.unit,
  enumList: it.enumList ? [...it.enumList] : undefined,
});
