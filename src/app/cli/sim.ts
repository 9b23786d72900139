import { readFile } from "node:fs/promises";
import { systemClock } from "../../platform/clock";
import { FLEET_USAGE, FleetUsageError, parseFleetArguments, prepareFleet, runMqttFleet } from "../../simulator";
import { UsageError } from "./arguments";
import type { Command } from "./command";

export const simCommand: Command = {
  usage: FLEET_USAGE.replace(/^islet /, ""),
  about: "simulates devices against any host",
  async run([protocol, ...words], { out, stopped }) {
    if (protocol !== "mqtt") throw new UsageError(`${protocol ?? "a protocol"} is not one of: mqtt`);
    try {
      const options = await prepareFleet(parseFleetArguments(words), (path) => readFile(path, "utf8"));
      const result = await runMqttFleet({ ...options, signal: stopped }, systemClock, (line) => out(`${line}\n`));
      out(`${JSON.stringify(result)}\n`);
      return result.connected === result.devices ? 0 : 1;
    } catch (error) {
      throw error instanceof FleetUsageError ? new UsageError(error.message) : error;
    }
  },
};
