import type { Islet } from "./islet";
import { lookUp, misfits, type Schema } from "./json-schema";

export type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
};
type Content = Readonly<
  Record<string, { readonly schema: Schema; readonly examples?: Record<string, { value: Row }> }>
>;
export type Operation = {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
};
type Row = { readonly error_code: string; readonly error_desc: string };
export type Document = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
};
export type Endpoint = { readonly method: string; readonly path: string; readonly operation: Operation };

export async function readDocument({ ready }: Islet): Promise<Document> {
  return (await (await fetch(`http://${ready.http}/openapi.json`)).json()) as Document;
}

/** The operations whose path begins with one of `prefixes`, methods in capitals. */
export const operationsOf = ({ paths }: Document, ...prefixes: string[]): Endpoint[] =>
  Object.entries(paths)
    .filter(([path]) => prefixes.some((prefix) => path.startsWith(prefix)))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
export const vendorOperations = (document: Document): Endpoint[] => operationsOf(document, "/iocm/", "/iodm/", "/api/");

/** Throws an Error for a reference that leads nowhere. */
export function followAll(document: object, node: unknown = document): void {
  if (typeof node !== "object" || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === "$ref" && typeof value === "string") lookUp(document, value);
    else followAll(document, value);
  }
}

/** What an answer has that its operation does not describe: its status, its body, its error row. */
export function undescribed(document: Document, { responses }: Operation, status: number, text: string): string[] {
  const response = responses[String(status)];
  if (!response) return [`status ${status} is not described: ${text.slice(0, 200)}`];
  const { schema, examples = {} } = response.content?.["application/json"] ?? {};
  if (text === "") {
    // What succeeds without a body may fail with the same status, and a body.
    const isBare = !schema || response.description.startsWith("Done, without a body");
    return isBare ? [] : [`status ${status} should have a body`];
  }
  if (!schema) return [`status ${status} should have no body: ${text.slice(0, 200)}`];
  const json = JSON.parse(text) as Partial<Row>;
  const found = misfits(document, schema, json);
  if (json.error_code === undefined) return found;
  // The text, except where it ends in a reason ("…failed:{reason}").
  const isRow = Object.values(examples).some(({ value: { error_code, error_desc } }) => {
    const [start = "", reason] = error_desc.split("{reason}");
    return (
      error_code === json.error_code &&
      (reason === undefined ? json.error_desc === start : json.error_desc?.startsWith(start))
    );
  });
  return isRow ? found : [...found, `${status} ${json.error_code} ${json.error_desc} is not described`];
}
