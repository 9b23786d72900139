import type { Clock } from "../../platform/clock";
import { CONNACK, type ConnackCode, type ConnectPacket } from "../../wire/mqtt";
import { isHourWithin, parseClientId } from "./client-id";
import type { LoginThrottle } from "./login-throttle";
import { isPasswordOf, parsePassword } from "./password";
import type { MqttDevices } from "./ports";
import type { MqttSettings } from "./settings";

export type LoginRefusal =
  | "client_id_malformed"
  | "too_many_attempts"
  | "username_missing"
  | "username_mismatch"
  | "password_missing"
  | "password_malformed"
  | "timestamp_out_of_range"
  | "device_unknown"
  | "password_wrong";

/** What the device hears (§3.2.2.3): 4 is for data of the wrong form, 5 for a device or password that does not fit. */
const RETURN_CODES: Record<LoginRefusal, ConnackCode> = {
  client_id_malformed: CONNACK.identifierRejected, // the empty one too [MQTT-3.1.3-8, 3.1.3-9]
  too_many_attempts: CONNACK.serverUnavailable,
  username_missing: CONNACK.badUsernameOrPassword,
  username_mismatch: CONNACK.badUsernameOrPassword,
  password_missing: CONNACK.badUsernameOrPassword,
  password_malformed: CONNACK.badUsernameOrPassword,
  timestamp_out_of_range: CONNACK.notAuthorized,
  device_unknown: CONNACK.notAuthorized,
  password_wrong: CONNACK.notAuthorized,
};

export type Login =
  | { readonly kind: "accepted"; readonly deviceNo: number; readonly loginId: string }
  | {
      readonly kind: "refused";
      readonly reason: LoginRefusal;
      readonly returnCode: ConnackCode;
      /** How long the refusal is held back. */
      readonly delayMs: number;
      readonly deviceNo: number | undefined;
      readonly claimedId: string;
      readonly detail: string | undefined;
    };

export type AuthenticationParts = {
  readonly devices: Pick<MqttDevices, "loginByDeviceId" | "loginByNodeId">;
  readonly clock: Pick<Clock, "now">;
  readonly loginThrottle: LoginThrottle;
  readonly settings: Pick<MqttSettings, "timestampToleranceMs">;
};

const MAX_FIELD_LENGTH = 256;

/** HMAC login of device-mqtt.json 2.2. An unknown device takes as long as a wrong password and hears the same. */
export function authenticate(packet: ConnectPacket, address: string, parts: AuthenticationParts): Login {
  const { devices, clock, loginThrottle, settings } = parts;
  const identity = parseClientId(packet.clientId);
  const claimedId = (identity?.id ?? packet.clientId).slice(0, MAX_FIELD_LENGTH);
  const refused = (reason: LoginRefusal, deviceNo?: number, detail?: string, delayMs = 0): Login => ({
    kind: "refused",
    reason,
    returnCode: RETURN_CODES[reason],
    delayMs,
    deviceNo,
    claimedId,
    detail,
  });

  if (!identity) return refused("client_id_malformed");
  if (loginThrottle.isBlocked(address, identity.id)) return refused("too_many_attempts");
  const { username, password } = packet;
  if (username === undefined) return refused("username_missing");
  if (username !== identity.id) return refused("username_mismatch");
  if (password === undefined) return refused("password_missing");
  const claimed = parsePassword(password);
  if (!claimed) return refused("password_malformed", undefined, "64 hex digits are expected");

  const login =
    identity.idKind === "deviceId" ? devices.loginByDeviceId(identity.id) : devices.loginByNodeId(identity.id);
  if (identity.checksTimestamp && !isHourWithin(identity.timestamp, clock.now(), settings.timestampToleranceMs))
    return refused("timestamp_out_of_range", login?.no, `the client id says ${identity.timestamp}`);
  if (!isPasswordOf(login?.secret, identity.timestamp, claimed) || !login) {
    const delayMs = loginThrottle.failed(address, identity.id);
    return refused(login ? "password_wrong" : "device_unknown", login?.no, undefined, delayMs);
  }
  loginThrottle.succeeded(address, identity.id);
  return { kind: "accepted", deviceNo: login.no, loginId: identity.id };
}
