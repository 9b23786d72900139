import { systemClock } from "../../src/platform/clock";
import { startLwm2mDevice } from "../../src/simulator/lwm2m-device";
import { udpNetwork } from "../../src/simulator/udp-network";
import { type BehaviourName, UPGRADE_TIMES, upgradeBehaviour } from "../../src/simulator/upgrade/behaviour";
import { DEFAULT_TRANSMISSION } from "../../src/wire/coap";
import type { Islet } from "./islet";

/** Upgrades that do not keep a test waiting. */
export const UPGRADE_SETTINGS = { "upgrades.wait_ms": "100" };
export const OLD_VERSION = "1.0.0";
const QUICK = { ...UPGRADE_TIMES, installMs: 100, restartMs: 100 };

/**
 * A detector of the simulator on the plain port, registered, that can be upgraded: software by PCP, firmware by object 5.
 * Firmware says its version in a first line `version=V`. `installed`: SHA-256, in hex, of what was installed.
 */
export async function upgradableDevice({ ready }: Islet, nodeId: string, name: BehaviourName = "good") {
  const behaviour = upgradeBehaviour(name);
  if (!behaviour) throw new Error(`${name} is no behaviour`);
  const [host = "", port = ""] = ready.coap.split(":");
  const installed: string[] = [];
  let problem = "";
  const nothing = () => {};
  const device = startLwm2mDevice({
    nodeId,
    network: udpNetwork({ host, port: Number(port) }),
    clock: systemClock,
    random: Math.random, // of message ids and tokens: nothing depends on them
    settings: {
      ...{ style: "lwm2m", queueMode: false, awakeMs: 10_000, lifetimeSeconds: 86_400, confirmable: true },
      ...{ observeWaitMs: 10_000, rebootMs: 100, logBytes: 10, transmission: DEFAULT_TRANSMISSION, secure: undefined },
      answers: [],
      upgrade: {
        ...{ behaviour, times: QUICK, version: OLD_VERSION },
        servers: {
          isOwn: (url) => url.host === ready.coap,
          ...{ open: udpNetwork, blockSize: 1_024, httpPieceBytes: 65_536 },
        },
        on: { installed: (_way, _version, sha256) => installed.push(sha256) },
      },
    },
    on: {
      ...{ registered: nothing, updated: nothing, handshake: nothing, command: nothing, answered: nothing },
      ...{ duplicate: nothing, rebooted: nothing, slept: nothing, moved: nothing },
      registrationFailed(reason) {
        problem = reason;
      },
    },
  });
  if (!(await device.register())) throw new Error(`${nodeId} is not registered: ${problem}`);
  return { installed, [Symbol.asyncDispose]: () => device.stop("quietly") };
}
