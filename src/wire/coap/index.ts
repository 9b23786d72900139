export {
  BLOCK_SIZES,
  type Block,
  type BlockBody,
  type BlockSize,
  decodeBlock,
  encodeBlock,
  equalBytes,
  maxBodyLength,
} from "./block";
export * from "./block1-receive";
export * from "./block1-send";
export * from "./block2-receive";
export * from "./block2-send";
export { answerToMalformed, COAP_FAULTS, type CoapFault, CoapMalformedError } from "./coap-malformed-error";
export * from "./codes";
export * from "./content-formats";
export { type Admission, DEFAULT_DUPLICATE_MEMORY, DuplicateMemory, type DuplicateMemorySettings } from "./duplicates";
export * from "./exchange";
export {
  type CoapMessage,
  type CoapOption,
  decodeMessage,
  decodeMessageView,
  encodeEmpty,
  encodeMessage,
  MESSAGE_TYPES,
  type MessageType,
} from "./message";
export { MAX_OPTIONS, MessageView } from "./message-view";
export * from "./observe";
export { checkOptions, isSuppressed, type OptionVerdict } from "./option-rules";
export * from "./option-values";
export * from "./options";
export * from "./transmission";
