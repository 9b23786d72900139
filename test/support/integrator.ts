import type { Answer } from "./api";
import type { Islet } from "./islet";

/** The paths of the vendor's application API, as an application has them in its code. */
export const PATHS = {
  login: "/iocm/app/sec/v1.1.0/login",
  refreshToken: "/iocm/app/sec/v1.1.0/refreshToken",
  registerByCode: "/iocm/app/reg/v1.1.0/deviceCredentials",
  registerByPassword: "/iocm/app/reg/v2.0.0/deviceCredentials",
  devices: "/iocm/app/dm/v1.4.0/devices",
  shadows: "/iocm/app/shadow/v1.5.0/devices",
  shadowHistory: "/iocm/app/shadow/v1.5.0/deviceDesiredHistory",
  history: "/iocm/app/data/v1.2.0/deviceDataHistory",
  capabilities: "/iocm/app/data/v1.1.0/deviceCapabilities",
  subscriptions: "/iocm/app/sub/v1.2.0/subscriptions",
  managementSubscription: "/iodm/app/sub/v1.1.0/subscribe",
  commands: "/iocm/app/cmd/v1.4.0/deviceCommands",
  cancelTasks: "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks",
  tasks: "/iocm/app/batchtask/v1.1.0/tasks",
  taskDetails: "/iocm/app/batchtask/v1.1.0/taskDetails",
  groups: "/iocm/app/devgroup/v1.3.0/devGroups",
  members: "/iocm/app/dm/v1.2.0/devices/ids",
  addToGroup: "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices",
  removeFromGroup: "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices",
} as const;

/** What became of a call, to compare: `200 ok`, `403 1010005`. */
export const outcome = ({ status, body }: Answer<object>): string =>
  `${status} ${"error_code" in body ? body.error_code : "ok"}`;

export type Tokens = { tokenType: string; expiresIn: number; accessToken: string; refreshToken: string };

/**
 * An application that was written for the vendor's service, with nothing changed but the host: it keeps its tokens and
 * joins `tokenType` and `accessToken` as they come.
 */
export function integrator({ ready }: Pick<Islet, "ready">, appId: string, secret: string) {
  const base = `http://${ready.http}`;
  let tokens: Tokens | undefined;

  async function send<T>(path: string, init: RequestInit): Promise<Answer<T>> {
    const response = await fetch(base + path, init);
    const text = await response.text();
    return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as T };
  }
  async function keep(answer: Answer): Promise<Answer> {
    if (answer.status === 200) tokens = answer.body as Tokens;
    return answer;
  }
  const json = (method: string, body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method,
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

  return {
    get tokens(): Tokens {
      if (!tokens) throw new Error("not logged in");
      return tokens;
    },
    /** 1.4.1. */
    login: async () => keep(await send(PATHS.login, { method: "POST", body: new URLSearchParams({ appId, secret }) })),
    /** 1.4.2, with the refresh token it has, or an earlier one. */
    refresh: async (refreshToken = tokens?.refreshToken) =>
      keep(await send(PATHS.refreshToken, json("POST", { appId, secret, refreshToken }))),
    call: <T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer<T>> =>
      send(path, json(method, body, { app_key: appId, Authorization: `${tokens?.tokenType}${tokens?.accessToken}` })),
  };
}
