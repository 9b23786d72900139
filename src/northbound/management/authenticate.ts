import type { MiddlewareHandler } from "hono";
import type { ManagementSessions } from "../../capabilities/applications/operators";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";

const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

export function bearerToken(authorization: string | undefined): string {
  const token = BEARER.exec(authorization ?? "")?.[1];
  if (token === undefined) throw new DomainError("UNAUTHENTICATED", { reason: "Authorization: Bearer … is missing" });
  return token;
}

/** Nothing but signing in works without a session, unknown paths included. */
export function authenticate(
  sessions: Pick<ManagementSessions, "verify">,
  signInPath: string,
): MiddlewareHandler<FrontEnv> {
  return async (c, next) => {
    if (c.req.method !== "POST" || c.req.path !== signInPath) {
      const operator = sessions.verify(bearerToken(c.req.header("authorization")));
      if (!operator) throw new DomainError("UNAUTHENTICATED", { reason: "the session is unknown or over" });
      c.env.caller = operator.username;
    }
    await next();
  };
}
