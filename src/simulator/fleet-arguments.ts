import { FleetUsageError, optionalWhole, readOptions, whole } from "./arguments";
import { parseDeviceList } from "./device-list";
import type { DeviceCredentials } from "./device-login";
import type { FleetOptions } from "./mqtt-fleet";
import { type ApiAccess, registerDevices } from "./register-devices";
import { DEFAULT_PAYLOAD } from "./report-template";
import { BEHAVIOUR_USAGE, parseUpgradeOptions, UPGRADE_OPTIONS, UPGRADE_USAGE } from "./upgrade/arguments";

export const FLEET_USAGE = `islet sim mqtt [--broker mqtt://127.0.0.1:1883] <devices> [options]
devices, one of
  --devices FILE          JSON [{"deviceId","secret"}] or CSV with these columns
  --api URL --app ID --secret SECRET --product ID [--count 10] [--prefix sim]
                          registers devices through the application API
  --anonymous N           for a plain broker that lets anybody in
options
  --rate N | flood        reports per second of all together (default: one per device and 5 s); 0: only stay connected
  --seconds N             how long is measured; 0: until interrupted (default 10)
  --warm-up N             seconds of load before that (default 0)
  --window N              unacknowledged reports of a device (default 20)
  --qos 0|1|2             (default 1)
  --payload TEXT          # is a random digit; all @ together count the reports of a device
  --no-commands           do not subscribe to commands
  --connecting N          connections opened at a time (default 100)
  --keep-alive N          seconds (default 60)
  --persistent            keep the sessions
  --ca FILE, --insecure   for mqtts:// and for packages over HTTPS: the authority to trust; or trust anybody
upgrades, over MQTT and HTTP
  --upgrade BEHAVIOUR[,BEHAVIOUR...]
                          the devices can be upgraded, and behave like this in turn; see below
${UPGRADE_USAGE}
behaviours
${BEHAVIOUR_USAGE}`;

export type FleetArguments = Omit<FleetOptions, "devices" | "address" | "signal" | "onPhase" | "rate" | "upgrade"> & {
  readonly upgrade: ReturnType<typeof parseUpgradeOptions>;
  readonly broker: { readonly host: string; readonly port: number; readonly tls: boolean };
  readonly caFile: string | undefined;
  readonly insecure: boolean;
  readonly rate: number | "flood" | undefined;
  readonly source:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "api"; readonly access: ApiAccess; readonly prefix: string; readonly count: number }
    | { readonly kind: "anonymous"; readonly count: number };
};

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean" } as const;
const OPTIONS = {
  broker: TEXT,
  devices: TEXT,
  api: TEXT,
  app: TEXT,
  secret: TEXT,
  product: TEXT,
  count: TEXT,
  prefix: TEXT,
  anonymous: TEXT,
  rate: TEXT,
  seconds: TEXT,
  "warm-up": TEXT,
  window: TEXT,
  qos: TEXT,
  payload: TEXT,
  "no-commands": FLAG,
  connecting: TEXT,
  "keep-alive": TEXT,
  persistent: FLAG,
  ca: TEXT,
  insecure: FLAG,
  ...UPGRADE_OPTIONS,
};
type Values = ReturnType<typeof read>;
/** Of a package over HTTP. */
const PIECE_BYTES = 65_536;

/** Arguments behind `sim mqtt`. Throws `FleetUsageError`. */
export function parseFleetArguments(args: readonly string[]): FleetArguments {
  const values = read(args);
  return {
    source: sourceOf(values),
    broker: brokerOf(values.broker ?? "mqtt://127.0.0.1:1883"),
    caFile: values.ca,
    insecure: values.insecure ?? false,
    rate: values.rate === "flood" ? "flood" : optionalWhole("rate", values.rate, 0, 10_000_000),
    seconds: whole("seconds", values.seconds, 10, 0, 1e9),
    warmUpSeconds: whole("warm-up", values["warm-up"], 0, 0, 86_400),
    window: whole("window", values.window, 20, 1, 32_767),
    qos: whole("qos", values.qos, 1, 0, 2) as 0 | 1 | 2,
    payload: values.payload ?? DEFAULT_PAYLOAD,
    commands: !(values["no-commands"] ?? false),
    connecting: whole("connecting", values.connecting, 100, 1, 10_000),
    keepAliveSeconds: whole("keep-alive", values["keep-alive"], 60, 0, 65_535),
    cleanSession: !(values.persistent ?? false),
    upgrade: parseUpgradeOptions(values),
  };
}

/** Reads the list of devices, or registers them. Throws `DeviceListError`, `RegistrationError`. */
export async function prepareFleet(
  { source, broker, caFile, insecure, rate, upgrade, ...options }: FleetArguments,
  readText: (path: string) => Promise<string>,
): Promise<FleetOptions> {
  const { host, port } = broker;
  const ca = caFile === undefined ? undefined : await readText(caFile);
  const tls = broker.tls && { rejectUnauthorized: !insecure, ...(ca !== undefined && { ca }) };
  const devices = await devicesOf(source, readText);
  const https = { ca, rejectUnauthorized: !insecure, pieceBytes: PIECE_BYTES };
  const upgradeOf = upgrade && ((index: number) => ({ ...upgrade(index), https }));
  return {
    ...options,
    upgrade: upgradeOf,
    address: { host, port, ...(tls && { tls }) },
    devices,
    rate: rate ?? devices.length / 5,
  };
}

async function devicesOf(
  source: FleetArguments["source"],
  readText: (path: string) => Promise<string>,
): Promise<(DeviceCredentials | { deviceId: string })[]> {
  switch (source.kind) {
    case "file":
      return parseDeviceList(await readText(source.path), ["deviceId", "secret"]);
    case "api":
      return registerDevices(source.access, source.prefix, source.count);
    case "anonymous":
      return Array.from({ length: source.count }, (_, index) => ({ deviceId: `sim-${index + 1}` }));
    default:
      return source satisfies never;
  }
}

const read = (args: readonly string[]) => readOptions(args, OPTIONS);

function sourceOf(values: Values): FleetArguments["source"] {
  const { devices, api, app, secret, product, anonymous } = values;
  if ([devices, api, anonymous].filter((it) => it !== undefined).length !== 1)
    throw new FleetUsageError("give one of --devices, --api and --anonymous");
  if (devices !== undefined) return { kind: "file", path: devices };
  if (anonymous !== undefined) return { kind: "anonymous", count: whole("anonymous", anonymous, 1, 1, 1_000_000) };
  if (api === undefined || app === undefined || secret === undefined || product === undefined)
    throw new FleetUsageError("--api needs --app, --secret and --product");
  if (!/^https?:\/\/[^/]+\/?$/.test(api)) throw new FleetUsageError("--api must look like http://host:port");
  return {
    kind: "api",
    access: { url: api.replace(/\/$/, ""), appId: app, secret, productId: product },
    prefix: values.prefix ?? "sim",
    count: whole("count", values.count, 10, 1, 1_000_000),
  };
}

function brokerOf(text: string): FleetArguments["broker"] {
  const match = /^(mqtts?):\/\/(?:\[([^\]]+)\]|([^:/]+))(?::(\d+))?\/?$/.exec(text);
  if (!match) throw new FleetUsageError("--broker must look like mqtt://host:port or mqtts://host:port");
  const tls = match[1] === "mqtts";
  return { host: match[2] ?? match[3] ?? "", port: whole("broker", match[4], tls ? 8883 : 1883, 1, 65_535), tls };
}
