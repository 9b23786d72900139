/** What an option that is not understood does to its message (RFC 7252 §5.4.1, 5.4.3, 5.4.5, 5.10.2, 4.2, 4.3). */
import { CODES, isRequest } from "./codes";
import type { MessageView } from "./message-view";
import { isCritical, OPTIONS, optionDefinition } from "./options";

export type OptionVerdict =
  | { readonly action: "accept" }
  /** A request that deserves a response. */
  | { readonly action: "respond"; readonly code: number; readonly option: number }
  /** RST with its message id. */
  | { readonly action: "reset"; readonly option: number }
  | { readonly action: "drop"; readonly option: number };

const ACCEPT: OptionVerdict = { action: "accept" };

/**
 * Elective options that are unknown, too long or too many are left to be ignored: the accessors of the view skip them.
 * A critical one ends the message. `understood` holds the numbers that the receiver of this message acts on.
 */
export function checkOptions(view: MessageView, understood: ReadonlySet<number>): OptionVerdict {
  for (let index = 0; index < view.optionCount; index++) {
    const number = view.numbers[index] as number;
    if (isCritical(number) && !isUnderstood(view, index, number, understood)) return verdict(view, number);
  }
  return ACCEPT;
}

function isUnderstood(view: MessageView, index: number, number: number, understood: ReadonlySet<number>): boolean {
  const definition = optionDefinition(number);
  if (!definition || !understood.has(number)) return false;
  if (!definition.repeatable && index > 0 && view.numbers[index - 1] === number) return false;
  const length = view.lengthAt(index);
  return length >= definition.minLength && length <= definition.maxLength;
}

function verdict(view: MessageView, number: number): OptionVerdict {
  if (view.type === "con" && isRequest(view.code)) return { action: "respond", code: codeFor(number), option: number };
  // A response that cannot be used is refused; a NON may be dropped, and an ACK can only be.
  return view.type === "con" ? { action: "reset", option: number } : { action: "drop", option: number };
}

const codeFor = (number: number) =>
  number === OPTIONS.proxyUri.number || number === OPTIONS.proxyScheme.number
    ? CODES.proxyingNotSupported
    : CODES.badOption;

/** True if the sender does not want a response of this code's class (RFC 7967 §2.1); bit 1 is 2.xx, 3 is 4.xx, 4 is 5.xx. */
export function isSuppressed(noResponse: number | undefined, code: number): boolean {
  const kind = code >> 5;
  return noResponse !== undefined && kind >= 2 && (noResponse & (1 << (kind - 1))) !== 0;
}
