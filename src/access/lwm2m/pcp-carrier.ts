import type { PcpCarrier } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { StepOutcome } from "../../capabilities/upgrades/upgrade-link";
import { isAwake, runningRegistration } from "./awake";
import { downlink, send } from "./downlink";
import type { LwM2mHub } from "./hub";

/** Frames of PCP go the way of commands, without the codec (pcp.md 1): a Write to /19/1/0, or POST /t/d. */
export function pcpCarrier(hub: LwM2mHub): PcpCarrier {
  function prepare(deviceNo: number, frame: Uint8Array): Uint8Array | undefined {
    const registered = runningRegistration(hub, deviceNo);
    return registered && hub.coap.prepare(hub.peerOf(registered), downlink(registered, frame));
  }

  async function transmit(deviceNo: number, datagram: Uint8Array): Promise<StepOutcome> {
    const registered = hub.isStopping ? undefined : runningRegistration(hub, deviceNo);
    const peer = registered && hub.peerOf(registered);
    if (!registered || !peer) return "unreachable";
    const { pcpAckTimeoutMs: ackTimeoutMs, pcpMaxRetransmit: maxRetransmit, pcpGiveUpMs: giveUpAfterMs } = hub.settings;
    registered.busy++;
    try {
      const outcome = await send(hub, peer, datagram, { ackTimeoutMs, maxRetransmit, giveUpAfterMs });
      if (outcome.kind === "refused")
        hub.trace.record({
          deviceNo,
          kind: "command",
          outcome: "failed",
          reason: "pcp_refused",
          detail: outcome.detail,
        });
      return OUTCOMES[outcome.kind];
    } finally {
      registered.busy--;
    }
  }

  return {
    isReachable(deviceNo) {
      const registered = hub.isStopping ? undefined : runningRegistration(hub, deviceNo);
      return registered !== undefined && isAwake(hub, registered);
    },
    send(deviceNo, frame) {
      const datagram = prepare(deviceNo, frame);
      return datagram ? transmit(deviceNo, datagram) : Promise.resolve("unreachable");
    },
    prepare,
    transmit,
  };
}

const OUTCOMES = {
  acknowledged: "sent",
  /** It does not take such messages at all; nothing follows. */
  refused: "noAnswer",
  noAcknowledgement: "noAnswer",
  /** Nothing has been sent, or it does not count any more. */
  cancelled: "unreachable",
} as const satisfies Record<string, StepOutcome>;
