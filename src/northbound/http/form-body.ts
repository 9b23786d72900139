import { DomainError } from "../../platform/domain-error";
import { type BodyLimits, parseJson, readText, requireType } from "./json-body";
import { parseQuery } from "./query";

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;
const FORM_OR_JSON = /^application\/(?:x-www-form-urlencoded|json)\s*(?:;|$)/i;

/**
 * A body that may come as a form or as JSON. `names`: the fields that are read of a form.
 * Throws MEDIA_TYPE_UNSUPPORTED, PAYLOAD_TOO_LARGE, BODY_MALFORMED.
 */
export async function readFormOrJson(
  request: Request,
  names: ReadonlySet<string>,
  limits: BodyLimits,
): Promise<unknown> {
  requireType(request, FORM_OR_JSON, "application/x-www-form-urlencoded or application/json");
  const text = await readText(request, limits.maxBytes);
  if (!FORM.test(request.headers.get("content-type") ?? "")) return parseJson(text, limits.maxDepth);
  try {
    return parseQuery(`?${text.replaceAll("#", "%23")}`, names); // a form has no fragment
  } catch (error) {
    if (error instanceof DomainError) throw new DomainError("BODY_MALFORMED", error.details);
    throw error;
  }
}
