export { createDtlsEndpoint, type DtlsEndpoint, type DtlsEndpointOptions } from "./dtls-endpoint";
export type { DtlsReceivers, LookUpPsk, PskLogin, SessionEnd } from "./ports";
export { pskLookUp } from "./psk-login";
export { DELETE_DTLS_WINDOW_OF_DEVICE, forgetStoredSessions } from "./session-repository";
export { DTLS_DEFAULTS, type DtlsSettings } from "./settings";
