import type { Declaration } from "./endpoint";
import { describeError, type ErrorKey, type ErrorRow, errorRow } from "./errors";
import { OPERATIONS } from "./operations";

const BODY = [
  "INPUT_INVALID",
  "REQUIRED_MISSING",
  "BODY_MALFORMED",
  "PAYLOAD_TOO_LARGE",
  "MEDIA_TYPE_UNSUPPORTED",
] as const;
const CALLER = ["APP_KEY_MISSING", "TOKEN_INVALID", "THROTTLED", "CALLER_APP_NOT_FOUND", "APP_FROZEN"] as const;
const OWNER = ["APP_NOT_FOUND", "APP_NOT_AUTHORIZED", "APP_EDIT_NOT_AUTHORIZED"] as const;

/** Everything an endpoint can fail with: what its kind of call can, and what its line in OPERATIONS adds. */
function keysOf({ section, open, needs, owners, body }: Declaration): ErrorKey[] {
  const { fails } = OPERATIONS[section];
  const keys: ErrorKey[] = [...(open ? [] : CALLER)];
  // Only an endpoint with a parameter for an owner can be told of one.
  if (needs !== "own") keys.push(...OWNER.filter((key) => key !== "APP_EDIT_NOT_AUTHORIZED" || needs === "edit"));
  keys.push(...(body ? BODY : (["INPUT_INVALID", "REQUIRED_MISSING"] as const)), ...fails);
  if (owners.length > 0 && fails.includes("DEVICE_NOT_FOUND")) keys.push("DEVICE_NOT_FOUND_IN_NAMED_APP");
  return [...keys, "INTERNAL"];
}

/** The rows of an endpoint by status, each row once; the texts as they are sent. */
export function errorsOf(declaration: Declaration): Map<number, ErrorRow[]> {
  const rows = new Map<string, ErrorRow>();
  for (const key of keysOf(declaration)) {
    const { status, code, desc } = errorRow(declaration.section, key);
    const sent = { status, code, desc: describeError(desc, "{reason}") };
    rows.set(`${status} ${code} ${desc}`, sent);
  }
  if (declaration.body) {
    // Beyond the limit of all APIs of the process nobody looks whose it is.
    const { status, code, desc } = errorRow("none", "PAYLOAD_TOO_LARGE");
    rows.set(`${status} ${code} ${desc}`, { status, code, desc });
  }
  return Map.groupBy(rows.values(), ({ status }) => status);
}

/** One response of the document; `answer`: the schema of what a right call gets with the same status. */
export function toErrorResponse(rows: readonly ErrorRow[], answer?: { schema: object | undefined; text: string }) {
  const ofRows = {
    allOf: [{ $ref: "#/components/schemas/VendorError" }],
    properties: { error_code: { enum: [...new Set(rows.map(({ code }) => code))] } },
  };
  const listed = rows.map(({ code, desc }) => `${code} ${desc}`).join(" | ");
  return {
    description: answer ? `${answer.text}; or an error: ${listed}` : listed,
    content: {
      "application/json": {
        schema: answer?.schema ? { anyOf: [answer.schema, ofRows] } : ofRows,
        examples: Object.fromEntries(
          rows.map(({ code, desc }, at) => [
            rows.findIndex((row) => row.code === code) === at ? code : `${code}_${at}`,
            { value: { error_code: code, error_desc: desc } },
          ]),
        ),
      },
    },
  };
}
