/**
 * What a single run measured, by name; names say the unit. What is named for mosquitto, libcoap or the bare echo was
 * measured beside, and a ratio is to one of them.
 */
export type Values = Readonly<Record<string, number>>;

export type Goal = {
  readonly value: string;
  readonly atLeast?: number;
  readonly below?: number;
  /** What we would like, beyond what we must. */
  readonly wish?: number;
  /** The same of the peer, where it has one. */
  readonly peer?: string;
};

export type BenchContext = {
  /** A tenth of everything: to see that the bench itself works. */
  readonly quick: boolean;
  readonly print: (line: string) => void;
};

export type Bench = {
  readonly name: string;
  readonly about: string;
  readonly goals: readonly Goal[];
  /** Runs of which the median counts, unless the command line says otherwise. */
  readonly runs: number;
  /** What all runs share, say a big database; `dispose` when they are done. */
  prepare?(context: BenchContext): Promise<Prepared>;
  run(context: BenchContext, prepared: Prepared): Promise<Values>;
};
export type Prepared = { readonly folder: string; dispose(): void };
export const NOTHING_PREPARED: Prepared = { folder: "", dispose() {} };

export const defineBench = (bench: Bench): Bench => bench;
