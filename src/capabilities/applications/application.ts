export type AppId = string & { readonly brand: "AppId" };

export const APP_ID_LENGTH = 20;
/** What every appId looks like, known or not. */
export const APP_ID_FORM = /^[A-Za-z0-9]{20}$/;

/** A project space that owns products, devices and subscriptions (platform.md 1). */
export type Application = {
  readonly no: number; // internal key, used in other tables and in hot paths
  readonly id: AppId;
  readonly name: string; // unique, never changes
  readonly description: string | undefined;
  readonly industry: string | undefined;
  /** Off: reported data are neither stored nor pushed. */
  readonly storeHistory: boolean;
  readonly pushEnabled: boolean;
  /** On: every push carries a signature made with the application's signing secret. */
  readonly signPushes: boolean;
  /** Calls per 60 s; undefined means the configured default. */
  readonly callsPerMinute: number | undefined;
  /** An application that may not call the API (error 100449). */
  readonly frozen: boolean;
  readonly createdAt: number; // ms
};

export type NewApplication = Pick<Application, "name"> &
  Partial<
    Pick<Application, "description" | "industry" | "storeHistory" | "pushEnabled" | "signPushes" | "callsPerMinute">
  >;
export type ApplicationPatch = Partial<Omit<NewApplication, "name">> & { frozen?: boolean };

export interface ApplicationService {
  /** The secret is in this answer only. Throws APP_NAME_TAKEN. */
  create(input: NewApplication): Promise<{ application: Application; secret: string }>;
  list(page: number, pageSize: number): { items: Application[]; total: number };
  find(id: AppId): Application | undefined;
  /** Throws APP_NOT_FOUND. */
  get(id: AppId): Application;
  /** In memory: for hot paths that hold an application number. */
  byNo(no: number): Application | undefined;
  update(id: AppId, patch: ApplicationPatch): Promise<Application>;
  /** Throws APP_IN_USE while it has products or devices. */
  delete(id: AppId): Promise<void>;
  /** The old secret, and every token, is void at once. */
  resetSecret(id: AppId): Promise<string>;
}

/** Secrets that receivers check the signatures of pushes with: never stored, readable as often as one likes. */
export interface SigningSecrets {
  /** Throws APP_NOT_FOUND. */
  get(id: AppId): string;
  /** A new one; pushes are signed with it from now on. Throws APP_NOT_FOUND. */
  renew(id: AppId): Promise<string>;
  /** In memory, for the push worker: undefined while the application's pushes are not signed. */
  find(appNo: number): string | undefined;
}

export type Tokens = { accessToken: string; refreshToken: string; expiresInS: number };

export interface AccessTokens {
  /** Throws APP_CREDENTIALS_WRONG, APP_FROZEN, and CONGESTED when too many wait. Voids every earlier token. */
  login(appId: string, secret: string): Promise<Tokens>;
  /** Throws also REFRESH_TOKEN_INVALID. */
  refresh(appId: string, secret: string, refreshToken: string): Promise<Tokens>;
  /** `appId` is the app_key of the call. Throws TOKEN_INVALID, APP_NOT_FOUND (genuine, but deleted), APP_FROZEN, THROTTLED. */
  authorize(appId: string, accessToken: string): Promise<Application>;
}

/** For those who present the secret itself and want no token. */
export interface SecretCheck {
  /** Slow for a wrong secret. Throws APP_CREDENTIALS_WRONG, APP_FROZEN, and CONGESTED when too many wait. */
  checkSecret(appId: string, secret: string): Promise<Application>;
}

export type ApplicationEvents = {
  applicationChanged: { application: Application };
  /** Its old secret is void. */
  applicationSecretReset: { application: Application };
  applicationDeleted: { application: Application };
  /** Not when it ends because one of the two is deleted. */
  grantRevoked: { owner: Application; grantee: Application };
};
