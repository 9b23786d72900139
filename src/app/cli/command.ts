/** What a command may use of the process. `stopped` aborts at SIGINT and SIGTERM. */
export type Terminal = {
  out(text: string): void;
  err(text: string): void;
  readonly isTty: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stopped: AbortSignal;
};
export type Command = {
  readonly usage: string;
  readonly about: string;
  /** Its whole usage, where that is more than the line above; `words` are those that stand behind the command. */
  readonly manual?: (words: readonly string[]) => string;
  /** Resolves with the exit code. */
  run(words: readonly string[], terminal: Terminal): Promise<number>;
};
