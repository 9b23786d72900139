import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { ENDPOINTS, NOTIFICATIONS } from "./conformance/oceanconnect/document";

const LINK = /\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g;
const NAMED = /`((?:src|test|bench|docs|migrations|scripts)\/[\w./-]*\w\/?)`/g;

test("paths that the documents name exist", async () => {
  const missing: string[] = [];
  let files = 0;
  for await (const file of new Glob("**/*.md").scan()) {
    if (file.startsWith("node_modules/")) continue;
    files++;
    const text = await Bun.file(file).text();
    for (const [, path = ""] of text.matchAll(LINK))
      if (!existsSync(join(dirname(file), path))) missing.push(`${file}: link to ${path}`);
    for (const [, path = ""] of text.matchAll(NAMED)) if (!existsSync(path)) missing.push(`${file}: ${path}`);
  }
  expect(missing).toEqual([]);
  expect(files).toBeGreaterThan(5);
});

/** `1.8.6 to 1.8.8`, `1.12.1`, or `1.12` for a whole chapter. */
function sectionsOf(text: string, all: readonly string[]): string[] {
  const [from = "", to = from] = text.trim().split(" to ");
  const first = all.indexOf(from);
  if (first >= 0) return all.slice(first, all.indexOf(to) + 1);
  return all.filter((section) => section.startsWith(`${from}.`));
}

/** The first two cells of each row of the tables of a chapter of a page, by their section. */
async function rowsOf(heading: string, all: readonly string[]) {
  const page = await Bun.file("docs/compatibility.md").text();
  const text = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = [...text.matchAll(/^\| *(1\.[\d.]+(?: to 1\.[\d.]+)?) *\|([^|]*)\|/gm)];
  const later = /^Not there yet: (.*?)\. /m.exec(text)?.[1]?.split(", ") ?? [];
  return {
    rows: rows.flatMap(([, name = "", cell = ""]) => sectionsOf(name, all).map((section) => ({ section, cell }))),
    later: later.flatMap((name) => sectionsOf(name, all)),
  };
}

test("the page of compatibility has a line for each endpoint, or says that it is not there yet", async () => {
  const all = ENDPOINTS.map(({ section }) => section);
  expect(all.length).toBe(54);
  const { rows, later } = await rowsOf("Endpoints", all);
  expect([...rows.map(({ section }) => section), ...later].sort()).toEqual(all.toSorted());
  // The two aliases of the document have no endpoint of their own.
  const wrong = rows.filter(({ section, cell }) => {
    const endpoint = ENDPOINTS.find((it) => it.section === section);
    return section !== "1.5.6" && cell.trim() !== `${endpoint?.method} \`${endpoint?.path}\``;
  });
  expect(wrong).toEqual([]);
});

test("and one for each notification, by its type", async () => {
  const all = NOTIFICATIONS.map(({ section }) => section);
  expect(all.length).toBe(18);
  const { rows } = await rowsOf("Notifications", all);
  expect(rows.map(({ section }) => section)).toEqual(all);
  const unnamed = rows.filter(({ section, cell }) => {
    const type = NOTIFICATIONS.find((it) => it.section === section)?.type ?? "notifyType"; // 1.8.12 has none
    return !cell.includes(`\`${type}\``);
  });
  expect(unnamed).toEqual([]);
});
