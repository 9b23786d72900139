/** Port for facts that an operator looks up later: why a report or a login was refused. Implemented by `trace`. */
export type TraceEntry = {
  readonly deviceNo?: number;
  /** Who it claimed to be, when no device could be found for it. */
  readonly claimedId?: string;
  readonly kind: "login" | "report" | "command" | "response" | "subscribe" | "publish" | "connection";
  readonly outcome: "succeeded" | "failed";
  /** A short closed code, also used as a metrics label: `wrong_password`, `unknown_property`, … */
  readonly reason: string;
  /** For people; never a secret. */
  readonly detail?: string;
};
export interface TraceSink {
  /** Cheap and never throws; bounded: a flood of entries is thinned out and counted. */
  record(entry: TraceEntry): void;
}
