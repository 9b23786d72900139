import { checkFirstByte } from "./fixed-header";
import { MqttProtocolError } from "./mqtt-protocol-error";

const NOTHING = new Uint8Array(0);
const MAX_LENGTH_BYTES = 4; // §2.2.3

/**
 * Cuts a byte stream into packets: `push` a chunk, then `next` until it is false; while it is true, the packet is
 * `firstByte` and `bytes` from `start` to `end`. A packet that lies in one chunk is not copied; of the others only
 * what has really arrived is kept. Between two packets nothing is held, so an idle connection costs this object.
 * A caller may stop in the middle, change the limit, and go on later. After an error every `next` throws it again.
 */
export class FrameReader {
  /** Of the whole packet, its header included; checked as soon as the header is there. */
  maxPacketBytes: number;
  firstByte = 0;
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  #waiting: Uint8Array[] | undefined;
  #partial: Uint8Array | undefined; // the first #filled bytes of a packet whose rest has not come yet
  #filled = 0;

  constructor(maxPacketBytes: number) {
    this.maxPacketBytes = maxPacketBytes;
  }

  /** The chunk belongs to the reader now, and to the views of its packets. */
  push(chunk: Uint8Array): void {
    if (this.#at === this.#chunk.length && this.#waiting === undefined) {
      this.#chunk = chunk;
      this.#at = 0;
    } else {
      this.#waiting ??= [];
      this.#waiting.push(chunk);
    }
  }

  next(): boolean {
    while (!(this.#partial === undefined ? this.#cut() : this.#complete(this.#partial))) {
      const chunk = this.#waiting?.shift();
      if (this.#waiting?.length === 0) this.#waiting = undefined;
      this.#chunk = chunk ?? NOTHING;
      this.#at = 0;
      if (chunk === undefined) {
        this.bytes = NOTHING;
        return false;
      }
    }
    return true;
  }

  /** A view of the packet's body. */
  body(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Bytes held: of an unfinished packet, or pushed and not yet taken. */
  get heldBytes(): number {
    const waiting = this.#waiting?.reduce((sum, { length }) => sum + length, 0) ?? 0;
    return waiting + this.#chunk.length - this.#at + (this.#partial === undefined ? 0 : this.#filled);
  }

  /** Memory that an unfinished packet takes. */
  get keptCapacity(): number {
    return this.#partial?.length ?? 0;
  }

  /** The next packet out of the chunk alone, or the rest of the chunk into `#partial`. */
  #cut(): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    if (at === chunk.length) return false;
    if (this.#readHeader(chunk, at, chunk.length) && this.end <= chunk.length) {
      this.bytes = chunk;
      this.#at = this.end;
      return true;
    }
    this.#filled = chunk.length - at;
    this.#partial = new Uint8Array(this.#filled);
    this.#partial.set(chunk.subarray(at));
    this.#at = chunk.length;
    return false;
  }

  #complete(started: Uint8Array): boolean {
    let partial = started;
    // The header has five bytes at most; taken one by one, nothing behind this packet gets copied.
    while (!this.#readHeader(partial, 0, this.#filled)) {
      if (this.#at === this.#chunk.length) return false;
      partial = this.#take(1, partial, 1 + MAX_LENGTH_BYTES);
    }
    const missing = this.end - this.#filled;
    partial = this.#take(Math.min(missing, this.#chunk.length - this.#at), partial, this.end);
    if (this.#filled < this.end) return false;
    this.bytes = partial;
    this.#partial = undefined;
    return true;
  }

  /** Doubles, so that a big packet in small chunks stays linear; never more than twice what has arrived. */
  #take(length: number, partial: Uint8Array, wholeLength: number): Uint8Array {
    const filled = this.#filled + length;
    let target = partial;
    if (filled > partial.length) {
      target = new Uint8Array(Math.min(Math.max(filled, partial.length * 2), wholeLength));
      target.set(partial.subarray(0, this.#filled));
      this.#partial = target;
    }
    target.set(this.#chunk.subarray(this.#at, this.#at + length), this.#filled);
    this.#at += length;
    this.#filled = filled;
    return target;
  }

  /** Sets `firstByte`, `start` and `end`; false while the header is not all there. */
  #readHeader(bytes: Uint8Array, at: number, limit: number): boolean {
    if (at === limit) return false;
    const firstByte = bytes[at] as number;
    checkFirstByte(firstByte);
    let remaining = 0;
    for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
      const lengthAt = at + 1 + index;
      if (lengthAt === limit) return false;
      const byte = bytes[lengthAt] as number;
      remaining |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return this.#setFrame(firstByte, at, lengthAt + 1, remaining);
    }
    throw new MqttProtocolError("remaining_length", "more than four bytes");
  }

  #setFrame(firstByte: number, at: number, start: number, remaining: number): true {
    const length = start - at + remaining;
    if (length > this.maxPacketBytes) throw new MqttProtocolError("packet_too_large", `${length} bytes`);
    this.firstByte = firstByte;
    this.start = start;
    this.end = start + remaining;
    return true;
  }
}
