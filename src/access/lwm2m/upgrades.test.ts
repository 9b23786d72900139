import { beforeEach, describe, expect, test } from "bun:test";
import type { PcpTaken } from "../../capabilities/upgrades/pcp/pcp-carrier";
import { CODES, option } from "../../wire/coap";
import { packagePush } from "./package-push";
import { pcpCarrier } from "./pcp-carrier";
import { bytes, content, type LwM2mBench, lwm2mBench, NOTHING } from "./testing/lwm2m-bench";

const FRAME = bytes("FFFE0116850E000100");
const changed = () => content(NOTHING, { code: CODES.changed });
let it: LwM2mBench;
let taken: PcpTaken;
let given: string[];
let wanted: { token: string; deviceNo: number | undefined }[];

beforeEach(async () => {
  it = await lwm2mBench();
  taken = "done";
  given = [];
  wanted = [];
  const uplink = {
    take({ no }: { no: number }, payload: Uint8Array) {
      given.push(`${no} ${payload.toHex()}`);
      return taken;
    },
  };
  it.hub.pcp = { uplink, carrier: pcpCarrier(it.hub) };
  Object.assign(it.hub, {
    packages: {
      find(token: string, deviceNo: number | undefined) {
        wanted.push({ token, deviceNo });
        return token === "good" ? { body: bytes("0102"), etag: bytes("aabb") } : undefined;
      },
    },
  });
});

async function registered(nodeId = "a") {
  const device = await it.add(nodeId);
  it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
  const peer = it.peerAt(1);
  await it.registerAt(peer, `ep=${nodeId}&lt=1000`);
  it.ingest.commit();
  it.ingest.reports.splice(0);
  it.coap.requests.splice(0);
  it.coap.told();
  it.heard();
  return { device, peer, token: it.hub.registrations.byDevice(device.no)?.stored.token as Uint8Array };
}

describe("a frame of PCP", () => {
  test("that changes nothing is acknowledged at once, and no report", async () => {
    const { device, peer, token } = await registered();
    const { messageId } = it.notify(peer, token, FRAME);
    expect(given).toEqual([`${device.no} ${FRAME.toHex()}`]);
    expect([it.coap.told(), it.heard()]).toEqual([[`ack 1 ${messageId}`], [`${device.no}`]]);
    expect(it.ingest.reports).toEqual([expect.objectContaining({ reports: [] })]);
  });

  test("is acknowledged when what follows from it is on disk, and its window with it", async () => {
    const { device, token } = await registered();
    const window = { sql: "INSERT", values: [1] };
    const stored = Promise.withResolvers<void>();
    taken = stored.promise;
    const peer = it.securePeer(device.no, "one", window);
    await it.registerAt(peer, "ep=a&lt=1000");
    it.ingest.commit();
    it.ingest.reports.splice(0);
    it.coap.told();
    const { stored: registration } = it.hub.registrations.byDevice(device.no) ?? {};
    expect(registration?.token).not.toEqual(token);
    const { messageId } = it.notify(peer, registration?.token as Uint8Array, FRAME);
    await it.settle();
    expect([it.coap.told(), it.ingest.reports.length]).toEqual([[], 0]);
    stored.resolve();
    await it.settle();
    expect([it.coap.told(), it.ingest.reports]).toMatchObject([[], [{ reports: [], enclosed: window }]]);
    it.ingest.commit();
    expect(it.coap.told()).toEqual([`ack 40000 ${messageId}`]);
  });

  test("in a session waits for its window, though nothing else follows", async () => {
    const { device } = await registered();
    const peer = it.securePeer(device.no, "one", { sql: "INSERT", values: [1] });
    await it.registerAt(peer, "ep=a&lt=1000");
    it.ingest.commit();
    it.coap.told();
    const { messageId } = it.notify(peer, it.hub.registrations.byDevice(device.no)?.stored.token as Uint8Array, FRAME);
    expect(it.coap.told()).toEqual([]);
    it.ingest.commit();
    expect(it.coap.told()).toEqual([`ack 40000 ${messageId}`]);
  });

  test("that the disk did not take comes again as new", async () => {
    const { peer, token } = await registered();
    taken = Promise.reject(new Error("full"));
    const { messageId } = it.notify(peer, token, FRAME);
    await it.settle();
    expect([it.coap.told(), it.ingest.reports.length]).toEqual([[`forget 1 ${messageId}`], 0]);
  });

  test("wrapped as its resource is found, and what is business goes to the codec as it came", async () => {
    const { peer, token } = await registered();
    const wrapped = Uint8Array.of(0xc8, 0, FRAME.length, ...FRAME);
    it.notify(peer, token, wrapped, { options: [option("contentFormat", 11_542)] });
    expect(given[0]).toEndWith(FRAME.toHex());
    taken = "business";
    it.notify(peer, token, bytes("FFFE00"));
    it.ingest.commit();
    expect(given).toHaveLength(2);
    expect(it.ingest.reports.map(({ reports }) => reports.map(({ data }) => data))).toEqual([[], [{ hex: "fffe00" }]]);
  });

  test("goes down the way of a command, without the codec", async () => {
    const { device } = await registered();
    const carrier = pcpCarrier(it.hub);
    it.encode(() => {
      throw new Error("not for the codec");
    });
    it.coap.transmissions.push(changed());
    expect(await carrier.send(device.no, FRAME)).toBe("sent");
    const tup = await it.add("t");
    await it.tupAt(it.peerAt(2), "ep=t");
    it.coap.transmissions.push(changed());
    expect(await carrier.send(tup.no, FRAME)).toBe("sent");
    expect(it.coap.transmitted.map(({ datagram }) => new TextDecoder().decode(datagram))).toEqual([
      `put /19/1/0 ${FRAME.toHex()}`,
      `post /t/d ${FRAME.toHex()}`,
    ]);
  });

  test.each([
    [changed(), "sent"],
    [{ kind: "noAcknowledgement" }, "noAnswer"],
    [content(NOTHING, { code: CODES.notFound }), "noAnswer"],
    [{ kind: "failed", reason: "tooManyOpen" }, "unreachable"],
  ] as const)("%#: ends as %s", async (outcome, expected) => {
    const { device } = await registered();
    it.coap.transmissions.push(outcome as never);
    expect(await pcpCarrier(it.hub).send(device.no, FRAME)).toBe(expected);
  });

  test("is not sent to a device that sleeps, is not there, or when the platform stops", async () => {
    const { device } = await registered();
    const carrier = pcpCarrier(it.hub);
    expect(carrier.isReachable(device.no)).toBe(true);
    await it.clock.advance(93_000);
    expect(carrier.isReachable(device.no)).toBe(false);
    const other = await it.add("other");
    expect([
      carrier.isReachable(other.no),
      await carrier.send(other.no, FRAME),
      carrier.prepare?.(other.no, FRAME),
    ]).toEqual([false, "unreachable", undefined]);
    it.hub.isStopping = true;
    expect(await carrier.send(device.no, FRAME)).toBe("unreachable");
  });

  test("goes out as the very same message twice", async () => {
    const { device } = await registered();
    const carrier = pcpCarrier(it.hub);
    const datagram = carrier.prepare?.(device.no, FRAME) as Uint8Array;
    it.coap.transmissions.push(changed(), changed());
    await carrier.transmit?.(device.no, datagram);
    await carrier.transmit?.(device.no, datagram);
    const [one, two] = it.coap.transmitted;
    expect(one?.datagram).toEqual(two?.datagram as Uint8Array);
  });
});

describe("the packages", () => {
  test("are served by token, in a session to its device only", async () => {
    const { device, peer } = await registered();
    expect(await it.ask(peer, CODES.get, "/ota/good", "")).toMatchObject({
      ...{ code: CODES.content, contentFormat: 42, source: { etag: bytes("aabb") } },
    });
    expect(await it.ask(it.securePeer(device.no), CODES.get, "/ota/bad", "")).toEqual({ code: CODES.notFound });
    expect(await it.ask(peer, CODES.put, "/ota/good", "")).toEqual({ code: CODES.methodNotAllowed });
    expect(await it.ask(peer, CODES.get, "/ota", "")).toEqual({ code: CODES.notFound });
    expect(await it.ask(peer, CODES.get, "/ota/good/x", "")).toEqual({ code: CODES.notFound });
    expect(wanted).toEqual([
      { token: "good", deviceNo: undefined },
      { token: "bad", deviceNo: device.no },
    ]);
  });

  test("are pushed in blocks, and what became of that is told", async () => {
    const { device } = await registered();
    const { push } = packagePush(it.hub);
    const body = bytes("00".repeat(3_000));
    const { signal } = new AbortController();
    const outcomes: unknown[] = [];
    for (const outcome of [
      changed(),
      content(new TextEncoder().encode("no room"), { code: CODES.requestEntityTooLarge }),
      { kind: "noAcknowledgement" },
      { kind: "failed", reason: "incomplete" },
      { kind: "reset" },
      { kind: "failed", reason: "tooManyOpen" },
    ] as const) {
      it.coap.outcomes.push(outcome as never);
      outcomes.push(await push(device.no, [5, 0, 0], body, 1_024, signal));
    }
    expect(outcomes).toEqual([
      { kind: "done" },
      { kind: "refused", code: "4.13", detail: "no room" },
      { kind: "brokenOff", why: "noAcknowledgement" },
      { kind: "brokenOff", why: "incomplete" },
      { kind: "refused", code: "reset", detail: undefined },
      { kind: "unreachable" },
    ]);
    expect(it.coap.requests[0]?.request).toMatchObject({
      ...{ method: "put", path: ["5", "0", "0"], contentFormat: 42, source: { body, start: 1_024 } },
    });
    expect(await push((await it.add("x")).no, [5, 0, 0], body, 0, signal)).toEqual({ kind: "unreachable" });
  });
});
