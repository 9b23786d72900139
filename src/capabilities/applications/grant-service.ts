import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { EventBus } from "../../platform/events";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId, Application, ApplicationEvents } from "./application";
import type { ApplicationDirectory } from "./application-directory";
import type { Access, ApplicationGrants, Grant, GrantPage } from "./application-grants";
import type { ApplicationRepository } from "./application-repository";
import type { GrantRepository, GrantRow } from "./grant-repository";

type Parts = {
  repository: GrantRepository;
  applications: ApplicationRepository;
  directory: ApplicationDirectory;
  transactor: Transactor;
  events: EventBus<ApplicationEvents>;
  clock: Clock;
};

export function applicationGrants(parts: Parts): ApplicationGrants {
  const { repository, applications, directory, transactor, events, clock } = parts;
  const byOwner = new Map<number, Map<number, Access>>(); // as of the last commit
  for (const row of repository.all()) keep(row);
  // The rows go with the application's; its numbers are never given again.
  events.on("applicationDeleted", ({ application: { no } }) =>
    transactor.afterCommit(() => {
      byOwner.delete(no);
      for (const ownerNo of [...byOwner.keys()]) forget(ownerNo, no);
    }),
  );

  function keep({ owner_no, grantee_no, access }: GrantRow): void {
    const grantees = byOwner.get(owner_no) ?? new Map<number, Access>();
    byOwner.set(owner_no, grantees.set(grantee_no, access));
  }
  function forget(ownerNo: number, granteeNo: number): void {
    const grantees = byOwner.get(ownerNo);
    grantees?.delete(granteeNo);
    if (grantees?.size === 0) byOwner.delete(ownerNo);
  }

  /** Inside a transaction: an application may have gone earlier in the same commit. Throws APP_NOT_FOUND. */
  function stored(appId: AppId): Application {
    const found = applications.find(appId);
    if (!found) throw new DomainError("APP_NOT_FOUND", { appId });
    return found.application;
  }

  function page(by: "owner_no" | "grantee_no", appId: AppId, page: number, pageSize: number): GrantPage {
    const { no } = stored(appId);
    const { rows, total } = repository.page(by, no, pageSize, page * pageSize);
    return { items: rows.flatMap((row) => toGrant(row) ?? []), total };
  }

  function toGrant({ owner_no, grantee_no, access, created_ms }: GrantRow): Grant | undefined {
    const owner = directory.byNo(owner_no)?.application;
    const grantee = directory.byNo(grantee_no)?.application;
    return owner && grantee && { owner, grantee, access, createdAt: created_ms };
  }

  return {
    accessOf: (ownerNo, granteeNo) => byOwner.get(ownerNo)?.get(granteeNo),
    holds: (ownerNo, granteeNo) => repository.find(ownerNo, granteeNo) !== undefined,

    grant: (ownerId, granteeId, access) =>
      transactor.write(() => {
        const owner = stored(ownerId);
        const grantee = stored(granteeId);
        if (owner.no === grantee.no)
          throw new DomainError("INPUT_INVALID", { field: "granteeAppId", reason: "is the application itself" });
        const row = repository.put({ owner_no: owner.no, grantee_no: grantee.no, access, created_ms: clock.now() });
        transactor.afterCommit(() => keep(row));
        return { owner, grantee, access, createdAt: row.created_ms };
      }),

    given: (ownerId, no, size) => page("owner_no", ownerId, no, size),
    received: (granteeId, no, size) => page("grantee_no", granteeId, no, size),

    revoke: (ownerId, granteeId) =>
      transactor.write(() => {
        const owner = stored(ownerId);
        const grantee = stored(granteeId);
        if (!repository.remove(owner.no, grantee.no))
          throw new DomainError("GRANT_NOT_FOUND", { ownerAppId: ownerId, granteeAppId: granteeId });
        events.emit("grantRevoked", { owner, grantee });
        transactor.afterCommit(() => forget(owner.no, grantee.no));
      }),
  };
}
