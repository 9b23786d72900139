import type { Clock } from "../../platform/clock";
import type { Device } from "../devices/device";
import type { DownlinkOutcome, SleepingDeviceLink } from "../devices/device-link";
import type { ResourceAnswer, ResourceLink } from "../resources/resource-link";
import type { ShadowSettings, Values } from "./desired";
import type { DesiredEvent } from "./desired-delivery";
import { type ServiceWrite, splitWrite } from "./resource-writes";

/** What is to be brought to a device in one go. */
export type ClaimedService = {
  readonly device: Pick<Device, "no" | "id" | "appNo" | "appId">;
  readonly serviceId: string;
  readonly serviceType: string;
  readonly values: Values;
};
/** What became of some of it. */
export type PartOutcome = { readonly values: Values; readonly event: DesiredEvent };
export type DeliverDesired = (claimed: ClaimedService, signal: AbortSignal) => Promise<readonly PartOutcome[]>;

/** The command that a codec is given for values that name no resource; ours (docs/compatibility.md, 1.5.8). */
export const SET_PROPERTIES = "SET_PROPERTIES";

type Parts = {
  /** Asked at each delivery, so links may join later. */
  readonly resourceLinks: readonly ResourceLink[];
  readonly sleepingLinks: readonly SleepingDeviceLink[];
  /** A `mid` that no open command of the device has. */
  readonly nextMid: (deviceNo: number) => number;
  readonly clock: Pick<Clock, "now">;
  readonly settings: Pick<ShadowSettings, "maxTries" | "ackTimeoutMs" | "maxRetransmit" | "giveUpAfterMs">;
};

/** Never rejects as long as the links keep their word. */
export function deliverDesired({ resourceLinks, sleepingLinks, nextMid, clock, settings }: Parts): DeliverDesired {
  async function writeResource(
    deviceNo: number,
    { path, node }: NonNullable<ServiceWrite["resource"]>,
  ): Promise<DesiredEvent> {
    const link = resourceLinks.find((it) => it.registrationOf(deviceNo) !== undefined);
    if (!link) return { type: "interrupted" };
    return fromAnswer(await link.request(deviceNo, { op: "write", mode: "update", path, node }));
  }

  async function sendMessage(
    { device: { no: deviceNo, id: deviceId }, serviceId }: ClaimedService,
    paras: Values,
    signal: AbortSignal,
  ): Promise<DesiredEvent> {
    const link = sleepingLinks.find((it) => it.isRegistered(deviceNo));
    if (!link) return { type: "interrupted" };
    const mid = nextMid(deviceNo);
    const prepared = await link.prepare(deviceNo, { mid, serviceId, method: SET_PROPERTIES, paras, deviceId });
    if (prepared.kind === "unreachable" || signal.aborted) return { type: "interrupted" };
    if (prepared.kind === "notEncodable") return refused(`${prepared.reason}: ${prepared.detail}`);
    const { ackTimeoutMs, maxRetransmit, giveUpAfterMs } = settings;
    const options = { ackTimeoutMs, maxRetransmit, giveUpAfterMs, signal };
    return fromOutcome(await link.transmit(deviceNo, prepared.datagram, options));
  }

  const refused = (reason: string): DesiredEvent => ({
    type: "refused",
    atMs: clock.now(),
    reason: reason.slice(0, MAX_REASON),
  });
  const unanswered = (): DesiredEvent => ({ type: "unanswered", atMs: clock.now(), maxTries: settings.maxTries });

  function fromAnswer(answer: ResourceAnswer): DesiredEvent {
    switch (answer.kind) {
      case "done":
        return { type: "delivered", atMs: clock.now() };
      case "refused":
        return refused(answer.detail ? `${answer.code}: ${answer.detail}` : answer.code);
      case "unreachable":
        return { type: "interrupted" };
      case "noAnswer":
        return unanswered();
      case "unreadable":
        return refused(`answer_unreadable: ${answer.detail}`);
      default:
        return answer satisfies never;
    }
  }

  function fromOutcome(outcome: DownlinkOutcome): DesiredEvent {
    switch (outcome.kind) {
      case "acknowledged":
        return { type: "delivered", atMs: clock.now() };
      case "refused":
        return refused(outcome.detail);
      case "noAcknowledgement":
        return unanswered();
      case "cancelled":
        return { type: "interrupted" };
      default:
        return outcome satisfies never;
    }
  }

  return async (claimed, signal) => {
    const { device, values } = claimed;
    const deviceNo = device.no;
    const registration = resourceLinks.map((it) => it.registrationOf(deviceNo)).find((it) => it !== undefined);
    const objects = registration?.style === "lwm2m" ? registration.objects : [];
    const { resource, unfit, message } = splitWrite(claimed, values, (id) =>
      objects.some(({ objectId }) => objectId === id),
    );
    const outcomes: PartOutcome[] = unfit.map(({ name, reason }) => ({
      values: Object.fromEntries([[name, values[name]]]),
      event: refused(reason),
    }));
    let isThere = true;
    if (resource) {
      const event = await writeResource(deviceNo, resource);
      isThere = event.type === "delivered" || event.type === "refused";
      outcomes.push({ values: resource.values, event });
    }
    if (message) {
      // Nothing more is said to a device that does not answer.
      const event: DesiredEvent = isThere ? await sendMessage(claimed, message, signal) : { type: "interrupted" };
      outcomes.push({ values: message, event });
    }
    return outcomes;
  };
}

const MAX_REASON = 200;
