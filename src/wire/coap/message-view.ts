import type { CoapMessage, CoapOption, MessageType } from "./message";
import { decodeText, decodeUint } from "./option-values";
import { optionDefinition } from "./options";

const NOTHING = new Uint8Array(0);
const TOKEN_START = 4;
/** Our own limit. It bounds the work of one datagram; the longest request of LwM2M has about a dozen. */
export const MAX_OPTIONS = 64;

/**
 * Where the parts of one message lie in the datagram it came in. Can be reused for the next one, so it is only good
 * until then; what is kept longer must be copied, or it keeps the whole received buffer alive.
 */
export class MessageView {
  type: MessageType = "con";
  code = 0;
  messageId = 0;
  bytes: Uint8Array = NOTHING;
  tokenEnd = TOKEN_START;
  payloadStart = 0;
  optionCount = 0;
  /** Ascending; the first `optionCount` are valid, here and in `starts` and `ends`. */
  readonly numbers = new Uint16Array(MAX_OPTIONS);
  readonly starts = new Uint32Array(MAX_OPTIONS);
  readonly ends = new Uint32Array(MAX_OPTIONS);

  /** A view, not a copy; so are all byte arrays below. */
  token(): Uint8Array {
    return this.bytes.subarray(TOKEN_START, this.tokenEnd);
  }

  get payloadLength(): number {
    return this.bytes.length - this.payloadStart;
  }

  payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart);
  }

  /** Index of the first option with this number, or -1. */
  indexOf(number: number): number {
    for (let index = 0; index < this.optionCount; index++) {
      const here = this.numbers[index] as number;
      if (here >= number) return here === number ? index : -1;
    }
    return -1;
  }

  has(number: number): boolean {
    return this.indexOf(number) >= 0;
  }

  valueAt(index: number): Uint8Array {
    return this.bytes.subarray(this.starts[index], this.ends[index]);
  }

  lengthAt(index: number): number {
    return (this.ends[index] as number) - (this.starts[index] as number);
  }

  /** The first one; later ones of an option that may come once are as if unknown (RFC 7252 §5.4.5). */
  opaque(number: number): Uint8Array | undefined {
    const index = this.indexOf(number);
    return index < 0 || !this.#isLengthOk(number, index) ? undefined : this.valueAt(index);
  }

  /** Undefined also when the value is longer than the option allows: then it is as if unknown (RFC 7252 §5.4.3). */
  uint(number: number): number | undefined {
    const index = this.indexOf(number);
    if (index < 0 || !this.#isLengthOk(number, index)) return undefined;
    return decodeUint(this.bytes, this.starts[index], this.ends[index]);
  }

  /** All values of a repeatable text option, such as the segments of a path. Undefined if one is not UTF-8. */
  texts(number: number): string[] | undefined {
    const texts: string[] = [];
    for (let index = this.indexOf(number); index >= 0 && index < this.optionCount; index++) {
      if (this.numbers[index] !== number) break;
      const text = decodeText(this.valueAt(index));
      if (text === undefined) return undefined;
      texts.push(text);
    }
    return texts;
  }

  /** Compares all values of a repeatable option with known ones, without making anything: for routing. */
  valuesAre(number: number, known: readonly Uint8Array[]): boolean {
    let index = this.indexOf(number);
    if (index < 0) return known.length === 0;
    for (const value of known) {
      if (index >= this.optionCount || this.numbers[index] !== number || !this.#isValue(index, value)) return false;
      index++;
    }
    return index >= this.optionCount || this.numbers[index] !== number;
  }

  /** Byte arrays are still views of the datagram. */
  toMessage(): CoapMessage {
    const options: CoapOption[] = [];
    for (let index = 0; index < this.optionCount; index++)
      options.push({ number: this.numbers[index] as number, value: this.valueAt(index) });
    const { type, code, messageId } = this;
    return { type, code, messageId, token: this.token(), options, payload: this.payload() };
  }

  #isLengthOk(number: number, index: number): boolean {
    const definition = optionDefinition(number);
    if (!definition) return true;
    const length = this.lengthAt(index);
    return length >= definition.minLength && length <= definition.maxLength;
  }

  #isValue(index: number, value: Uint8Array): boolean {
    const start = this.starts[index] as number;
    if (this.lengthAt(index) !== value.length) return false;
    for (let at = 0; at < value.length; at++) if (this.bytes[start + at] !== value[at]) return false;
    return true;
  }
}
