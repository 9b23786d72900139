import { TEXTS } from "../failure-texts";

/** Values of /5/0/5 that are no failures: 0 nothing yet, 1 success, 11 put off by the device's user (LwM2M 1.1). */
const NO_FAILURE: readonly number[] = [0, 1, 11];
export const SUCCESS = 1;

const BY_RESULT: Readonly<Record<number, string>> = {
  2: TEXTS.storage,
  3: TEXTS.memory,
  4: TEXTS.connectionLost,
  5: TEXTS.integrity,
  6: TEXTS.packageType,
  7: TEXTS.uri,
  8: TEXTS.updateFailed,
  9: TEXTS.protocol,
  10: "Firmware update cancelled", // LwM2M 1.1
};

/** The text of a failed update (ota.md 8.1); undefined: the value is no failure. */
export function failureText(result: number): string | undefined {
  return NO_FAILURE.includes(result) ? undefined : (BY_RESULT[result] ?? `unknown update result ${result}`);
}
