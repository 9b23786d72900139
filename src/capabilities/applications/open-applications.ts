import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import type { EventBus } from "../../platform/events";
import { SECRET_HASH_DEFAULTS, type SecretHashSettings, type Secrets, secretHashes } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import { ACCESS_TOKEN_DEFAULTS, type AccessTokenSettings, accessTokens } from "./access-tokens";
import type { ApplicationEvents } from "./application";
import { applicationDirectory } from "./application-directory";
import { applicationRepository } from "./application-repository";
import { applicationService } from "./application-service";
import { ATTEMPT_DEFAULTS, type AttemptSettings } from "./attempt-gate";
import { CALL_THROTTLE_DEFAULTS, type CallThrottleSettings, callThrottle } from "./call-throttle";
import { credentialCheck } from "./credential-check";
import { grantRepository } from "./grant-repository";
import { applicationGrants } from "./grant-service";
import { operators, SESSION_DEFAULTS, type SessionSettings } from "./operators";
import { PUSH_CERTIFICATE_DEFAULTS, type PushCertificateSettings, pushCertificates } from "./push-certificate-service";
import { signingSecrets } from "./signing-secrets";

export type ApplicationSettings = {
  readonly tokens: AccessTokenSettings;
  readonly calls: CallThrottleSettings;
  readonly sessions: SessionSettings;
  /** How failed logins, of applications and of people, are slowed down. */
  readonly attempts: AttemptSettings;
  readonly hashes: SecretHashSettings;
  readonly pushCertificates: PushCertificateSettings;
};
export const APPLICATION_DEFAULTS: ApplicationSettings = {
  tokens: ACCESS_TOKEN_DEFAULTS,
  calls: CALL_THROTTLE_DEFAULTS,
  sessions: SESSION_DEFAULTS,
  attempts: ATTEMPT_DEFAULTS,
  hashes: SECRET_HASH_DEFAULTS,
  pushCertificates: PUSH_CERTIFICATE_DEFAULTS,
};

type Parts = {
  /** `registry.db`. */
  db: Database;
  transactor: Transactor;
  events: EventBus<ApplicationEvents>;
  secrets: Secrets;
  clock: Clock;
  settings?: Partial<ApplicationSettings>;
};

/** The whole capability, joined. */
export function openApplications({ db, transactor, events, secrets, clock, settings = {} }: Parts) {
  const set = { ...APPLICATION_DEFAULTS, ...settings };
  const hashes = secretHashes(set.hashes); // shared: its limits are for the whole process
  const newCredentialCheck = () => credentialCheck({ clock, hashes, settings: set.attempts });
  const repository = applicationRepository(db);
  const directory = applicationDirectory(repository.all());
  const throttle = callThrottle({ clock, events, settings: set.calls });
  const applications = applicationService({ repository, directory, transactor, events, hashes, clock });
  const grants = applicationGrants({
    repository: grantRepository(db),
    applications: repository,
    directory,
    transactor,
    events,
    clock,
  });
  return {
    applications,
    grants,
    throttle,
    tokens: accessTokens({
      repository,
      directory,
      transactor,
      events,
      checkCredentials: newCredentialCheck(),
      throttle,
      signingKey: secrets.deriveKey("access-tokens"),
      clock,
      settings: set.tokens,
    }),
    /** `ensureAdmin` at start, then sessions. A name space of its own: `admin` may also be somebody's appId. */
    operators: operators({
      db,
      transactor,
      hashes,
      checkCredentials: newCredentialCheck(),
      clock,
      settings: set.sessions,
    }),
    signingSecrets: signingSecrets({ repository, directory, transactor, deriveKey: secrets.deriveKey }),
    pushCertificates: pushCertificates({
      db,
      transactor,
      events,
      applications,
      clock,
      settings: set.pushCertificates,
    }),
  };
}
export type Applications = ReturnType<typeof openApplications>;
