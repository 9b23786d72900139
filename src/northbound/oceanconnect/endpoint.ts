import type { Context, Handler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ZodType, z } from "zod";
import type { AccessTokens, AppId, Application, ApplicationService } from "../../capabilities/applications/application";
import { DomainError } from "../../platform/domain-error";
import type { AppEnv } from "../http/app-env";
import { type BodyLimits, parseWith, readJson } from "../http/json-body";
import { parseQuery } from "../http/query";
import { type ErrorKey, errorRow, type Section } from "./errors";

export type EndpointPorts = {
  readonly tokens: Pick<AccessTokens, "authorize">;
  readonly applications: Pick<ApplicationService, "find">;
  /** Our fault: to be logged with its stack. The caller is told nothing of it. */
  readonly reportFault: (
    error: unknown,
    request: { method: string; path: string; requestId: string | undefined },
  ) => void;
  readonly bodyLimits: BodyLimits;
};

type Ctx = Context<AppEnv>;
export type Call<Q, B> = {
  /** Whose resources are meant. */
  readonly application: Application;
  readonly query: Q;
  readonly body: B;
  readonly param: (name: string) => string;
};
/** What a handler gives back; `undefined` is 204 without a body. */
export type Answer = { readonly status: 200 | 201 | 202; readonly json: unknown } | undefined;

type Shape<Q, B> = {
  readonly query?: ZodType<Q> & { readonly shape: Record<string, unknown> };
  readonly body?: ZodType<B>;
  /** The body may name the owner too (1.7.1); anywhere else such a field is unknown, and ignored. */
  readonly appIdInBody?: boolean;
};

const NO_QUERY = z.object({});
const BEARER = /^Bearer +(\S+) *$/i; // clients that join tokenType and the token send one blank or two

/** One place for what every call has in common, in this order: caller, application, parameters, work, answer or error. */
export function endpoints({ tokens, applications, reportFault, bodyLimits }: EndpointPorts) {
  async function authenticate(c: Ctx): Promise<Application> {
    const appKey = c.req.header("app_key");
    if (!appKey) throw new DomainError("APP_KEY_MISSING", { header: "app_key" });
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    if (!token) throw new DomainError("TOKEN_INVALID", { header: "Authorization", expected: "Bearer {accessToken}" });
    return tokens.authorize(appKey, token);
  }

  /** Acting for another application needs its authorisation, which nobody can give yet. */
  function requireOwn(caller: Application, named: string | undefined): void {
    if (named === undefined || named === caller.id) return;
    throw new DomainError(applications.find(named as AppId) ? "APP_NOT_AUTHORIZED" : "APP_NOT_FOUND", { appId: named });
  }

  function fail(c: Ctx, section: Section, error: unknown, namedApp: boolean): Response {
    const key = keyOf(error, namedApp);
    if (key === "INTERNAL") {
      reportFault(error, { method: c.req.method, path: c.req.path, requestId: c.get("requestId") });
    }
    const { status, code, desc } = errorRow(section, key);
    const detail = error instanceof DomainError && Object.keys(error.details).length > 0 ? error.details : undefined;
    return json(c, status, { error_code: code, error_desc: desc, error_detail: detail });
  }

  return {
    /** A call that needs no token. */
    open(section: Section, handle: (request: Request) => Promise<Answer> | Answer): Handler<AppEnv> {
      return async (c) => {
        try {
          return draw(c, await handle(c.req.raw));
        } catch (error) {
          return fail(c, section, error, false);
        }
      };
    },

    /** A call of an application. The schemas see a plain record of the query and the parsed JSON of the body. */
    call<Q = unknown, B = undefined>(
      section: Section,
      { query: querySchema, body: bodySchema, appIdInBody = false }: Shape<Q, B>,
      handle: (call: Call<Q, B>) => Promise<Answer> | Answer,
    ): Handler<AppEnv> {
      const names: ReadonlySet<string> = new Set(["appId", ...Object.keys((querySchema ?? NO_QUERY).shape)]);
      return async (c) => {
        let namedApp = false;
        try {
          const application = await authenticate(c);
          const rawQuery = parseQuery(c.req.url, names);
          requireOwn(application, rawQuery.appId);
          namedApp = rawQuery.appId !== undefined;
          const rawBody = bodySchema ? await readJson(c.req.raw, bodyLimits) : undefined;
          if (appIdInBody) requireOwn(application, appIdOf(rawBody));
          const query = (querySchema ? parseWith(querySchema, rawQuery) : rawQuery) as Q;
          const body = (bodySchema ? parseWith(bodySchema, rawBody) : undefined) as B;
          const param = (name: string) => c.req.param(name) ?? "";
          return draw(c, await handle({ application, query, body, param }));
        } catch (error) {
          return fail(c, section, error, namedApp);
        }
      };
    },
  };
}
export type Endpoints = ReturnType<typeof endpoints>;

/** A value of a wrong type is left to the schema. */
function appIdOf(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "appId")) return undefined;
  const { appId } = body as { appId?: unknown };
  return typeof appId === "string" && appId !== "" ? appId : undefined;
}

function keyOf(error: unknown, namedApp: boolean): ErrorKey {
  if (!(error instanceof DomainError)) return "INTERNAL";
  return error.code === "DEVICE_NOT_FOUND" && namedApp ? "DEVICE_NOT_FOUND_IN_NAMED_APP" : error.code;
}

const draw = (c: Ctx, answer: Answer): Response =>
  answer === undefined ? c.body(null, 204) : json(c, answer.status, answer.json);

const json = (c: Ctx, status: ContentfulStatusCode, body: unknown): Response =>
  c.body(JSON.stringify(body), status, { "Content-Type": "application/json; charset=UTF-8" });
