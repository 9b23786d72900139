import { FleetUsageError, whole } from "../arguments";
import { BEHAVIOURS, UPGRADE_TIMES, type UpgradeSettings, upgradeBehaviour } from "./behaviour";

const TEXT = { type: "string" } as const;
export const UPGRADE_OPTIONS = {
  upgrade: TEXT,
  "running-version": TEXT,
  "piece-ms": TEXT,
  "slow-piece-ms": TEXT,
  "install-ms": TEXT,
  "restart-ms": TEXT,
  "ask-again-ms": TEXT,
} as const;
type Values = { readonly [Name in keyof typeof UPGRADE_OPTIONS]?: string | undefined };

export const UPGRADE_USAGE = `  --running-version V     that runs at first (default 1.0.0)
  --piece-ms N            between a piece and the next (default ${UPGRADE_TIMES.paceMs}); of slow devices --slow-piece-ms (default ${UPGRADE_TIMES.slowPaceMs})
  --install-ms N          how long it installs (default ${UPGRADE_TIMES.installMs})
  --restart-ms N          how long it is off when it restarts (default ${UPGRADE_TIMES.restartMs})
  --ask-again-ms N        after so long without an answer, ${UPGRADE_TIMES.maxAttempts} times in all (default ${UPGRADE_TIMES.answerMs})`;

export const BEHAVIOUR_USAGE = [
  ...Object.entries(BEHAVIOURS).map(([name, { about }]) => `  ${name.padEnd(23)} ${about}`),
  "  notice-04 and the like  this code of PCP, in hexadecimal, at query, notice, download, execute or result",
  "  code-5 and the like     this result of object 5 (2 to 9) or of MQTT (1 to 255)",
].join("\n");

const VERSION = /^[\x20-\x7e]{1,16}$/;
const DAY_MS = 86_400_000;

/** Of the device of a place; undefined: devices cannot be upgraded. Throws `FleetUsageError`. */
export function parseUpgradeOptions(
  values: Values,
): ((index: number) => UpgradeSettings & { readonly version: string }) | undefined {
  const { upgrade } = values;
  if (upgrade === undefined) {
    for (const name of Object.keys(UPGRADE_OPTIONS) as (keyof typeof UPGRADE_OPTIONS)[])
      if (values[name] !== undefined) throw new FleetUsageError(`--${name} is for --upgrade`);
    return undefined;
  }
  const behaviours = upgrade.split(",").map((name) => {
    const behaviour = upgradeBehaviour(name);
    if (!behaviour) throw new FleetUsageError(`--upgrade: there is no behaviour "${name}"; --help lists them`);
    return behaviour;
  });
  const version = values["running-version"] ?? "1.0.0";
  if (!VERSION.test(version)) throw new FleetUsageError("--running-version must be 1 to 16 printable ASCII characters");
  const ms = (name: keyof Values, fallback: number) => whole(name, values[name], fallback, 0, DAY_MS);
  const times = {
    ...UPGRADE_TIMES,
    paceMs: ms("piece-ms", UPGRADE_TIMES.paceMs),
    slowPaceMs: ms("slow-piece-ms", UPGRADE_TIMES.slowPaceMs),
    installMs: ms("install-ms", UPGRADE_TIMES.installMs),
    restartMs: ms("restart-ms", UPGRADE_TIMES.restartMs),
    answerMs: Math.max(1, ms("ask-again-ms", UPGRADE_TIMES.answerMs)),
  };
  return (index) => ({
    behaviour: behaviours[index % behaviours.length] as (typeof behaviours)[number],
    times,
    version,
  });
}
