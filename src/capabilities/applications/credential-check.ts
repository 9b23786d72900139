import type { Clock } from "../../platform/clock";
import { processDigest, type SecretHashes } from "../../platform/secrets";
import { ATTEMPT_DEFAULTS, type AttemptSettings, attemptGate } from "./attempt-gate";

/**
 * Is this the secret of that name? Repeated failures under one name slow down further attempts under it. A name that
 * does not exist (`storedHash` undefined) behaves exactly like one whose secret is another: same work, same waits.
 * Throws CONGESTED when too many attempts wait.
 */
export type CredentialCheck = (name: string, secret: string, storedHash: string | undefined) => Promise<boolean>;

type Parts = { clock: Clock; hashes: SecretHashes; settings?: AttemptSettings };

export function credentialCheck({ clock, hashes, settings = ATTEMPT_DEFAULTS }: Parts): CredentialCheck {
  const digest = processDigest();
  const fingerprint = (text: string) => Buffer.from(digest(text)).toString("base64");
  // Apart, so that a flood of invented names cannot push out the failures remembered for a real one.
  const known = attemptGate(clock, settings);
  const invented = attemptGate(clock, settings);
  return (name, secret, storedHash) =>
    (storedHash === undefined ? invented : known).run(fingerprint(name), fingerprint(secret), () =>
      hashes.verify(secret, storedHash),
    );
}
