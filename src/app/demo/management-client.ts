/** A call that was not answered with success. */
export class CallFailedError extends Error {
  override name = "CallFailedError";
}

export type Call = <T = unknown>(method: string, path: string, body?: unknown) => Promise<T>;

/** JSON over HTTP with fixed headers. Every answer outside of 2xx throws, with what the server said. */
export function caller(base: string, headers: Readonly<Record<string, string>> = {}): Call {
  return async <T>(method: string, path: string, body?: unknown) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new CallFailedError(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
}

/** Signs in as an operator. */
export async function managementClient(http: string, username: string, password: string): Promise<Call> {
  const base = `http://${http}/manage/v1`;
  const { token } = await caller(base)<{ token: string }>("POST", "/sessions", { username, password });
  return caller(base, { authorization: `Bearer ${token}` });
}

/** Logs an application in to the vendor's API. The token is told, because the demo prints it. */
export async function vendorClient(http: string, appId: string, secret: string) {
  const base = `http://${http}`;
  const login = { appId, secret };
  const { accessToken } = await caller(base)<{ accessToken: string }>("POST", "/iocm/app/sec/v1.1.0/login", login);
  return { accessToken, call: caller(base, { app_key: appId, authorization: `Bearer ${accessToken}` }) };
}
