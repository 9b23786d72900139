import type { DeviceCredentials } from "./device-login";

export type ApiAccess = {
  readonly url: string; // http(s)://host:port
  readonly appId: string;
  readonly secret: string;
  readonly productId: string;
};
/** A call that was refused; the message has the platform's words and never the secret. */
export class RegistrationError extends Error {
  override name = "RegistrationError";
}

/** A device of the NB-IoT side: with a psk (hexadecimal) it is a secure one. */
export type NbCredentials = { readonly nodeId: string; readonly psk?: string | undefined };

const AT_A_TIME = 20;

/** Logs in and registers devices with node ids `prefix-1` to `prefix-count` (1.4.1, 1.5.2). Throws `RegistrationError`. */
export async function registerDevices(access: ApiAccess, prefix: string, count: number): Promise<DeviceCredentials[]> {
  const path = "/iocm/app/reg/v2.0.0/deviceCredentials";
  return inLanes(access, prefix, count, async (nodeId, call) => {
    const deviceInfo = { nodeId, name: nodeId };
    const { deviceId, secret } = await call(path, { deviceInfo, mqttConnect: true, productId: access.productId });
    return { deviceId: String(deviceId), secret: String(secret) };
  });
}

/** The same with verification code (1.5.1), for devices of LwM2M and TUP. Throws `RegistrationError`. */
export async function registerNbDevices(
  access: ApiAccess,
  prefix: string,
  count: number,
  isSecure: boolean,
): Promise<NbCredentials[]> {
  const path = "/iocm/app/reg/v1.1.0/deviceCredentials";
  return inLanes(access, prefix, count, async (nodeId, call) => {
    const { productId } = access;
    const body = { verifyCode: nodeId, nodeId, deviceName: nodeId, timeout: 0, isSecure, productId };
    const { psk } = await call(path, body);
    return isSecure ? { nodeId, psk: String(psk) } : { nodeId };
  });
}

type Call = (path: string, body: unknown) => Promise<Record<string, unknown>>;

/** In the order in which they were registered, which is not that of their numbers. */
async function inLanes<T>(
  { url, appId, secret }: ApiAccess,
  prefix: string,
  count: number,
  register: (nodeId: string, call: Call) => Promise<T>,
): Promise<T[]> {
  const { accessToken } = await post(`${url}/iocm/app/sec/v1.1.0/login`, {}, new URLSearchParams({ appId, secret }));
  const headers = {
    app_key: appId,
    authorization: `Bearer ${accessToken}`,
    "content-type": "application/json",
  };
  const call: Call = (path, body) => post(`${url}${path}`, headers, JSON.stringify(body));
  const devices: T[] = [];
  let next = 1;
  const lane = async (): Promise<void> => {
    while (next <= count) devices.push(await register(`${prefix}-${next++}`, call));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  return devices;
}

async function post(url: string, headers: Record<string, string>, body: string | URLSearchParams) {
  // A platform in a laboratory has a certificate of its own making.
  const response = await fetch(url, { method: "POST", headers, body, tls: { rejectUnauthorized: false } });
  const text = await response.text();
  const answer = parseObject(text);
  // Some refusals of the dialect come with status 200.
  if (!response.ok || "error_code" in answer)
    throw new RegistrationError(`${new URL(url).pathname} was refused: ${response.status} ${text.slice(0, 200)}`);
  return answer;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
