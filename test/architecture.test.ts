import { expect, test } from "bun:test";
import { posix } from "node:path";
import { Glob } from "bun";

// Change these tables in the commit that changes the architecture.
const MAY_IMPORT: Record<string, readonly string[]> = {
  wire: [],
  platform: [],
  capabilities: ["platform", "wire"],
  access: ["capabilities", "platform", "wire"],
  northbound: ["capabilities", "platform"],
  simulator: ["platform", "wire"],
  console: ["northbound"],
  app: ["access", "capabilities", "console", "northbound", "platform", "simulator", "wire"],
  "main.ts": ["app", "platform"],
};
// Inside these folders a neighbour may use only the neighbours before it.
const ORDER: Record<string, readonly string[]> = {
  capabilities: [
    "applications",
    "products",
    "devices",
    "groups",
    "telemetry",
    "codecs",
    "resources",
    "shadow",
    "commands",
    "diagnosis",
    "packages",
    "upgrades",
    "lora",
    "subscriptions",
    "rules",
    "batch",
    "trace",
    "audit",
    "reports",
  ],
  access: ["datagram", "dtls", "coap", "lwm2m", "mqtt"],
  northbound: ["http", "management", "oceanconnect"],
};
// Siblings that must not know each other, whatever their order: dialects.
const STRANGERS = new Set(["management", "oceanconnect"]);

const isTest = (file: string) => file.endsWith(".test.ts") || file.includes("/testing/");

function isAllowed(file: string, target: string): boolean {
  const [, from = "", fromPart = ""] = file.split("/");
  const [top, to = "", toPart = ""] = target.split("/");
  // Numbered SQL is data: tests of repositories open real databases with it, `app` runs it.
  if (top === "migrations" || target === "package.json") return from === "app" || isTest(file);
  if (from !== to) return MAY_IMPORT[from]?.includes(to) ?? false;
  if (fromPart === toPart || STRANGERS.has(fromPart) !== STRANGERS.has(toPart)) return inOrder(from, fromPart, toPart);
  return !STRANGERS.has(fromPart) && inOrder(from, fromPart, toPart);
}

function inOrder(folder: string, fromPart: string, toPart: string): boolean {
  const order = ORDER[folder];
  return !order || fromPart === toPart || (order.includes(toPart) && order.indexOf(toPart) < order.indexOf(fromPart));
}

test("imports follow the allowed directions", async () => {
  const breaches: string[] = [];
  for await (const file of new Glob("src/**/*.{ts,tsx}").scan()) {
    const source = await Bun.file(file).text();
    for (const [, target = ""] of source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const resolved = posix.join(posix.dirname(file), target);
      if (!isAllowed(file, resolved)) breaches.push(`${file} → ${target}`);
    }
  }
  expect(breaches).toEqual([]);
});

test("time and timers come from the clock", async () => {
  const breaches: string[] = [];
  for await (const file of new Glob("src/**/*.{ts,tsx}").scan()) {
    if (file === "src/platform/clock.ts") continue;
    const source = await Bun.file(file).text();
    if (/\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/.test(source))
      breaches.push(file);
  }
  expect(breaches).toEqual([]);
});
