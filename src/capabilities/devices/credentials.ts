import type { Ids } from "../../platform/ids";
import { inputInvalid } from "./device-core";

const MAX_LENGTH = 256;
const MAX_TIMEOUT_S = 2_147_483_647;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The contexts in which the secrets of a device are sealed. */
export const secretContext = (deviceNo: number) => `device:${deviceNo}:secret`;
export const pskContext = (deviceNo: number) => `device:${deviceNo}:psk`;

export const newSecret = (ids: Ids) => ids.next().slice(0, 20);
export const newPsk = (ids: Ids) => ids.next();
export const newVerifyCode = (ids: Ids) => ids.next();

export function checkSecret(secret: string): string {
  if (!/^[0-9a-fA-F]{20}$/.test(secret)) throw inputInvalid("secret", "is not 20 hexadecimal digits");
  return secret;
}

export function checkPsk(psk: string): string {
  if (!/^[0-9a-fA-F]{8,32}$/.test(psk)) throw inputInvalid("psk", "is not 8 to 32 hexadecimal digits");
  return psk;
}

export function checkNodeId(nodeId: string, protocolType: string | undefined): string {
  checkText("nodeId", nodeId);
  // It is part of the deviceId, which is a level of MQTT topics.
  if (protocolType === "MQTT" && /[/+#]/.test(nodeId)) throw inputInvalid("nodeId", "has /, + or #");
  return nodeId;
}

export const checkVerifyCode = (code: string) => checkText("verifyCode", code);

function checkText(field: string, value: string): string {
  if (value === "" || value.length > MAX_LENGTH) throw inputInvalid(field, `is not 1 to ${MAX_LENGTH} characters long`);
  if (CONTROL.test(value) || !value.isWellFormed()) throw inputInvalid(field, "has control characters");
  return value;
}

/** When a registration made now is over; null: never. */
export function expiry(nowMs: number, timeoutS: number): number | null {
  if (!Number.isInteger(timeoutS) || timeoutS < 0 || timeoutS > MAX_TIMEOUT_S)
    throw inputInvalid("timeout", `is not 0 to ${MAX_TIMEOUT_S} seconds`);
  return timeoutS === 0 ? null : nowMs + timeoutS * 1_000;
}
