import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Islet, startIslet, temporaryFolder } from "../../support/islet";
import { ENDPOINTS, lineKey } from "./document";

/** What came back, as it was on the wire. */
export type Seen = { readonly status: number; readonly text: string; readonly headers?: Headers };

/** Undefined: it is no error. */
export const codeOf = ({ text }: Seen): string | undefined => JSON.parse(text).error_code;

/** One line of an error table: how it comes about, or why it cannot here (a reason for people, in a full sentence). */
export type Row<W> =
  | { readonly line: `${number} ${string}`; readonly provoke: (world: W) => Promise<Seen> }
  | { readonly line: `${number} ${string}`; readonly cannot: string };

export type Endpoint<W> = {
  readonly section: string;
  /** The good case: asserts status, every field of the response and its type, and nothing else in it. */
  readonly works: (world: W) => Promise<void>;
  readonly rows: readonly Row<W>[];
};

export type Chapter<W> = {
  /** "1.5": every endpoint below it must be in the table. */
  readonly chapters: readonly string[];
  /** These endpoints of them alone, where a chapter has several files; tables.test.ts sees that no file leaves out one. */
  readonly sections?: readonly string[];
  readonly settings?: Record<string, string>;
  /** Makes what the rows need, once; rows make the rest for themselves and do not lean on each other. `data`: its folder. */
  readonly furnish: (islet: Islet, data: string) => Promise<W>;
  readonly close?: (world: W) => Promise<void>;
  readonly endpoints: readonly Endpoint<W>[];
  /** Declares further tests of the chapter against the same process: limits of parameters, the order of checks. */
  readonly more?: (world: () => W) => void;
};

const START_MS = 60_000; // a process and all that its rows need, on a machine that has other things to do

/**
 * The table of one or more chapters against a started process. `line` is `status code`, and the text where an endpoint
 * has two lines that differ in nothing else. Every line of the document must be there once, and no other.
 */
export function testChapter<W>({ chapters, sections, settings, furnish, close, endpoints, more }: Chapter<W>): void {
  const title = (sections ?? chapters).join(", ");
  const documented = ENDPOINTS.filter(
    ({ section }) =>
      chapters.some((chapter) => section.startsWith(`${chapter}.`)) && (sections?.includes(section) ?? true),
  );

  test(`${title}: every endpoint and every error line of the document is in the table, once`, () => {
    expect(endpoints.map(({ section }) => section)).toEqual(documented.map(({ section }) => section));
    for (const { section, errors } of documented) {
      const rows = endpoints.find((it) => it.section === section)?.rows ?? [];
      const wanted = errors.map((line) => `${section}: ${lineKey(line)}`).sort();
      expect(rows.map(({ line }) => `${section}: ${lineOf(section, line)}`).sort()).toEqual(wanted);
    }
  });

  describe(title, () => {
    const folder = temporaryFolder();
    let islet: Islet | undefined;
    let world: W | undefined;
    beforeAll(async () => {
      islet = await startIslet({ data: folder.path, ...(settings && { settings }) });
      world = await furnish(islet, folder.path);
    }, START_MS);
    afterAll(async () => {
      if (world !== undefined) await close?.(world);
      await islet?.stop();
      folder[Symbol.dispose]();
    });
    const furnished = (): W => {
      if (world === undefined) throw new Error("the process did not start");
      return world;
    };
    for (const { section, works, rows } of endpoints) {
      test(`${section} works`, () => works(furnished()));
      for (const row of rows) {
        if ("cannot" in row) continue;
        test(`${section} answers ${row.line}`, async () => {
          const { status, text } = await row.provoke(furnished());
          const { error_code, error_desc } = JSON.parse(text) as Record<string, unknown>;
          const line = lineOf(section, row.line);
          expect(cutAs(line, `${status} ${error_code} ${error_desc}`)).toBe(line);
        });
      }
    }
    more?.(furnished);
  });
}

/** The whole line of the document that `line` begins; throws when it begins none or several. */
function lineOf(section: string, line: string): string {
  const lines = (ENDPOINTS.find((it) => it.section === section)?.errors ?? []).map(lineKey);
  const found = lines.filter((it) => it === line || it.startsWith(`${line} `));
  if (found.length !== 1 || !found[0]) throw new Error(`${section}: ${line} is ${found.length} lines of the document`);
  return found[0];
}

/** A line whose text ends in the document's cut format sign says a reason there; some reason must have come. */
function cutAs(line: string, seen: string): string {
  const start = line.slice(0, -1);
  return line.endsWith(":%") && seen.startsWith(start) && seen.length > start.length ? line : seen;
}
