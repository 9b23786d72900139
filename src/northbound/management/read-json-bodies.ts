import type { MiddlewareHandler } from "hono";
import { type BodyLimits, parseJson, readText } from "../http/json-body";
import type { FrontEnv } from "../http/request-env";

export type JsonLimits = BodyLimits;
/** Product models as JSON are the largest bodies. */
export const JSON_LIMITS: JsonLimits = { maxBytes: 2 * 1024 * 1024, maxDepth: 32 };

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** Reads JSON bodies within bounds before a route's validator does, and says what is wrong with one that is not JSON. */
export function readJsonBodies(limits: JsonLimits): MiddlewareHandler<FrontEnv> {
  return async (c, next) => {
    if (c.req.raw.body !== null && JSON_TYPE.test(c.req.header("content-type") ?? "")) {
      const text = await readText(c.req.raw, limits.maxBytes);
      if (text !== "") parseJson(text, limits.maxDepth); // some clients send the type without a body
      const { url, method, headers } = c.req.raw;
      c.req.raw = new Request(url, { method, headers, body: text }); // for the validator
    }
    await next();
  };
}
