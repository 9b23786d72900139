import { readText } from "../objects/read-resource";
import type { UpgradeOrder } from "../upgrade-link";
import { observe, readFirmware, readState, writeUri } from "./device";
import { DOWNLOADING, IDLE, PACKAGE_URI } from "./firmware-object";
import { judge } from "./judge";
import type { Object5 } from "./object5";
import { push } from "./push";
import type { Tracked } from "./tracked";

/** Asks the device for its state, because it was heard, has registered anew, or has been quiet for long. */
export async function look(object5: Object5, order: UpgradeOrder, it: Tracked): Promise<void> {
  const { deviceNo, stage } = order;
  const link = object5.linkOf(deviceNo);
  // A push says by itself how it goes. What is not announced yet has no state of its own.
  if (!link?.isListening(deviceNo) || it.push || !it.isAnnounced) return;
  const said = await readState(link, deviceNo);
  if (typeof said === "string") return;
  const registeredAtMs = link.registrationOf(deviceNo)?.registeredAtMs;
  const hasRestarted = it.registeredAtMs !== undefined && registeredAtMs !== it.registeredAtMs;
  const isNew = it.registeredAtMs === undefined; // to this process
  it.registeredAtMs = registeredAtMs;
  if (isNew) await observe(link, deviceNo); // an earlier one may have died before it did
  await judge(object5, order, it, { state: said.state, result: said.result ?? 0 });
  if (stage !== "announcing" && stage !== "downloading") return;
  const isAtRest = said.state === IDLE && (said.result ?? 0) === 0;
  const isPushing = said.state === IDLE || said.state === DOWNLOADING;
  if (it.delivery === "unknown") {
    const firmware = await readFirmware(link, deviceNo);
    if (typeof firmware === "string") return;
    it.delivery = firmware.delivery;
  }
  if (it.delivery === "push") {
    if (isPushing && (said.result ?? 0) === 0) await goOnPushing(object5, order, it, said.state === IDLE);
  } else if (isAtRest) await tellAgain(object5, order, it, hasRestarted);
}

/** It knows nothing of a download: it has restarted in the middle, or an earlier process told it before it did. */
async function tellAgain(object5: Object5, order: UpgradeOrder, it: Tracked, hasRestarted: boolean): Promise<void> {
  const { deviceNo } = order;
  const link = object5.linkOf(deviceNo);
  if (!link) return;
  if (it.uri === undefined || hasRestarted) {
    const known = await readText(link, deviceNo, PACKAGE_URI);
    if (known.kind === "unreachable" || known.kind === "noAnswer") return;
    const isOurs = known.kind === "value" && known.value.endsWith(`/${order.token}`);
    if (isOurs && !hasRestarted) {
      it.uri = known.value;
      return;
    }
  } else return; // it was told, and is about to begin
  const firmware = await readFirmware(link, deviceNo);
  if (typeof firmware === "string") return;
  const uri = object5.uriFor(firmware, order);
  if (uri === undefined || it.rewrites >= object5.settings.maxRewrites) return;
  it.rewrites++;
  object5.traced(order, "told_again", "the device knows nothing of its download");
  await writeUri(object5, order, it, uri);
}

async function goOnPushing(object5: Object5, order: UpgradeOrder, it: Tracked, isAtRest: boolean): Promise<void> {
  if (isAtRest) it.pushedBytes = 0; // it has thrown away what it had
  await push(object5, order, it);
}
