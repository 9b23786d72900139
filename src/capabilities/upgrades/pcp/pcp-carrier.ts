import type { LiveDevice } from "../../devices/device";
import type { StepOutcome } from "../upgrade-link";

/** Port: how frames of PCP reach a device. Implemented by `access/lwm2m` and `access/mqtt`, joined in `app`. */
export interface PcpCarrier {
  /** Would it hear a frame that is sent now? */
  isReachable(deviceNo: number): boolean;
  /**
   * Takes the frame at once, in the order of the calls, and resolves with what became of it; never rejects. The frame may
   * be shared, and is not changed. At most once where the carrier itself would repeat it after a restart.
   */
  send(deviceNo: number, frame: Uint8Array): Promise<StepOutcome>;
  /**
   * Carriers whose messages a device takes once however often they come: the exact bytes of the message, to be stored
   * before they are sent. Undefined: the device is not there.
   */
  prepare?(deviceNo: number, frame: Uint8Array): Uint8Array | undefined;
  /** Sends what `prepare` made, also in an earlier process. Like `send`. */
  transmit?(deviceNo: number, datagram: Uint8Array): Promise<StepOutcome>;
}

/**
 * `business`: it belongs to the codec of the product. `done`: it was for us, and changes nothing. A promise: it resolves
 * when what follows from it is on disk, and only then the device's message may be acknowledged; it rejects when the disk
 * did not take it, and the message has to come again.
 */
export type PcpTaken = "business" | "done" | Promise<void>;

/** What access folders give every binary payload of a device to, before they give it to a codec. */
export interface PcpUplink {
  /** The payload is good until this returns. Never throws. `carrier`: the way that it came. */
  take(device: Pick<LiveDevice, "no" | "product">, payload: Uint8Array, carrier: PcpCarrier): PcpTaken;
}
