export type Object5Settings = {
  /** A device that is at work is asked for its state when it is heard, and this often when it is quiet; ms. */
  readonly lookMs: number;
  /** How often a device that forgot its download, by a restart say, is told of it again. */
  readonly maxRewrites: number;
};

export const OBJECT5_DEFAULTS: Object5Settings = { lookMs: 60_000, maxRewrites: 3 };

export const OBJECT5_ABOUT: { readonly [K in keyof Object5Settings]: string } = {
  lookMs: "a device that downloads or installs firmware, and is quiet for so long, is asked for its state",
  maxRewrites: "how often a device that lost its download by a restart is told of it again",
};
