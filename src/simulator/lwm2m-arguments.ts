import { seededRandom } from "../platform/testing/seeded-random";
import { BLOCK_SIZES, DEFAULT_TRANSMISSION } from "../wire/coap";
import { CIPHER_SUITES, type RecordCipher } from "../wire/dtls";
import { FleetUsageError, hostAndPort, readOptions, share, whole } from "./arguments";
import { DeviceListError, parseDeviceList } from "./device-list";
import { compileAnswer, compileReport, TemplateError } from "./hex-template";
import type { Lwm2mFleetOptions } from "./lwm2m-fleet";
import type { LocalAddress } from "./network";
import { type ApiAccess, type NbCredentials, registerNbDevices } from "./register-devices";
import { SECURE_SETTINGS } from "./secure-channel";
import { udpNetwork } from "./udp-network";
import { BEHAVIOUR_USAGE, parseUpgradeOptions, UPGRADE_OPTIONS, UPGRADE_USAGE } from "./upgrade/arguments";

export const LWM2M_USAGE = `islet sim lwm2m [--coap HOST:PORT | --coaps HOST:PORT] <devices> [options]
server
  --coap HOST:PORT        plain CoAP (default 127.0.0.1:5683)
  --coaps HOST:PORT       DTLS with pre-shared keys
devices, one of
  --device-list FILE      JSON [{"nodeId","psk"}] or CSV with these columns; psk in hexadecimal, for --coaps
  --api URL --app ID --secret SECRET --product ID [--devices 10] [--prefix sim]
                          registers devices through the application API, secure ones for --coaps
  --devices N [--prefix sim] [--psk HEX]
                          devices prefix-1 to prefix-N that the server knows already
options
  --style lwm2m|tup|mixed (default lwm2m)
  --rate N                reports per second of all together (default: one per device and 5 s); 0: only stay registered
  --seconds N             how long is measured; 0: until interrupted (default 10)
  --warm-up N             seconds of load before that (default 0)
  --payload HEX           of a report; {n:2} counts the reports of a device in 2 bytes, {r:1} is a random byte
                          (default 00{n:2})
  --answer PREFIX=HEX     how commands that begin with PREFIX are answered; {1:2} are 2 bytes of the command from place 1,
                          as in 03=04{1:2}00{3}; may be given more than once
  --non-confirmable       reports as NON
  --queue-mode            sleep, and say so (binding UQ)
  --awake-ms N            from the last packet to sleep (default 10000)
  --lifetime N            seconds of a registration (default 86400)
  --move N                address changes per second of all together (default 0)
  --loss P --duplicate P  share of the packets that are lost, that come twice, each way (0 to 1, default 0)
  --delay-ms N            packets take up to so long, and overtake each other (default 0)
  --suite ccm8,gcm,cbc    what is offered (default all, in this order)
  --cid                   offer a connection id
  --old-hello             no extensions, as old modules
  --reboot-ms N           from a reboot to the next registration (default 5000)
  --from ADDRESS          the address to send from; ADDRESS/BITS: an address of this network for each device in turn
  --connecting N          devices that register at a time (default 100)
  --leave                 de-register at the end
  --seed N                of all randomness (default: another each time)
upgrades, over PCP and object 5
  --upgrade BEHAVIOUR[,BEHAVIOUR...]
                          the devices can be upgraded, and behave like this in turn; see below
${UPGRADE_USAGE}
  --block-size N          bytes of a block of firmware: 16, 32, to 1024 (default 1024)
  --firmware-version V    that runs after an update by object 5 (default: the package's first line, version=V)
behaviours
${BEHAVIOUR_USAGE}`;

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean" } as const;
const OPTIONS = {
  coap: TEXT,
  coaps: TEXT,
  devices: TEXT,
  "device-list": TEXT,
  api: TEXT,
  app: TEXT,
  secret: TEXT,
  product: TEXT,
  prefix: TEXT,
  psk: TEXT,
  style: TEXT,
  rate: TEXT,
  seconds: TEXT,
  "warm-up": TEXT,
  payload: TEXT,
  answer: { type: "string", multiple: true },
  "non-confirmable": FLAG,
  "queue-mode": FLAG,
  "awake-ms": TEXT,
  lifetime: TEXT,
  move: TEXT,
  loss: TEXT,
  duplicate: TEXT,
  "delay-ms": TEXT,
  suite: TEXT,
  cid: FLAG,
  "old-hello": FLAG,
  "reboot-ms": TEXT,
  from: TEXT,
  connecting: TEXT,
  leave: FLAG,
  seed: TEXT,
  ...UPGRADE_OPTIONS,
  "block-size": TEXT,
  "firmware-version": TEXT,
} as const;
type Values = ReturnType<typeof read>;

export type Lwm2mArguments = Omit<
  Lwm2mFleetOptions,
  "network" | "devices" | "rate" | "random" | "signal" | "onPhase"
> & {
  readonly server: { readonly host: string; readonly port: number };
  readonly rate: number | undefined;
  readonly seed: number | undefined;
  readonly source:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "api"; readonly access: ApiAccess; readonly prefix: string; readonly count: number }
    | { readonly kind: "known"; readonly prefix: string; readonly count: number; readonly psk: string | undefined };
};

const DEFAULT_SERVER = "127.0.0.1:5683";
const MAX_DEVICES = 1_000_000;
const MAX_SECONDS = 1e9;
const DAY_MS = 86_400_000;
const PSK = /^(?:[0-9a-f]{2}){1,64}$/i;

/** Arguments behind `sim lwm2m`. Throws `FleetUsageError`. */
export function parseLwm2mArguments(args: readonly string[]): Lwm2mArguments {
  const values = read(args);
  const isSecure = values.coaps !== undefined;
  if (isSecure && values.coap !== undefined) throw new FleetUsageError("give one of --coap and --coaps");
  const style = oneOf("style", values.style ?? "lwm2m", ["lwm2m", "tup", "mixed"] as const);
  if (!isSecure) {
    for (const name of ["suite", "cid", "old-hello", "psk"] as const)
      if (values[name] !== undefined) throw new FleetUsageError(`--${name} is for --coaps`);
  }
  return {
    source: sourceOf(values, isSecure),
    server: isSecure ? hostAndPort("coaps", values.coaps ?? "") : hostAndPort("coap", values.coap ?? DEFAULT_SERVER),
    style,
    settings: {
      queueMode: values["queue-mode"] ?? false,
      awakeMs: whole("awake-ms", values["awake-ms"], 10_000, 1, DAY_MS),
      lifetimeSeconds: whole("lifetime", values.lifetime, 86_400, 1, 0xffff_ffff),
      confirmable: !(values["non-confirmable"] ?? false),
      observeWaitMs: style === "tup" ? 4_000 : 10_000,
      rebootMs: whole("reboot-ms", values["reboot-ms"], 5_000, 0, DAY_MS),
      logBytes: 3_000,
      transmission: DEFAULT_TRANSMISSION,
      secure: isSecure
        ? {
            ...SECURE_SETTINGS,
            suites: suitesOf(values.suite),
            connectionId: values.cid ?? false,
            oldHello: values["old-hello"] ?? false,
          }
        : undefined,
      answers: (values.answer ?? []).map((text) => compiled("answer", text, compileAnswer)),
    },
    ...(values.from !== undefined && { local: localOf(values.from) }),
    badNetwork: {
      loss: share("loss", values.loss, 0),
      duplicate: share("duplicate", values.duplicate, 0),
      delayMs: whole("delay-ms", values["delay-ms"], 0, 0, 600_000),
    },
    rate: values.rate === undefined ? undefined : whole("rate", values.rate, 0, 0, 10_000_000),
    moves: whole("move", values.move, 0, 0, 1_000_000),
    seconds: whole("seconds", values.seconds, 10, 0, MAX_SECONDS),
    warmUpSeconds: whole("warm-up", values["warm-up"], 0, 0, 86_400),
    payload: compiled("payload", values.payload ?? "00{n:2}", compileReport),
    connecting: whole("connecting", values.connecting, 100, 1, 10_000),
    leave: values.leave ?? false,
    seed: values.seed === undefined ? undefined : whole("seed", values.seed, 0, 0, 0xffff_ffff),
    upgrade: upgradeOf(values, isSecure),
  };
}

function upgradeOf(values: Values, isSecure: boolean): Lwm2mArguments["upgrade"] {
  const upgrade = parseUpgradeOptions(values);
  const size = whole("block-size", values["block-size"], 1024, 16, 1024);
  const blockSize = BLOCK_SIZES.find((it) => it === size) ?? fail("--block-size must be 16, 32, 64 and so on to 1024");
  const firmwareVersion = values["firmware-version"];
  if (!upgrade) {
    for (const name of ["block-size", "firmware-version"] as const)
      if (values[name] !== undefined) fail(`--${name} is for --upgrade`);
    return undefined;
  }
  const own = isSecure ? hostAndPort("coaps", values.coaps ?? "") : hostAndPort("coap", values.coap ?? DEFAULT_SERVER);
  const servers = {
    isOwn: (url: URL) => isSameServer(url, isSecure, own),
    open: udpNetwork,
    blockSize,
    httpPieceBytes: 65_536,
  };
  return (index) => ({ ...upgrade(index), firmwareVersion, servers });
}

function isSameServer(url: URL, isSecure: boolean, own: { readonly host: string; readonly port: number }): boolean {
  const port = url.port === "" ? (isSecure ? 5684 : 5683) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isSameHost = host === own.host || (isLoopback(host) && isLoopback(own.host));
  return url.protocol === (isSecure ? "coaps:" : "coap:") && isSameHost && port === own.port;
}
const isLoopback = (host: string) => ["localhost", "127.0.0.1", "::1"].includes(host);

/** Reads the list of devices, or registers them. Throws `DeviceListError`, `RegistrationError`. */
export async function prepareLwm2mFleet(
  { source, server, rate, seed, ...options }: Lwm2mArguments,
  readText: (path: string) => Promise<string>,
): Promise<Lwm2mFleetOptions> {
  const isSecure = options.settings.secure !== undefined;
  const devices = await devicesOf(source, isSecure, readText);
  const random = seed === undefined ? Math.random : seededRandom(seed);
  return { ...options, network: udpNetwork(server), devices, rate: rate ?? devices.length / 5, random };
}

async function devicesOf(
  source: Lwm2mArguments["source"],
  isSecure: boolean,
  readText: (path: string) => Promise<string>,
): Promise<NbCredentials[]> {
  switch (source.kind) {
    case "file": {
      const devices = parseDeviceList(await readText(source.path), ["nodeId"], ["psk"]);
      const wrong = devices.findIndex(({ psk }) => isSecure && !PSK.test(psk ?? ""));
      if (wrong >= 0) throw new DeviceListError(`device ${wrong + 1} of the list has no psk in hexadecimal`);
      return devices;
    }
    case "api":
      return registerNbDevices(source.access, source.prefix, source.count, isSecure);
    case "known":
      return Array.from({ length: source.count }, (_, index) => ({
        nodeId: `${source.prefix}-${index + 1}`,
        psk: source.psk,
      }));
    default:
      return source satisfies never;
  }
}

const read = (args: readonly string[]) => readOptions(args, OPTIONS);

function sourceOf(values: Values, isSecure: boolean): Lwm2mArguments["source"] {
  const { devices, api, app, secret, product, psk } = values;
  const path = values["device-list"];
  if (path !== undefined) {
    if (devices !== undefined || api !== undefined)
      throw new FleetUsageError("give one of --device-list, --api and --devices");
    return { kind: "file", path };
  }
  const prefix = values.prefix ?? "sim";
  const count = whole("devices", devices, 10, 1, MAX_DEVICES);
  if (api === undefined) {
    if (devices === undefined) throw new FleetUsageError("give one of --device-list, --api and --devices");
    if (isSecure && !PSK.test(psk ?? ""))
      throw new FleetUsageError("--coaps with --devices needs --psk in hexadecimal");
    return { kind: "known", prefix, count, psk };
  }
  if (app === undefined || secret === undefined || product === undefined)
    throw new FleetUsageError("--api needs --app, --secret and --product");
  if (!/^https?:\/\/[^/]+\/?$/.test(api)) throw new FleetUsageError("--api must look like http://host:port");
  return {
    kind: "api",
    access: { url: api.replace(/\/$/, ""), appId: app, secret, productId: product },
    prefix,
    count,
  };
}

function suitesOf(text: string | undefined) {
  if (text === undefined) return CIPHER_SUITES;
  return text.split(",").map((name) => {
    const cipher: RecordCipher = oneOf("suite", name, ["ccm8", "gcm", "cbc"] as const);
    return CIPHER_SUITES.find((suite) => suite.cipher === cipher) ?? fail(`--suite: ${name}`);
  });
}

/** `127.1.0.0/16`: the first device gets 127.1.0.1, and so on, round and round. */
function localOf(text: string): (index: number) => LocalAddress {
  const [, host, bits] = /^([^/]+?)(?:\/(\d{1,2}))?$/.exec(text) ?? [];
  if (host === undefined) return fail("--from must be ADDRESS or ADDRESS/BITS");
  if (bits === undefined) return () => ({ host, port: 0 });
  const parts = host.split(".").map(Number);
  const size = 2 ** (32 - Number(bits));
  const isAddress = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  if (!isAddress || size < 4 || size > 2 ** 24) return fail("--from ADDRESS/BITS must be IPv4 with 8 to 30 bits");
  const base = parts.reduce((sum, part) => sum * 256 + part, 0);
  const start = base - (base % size);
  return (index) => {
    const address = start + 1 + (index % (size - 2)); // not the network's own, nor the one for all
    return { host: [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join("."), port: 0 };
  };
}

function compiled<T>(name: string, text: string, compile: (text: string) => T): T {
  try {
    return compile(text);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return fail(`--${name}: ${error.message}`);
  }
}

function oneOf<const T extends readonly string[]>(name: string, text: string, choices: T): T[number] {
  const found = choices.find((choice) => choice === text);
  return found ?? fail(`--${name} must be one of ${choices.join(", ")}`);
}

function fail(message: string): never {
  throw new FleetUsageError(message);
}
