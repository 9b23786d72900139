import { mkdirSync } from "node:fs";

/** Builds `dist/islet`: one file with the runtime, the program, its threads, the migrations and the console. */
mkdirSync("dist", { recursive: true });
const build = Bun.spawnSync(
  [
    process.execPath,
    "build",
    "--compile",
    "--minify-syntax",
    "--no-compile-autoload-dotenv", // a stray .env or bunfig.toml in the working directory is not ours
    "--no-compile-autoload-bunfig",
    "src/main.ts",
    "src/platform/storage/writer-thread.ts",
    "src/capabilities/codecs/script/script-thread.ts",
    "--outfile",
    "dist/islet",
  ],
  { stdout: "ignore", stderr: "pipe" },
);
if (build.exitCode !== 0) {
  process.stderr.write(build.stderr);
  process.exit(build.exitCode);
}
// The program must at least come up: a module that only works from source shows here.
const version = Bun.spawnSync(["dist/islet", "version"], { stderr: "inherit" });
process.stdout.write(version.stdout);
process.exit(version.exitCode);
