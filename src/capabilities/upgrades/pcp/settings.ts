export type PcpSettings = {
  /**
   * How long the message that told a device to install is sent again as it was. A device knows it again for as long as
   * CoAP's EXCHANGE_LIFETIME, 247 s; after this it is asked for its version first.
   */
  readonly sameMessageMs: number;
  /** Answers of one device that may be on their way; more requests for shards are dropped, and come again. */
  readonly maxAnswersPerDevice: number;
  /** Shards that are kept ready for all devices. */
  readonly shardCacheBytes: number;
};

export const PCP_DEFAULTS: PcpSettings = {
  sameMessageMs: 180_000,
  maxAnswersPerDevice: 8,
  shardCacheBytes: 8 * 1024 * 1024,
};

export const PCP_ABOUT: { readonly [K in keyof PcpSettings]: string } = {
  sameMessageMs:
    "how long the order to install is repeated byte by byte; later the device is asked for its version first",
  maxAnswersPerDevice: "answers to one device that may be on their way; more requests for shards are dropped",
  shardCacheBytes: "shards that are kept ready to be sent, for all devices together",
};
