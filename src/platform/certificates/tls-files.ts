/** What a TLS listener needs, PEM. */
export type ServerTls = {
  readonly cert: string;
  readonly key: string;
  /** What clients must trust, to be downloaded; undefined with a certificate of the user's that names no CA file. */
  readonly ca: string | undefined;
};
