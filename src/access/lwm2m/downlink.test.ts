import { describe, expect, test } from "bun:test";
import { CODES } from "../../wire/coap";
import { sleepingDeviceLink } from "./downlink";
import { resourceLink } from "./resource-operations";
import { bytes, content, lwm2mBench, NOTHING } from "./testing/lwm2m-bench";

const COMMAND = { mid: 1, serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 }, deviceId: "d" };
const OPTIONS = { ackTimeoutMs: 10_000, maxRetransmit: 3, giveUpAfterMs: 180_000 };
const text = (it: string) => new TextEncoder().encode(it);

async function registered(query = "ep=a&lt=1000", settings = {}) {
  const it = await lwm2mBench({ settings });
  const device = await it.add("a");
  it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
  await it.registerAt(it.peerAt(1), query);
  it.coap.requests.splice(0);
  return { it, device, link: sleepingDeviceLink(it.hub), resources: resourceLink(it.hub) };
}

describe("a command", () => {
  test("is made with the codec, for the place where the device takes it", async () => {
    const { it, device, link } = await registered();
    const made = await link.prepare(device.no, COMMAND);
    expect(made).toEqual({ kind: "ready", datagram: text("put /19/1/0 0105") });
    await it.add("t");
    await it.tupAt(it.peerAt(2), "ep=t");
    const tup = it.devices.findByNodeId("t")?.no as number;
    expect(await link.prepare(tup, COMMAND)).toEqual({ kind: "ready", datagram: text("post /t/d 0105") });
  });

  test("tells the codec its mid, and whether more wait behind it", async () => {
    const { it, device, link } = await registered();
    const given: unknown[] = [];
    it.encode((message) => {
      given.push(message);
      return { kind: "nothing" };
    });
    await link.prepare(device.no, COMMAND);
    await link.prepare(device.no, { ...COMMAND, mid: 65_535, hasMore: true });
    const common = { msgType: "cloudReq", serviceId: "Smoke", cmd: "SET_ALARM", paras: { value: 1 } };
    expect(given).toEqual([
      { ...common, mid: 1, hasMore: 0 },
      { ...common, mid: 65_535, hasMore: 1 },
    ]);
  });

  test("that the codec cannot make, or makes nothing or too much of, is not sent", async () => {
    const { it, device, link } = await registered("ep=a", { maxDownlinkBytes: 2 });
    const reasons: unknown[] = [];
    for (const encoded of [
      { kind: "failed", reason: "value_invalid", detail: "value: 256" },
      { kind: "nothing" },
      { kind: "bytes", bytes: NOTHING },
      { kind: "bytes", bytes: bytes("010203") },
    ] as const) {
      it.encode(() => encoded);
      const made = await link.prepare(device.no, COMMAND);
      reasons.push(made.kind === "notEncodable" && made.reason);
    }
    it.codec.has = false;
    const made = await link.prepare(device.no, COMMAND);
    reasons.push(made.kind === "notEncodable" && made.reason);
    expect(reasons).toEqual(["value_invalid", "codec_empty", "codec_empty", "payload_too_large", "codec_missing"]);
  });

  test("for a device without registration, or one that is over, is unreachable", async () => {
    const { it, device, link } = await registered();
    const other = await it.add("other");
    expect(await link.prepare(other.no, COMMAND)).toEqual({ kind: "unreachable" });
    await it.clock.advance(1_000_001);
    expect([await link.prepare(device.no, COMMAND), link.isRegistered(device.no)]).toEqual([
      { kind: "unreachable" },
      false,
    ]);
  });

  test.each([
    ["2.04", content(NOTHING, { code: CODES.changed }), { kind: "acknowledged" }],
    ["4.04", content(NOTHING, { code: CODES.notFound }), { kind: "refused", detail: "4.04" }],
    ["RST", { kind: "reset" }, { kind: "refused", detail: "reset" }],
    ["silence", { kind: "noAcknowledgement" }, { kind: "noAcknowledgement" }],
    ["an ACK and then nothing", { kind: "noResponse" }, { kind: "acknowledged" }],
    ["no room", { kind: "failed", reason: "tooManyOpen" }, { kind: "cancelled" }],
    [
      "a response that breaks its rules",
      { kind: "failed", reason: "criticalOption" },
      { kind: "refused", detail: "criticalOption" },
    ],
    ["an end from our side", { kind: "cancelled" }, { kind: "cancelled" }],
  ] as const)("answered with %s", async (_name, outcome, expected) => {
    const { it, device, link } = await registered();
    it.coap.transmissions.push(outcome as never);
    expect(await link.transmit(device.no, bytes("40"), OPTIONS)).toEqual(expected as never);
  });

  test("has arrived with an empty ACK, though the response takes its time", async () => {
    const { it, device, link } = await registered();
    it.coap.acknowledgeFirst();
    it.coap.transmissions.push(new Promise(() => {}));
    const sent = link.transmit(device.no, bytes("40"), OPTIONS);
    await it.settle();
    await it.clock.advance(1);
    expect(await sent).toEqual({ kind: "acknowledged" });
  });

  test("whose ACK has a refusal in it is refused", async () => {
    const { it, device, link } = await registered();
    it.coap.acknowledgeFirst();
    it.coap.transmissions.push(content(NOTHING, { code: CODES.badRequest }));
    expect(await link.transmit(device.no, bytes("40"), OPTIONS)).toEqual({ kind: "refused", detail: "4.00" });
  });

  test("waits for the way to a device that comes back, within its time", async () => {
    const it = await lwm2mBench();
    const device = await it.add("s", { isSecure: true });
    const link = sleepingDeviceLink(it.hub);
    const sent = link.transmit(device.no, bytes("40"), OPTIONS);
    await it.clock.advance(60_000);
    it.coap.transmissions.push(content(NOTHING, { code: CODES.changed }));
    await it.registerAt(it.securePeer(device.no), "ep=s");
    expect(await sent).toEqual({ kind: "acknowledged" });
    expect(it.coap.transmitted[0]?.giveUpAfterMs).toBe(120_000);
    const never = link.transmit((await it.add("u")).no, bytes("40"), OPTIONS);
    await it.settle();
    await it.clock.advance(180_000);
    expect(await never).toEqual({ kind: "noAcknowledgement" });
  });
});

describe("listening", () => {
  test("ends some time after the device was heard; for operators not without queue mode", async () => {
    for (const [binding, operators] of [
      ["UQ", false],
      ["U", true],
    ] as const) {
      const { it, device, link, resources } = await registered(`ep=a&b=${binding}&lt=1000`);
      expect([link.isListening(device.no), resources.isListening(device.no)]).toEqual([true, true]);
      await it.clock.advance(92_999);
      expect(link.isListening(device.no)).toBe(true);
      await it.clock.advance(1);
      expect([link.isListening(device.no), resources.isListening(device.no)]).toEqual([false, operators]);
      await it.clock.advance(1_000_000);
      expect(resources.isListening(device.no)).toBe(false);
    }
  });
});

describe("an operation", () => {
  const value = (type: "string" | "integer", it: string | number) =>
    ({ kind: "resource", id: 1, value: { type, value: it } }) as never;

  test("reads a resource as text, an instance as TLV, and asks for another format when one is refused", async () => {
    const { it, device, resources } = await registered();
    it.coap.outcomes.push(content(text("87"), { contentFormat: 0 }));
    expect(await resources.request(device.no, { op: "read", path: [3, 0, 9] })).toMatchObject({
      kind: "done",
      node: { kind: "resource", value: { type: "integer", value: 87 } },
    });
    expect(it.coap.requests.at(-1)?.request).toMatchObject({ method: "get", path: ["3", "0", "9"], accept: undefined });
    it.coap.outcomes.push(
      content(NOTHING, { code: CODES.notAcceptable }),
      content(bytes("c1 09 57"), { contentFormat: 11_542 }),
    );
    expect(await resources.request(device.no, { op: "read", path: [3, 0] })).toMatchObject({
      node: { kind: "objectInstance", resources: [{ id: 9, value: { value: 87 } }] },
    });
    expect(it.coap.requests.slice(-2).map(({ request }) => request.accept)).toEqual([11_542, 11_543]);
  });

  test.each([
    [{ op: "write", path: [5, 0, 1], mode: "replace", node: value("string", "coap://h/p") }, "put", 0, "coap://h/p"],
    [{ op: "write", path: [1, 0, 1], mode: "update", node: value("integer", 300) }, "put", 11_542, undefined],
    [{ op: "execute", path: [3, 0, 4] }, "post", undefined, undefined],
    [{ op: "execute", path: [3, 0, 4], arguments: "0" }, "post", 0, "0"],
    [{ op: "delete", path: [7, 1] }, "delete", undefined, undefined],
    [{ op: "discover", path: [3] }, "get", undefined, undefined],
  ] as const)("%j", async (operation, method, contentFormat, payload) => {
    const { it, device, resources } = await registered();
    it.coap.outcomes.push(content(NOTHING, { code: CODES.changed }));
    expect(await resources.request(device.no, operation as never)).toEqual({ kind: "done" } as never);
    const sent = it.coap.requests.at(-1)?.request;
    expect([sent?.method, sent?.contentFormat, sent?.path]).toEqual([
      method,
      contentFormat,
      operation.path.map(String),
    ]);
    if (payload !== undefined) expect(sent?.payload).toEqual(text(payload));
  });

  test("tells a refusal with the device's words, silence, and what cannot be read", async () => {
    const { it, device, resources } = await registered();
    it.coap.outcomes.push(
      content(text("no such thing"), { code: CODES.notFound }),
      { kind: "noAcknowledgement" },
      content(bytes("ff"), { contentFormat: 11_542 }),
      { kind: "failed", reason: "tooManyOpen" }, // nothing was sent
    );
    const read = () => resources.request(device.no, { op: "read", path: [3, 0, 9] });
    expect([await read(), await read(), await read(), await read()]).toMatchObject([
      { kind: "refused", code: "4.04", detail: "no such thing" },
      { kind: "noAnswer" },
      { kind: "unreadable" },
      { kind: "unreachable" },
    ]);
  });

  test("finds nobody without registration, and no objects in the private dialect", async () => {
    const { it, resources } = await registered();
    const read = { op: "read", path: [3, 0, 9] } as const;
    expect(await resources.request((await it.add("x")).no, read)).toEqual({ kind: "unreachable" });
    const tup = await it.add("t");
    await it.tupAt(it.peerAt(5), "ep=t");
    expect(await resources.request(tup.no, read)).toMatchObject({ kind: "refused", code: "no objects" });
  });

  test("observes once, and ends that at the device", async () => {
    const { it, device, resources } = await registered("ep=a", { maxObservations: 1 });
    it.coap.outcomes.push(content(text("1"), { observe: 3, contentFormat: 0 }));
    expect(await resources.request(device.no, { op: "observe", path: [5, 0, 3] })).toMatchObject({ kind: "done" });
    const { token } = it.coap.requests.at(-1)?.request ?? {};
    expect(await resources.request(device.no, { op: "observe", path: [3, 0, 9] })).toMatchObject({ code: "limit" });
    it.coap.outcomes.push(content(NOTHING));
    await resources.request(device.no, { op: "cancelObserve", path: [5, 0, 3] });
    expect(it.coap.requests.at(-1)?.request).toMatchObject({ observe: 1, token });
    expect(it.hub.registrations.observationsOf(device.no)).toEqual([]);
    it.coap.outcomes.push(content(text("1"), { contentFormat: 0 })); // answers, and does not observe
    expect(await resources.request(device.no, { op: "observe", path: [3, 0, 9] })).toMatchObject({
      code: "not observable",
    });
    expect(it.hub.registrations.observationsOf(device.no)).toEqual([]);
  });
});
