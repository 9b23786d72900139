import type { Clock } from "./clock";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Record<string, unknown>;

/** One event a line; fields, not sentences. Give `deviceId` and `requestId` wherever they are known; never a secret. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

type Options = { level: LogLevel; format: "json" | "pretty"; clock: Clock; write: (line: string) => void };

/** `write` gets whole lines with their line break. An Error among the fields is written as message and stack. */
export function createLog({ level, format, clock, write }: Options): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel) => {
    if (LOG_LEVELS.indexOf(own) < threshold) return () => {};
    return (event: string, fields: LogFields = {}) => {
      const time = new Date(clock.now()).toISOString();
      const plain = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, toPlain(value)]));
      write(
        format === "json"
          ? `${JSON.stringify({ time, level: own, event, ...plain })}\n`
          : `${time.slice(11, 23)} ${own.toUpperCase().padEnd(5)} ${event} ${renderPretty(plain)}\n`,
      );
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

const toPlain = (value: unknown) =>
  value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value;

const renderPretty = (fields: LogFields) =>
  Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
