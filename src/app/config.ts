import { z } from "zod";
import { GROUP_TITLES, GROUPS, type Settings } from "./settings";

/** One key: its default, its check and what it means. The path of the key is its name everywhere. */
type Key<T> = { readonly fallback: T; readonly about: string; readonly check: z.ZodType<T> };

const text = (fallback: string, about: string): Key<string> => ({ fallback, about, check: z.string() });
const optional = (about: string): Key<string | undefined> => ({
  fallback: undefined,
  about,
  check: z.string().min(1).optional(),
});
const choice = <const T extends string>(values: readonly T[], fallback: T, about: string): Key<T> => ({
  fallback,
  about: `${about}: ${values.join(", ")}`,
  check: z.enum(values) as z.ZodType<T>,
});
/** A number, or its text in the environment and on the command line. Whole, when its default is. */
const number = (fallback: number, about: string, min = 0): Key<number> => ({
  fallback,
  about,
  check: z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d+(\.\d+)?$/)
          .transform(Number),
      ],
      "is not a number",
    )
    .refine((value) => value >= min && value <= Number.MAX_SAFE_INTEGER, `is not ${min} or more`)
    .refine((value) => Number.isInteger(value) || !Number.isInteger(fallback), "is not a whole number"),
});
const LISTEN = /^(off|(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5})$/;
const listen = (fallback: string, about: string): Key<string> => ({
  fallback,
  about: `${about}; HOST:PORT, port 0 takes a free one, "off" switches it off`,
  check: z
    .string()
    .regex(LISTEN, "is not HOST:PORT or off")
    .refine((value) => value === "off" || Number(value.slice(value.lastIndexOf(":") + 1)) <= 65_535, "port over 65535"),
});

/** What a user is likely to set. Every further limit and time is in `settings.ts`, a group for each capability. */
const FIXED_KEYS = {
  data: text("./data", "folder of the databases, keys, certificates and packages"),
  durability: choice(["full", "relaxed"], "full", "what an acknowledgement means; full: fsync before it"),
  "admin.password": optional("password of the user admin, taken at the very first start; else one is made and printed"),
  "log.level": choice(["debug", "info", "warn", "error"], "info", "least level that is logged"),
  "log.format": choice(["auto", "json", "pretty"], "auto", "auto is pretty on a terminal and json elsewhere"),

  "http.listen": listen("0.0.0.0:8080", "REST, console, package download"),
  "https.listen": listen("0.0.0.0:8743", "the same over TLS"),
  "http.public_host": text(
    "",
    "host, or host:port, that devices download packages from; empty: where they reached MQTT",
  ),
  "https.public_host": text("", "the same over TLS, which is preferred when it is on"),
  "http.max_body_bytes": number(32 * 1024 * 1024, "largest request body; product and package uploads included", 1_024),
  "tls.cert_file": optional("certificate chain (PEM) of your own; else one is made from Islet's own CA"),
  "tls.key_file": optional("private key (PEM) that belongs to tls.cert_file"),
  "tls.ca_file": optional("CA certificate (PEM) that clients may download, with tls.cert_file"),
  "tls.names": text("", "further names and addresses for the certificate that is made, separated by commas"),

  "mqtt.listen": listen("0.0.0.0:1883", "MQTT 3.1.1"),
  "mqtts.listen": listen("0.0.0.0:8883", "MQTT over TLS"),
  "mqtt.applications": choice(
    ["tls", "any", "off"],
    "tls",
    "where applications may log in with their secret, to take pushes by MQTT; tls: at mqtts.listen only",
  ),
  "coap.listen": listen("0.0.0.0:5683", "CoAP over UDP: LwM2M and the dialect of NB-IoT modules"),
  "coaps.listen": listen("0.0.0.0:5684", "the same over DTLS with pre-shared keys"),
  "coap.public_host": text(
    "",
    "host, or host:port, that devices download packages from by CoAP; empty: the listener's",
  ),
  "coaps.public_host": text("", "the same for CoAP in DTLS"),
} satisfies Record<string, Key<unknown>>;

/** Numbers, all of them: limits, and times with their unit in the name. */
const GROUP_KEYS: Record<string, Key<number>> = Object.fromEntries(
  Object.entries(GROUPS).flatMap(([group, { defaults, about }]) =>
    Object.entries(defaults as Record<string, number>).map(([name, fallback]) => [
      `${group}.${snakeCase(name)}`,
      number(fallback, (about as Record<string, string>)[name] ?? ""),
    ]),
  ),
);
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Every key by its path, in the order in which `print-config` shows them. */
export const KEYS: Readonly<Record<string, Key<unknown>>> = { ...FIXED_KEYS, ...GROUP_KEYS };

export type Config = { readonly [K in keyof typeof FIXED_KEYS]: (typeof FIXED_KEYS)[K]["fallback"] } & {
  readonly settings: Settings;
};

/** Says which key of which source is wrong, and why. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

export type Sources = {
  /** Content of the configuration file. */
  readonly file?: { readonly name: string; readonly values: Record<string, unknown> };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** `--mqtt.listen off` is {"mqtt.listen": "off"}. */
  readonly flags?: Readonly<Record<string, string>>;
};

/** Flags over environment over file over defaults. Throws ConfigError naming every key that is unknown or wrong. */
export function loadConfig({ file, environment = {}, flags = {} }: Sources): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const layers: [source: string, Record<string, unknown>][] = [
    [file?.name ?? "file", flatten(file?.values ?? {})],
    ["environment", fromEnvironment(environment, problems)],
    ["command line", flags],
  ];
  for (const [path, { fallback }] of Object.entries(KEYS)) values[path] = fallback;
  for (const [source, layer] of layers) {
    for (const [path, value] of Object.entries(layer)) {
      const key = Object.hasOwn(KEYS, path) ? KEYS[path] : undefined;
      if (!key) {
        problems.push(`${source}: unknown key ${path}`);
        continue;
      }
      const checked = key.check.safeParse(value);
      if (checked.success) values[path] = checked.data;
      else problems.push(`${source}: ${path}: ${checked.error.issues.map((issue) => issue.message).join(", ")}`);
    }
  }
  const { "tls.cert_file": cert, "tls.key_file": key } = values;
  if ((cert === undefined) !== (key === undefined)) problems.push("tls.cert_file and tls.key_file go together");
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return { ...values, settings: toSettings(values) } as Config;
}

function toSettings(values: Record<string, unknown>): Settings {
  const groups = Object.entries(GROUPS).map(([group, { defaults }]) => [
    group,
    Object.fromEntries(Object.keys(defaults).map((name) => [name, values[`${group}.${snakeCase(name)}`]])),
  ]);
  return Object.fromEntries(groups) as Settings;
}

/** TOML tables become dotted paths. */
function flatten(table: Record<string, unknown>, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, value]) =>
      isTable(value) ? Object.entries(flatten(value, `${prefix}${name}.`)) : [[prefix + name, value]],
    ),
  );
}
const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

export const environmentName = (path: string) => `ISLET_${path.toUpperCase().replaceAll(".", "_")}`;
const PATH_OF = new Map(Object.keys(KEYS).map((path) => [environmentName(path), path]));
// ISLET_MASTER_KEY belongs to the secrets. Kubernetes sets the last group for a service that is called islet.
const NOT_CONFIGURATION = /^ISLET_(MASTER_KEY|BUN|REQUIRE_TOOLS|PROGRAM|PORT|PORT_.*|SERVICE_.*)$/;

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>, problems: string[]) {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith("ISLET_") || NOT_CONFIGURATION.test(name)) continue;
    const path = PATH_OF.get(name);
    if (path) found[path] = value;
    else problems.push(`environment: unknown key ${name}`);
  }
  return found;
}

/** A commented TOML file with every key and its default; keys without a default are commented out. */
export function printConfig(): string {
  const lines = [
    "# Configuration of Islet. Every key can also be set by environment (the name in brackets)",
    "# or on the command line (--mqtt.listen 127.0.0.1:1883). Command line over environment over this file.",
  ];
  let headline: string | undefined;
  for (const [path, { fallback, about }] of Object.entries(KEYS)) {
    const title = Object.hasOwn(GROUP_KEYS, path) ? titleOf(path) : undefined;
    if (title !== headline) lines.push("", "", `# ${title}`);
    headline = title;
    lines.push("", `# ${about} [${environmentName(path)}]`);
    lines.push(fallback === undefined ? `# ${path} = ""` : `${path} = ${JSON.stringify(fallback)}`);
  }
  return `${lines.join("\n")}\n`;
}

const titleOf = (path: string): string => {
  const group = path.slice(0, path.indexOf(".")) as keyof typeof GROUPS;
  return `---- ${group}: ${GROUP_TITLES[group]} ----`;
};
