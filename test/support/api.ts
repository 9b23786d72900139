import roomSensor from "../../docs/examples/room-sensor.json" with { type: "json" };
import { ADMIN_PASSWORD, type Islet } from "./islet";

export type Answer<T = Record<string, unknown>> = { status: number; body: T };
type Call = <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => Promise<Answer<T>>;

async function call<T>(
  base: string,
  headers: Record<string, string>,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer<T>> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as T };
}

/** Signs in to the management API. */
export async function operator({ ready }: Islet): Promise<Call> {
  const base = `http://${ready.http}/manage/v1`;
  const signIn = await call<{ token: string }>(base, {}, "POST", "/sessions", {
    username: "admin",
    password: ADMIN_PASSWORD,
  });
  if (signIn.status !== 201) throw new Error(`sign-in: ${JSON.stringify(signIn)}`);
  return (method, path, body) => call(base, { authorization: `Bearer ${signIn.body.token}` }, method, path, body);
}

/** Logs an application in to the vendor's API; `headers` are those of its calls. */
export async function application({ ready }: Islet, appId: string, secret: string) {
  const base = `http://${ready.http}`;
  const login = await call<{ accessToken: string }>(base, {}, "POST", "/iocm/app/sec/v1.1.0/login", { appId, secret });
  if (login.status !== 200) throw new Error(`login: ${JSON.stringify(login)}`);
  const headers = { app_key: appId, authorization: `Bearer ${login.body.accessToken}` };
  const app: Call = (method, path, body) => call(base, headers, method, path, body);
  return Object.assign(app, { headers });
}

/** The product of the README: a room sensor with one service of three properties and one command. */
export const SENSOR_PRODUCT: unknown = roomSensor;

export type Setup = {
  manage: Call;
  app: Call & { readonly headers: Record<string, string> };
  appId: string;
  appSecret: string;
  productId: string;
  register(nodeId: string): Promise<{ deviceId: string; secret: string }>;
};

/** An application with the sensor product, logged in. */
export async function setUp(islet: Islet, name = "journey"): Promise<Setup> {
  const manage = await operator(islet);
  const created = await manage<{ appId: string; secret: string }>("POST", "/apps", { name });
  const { appId, secret } = created.body;
  const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, SENSOR_PRODUCT);
  if (product.status !== 201) throw new Error(`product: ${JSON.stringify(product)}`);
  const app = await application(islet, appId, secret);
  const { productId } = product.body;
  return {
    manage,
    app,
    appId,
    appSecret: secret,
    productId,
    async register(nodeId) {
      const { status, body } = await app<{ deviceId: string; secret: string }>(
        "POST",
        "/iocm/app/reg/v2.0.0/deviceCredentials",
        { deviceInfo: { nodeId }, productId, mqttConnect: true },
      );
      if (status !== 200) throw new Error(`register: ${JSON.stringify(body)}`);
      return body;
    },
  };
}
