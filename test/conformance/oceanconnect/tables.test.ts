import { expect, test } from "bun:test";
import { Glob } from "bun";
import { ENDPOINTS, lineKey, NOTIFICATIONS } from "./document";

const SECTION = /\bsection: "(1\.[\d.]+)"/g;
const sectionsIn = (source: string) => [...source.matchAll(SECTION)].map(([, section = ""]) => section);
const textOf = (name: string) => Bun.file(`${import.meta.dir}/${name}`).text();

test("every endpoint of the document has its table, in one file, once", async () => {
  const files = [...new Glob("chapter-*.test.ts").scanSync(import.meta.dir)];
  const sources = await Promise.all(files.map(textOf));
  // The lines of each table are counted where it is: by testChapter.
  for (const [index, source] of sources.entries())
    expect([files[index], source]).toEqual([files[index], expect.stringContaining("\ntestChapter<")]);
  expect(sources.flatMap(sectionsIn).sort()).toEqual(ENDPOINTS.map(({ section }) => section).sort());
});

test("every notification of the document is told, once", async () => {
  const files = [...new Glob("notification*.ts").scanSync(import.meta.dir)];
  const sources = await Promise.all(files.map(textOf));
  expect(sources.flatMap(sectionsIn).sort()).toEqual(NOTIFICATIONS.map(({ section }) => section).sort());
});

test("the document has 54 endpoints, 475 lines of errors and 18 notifications", () => {
  expect([ENDPOINTS.length, NOTIFICATIONS.length]).toEqual([54, 18]);
  const lines = ENDPOINTS.flatMap(({ section, errors }) => errors.map((line) => `${section} ${lineKey(line)}`));
  expect([lines.length, new Set(lines).size]).toEqual([475, 475]);
});
