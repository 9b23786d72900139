export { type AesCcm, createAesCcm } from "./aes-ccm";
export * from "./alert";
export * from "./cipher-suite";
export {
  CLIENT_CONNECTION_SETTINGS,
  ClientConnection,
  type ClientConnectionSettings,
  type ClientOutput,
} from "./client-connection";
export { stepClient } from "./client-handshake";
export type { ClientCloseReason, ClientHandshake, ClientOffer } from "./client-state";
export { COOKIE_LENGTH, isCookieValid, makeCookie } from "./cookie";
export * from "./handshake";
export * from "./handshake-state";
export * from "./hello-extensions";
export { type ScreenedHello, screenHello } from "./hello-screen";
export * from "./messages";
export * from "./prf";
export { type FragmentFate, HandshakeReassembler, REASSEMBLY_LIMITS, type ReassemblyLimits } from "./reassembly";
export * from "./record";
export * from "./record-protection";
export { accepted, EMPTY_WINDOW, isReplay, type ReplayWindow } from "./replay-window";
export {
  type ConnectionOutput,
  type ConnectionSettings,
  type ConnectionSnapshot,
  type RecordFate,
  ServerConnection,
} from "./server-connection";
export { step } from "./server-handshake";
export { type Transcript, transcriptHash, withMessage } from "./transcript";
