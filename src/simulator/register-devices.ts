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

const AT_A_TIME = 20;

/** Logs in and registers devices with node ids `prefix-1` to `prefix-count` (1.4.1, 1.5.2). Throws `RegistrationError`. */
export async function registerDevices(
  { url, appId, secret, productId }: ApiAccess,
  prefix: string,
  count: number,
): Promise<DeviceCredentials[]> {
  const { accessToken } = await post(`${url}/iocm/app/sec/v1.1.0/login`, {}, new URLSearchParams({ appId, secret }));
  const headers = {
    app_key: appId,
    authorization: `Bearer ${accessToken}`,
    "content-type": "application/json",
  };
  const devices: DeviceCredentials[] = [];
  let next = 1;
  const lane = async (): Promise<void> => {
    while (next <= count) {
      const nodeId = `${prefix}-${next++}`;
      const body = JSON.stringify({ deviceInfo: { nodeId, name: nodeId }, mqttConnect: true, productId });
      const registered = await post(`${url}/iocm/app/reg/v2.0.0/deviceCredentials`, headers, body);
      devices.push({ deviceId: String(registered.deviceId), secret: String(registered.secret) });
    }
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
