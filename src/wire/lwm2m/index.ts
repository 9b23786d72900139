export { decodeNode, decodeSamples, encodeNode } from "./content";
export { CONTENT_FORMAT, CONTENT_FORMATS, type ContentKind } from "./content-format";
export {
  declaredType,
  OBJECT_DEFINITIONS,
  type ObjectDefinition,
  type Operations,
  type ResourceDefinition,
  resourceDefinition,
} from "./definitions";
export { type EndpointName, nodeIdCandidates, parseEndpointName } from "./endpoint-name";
export {
  decodeLinks,
  encodeLinks,
  LINK_LIMITS,
  type Link,
  type LinkLimits,
  parseLinks,
  renderLinks,
} from "./link-format";
export * from "./node";
export {
  attributeQueries,
  attributesProblem,
  type NotificationAttributes,
  parseNotificationAttributes,
} from "./notification-attributes";
export {
  type DeviceObject,
  type DeviceObjects,
  type DiscoveredPath,
  decodeDeviceObjects,
  decodeDiscovery,
  parseDeviceObjects,
} from "./object-links";
export {
  isAtOrBelow,
  type LwM2mPath,
  MAX_PATH_DEPTH,
  parsePath,
  parseSegments,
  pathSegments,
  renderPath,
} from "./path";
export {
  type Binding,
  parseRegistration,
  parseRegistrationUpdate,
  REGISTRATION_SETTINGS,
  type Registration,
  type RegistrationSettings,
  type RegistrationUpdate,
  type Transport,
} from "./registration";
export { decodeTlv, encodeTlv, type TlvBranch, type TlvEntry, type TlvLeaf } from "./tlv";
export {
  type IntegerType,
  integerValue,
  LWM2M_TYPES,
  type LwM2mType,
  type LwM2mValue,
  type ObjectLink,
  parseObjectLink,
  renderObjectLink,
} from "./value";
export { parseValueText, renderValueText } from "./value-text";
