import { afterEach, describe, expect, test } from "bun:test";
import { puback, pubcomp, publish, pubrec, pubrel, suback, subscribe } from "./packets";
import { eventually, loggedIn } from "./session";
import { GATEWAY, METER, type StubOptions, type StubPlatform, SUB, startStubPlatform } from "./stub-platform";

const UP = `$oc/devices/${METER.deviceId}/sys/events/up`;
const DOWN = `$oc/devices/${METER.deviceId}/sys/events/down`;
const event = (type: string, paras: object = {}) => ({ service_id: "$ota", event_type: type, paras });
const message = (...services: unknown[]) => JSON.stringify({ services });

let platform: StubPlatform;
afterEach(() => platform.stop());
async function start(options: StubOptions = {}, device = METER) {
  platform = await startStubPlatform(options);
  return loggedIn(platform, device);
}
const arrived = (count: number) => eventually(() => platform.events.length === count, `${count} events`);

describe("events of a device", () => {
  test("are acknowledged when all that follows from them is on disk, one after the other", async () => {
    const client = await start();
    client.send(publish(UP, message(event("version_report", { sw_version: "V1" }), event("more")), { id: 5 }));
    client.send(publish(UP, message(event("later")), { id: 6 }));
    await arrived(1);
    expect(platform.events[0]).toMatchObject({
      deviceNo: METER.no,
      event: { serviceId: "$ota", eventType: "version_report", paras: { sw_version: "V1" } },
    });
    expect(client.received().length).toBe(0);
    platform.events[0]?.resolve();
    await arrived(2);
    expect(client.received().length).toBe(0);
    platform.events[1]?.resolve();
    await client.expect(puback(5));
    await arrived(3);
    platform.events[2]?.resolve();
    await client.expect(puback(6));
  });

  test("that cannot be stored end the connection unacknowledged", async () => {
    const client = await start();
    client.send(publish(UP, message(event("version_report")), { id: 5 }));
    await arrived(1);
    platform.events[0]?.reject(new Error("disk full"));
    await client.expectClosed();
  });

  test("with QoS 2 count once", async () => {
    const client = await start();
    const packet = publish(UP, message(event("version_report")), { qos: 2, id: 9 });
    client.send(packet);
    await arrived(1);
    platform.events[0]?.resolve();
    await client.expect(pubrec(9));
    client.send(packet);
    await client.expect(pubrec(9));
    client.send(pubrel(9));
    await client.expect(pubcomp(9));
    expect(platform.events.length).toBe(1);
  });

  test.each([
    ["no JSON", "{", "the payload is not JSON"],
    ["no list", "{}", "services is no list"],
    ["no object", message(7), "services[0].service_id is no name"],
    ["no type", message({ service_id: "$ota" }), "services[0].event_type is no name"],
    ["paras that are a text", message({ ...event("x"), paras: "y" }), "services[0].paras is no object"],
    ["too many", message(...Array.from({ length: 17 }, () => event("x"))), "services has over 16 entries"],
    ["the second is bad", message(event("x"), {}), "services[1].service_id is no name"],
  ])("%s: acknowledged, traced, and nothing taken", async (_name, payload, detail) => {
    const client = await start();
    client.send(publish(UP, payload, { id: 5 }));
    await client.expect(puback(5));
    expect(platform.events).toEqual([]);
    expect(platform.traces.at(-1)).toMatchObject({ kind: "report", reason: "event_invalid", detail });
  });

  test("are those of the device itself: a gateway has none for what is behind it", async () => {
    const client = await start({}, GATEWAY);
    client.send(publish(`$oc/devices/${SUB.deviceId}/sys/events/up`, message(event("x")), { id: 5 }));
    await client.expectClosed();
    expect(platform.events).toEqual([]);
  });
});

describe("events for a device", () => {
  const QUERY = { serviceId: "$ota", eventType: "version_query", paras: {} };

  test("go to who has subscribed, and who does so late is told of", async () => {
    const client = await start();
    const { eventLink } = platform.listener;
    expect([eventLink.isListening(METER.no), await eventLink.send(METER.no, QUERY)]).toEqual([false, "unreachable"]);
    client.send(subscribe(1, [DOWN, 0]));
    await client.expect(suback(1, 0));
    expect([platform.listening, eventLink.isListening(METER.no)]).toEqual([[METER.no], true]);
    expect(await eventLink.send(METER.no, QUERY)).toBe("sent");
    const received = await client.packet();
    const text = new TextDecoder().decode(received);
    const sent = JSON.parse(text.slice(text.indexOf("{")));
    expect(text).toContain(DOWN);
    expect(sent).toMatchObject({
      object_device_id: METER.deviceId,
      services: [{ service_id: "$ota", event_type: "version_query", paras: {} }],
    });
    expect(sent.services[0].event_time).toMatch(/^\d{8}T\d{6}Z$/);
    expect(eventLink.localAddressOf(METER.no)).toBe("127.0.0.1");
  });

  test("a filter for all of its own system topics is enough; one of commands is not", async () => {
    const client = await start();
    client.send(subscribe(1, [`/huawei/v1/devices/${METER.deviceId}/command/json`, 1]));
    await client.expect(suback(1, 1));
    expect(platform.listening).toEqual([]);
    client.send(subscribe(2, [`$oc/devices/${METER.nodeId}/sys/#`, 1]));
    await client.expect(suback(2, 1));
    expect(platform.listening).toEqual([METER.no]);
  });

  test("nobody who is not there has an address", async () => {
    await start();
    expect(platform.listener.eventLink.localAddressOf(99)).toBeUndefined();
  });
});
