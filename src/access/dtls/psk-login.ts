import type { DeviceService } from "../../capabilities/devices/device-service";
import type { Clock } from "../../platform/clock";
import type { Sealer } from "../../platform/secrets";
import { nodeIdCandidates } from "../../wire/lwm2m";
import { boundedMemory } from "../datagram/bounded-memory";
import type { LookUpPsk, PskLogin } from "./ports";
import { keyMark } from "./sealed-session";
import type { DtlsSettings } from "./settings";

const NOBODY = "dtls-nobody";

/**
 * The key of the device whose nodeId is this identity, in any form of its IMEI (nb-iot.md 1). The same look-ups for
 * everybody: those that miss, one that finds a device, and the unsealing of a key. For who is unknown, device and key are
 * those of somebody who was known before (reading a row takes four times as long as missing it).
 */
export function pskLookUp(devices: Pick<DeviceService, "loginByEndpoint" | "pskOf">, sealer: Sealer): LookUpPsk {
  const sealed = sealer.seal("00".repeat(16), NOBODY);
  let known: string | undefined;
  return (identity) => {
    const login = devices.loginByEndpoint(nodeIdCandidates(identity));
    const device = login.kind === "found" ? login : undefined;
    const decoy = devices.loginByEndpoint([device ? NOBODY : (known ?? NOBODY)]);
    const pskHex = devices.pskOf(device?.no ?? (decoy.kind === "found" ? decoy.no : 0));
    if (pskHex === undefined) sealer.open(sealed, NOBODY);
    if (device === undefined || pskHex === undefined) return undefined;
    known = device.nodeId;
    return { deviceNo: device.no, pskHex, refusal: device.isSecure ? undefined : "device_not_secure" };
  };
}

export type LoginRefusal = "device_unknown" | "identity_malformed" | "too_many_attempts" | "key_wrong" | (string & {});

/** Who wants in. Without a device the handshake goes on with a random key, and fails as with a wrong one. */
export type Login = {
  /** For the trace. */
  readonly identity: string;
  readonly deviceNo: number | undefined;
  readonly refusal: LoginRefusal | undefined;
  readonly keyMark: Uint8Array;
};

type Options = {
  readonly lookUp: LookUpPsk;
  readonly random: (length: number) => Uint8Array;
  readonly clock: Pick<Clock, "monotonic">;
  readonly settings: Pick<
    DtlsSettings,
    "maxIdentityBytes" | "loginFailuresAllowed" | "loginDelayMs" | "maxLoginDelayMs"
  >;
};

const RANDOM_KEY_BYTES = 16;
const REMEMBERED_GUESSERS = 5_000;
const decoder = new TextDecoder("utf-8", { fatal: true });

export function pskLogins({ lookUp, random, clock, settings }: Options) {
  const guesses = boundedMemory<string, { count: number; blockedUntil: number }>(REMEMBERED_GUESSERS);
  const guessKey = (address: string, identity: string) => `${address} ${identity}`;

  return {
    /** Identity as it came, and the address without the port. */
    begin(identity: Uint8Array, address: string): { login: Login; psk: Uint8Array } {
      const text = toText(identity, settings.maxIdentityBytes);
      const found = lookUp(text ?? "");
      const blocked = (guesses.get(guessKey(address, text ?? ""))?.blockedUntil ?? 0) > clock.monotonic();
      const refusal =
        text === undefined
          ? "identity_malformed"
          : (found?.refusal ?? (found ? (blocked ? "too_many_attempts" : undefined) : "device_unknown"));
      const anyKey = random(RANDOM_KEY_BYTES);
      const key = found === undefined ? anyKey : new Uint8Array(Buffer.from(found.pskHex, "hex"));
      const login: Login = {
        identity: text ?? Buffer.from(identity.subarray(0, settings.maxIdentityBytes)).toString("hex"),
        deviceNo: found?.deviceNo,
        refusal,
        keyMark: keyMark(found?.pskHex ?? ""),
      };
      return { login, psk: refusal === undefined ? key : anyKey };
    },
    /** Of a session that was opened before: is the device still there, allowed in, and has it the key of then? */
    check(identity: Uint8Array, deviceNo: number, mark: Uint8Array): Login | undefined {
      const text = toText(identity, settings.maxIdentityBytes) ?? "";
      const found = lookUp(text);
      if (found?.deviceNo !== deviceNo || found.refusal !== undefined || !isKeyOf(found, mark)) return undefined;
      return { identity: text, deviceNo, refusal: undefined, keyMark: mark };
    },
    failed({ identity }: Login, address: string): void {
      const key = guessKey(address, identity);
      const count = (guesses.get(key)?.count ?? 0) + 1;
      const excess = count - settings.loginFailuresAllowed;
      const delayMs =
        excess <= 0 ? 0 : Math.min(settings.loginDelayMs * 2 ** Math.min(excess - 1, 30), settings.maxLoginDelayMs);
      guesses.set(key, { count, blockedUntil: clock.monotonic() + delayMs });
    },
    succeeded({ identity }: Login, address: string): void {
      guesses.delete(guessKey(address, identity));
    },
  };
}
export type PskLogins = ReturnType<typeof pskLogins>;

const isKeyOf = ({ pskHex }: PskLogin, mark: Uint8Array) => Buffer.compare(keyMark(pskHex), mark) === 0;

function toText(identity: Uint8Array, maxBytes: number): string | undefined {
  if (identity.length === 0 || identity.length > maxBytes) return undefined;
  try {
    return decoder.decode(identity);
  } catch {
    return undefined; // not UTF-8 (RFC 4279 §5.1)
  }
}
