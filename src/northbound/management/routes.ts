import { OpenAPIHono, z } from "@hono/zod-openapi";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";

/** A group of routes. What does not fit a schema becomes INPUT_INVALID with the path of every misfit. */
export const routes = () =>
  new OpenAPIHono<FrontEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const issues = result.error.issues.slice(0, MAX_ISSUES).flatMap((issue) => toIssues(result.target, issue));
      throw new DomainError("INPUT_INVALID", { issues });
    },
  });
const MAX_ISSUES = 20;

type Issue = { path: string; reason: string };

/** The value is never repeated: it may be a secret. */
function toIssues(target: string, issue: z.core.$ZodIssue): Issue[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: render(target, [...issue.path, key]), reason: "is not known" }));
  const missing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  return [{ path: render(target, issue.path), reason: missing ? "is required" : issue.message }];
}

/** `services[0].name` in a body; `query.page`, `path.appId` elsewhere. */
function render(target: string, path: readonly PropertyKey[]): string {
  const where = target === "query" ? ["query"] : target === "param" ? ["path"] : [];
  const parts = [...where, ...path];
  if (parts.length === 0) return "(body)";
  return parts
    .map((part, at) => (typeof part === "number" ? `[${part}]` : `${at > 0 ? "." : ""}${String(part)}`))
    .join("");
}

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string().optional(),
    code: z.string().openapi({ description: "closed set; the contract, while title and detail may change" }),
    requestId: z.string().optional(),
    errors: z.array(z.object({ path: z.string(), reason: z.string() })).optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi("Problem", { description: "RFC 9457 problem details" });

const PROBLEM_TEXT: Record<number, string> = {
  400: "The input does not fit; `errors` says where",
  401: "No valid session",
  404: "There is no such thing",
  409: "The present state does not allow it",
  413: "The body is too large",
  415: "The content type is not understood",
  422: "The content was understood and refused; `detail` and `errors` say why",
  502: "The device refused, or its answer cannot be read",
  503: "Too much is under way",
  504: "The device did not answer",
};

/** The error answers of a route, for the document. 400 and 401 can always come. */
export function problems(...statuses: number[]) {
  const all = [400, 401, ...statuses];
  return Object.fromEntries(
    all.map((status) => [
      status,
      {
        description: PROBLEM_TEXT[status] ?? "Refused",
        content: { "application/problem+json": { schema: ProblemSchema } },
      },
    ]),
  );
}

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
export const done = { description: "Done" };

/** Path parameters: any text, a look-up tells whether it names something. */
export const pathParameter = (name: string, description: string) =>
  z
    .string()
    .min(1)
    .max(256)
    .openapi({ param: { name, in: "path" }, description });

export const Timestamp = z.string().openapi({ format: "date-time", example: "2026-01-31T12:00:00.000Z" });
export const toTimestamp = (ms: number) => new Date(ms).toISOString();
export const toOptionalTimestamp = (ms: number | undefined) => (ms === undefined ? undefined : toTimestamp(ms));
/** ISO 8601 with a zone in the query, milliseconds since 1970 in the code. */
export const Moment = z.iso
  .datetime({ offset: true, message: "is not an ISO 8601 time with a zone" })
  .transform((text) => Date.parse(text))
  .openapi({ type: "string", format: "date-time" });
