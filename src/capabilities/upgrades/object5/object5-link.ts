import { type LwM2mPath, renderPath } from "../../../wire/lwm2m";
import { inTurn } from "../objects/in-turn";
import { type RadioReading, readCell, readRadio } from "../objects/read-radio";
import { numberIn, readText } from "../objects/read-resource";
import type { StepOutcome, UpgradeLink, UpgradeOrder } from "../upgrade-link";
import { announce } from "./announce";
import { chooseDelivery } from "./choose-delivery";
import { execute } from "./execute";
import { finish } from "./finish";
import { FIRMWARE_VERSION, RESULT, STATE } from "./firmware-object";
import { judge } from "./judge";
import { look } from "./look";
import type { Object5, Object5Parts } from "./object5";
import { BEGUN, type Tracked, trackedDevices } from "./tracked";

export type Object5Way = {
  readonly link: UpgradeLink;
  /** What is to be observed again when the device has registered anew. */
  wantedObservations(deviceNo: number): readonly LwM2mPath[];
  stop(): void;
};

/** Firmware by object 5 of LwM2M (ota.md 8.1). See docs/upgrades.md. */
export function object5Way(parts: Object5Parts): Object5Way {
  const { desk, links, clock, log, settings } = parts;
  const tracked = trackedDevices(desk);
  const turns = inTurn();
  /** Attempts that are over, of devices that were asleep when they should have been told. */
  const unfinished = new Map<number, UpgradeOrder>();
  let isStopped = false;
  let cancelSweep: (() => void) | undefined;

  const object5: Object5 = {
    ...parts,
    linkOf: (deviceNo) => links.find((link) => link.registrationOf(deviceNo)?.style === "lwm2m"),
    pushOf: () => parts.pushes[0],
    uriFor(firmware, order) {
      const isSecure = object5.linkOf(order.deviceNo)?.registrationOf(order.deviceNo)?.isSecure ?? false;
      const delivery = chooseDelivery(firmware, isSecure, (scheme) => parts.uriOf(scheme, order));
      return delivery.kind === "pull" ? delivery.uri : undefined;
    },
    async tell(order, fact) {
      try {
        await desk.tell(order.deviceNo, order, fact);
      } catch (error) {
        log.error("upgrade_fact_not_stored", { deviceNo: order.deviceNo, fact: fact.type, error });
      }
    },
    traced({ deviceNo }, reason, detail) {
      parts.trace.record({ deviceNo, kind: "command", outcome: "failed", reason: `firmware_${reason}`, detail });
    },
    lookSoon: (deviceNo) => lookInTurn(deviceNo),
    isStopped: () => isStopped,
  };

  const currentOrder = (deviceNo: number): UpgradeOrder | undefined => {
    const order = desk.orderOf(deviceNo);
    return order?.way === "object5" ? order : undefined;
  };

  function lookInTurn(deviceNo: number): void {
    turns
      .run(deviceNo, async () => {
        const order = currentOrder(deviceNo);
        if (order && !isStopped) await look(object5, order, tracked.of(order));
      })
      .catch((error: unknown) => log.error("upgrade_look_failed", { deviceNo, error }));
  }

  /** A device may have told something that was lost on its way. */
  parts.contacts.on("deviceHeard", ({ deviceNo, hasMore }) => {
    if (hasMore || isStopped) return;
    const over = unfinished.get(deviceNo);
    if (over) finishNow(over);
    const order = currentOrder(deviceNo);
    if (!order || !BEGUN.includes(order.stage) || turns.isBusy(deviceNo)) return;
    const it = tracked.of(order);
    sweepLater();
    if (isDue(it, order)) lookInTurn(deviceNo);
  });

  function finishNow(order: UpgradeOrder): void {
    const { deviceNo } = order;
    unfinished.delete(deviceNo);
    if (BEGUN.includes(currentOrder(deviceNo)?.stage ?? "online")) return; // the next one has begun, and cleared away
    turns.run(deviceNo, () => finishFor(order)).catch(fault(deviceNo));
  }

  async function finishFor(order: UpgradeOrder): Promise<StepOutcome> {
    const outcome = await finish(object5, order);
    if (outcome !== "sent" && unfinished.size < MAX_UNFINISHED) unfinished.set(order.deviceNo, order);
    return outcome;
  }

  function isDue(it: Tracked, { deviceNo }: UpgradeOrder): boolean {
    const registeredAtMs = object5.linkOf(deviceNo)?.registrationOf(deviceNo)?.registeredAtMs;
    if (it.registeredAtMs !== undefined && registeredAtMs !== it.registeredAtMs) return true;
    return it.lookedAtMs === undefined || clock.monotonic() - it.lookedAtMs >= settings.lookMs;
  }

  parts.resourceEvents.on("observed", ({ deviceNo, path, node }) => {
    const order = isStopped ? undefined : currentOrder(deviceNo);
    if (!order || !BEGUN.includes(order.stage)) return;
    const value = numberIn(path, node);
    if (value === undefined) return;
    const it = tracked.of(order);
    const name = renderPath(path);
    if (name === STATE_NAME) judge(object5, order, it, { state: value }).catch(fault(deviceNo));
    if (name === RESULT_NAME) judge(object5, order, it, { result: value }).catch(fault(deviceNo));
  });
  const fault = (deviceNo: number) => (error: unknown) => log.error("upgrade_fact_lost", { deviceNo, error });

  /** Only while something is under way. Devices that are always reached need not say anything by themselves. */
  function sweepLater(): void {
    if (isStopped) return;
    cancelSweep ??= clock.after(settings.lookMs, () => {
      cancelSweep = undefined;
      const orders = tracked.current();
      for (const order of orders) {
        const { deviceNo, stage } = order;
        const isAtWork = stage === "downloading" || stage === "updating";
        if (!isAtWork || turns.isBusy(deviceNo) || !object5.linkOf(deviceNo)?.isListening(deviceNo)) continue;
        if (isDue(tracked.of(order), order)) lookInTurn(deviceNo);
      }
      if (orders.length > 0) sweepLater();
    });
  }

  async function readVersion(order: UpgradeOrder): Promise<StepOutcome> {
    const { deviceNo } = order;
    const link = object5.linkOf(deviceNo);
    if (!link) return "unreachable";
    const reading = await readText(link, deviceNo, FIRMWARE_VERSION);
    if (reading.kind === "value") void object5.tell(order, { type: "version", version: reading.value });
    else if (reading.kind === "failed")
      void object5.tell(order, {
        type: "versionFailed",
        reason: `the firmware version cannot be read: ${reading.why}`,
      });
    else return reading.kind;
    return "sent";
  }

  async function tellRadio(order: UpgradeOrder, reading: Promise<RadioReading>): Promise<StepOutcome> {
    const { outcome, fact } = await reading;
    if (fact) void object5.tell(order, fact);
    return outcome;
  }

  const link: UpgradeLink = {
    way: "object5",
    isReachable: (deviceNo) => !isStopped && (object5.linkOf(deviceNo)?.isListening(deviceNo) ?? false),
    async perform(order, step, again) {
      const { deviceNo } = order;
      if (step === "finish") tracked.of(order).push?.abort.abort(); // its turn may be the push's
      try {
        return await turns.run(deviceNo, async (): Promise<StepOutcome> => {
          const resources = object5.linkOf(deviceNo);
          if (isStopped || !resources) return "unreachable";
          sweepLater();
          switch (step) {
            case "queryVersion":
              return readVersion(order);
            case "queryRadio":
              return tellRadio(order, readRadio(resources, deviceNo));
            case "queryCell":
              return tellRadio(order, readCell(resources, deviceNo));
            case "announce":
              return announce(object5, order, tracked.of(order), again);
            case "execute":
              return execute(object5, order, tracked.of(order), again);
            case "finish": {
              const it = tracked.of(order);
              tracked.forget(deviceNo, it);
              return finishFor(order);
            }
            default:
              return step satisfies never;
          }
        });
      } catch (error) {
        log.error("upgrade_step_failed", { deviceNo, step, error });
        return "noAnswer";
      }
    },
  };

  return {
    link,
    wantedObservations(deviceNo) {
      const order = currentOrder(deviceNo);
      return order && BEGUN.includes(order.stage) ? OBSERVED : NONE;
    },
    stop() {
      isStopped = true;
      cancelSweep?.();
      tracked.stop();
    },
  };
}

const OBSERVED: readonly LwM2mPath[] = [STATE, RESULT];
/** An observation that is left over costs a message now and then, and ends with the registration. */
const MAX_UNFINISHED = 10_000;
const NONE: readonly LwM2mPath[] = [];
const STATE_NAME = renderPath(STATE);
const RESULT_NAME = renderPath(RESULT);
