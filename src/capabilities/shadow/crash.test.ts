import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DesiredProperty } from "./desired";

const ROUNDS = 6;

/** Runs the child until it has said so many lines, then kills it. Gives all that it said. */
async function run(path: string, mode: string, lines = Number.POSITIVE_INFINITY): Promise<string[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "testing/crash-child.ts"), path, mode], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const said: string[] = [];
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    said.push(...parts);
    if (said.length >= lines) child.kill("SIGKILL"); // what it still said before it died is read to the end
  }
  await child.exited;
  return said;
}

const numbersOf = (said: readonly string[], word: string) =>
  said.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length)));

test("killed at any moment: what was acknowledged reaches the device, and what is told is what is stored", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-desired-"));
  const path = join(folder, "registry.db");
  const said: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const first = (numbersOf(said, "wanted").at(-1) ?? 0) + 1;
    said.push(...(await run(path, String(first), 20 + Math.floor(Math.random() * 200))));
  }
  const acknowledged = numbersOf(said, "wanted").at(-1) as number;
  const end = await run(path, "finish");
  expect(end.at(-1)).toBe("end");
  said.push(...end);

  const db = new Database(path, { readonly: true, strict: true });
  const row = db.query<{ properties: string; open: number }, []>("SELECT properties, open FROM desired_service").get();
  const { limit } = JSON.parse(row?.properties ?? "{}") as { limit: DesiredProperty };
  const told = db.query<{ value: number; status: string }, []>("SELECT value, status FROM told ORDER BY no").all();
  db.close();
  rmSync(folder, { recursive: true });

  // One more may have been stored whose acknowledgement did not get out any more.
  expect([acknowledged, acknowledged + 1]).toContain(limit.value as number);
  expect([row?.open, limit.delivery.state]).toEqual([0, "delivered"]);
  expect(numbersOf(said, "got").at(-1)).toBe(limit.value as number);
  expect(told.at(-1)).toEqual({ value: limit.value as number, status: "DELIVERED" });
  const got = new Set(numbersOf(said, "got"));
  expect(told.filter(({ value }) => !got.has(value))).toEqual([]); // nothing is told that the device never had
}, 120_000);
