import { operator } from "../../support/api";
import type { Islet } from "../../support/islet";
import type { Seen } from "./chapter";
import { tamper, UNSTORABLE } from "./faults";

/** An application that calls. */
export type Caller = { readonly appId: string; readonly secret: string; readonly token: string };
export type Call = {
  readonly method: string;
  readonly path: string;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
};
export type Headers_ = Readonly<Record<string, string>>;

/** Calls that were counted stay counted while the tests run. */
export const CALLER_SETTINGS = { "api.call_window_ms": "3600000" };

/** Applications in the cases that nearly every table of errors asks for. */
export async function furnishCallers(islet: Islet, data: string) {
  const base = `http://${islet.ready.http}`;
  const manage = await operator(islet);

  /** One request as it goes over the wire. Throws when an answer with a body is not JSON that says so. */
  async function send({ method, path, body }: Call, headers: Headers_): Promise<Seen> {
    const answer = await fetch(base + path, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const seen = { status: answer.status, text: await answer.text(), headers: answer.headers };
    const type = seen.headers.get("content-type");
    if (seen.text !== "" && type !== "application/json; charset=UTF-8") throw new Error(`${path}: ${type}`);
    return seen;
  }
  const signed = ({ appId, token }: Pick<Caller, "appId" | "token">): Headers_ => ({
    app_key: appId,
    authorization: `Bearer ${token}`,
  });

  let count = 0;
  async function addApplication(more: object = {}): Promise<Caller> {
    const created = await manage<{ appId: string; secret: string }>("POST", "/apps", {
      name: `app-${++count}`,
      ...more,
    });
    const { appId, secret } = created.body;
    const login = await send({ method: "POST", path: "/iocm/app/sec/v1.1.0/login", body: { appId, secret } }, {});
    return { appId, secret, token: JSON.parse(login.text).accessToken };
  }
  async function addProduct({ appId }: Pick<Caller, "appId">, product: unknown): Promise<string> {
    const { status, body } = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, product);
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body.productId;
  }
  const letDo = (owner: Caller, who: Caller, access: "query" | "edit") =>
    manage("PUT", `/apps/${owner.appId}/grants/${who.appId}`, { access });

  const [caller, stranger, readable, editable, throttled, gone] = await Promise.all([
    addApplication(),
    addApplication(),
    addApplication(),
    addApplication(),
    addApplication({ callsPerMinute: 1 }),
    addApplication(),
  ]);
  await letDo(readable, caller, "query");
  await letDo(editable, caller, "edit");
  await send({ method: "GET", path: "/iocm/app/dm/v1.4.0/devices?pageNo=0" }, signed(throttled));
  await manage("DELETE", `/apps/${gone.appId}`);

  return {
    ...{ manage, send, signed, addApplication, addProduct, letDo },
    /** The application that the rows are about. */
    caller,
    /** Has authorised nobody. */
    stranger,
    /** Lets the caller look. */
    readable,
    /** Lets the caller do everything. */
    editable,
    /** Its calls are used up. */
    throttled,
    /** Deleted, with a token that would still be good. */
    gone,
    /** A name that no other row uses. */
    next: (what: string) => `${what}-${++count}`,
    ask: (call: Call, as: Caller = caller) => send(call, signed(as)),
    /** Of an answer that has to be a good one. */
    async get<T = Record<string, unknown>>(call: Call, as: Caller = caller): Promise<T> {
      const { status, text } = await send(call, signed(as));
      const body = text === "" ? {} : JSON.parse(text);
      if (status >= 300 || body.error_code !== undefined) throw new Error(`${call.method} ${call.path}: ${text}`);
      return body;
    },
    /** An application with a device of which what is stored cannot be read any more. */
    async addFaulty(product: unknown) {
      const owner = await addApplication();
      const productId = await addProduct(owner, product);
      const nodeId = `faulty-${++count}`;
      const made = await manage<{ deviceId: string }>("POST", `/apps/${owner.appId}/devices`, { nodeId, productId });
      const { deviceId } = made.body;
      tamper(data, "UPDATE device SET info = '{' WHERE id = ?", deviceId);
      return { owner, productId, deviceId };
    },
    /** Devices whose nodeId begins with `UNSTORABLE` are not taken. */
    refuseToStore: () =>
      tamper(
        data,
        `CREATE TRIGGER unstorable BEFORE INSERT ON device WHEN NEW.node_id LIKE '${UNSTORABLE}%'
         BEGIN SELECT RAISE(ABORT, 'a fault for the test'); END`,
      ),
    /** No new token of any application is taken. */
    refuseTokens: () =>
      tamper(
        data,
        `CREATE TRIGGER no_tokens BEFORE UPDATE OF token_generation ON application
         BEGIN SELECT RAISE(ABORT, 'a fault for the test'); END`,
      ),
    acceptTokens: () => tamper(data, "DROP TRIGGER no_tokens"),
  };
}
export type Callers = Awaited<ReturnType<typeof furnishCallers>>;
