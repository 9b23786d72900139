import { readFile } from "node:fs/promises";
import { type Clock, systemClock } from "../../platform/clock";
import {
  FLEET_USAGE,
  FleetUsageError,
  LWM2M_USAGE,
  parseFleetArguments,
  parseLwm2mArguments,
  prepareFleet,
  prepareLwm2mFleet,
  runLwm2mFleet,
  runMqttFleet,
} from "../../simulator";
import { UsageError } from "./arguments";
import type { Command, Terminal } from "./command";

type Fleet = {
  readonly usage: string;
  /** Resolves when it is over, with what is to be printed, and whether all devices were there to the end. */
  run(words: readonly string[], signal: AbortSignal, clock: Clock, print: (line: string) => void): Promise<Ended>;
};
type Ended = { readonly result: unknown; readonly isWhole: boolean };

const readText = (path: string) => readFile(path, "utf8");
const FLEETS: Readonly<Record<string, Fleet>> = {
  mqtt: {
    usage: FLEET_USAGE,
    async run(words, signal, clock, print) {
      const options = await prepareFleet(parseFleetArguments(words), readText);
      const result = await runMqttFleet({ ...options, signal }, clock, print);
      return { result, isWhole: result.connected === result.devices };
    },
  },
  lwm2m: {
    usage: LWM2M_USAGE,
    async run(words, signal, clock, print) {
      const options = await prepareLwm2mFleet(parseLwm2mArguments(words), readText);
      const result = await runLwm2mFleet({ ...options, signal }, clock, print);
      return { result, isWhole: result.registered === result.devices };
    },
  },
};

const isProtocol = (word: string | undefined): word is string => word !== undefined && Object.hasOwn(FLEETS, word);

export const simCommand: Command = {
  usage: "sim mqtt|lwm2m <devices> [options]",
  about:
    "simulates devices against any host: MQTT, or NB-IoT over CoAP and DTLS. islet sim lwm2m --help tells its options",
  manual: ([protocol]) =>
    Object.entries(FLEETS)
      .filter(([name]) => name === protocol || !isProtocol(protocol))
      .map(([, { usage }]) => usage)
      .join("\n\n"),
  async run([protocol, ...words], { out, stopped }: Terminal) {
    const fleet = isProtocol(protocol) ? FLEETS[protocol] : undefined;
    if (!fleet) throw new UsageError(`${protocol ?? "a protocol"} is not one of: ${Object.keys(FLEETS).join(", ")}`);
    try {
      const { result, isWhole } = await fleet.run(words, stopped, systemClock, (line) => out(`${line}\n`));
      out(`${JSON.stringify(result)}\n`);
      return isWhole ? 0 : 1;
    } catch (error) {
      throw error instanceof FleetUsageError ? new UsageError(error.message) : error;
    }
  },
};
