import type { ResourceLink } from "../../resources/resource-link";
import type { StepOutcome, UpgradeOrder } from "../upgrade-link";
import { chooseDelivery } from "./choose-delivery";
import { observe, readFirmware, readState, type StateAndResult, textNode, writeUri } from "./device";
import { DOWNLOADING, IDLE, PACKAGE_URI, UPDATING } from "./firmware-object";
import { judge } from "./judge";
import type { Object5 } from "./object5";
import { push } from "./push";
import type { Tracked } from "./tracked";
import { failureText } from "./update-result";

/**
 * Makes the device ready, has its state and result observed, and then tells it where the package is (ota.md 8.1, 9-11),
 * or sends it. Nothing that the device says before counts: it may be about another package.
 */
export async function announce(
  object5: Object5,
  order: UpgradeOrder,
  it: Tracked,
  again: boolean,
): Promise<StepOutcome> {
  const { deviceNo } = order;
  const link = object5.linkOf(deviceNo);
  if (!link || !order.package) return "unreachable";
  const read = await readFirmware(link, deviceNo);
  if (typeof read === "string") return read;
  const registration = link.registrationOf(deviceNo);
  const delivery = chooseDelivery(read, registration?.isSecure ?? false, (scheme) => object5.uriOf(scheme, order));
  it.delivery = read.delivery;
  it.registeredAtMs = registration?.registeredAtMs;
  if (delivery.kind === "unsupported") {
    await object5.tell(order, { type: "failed", code: "9", reason: failureText(9) as string });
    return "sent";
  }
  if (read.state === UPDATING) {
    await object5.tell(order, { type: "failed", code: "state 3", reason: "the device is installing other firmware" });
    return "sent";
  }
  if (delivery.kind === "pull" && again && read.uri === delivery.uri && read.state !== IDLE) {
    // It was told by an earlier process, or before the acknowledgement got lost, and is at it.
    await observe(link, deviceNo);
    it.uri = delivery.uri;
    it.isAnnounced = true;
    void object5.tell(order, { type: "accepted" });
    await judge(object5, order, it, { state: read.state, result: read.result });
    return "sent";
  }
  if (delivery.kind === "push" && again && it.pushedBytes > 0 && read.state === DOWNLOADING)
    return push(object5, order, it); // it waits for the rest
  it.pushedBytes = 0;
  const reset = await makeIdle(link, deviceNo, read);
  if (typeof reset === "string") return reset;
  if (reset.state !== IDLE) {
    const reason = `the device cannot be brought back from its firmware state ${reset.state}`;
    await object5.tell(order, { type: "failed", code: `state ${reset.state}`, reason });
    return "sent";
  }
  it.staleResult = reset.result === 0 ? undefined : reset.result;
  const observed = await observe(link, deviceNo);
  if (observed !== "observed") return observed;
  if (delivery.kind === "push") return push(object5, order, it);
  return writeUri(object5, order, it, delivery.uri);
}

/** An empty URI takes a device back to the beginning, also from a package of somebody else's. */
async function makeIdle(
  link: ResourceLink,
  deviceNo: number,
  { state, result }: StateAndResult,
): Promise<{ readonly state: number; readonly result: number } | "unreachable" | "noAnswer"> {
  // A device that tells no state is taken at its word that it takes the URI.
  if ((state ?? IDLE) === IDLE && (result ?? 0) === 0) return { state: IDLE, result: 0 };
  const answer = await link.request(deviceNo, { op: "write", path: PACKAGE_URI, mode: "replace", node: textNode("") });
  if (answer.kind === "unreachable" || answer.kind === "noAnswer") return answer.kind;
  const after = await readState(link, deviceNo);
  return typeof after === "string" ? after : { state: after.state ?? IDLE, result: after.result ?? 0 };
}
