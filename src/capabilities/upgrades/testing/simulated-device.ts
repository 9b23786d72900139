import type { ManualClock } from "../../../platform/testing/manual-clock";
import type { DeviceFact, StepOutcome, UpgradeDesk, UpgradeOrder } from "../upgrade-link";
import type { Said } from "./upgrade-bench";

export type Temper = "good" | "broken" | "silent" | "liar" | "current";
type Options = {
  readonly deviceNo: number;
  readonly temper: Temper;
  readonly clock: ManualClock;
  /** 0 to 1; a share of what is said, and of what it answers, gets lost. */
  readonly random: () => number;
  readonly loss: number;
  /** The present run of the platform. */
  readonly desk: () => Pick<UpgradeDesk, "orderOf" | "tell">;
};
const REPEAT_MS = 20_000;

/** A device in software: it tells what it has to tell until that was taken, as a confirmable message is repeated. */
export function simulatedDevice({ deviceNo, temper, clock, random, loss, desk }: Options) {
  let version = temper === "current" ? "V2" : "V1";
  let executions = 0;
  let isBusy = false;
  const isLost = () => random() < loss;

  /** At most so often, as the retransmissions of CoAP end too. */
  async function say({ subTaskNo, attempt }: UpgradeOrder, fact: DeviceFact, tries = 6): Promise<boolean> {
    for (let round = 0; round < tries; round++) {
      if (!isLost()) {
        const outcome = await Promise.race([
          desk()
            .tell(deviceNo, { subTaskNo, attempt }, fact)
            .catch(() => undefined),
          clock.sleep(REPEAT_MS, new AbortController().signal), // a dead process answers nothing
        ]);
        if (outcome && !isLost()) return true;
      }
      await clock.sleep(REPEAT_MS, new AbortController().signal);
    }
    return false;
  }

  async function download(order: UpgradeOrder): Promise<void> {
    await say(order, { type: "accepted" });
    await clock.sleep(5_000, new AbortController().signal);
    if (temper === "broken") await say(order, { type: "failed", code: "07", reason: "verification failure" });
    else if (temper !== "silent") await say(order, { type: "downloaded" });
  }

  async function install(order: UpgradeOrder): Promise<void> {
    executions += 1;
    await say(order, { type: "updating" }, 1);
    await clock.sleep(30_000, new AbortController().signal);
    if (temper === "good") version = "V2";
    isBusy = false;
    await say(order, { type: "succeeded", version });
  }

  return {
    executions: () => executions,
    version: () => version,
    hear({ order, step, again }: Said): StepOutcome {
      if (isLost()) return random() < 0.5 ? "noAnswer" : "unreachable";
      switch (step) {
        case "queryVersion":
          void say(order, { type: "version", version });
          break;
        case "queryRadio":
        case "queryCell":
          void say(order, { type: "radio", cellId: deviceNo % 20, rsrp: -100, sinr: 10 });
          break;
        case "announce":
          void download(order);
          break;
        case "execute":
          // The way looks first whether that has been done: what it repeats is not done again.
          if (again && (isBusy || version === "V2")) {
            if (!isBusy) void say(order, { type: "succeeded", version });
            break;
          }
          isBusy = true;
          void install(order);
          break;
        case "finish":
          break;
        default:
          step satisfies never;
      }
      return isLost() ? "noAnswer" : "sent"; // the acknowledgement gets lost
    },
  };
}
export type SimulatedDevice = ReturnType<typeof simulatedDevice>;
