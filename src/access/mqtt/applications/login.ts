import { APP_ID_FORM } from "../../../capabilities/applications/application";
import { DomainError } from "../../../platform/domain-error";
import { CONNACK, type ConnackCode, type ConnectPacket } from "../../../wire/mqtt";
import type { Protocol } from "../connection";

const MAX_CLIENT_ID_LENGTH = 256;

/** What an application calls itself in CONNECT: its appId as user name, its appId or `{appId}:{anything}` as client id. */
export type ApplicationLogin = {
  readonly appId: string;
  readonly clientId: string;
  readonly password: Uint8Array | undefined;
};

/** Undefined: a device. Its client id goes on with `_` behind the user name, so there is no doubt. */
export function parseApplicationLogin({ clientId, username, password }: ConnectPacket): ApplicationLogin | undefined {
  if (username === undefined || !APP_ID_FORM.test(username)) return undefined;
  if (clientId !== username && !clientId.startsWith(`${username}:`)) return undefined;
  return { appId: username, clientId, password };
}

export type ApplicationRefusal =
  | "client_id_too_long"
  | "applications_need_tls"
  | "password_missing"
  | "password_malformed"
  | "credentials_wrong"
  | "application_frozen"
  | "too_many_attempts"
  | "too_many_connections"
  | "too_many_sessions"
  | "store_failed";

export const APPLICATION_RETURN_CODES: Record<ApplicationRefusal, ConnackCode> = {
  client_id_too_long: CONNACK.identifierRejected,
  applications_need_tls: CONNACK.notAuthorized,
  password_missing: CONNACK.badUsernameOrPassword,
  password_malformed: CONNACK.badUsernameOrPassword,
  credentials_wrong: CONNACK.notAuthorized, // also for an application that does not exist
  application_frozen: CONNACK.notAuthorized,
  too_many_attempts: CONNACK.serverUnavailable,
  too_many_connections: CONNACK.serverUnavailable,
  too_many_sessions: CONNACK.serverUnavailable,
  store_failed: CONNACK.serverUnavailable,
};

/** What can be said before the secret is looked at; else the secret. */
export function readSecret(
  { clientId, password }: ApplicationLogin,
  protocol: Protocol,
  allowsPlain: boolean,
): { readonly refusal: ApplicationRefusal } | { readonly secret: string } {
  if (clientId.length > MAX_CLIENT_ID_LENGTH) return { refusal: "client_id_too_long" };
  if (protocol === "mqtt" && !allowsPlain) return { refusal: "applications_need_tls" };
  if (password === undefined) return { refusal: "password_missing" };
  try {
    return { secret: new TextDecoder("utf-8", { fatal: true }).decode(password) };
  } catch {
    return { refusal: "password_malformed" };
  }
}

/** Why the secret was not accepted; undefined for a fault of ours. */
export function refusalOf(error: unknown): ApplicationRefusal | undefined {
  if (!(error instanceof DomainError)) return undefined;
  if (error.code === "APP_CREDENTIALS_WRONG") return "credentials_wrong";
  if (error.code === "APP_FROZEN") return "application_frozen";
  return error.code === "CONGESTED" ? "too_many_attempts" : undefined;
}
