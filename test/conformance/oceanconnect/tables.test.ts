import { expect, test } from "bun:test";
import { Glob } from "bun";
import { ENDPOINTS } from "./document";

const SECTION = /\bsection: "(1\.[\d.]+)"/g;
const chapterOf = (section: string) => section.slice(0, section.lastIndexOf("."));

test("a chapter that has a file has all its endpoints, each in one file, once", async () => {
  const files = [...new Glob("chapter-*.test.ts").scanSync(import.meta.dir)];
  const sources = await Promise.all(files.map((name) => Bun.file(`${import.meta.dir}/${name}`).text()));
  const found = sources.flatMap((source) => [...source.matchAll(SECTION)].map(([, section = ""]) => section));
  const chapters = new Set(found.map(chapterOf));
  const wanted = ENDPOINTS.map(({ section }) => section).filter((section) => chapters.has(chapterOf(section)));
  expect(found.sort()).toEqual(wanted.sort());
});
