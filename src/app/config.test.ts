import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { ConfigError, environmentName, KEYS, loadConfig, printConfig } from "./config";

test("the command line wins over the environment, over the file, over the defaults", () => {
  const file = {
    name: "islet.toml",
    values: parse('[http]\nlisten = "h:1"\n[mqtt]\nlisten = "m:1"\n[log]\nlevel = "warn"'),
  };
  const config = loadConfig({
    file,
    environment: { ISLET_HTTP_LISTEN: "h:2", ISLET_MQTT_LISTEN: "m:2", PATH: "/bin" },
    flags: { "http.listen": "h:3" },
  });
  expect([config["http.listen"], config["mqtt.listen"], config["log.level"], config.durability]).toEqual([
    "h:3",
    "m:2",
    "warn",
    "full",
  ]);
});

const REFUSED: [why: string, sources: Parameters<typeof loadConfig>[0], says: string][] = [
  [
    "an unknown key in the file",
    { file: { name: "f.toml", values: { http: { liste: "x" } } } },
    "f.toml: unknown key http.liste",
  ],
  [
    "an unknown key in the environment",
    { environment: { ISLET_HTTP_LISTE: "x" } },
    "environment: unknown key ISLET_HTTP_LISTE",
  ],
  ["an unknown flag", { flags: { "http.liste": "x" } }, "command line: unknown key http.liste"],
  ["a key of the prototype", { flags: { constructor: "x" } }, "unknown key constructor"],
  ["a port over 65535", { flags: { "http.listen": "localhost:70000" } }, "http.listen: port over 65535"],
  ["an address without a port", { flags: { "mqtt.listen": "localhost" } }, "mqtt.listen: is not HOST:PORT or off"],
  ["a number that is none", { flags: { "api.calls_per_minute": "many" } }, "api.calls_per_minute"],
  ["half a call", { flags: { "api.calls_per_minute": "1.5" } }, "api.calls_per_minute: is not a whole number"],
  ["a negative number", { flags: { "api.calls_per_minute": "-1" } }, "api.calls_per_minute: is not a number"],
  [
    "nothing for a number",
    { environment: { ISLET_API_CALLS_PER_MINUTE: "" } },
    "api.calls_per_minute: is not a number",
  ],
  [
    "a truth for a number",
    { file: { name: "f.toml", values: { api: { calls_per_minute: true } } } },
    "api.calls_per_minute: is not a number",
  ],
  [
    "less than the least",
    { file: { name: "f.toml", values: { http: { max_body_bytes: 0 } } } },
    "http.max_body_bytes: is not 1024 or more",
  ],
  ["a certificate without its key", { flags: { "tls.cert_file": "a.pem" } }, "go together"],
];
test.each(REFUSED)("%s is refused by name", (_why, sources, says) => {
  expect(() => loadConfig(sources)).toThrow(ConfigError);
  expect(() => loadConfig(sources)).toThrow(says);
});

test("all problems are told at once", () => {
  expect(() => loadConfig({ flags: { a: "1", b: "2" } })).toThrow(/unknown key a\n.*unknown key b/);
});

test("variables that Kubernetes sets for a service of our name are not ours", () => {
  expect(() =>
    loadConfig({ environment: { ISLET_PORT: "tcp://10.0.0.1:80", ISLET_SERVICE_HOST: "10.0.0.1" } }),
  ).not.toThrow();
});

test("the printed file is TOML that gives the defaults, and names every key", () => {
  const printed = printConfig();
  expect(loadConfig({ file: { name: "printed", values: parse(printed) } })).toEqual(loadConfig({}));
  for (const path of Object.keys(KEYS)) expect(printed).toContain(environmentName(path));
});

test("a number of a capability is reached by its path, and keeps its default otherwise", () => {
  const { settings } = loadConfig({ environment: { ISLET_PUSH_ANSWER_TIMEOUT_MS: "50" } });
  expect([settings.push.answerTimeoutMs, settings.push.keepMs]).toEqual([50, 600_000]);
});

test("a share is not a whole number", () => {
  expect(loadConfig({ flags: { "history.duty_cycle": "0.5" } }).settings.history.dutyCycle).toBe(0.5);
});
