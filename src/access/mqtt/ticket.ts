/** What the store hands back when a message is on disk: which acknowledgement it gets, and its packet identifier. */
export const ACK_KIND = { puback: 0, pubrec: 1, pubcomp: 2, none: 3 } as const;
export type AckKind = (typeof ACK_KIND)[keyof typeof ACK_KIND];

const ANSWER = 1 << 18;

/** For a message that is acknowledged as soon as it is on disk. */
export const ticketOf = (kind: AckKind, packetId: number): number => (kind << 16) | packetId;
/**
 * For a command answer, which is acknowledged when `commands` has stored it too, and for a message that a codec works
 * on. The sequence tells those under way apart even when a device uses a packet identifier twice; all tickets are below 2^30.
 */
export const answerTicket = (ticket: number, sequence: number): number => ticket + ANSWER * (1 + (sequence % MANY));
const MANY = 4_095;

export const kindOf = (ticket: number): AckKind => ((ticket >> 16) & 0b11) as AckKind;
export const packetIdOf = (ticket: number): number => ticket & 0xffff;
export const isAnswer = (ticket: number): boolean => ticket >= ANSWER;
