/** Values of /5/0/5 that are no failures: 0 nothing yet, 1 success, 11 put off by the device's user (LwM2M 1.1). */
const NO_FAILURE: readonly number[] = [0, 1, 11];
export const SUCCESS = 1;

const TEXTS: Readonly<Record<number, string>> = {
  2: "Not enough storage for the new firmware package",
  3: "Out of memory during downloading process",
  4: "Connection lost during downloading process",
  5: "Integrity check failure for new downloaded package",
  6: "Unsupported package type",
  7: "Invalid URI",
  8: "Firmware update failed",
  9: "Unsupported protocol",
  10: "Firmware update cancelled",
};

/** The text of a failed update (ota.md 8.1); undefined: the value is no failure. */
export function failureText(result: number): string | undefined {
  return NO_FAILURE.includes(result) ? undefined : (TEXTS[result] ?? `unknown update result ${result}`);
}
