import { type ParseArgsConfig, parseArgs } from "node:util";

/** What was asked for cannot be meant; the message says why. */
export class FleetUsageError extends Error {
  override name = "FleetUsageError";
}

/** The values of these options and nothing else. Throws `FleetUsageError`. */
export function readOptions<const T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new FleetUsageError(error instanceof Error ? error.message : String(error));
  }
}

export const optionalWhole = (name: string, text: string | undefined, min: number, max: number) =>
  text === undefined ? undefined : whole(name, text, 0, min, max);

export function whole(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new FleetUsageError(`--${name} must be a whole number from ${min} to ${max}`);
  return value;
}

/** A share of one, as in 0.05. */
export function share(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || value > 1) throw new FleetUsageError(`--${name} must be a number from 0 to 1`);
  return value;
}

/** For example `127.0.0.1:5683`, an IPv6 address in brackets. */
export function hostAndPort(name: string, text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(text);
  if (!match) throw new FleetUsageError(`--${name} must look like HOST:PORT`);
  return { host: match[1] ?? match[2] ?? "", port: whole(name, match[3], 0, 1, 65_535) };
}
