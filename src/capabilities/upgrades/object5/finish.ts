import { readNumber } from "../objects/read-resource";
import type { StepOutcome, UpgradeOrder } from "../upgrade-link";
import { textNode } from "./device";
import { PACKAGE_URI, RESULT, STATE, UPDATING } from "./firmware-object";
import type { Object5 } from "./object5";
import { BEGUN } from "./tracked";

/** Ends the observations and takes the device back to the beginning, unless it is installing after all. */
export async function finish(object5: Object5, order: UpgradeOrder): Promise<StepOutcome> {
  const { deviceNo, stage } = order;
  const link = object5.linkOf(deviceNo);
  if (!link?.isListening(deviceNo)) return "unreachable";
  if (!BEGUN.includes(stage)) return "sent"; // it was told nothing
  for (const path of [STATE, RESULT]) {
    if (object5.isWantedElsewhere(deviceNo, path)) continue;
    const { kind } = await link.request(deviceNo, { op: "cancelObserve", path });
    if (kind === "unreachable" || kind === "noAnswer") return kind;
  }
  const state = await readNumber(link, deviceNo, STATE);
  if (state.kind === "unreachable" || state.kind === "noAnswer") return state.kind;
  if (state.kind === "value" && state.value === UPDATING) return "sent";
  const reset = await link.request(deviceNo, { op: "write", path: PACKAGE_URI, mode: "replace", node: textNode("") });
  // Some do not take an empty text; what they have then is thrown away before the next upgrade, or refused.
  return reset.kind === "unreachable" || reset.kind === "noAnswer" ? reset.kind : "sent";
}
