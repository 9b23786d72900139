import type { DeliveryOutcome } from "../../../capabilities/subscriptions/subscriber-link";
import type { Connection } from "../connection";

/** A message that the application has not acknowledged. */
export type Flight = {
  /** What it must not overtake and must not be overtaken by: topic and device. */
  readonly key: string;
  readonly ended: (outcome: DeliveryOutcome) => void;
};

/** One connection of an application. */
export type Subscriber = {
  readonly connection: Connection;
  readonly appNo: number;
  readonly appId: string;
  readonly clientId: string;
  /** Row number of a persistent session; undefined for one that ends with its connection. */
  sessionNo: number | undefined;
  readonly filters: Set<string>;
  /** By packet identifier, in the order of sending. */
  readonly inFlight: Map<number, Flight>;
};
