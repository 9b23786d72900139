import { MalformedError } from "../malformed-error";
import type { HandshakeFragment, HandshakeMessage } from "./handshake";

export type ReassemblyLimits = {
  /** Of one body; the longest of a PSK handshake is a ClientHello. */
  readonly maxMessageBytes: number;
  /** How many messages behind the awaited one are kept when they come early. */
  readonly maxMessagesAhead: number;
};
export const REASSEMBLY_LIMITS: ReassemblyLimits = { maxMessageBytes: 4096, maxMessagesAhead: 3 };

/** `old`: of a message that was already taken. The peer repeats its flight, so it missed ours. */
export type FragmentFate = "kept" | "old" | "tooEarly";

type Partial = { type: number; body: Uint8Array; has: Uint8Array; missing: number };

/**
 * Puts handshake messages together and in order (RFC 6347 §4.2.2, §4.2.3), from fragments that come in any order,
 * twice, or overlap: `push`, then `next` until it is undefined. Holds copies, and no more than
 * 2 x `maxMessageBytes` x (1 + `maxMessagesAhead`) bytes.
 */
export class HandshakeReassembler {
  /** Of the message that is awaited. */
  #next: number;
  readonly #limits: ReassemblyLimits;
  readonly #partials = new Map<number, Partial>();

  constructor(firstSequence: number, limits: ReassemblyLimits = REASSEMBLY_LIMITS) {
    this.#next = firstSequence;
    this.#limits = limits;
  }

  get awaitedSequence(): number {
    return this.#next;
  }

  get heldBytes(): number {
    let sum = 0;
    for (const { body, has } of this.#partials.values()) sum += body.length + has.length;
    return sum;
  }

  /** What contradicts an earlier fragment of its message is malformed; of overlapping bytes the first ones stay. */
  push({ type, length, sequence, offset, part }: HandshakeFragment): FragmentFate {
    if (sequence < this.#next) return "old";
    if (sequence > this.#next + this.#limits.maxMessagesAhead) return "tooEarly";
    if (length > this.#limits.maxMessageBytes) throw new MalformedError(`a handshake message of ${length} bytes`);
    const known = this.#partials.get(sequence);
    const partial = known ?? { type, body: new Uint8Array(length), has: new Uint8Array(length), missing: length };
    if (partial.type !== type || partial.body.length !== length) {
      throw new MalformedError("fragments of one message disagree");
    }
    this.#partials.set(sequence, partial);
    for (let at = 0; at < part.length; at++) {
      if (partial.has[offset + at] === 1) continue;
      partial.has[offset + at] = 1;
      partial.body[offset + at] = part[at] as number;
      partial.missing--;
    }
    return "kept";
  }

  /** The awaited message once it is whole. */
  next(): HandshakeMessage | undefined {
    const partial = this.#partials.get(this.#next);
    if (partial === undefined || partial.missing > 0) return undefined;
    this.#partials.delete(this.#next);
    return { type: partial.type, sequence: this.#next++, body: partial.body };
  }
}
