import type { AppId, Application } from "./application";

/** query: read what the owner has. edit: also operate it like the owner itself (platform.md 2). */
export const ACCESS = ["query", "edit"] as const;
export type Access = (typeof ACCESS)[number];

/** An application lets another see or operate what it owns. Not transitive; the reverse is a grant of its own. */
export type Grant = {
  readonly owner: Application;
  /** Who may act for the owner. */
  readonly grantee: Application;
  readonly access: Access;
  readonly createdAt: number; // ms; stays when the access changes
};

export type GrantPage = { readonly items: Grant[]; readonly total: number };

export interface ApplicationGrants {
  /** In memory, as of the last commit: for every call that names another application. */
  accessOf(ownerNo: number, granteeNo: number): Access | undefined;
  /** Inside a transaction: as it will be committed. */
  holds(ownerNo: number, granteeNo: number): boolean;
  /** Given already: the access changes. Throws APP_NOT_FOUND, and INPUT_INVALID for an application and itself. */
  grant(ownerId: AppId, granteeId: AppId, access: Access): Promise<Grant>;
  /** Whom it has authorised, the first one first; `page` from 0. Throws APP_NOT_FOUND. */
  given(ownerId: AppId, page: number, pageSize: number): GrantPage;
  /** Who has authorised it. Throws APP_NOT_FOUND. */
  received(granteeId: AppId, page: number, pageSize: number): GrantPage;
  /** What it made for itself with the right, such as subscriptions, goes too. Throws APP_NOT_FOUND, GRANT_NOT_FOUND. */
  revoke(ownerId: AppId, granteeId: AppId): Promise<void>;
}
