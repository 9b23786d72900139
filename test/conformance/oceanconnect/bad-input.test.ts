import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { oceanConnectOpenApi } from "../../../src/northbound/oceanconnect";
import { harness } from "../../../src/northbound/oceanconnect/testing/harness";
import { startCallbackReceiver } from "../../support/callback-receiver";
import { type Islet, startIslet, temporaryFolder } from "../../support/islet";
import { type Document, type Endpoint, undescribed, vendorOperations } from "../../support/open-api";
import { watchRegistry } from "../../support/registry-watch";
import { type Request, renderUrl, rightCall, type World, worldOf } from "../../support/right-calls";
import { furnish, STILL_UPGRADES } from "../../support/walk";

setDefaultTimeout(60_000);

const MAX_BYTES = 4_096;
const MAX_DEPTH = 8;
const SETTINGS = {
  ...STILL_UPGRADES,
  "devices.online_grace_ms": "1",
  "query.max_body_bytes": `${MAX_BYTES}`,
  "query.max_body_depth": `${MAX_DEPTH}`,
  "http.max_body_bytes": "100000",
};
const document = JSON.parse(JSON.stringify(oceanConnectOpenApi(harness().app))) as Document;
const ENDPOINTS = vendorOperations(document);
const named = ENDPOINTS.map((it) => [`${it.method} ${it.path}`, it] as const);

const folder = temporaryFolder();
const receiver = startCallbackReceiver();
let islet: Islet;
let world: World;
let registry: ReturnType<typeof watchRegistry>;
beforeAll(async () => {
  islet = await startIslet({ data: folder.path, settings: SETTINGS });
  world = await worldOf(islet, await furnish(islet, "Qbad", receiver.url("/Qbad")));
  registry = watchRegistry(folder.path);
});
afterAll(async () => {
  registry[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  expect([await islet.stop(), islet.errors]).toEqual([0, ""]); // a fault would have been logged
  receiver[Symbol.dispose]();
  folder[Symbol.dispose]();
});

type Seen = { readonly status: number; readonly text: string; readonly headers: Headers };
async function send(method: string, url: string, headers: Record<string, string>, body?: Bun.BodyInit): Promise<Seen> {
  const answer = await fetch(`http://${islet.ready.http}${url}`, {
    method,
    headers,
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

/** In the form of the dialect, told by the document, and nothing has changed. */
async function expectRefused(name: string, { status, text, headers }: Seen, about?: Endpoint): Promise<string> {
  const changed = registry.changed();
  if (changed.length > 0) await registry.accept(); // told once, below

  const type = headers.get("content-type");
  expect({ name, type, text: text.slice(0, 300) }).toMatchObject({ type: "application/json; charset=UTF-8" });
  const { error_code, error_desc } = JSON.parse(text) as Record<string, unknown>;
  expect([name, typeof error_code, typeof error_desc]).toEqual([name, "string", "string"]);
  if (about) expect({ name, wrong: undescribed(document, about.operation, status, text) }).toEqual({ name, wrong: [] });
  expect({ name, status, changed }).toEqual({ name, status, changed: [] });
  return `${status} ${error_code}`;
}

const bytes = (...parts: (number[] | string)[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)));
const BOM = [0xef, 0xbb, 0xbf];
const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
/** Comes without a Content-Length. */
const chunked = (length: number) =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes('{"a":"'));
      for (let sent = 0; sent < length; sent += 1_000) controller.enqueue(bytes("x".repeat(1_000)));
      controller.enqueue(bytes('"}'));
      controller.close();
    },
  });
type Body = [name: string, status: number, body: (right: string) => Bun.BodyInit, headers?: Record<string, string>];
const BODIES: Body[] = [
  ["not JSON", 400, () => "{"],
  ["two values", 400, (right) => `${right} ${right}`],
  ["not UTF-8", 400, (right) => bytes(right.slice(0, -1), ',"x":"', [0xff, 0xfe], '"}')],
  ["overlong UTF-8", 400, (right) => bytes(right.slice(0, -1), ',"x":"', [0xc0, 0x80], '"}')],
  ["UTF-16", 400, (right) => new Uint8Array(Buffer.from(`\ufeff${right}`, "utf16le"))],
  ["a BOM and nothing", 400, () => bytes(BOM)],
  ["a BOM and no JSON", 400, () => bytes(BOM, "{")],
  ["empty", 400, () => ""],
  ["blank", 400, () => " \r\n\t"],
  ["a NUL character", 400, () => "\0"],
  ["an array", 400, (right) => `[${right}]`],
  ["null", 400, () => "null"],
  ["a number", 400, () => "7"],
  ["a text", 400, () => '"x"'],
  ["too large", 413, () => `{"a":"${"x".repeat(MAX_BYTES)}"}`],
  ["too large for every API", 413, () => `{"a":"${"x".repeat(100_000)}"}`],
  ["too large, in chunks", 413, () => chunked(MAX_BYTES + 1)],
  ["too large for every API, in chunks", 413, () => chunked(100_001)],
  ["too deep", 400, () => nested(MAX_DEPTH + 1)],
  ["nested without end", 400, () => "[".repeat(MAX_BYTES)],
  ["compressed", 400, (right) => Bun.gzipSync(Buffer.from(right)), { "content-encoding": "gzip" }],
  ["plain text", 415, (right) => right, { "content-type": "text/plain" }],
  ["XML", 415, () => "<a/>", { "content-type": "application/xml" }],
  ["multipart", 415, () => "--b--", { "content-type": "multipart/form-data; boundary=b" }],
  ["no type at all", 415, (right) => right, { "content-type": "/" }],
  ["another character set", 415, (right) => right, { "content-type": "application/json; charset=latin1" }],
];

describe.each(named.filter(([, { operation }]) => operation.requestBody))("the body of %s", (_name, endpoint) => {
  let right: Request;
  beforeAll(async () => {
    right = await rightCall(document, endpoint, world);
    await registry.accept();
  });
  test.each(BODIES)("%s: %i", async (name, status, body, headers = {}) => {
    const text = JSON.stringify(right.body);
    const answer = await send(right.method, renderUrl(right), { ...right.headers, ...headers }, body(text));
    await expectRefused(name, answer, endpoint);
    const isLogin = status === 400 && answer.status === 401; // whatever is wrong with a secret, it is not right
    expect(isLogin && endpoint.operation.operationId === "login" ? 400 : answer.status).toBe(status);
  });
  test("as a form, where it is no form", async () => {
    if (endpoint.operation.security?.length === 0) return;
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await send(right.method, renderUrl(right), { ...right.headers, ...type }, "a=b");
    await expectRefused("form", answer, endpoint);
    expect(answer.status).toBe(415);
  });
});

const IN_QUERY = [
  ["twice", (name: string) => `${name}=1&${name}=1`],
  ["twice, once encoded", (name: string) => `${name}=1&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=2`],
  ["broken encoding", (name: string) => `${name}=%zz`],
  ["cut encoding", (name: string) => `${name}=a%`],
  ["not UTF-8", (name: string) => `${name}=%ff`],
  ["half a surrogate pair", (name: string) => `${name}=%ED%A0%80`],
] as const;

describe.each(named)("%s", (_name, endpoint) => {
  const { method, operation } = endpoint;
  let right: Request;
  beforeAll(async () => {
    right = await rightCall(document, endpoint, world);
    await registry.accept();
  });
  const body = () => (right.body ? JSON.stringify(right.body) : undefined);
  const parameters = (operation.parameters ?? []).filter((it) => it.in === "query");
  const others = (given: string) => {
    const { [given]: _, ...rest } = right.query;
    return renderUrl({ path: right.path, query: rest });
  };

  for (const parameter of parameters) {
    test.each(IN_QUERY)(`its parameter ${parameter.name}: %s`, async (what, render) => {
      const url = others(parameter.name);
      const query = `${url.includes("?") ? "&" : "?"}${render(parameter.name)}`;
      const answer = await send(method, url + query, right.headers, body());
      await expectRefused(what, answer, endpoint);
    });
    test(`its parameter ${parameter.name}: longer than anything`, async () => {
      const url = others(parameter.name);
      const query = `${url.includes("?") ? "&" : "?"}${parameter.name}=${"x".repeat(8_000)}`;
      const answer = await send(method, url + query, right.headers, body());
      // Something that long is nobody's: a filter of subscriptions or groups finds nothing.
      if (method === "GET" && !answer.text.includes('"error_code"')) expect(answer.text).toContain('"totalCount":0');
      else await expectRefused("long", answer, endpoint);
    });
  }

  const segments = endpoint.path.match(/\{\w+\}/g) ?? [];
  const PATHS = [
    "%zz",
    "%",
    "%ff",
    "%00",
    "%2F",
    "..%2f..",
    "%ED%A0%80",
    "x".repeat(4_000),
    "__proto__",
    "%F0%9F%99%82",
  ];
  if (segments.length > 0) {
    test.each(PATHS)("in its path: %p", async (segment) => {
      const path = endpoint.path.replace(/\{\w+\}/g, segment);
      const answer = await send(method, renderUrl({ ...right, path }), right.headers, body());
      await expectRefused(segment, answer);
      expect(answer.status).toBeLessThan(500);
    });
  }

  test("another method", async () => {
    const own = ENDPOINTS.filter(({ path }) => path === endpoint.path).map((it) => it.method);
    const fits = ({ path }: Endpoint) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`).test(right.path);
    const allowed = [...new Set(ENDPOINTS.filter(fits).map((it) => it.method))];
    for (const other of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].filter((it) => !own.includes(it))) {
      const sent = other === "GET" ? undefined : body();
      const answer = await send(other, renderUrl(right), right.headers, sent);
      // GET …/ids is a device by its id as well, and so on: a fixed path may stand where another has a name.
      const code = await expectRefused(other, answer);
      if (code.startsWith("405")) expect(answer.headers.get("allow")?.split(", ").sort()).toEqual([...allowed].sort());
    }
  });

  test("HEAD is GET without its body, and nothing elsewhere", async () => {
    const { status, text } = await send("HEAD", renderUrl(right), right.headers);
    expect([text, registry.changed()]).toEqual(["", []]);
    const isReadable = ENDPOINTS.some((it) => it.method === "GET" && it.path === endpoint.path);
    if (!isReadable) expect(status).toBeGreaterThanOrEqual(400);
  });

  test("a path beside it", async () => {
    const path = right.path;
    for (const other of [`${path}/`, `${path}/x/y`, path.replace("/v", "/V"), `${path}%00`, `${path};a=b`]) {
      if (ENDPOINTS.some((it) => it.path === other)) continue;
      const answer = await send(method, renderUrl({ ...right, path: other }), right.headers, body());
      await expectRefused(other, answer);
      expect([other, answer.status < 500]).toEqual([other, true]);
    }
  });

  if (operation.security?.length !== 0) {
    test("headers of no caller", async () => {
      const { authorization = "", app_key = "" } = right.headers;
      const HEADERS: Record<string, string>[] = [
        {},
        { app_key },
        { authorization },
        { app_key, authorization: `${authorization}x` },
        { app_key, authorization: authorization.slice(7) },
        { app_key, authorization: `Basic ${btoa("a:b")}` },
        { app_key: "x".repeat(4_000), authorization },
        { app_key, authorization: `Bearer ${"x".repeat(4_000)}` },
        { app_key: `${app_key}, ${app_key}`, authorization },
        { app_key: "__proto__", authorization: "Bearer __proto__" },
      ];
      for (const headers of HEADERS) {
        const answer = await send(method, renderUrl(right), { ...headers, "content-type": "application/json" }, body());
        const code = await expectRefused(JSON.stringify(headers).slice(0, 100), answer, endpoint);
        expect(code).toMatch(/^(403 1010005|401 100025|500 100220|500 100229)$/);
      }
    });
  }

  const isAlias = operation.operationId === "queryBatchTaskAlias"; // names no task, and is there to say so
  test(`and is ${isAlias ? "still refused" : "right"} without all that`, async () => {
    const { status, text } = await send(method, renderUrl(right), right.headers, body());
    expect(undescribed(document, operation, status, text)).toEqual([]);
    expect({ text, isRight: !text.includes('"error_code"') }).toEqual({ text, isRight: !isAlias });
    await registry.accept();
  });
});

test.each(["/iocm", "/iocm/", "/iodm/x", "/api/v3.0", "/iocm/app/%zz", "/iocm/app/../x", "/iocm/<script>"])(
  "%s is no path",
  async (path) => {
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const code = await expectRefused(path, await send(method, path, world.app.headers));
      expect(code).toBe("404 100225");
    }
  },
);

// Where an application puts what it likes: what cannot be given back as it came is refused.
const FREE: [operationId: string, render: (value: string) => string][] = [
  ["modifyDevice", (value) => `{"customFields":[{"fieldName":"f","fieldValue":${value}}]}`],
  ["modifyDeviceShadow", (value) => `{"serviceDesireds":[{"serviceId":"Smoke","desired":{"note":${value}}}]}`],
  ["sendCommand", (value) => `{"header":{"method":"SET_TARGET"},"body":{"target":${value}}}`],
  ["createDeviceCommand", (value) => `{"command":{"serviceId":"Smoke","method":"SET_ALARM","paras":{"x":${value}}}}`],
  [
    "createBatchTask",
    (value) => `{"param":{"command":{"serviceId":"Smoke","method":"SET_ALARM","paras":{"x":${value}}}}}`,
  ],
];
describe.each(FREE)("free values of %s", (operationId, render) => {
  const VALUES = ["1e999", `-${"9".repeat(400)}`, '"\\uD83D"', '{"y":["\\udc00"]}', '{"\\ud800":1}'];
  test.each(VALUES)("%s", async (value) => {
    const endpoint = ENDPOINTS.find((it) => it.operation.operationId === operationId);
    if (!endpoint) throw new Error(`${operationId} is not there`);
    const right = await rightCall(document, endpoint, world);
    await registry.accept();
    // JSON.stringify could not write the value: it stands for a mark.
    const parts = JSON.parse(render('"MARK"')) as Record<string, object>;
    const merged: Record<string, unknown> = { ...right.body };
    for (const [name, part] of Object.entries(parts))
      merged[name] = Array.isArray(part) ? part : { ...(merged[name] as object), ...part };
    const body = JSON.stringify(merged).replace('"MARK"', value);
    const answer = await send(right.method, renderUrl(right), right.headers, body);
    await expectRefused(value.slice(0, 20), answer, endpoint);
    expect(answer.text).toContain("cannot be stored");
  });
});

/** Everything that comes back until the other side closes, or has said a whole answer. */
function raw(text: string): Promise<string> {
  const [hostname = "", port] = islet.ready.http.split(":");
  return new Promise((resolve, reject) => {
    let answer = "";
    void Bun.connect({
      ...{ hostname, port: Number(port) },
      socket: {
        open: (socket) => void socket.write(text),
        data(socket, bytes) {
          answer += bytes.toString();
          const [head = "", body] = answer.split("\r\n\r\n");
          const length = /content-length: (\d+)/i.exec(head)?.[1];
          if (body !== undefined && length !== undefined && body.length >= Number(length)) socket.end();
        },
        close: () => resolve(answer),
        error: (_socket, error) => reject(error),
      },
    }).catch(reject);
  });
}

const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
// The runtime refuses these before there is a request, with an empty body.
test.each([
  ["a head that does not end", () => `GET ${GROUPS}?name=${"x".repeat(20_000)} HTTP/1.1\r\nHost: h\r\n`, "431"],
  ["a NUL character in the target", () => `DELETE ${GROUPS}/a\0b HTTP/1.1\r\nHost: h\r\n`, ""],
  ["a length that is no number", () => `POST ${GROUPS} HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n`, "400"],
  [
    "a length, and chunks",
    () => `POST ${GROUPS} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n`,
    "400",
  ],
  ["a chunk that is none", () => `POST ${GROUPS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n`, "400"],
  ["a method that nobody knows", () => `DESTROY ${GROUPS} HTTP/1.1\r\nHost: h\r\n`, ""],
  ["a method in small letters", () => `post ${GROUPS} HTTP/1.1\r\nHost: h\r\n`, ""],
])("%s ends the connection, and changes nothing", async (_name, head, status) => {
  const headers = Object.entries(world.app.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const answer = await raw(`${head()}${headers.join("")}\r\nzz\r\n{}`);
  expect(answer.toLowerCase()).not.toContain("<html");
  if (status !== "") expect(answer).toStartWith(`HTTP/1.1 ${status} `);
  expect(answer).not.toMatch(/^HTTP\/1.1 2/);
  expect(registry.changed()).toEqual([]);
});

test.each(["TRACE", "PROPFIND", "CONNECT"])("%s is refused like any other method", async (method) => {
  const answer = await raw(`${method} ${GROUPS} HTTP/1.1\r\nHost: h\r\n\r\n`);
  expect(answer).toStartWith("HTTP/1.1 405 ");
  expect(answer).toContain('{"error_code":"100022"');
  expect(answer).toContain("\r\nAllow: POST, GET\r\n");
});

describe("what is odd, and right", () => {
  const NAME = "/iocm/app/dm/v1.4.0/devices";
  const rename = (body: Bun.BodyInit) =>
    send("PUT", `${NAME}/${world.online}`, { ...world.app.headers, "content-type": "application/json" }, body);
  const nameNow = async () => {
    const { body } = await world.app<{ deviceInfo: { name: string } }>("GET", `${NAME}/${world.online}`);
    return body.deviceInfo.name;
  };
  const CASES: [what: string, body: Bun.BodyInit, name: string][] = [
    ["a BOM before the body", bytes(BOM, '{"name":"bom"}'), "bom"],
    ["a key that comes twice: the last one counts", '{"name":"first","name":"last"}', "last"],
    [
      "keys that mean something to JavaScript",
      '{"name":"plain","__proto__":{"name":"no"},"constructor":{"prototype":{"x":1}}}',
      "plain",
    ],
    ["a NUL character in a text", JSON.stringify({ name: "a\0b" }), "a\0b"],
    ["characters of all planes", JSON.stringify({ name: "é中🙂\u202e" }), "é中🙂\u202e"],
    ["the deepest nesting", `{"name":"deep","x":${nested(MAX_DEPTH - 1)}}`, "deep"],
    ["the largest body", `{"name":"large","x":"${"x".repeat(MAX_BYTES - 23)}"}`, "large"],
  ];
  test.each(CASES)("%s", async (_what, body, name) => {
    expect((await rename(body)).status).toBe(204);
    expect(await nameNow()).toBe(name);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    await registry.accept();
  });
});
