import type { Clock } from "../../../platform/clock";
import type { Listenable } from "../../../platform/events";
import type { Log } from "../../../platform/log";
import type { LwM2mPath } from "../../../wire/lwm2m";
import type { ContactEvents } from "../../devices/device";
import type { TraceSink } from "../../devices/trace-sink";
import type { PackageContents } from "../../packages/package";
import type { ResourceEvents, ResourceLink } from "../../resources/resource-link";
import type { DeviceFact, UpgradeDesk, UpgradeOrder } from "../upgrade-link";
import type { Scheme } from "./choose-delivery";
import type { FirmwareObject } from "./firmware-object";
import type { PackagePush } from "./package-push";
import type { Object5Settings } from "./settings";

export type Object5Parts = {
  readonly desk: UpgradeDesk;
  readonly contents: PackageContents;
  /** Asked at each use, so links may join later. */
  readonly links: readonly ResourceLink[];
  readonly pushes: readonly PackagePush[];
  readonly contacts: Listenable<ContactEvents>;
  readonly resourceEvents: Listenable<ResourceEvents>;
  /** Observations of operators, which an upgrade leaves alone. */
  readonly isWantedElsewhere: (deviceNo: number, path: LwM2mPath) => boolean;
  /** Where a device downloads the package of an order; undefined where the platform does not offer the scheme. */
  readonly uriOf: (scheme: Scheme, order: UpgradeOrder) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly trace: TraceSink;
  readonly settings: Object5Settings;
};

/** What the steps work with. */
export type Object5 = Omit<Object5Parts, "links" | "pushes" | "contacts" | "resourceEvents"> & {
  linkOf(deviceNo: number): ResourceLink | undefined;
  pushOf(deviceNo: number): PackagePush | undefined;
  /** Undefined: a device like this one does not fetch its package, or we cannot offer it. */
  uriFor(firmware: FirmwareObject, order: UpgradeOrder): string | undefined;
  /** Never rejects: what a full disk did not take is found again by looking. */
  tell(order: UpgradeOrder, fact: DeviceFact): Promise<void>;
  traced(order: UpgradeOrder, reason: string, detail: string): void;
  /** Looks at the device in its turn, without waiting. */
  lookSoon(deviceNo: number): void;
  isStopped(): boolean;
};
