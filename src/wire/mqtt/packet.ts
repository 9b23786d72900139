/** The fourteen control packets of MQTT 3.1.1 (OASIS, 29 October 2014) as values. */

export type QoS = 0 | 1 | 2;

/** [MQTT-3.2.2.3] Return codes of CONNACK. */
export const CONNACK = {
  accepted: 0,
  unacceptableProtocolVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUsernameOrPassword: 4,
  notAuthorized: 5,
} as const;
export type ConnackCode = (typeof CONNACK)[keyof typeof CONNACK];

/** [MQTT-3.9.3-1] Return code of a refused subscription; a granted one is its QoS. */
export const SUBACK_FAILURE = 0x80;
export type SubackCode = QoS | typeof SUBACK_FAILURE;

export type Will = { topic: string; payload: Uint8Array; qos: QoS; retain: boolean };

export type ConnectPacket = {
  type: "connect";
  /** May be empty: whether that is served is the server's decision [MQTT-3.1.3-6, 3.1.3-8]. */
  clientId: string;
  cleanSession: boolean;
  /** 0 switches keep-alive off. */
  keepAliveSeconds: number;
  will?: Will | undefined;
  username?: string | undefined;
  password?: Uint8Array | undefined;
};
export type ConnackPacket = { type: "connack"; sessionPresent: boolean; returnCode: ConnackCode };
export type PublishPacket = {
  type: "publish";
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  /** 0 with QoS 0, which has none. */
  packetId: number;
};
export type AckType = "puback" | "pubrec" | "pubrel" | "pubcomp" | "unsuback";
export type AckPacket = { [T in AckType]: { type: T; packetId: number } }[AckType];
export type Subscription = { filter: string; qos: QoS };
export type SubscribePacket = { type: "subscribe"; packetId: number; subscriptions: readonly Subscription[] };
export type SubackPacket = { type: "suback"; packetId: number; returnCodes: readonly SubackCode[] };
export type UnsubscribePacket = { type: "unsubscribe"; packetId: number; filters: readonly string[] };
export type BarePacket = { type: "pingreq" } | { type: "pingresp" } | { type: "disconnect" };

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | BarePacket;
export type PacketType = Packet["type"];
