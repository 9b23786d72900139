/** Limits of packages. Firmware of modules has some 100 kB to 10 MB, software of gateways some 100 MB. */
export const PACKAGE_DEFAULTS = {
  /** Largest signed archive. */
  maxUploadBytes: 512 * 1024 * 1024,
  /** Largest content, unpacked. */
  maxContentBytes: 1024 * 1024 * 1024,
  /** Entries of an archive, folders included. */
  maxEntries: 100,
  /** Its directory. */
  maxDirectoryBytes: 256 * 1024,
  /** UpgradeDesc.json and the manifest, each. */
  maxTextBytes: 256 * 1024,
  /** Times that a file may grow when it is unpacked; up to `freeRatioBytes` any number. */
  maxRatio: 200,
  freeRatioBytes: 16 * 1024 * 1024,
  maxPackagesPerApplication: 10_000,
  maxPublicKeysPerApplication: 1_000,
  maxSourceVersions: 100,
  /** Uploads at the same time. */
  maxUploads: 4,
  /** An upload that sends nothing for so long is given up. */
  uploadStallMs: 60_000,
  /** Pieces of contents held in memory for PCP shards and CoAP blocks. */
  contentCachePieces: 512,
  contentPieceBytes: 64 * 1024,
  /** Contents whose files are open. */
  maxOpenContents: 64,
};
export type PackageSettings = typeof PACKAGE_DEFAULTS;
