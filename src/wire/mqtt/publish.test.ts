import { expect, test } from "bun:test";
import {
  ACK_LENGTH,
  decodePublish,
  encodePacket,
  encodePuback,
  encodePubcomp,
  encodePublish,
  encodePubrec,
  encodePubrel,
  encodeString,
  PublishView,
  publishLength,
} from ".";

const topic = encodeString("devices/温度/data");
const payload = new Uint8Array(300).fill(9);
const outgoing = { topic, payload, qos: 1, retain: true, dup: true, packetId: 513 } as const;

test("a PUBLISH is read where it lies in a bigger buffer", () => {
  const bytes = new Uint8Array(1_000).fill(0xee);
  const end = encodePublish(outgoing, bytes, 100);
  expect(end).toBe(100 + publishLength(outgoing));
  expect(bytes[end]).toBe(0xee);
  const view = decodePublish(bytes[100] as number, bytes, 103, end);
  const { qos, retain, dup, packetId, payloadLength } = view;
  expect({ qos, retain, dup, packetId, payloadLength }).toEqual({
    qos: 1,
    retain: true,
    dup: true,
    packetId: 513,
    payloadLength: 300,
  });
  expect(view.topic()).toBe("devices/温度/data");
  expect(view.payload()).toEqual(payload);
  expect(view.payload().buffer).toBe(bytes.buffer);
});

test("a view can be used again and keeps nothing of the packet before", () => {
  const view = new PublishView();
  for (const packet of [outgoing, { ...outgoing, qos: 0, dup: false, retain: false, packetId: 0 } as const]) {
    const bytes = new Uint8Array(publishLength(packet));
    encodePublish(packet, bytes, 0);
    const { qos, retain, dup, packetId } = decodePublish(bytes[0] as number, bytes, 3, bytes.length, view);
    expect({ qos, retain, dup, packetId }).toEqual({
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      packetId: packet.packetId,
    });
  }
});

test.each([
  ["devices/1/data", true],
  ["devices/1/dat", false],
  ["devices/1/data2", false],
  ["devices/2/data", false],
])("the topic devices/1/data is %s: %p", (known, expected) => {
  const packet = { ...outgoing, topic: encodeString("devices/1/data") };
  const bytes = new Uint8Array(publishLength(packet));
  encodePublish(packet, bytes, 0);
  expect(decodePublish(bytes[0] as number, bytes, 3).isTopic(encodeString(known))).toBe(expected);
});

test("both encoders of PUBLISH write the same bytes", () => {
  const bytes = new Uint8Array(publishLength(outgoing));
  encodePublish(outgoing, bytes, 0);
  expect(encodePacket({ ...outgoing, type: "publish", topic: "devices/温度/data" })).toEqual(bytes);
});

test("acknowledgements stand one behind the other in one buffer", () => {
  const bytes = new Uint8Array(4 * ACK_LENGTH);
  let at = encodePuback(1, bytes, 0);
  at = encodePubrec(258, bytes, at);
  at = encodePubrel(65_535, bytes, at);
  at = encodePubcomp(7, bytes, at);
  expect(at).toBe(bytes.length);
  expect(bytes.toHex()).toBe("400200015002010262 02ffff70020007".replaceAll(" ", ""));
});
