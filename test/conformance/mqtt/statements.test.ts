import { expect, test } from "bun:test";
import { Glob } from "bun";

/** How many statements appendix B of MQTT 3.1.1 has in each section. */
const SECTIONS: Record<string, number> = {
  "1.5.3": 3,
  "2.2.2": 2,
  "2.3.1": 7,
  "3.1.0": 2,
  "3.1.2": 24,
  "3.1.3": 11,
  "3.1.4": 5,
  "3.2.0": 1,
  "3.2.2": 6,
  "3.3.1": 12,
  "3.3.2": 3,
  "3.3.4": 1,
  "3.3.5": 2,
  "3.6.1": 1,
  "3.8.1": 1,
  "3.8.3": 4,
  "3.8.4": 6,
  "3.9.3": 2,
  "3.10.1": 1,
  "3.10.3": 2,
  "3.10.4": 6,
  "3.12.4": 1,
  "3.14.1": 1,
  "3.14.4": 3,
  "4.1.0": 2,
  "4.2.0": 1,
  "4.3.1": 1,
  "4.3.2": 2,
  "4.3.3": 2,
  "4.4.0": 1,
  "4.5.0": 2,
  "4.6.0": 6,
  "4.7.1": 3,
  "4.7.2": 1,
  "4.7.3": 4,
  "4.8.0": 2,
  "6.0.0": 4,
  "7.0.0": 2,
  "7.1.1": 2,
  "7.1.2": 2,
};

test("the table of statements is complete, and its files name what it says", async () => {
  const named = new Map<string, Set<string>>();
  for await (const file of new Glob("*.test.ts").scan(import.meta.dir)) {
    const source = await Bun.file(`${import.meta.dir}/${file}`).text();
    for (const [group] of source.matchAll(/MQTT-[\d., -]*\d/g)) {
      for (const [id] of group.matchAll(/\d+\.\d+\.\d+-\d+/g)) named.set(id, (named.get(id) ?? new Set()).add(file));
    }
  }
  const readme = await Bun.file(`${import.meta.dir}/README.md`).text();
  const rows = [...readme.matchAll(/^\| MQTT-(\S+) +\| (.*?) +\|$/gm)].map(([, id, where]) => [id, where] as const);
  const expected = Object.entries(SECTIONS).flatMap(([section, count]) =>
    Array.from({ length: count }, (_, index) => `${section}-${index + 1}`),
  );
  expect(rows.map(([id]) => id)).toEqual(expected);
  const wrong = rows.filter(
    ([id = "", where = ""]) =>
      !where.startsWith("not tested: ") && !where.split(", ").every((file) => named.get(id)?.has(file)),
  );
  expect(wrong).toEqual([]);
});
