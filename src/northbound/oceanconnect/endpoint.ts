import type { Context, Handler } from "hono";
import { type ZodType, z } from "zod";
import type { AccessTokens, AppId, Application, ApplicationService } from "../../capabilities/applications/application";
import { DomainError } from "../../platform/domain-error";
import { type BodyLimits, parseWith, readJson } from "../http/json-body";
import { parseQuery } from "../http/query";
import type { FrontEnv } from "../http/request-env";
import { type ErrorKey, errorRow, type Section } from "./errors";

export type EndpointPorts = {
  readonly tokens: Pick<AccessTokens, "authorize">;
  readonly applications: Pick<ApplicationService, "find">;
  readonly bodyLimits: BodyLimits;
};

type Ctx = Context<FrontEnv>;
export type Call<Q, B> = {
  /** Whose resources are meant. */
  readonly application: Application;
  readonly query: Q;
  readonly body: B;
  readonly param: (name: string) => string;
};
/** What a handler gives back; `undefined` is 204 without a body, `json` undefined is the status without one. */
export type Answer = { readonly status: 200 | 201 | 202; readonly json: unknown } | undefined;

/** What was being looked at when it failed: who calls, its own resources, or those of an application it named. */
type About = "caller" | "ownApp" | "namedApp";
type Shape<Q, B> = {
  readonly query?: ZodType<Q> & { readonly shape: Record<string, unknown> };
  readonly body?: ZodType<B>;
  /** The body may name the owner too (1.7.1); anywhere else such a field is unknown, and ignored. */
  readonly appIdInBody?: boolean;
};

const JSON_HEADERS = { "Content-Type": "application/json; charset=UTF-8" };
const NO_QUERY = z.object({});
const BEARER = /^Bearer +(\S+) *$/i; // clients that join tokenType and the token send one blank or two

/** One place for what every call has in common, in this order: caller, application, parameters, work, answer or error. */
export function endpoints({ tokens, applications, bodyLimits }: EndpointPorts) {
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

  function fail(c: Ctx, section: Section, error: unknown, about: About): Response {
    const { status, body, isFault } = errorBody(section, error, about);
    if (isFault) c.env.reportFault(error); // logged with its stack; the caller is told nothing of it
    return c.body(body, status, JSON_HEADERS);
  }

  return {
    /** A call that needs no token. */
    open(section: Section, handle: (request: Request) => Promise<Answer> | Answer): Handler<FrontEnv> {
      return async (c) => {
        try {
          return draw(c, await handle(c.req.raw));
        } catch (error) {
          return fail(c, section, error, "ownApp");
        }
      };
    },

    /** A call of an application. The schemas see a plain record of the query and the parsed JSON of the body. */
    call<Q = unknown, B = undefined>(
      section: Section,
      { query: querySchema, body: bodySchema, appIdInBody = false }: Shape<Q, B>,
      handle: (call: Call<Q, B>) => Promise<Answer> | Answer,
    ): Handler<FrontEnv> {
      const names: ReadonlySet<string> = new Set(["appId", ...Object.keys((querySchema ?? NO_QUERY).shape)]);
      return async (c) => {
        let about: About = "caller";
        try {
          const application = await authenticate(c);
          c.env.caller = application.id;
          about = "ownApp";
          const rawQuery = parseQuery(c.req.url, names);
          if (rawQuery.appId !== undefined) about = "namedApp";
          requireOwn(application, rawQuery.appId);
          const rawBody = bodySchema ? await readJson(c.req.raw, bodyLimits) : undefined;
          if (appIdInBody) requireOwn(application, appIdOf(rawBody));
          const query = (querySchema ? parseWith(querySchema, rawQuery) : rawQuery) as Q;
          const body = (bodySchema ? parseWith(bodySchema, rawBody) : undefined) as B;
          const param = (name: string) => c.req.param(name) ?? "";
          return draw(c, await handle({ application, query, body, param }));
        } catch (error) {
          return fail(c, section, error, about);
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

/** The dialect's words for what was thrown. `error_detail` is ours, for people: what is wrong, and where. */
export function errorBody(section: Section, error: unknown, about: About) {
  const key = keyOf(error, about);
  const { status, code, desc } = errorRow(section, key);
  const details = error instanceof DomainError ? Object.entries(error.details) : [];
  const known = details.filter(([, value]) => value !== undefined);
  const detail = known.length > 0 ? Object.fromEntries(known) : undefined;
  const body = JSON.stringify({ error_code: code, error_desc: desc, error_detail: detail });
  return { status, body, isFault: key === "INTERNAL" };
}

function keyOf(error: unknown, about: About): ErrorKey {
  if (!(error instanceof DomainError)) return "INTERNAL";
  if (error.code === "DEVICE_NOT_FOUND" && about === "namedApp") return "DEVICE_NOT_FOUND_IN_NAMED_APP";
  if (error.code === "APP_NOT_FOUND" && about === "caller") return "CALLER_APP_NOT_FOUND";
  return error.code;
}

function draw(c: Ctx, answer: Answer): Response {
  if (answer === undefined) return c.body(null, 204);
  if (answer.json === undefined) return c.body(null, answer.status);
  return c.body(JSON.stringify(answer.json), answer.status, JSON_HEADERS);
}
