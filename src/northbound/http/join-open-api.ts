/** What one API gives to the document of the process. */
export type OpenApiPart = {
  readonly tags?: readonly object[] | undefined;
  readonly paths?: Readonly<Record<string, object>> | undefined;
  /** Kinds (schemas, securitySchemes, …) of named things. */
  readonly components?: object | undefined;
};

/**
 * One document of several APIs: `main` with the tags, paths and components of the others. Throws an Error when two of
 * them describe the same path, or give one name to two things.
 */
export function joinOpenApi<D extends OpenApiPart>(main: D, ...others: readonly OpenApiPart[]): D {
  const parts = [main, ...others];
  const components = parts.map((part) => Object.entries<Record<string, unknown>>({ ...part.components }));
  const kinds = new Set(components.flatMap((kind) => kind.map(([name]) => name)));
  return {
    ...main,
    tags: parts.flatMap(({ tags }) => tags ?? []),
    paths: join(parts.map(({ paths }) => paths)),
    components: Object.fromEntries(
      [...kinds].map((kind) => [kind, join(components.map((it) => Object.fromEntries(it)[kind]))]),
    ),
  };
}

function join<T>(records: readonly (Readonly<Record<string, T>> | undefined)[]): Record<string, T> {
  const joined: Record<string, T> = {};
  for (const [name, value] of records.flatMap((record) => Object.entries(record ?? {}))) {
    if (Object.hasOwn(joined, name)) throw new Error(`two APIs describe ${name}`);
    joined[name] = value;
  }
  return joined;
}
