import { expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { withProgram } from "./support/foreign";
import { ADMIN_PASSWORD, PROGRAM, startIslet, temporaryFolder } from "./support/islet";

setDefaultTimeout(120_000);
const ROOT = join(import.meta.dir, "..");
const TOURS = [
  "## An application to begin with",
  "## The first MQTT device in five minutes",
  "## The first NB-IoT device in five minutes",
  "## Upgrade a device in five commands",
];
const isComplete = ["curl", "jq", "openssl", "mosquitto_pub", "zip"]
  .map((name) => withProgram(name))
  .every(({ path }) => path !== "");

/** The patience of a test. */
const SETTINGS = { "lwm2m.awake_ms": "500", "upgrades.wait_ms": "100" };

/** The shell blocks between that headline and the next of its rank. */
function blocksOf(readme: string, headline: string): string {
  const start = readme.indexOf(`${headline}\n`);
  expect([headline, start > 0]).toEqual([headline, true]);
  const section = readme.slice(start, readme.indexOf("\n## ", start));
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join("\n");
}

test.skipIf(!isComplete)("the tours of the README do what they say, pasted one after the other", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: join(folder.path, "data"), settings: SETTINGS });
  symlinkSync(join(ROOT, "docs"), join(folder.path, "docs"));
  const portOf = (address: string) => address.slice(address.lastIndexOf(":") + 1);
  const { http, mqtt, coap, coaps } = islet.ready;
  // What differs from a server with the defaults, and from the patience of a reader.
  const here: [readme: string, test: string][] = [
    ["PASSWORD=…", `PASSWORD='${ADMIN_PASSWORD}'`],
    ["http://localhost:8080", `http://${http}`],
    ["-p 1883", `-p ${portOf(mqtt)}`],
    ["localhost:5683", coap],
    ["localhost:5684", coaps],
    ["sleep 95", "sleep 1"],
    ["--seconds 5", "--seconds 3"],
    ["--seconds 30 --upgrade good", "--seconds 6 --upgrade good --install-ms 200 --restart-ms 200"],
  ];
  const readme = await Bun.file(join(ROOT, "README.md")).text();
  let script = TOURS.map((headline) => blocksOf(readme, headline)).join("\n");
  for (const [from, to] of here) {
    expect(script).toContain(from);
    script = script.replaceAll(from, to);
  }
  const program = PROGRAM.map((word) => `'${word}'`).join(" ");
  const shell = Bun.spawn(["bash", "-euo", "pipefail", "-c", `islet() { ${program} "$@"; }\n${script}`], {
    ...{ cwd: folder.path, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    env: { ...process.env, ISLET_SIGN_PASSWORD: "of the manufacturer" },
  });
  const [code, out, err] = await Promise.all([shell.exited, shell.stdout.text(), shell.stderr.text()]);
  expect({ code, err }).toEqual({ code: 0, err: "" });

  // In this order.
  const says = [
    '"temperature": 21.5',
    '"subscriptionId"',
    '"kind": "messages"',
    "1 of 1 registered",
    '{"level":0}',
    '{"status":"PENDING","result":null}',
    '"answersSent":1,',
    '{"status":"SUCCESSFUL","result":{"resultCode":"SUCCESSFUL","resultDetail":{"result":1}}}',
    '{"status":"PENDING"}',
    '"handshakes":1,',
    '{"status":"SUCCESSFUL","result":{"resultCode":"SUCCESSFUL","resultDetail":{"result":2}}}',
    '"reason":"dtls_opened"',
    '"level": 350',
    '"fitsModel": true',
    '{"hex":"03000701"}',
    '"kind": "script"',
    "private.pem: keep this one",
    "detector_signed.zip: firmware, signed",
    '{"manufacturerName":"Example","algorithm":"ecdsa-p256"}',
    '"installed":1,',
    '{"status":"success","stage":null,"sourceVersion":"1.0.0","currentVersion":"2.0.0","detail":null}',
    '{"status":"success","counts":{"total":1,"wait":0,"processing":0,"success":1,',
    '"reason":"upgrade_executing"',
  ];
  let at = 0;
  for (const line of says) {
    const found = out.indexOf(line, at);
    expect([line, found >= 0 ? line : out.slice(at)]).toEqual([line, line]);
    at = found;
  }
});
