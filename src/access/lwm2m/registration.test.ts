import { describe, expect, test } from "bun:test";
import { CODES } from "../../wire/coap";
import type { RequestOutcome } from "../coap/coap-endpoint";
import { bytes, content, LINKS, lwm2mBench, NOTHING } from "./testing/lwm2m-bench";

const IMEI = "861234500000017";

describe("a registration", () => {
  test("binds the device, is observed at once, and lets what waits go out after that", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    it.told();
    it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
    const reply = await it.registerAt(it.peerAt(1), `lwm2m=1.0&ep=${IMEI}&b=UQ&lt=300`);
    expect([reply.code, reply.locationPath?.[0], reply.locationPath?.length]).toEqual([CODES.created, "rd", 2]);
    expect(it.told()).toEqual([`bound succeeded ${IMEI} ONLINE`, `changed ${IMEI} ONLINE`]);
    const [observation] = it.coap.requests;
    expect(observation?.request).toMatchObject({ method: "get", path: ["19", "0", "0"], observe: 0, accept: 42 });
    expect(it.heard()).toEqual([`${device.no}`]);
    const registered = it.hub.registrations.byDevice(device.no);
    expect(registered?.stored).toMatchObject({
      ...{ style: "lwm2m", endpoint: IMEI, version: "1.0", lifetimeSeconds: 300, observed: true, isSecure: false },
      ...{ host: "192.0.2.1", port: 1, binding: { transports: ["U"], queueMode: true }, contentFormats: [11_543] },
      expiresAtMs: it.clock.now() + 300_000,
    });
    expect(registered?.stored.objects.map(({ objectId }) => objectId)).toEqual([3, 5, 19]);
    expect(observation?.request.token).toEqual(registered?.stored.token as Uint8Array);
    expect(it.traces.map(({ reason }) => reason)).toEqual(["registered"]);
  });

  test("names the device by its IMEI in any form", async () => {
    const it = await lwm2mBench();
    const bare = await it.add(IMEI);
    await it.add("urn:imei:861234500000025");
    await it.registerAt(it.peerAt(1), `ep=urn:imei:${IMEI}`);
    expect(it.hub.registrations.byDevice(bare.no)?.stored.endpoint).toBe(`urn:imei:${IMEI}`);
    expect((await it.registerAt(it.peerAt(2), "ep=861234500000025")).code).toBe(CODES.created);
    expect((await it.registerAt(it.peerAt(3), `ep=${IMEI};460001234567890&b=U&lt=60`)).code).toBe(CODES.created);
  });

  test("that comes again replaces the one before: new location, new token, one observation each", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    const first = await it.registerAt(it.peerAt(1), `ep=${IMEI}`);
    const token = it.hub.registrations.byDevice(device.no)?.stored.token;
    const second = await it.registerAt(it.peerAt(2), `ep=${IMEI}`);
    expect(second.locationPath).not.toEqual(first.locationPath as string[]);
    expect(it.hub.registrations.byDevice(device.no)?.stored.token).not.toEqual(token as Uint8Array);
    expect(it.coap.requests.map(({ peer }) => peer.port)).toEqual([1, 2]);
    // What was open towards the old address goes on at the new one.
    expect(it.coap.told()).toContain("redirect 1 2");
    expect((await it.ask(it.peerAt(1), CODES.post, `/${first.locationPath?.join("/")}`, "")).code).toBe(CODES.notFound);
  });

  test.each(["/rd", "/t/r"])(
    "at %s that comes again ends the observation that was still being asked for",
    async (path) => {
      const it = await lwm2mBench();
      await it.add("a");
      const never = new Promise<never>(() => {});
      it.coap.outcomes.push(never, never);
      const links = path === "/rd" ? LINKS : NOTHING;
      for (const signals of [[false], [true, false]]) {
        await it.ask(it.peerAt(1), CODES.post, path, "ep=a", links);
        expect(it.coap.requests.map(({ signal }) => signal?.aborted)).toEqual(signals);
      }
      // Else a module of the private dialect hears a second one, which unbinds it (nb-iot.md 2.2).
      expect(it.traces.filter(({ reason }) => reason === "not_observed")).toEqual([]);
    },
  );

  test("of a client that never answers the observation is let be", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    await it.registerAt(it.peerAt(1), `ep=${IMEI}`); // no outcome: no acknowledgement
    expect(it.hub.registrations.byDevice(device.no)?.stored.observed).toBe(false);
    expect(it.heard()).toEqual([]);
    expect(it.traces.map(({ reason }) => reason)).toEqual(["registered", "not_observed"]);
  });

  test("without object 19 is not observed, and heard all the same", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    await it.registerAt(it.peerAt(1), `ep=${IMEI}`, new TextEncoder().encode("</3/0>,</3303/0>"));
    expect(it.coap.requests).toEqual([]);
    expect(it.heard()).toEqual([`${device.no}`]);
  });

  test("renews the observations that operators want", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    it.wanted.push([3, 0, 9]);
    it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
    it.coap.outcomes.push(content(new TextEncoder().encode("87"), { observe: 1, contentFormat: 0 }));
    await it.registerAt(it.peerAt(1), `ep=${IMEI}`);
    expect(it.observed).toEqual([`${device.no} /3/0/9 87`]);
    expect(it.hub.registrations.observationsOf(device.no)).toMatchObject([{ path: [3, 0, 9] }]);
  });

  test("that comes again asks anew for what operators want, whatever became of asking before", async () => {
    const it = await lwm2mBench();
    const device = await it.add("a");
    it.wanted.push([3, 0, 9]);
    const first = Promise.withResolvers<RequestOutcome>();
    it.coap.outcomes.push(first.promise, content(bytes("32"), { observe: 1, contentFormat: 0 }));
    const links = new TextEncoder().encode('</>;rt="oma.lwm2m",</3/0>');
    await it.registerAt(it.peerAt(1), "ep=a", links);
    await it.registerAt(it.peerAt(1), "ep=a", links);
    expect(it.coap.requests.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
    first.resolve({ kind: "cancelled" });
    await it.settle();
    expect(it.hub.registrations.observationsOf(device.no)).toMatchObject([{ path: [3, 0, 9] }]);
  });

  test("survives the process: it is found by device, location and token", async () => {
    const it = await lwm2mBench({ settings: { maxActive: 2 } });
    const device = await it.add(IMEI);
    await it.registerAt(it.peerAt(1), `ep=${IMEI}`);
    const before = it.hub.registrations.byDevice(device.no)?.stored;
    for (const nodeId of ["other-1", "other-2", "other-3"]) {
      await it.add(nodeId);
      await it.registerAt(it.peerAt(9), `ep=${nodeId}`);
    }
    const again = it.hub.registrations.byToken(before?.token as Uint8Array);
    expect(again?.heardMs).toBeUndefined(); // it had left the memory
    expect(again?.stored).toEqual(before as NonNullable<typeof before>);
    expect(it.hub.registrations.active()).toBeLessThanOrEqual(4);
  });
});

const REFUSALS: [
  rule: string,
  set: (it: Awaited<ReturnType<typeof lwm2mBench>>) => Promise<unknown>,
  query: string,
  code: number,
  reason: string,
][] = [
  ["an unknown endpoint", async () => {}, "ep=nobody", CODES.forbidden, "endpoint_unknown"],
  [
    "a frozen device",
    async (it) => it.devices.modify((await it.add("a")).no, { muted: true }),
    "ep=a",
    CODES.forbidden,
    "device_frozen",
  ],
  [
    "a secure device on the plain port",
    (it) => it.add("a", { isSecure: true }),
    "ep=a",
    CODES.forbidden,
    "secure_device_on_plain_port",
  ],
  [
    "an endpoint that means two devices",
    async (it) => {
      await it.add(IMEI);
      await it.add(`urn:imei:${IMEI}`);
    },
    `ep=urn:imei-imsi:${IMEI}-460001234567890`,
    CODES.forbidden,
    "endpoint_ambiguous",
  ],
  ["no endpoint", async () => {}, "lt=60", CODES.badRequest, "registration_malformed"],
  ["a lifetime that is no number", (it) => it.add("a"), "ep=a&lt=soon", CODES.badRequest, "registration_malformed"],
  ["an endpoint that is named twice", (it) => it.add("a"), "ep=a&ep=b", CODES.badRequest, "registration_malformed"],
];
test.each(REFUSALS)("%s is refused, and leaves nothing", async (_rule, set, query, code, reason) => {
  const it = await lwm2mBench();
  await set(it);
  const reply = await it.registerAt(it.peerAt(1), query);
  expect([reply.code, it.traces.at(-1)?.reason]).toEqual([code, reason]);
  expect([it.hub.registrations.count(), it.coap.requests.length, it.heard()]).toEqual([0, 0, []]);
});

test("an MQTT device, and a version that is not served, are refused", async () => {
  const it = await lwm2mBench();
  const mqtt = await it.importProduct({ model: "other" });
  await it.register("m", mqtt);
  expect((await it.registerAt(it.peerAt(1), "ep=m")).code).toBe(CODES.forbidden);
  expect(it.traces.at(-1)?.reason).toBe("wrong_protocol");
  await it.add("a");
  expect((await it.registerAt(it.peerAt(1), "ep=a&lwm2m=2.0")).code).toBe(CODES.preconditionFailed);
  expect((await it.registerAt(it.peerAt(1), "ep=a&lwm2m=1.1")).code).toBe(CODES.created);
});

test("links that cannot be read are told where they break", async () => {
  const it = await lwm2mBench();
  await it.add("a");
  const reply = await it.registerAt(it.peerAt(1), "ep=a", new TextEncoder().encode("</3/0>,3/1>"));
  expect([reply.code, reply.diagnostic]).toEqual([CODES.badRequest, "links: no target at 7"]);
});

describe("on the secure port", () => {
  test("a device registers as itself only, and need not repeat its name", async () => {
    const it = await lwm2mBench();
    const device = await it.add("a", { isSecure: true });
    const other = await it.add("b", { isSecure: true });
    expect((await it.registerAt(it.securePeer(other.no), "ep=a")).code).toBe(CODES.forbidden);
    expect(it.traces.at(-1)).toMatchObject({ deviceNo: device.no, reason: "endpoint_of_another_device" });
    expect((await it.registerAt(it.securePeer(device.no), "lwm2m=1.1")).code).toBe(CODES.created);
    expect(it.hub.registrations.byDevice(device.no)?.stored).toMatchObject({ isSecure: true, endpoint: "a" });
  });

  test("a registration belongs to the session's device, whoever knows its location", async () => {
    const it = await lwm2mBench();
    const device = await it.add("a", { isSecure: true });
    const other = await it.add("b", { isSecure: true });
    const { locationPath } = await it.registerAt(it.securePeer(device.no), "ep=a");
    const where = `/${locationPath?.join("/")}`;
    for (const thief of [it.peerAt(1), it.securePeer(other.no)]) {
      expect((await it.ask(thief, CODES.post, where, "")).code).toBe(CODES.notFound);
      expect((await it.ask(thief, CODES.delete, where, "")).code).toBe(CODES.notFound);
    }
    // A new session of the same device is fine.
    expect((await it.ask(it.securePeer(device.no, "two"), CODES.post, where, "")).code).toBe(CODES.changed);
  });
});

describe("an update", () => {
  async function registered(query = "ep=a&lt=100") {
    const it = await lwm2mBench();
    const device = await it.add("a");
    it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
    const { locationPath } = await it.registerAt(it.peerAt(1), query);
    it.heard();
    return { it, device, where: `/${locationPath?.join("/")}` };
  }

  test("renews the lifetime, and changes what it names", async () => {
    const { it, device, where } = await registered();
    await it.clock.advance(99_000);
    expect((await it.ask(it.peerAt(1), CODES.post, where, "lt=500&b=U")).code).toBe(CODES.changed);
    expect(it.hub.registrations.byDevice(device.no)?.stored).toMatchObject({
      lifetimeSeconds: 500,
      expiresAtMs: it.clock.now() + 500_000,
      binding: { transports: ["U"], queueMode: false },
    });
    expect(it.heard()).toEqual([`${device.no}`]);
    await it.ask(it.peerAt(1), CODES.put, where, "", new TextEncoder().encode("</3/0>,</19/0>"));
    expect(it.hub.registrations.byDevice(device.no)?.stored.objects).toHaveLength(2);
    expect(it.coap.requests).toHaveLength(1); // observed once
  });

  test("from another address moves the device, also on disk", async () => {
    const { it, device, where } = await registered();
    await it.ask(it.peerAt(2), CODES.post, where, "");
    expect(it.coap.told()).toContain("redirect 1 2");
    await it.transactor.settled();
    expect(it.hub.registrations.byDevice(device.no)?.stored.port).toBe(2);
    const row = it.db.query("SELECT port FROM lwm2m_registration").get();
    expect(row).toEqual({ port: 2 });
  });

  test("after the lifetime finds nothing: the device registers anew", async () => {
    const { it, device, where } = await registered();
    await it.clock.advance(100_001);
    expect((await it.ask(it.peerAt(1), CODES.post, where, "")).code).toBe(CODES.notFound);
    expect((await it.registerAt(it.peerAt(1), "ep=a")).code).toBe(CODES.created);
    expect(it.hub.registrations.byDevice(device.no)?.stored.lifetimeSeconds).toBe(86_400);
  });

  test("a lifetime of 0 never ends", async () => {
    const { it, where } = await registered("ep=a&lt=0");
    await it.clock.advance(400 * 24 * 3_600_000);
    expect((await it.ask(it.peerAt(1), CODES.post, where, "")).code).toBe(CODES.changed);
  });

  test("that makes no sense changes nothing", async () => {
    const { it, device, where } = await registered();
    const before = it.hub.registrations.byDevice(device.no)?.stored;
    expect((await it.ask(it.peerAt(1), CODES.post, where, "lt=x")).code).toBe(CODES.badRequest);
    expect((await it.ask(it.peerAt(1), CODES.post, where, "", LINKS.subarray(1))).code).toBe(CODES.badRequest);
    expect(it.hub.registrations.byDevice(device.no)?.stored).toEqual(before as NonNullable<typeof before>);
  });

  test("observes the reports when that has not worked before", async () => {
    const it = await lwm2mBench();
    const device = await it.add("a");
    const { locationPath } = await it.registerAt(it.peerAt(1), "ep=a");
    it.coap.outcomes.push(content(NOTHING, { observe: 0 }));
    await it.ask(it.peerAt(1), CODES.post, `/${locationPath?.join("/")}`, "");
    expect(it.hub.registrations.byDevice(device.no)?.stored.observed).toBe(true);
    expect(it.heard()).toEqual([`${device.no}`]);
  });
});

test("a device that de-registers has no registration, and is OFFLINE", async () => {
  const it = await lwm2mBench();
  const device = await it.add("a");
  const { locationPath } = await it.registerAt(it.peerAt(1), "ep=a");
  const where = `/${locationPath?.join("/")}`;
  expect((await it.ask(it.peerAt(1), CODES.delete, where, "")).code).toBe(CODES.deleted);
  expect(it.devices.findByNo(device.no)?.status).toBe("OFFLINE");
  expect(it.hub.registrations.byDevice(device.no)).toBeUndefined();
  expect((await it.ask(it.peerAt(1), CODES.delete, where, "")).code).toBe(CODES.notFound);
});

test("a deleted device takes its registration along", async () => {
  const it = await lwm2mBench();
  const device = await it.add("a");
  await it.registerAt(it.peerAt(1), "ep=a");
  await it.devices.delete(device.no, { cascade: true });
  expect([it.hub.registrations.byDevice(device.no), it.hub.registrations.count()]).toEqual([undefined, 0]);
});

test("registrations that are over for long are forgotten, the others stay", async () => {
  const it = await lwm2mBench();
  await it.add("a");
  await it.add("b");
  await it.registerAt(it.peerAt(1), "ep=a&lt=10");
  await it.registerAt(it.peerAt(2), "ep=b&lt=0");
  await it.clock.advance(10_000 + 60_000);
  expect(await it.hub.registrations.removeExpired(60_001, 10)).toEqual([]);
  expect(await it.hub.registrations.removeExpired(60_000, 10)).toHaveLength(1);
  expect(it.hub.registrations.count()).toBe(1);
});

describe("the private dialect", () => {
  test("is answered 2.04, and observed at once, without an option that its modules do not know", async () => {
    const it = await lwm2mBench();
    const device = await it.add(IMEI);
    it.coap.outcomes.push(content(NOTHING, { code: CODES.changed, contentFormat: 65_535 }));
    const reply = await it.tupAt(it.peerAt(1), `ep=${IMEI}`);
    expect(reply.code).toBe(CODES.changed);
    const { method, path, observe, accept } = it.coap.requests[0]?.request ?? {};
    expect([method, path, observe, accept]).toEqual(["get", ["t", "d"], 0, undefined]);
    expect(it.hub.registrations.byDevice(device.no)?.stored).toMatchObject({ style: "tup", observed: true });
    expect(it.heard()).toEqual([`${device.no}`]);
  });

  test("says 5.00 to whoever may not", async () => {
    const it = await lwm2mBench();
    await it.add("s", { isSecure: true });
    for (const ep of ["nobody", "s"])
      expect((await it.tupAt(it.peerAt(1), `ep=${ep}`)).code).toBe(CODES.internalServerError);
    expect(it.hub.registrations.count()).toBe(0);
  });
});

const PATHS: [method: keyof typeof CODES, path: string, code: number][] = [
  ["get", "/rd", CODES.methodNotAllowed],
  ["get", "/rd/1", CODES.methodNotAllowed],
  ["post", "/rd/1/2", CODES.notFound],
  ["get", "/t/r", CODES.methodNotAllowed],
  ["post", "/t/d", CODES.notFound],
  ["post", "/bs", CODES.notFound],
  ["get", "/", CODES.notFound],
  ["get", "/.well-known/core", CODES.content],
  ["put", "/.well-known/core", CODES.methodNotAllowed],
];
test.each(PATHS)("%s %s", async (method, path, code) => {
  const it = await lwm2mBench();
  expect((await it.ask(it.peerAt(1), CODES[method], path, "")).code).toBe(code);
});
