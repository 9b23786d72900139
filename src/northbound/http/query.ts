import { DomainError } from "../../platform/domain-error";

/**
 * The named parameters of a query string; others are ignored, empty ones count as absent.
 * Throws INPUT_INVALID for a name that comes twice (which one is meant?) and for a broken percent encoding.
 */
export function parseQuery(url: string, names: ReadonlySet<string>): Record<string, string> {
  const start = url.indexOf("?");
  const found: Record<string, string> = {};
  if (start < 0) return found;
  const end = url.indexOf("#", start);
  const seen = new Set<string>();
  for (const pair of url.slice(start + 1, end < 0 ? undefined : end).split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (name === undefined || !names.has(name)) continue;
    if (seen.has(name)) throw invalid(name, "is given more than once");
    seen.add(name);
    const value = equals < 0 ? "" : decode(pair.slice(equals + 1));
    if (value === undefined) throw invalid(name, "is not percent-encoded UTF-8");
    if (value !== "") found[name] = value;
  }
  return found;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

const invalid = (field: string, reason: string) => new DomainError("INPUT_INVALID", { issues: [{ field, reason }] });
