const MAX_PACKET_ID = 0xffff;

/** Packet identifiers that one side of a session has in use [MQTT-2.3.1-2, 2.3.1-3, 2.3.1-4]. */
export class PacketIds {
  readonly #inUse: Set<number>;
  #last = 0;

  /** A restored session brings those of its unfinished messages. */
  constructor(inUse: Iterable<number> = []) {
    this.#inUse = new Set(inUse);
  }

  get size(): number {
    return this.#inUse.size;
  }

  has(packetId: number): boolean {
    return this.#inUse.has(packetId);
  }

  /** Counts on from the last one, so that a late acknowledgement does not hit a new message; undefined if all are in use. */
  take(): number | undefined {
    if (this.#inUse.size === MAX_PACKET_ID) return undefined;
    do this.#last = (this.#last % MAX_PACKET_ID) + 1;
    while (this.#inUse.has(this.#last));
    this.#inUse.add(this.#last);
    return this.#last;
  }

  /** False if it was not in use: an acknowledgement that nobody waits for. */
  release(packetId: number): boolean {
    return this.#inUse.delete(packetId);
  }
}
