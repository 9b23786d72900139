/** Alerts (RFC 5246 §7.2, RFC 4279 §2). */
import { MalformedError } from "../malformed-error";

export const ALERTS = {
  closeNotify: 0,
  unexpectedMessage: 10,
  badRecordMac: 20,
  recordOverflow: 22,
  handshakeFailure: 40,
  illegalParameter: 47,
  decodeError: 50,
  decryptError: 51,
  protocolVersion: 70,
  internalError: 80,
  userCanceled: 90,
  noRenegotiation: 100,
  unknownPskIdentity: 115,
} as const;
export type AlertName = keyof typeof ALERTS;
/** The description stays a number: peers may send ones that are not in the table. */
export type Alert = { readonly fatal: boolean; readonly description: number };

export function decodeAlert(content: Uint8Array): Alert {
  const [level, description] = content;
  if (content.length !== 2 || description === undefined) throw new MalformedError(`alert of ${content.length} bytes`);
  if (level !== 1 && level !== 2) throw new MalformedError(`alert level ${level}`);
  return { fatal: level === 2, description };
}

export const encodeAlert = ({ fatal, description }: Alert): Uint8Array => Uint8Array.of(fatal ? 2 : 1, description);

/** For traces: its name, or the number of one that we do not know. */
export function alertName(description: number): AlertName | `alert${number}` {
  const known = (Object.keys(ALERTS) as AlertName[]).find((name) => ALERTS[name] === description);
  return known ?? `alert${description}`;
}

/** Content of ChangeCipherSpec (RFC 5246 §7.1). */
export const CHANGE_CIPHER_SPEC: Uint8Array = Uint8Array.of(1);

export function checkChangeCipherSpec(content: Uint8Array): void {
  if (content.length !== 1 || content[0] !== 1) throw new MalformedError("ChangeCipherSpec is one byte of 1");
}
