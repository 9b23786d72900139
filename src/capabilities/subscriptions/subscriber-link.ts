/** A notification on its way to an application that takes it by MQTT. */
export type SubscriberMessage = {
  /** Of the outbox: the same again when it is repeated, also after a restart. */
  readonly id: number;
  readonly topic: string;
  readonly body: string;
  /** Messages of one topic with the same key keep their order: they go one way while any of them is under way. */
  readonly orderKey: number;
  /** It was handed over before, perhaps in an earlier life of the process. */
  readonly mayBeRepeated: boolean;
};

/** `lost`: the connection ended before the application acknowledged it; nobody knows whether it got there. */
export type DeliveryOutcome = "acknowledged" | "lost";

/** Can the application be reached at this topic: connected and subscribed to it, connected only, or neither. */
export type Reach = "connected" | "not_subscribed" | "away";

/** Port: applications that are connected by MQTT. `access/mqtt` implements it, `Push.joinSubscribers` takes it. */
export interface SubscriberLink {
  reach(appNo: number, topic: string): Reach;
  /**
   * Hands a message over. False: no connection has room for it now. Else `ended` is called once, perhaps before this
   * returns; not at all when the server stops. Messages that are lost together are told in the order of their sending.
   */
  send(appNo: number, message: SubscriberMessage, ended: (outcome: DeliveryOutcome) => void): boolean;
  /** What `reach` says may have changed. */
  onChange(listener: (appNo: number) => void): void;
  /** There may be room again, after `send` has said no. */
  onRoom(listener: (appNo: number) => void): void;
}
