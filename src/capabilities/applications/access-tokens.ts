import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import { equalBytes, processDigest } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AccessTokens, Application, ApplicationEvents, SecretCheck, Tokens } from "./application";
import type { ApplicationDirectory } from "./application-directory";
import type { ApplicationRepository, StoredApplication } from "./application-repository";
import type { CallThrottle } from "./call-throttle";
import type { CredentialCheck } from "./credential-check";
import { type TokenClaims, tokenSigner } from "./token-signer";

export type AccessTokenSettings = { readonly accessTokenMs: number; readonly refreshTokenMs: number };
export const ACCESS_TOKEN_DEFAULTS: AccessTokenSettings = { accessTokenMs: 3_600_000, refreshTokenMs: 86_400_000 };

type Parts = {
  repository: ApplicationRepository;
  directory: ApplicationDirectory;
  transactor: Transactor;
  events: Listenable<ApplicationEvents>;
  checkCredentials: CredentialCheck;
  throttle: CallThrottle;
  /** 32 bytes that stay the same over restarts. */
  signingKey: Uint8Array;
  clock: Clock;
  settings?: AccessTokenSettings;
};

export type Identify = {
  /** `authorize` without counting a call. Throws TOKEN_INVALID, APP_NOT_FOUND, APP_FROZEN. */
  identify(appId: string, accessToken: string): Promise<Application>;
};

const MOST_TOKENS_KEPT = 4_096; // each application has one that is valid; a further one costs its verification again

/**
 * Tokens are JWTs that carry the generation of their application. A login, a refresh or a new secret makes the next
 * generation, stored before the token is given out; whatever has an older one is void, also after a restart.
 */
export function accessTokens(parts: Parts): AccessTokens & Identify & SecretCheck {
  const { repository, directory, transactor, events, checkCredentials, throttle, clock } = parts;
  const { accessTokenMs, refreshTokenMs } = parts.settings ?? ACCESS_TOKEN_DEFAULTS;
  const signer = tokenSigner(parts.signingKey, clock);
  const verified = new Map<string, TokenClaims>(); // access tokens whose signature was checked, oldest first
  // Secrets that passed the slow check since the start, as a fast digest: clients that log in often stay cheap, and are
  // not held up when somebody else guesses at their appId.
  const digest = processDigest();
  const recognised = new Map<number, { secretHash: string; digest: Uint8Array }>();
  events.on("applicationDeleted", ({ application }) => recognised.delete(application.no));

  async function authenticate(appId: string, secret: string): Promise<StoredApplication> {
    const asked = directory.byId(appId);
    if (!(asked && isRecognised(asked, secret)) && !(await checkCredentials(appId, secret, asked?.secretHash)))
      throw new DomainError("APP_CREDENTIALS_WRONG");
    const now = directory.byId(appId); // the slow check took its time
    if (!asked || now?.secretHash !== asked.secretHash) throw new DomainError("APP_CREDENTIALS_WRONG");
    recognised.set(now.application.no, { secretHash: now.secretHash, digest: digest(secret) });
    if (now.application.frozen) throw new DomainError("APP_FROZEN", { appId });
    return now;
  }

  function isRecognised({ application, secretHash }: StoredApplication, secret: string): boolean {
    const known = recognised.get(application.no);
    return known?.secretHash === secretHash && equalBytes(known.digest, digest(secret));
  }

  /** `from`: only if that is still the generation. */
  async function issue({ application, secretHash }: StoredApplication, from?: number): Promise<Tokens | undefined> {
    const advanced = await transactor.write(() => {
      const next = repository.advanceTokens(application.no, secretHash, from);
      if (next) transactor.afterCommit(() => directory.put(next));
      return next;
    });
    if (!advanced) return undefined;
    const claims = { appId: application.id, generation: advanced.tokenGeneration };
    const [accessToken, refreshToken] = await Promise.all([
      signer.sign({ ...claims, use: "access" }, accessTokenMs),
      signer.sign({ ...claims, use: "refresh" }, refreshTokenMs),
    ]);
    return { accessToken, refreshToken, expiresInS: Math.floor(accessTokenMs / 1_000) };
  }

  function keep(token: string, claims: TokenClaims): void {
    verified.set(token, claims);
    if (verified.size <= MOST_TOKENS_KEPT) return;
    const [oldest] = verified.keys();
    if (oldest !== undefined) verified.delete(oldest);
  }

  async function identify(appId: string, accessToken: string): Promise<Application> {
    let claims = verified.get(accessToken);
    if (!claims) {
      claims = await signer.verify(accessToken, "access");
      if (!claims) throw new DomainError("TOKEN_INVALID");
      keep(accessToken, claims);
    }
    if (claims.appId !== appId) throw new DomainError("TOKEN_INVALID");
    const entry = directory.byId(appId);
    if (!entry) throw new DomainError("APP_NOT_FOUND", { appId }); // a genuine token of an application that is gone
    if (claims.expiresAt <= clock.now() || claims.generation !== entry.tokenGeneration) {
      verified.delete(accessToken);
      throw new DomainError("TOKEN_INVALID");
    }
    if (entry.application.frozen) throw new DomainError("APP_FROZEN", { appId });
    return entry.application;
  }

  return {
    async login(appId, secret) {
      const tokens = await issue(await authenticate(appId, secret));
      if (!tokens) throw new DomainError("APP_CREDENTIALS_WRONG"); // the secret was reset this very moment
      return tokens;
    },

    async refresh(appId, secret, refreshToken) {
      const entry = await authenticate(appId, secret);
      const claims = await signer.verify(refreshToken, "refresh");
      if (claims?.appId !== appId) throw new DomainError("REFRESH_TOKEN_INVALID");
      const tokens = await issue(entry, claims.generation);
      if (!tokens) throw new DomainError("REFRESH_TOKEN_INVALID"); // used before, or a login came after it
      return tokens;
    },

    checkSecret: async (appId, secret) => (await authenticate(appId, secret)).application,

    identify,
    async authorize(appId, accessToken) {
      const application = await identify(appId, accessToken);
      throttle.take(application); // only for callers who proved who they are
      return application;
    },
  };
}
