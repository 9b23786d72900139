/** The query of a registration and its update (OMA LwM2M TS 1.0.2 §5.3, TS-Core 1.1 §6.2). */
import { MalformedError } from "../malformed-error";
import { quote } from "./path";

/** What a registration update may say anew; what is not there stays as it was. */
export type RegistrationUpdate = {
  /** Seconds until the registration ends without an update; 0 never ends (1.1). */
  lifetimeSeconds?: number;
  binding?: Binding;
  /** MSISDN for the SMS binding. */
  smsNumber?: string;
};

export type Registration = RegistrationUpdate & {
  endpoint: string;
  /** `1.0` when the device does not say, as many do. Whether a version is served is the server's decision. */
  version: string;
  lifetimeSeconds: number;
  binding: Binding;
};

/** U UDP, S SMS, T TCP, N non-IP, M MQTT, H HTTP. */
export type Transport = "U" | "S" | "T" | "N" | "M" | "H";
export type Binding = {
  transports: Transport[];
  /** The device sleeps: requests wait until it is heard (Q in the binding of 1.0, a query of its own in 1.1). */
  queueMode: boolean;
};

export type RegistrationSettings = {
  /** When the device names none. TS 1.0.2 §5.3.1: 86,400. */
  defaultLifetimeSeconds: number;
  /** In UTF-8; a nodeId has 256 at most. */
  maxEndpointBytes: number;
};
export const REGISTRATION_SETTINGS: RegistrationSettings = { defaultLifetimeSeconds: 86_400, maxEndpointBytes: 256 };

const DEFAULT_VERSION = "1.0";
const VERSION = /^\d{1,3}\.\d{1,3}(?:\.\d{1,3})?$/;
const LIFETIME = /^\d{1,10}$/;
const MAX_LIFETIME_SECONDS = 0xffff_ffff;
const BINDING = /^[USTNMHQ]{1,7}$/;
const SMS_NUMBER = /^\+?\d{1,20}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be in a name
const CONTROL = /[\u0000-\u001f\u007f]/;

/** `queries` are the Uri-Query options. Unknown names are skipped (a later version may have added them). */
export function parseRegistration(
  queries: readonly string[],
  { defaultLifetimeSeconds, maxEndpointBytes }: RegistrationSettings = REGISTRATION_SETTINGS,
): Registration {
  const fields = fieldsOf(queries);
  const endpoint = fields.get("ep") ?? "";
  const isName = endpoint !== "" && Buffer.byteLength(endpoint) <= maxEndpointBytes && !CONTROL.test(endpoint);
  if (!isName) throw new MalformedError("registration: no usable ep");
  const version = fields.get("lwm2m") ?? DEFAULT_VERSION;
  if (!VERSION.test(version)) throw new MalformedError(`registration: lwm2m=${quote(version)}`);
  const update = updateOf(fields);
  return {
    endpoint,
    version,
    lifetimeSeconds: defaultLifetimeSeconds,
    ...update,
    binding: update.binding ?? { transports: ["U"], queueMode: fields.has("Q") },
  };
}

export function parseRegistrationUpdate(queries: readonly string[]): RegistrationUpdate {
  return updateOf(fieldsOf(queries));
}

function updateOf(fields: ReadonlyMap<string, string>): RegistrationUpdate {
  const lifetime = fields.get("lt");
  const binding = fields.get("b");
  const smsNumber = fields.get("sms");
  if (smsNumber !== undefined && !SMS_NUMBER.test(smsNumber)) {
    throw new MalformedError(`registration: sms=${quote(smsNumber)}`);
  }
  return {
    ...(lifetime === undefined ? {} : { lifetimeSeconds: parseLifetime(lifetime) }),
    ...(binding === undefined ? {} : { binding: parseBinding(binding, fields.has("Q")) }),
    ...(smsNumber === undefined ? {} : { smsNumber }),
  };
}

/** A name that stands twice is malformed where it would decide who the device is; so it is everywhere. */
function fieldsOf(queries: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const query of queries) {
    const [name = "", ...rest] = query.split("=");
    if (fields.has(name)) throw new MalformedError(`registration: ${quote(name)} twice`);
    fields.set(name, rest.join("="));
  }
  return fields;
}

function parseLifetime(text: string): number {
  const seconds = LIFETIME.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MAX_LIFETIME_SECONDS) return seconds; // false for NaN
  throw new MalformedError(`registration: lt=${quote(text)}`);
}

function parseBinding(text: string, hasQueueQuery: boolean): Binding {
  const letters = [...text];
  if (!BINDING.test(text) || new Set(letters).size < letters.length) {
    throw new MalformedError(`registration: b=${quote(text)}`);
  }
  const transports = letters.filter((letter): letter is Transport => letter !== "Q");
  return { transports: transports.length > 0 ? transports : ["U"], queueMode: hasQueueQuery || letters.includes("Q") };
}
