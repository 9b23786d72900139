import { expect, test } from "bun:test";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM, startIslet, temporaryFolder } from "../support/islet";

const built = join(import.meta.dir, "../../dist/islet");
if (!existsSync(built)) console.log("skipped: tests of dist/islet, which is not built (npm run build)");

async function demo(program: readonly string[], cwd: string) {
  const child = Bun.spawn([...program, "demo", "--once"], { cwd, stdout: "pipe", stderr: "pipe" });
  const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return { code, lastLine: out.trimEnd().split("\n").at(-1) };
}
const WELL = { code: 0, lastLine: expect.stringContaining("all is well") };

test("the demo does one round from source and checks itself", async () => {
  expect(await demo(PROGRAM, import.meta.dir)).toEqual(WELL);
});

test.skipIf(!existsSync(built))("the compiled binary is one file that needs nothing beside it", async () => {
  using folder = temporaryFolder();
  const alone = join(folder.path, "islet");
  copyFileSync(built, alone);
  // Files of this kind in the working directory must not reach it.
  await Bun.write(join(folder.path, ".env"), "ISLET_NOTHING=1\n");
  await Bun.write(join(folder.path, "bunfig.toml"), 'preload = ["./missing.ts"]\n');
  expect(await demo([alone], folder.path)).toEqual(WELL);

  await using islet = await startIslet({ data: join(folder.path, "data"), program: [alone] });
  expect((await fetch(`http://${islet.ready.http}/healthz`)).status).toBe(200);
  expect(await islet.stop()).toBe(0);
});
