import type { Context, Handler } from "hono";
import { type ZodType, z } from "zod";
import type { AccessTokens, AppId, Application, ApplicationService } from "../../capabilities/applications/application";
import type { Access, ApplicationGrants } from "../../capabilities/applications/application-grants";
import { DomainError } from "../../platform/domain-error";
import { readFormOrJson } from "../http/form-body";
import { type BodyLimits, parseWith, readJson } from "../http/json-body";
import { parseQuery } from "../http/query";
import type { FrontEnv } from "../http/request-env";
import { describeError, type ErrorKey, errorRow, type Section } from "./errors";

export type EndpointPorts = {
  readonly tokens: Pick<AccessTokens, "authorize">;
  readonly applications: Pick<ApplicationService, "find">;
  readonly grants: Pick<ApplicationGrants, "accessOf">;
  readonly bodyLimits: BodyLimits;
};

type Ctx = Context<FrontEnv>;
export type Call<Q, B> = {
  /** Whose resources are meant: the caller's own, or those of an application that has authorised it. */
  readonly application: Application;
  readonly caller: Application;
  /** What the caller may do with them; for endpoints of which only some calls change something. */
  readonly access: Access;
  readonly query: Q;
  readonly body: B;
  readonly param: (name: string) => string;
};
type Reach = Pick<Call<unknown, unknown>, "application" | "access">;
/** What a handler gives back; `undefined` is 204 without a body, `json` undefined is the status without one. */
export type Answer<R = unknown> = { readonly status: 200 | 201 | 202; readonly json: R } | undefined;
/** What a right call is answered with; without a schema there is no body. It describes: answers are not parsed with it. */
export type Success<R = unknown> = { readonly status: 200 | 201 | 202 | 204; readonly schema?: ZodType<R> };
type Fields = { readonly shape: Readonly<Record<string, unknown>> };

/** What was being looked at when it failed: who calls, its own resources, or those of an application it named. */
type About = "caller" | "ownApp" | "namedApp";
/** appId; accessAppId at 1.11.2 to 1.11.8; ownerAppId at 1.5.10 to 1.5.15. */
type OwnerName = "appId" | "accessAppId" | "ownerAppId";
type Shape<Q, B, R> = {
  /**
   * What the caller must be allowed to when it names another application: to read, or to change. `own`: the endpoint has
   * no parameter for an owner; the names below are unknown to it, and ignored.
   */
  readonly needs: Access | "own";
  readonly query?: ZodType<Q> & Fields;
  readonly body?: ZodType<B>;
  readonly response: Success<R>;
  /** The body may name the owner too (1.5.10, 1.7.1, 1.11.1); elsewhere such a field is unknown, and ignored. */
  readonly ownerInBody?: boolean;
  /** What the endpoint calls the owner; `appId` is understood in its query too. */
  readonly owner?: OwnerName;
};

/** What a route said of itself, for the OpenAPI document. */
export type Declaration = {
  readonly section: Exclude<Section, "none">;
  /** Without a token, and the body may be a form. */
  readonly open: boolean;
  readonly needs: Access | "own";
  /** The query parameters that name the owner; the first one is the endpoint's own word. */
  readonly owners: readonly OwnerName[];
  readonly ownerInBody: boolean;
  readonly query?: Fields | undefined;
  readonly body?: ZodType | undefined;
  readonly response: Success;
};
export type DeclaredHandler = Handler<FrontEnv> & { readonly declaration: Declaration };
const declared = (declaration: Declaration, handler: Handler<FrontEnv>): DeclaredHandler =>
  Object.assign(handler, { declaration });

const JSON_HEADERS = { "Content-Type": "application/json; charset=UTF-8" };
const NO_QUERY = z.object({});
const BEARER = /^Bearer +(\S+) *$/i; // clients that join tokenType and the token send one blank or two

/** One place for what every call has in common, in this order: caller, application, parameters, work, answer or error. */
export function endpoints({ tokens, applications, grants, bodyLimits }: EndpointPorts) {
  async function authenticate(c: Ctx): Promise<Application> {
    const appKey = c.req.header("app_key");
    if (!appKey) throw new DomainError("APP_KEY_MISSING", { header: "app_key" });
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    if (!token) throw new DomainError("TOKEN_INVALID", { header: "Authorization", expected: "Bearer {accessToken}" });
    return tokens.authorize(appKey, token);
  }

  /** Acting for another application needs its authorisation. Throws APP_NOT_FOUND, APP_NOT_AUTHORIZED. */
  function reach(caller: Application, named: string): Reach {
    if (named === caller.id) return { application: caller, access: "edit" };
    const application = applications.find(named as AppId);
    if (!application) throw new DomainError("APP_NOT_FOUND", { appId: named });
    const access = grants.accessOf(application.no, caller.no);
    if (!access) throw new DomainError("APP_NOT_AUTHORIZED", { appId: application.id });
    return { application, access };
  }

  function fail(c: Ctx, section: Section, error: unknown, about: About): Response {
    const { status, body, isFault } = errorBody(section, error, about);
    if (isFault) c.env.reportFault(error); // logged with its stack; the caller is told nothing of it
    return c.body(body, status, JSON_HEADERS);
  }

  return {
    /** A call that needs no token. Its body may be a form or JSON. */
    open<B, R = undefined>(
      section: Exclude<Section, "none">,
      { body: bodySchema, response }: { readonly body: ZodType<B> & Fields; readonly response: Success<R> },
      handle: (body: B) => Promise<Answer<NoInfer<R>>>,
    ): DeclaredHandler {
      const names = new Set(Object.keys(bodySchema.shape));
      const handler: Handler<FrontEnv> = async (c) => {
        try {
          return draw(c, await handle(parseWith(bodySchema, await readFormOrJson(c.req.raw, names, bodyLimits))));
        } catch (error) {
          return fail(c, section, error, "ownApp");
        }
      };
      const declaration = { section, open: true, needs: "own", owners: [], ownerInBody: false } as const;
      return declared({ ...declaration, body: bodySchema, response }, handler);
    },

    /** What is no endpoint: a path or a method that there is not. */
    refuse:
      (why: (request: Request) => DomainError): ((c: Ctx) => Response) =>
      (c) =>
        fail(c, "none", why(c.req.raw), "ownApp"),

    /** A call of an application. The schemas see a plain record of the query and the parsed JSON of the body. */
    call<Q = unknown, B = undefined, R = undefined>(
      section: Exclude<Section, "none">,
      shape: Shape<Q, B, R>,
      handle: (call: Call<Q, B>) => Promise<Answer<NoInfer<R>>> | Answer<NoInfer<R>>,
    ): DeclaredHandler {
      const { needs, query: querySchema, body: bodySchema, owner: ownerName = "appId", ownerInBody = false } = shape;
      const owners: OwnerName[] = needs === "own" ? [] : [...new Set<OwnerName>([ownerName, "appId"])];
      const names: ReadonlySet<string> = new Set([...owners, ...Object.keys((querySchema ?? NO_QUERY).shape)]);
      const handler: Handler<FrontEnv> = async (c) => {
        let about: About = "caller";
        try {
          const caller = await authenticate(c);
          c.env.caller = caller.id;
          about = "ownApp";
          let named: Reach | undefined;
          const name = (field: string, appId: string | undefined) => {
            if (appId === undefined) return;
            about = "namedApp";
            const found = reach(caller, appId);
            if (needs === "edit") requireEdit(found);
            if (named && named.application.no !== found.application.no) throw ambiguous(field);
            named = found;
          };
          const rawQuery = parseQuery(c.req.url, names);
          for (const field of owners) name(field, rawQuery[field]);
          const rawBody = bodySchema ? await readJson(c.req.raw, bodyLimits) : undefined;
          if (ownerInBody) name(ownerName, textIn(rawBody, ownerName));
          const { application, access }: Reach = named ?? { application: caller, access: "edit" };
          const query = (querySchema ? parseWith(querySchema, rawQuery) : rawQuery) as Q;
          const body = (bodySchema ? parseWith(bodySchema, rawBody) : undefined) as B;
          const param = (name: string) => c.req.param(name) ?? "";
          return draw(c, await handle({ application, caller, access, query, body, param }));
        } catch (error) {
          return fail(c, section, error, about);
        }
      };
      const { response } = shape;
      const declaration = { section, open: false, needs, owners, ownerInBody, query: querySchema, body: bodySchema };
      return declared({ ...declaration, response }, handler);
    },
  };
}
export type Endpoints = ReturnType<typeof endpoints>;

/** Throws APP_EDIT_NOT_AUTHORIZED when the caller may only read. */
export function requireEdit({ application, access }: Reach): void {
  if (access !== "edit") throw new DomainError("APP_EDIT_NOT_AUTHORIZED", { appId: application.id });
}

/** A value of a wrong type is left to the schema. */
function textIn(body: unknown, field: string): string | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, field)) return undefined;
  const value = (body as Record<string, unknown>)[field];
  return typeof value === "string" && value !== "" ? value : undefined;
}

const ambiguous = (field: string) =>
  new DomainError("INPUT_INVALID", { issues: [{ field, reason: "names another application than before" }] });

/** The dialect's words for what was thrown. `error_detail` is ours, for people: what is wrong, and where. */
export function errorBody(section: Section, error: unknown, about: About) {
  const key = keyOf(error, about);
  const { status, code, desc } = errorRow(section, key);
  const details = error instanceof DomainError ? Object.entries(error.details) : [];
  const known = details.filter(([, value]) => value !== undefined);
  const detail = known.length > 0 ? Object.fromEntries(known) : undefined;
  const error_desc = describeError(desc, detail?.reason);
  const body = JSON.stringify({ error_code: code, error_desc, error_detail: detail });
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
