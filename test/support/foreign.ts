import { test } from "bun:test";

/**
 * Tests that need a foreign program. Where it is missing they are skipped with a printed line; with
 * ISLET_REQUIRE_TOOLS=1 (CI) a missing program is a failure.
 */
export function withProgram(name: string, extraFolders = "/usr/sbin:/usr/local/sbin") {
  const path = Bun.which(name, { PATH: `${process.env.PATH}:${extraFolders}` });
  if (!path && process.env.ISLET_REQUIRE_TOOLS === "1") {
    test(`${name} is installed`, () => {
      throw new Error(`${name} is missing, and ISLET_REQUIRE_TOOLS is set`);
    });
  }
  if (!path) console.log(`skipped: tests with ${name}, which is not installed`);
  return { path: path ?? "", test: test.skipIf(!path) };
}
