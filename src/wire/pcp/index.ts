export { checkCodeOf, crc16 } from "./crc";
export {
  type Decoded,
  decodeDeviceMessage,
  decodePlatformMessage,
  MALFORMED_REASONS,
  type MalformedPcp,
  type MalformedReason,
} from "./decode";
export {
  beginDownload,
  type Download,
  type DownloadStart,
  nextShardRequest,
  type ShardVerdict,
  takeShard,
} from "./download";
export { encodeDeviceMessage, encodePlatformMessage } from "./encode";
export { type Frame, NOT_PCP_REASONS, type NotPcp, type NotPcpReason, recognizeFrame } from "./frame";
export * from "./message";
export * from "./result-codes";
export { addShard, countShards, firstMissing, hasShard, missingShards, NO_SHARDS, type ShardSet } from "./shard-set";
export { isPcpVersion, parseCheckCode, renderCheckCode, VERSION_LENGTH } from "./version-text";
