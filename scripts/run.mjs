// The door for `npm run …` on a machine that has only Node and npm: sets the project up when needed, then works.
// Plain Node, no dependency, because it runs before there are any.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "node_modules", ".islet-setup");

/** Installs exactly the lockfile. The stamp is written last, so an interrupted set-up is done again. */
function setUp() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .update(`${process.platform} ${process.arch}`)
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("Setting up: npm ci");
  const install = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (install.status !== 0) fail("npm ci failed; run the command again when the cause is gone");
  writeFileSync(stamp, wanted);
}

/** The Bun of node_modules: the platform package holds the program itself, whatever install scripts were allowed. */
function findBun() {
  const candidates = ["", "-baseline", "-musl", "-musl-baseline"].map((variant) =>
    join(root, "node_modules", "@oven", `bun-${process.platform}-${cpu()}${variant}`, "bin", "bun"),
  );
  candidates.push(join(root, "node_modules", "bun", "bin", "bun.exe"), join(root, "node_modules", ".bin", "bun"));
  const works = (path) => existsSync(path) && spawnSync(path, ["--version"]).status === 0;
  const found = candidates.find(works);
  if (!found) fail(`no Bun program for ${process.platform} ${process.arch} in node_modules`);
  return found;
}
const cpu = () => (process.arch === "arm64" ? "aarch64" : process.arch);

function fail(message) {
  console.error(message);
  process.exit(1);
}

const packageBin = (name, path) => join(dirname(createRequire(join(root, "x")).resolve(`${name}/package.json`)), path);

/** Runs a step to its end; a failing one ends everything. */
function step(name, command, args) {
  console.log(`— ${name}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    console.log(`failed: ${name}`);
    process.exit(status ?? 1);
  }
}

/** The program takes over: signals reach it, its exit code is ours. */
function become(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

/** Checks in the order of their price, then the tests; the last line is `N passed, N failed`. */
async function runTests(bun, args) {
  if (args.length === 0) {
    step("the format and the rules of the linter hold", packageBin("@biomejs/biome", "bin/biome"), [
      "check",
      "--error-on-warnings",
      ".",
    ]);
    step("the types hold", packageBin("typescript", "bin/tsc"), ["-p", "."]);
    step("imports follow the architecture", bun, ["test", "test/architecture.test.ts"]);
    step("the binary builds", bun, ["scripts/build.ts"]);
  }
  console.log("— the tests pass");
  // Much of the time is waiting for processes and disks: three parts at once. What is not the first is shown at its end.
  const parts = args.length === 0 ? [["test/journeys/"], besideJourneys(), ["src/", "bench/"]] : [args];
  const results = await Promise.all(parts.map((filters, at) => runPart(bun, filters, at === 0)));
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  process.exit(sum("failed") > 0 || results.some(({ passed }) => passed === 0) ? 1 : 0);
}

/** Everything else of `test`: folders, and files beside them. */
const besideJourneys = () =>
  readdirSync(join(root, "test"), { withFileTypes: true })
    .filter(({ name }) => name !== "journeys")
    .map((it) => `test/${it.name}${it.isDirectory() ? "/" : ""}`);

async function runPart(bun, filters, isShown) {
  const child = spawn(bun, ["test", "--timeout", "30000", ...filters], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      if (isShown) process.stdout.write(chunk);
    });
  }
  const code = await new Promise((resolve) => child.on("exit", resolve));
  if (!isShown) process.stdout.write(output);
  const last = (word) => Number([...output.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  return { passed: last("pass"), failed: Math.max(last("fail"), code === 0 ? 0 : 1) };
}

const [command, ...args] = process.argv.slice(2);
setUp();
const bun = findBun();
process.env.ISLET_BUN = bun; // what tests start as "the program from source"
switch (command) {
  case "test":
    await runTests(bun, args);
    break;
  case "build":
    become(bun, ["scripts/build.ts", ...args]);
    break;
  case "bench":
    become(bun, ["bench/main.ts", ...args]);
    break;
  case "demo":
    become(bun, ["src/main.ts", "demo", ...args]);
    break;
  case "setup":
    break; // done above
  case "start":
    become(bun, ["src/main.ts", "serve", ...args]);
    break;
  default:
    fail("usage: node scripts/run.mjs demo|start|test|build|bench|setup [arguments]");
}
