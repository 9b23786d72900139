import { parseOmCapability } from "./om-capability";
import { parseServiceType, type ServiceType } from "./parse-service";
import { type OmCapability, PROTOCOL_TYPES, type Product, type ProtocolType, type Service } from "./product";
import { assertUnique, isAbsent, items, type JsonAt, member, refuse, text } from "./read-json";

/** What a model package says. */
export type ProductModel = Pick<
  Product,
  "manufacturerId" | "manufacturerName" | "model" | "deviceType" | "protocolType" | "services"
> & { readonly omCapability: OmCapability | undefined };

/** `at` is a whole servicetype file; `folder` its folder in a package, which must bear the name of the type. */
export type ServiceTypeFile = { readonly at: JsonAt; readonly folder: string | undefined };

/** The whole model, or PRODUCT_INVALID {file, path, reason} for the first thing that is wrong (product-model.md). */
export function parseModel(deviceFile: JsonAt, serviceFiles: readonly ServiceTypeFile[]): ProductModel {
  const devices = items(member(deviceFile, "devices"));
  const [device] = devices;
  if (!device || devices.length !== 1) return refuse(member(deviceFile, "devices"), "must hold exactly one device");
  const model = {
    manufacturerId: text(member(device, "manufacturerId")),
    manufacturerName: text(member(device, "manufacturerName")),
    model: text(member(device, "model")),
    deviceType: text(member(device, "deviceType")),
    protocolType: parseProtocolType(member(device, "protocolType")),
    omCapability: parseOmCapability(member(device, "omCapability")),
  };
  const listed = parseListing(member(device, "serviceTypeCapabilities"));
  return { ...model, services: joinServices(listed, serviceFiles) };
}

export function findProtocolType(spelled: string): ProtocolType | undefined {
  return PROTOCOL_TYPES.find((it) => it.toLowerCase() === spelled.trim().toLowerCase());
}

function parseProtocolType(at: JsonAt): ProtocolType {
  const spelled = text(at);
  return findProtocolType(spelled) ?? refuse(at, `${JSON.stringify(spelled)} is none of ${PROTOCOL_TYPES.join(", ")}`);
}

type Listed = Pick<Service, "serviceId" | "serviceType" | "option"> & { readonly at: JsonAt };

function parseListing(at: JsonAt): Listed[] {
  const entries = items(at);
  const listed = entries.map((entry) => ({
    serviceId: text(member(entry, "serviceId")),
    serviceType: text(member(entry, "serviceType")),
    option: parseOption(member(entry, "option")),
    at: entry,
  }));
  assertUnique(
    listed,
    ({ serviceId }) => serviceId,
    (index) => member(entries[index] as JsonAt, "serviceId"),
  );
  return listed;
}

const OPTIONS = ["Master", "Mandatory", "Optional"] as const;

/** Empty in many fielded models, which then means Optional. */
function parseOption(at: JsonAt): Service["option"] {
  if (isAbsent(at) || at.value === "") return "Optional";
  const found = OPTIONS.find((it) => typeof at.value === "string" && it.toLowerCase() === at.value.toLowerCase());
  return found ?? refuse(at, `is none of ${OPTIONS.join(", ")}`);
}

function joinServices(listed: readonly Listed[], files: readonly ServiceTypeFile[]): Service[] {
  const types = new Map<string, ServiceType>();
  for (const { at, folder } of files) {
    const type = parseServiceType(at);
    const place = { file: at.file, path: "$.services[0].serviceType" };
    if (folder !== undefined && folder !== type.serviceType)
      refuse(place, `${JSON.stringify(type.serviceType)} differs from its folder ${JSON.stringify(folder)}`);
    if (types.has(type.serviceType)) refuse(place, `${JSON.stringify(type.serviceType)} is there twice`);
    if (!listed.some(({ serviceType }) => serviceType === type.serviceType))
      refuse(place, `${JSON.stringify(type.serviceType)} is not listed in the device file`);
    types.set(type.serviceType, type);
  }
  return listed.map(({ serviceId, serviceType, option, at }) => {
    const type = types.get(serviceType);
    if (!type) return refuse(member(at, "serviceType"), `${JSON.stringify(serviceType)} has no service file`);
    return { serviceId, option, ...type };
  });
}
