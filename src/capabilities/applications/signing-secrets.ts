import { DomainError } from "../../platform/domain-error";
import type { Secrets } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { SigningSecrets } from "./application";
import type { ApplicationDirectory } from "./application-directory";
import type { ApplicationRepository, StoredApplication } from "./application-repository";

type Parts = {
  repository: Pick<ApplicationRepository, "newSigningSecret">;
  directory: Pick<ApplicationDirectory, "byId" | "byNo" | "put">;
  transactor: Transactor;
  deriveKey: Secrets["deriveKey"];
};

/** Derived from the master key, so that a stolen database signs nothing. */
export function signingSecrets({ repository, directory, transactor, deriveKey }: Parts): SigningSecrets {
  // By what the directory holds: an entry is replaced with every change, and goes with its application.
  const derived = new WeakMap<StoredApplication, string>();

  function secretOf(entry: StoredApplication): string {
    const known = derived.get(entry);
    if (known !== undefined) return known;
    const purpose = `push-signature:${entry.application.id}:${entry.signingGeneration}`;
    const secret = Buffer.from(deriveKey(purpose)).toString("hex");
    derived.set(entry, secret);
    return secret;
  }

  return {
    get(appId) {
      const entry = directory.byId(appId);
      if (!entry) throw new DomainError("APP_NOT_FOUND", { appId });
      return secretOf(entry);
    },
    renew: (appId) =>
      transactor.write(() => {
        const entry = repository.newSigningSecret(appId);
        if (!entry) throw new DomainError("APP_NOT_FOUND", { appId });
        transactor.afterCommit(() => directory.put(entry));
        return secretOf(entry);
      }),
    find(appNo) {
      const entry = directory.byNo(appNo);
      return entry?.application.signPushes ? secretOf(entry) : undefined;
    },
  };
}
