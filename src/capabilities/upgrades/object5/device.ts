import type { ResourceLink } from "../../resources/resource-link";
import { failureOf, readNode, readNumber } from "../objects/read-resource";
import type { StepOutcome, UpgradeOrder } from "../upgrade-link";
import {
  FIRMWARE,
  type FirmwareObject,
  firmwareObjectOf,
  PACKAGE_URI,
  RESULT,
  STATE,
  UNKNOWN_FIRMWARE,
} from "./firmware-object";
import type { Object5 } from "./object5";
import type { Tracked } from "./tracked";
import { failureText } from "./update-result";

/** Also when the device has lost it. Tells `accepted`, or why the device refuses. */
export async function writeUri(object5: Object5, order: UpgradeOrder, it: Tracked, uri: string): Promise<StepOutcome> {
  const { deviceNo } = order;
  const link = object5.linkOf(deviceNo);
  if (!link) return "unreachable";
  it.uri = uri;
  it.isAnnounced = true; // its notifications may overtake its answer
  const answer = await link.request(deviceNo, { op: "write", path: PACKAGE_URI, mode: "replace", node: textNode(uri) });
  if (answer.kind === "done") {
    void object5.tell(order, { type: "accepted" });
    return "sent";
  }
  const failure = failureOf(answer);
  if (failure.kind !== "failed") {
    if (failure.kind === "unreachable") it.isAnnounced = false;
    return failure.kind;
  }
  it.isAnnounced = false;
  const reason = `${failureText(7)}: the device refused it with ${failure.why}`;
  await object5.tell(order, { type: "failed", code: failure.why, reason });
  return "sent";
}

export const textNode = (value: string) => ({ kind: "resource", id: 1, value: { type: "string", value } }) as const;

/** The whole object; of devices that do not give it away, its two values. */
export async function readFirmware(
  link: ResourceLink,
  deviceNo: number,
): Promise<FirmwareObject | "unreachable" | "noAnswer"> {
  const whole = await readNode(link, deviceNo, FIRMWARE);
  if (whole.kind === "unreachable" || whole.kind === "noAnswer") return whole.kind;
  const found = whole.kind === "value" ? firmwareObjectOf(whole.value) : UNKNOWN_FIRMWARE;
  if (found.state !== undefined && found.result !== undefined) return found;
  const known = await readState(link, deviceNo);
  return typeof known === "string" ? known : { ...found, ...known };
}

export type StateAndResult = { readonly state: number | undefined; readonly result: number | undefined };

/** What cannot be read is undefined. */
export async function readState(
  link: ResourceLink,
  deviceNo: number,
): Promise<StateAndResult | "unreachable" | "noAnswer"> {
  const state = await readNumber(link, deviceNo, STATE);
  if (state.kind === "unreachable" || state.kind === "noAnswer") return state.kind;
  const result = await readNumber(link, deviceNo, RESULT);
  if (result.kind === "unreachable" || result.kind === "noAnswer") return result.kind;
  return {
    state: state.kind === "value" ? state.value : undefined,
    result: result.kind === "value" ? result.value : undefined,
  };
}

/** A device that cannot be observed is looked at instead. */
export async function observe(link: ResourceLink, deviceNo: number): Promise<"observed" | "unreachable" | "noAnswer"> {
  for (const path of [STATE, RESULT]) {
    const { kind } = await link.request(deviceNo, { op: "observe", path });
    if (kind === "unreachable" || kind === "noAnswer") return kind;
  }
  return "observed";
}
