import { describe, expect, test } from "bun:test";
import type { DeviceService } from "../../capabilities/devices/device-service";
import { CODES, option } from "../../wire/coap";
import { bytes, content, lwm2mBench, NOTHING } from "./testing/lwm2m-bench";

/** A registered and observed device at port 1. */
async function observed(settings = {}, query = "ep=a&lt=1000") {
  const it = await lwm2mBench({ settings });
  const device = await it.add("a");
  it.coap.outcomes.push(content(Uint8Array.of(0), { observe: 0 }));
  await it.registerAt(it.peerAt(1), query);
  it.ingest.commit();
  it.ingest.reports.splice(0);
  it.coap.told();
  it.heard();
  it.traces.splice(0);
  const token = it.hub.registrations.byDevice(device.no)?.stored.token as Uint8Array;
  return { it, device, token, peer: it.peerAt(1) };
}

describe("a report", () => {
  test("is acknowledged when it is on disk, and then its device is heard", async () => {
    const { it, device, token, peer } = await observed();
    const { verdict, messageId } = it.notify(peer, token, bytes("000102"));
    expect([verdict, it.coap.told(), it.heard()]).toEqual(["taken", [], []]);
    it.ingest.commit();
    expect([it.coap.told(), it.heard()]).toEqual([[`ack 1 ${messageId}`], [`${device.no}`]]);
    expect(it.ingest.reports).toMatchObject([
      { nodeId: "a", reports: [{ serviceId: "Raw", data: { hex: "000102" } }] },
    ]);
    expect(it.acks.size).toBe(0);
  });

  test("that could not be stored is not acknowledged, and new when it comes again", async () => {
    const { it, token, peer } = await observed();
    const { messageId } = it.notify(peer, token, bytes("00"));
    it.ingest.lose();
    expect([it.coap.told(), it.heard(), it.acks.size]).toEqual([[`forget 1 ${messageId}`], [], 0]);
  });

  test("as NON wants no acknowledgement, and is stored all the same", async () => {
    const { it, device, token, peer } = await observed();
    expect(it.notify(peer, token, bytes("07"), { type: "non" }).verdict).toBe("taken");
    it.ingest.commit();
    expect([it.coap.told(), it.heard()]).toEqual([[], [`${device.no}`]]);
  });

  test("with a token that nobody knows is unknown", async () => {
    const { it, peer } = await observed();
    expect(it.notify(peer, bytes("aabb"), bytes("00")).verdict).toBe("unknown");
    expect(it.notify(peer, NOTHING, bytes("00")).verdict).toBe("unknown");
    expect(it.ingest.reports).toEqual([]);
  });

  test("from another address moves the device, and what is open towards it", async () => {
    const { it, device, token } = await observed();
    expect(it.notify(it.peerAt(2), token, bytes("00")).verdict).toBe("taken");
    it.ingest.commit();
    expect(it.coap.told().slice(0, 1)).toEqual(["redirect 1 2"]);
    await it.transactor.settled();
    await it.settle();
    expect(it.hub.registrations.byDevice(device.no)?.stored.port).toBe(2);
  });

  test("that is repeated from another address is stored once, and acknowledged there", async () => {
    const { it, token, peer } = await observed();
    const { messageId: again } = it.notify(peer, token, bytes("00"));
    expect(it.notify(it.peerAt(2), token, bytes("00"), { again }).verdict).toBe("taken"); // still on its way
    it.ingest.commit();
    expect(it.coap.told()).toEqual(["redirect 1 2", `ack 2 ${again}`]);
    expect(it.notify(it.peerAt(3), token, bytes("00"), { again }).verdict).toBe("acknowledge");
    expect(it.ingest.reports).toHaveLength(1);
    // What could not be stored is new there, too; so is what only looks the same.
    const lost = it.notify(it.peerAt(3), token, bytes("01")).messageId;
    it.ingest.lose();
    expect(it.notify(it.peerAt(4), token, bytes("01"), { again: lost }).verdict).toBe("taken");
    it.notify(it.peerAt(5), token, bytes("02"), { type: "non", again: lost });
    it.notify(it.peerAt(6), token, bytes("03"));
    expect(it.ingest.reports).toHaveLength(5);
  });

  test("of a secure device is taken from its session only", async () => {
    const it = await lwm2mBench();
    const device = await it.add("s", { isSecure: true });
    const window = { sql: "window", values: [1] };
    await it.registerAt(it.securePeer(device.no), "ep=s");
    it.ingest.commit();
    it.ingest.reports.splice(0);
    const token = it.hub.registrations.byDevice(device.no)?.stored.token as Uint8Array;
    expect(it.notify(it.peerAt(1), token, bytes("00")).verdict).toBe("unknown");
    const other = await it.add("t", { isSecure: true });
    expect(it.notify(it.securePeer(other.no), token, bytes("00")).verdict).toBe("unknown");
    // Another session of the device: it has restarted and kept its observation. The window goes with the report.
    expect(it.notify(it.securePeer(device.no, "two", window), token, bytes("00")).verdict).toBe("taken");
    expect(it.ingest.reports.at(-1)?.enclosed).toEqual(window);
  });

  test("that the codec cannot read is acknowledged, traced, and its device is heard", async () => {
    const { it, device, token, peer } = await observed();
    it.decode(() => ({ kind: "failed", reason: "bytes_missing", detail: "level: 1 of 2" }));
    const { messageId } = it.notify(peer, token, bytes("00"));
    it.ingest.commit();
    expect(it.coap.told()).toEqual([`ack 1 ${messageId}`]);
    expect(it.traces).toMatchObject([
      { deviceNo: device.no, kind: "report", outcome: "failed", reason: "bytes_missing" },
    ]);
    expect([it.ingest.reports[0]?.reports, it.heard()]).toEqual([[], [`${device.no}`]]);
  });

  test("waits for a codec that takes its time", async () => {
    const { it, token, peer } = await observed();
    const decoded = Promise.withResolvers<never>();
    it.decode(() => decoded.promise);
    const { messageId } = it.notify(peer, token, bytes("00"));
    await it.settle();
    expect(it.ingest.reports).toEqual([]);
    decoded.resolve({ kind: "reports", reports: [], hasMore: true } as never);
    await it.settle();
    it.ingest.commit();
    expect([it.coap.told(), it.heard()]).toEqual([[`ack 1 ${messageId}`], [expect.stringContaining(" more")]]);
  });

  test("that answers a command is acknowledged when the answer is stored, too", async () => {
    const { it, token, peer } = await observed();
    it.decode(() => ({ kind: "answer", mid: 7, errcode: 0, body: { result: 1 }, hasMore: false }));
    const { messageId } = it.notify(peer, token, bytes("04"));
    await it.settle();
    it.ingest.commit();
    expect(it.answers).toEqual(['a 7 0 {"result":1}']);
    expect(it.coap.told()).toEqual([`ack 1 ${messageId}`]);
    it.decode(() => ({ kind: "answer", mid: 999, errcode: 0, body: undefined, hasMore: false })); // cannot be stored
    const failed = it.notify(peer, token, bytes("04"));
    await it.settle();
    expect(it.coap.told()).toEqual([`forget 1 ${failed.messageId}`]);
  });

  test.each([
    ["TLV of the resource", 11_542, "c1 00 2a"],
    ["TLV with the old number", 1_542, "c1 00 2a"],
    ["opaque", 42, "2a"],
    ["text, whatever that means for bytes", 0, "2a"],
    ["nothing named", undefined, "2a"],
  ])("comes as %s", async (_name, format, payload) => {
    const { it, token, peer } = await observed();
    it.notify(peer, token, bytes(payload), {
      options: format === undefined ? [] : [option("contentFormat", format)],
    });
    expect(it.ingest.reports[0]?.reports).toMatchObject([{ data: { hex: "2a" } }]);
  });

  test("in a format that breaks is traced", async () => {
    const { it, token, peer } = await observed();
    it.notify(peer, token, bytes("c9"), { options: [option("contentFormat", 11_542)] });
    it.ingest.commit();
    expect(it.traces).toMatchObject([{ outcome: "failed", reason: "value_invalid" }]);
  });

  test("of a product without codec is traced; of one without a model it is passed on as it is", async () => {
    const { it, token, peer } = await observed();
    it.codec.has = false;
    it.notify(peer, token, bytes("2a"));
    expect(it.traces).toMatchObject([{ reason: "codec_missing" }]);
    const registered = it.hub.registrations.byPeer(peer);
    Object.assign(registered?.live.product as object, { passThrough: true });
    it.notify(peer, token, bytes("2a"));
    expect(it.ingest.reports.at(-1)?.reports).toMatchObject([{ serviceId: "rawData", data: { rawData: "Kg==" } }]);
  });

  test("is answered by a codec that does so, before commands", async () => {
    const { it, token, peer } = await observed();
    it.codec.answersReports = true;
    it.encode(() => ({ kind: "bytes", bytes: bytes("aaaa0000") }));
    it.coap.requests.splice(0);
    it.notify(peer, token, bytes("00"));
    expect(it.coap.requests).toEqual([]);
    it.ingest.commit();
    await it.settle();
    expect(it.coap.requests).toMatchObject([
      { request: { method: "put", path: ["19", "1", "0"], payload: bytes("aaaa0000"), contentFormat: 42 } },
    ]);
  });

  test("is not taken while the store is behind: a CON comes again", async () => {
    const { it, token, peer } = await observed();
    it.ingest.state.congested = true;
    const { verdict, messageId } = it.notify(peer, token, bytes("00"));
    await it.settle();
    expect([verdict, it.coap.told(), it.ingest.reports]).toEqual(["taken", [`forget 1 ${messageId}`], []]);
  });

  test("after the lifetime is not lost, and renews the registration", async () => {
    const { it, device, token, peer } = await observed();
    await it.clock.advance(1_000_001);
    expect(it.hub.registrations.isExpired(it.hub.registrations.byDevice(device.no) as never)).toBe(true);
    expect(it.notify(peer, token, bytes("00")).verdict).toBe("taken");
    await it.settle();
    expect(it.hub.registrations.byDevice(device.no)?.stored.expiresAtMs).toBe(it.clock.now() + 1_000_000);
  });

  test("of a device that was OFFLINE makes it ONLINE before it is acknowledged", async () => {
    const { it, device, token, peer } = await observed();
    await it.devices.refreshCredentials(device.no, {}).catch(() => {}); // ONLINE: refused
    const live = it.hub.registrations.byPeer(peer)?.live as { needsContact: boolean };
    live.needsContact = true;
    const seen: number[] = [];
    (it.hub.devices as { seen: DeviceService["seen"] }).seen = async (no) => void seen.push(no);
    it.notify(peer, token, bytes("00"));
    expect(it.ingest.reports).toEqual([]);
    await it.settle();
    it.ingest.commit();
    expect([seen.length > 0, it.coap.told().length]).toEqual([true, 1]);
  });

  test("that is an error ends the observation; an update observes again", async () => {
    const { it, device, token, peer } = await observed();
    expect(it.notify(peer, token, NOTHING, { code: CODES.notFound, options: [] }).verdict).toBe("acknowledge");
    await it.settle();
    expect(it.hub.registrations.byDevice(device.no)?.stored.observed).toBe(false);
    const location = it.hub.registrations.byDevice(device.no)?.stored.location;
    it.coap.outcomes.push(content(NOTHING, { observe: 0 }));
    await it.ask(peer, CODES.post, `/rd/${location}`, "");
    expect(it.hub.registrations.byDevice(device.no)?.stored.observed).toBe(true);
  });

  test("that comes with the answer to the observation is a report, but for the single zero of an empty queue", async () => {
    const it = await lwm2mBench();
    await it.add("a");
    it.coap.outcomes.push(content(bytes("000102"), { observe: 0 }));
    await it.registerAt(it.peerAt(1), "ep=a");
    expect(it.ingest.reports.at(-1)?.reports).toMatchObject([{ data: { hex: "000102" } }]);
  });
});

describe("an observed resource", () => {
  async function watched() {
    const set = await observed();
    const { it, device } = set;
    it.wanted.push([5, 0, 3]);
    it.coap.outcomes.push(
      content(Uint8Array.of(0), { observe: 0 }),
      content(Uint8Array.of(0x30), { observe: 5, contentFormat: 0 }),
    );
    await it.registerAt(it.peerAt(1), "ep=a");
    it.observed.splice(0);
    const token = it.hub.registrations.observationsOf(device.no)[0]?.token as Uint8Array;
    const value = (text: string, sequence: number) =>
      it.notify(it.peerAt(1), token, new TextEncoder().encode(text), {
        options: [option("observe", sequence), option("contentFormat", 0)],
      });
    return { ...set, token, value };
  }

  test("tells its values in order; one that was overtaken counts no more", async () => {
    const { it, device, value } = await watched();
    expect([value("1", 6).verdict, value("3", 8).verdict, value("2", 7).verdict]).toEqual([
      "acknowledge",
      "acknowledge",
      "acknowledge",
    ]);
    expect(it.observed).toEqual([`${device.no} /5/0/3 1`, `${device.no} /5/0/3 3`]);
  });

  test("that cannot be read is traced, and is no report", async () => {
    const { it, value } = await watched();
    it.ingest.reports.splice(0);
    value("x", 9);
    expect([it.observed, it.traces.at(-1)?.reason, it.ingest.reports]).toEqual([[], "value_unreadable", []]);
  });

  test("ends with an error, and its token is unknown from then on", async () => {
    const { it, device, token } = await watched();
    it.notify(it.peerAt(1), token, NOTHING, { code: CODES.notFound, options: [] });
    expect(it.observed).toEqual([`${device.no} /5/0/3 ended 4.04`]);
    await it.settle();
    expect(it.notify(it.peerAt(1), token, NOTHING, { options: [] }).verdict).toBe("unknown");
  });
});
