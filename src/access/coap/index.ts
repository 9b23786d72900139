export type * from "./coap-endpoint";
export { type CoapEndpointParts, createCoapEndpoint } from "./create-coap-endpoint";
export { COAP_ABOUT, COAP_DEFAULTS, type CoapSettings } from "./settings";
