/** The command line does not make sense. Usage goes to standard error, the exit code is 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export type Arguments = { readonly positional: readonly string[]; readonly flags: Readonly<Record<string, string>> };

/** `--key value`, `--key=value`, `--switch` for the names in `switches`, and what stands alone. Throws UsageError. */
export function parseArguments(words: readonly string[], switches: ReadonlySet<string> = new Set()): Arguments {
  const positional: string[] = [];
  const flags: Record<string, string> = {};
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (!word.startsWith("--")) {
      positional.push(word);
      continue;
    }
    const [name, inline] = splitOnce(word.slice(2));
    if (Object.hasOwn(flags, name)) throw new UsageError(`--${name} is given twice`);
    const value = inline ?? (switches.has(name) ? "true" : words[++index]);
    if (value === undefined) throw new UsageError(`--${name} needs a value`);
    flags[name] = value;
  }
  return { positional, flags };
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Throws UsageError when a positional word is missing or left over. */
export function expectWords(positional: readonly string[], ...names: string[]): string[] {
  if (positional.length < names.length) throw new UsageError(`${names[positional.length]} is missing`);
  if (positional.length > names.length) throw new UsageError(`${positional[names.length]} is not expected`);
  return [...positional];
}
