import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";

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
