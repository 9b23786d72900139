import { randomBytes } from "node:crypto";
import { DomainError } from "../domain-error";

/** Slow, salted hashes for secrets that are only ever compared (application secrets, operators' passwords). */
export interface SecretHashes {
  /** PHC string with its parameters and salt. Throws CONGESTED. */
  hash(secret: string): Promise<string>;
  /**
   * False for a wrong secret. Without a `hash` (nobody has that name) the same work is done, so that the time tells
   * nothing. Throws CONGESTED when too many wait already.
   */
  verify(secret: string, hash: string | undefined): Promise<boolean>;
}

export type SecretHashSettings = {
  /** Memory of one hash. */
  readonly memoryKib: number;
  readonly passes: number;
  /** Hashes computed at once, each on a thread of the runtime's pool. */
  readonly maxConcurrent: number;
  /** Hashes that may wait for their turn; one more is refused. */
  readonly maxWaiting: number;
};
/** Memory and passes: OWASP Password Storage Cheat Sheet, Argon2id; about 25 ms. */
export const SECRET_HASH_DEFAULTS: SecretHashSettings = {
  memoryKib: 19_456,
  passes: 2,
  maxConcurrent: 2,
  maxWaiting: 512,
};

const LONGEST_SECRET = 1_024; // characters; nothing longer is ever stored

export function secretHashes(settings: SecretHashSettings = SECRET_HASH_DEFAULTS): SecretHashes {
  const { memoryKib, passes, maxConcurrent, maxWaiting } = settings;
  const unpadded = (bytes: number) => randomBytes(bytes).toString("base64").replace(/=+$/, "");
  const nobodys = `$argon2id$v=19$m=${memoryKib},t=${passes},p=1$${unpadded(32)}$${unpadded(32)}`;
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= maxConcurrent) {
      if (waiting.length >= maxWaiting) throw new DomainError("CONGESTED", { waiting: maxWaiting });
      await new Promise<void>((resolve) => waiting.push(resolve)); // whoever leaves hands over its place
    } else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }

  return {
    async hash(secret) {
      if (!isUsable(secret)) throw new DomainError("INPUT_INVALID", { reason: `1 to ${LONGEST_SECRET} characters` });
      return inTurn(() =>
        Bun.password.hash(secret, { algorithm: "argon2id", memoryCost: memoryKib, timeCost: passes }),
      );
    },
    verify(secret, hash) {
      const [guess, against] = hash && isUsable(secret) ? [secret, hash] : ["nobody", nobodys];
      return inTurn(() => Bun.password.verify(guess, against));
    },
  };
}

const isUsable = (secret: string) => secret.length > 0 && secret.length <= LONGEST_SECRET;
