/** libcoap's client as a device of a started process, plain and with its GnuTLS and OpenSSL builds. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";
import { ask, clients } from "../support/libcoap";
import { type NbIot, setUpNbIot } from "../support/nb-iot";

/** libcoap takes a key as text, the platform as hexadecimal: these are the same sixteen bytes. */
const KEY = "sixteen-byte-key";
const PSK = Buffer.from(KEY).toString("hex");
const LINKS = '</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>,</4/0>';
const MANY_LINKS = [LINKS, ...Array.from({ length: 40 }, (_, instance) => `</3303/${instance}>`)].join(",");
const CORE = '</rd>;rt="core.rd",</t/r>';

const folder = temporaryFolder();
let islet: Islet;
let it: NbIot;
let plain: string;
let secure: string;
beforeAll(async () => {
  islet = await startIslet({ data: folder.path });
  it = await setUpNbIot(islet);
  plain = `coap://${islet.ready.coap}`;
  secure = `coaps://${islet.ready.coaps}`;
});
afterAll(async () => {
  expect(islet.errors).not.toMatch(/"level":"error"/);
  expect(await islet.stop()).toBe(0);
  folder[Symbol.dispose]();
});

const registration = async (deviceId: string) =>
  (await it.manage<{ endpoint?: string; updatedAt?: string }>("GET", `/devices/${deviceId}/registration`)).body;
const reasons = async (query: string) =>
  (await it.manage<{ items: { reason: string }[] }>("GET", query)).body.items.map(({ reason }) => reason);
const tracesOf = ({ deviceId }: { deviceId: string }) => `/devices/${deviceId}/trace`;
const rd = (ep: string, more = "") => `/rd?lwm2m=1.0&ep=${ep}&lt=300&b=U${more}`;

describe("coap-client", () => {
  clients.plain.test("reads what there is, whole and in blocks of 16", async () => {
    const whole = await ask(clients.plain, `${plain}/.well-known/core`);
    expect([whole.code, whole.payload]).toEqual(["2.05", CORE]);
    const { messages } = await ask(clients.plain, `${plain}/.well-known/core`, { blockSize: 16 });
    const blocks = messages.filter((message) => / Block2:\d\/[M_]\/16/.test(message) && message.includes("t:ACK"));
    const parts = blocks.map((message) => / :: '(.*)'$/.exec(message)?.[1]);
    expect(new Set(parts)).toEqual(new Set([CORE.slice(0, 16), CORE.slice(16)]));
  });

  clients.plain.test("registers, updates and leaves by the location that it was given", async () => {
    const device = await it.register(it.productId, "861234500000101");
    const made = await ask(clients.plain, plain + rd(device.nodeId), { method: "post", payload: LINKS, format: 40 });
    expect(made.code).toBe("2.01");
    expect(made.location).toMatch(/^\/rd\/[\w-]{8,}$/);
    expect(await registration(device.deviceId)).toMatchObject({
      ...{ endpoint: device.nodeId, style: "lwm2m", lifetimeSeconds: 300, isSecure: false },
    });
    const updated = await ask(clients.plain, `${plain + made.location}?lt=600`, { method: "post" });
    expect(updated.code).toBe("2.04");
    expect(await registration(device.deviceId)).toMatchObject({ lifetimeSeconds: 600 });
    const left = await ask(clients.plain, plain + made.location, { method: "delete" });
    expect(left.code).toBe("2.02");
    for (const method of ["post", "delete"] as const)
      expect((await ask(clients.plain, plain + made.location, { method })).code).toBe("4.04");
    expect((await it.manage("GET", `/devices/${device.deviceId}/registration`)).status).not.toBe(200);
  });

  clients.plain.test("registers with a body in blocks of 64", async () => {
    const device = await it.register(it.productId, "861234500000102");
    const options = { method: "post", payload: MANY_LINKS, format: 40, blockSize: 64 } as const;
    const made = await ask(clients.plain, plain + rd(device.nodeId), options);
    expect(made.code).toBe("2.01");
    const continued = made.messages.filter((message) => message.includes(" c:2.31 "));
    expect(continued).toHaveLength(Math.ceil(MANY_LINKS.length / 64) - 1);
    const { body } = await it.manage("GET", `/devices/${device.deviceId}/registration`);
    expect(JSON.stringify(body)).toContain("3303");
    expect(JSON.stringify(body)).toContain("39");
  });

  clients.plain.test.each([
    ["get", "/", "4.04"],
    ["get", "/nowhere", "4.04"],
    ["post", "/rd/a/b", "4.04"],
    ["post", "/rd/AAAAAAAAAAA", "4.04"],
    ["delete", "/rd/AAAAAAAAAAA", "4.04"],
    ["get", "/rd", "4.05"],
    ["put", "/rd?ep=861234500000103", "4.05"],
    ["delete", "/rd", "4.05"],
    ["get", "/rd/AAAAAAAAAAA", "4.05"],
    ["put", "/.well-known/core", "4.05"],
    ["get", "/t/r", "4.05"],
    ["fetch", "/rd", "4.05"],
    ["post", "/rd", "4.00"], // nobody
    ["post", "/rd?lwm2m=1.0&ep=861234500000103&lt=x", "4.00"],
    ["post", "/rd?lwm2m=2.0&ep=861234500000103", "4.12"],
    ["post", rd("861234500000104"), "4.03"], // not registered with the platform
  ] as const)("is told what is wrong with %s %s: %s", async (method, path, code) => {
    expect((await ask(clients.plain, plain + path, { method })).code).toBe(code);
  });

  clients.plain.test("is refused on the plain port when its device is a secure one", async () => {
    const device = await it.register(it.productId, "861234500000105", { isSecure: true });
    const { code } = await ask(clients.plain, plain + rd(device.nodeId), {
      method: "post",
      payload: LINKS,
      format: 40,
    });
    expect(code).toBe("4.03");
    await eventually(
      () => reasons(tracesOf(device)),
      (seen) => seen.includes("secure_device_on_plain_port"),
    );
  });
});

describe.each(["gnutls", "openssl"] as const)("coap-client-%s", (build) => {
  const client = clients[build];
  const nodeId = (n: number) => `86123450000${build === "gnutls" ? 2 : 3}00${n}`;

  client.test("registers, updates and leaves with its key", async () => {
    const device = await it.register(it.productId, nodeId(1), { isSecure: true, psk: PSK });
    const login = { identity: device.nodeId, key: KEY };
    expect((await ask(client, `${secure}/.well-known/core`, { login })).payload).toBe(CORE);
    const made = await ask(client, secure + rd(device.nodeId), { login, method: "post", payload: LINKS, format: 40 });
    expect(made.code).toBe("2.01");
    expect(await registration(device.deviceId)).toMatchObject({ endpoint: device.nodeId, isSecure: true });
    const updated = await ask(client, secure + made.location, { login, method: "post" });
    expect(updated.code).toBe("2.04");
    // On the plain port the location is nothing.
    expect((await ask(clients.plain, plain + made.location, { method: "delete" })).code).toBe("4.04");
    expect((await ask(client, secure + made.location, { login, method: "delete" })).code).toBe("2.02");
  });

  client.test("moves blocks both ways inside its session", async () => {
    const device = await it.register(it.productId, nodeId(2), { isSecure: true, psk: PSK });
    const login = { identity: device.nodeId, key: KEY };
    const options = { login, method: "post", payload: MANY_LINKS, format: 40, blockSize: 64 } as const;
    const made = await ask(client, secure + rd(device.nodeId), options);
    expect(made.code).toBe("2.01");
    const { output } = await ask(client, `${secure}/.well-known/core`, { login, blockSize: 16 });
    expect(output).toContain("Block2:1/_/16");
  });

  client.test("may not register as somebody else", async () => {
    const device = await it.register(it.productId, nodeId(3), { isSecure: true, psk: PSK });
    const other = await it.register(it.productId, nodeId(4), { isSecure: true, psk: PSK });
    const login = { identity: device.nodeId, key: KEY };
    const { code } = await ask(client, secure + rd(other.nodeId), { login, method: "post" });
    expect(code).toBe("4.03");
    const seen = () => reasons(tracesOf(other));
    await eventually(seen, (all) => all.includes("endpoint_of_another_device"));
  });

  client.test("gets no session with a wrong key, an unknown identity, or as a plain device", async () => {
    const device = await it.register(it.productId, nodeId(5), { isSecure: true, psk: PSK });
    const open = await it.register(it.productId, nodeId(6), { psk: PSK });
    const attempts = [
      { identity: device.nodeId, key: "another-key" },
      { identity: nodeId(7), key: KEY },
      { identity: open.nodeId, key: KEY },
    ];
    const answers = await Promise.all(
      attempts.map((login) => ask(client, `${secure}/.well-known/core`, { login, seconds: 1 })),
    );
    expect(answers.map(({ code }) => code)).toEqual([undefined, undefined, undefined]);
    const told = async () => [
      (await reasons(tracesOf(device)))[0],
      (await reasons(`/trace?claimedId=${nodeId(7)}`))[0],
      (await reasons(tracesOf(open)))[0],
    ];
    await eventually(told, (all) => `${all}` === "key_wrong,device_unknown,device_not_secure");
  });
});
