import type { Stage, UpgradeDesk, UpgradeOrder } from "../upgrade-link";
import type { FirmwareObject } from "./firmware-object";

/**
 * What this process knows of a device that it upgrades, beside the order. After a restart there is none of it, and the
 * device is asked.
 */
export type Tracked = {
  readonly subTaskNo: number;
  readonly attempt: number;
  /** The URI was written, or the push has begun: what the device says of its state from then on is about our package. */
  isAnnounced: boolean;
  uri: string | undefined;
  delivery: FirmwareObject["delivery"] | "unknown";
  /** A result that was there before; until the device has done something it says nothing. */
  staleResult: number | undefined;
  /** When it registered, for the announcement: another one means that it has restarted. */
  registeredAtMs: number | undefined;
  rewrites: number;
  /** Monotonic; when its state was last known. */
  lookedAtMs: number | undefined;
  push: { readonly abort: AbortController } | undefined;
  /** Where a push that broke off goes on. */
  pushedBytes: number;
};

/** The stages in which a device knows of the new firmware. */
export const BEGUN: readonly Stage[] = ["announcing", "downloading", "executing", "updating", "verifying"];

/** One for each device with an order by this way; those whose orders are over go when they are looked for. */
export function trackedDevices(desk: Pick<UpgradeDesk, "orderOf">) {
  const all = new Map<number, Tracked>();

  return {
    of({ deviceNo, subTaskNo, attempt, stage }: UpgradeOrder): Tracked {
      const known = all.get(deviceNo);
      if (known?.subTaskNo === subTaskNo && known.attempt === attempt) return known;
      known?.push?.abort.abort();
      const tracked: Tracked = {
        ...{ subTaskNo, attempt, delivery: "unknown", rewrites: 0, pushedBytes: 0 },
        ...{
          uri: undefined,
          staleResult: undefined,
          registeredAtMs: undefined,
          lookedAtMs: undefined,
          push: undefined,
        },
        // The stage behind it was entered because it was announced, by an earlier process.
        isAnnounced: stage !== "announcing" && BEGUN.includes(stage),
      };
      all.set(deviceNo, tracked);
      return tracked;
    },
    forget(deviceNo: number, of: Pick<Tracked, "subTaskNo" | "attempt">): void {
      const known = all.get(deviceNo);
      if (known?.subTaskNo !== of.subTaskNo || known.attempt !== of.attempt) return;
      known.push?.abort.abort();
      all.delete(deviceNo);
    },
    /** Devices with an order, oldest first. */
    current(): UpgradeOrder[] {
      const orders: UpgradeOrder[] = [];
      for (const [deviceNo, tracked] of all) {
        const order = desk.orderOf(deviceNo);
        if (order?.way === "object5" && order.subTaskNo === tracked.subTaskNo) orders.push(order);
        else this.forget(deviceNo, tracked);
      }
      return orders;
    },
    stop(): void {
      for (const { push } of all.values()) push?.abort.abort();
      all.clear();
    },
    get size(): number {
      return all.size;
    },
  };
}
