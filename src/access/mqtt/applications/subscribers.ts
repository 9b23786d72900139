import type { Reach, SubscriberLink, SubscriberMessage } from "../../../capabilities/subscriptions/subscriber-link";
import { encodePublish, encodeString, publishLength } from "../../../wire/mqtt";
import type { Protocol } from "../connection";
import { reaches } from "./filters";
import type { Flight, Subscriber } from "./subscriber";

/** The connections of one application. They share its messages. */
type Group = {
  readonly members: Set<Subscriber>;
  /** Topic and device of what is under way: where to, and how many. */
  readonly pins: Map<string, { readonly subscriber: Subscriber; count: number }>;
};

type Parts = {
  /** Unacknowledged messages of one connection. */
  maxInflight: number;
  isStopping: () => boolean;
  count: (protocol: Protocol, outcome: "notification" | "notification_repeated") => void;
};

const PACKET_IDS = 0xffff;

/**
 * Of the message, not of the connection: after a restart, which forgets what was under way, a message comes again with
 * the identifier that it had [MQTT-4.4.0-1]. Two that share one are not under way together.
 */
export const packetIdOf = (messageId: number): number => 1 + (messageId % PACKET_IDS);

/** Who is connected, and what is under way to whom. Holds no message: what is lost with a connection is in the outbox. */
export function subscriberGroups({ maxInflight, isStopping, count }: Parts) {
  const groups = new Map<number, Group>();
  const changeListeners: ((appNo: number) => void)[] = [];
  const roomListeners: ((appNo: number) => void)[] = [];
  let size = 0;

  const changed = (appNo: number) => {
    for (const listener of changeListeners) listener(appNo);
  };
  const hasRoom = (appNo: number) => {
    for (const listener of roomListeners) listener(appNo);
  };

  const listens = ({ connection, filters, appId }: Subscriber, topic: string): boolean =>
    connection.state === "open" && reaches(filters, appId, topic);

  /** A socket that has not taken the last message gets no further one: at most one waits in our memory. */
  const takes = (subscriber: Subscriber, packetId: number): boolean =>
    subscriber.inFlight.size < maxInflight &&
    subscriber.connection.waitingOutput === 0 &&
    !subscriber.inFlight.has(packetId);

  /** Where the device's messages are under way already, else whoever has the least to do. */
  function choose({ members, pins }: Group, topic: string, key: string, packetId: number): Subscriber | undefined {
    const pinned = pins.get(key)?.subscriber;
    if (pinned) return listens(pinned, topic) && takes(pinned, packetId) ? pinned : undefined;
    let chosen: Subscriber | undefined;
    for (const member of members)
      if (
        (chosen === undefined || member.inFlight.size < chosen.inFlight.size) &&
        listens(member, topic) &&
        takes(member, packetId)
      )
        chosen = member;
    return chosen;
  }

  function pin({ pins }: Group, key: string, subscriber: Subscriber): void {
    const known = pins.get(key);
    if (known) known.count++;
    else pins.set(key, { subscriber, count: 1 });
  }

  function unpin(appNo: number, { key }: Flight): void {
    const pins = groups.get(appNo)?.pins;
    const known = pins?.get(key);
    if (!known) return;
    known.count--;
    if (known.count === 0) pins?.delete(key);
  }

  const link: SubscriberLink = {
    reach(appNo, topic): Reach {
      const group = groups.get(appNo);
      let reach: Reach = "away";
      for (const member of group?.members ?? []) {
        if (listens(member, topic)) return "connected";
        if (member.connection.state === "open") reach = "not_subscribed";
      }
      return reach;
    },

    send(appNo, { id, topic, body, orderKey, mayBeRepeated }: SubscriberMessage, ended): boolean {
      const group = groups.get(appNo);
      if (!group || isStopping()) return false;
      const key = `${orderKey} ${topic}`;
      const packetId = packetIdOf(id);
      const subscriber = choose(group, topic, key, packetId);
      if (!subscriber) return false;
      const { connection } = subscriber;
      // [MQTT-3.3.1-1] DUP where it may have been sent before; retain is 0 [MQTT-3.3.1-9].
      const publish = { topic: encodeString(topic), payload: Buffer.from(body), qos: 1, retain: false } as const;
      const packet = { ...publish, packetId, dup: mayBeRepeated };
      const bytes = new Uint8Array(publishLength(packet));
      encodePublish(packet, bytes, 0);
      subscriber.inFlight.set(packetId, { key, ended }); // before `send`, which may find that the socket is gone
      pin(group, key, subscriber);
      count(connection.protocol, mayBeRepeated ? "notification_repeated" : "notification");
      connection.send(bytes);
      return true;
    },

    onChange: (listener) => void changeListeners.push(listener),
    onRoom: (listener) => void roomListeners.push(listener),
  };

  return {
    link,
    /** Counts from its accepted login on, also while its session is on its way. */
    add(subscriber: Subscriber): void {
      const group = groups.get(subscriber.appNo) ?? { members: new Set(), pins: new Map() };
      groups.set(subscriber.appNo, group);
      group.members.add(subscriber);
      size++;
    },
    /** Its connection is gone. What it did not acknowledge is told in the order of sending; not when the server stops. */
    remove(subscriber: Subscriber): void {
      const { appNo, inFlight } = subscriber;
      const group = groups.get(appNo);
      if (!group?.members.delete(subscriber)) return;
      size--;
      const lost = [...inFlight.values()];
      inFlight.clear();
      for (const flight of lost) unpin(appNo, flight);
      if (group.members.size === 0) groups.delete(appNo);
      if (isStopping()) return;
      for (const { ended } of lost) ended("lost");
      changed(appNo);
    },
    /** An identifier that is not under way, a late one say, changes nothing. */
    acknowledged(subscriber: Subscriber, packetId: number): void {
      const flight = subscriber.inFlight.get(packetId);
      if (!flight) return;
      subscriber.inFlight.delete(packetId);
      unpin(subscriber.appNo, flight);
      flight.ended("acknowledged");
      hasRoom(subscriber.appNo);
    },
    /** The socket has taken all that waited. */
    drained: ({ appNo }: Subscriber) => hasRoom(appNo),
    /** It is open now, or its filters are others. */
    changed: ({ appNo }: Subscriber) => changed(appNo),
    of: (appNo: number): readonly Subscriber[] => [...(groups.get(appNo)?.members ?? [])],
    get size(): number {
      return size;
    },
  };
}
export type SubscriberGroups = ReturnType<typeof subscriberGroups>;
