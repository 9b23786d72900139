import type { AckSink } from "../../capabilities/telemetry/report";
import type { CoapEndpoint } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import type { Registered } from "./registered";

/** A message that is on its way to the disk. Objects are used again: a message makes none. */
export type Pending = {
  registered: Registered | undefined;
  peer: Peer | undefined;
  /** -1: a NON, which nobody waits for. */
  messageId: number;
  hasMore: boolean;
  /** The report as it came, when the product's codec answers reports. */
  report: Uint8Array | undefined;
};

type Parts = {
  coap: Pick<CoapEndpoint, "acknowledge" | "forget">;
  /** It is on disk, and its device has been told. */
  settled(pending: Pending, registered: Registered): void;
};

/** Acknowledges what is on disk. One sink for all devices; a ticket is the place of a message in the pool. */
export class UplinkAcks implements AckSink {
  readonly #parts: Parts;
  readonly #pool: Pending[] = [];
  readonly #free: number[] = [];
  #done: number[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Messages on their way. */
  get size(): number {
    return this.#pool.length - this.#free.length;
  }

  open(registered: Registered, peer: Peer, messageId: number): number {
    const ticket = this.#free.pop() ?? this.#pool.length;
    const pending = this.#pool[ticket];
    if (pending) {
      pending.registered = registered;
      pending.peer = peer;
      pending.messageId = messageId;
    } else {
      this.#pool.push({ registered, peer, messageId, hasMore: false, report: undefined });
    }
    registered.busy++;
    return ticket;
  }

  /** The device repeats a message from another address, and is to be told there. False if it is not on its way. */
  redirect(from: Peer, to: Peer, messageId: number): boolean {
    const pending = this.#pool.find((it) => it.peer === from && it.messageId === messageId);
    if (pending) pending.peer = to;
    return pending !== undefined;
  }

  of(ticket: number): Pending {
    return this.#pool[ticket] as Pending;
  }

  acknowledge(ticket: number): void {
    const { peer, messageId } = this.of(ticket);
    if (messageId >= 0 && peer) this.#parts.coap.acknowledge(peer, messageId);
    this.#done.push(ticket);
  }

  /** It could not be stored: when it comes again it is new. */
  abandon(ticket: number): void {
    const { peer, messageId } = this.of(ticket);
    if (messageId >= 0 && peer) this.#parts.coap.forget(peer, messageId);
    this.#close(ticket);
  }

  flush(): void {
    const done = this.#done;
    this.#done = [];
    for (const ticket of done) {
      const pending = this.of(ticket);
      if (pending.registered) this.#parts.settled(pending, pending.registered);
      this.#close(ticket);
    }
  }

  #close(ticket: number): void {
    const pending = this.of(ticket);
    if (pending.registered) pending.registered.busy--;
    pending.registered = undefined;
    pending.peer = undefined;
    pending.report = undefined;
    pending.hasMore = false;
    this.#free.push(ticket);
  }
}
