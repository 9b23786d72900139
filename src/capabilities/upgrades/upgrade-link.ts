import type { UpgradePackage } from "../packages/package";
import type { UpgradeKind } from "./upgrade";

/** How an upgrade is spoken: LwM2M object 5 (ota.md 8.1), PCP over LwM2M or MQTT (8.2, pcp.md), MQTT and HTTP (8.3). */
export const UPGRADE_WAYS = ["object5", "pcp", "mqtt"] as const;
export type UpgradeWay = (typeof UPGRADE_WAYS)[number];

/** The stages of an attempt. What is sent in a stage is stored with it before it is sent. */
export const STAGES = [
  /** The device is not there yet (WaitingDeviceOnline). */
  "online",
  /** Asked for its version. */
  "version",
  /** Asked for cell id, RSRP and SINR, then for the cell id alone; ways of LwM2M only. */
  "radio",
  "cell",
  /** Too many of its cell are downloading. */
  "slot",
  /** Told of the new version: PCP 20, the URI of object 5, the notice over MQTT. */
  "announcing",
  "downloading",
  /** Told to install: PCP 23, execute of /5/0/2. */
  "executing",
  "updating",
  /** The result did not come in time: asked for its version once more. */
  "verifying",
] as const;
export type Stage = (typeof STAGES)[number];

/** What is being done with a device; one at most at a time. */
export type UpgradeOrder = {
  readonly subTaskNo: number;
  /** From 1. What belongs to an earlier attempt does not count any more. */
  readonly attempt: number;
  readonly deviceNo: number;
  readonly kind: UpgradeKind;
  readonly way: UpgradeWay;
  readonly stage: Stage;
  /** Known as soon as the version is, and chosen by it. */
  readonly package: UpgradePackage | undefined;
  /** The bearer token of the download; valid until the result has come, 24 h at most. Empty before it is announced. */
  readonly token: string;
};

/** What the platform says to a device. `finish`: the attempt is over, nothing more is wanted of the device. */
export type UpgradeStep = "queryVersion" | "queryRadio" | "queryCell" | "announce" | "execute" | "finish";

/**
 * `sent`: the device has it; what it says to it comes as facts, also much later, and after a restart. `unreachable`: it
 * was not sent, it is tried again when the device is heard. `noAnswer`: sent, and not acknowledged.
 */
export type StepOutcome = "sent" | "unreachable" | "noAnswer";

/** Port: one for each way. Joined by `app`. */
export interface UpgradeLink {
  readonly way: UpgradeWay;
  /** Does the way fit how the device is connected, and would it hear a message that is sent now? */
  isReachable(deviceNo: number): boolean;
  /**
   * Never rejects. `again`: this step may have reached the device before (the process ended, or its acknowledgement got
   * lost). A link must then make sure that nothing is executed twice: object 5 reads the state first, PCP sends the
   * very same datagram or asks for the version.
   */
  perform(order: UpgradeOrder, step: UpgradeStep, again: boolean): Promise<StepOutcome>;
}

/** What a device lets know, translated by its way. */
export type DeviceFact =
  | { readonly type: "version"; readonly version: string }
  /** `reason` is the text for people, here and below. The attempt has failed. */
  | { readonly type: "versionFailed"; readonly reason: string }
  /** What is undefined could not be read. dBm, dB. */
  | {
      readonly type: "radio";
      readonly cellId: number | undefined;
      readonly rsrp: number | undefined;
      readonly sinr: number | undefined;
    }
  /** There is no way to ask it for its radio (the private dialect has no objects). */
  | { readonly type: "noRadio" }
  /** It takes the new version (PCP 20 result 00, the URI was written), or asks for its first piece. */
  | { readonly type: "accepted" }
  | { readonly type: "downloading" }
  | { readonly type: "downloaded" }
  /** It has begun to install. */
  | { readonly type: "updating" }
  /** Its own word on the end; `version` when it told it. Checked against the target. */
  | { readonly type: "succeeded"; readonly version: string | undefined }
  /** At any stage. `code` as the device said it. */
  | { readonly type: "failed"; readonly code: string; readonly reason: string };

/** What ways need of the upgrades. */
export interface UpgradeDesk {
  /** The device can be spoken to now: it has connected, or has subscribed to what it is told with. Cheap for any device. */
  deviceReady(deviceNo: number): void;
  /** From memory: what is being done with this device, if anything. */
  orderOf(deviceNo: number): UpgradeOrder | undefined;
  /**
   * Resolves when what follows from it is on disk; only then may the device's message be acknowledged. `ignored`: it
   * does not fit (a repetition, an attempt that is over), and changed nothing. Rejects when the disk does not take it.
   */
  tell(
    deviceNo: number,
    attempt: { subTaskNo: number; attempt: number },
    fact: DeviceFact,
  ): Promise<"taken" | "ignored">;
  /** Of the HTTP download: which package the bearer of a token may have. */
  authorizeDownload(token: string): UpgradePackage | undefined;
}
