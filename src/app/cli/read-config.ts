import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { type Config, ConfigError, loadConfig } from "../config";

/** Flags, environment and the file that `--config` names become the configuration. Throws ConfigError. */
export function readConfig(
  { config: file, ...flags }: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  return loadConfig({ ...(file === undefined ? {} : { file: readTable(file) }), environment, flags });
}

function readTable(name: string) {
  try {
    return { name, values: parse(readFileSync(name, "utf8")) as Record<string, unknown> };
  } catch (error) {
    throw new ConfigError(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
