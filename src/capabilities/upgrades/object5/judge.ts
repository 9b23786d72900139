import type { UpgradeOrder } from "../upgrade-link";
import { DOWNLOADED, DOWNLOADING, IDLE, UPDATING } from "./firmware-object";
import type { Object5 } from "./object5";
import type { Tracked } from "./tracked";
import { failureText, SUCCESS } from "./update-result";

export type Said = { readonly state?: number | undefined; readonly result?: number | undefined };

/** What a device says of itself, by notification or when it is asked, as facts. */
export async function judge(
  object5: Object5,
  order: UpgradeOrder,
  it: Tracked,
  { state, result }: Said,
): Promise<void> {
  if (!it.isAnnounced) return;
  it.lookedAtMs = object5.clock.monotonic();
  if (state !== undefined && state !== IDLE) it.staleResult = undefined; // it has begun something new
  const failure = result === undefined || result === it.staleResult ? undefined : failureText(result);
  if (failure !== undefined) return object5.tell(order, { type: "failed", code: `${result}`, reason: failure });
  switch (state) {
    case DOWNLOADING:
      return object5.tell(order, { type: "downloading" });
    case DOWNLOADED:
      return object5.tell(order, { type: "downloaded" });
    case UPDATING:
      return object5.tell(order, { type: "updating" });
    case IDLE:
      if (result === undefined) object5.lookSoon(order.deviceNo); // it is at an end: of what, its result says
      break;
    default:
      break;
  }
  // The version is checked after it; the device may have to restart first.
  if (result === SUCCESS && result !== it.staleResult && state !== DOWNLOADING)
    return object5.tell(order, { type: "succeeded", version: undefined });
}
