import type { Random } from "../../testing/random";
import type { Packet, QoS, SubackCode, Will } from "../packet";

const LEVELS = ["", "a", "devices", "$SYS", "温度", "é", "😀", "\ufeff", "with space", "x".repeat(130)];

export const randomTopic = (random: Random) => random.list(5, () => random.oneOf(LEVELS)).join("/") || "/";

export function randomFilter(random: Random): string {
  const levels = random.list(5, () => random.oneOf([...LEVELS, "+", "+"]));
  if (random.below(3) === 0) levels.push("#");
  return levels.join("/") || "#";
}

export function randomPacket(random: Random): Packet {
  const packetId = 1 + random.below(0xffff);
  const qos = random.below(3) as QoS;
  const make: readonly (() => Packet)[] = [
    () => randomConnect(random),
    () => ({ type: "connack", sessionPresent: random.flip(), returnCode: 0 }),
    () => ({ type: "connack", sessionPresent: false, returnCode: random.oneOf([1, 2, 3, 4, 5]) }),
    () => ({
      type: "publish",
      topic: randomTopic(random),
      payload: random.bytes(random.oneOf([0, 1, 100, 128, 20_000])),
      qos,
      retain: random.flip(),
      dup: qos > 0 && random.flip(),
      packetId: qos > 0 ? packetId : 0,
    }),
    () => ({ type: random.oneOf(["puback", "pubrec", "pubrel", "pubcomp", "unsuback"]), packetId }),
    () => ({
      type: "subscribe",
      packetId,
      subscriptions: random.list(4, () => ({ filter: randomFilter(random), qos: random.below(3) as QoS })),
    }),
    () => ({
      type: "suback",
      packetId,
      returnCodes: random.list(4, () => random.oneOf<SubackCode>([0, 1, 2, 0x80])),
    }),
    () => ({ type: "unsubscribe", packetId, filters: random.list(4, () => randomFilter(random)) }),
    () => ({ type: random.oneOf(["pingreq", "pingresp", "disconnect"]) }),
  ];
  return random.oneOf(make)();
}

function randomConnect(random: Random): Packet {
  const will: Will = {
    topic: randomTopic(random),
    payload: random.bytes(random.below(300)),
    qos: random.below(3) as QoS,
    retain: random.flip(),
  };
  const username = random.flip() ? random.oneOf(LEVELS) : undefined;
  return {
    type: "connect",
    clientId: random.oneOf(["c", "dev_1_0_1_2026112109", "温度", "x".repeat(256)]),
    cleanSession: random.flip(),
    keepAliveSeconds: random.below(0x10000),
    will: random.flip() ? will : undefined,
    username,
    password: username !== undefined && random.flip() ? random.bytes(random.below(64)) : undefined,
  };
}
