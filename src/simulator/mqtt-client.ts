import type { Clock } from "../platform/clock";
import { encodePacket, encodePublish, encodeString, type PublishView, publishLength, type QoS } from "../wire/mqtt";
import { commandTopic, type DeviceCredentials, dataTopic, deviceLogin } from "./device-login";
import { type Address, type MqttConnection, openMqttConnection } from "./mqtt-connection";

export type DeviceCommand = {
  readonly mid: number;
  readonly serviceId: string;
  readonly cmd: string;
  readonly paras: Readonly<Record<string, unknown>>;
};
export type CommandAnswer = { readonly errcode: 0 | 1; readonly body?: Readonly<Record<string, unknown>> };
export type ServiceData = {
  readonly serviceId: string;
  readonly serviceData: Readonly<Record<string, unknown>>;
  readonly eventTime?: string;
};

export type MqttClientOptions = {
  readonly address: Address;
  /** Without a secret: the client id is the deviceId and there is no user name (brokers that let anybody in). */
  readonly credentials: DeviceCredentials | { readonly deviceId: string };
  readonly clock: Clock;
  readonly random?: (() => number) | undefined;
  readonly keepAliveSeconds?: number | undefined; // 60; 0: never pings
  readonly cleanSession?: boolean | undefined; // true
  /** Wait before the first new attempt; doubled up to the maximum, with up to a half at random. */
  readonly reconnectMs?: number | undefined; // 500
  readonly maxReconnectMs?: number | undefined; // 30,000
  /** Left out: no subscription to commands. Undefined from it: the device keeps silent. */
  readonly answer?: ((command: DeviceCommand) => CommandAnswer | undefined) | undefined;
  /** Another topic that it listens to. */
  readonly also?: { readonly topic: string; received(payload: Uint8Array): void } | undefined;
  readonly on?: Partial<ClientListener>;
};
export type ClientListener = {
  /** Connected, and subscribed where commands are wanted. */
  online(): void;
  offline(reason: string): void;
  /** A command came and was answered, or deliberately not. */
  commanded(command: DeviceCommand, answer: CommandAnswer | undefined): void;
  /** For report streams: a packet id below OWN_PACKET_IDS, the end of a chunk, room in the socket. */
  acknowledged(packetId: number): void;
  chunkRead(): void;
  drained(): void;
};

/** Packet ids from here on are the device's own; lower ones are free for a report stream. */
export const OWN_PACKET_IDS = 0x8000;
const CONNECT_TIMEOUT_MS = 20_000;
const PING_SHARE = 0.75; // of the keep-alive time

export type MqttClient = ReturnType<typeof startMqttClient>;

/** A device in software that stays connected: reports, answers commands, reconnects with back-off. */
export function startMqttClient(options: MqttClientOptions) {
  const { address, credentials, clock, answer, also, on = {} } = options;
  const { random = Math.random, keepAliveSeconds = 60, reconnectMs = 500, maxReconnectMs = 30_000 } = options;
  const reportsTo = encodeString(dataTopic(credentials.deviceId));
  const commandsFrom = commandTopic(credentials.deviceId);
  const waiting = new Map<number, (acknowledged: boolean) => void>();
  let connection: MqttConnection | undefined;
  let isOnline = false;
  let isStopped = false;
  let failures = 0;
  let lastPacketId = OWN_PACKET_IDS;
  let cancelTimer = () => {};

  function connect(): void {
    const { cleanSession = true } = options;
    cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => connection?.drop());
    connection = openMqttConnection(
      address,
      { type: "connect", cleanSession, keepAliveSeconds, ...login() },
      {
        accepted: () => (answer || also ? subscribe() : becomeOnline()),
        subscribed: (granted) => (granted ? becomeOnline() : connection?.drop()),
        published: handlePublish,
        acknowledged,
        chunkRead: () => on.chunkRead?.(),
        drained: () => on.drained?.(),
        closed,
      },
    );
  }

  function login() {
    if (!("secret" in credentials)) return { clientId: credentials.deviceId };
    const { clientId, username, password } = deviceLogin(credentials, clock.now());
    return { clientId, username, password: Buffer.from(password) };
  }

  function subscribe(): void {
    const filters = [...(answer ? [commandsFrom] : []), ...(also ? [also.topic] : [])];
    const subscriptions = filters.map((filter) => ({ filter, qos: 1 as const }));
    connection?.send(encodePacket({ type: "subscribe", packetId: nextPacketId(), subscriptions }));
  }

  function becomeOnline(): void {
    cancelTimer();
    failures = 0;
    isOnline = true;
    pingLater();
    on.online?.();
  }

  function pingLater(): void {
    if (keepAliveSeconds === 0) return;
    cancelTimer = clock.after(keepAliveSeconds * 1_000 * PING_SHARE, () => {
      pingLater(); // first: a ping that ends the connection cancels it
      connection?.ping();
    });
  }

  function closed(reason: string): void {
    cancelTimer();
    isOnline = false;
    for (const settle of waiting.values()) settle(false);
    waiting.clear();
    on.offline?.(reason);
    if (isStopped) return;
    const waitMs = Math.min(reconnectMs * 2 ** failures++, maxReconnectMs);
    cancelTimer = clock.after(waitMs * (1 + random() / 2), connect);
  }

  function handlePublish(publish: PublishView): void {
    const topic = publish.topic();
    if (also && topic === also.topic) also.received(publish.payload());
    if (!answer || topic !== commandsFrom) return;
    const command = parseCommand(publish.payload());
    if (!command) return;
    const reply = answer(command);
    if (reply) send(reportsTo, JSON.stringify({ msgType: "deviceRsp", mid: command.mid, ...reply }), 1);
    on.commanded?.(command, reply);
  }

  function acknowledged(packetId: number): void {
    if (packetId < OWN_PACKET_IDS) on.acknowledged?.(packetId);
    waiting.get(packetId)?.(true);
    waiting.delete(packetId);
  }

  function nextPacketId(): number {
    do lastPacketId = lastPacketId === 0xffff ? OWN_PACKET_IDS : lastPacketId + 1;
    while (waiting.has(lastPacketId));
    return lastPacketId;
  }

  function send(topic: Uint8Array, text: string, qos: QoS): number {
    const packetId = qos === 0 ? 0 : nextPacketId();
    const payload = Buffer.from(text);
    const publish = { topic, payload, qos, retain: false, dup: false, packetId };
    const packet = new Uint8Array(publishLength(publish));
    encodePublish(publish, packet, 0);
    connection?.send(packet);
    return packetId;
  }

  connect();
  return {
    deviceId: credentials.deviceId,
    reportsTo,
    get isOnline(): boolean {
      return isOnline;
    },
    get isFull(): boolean {
      return connection?.isFull ?? true;
    },
    /** Bytes of a report stream; lost when there is no connection. */
    sendBytes(bytes: Uint8Array): void {
      connection?.send(bytes);
    },
    /** True when the platform has acknowledged it (with QoS 0: when it was sent), false when the connection ended before. */
    report(data: readonly ServiceData[], qos: QoS = 1): Promise<boolean> {
      if (!isOnline || waiting.size >= OWN_PACKET_IDS / 2) return Promise.resolve(false);
      const packetId = send(reportsTo, JSON.stringify({ msgType: "deviceReq", data }), qos);
      return qos === 0 ? Promise.resolve(true) : new Promise((resolve) => waiting.set(packetId, resolve));
    },
    /** To any topic, with QoS 1; true when the platform has acknowledged it. */
    publish(topic: string, text: string): Promise<boolean> {
      if (!isOnline || waiting.size >= OWN_PACKET_IDS / 2) return Promise.resolve(false);
      const packetId = send(encodeString(topic), text, 1);
      return new Promise((resolve) => waiting.set(packetId, resolve));
    },
    /** The network goes away; the device comes back by itself. */
    drop(): void {
      connection?.drop();
    },
    /** Says goodbye and does not come back. */
    stop(): void {
      isStopped = true;
      cancelTimer();
      connection?.end();
    },
  };
}

/** Undefined for what is no command. */
export function parseCommand(payload: Uint8Array): DeviceCommand | undefined {
  try {
    const { msgType, mid, serviceId, cmd, paras } = JSON.parse(Buffer.from(payload).toString()) ?? {};
    if (msgType !== "cloudReq" || !Number.isInteger(mid) || typeof cmd !== "string") return undefined;
    return { mid, serviceId, cmd, paras: paras ?? {} };
  } catch {
    return undefined;
  }
}
