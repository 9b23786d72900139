export type Object5Settings = {
  /**
   * Name or address, with a port where it is not that of the listener, under which devices find the platform by CoAP, and
   * by CoAP in DTLS. Empty: the address that it listens at, or else its first one.
   */
  readonly coapHost: string;
  readonly coapsHost: string;
  /** A device that is at work is asked for its state when it is heard, and this often when it is quiet; ms. */
  readonly lookMs: number;
  /** How often a device that forgot its download, by a restart say, is told of it again. */
  readonly maxRewrites: number;
};

export const OBJECT5_DEFAULTS: Object5Settings = { coapHost: "", coapsHost: "", lookMs: 60_000, maxRewrites: 3 };

export const OBJECT5_ABOUT: { readonly [K in keyof Object5Settings]: string } = {
  coapHost: "host, or host:port, that devices download firmware from by CoAP; empty: the address of the listener",
  coapsHost: "the same for CoAP in DTLS",
  lookMs: "a device that downloads or installs firmware, and is quiet for so long, is asked for its state",
  maxRewrites: "how often a device that lost its download by a restart is told of it again",
};
