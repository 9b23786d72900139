import type { Clock } from "../platform/clock";
import { CONNACK, type Packet, PacketIds } from "../wire/mqtt";
import { commandTopic, type DeviceCredentials, dataTopic, deviceLogin } from "./device-login";
import { type Address, type MqttConnection, openMqttConnection } from "./mqtt-connection";

export type DeviceCommand = {
  readonly mid: number;
  readonly serviceId: string;
  readonly cmd: string;
  readonly paras: Readonly<Record<string, unknown>>;
};
export type CommandAnswer = { readonly errcode: 0 | 1; readonly body?: Readonly<Record<string, unknown>> };

type Options = {
  readonly address: Address;
  readonly credentials: DeviceCredentials;
  readonly clock: Clock;
  readonly keepAliveS?: number;
  /** Called for every command; what it returns goes back as deviceRsp. */
  readonly onCommand: (command: DeviceCommand) => CommandAnswer;
  readonly onState?: (state: "connected" | "disconnected" | "refused", detail: string) => void;
};

export type MqttDevice = {
  /** Resolves when the platform has acknowledged the report (QoS 1); rejects when the connection is lost before. */
  report(serviceId: string, serviceData: Readonly<Record<string, unknown>>): Promise<void>;
  readonly connected: boolean;
  stop(): Promise<void>;
};

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/**
 * One device of the vendor's dialect: logs in, subscribes to its commands, answers them, reports with QoS 1, and comes
 * back after a lost connection with growing gaps. Resolves when it is ready for commands for the first time.
 */
export async function startMqttDevice(options: Options): Promise<MqttDevice> {
  const { address, credentials, clock, keepAliveS = 60, onCommand, onState = () => {} } = options;
  const { deviceId } = credentials;
  const stopping = new AbortController();
  const ready = Promise.withResolvers<void>();
  const ids = new PacketIds();
  const waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  let live: MqttConnection | undefined;

  async function run(): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; !stopping.signal.aborted; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      try {
        await converse(() => {
          retryMs = FIRST_RETRY_MS;
        });
      } catch (error) {
        onState("disconnected", error instanceof Error ? error.message : String(error));
      }
      await clock.sleep(retryMs, stopping.signal);
    }
  }

  /** One connection from CONNECT to its end. */
  async function converse(established: () => void): Promise<void> {
    const ended = Promise.withResolvers<void>();
    let quiet = () => {};
    const connection = await openMqttConnection(address, {
      packet: (packet) => handle(packet),
      closed: (error) => (error ? ended.reject(error) : ended.resolve()),
    });
    const stop = () => {
      connection.send({ type: "disconnect" });
      connection.close();
    };
    stopping.signal.addEventListener("abort", stop, { once: true });
    try {
      const { clientId, username, password } = deviceLogin(credentials, clock.now());
      connection.send({
        type: "connect",
        clientId,
        cleanSession: true,
        keepAliveSeconds: keepAliveS,
        username,
        password: Buffer.from(password),
      });
      await ended.promise;
    } finally {
      quiet();
      stopping.signal.removeEventListener("abort", stop);
      live = undefined;
      for (const [id, { reject }] of waiting) {
        ids.release(id);
        reject(new Error("the connection was lost before the report was acknowledged"));
      }
      waiting.clear();
      if (!stopping.signal.aborted) onState("disconnected", "the connection ended");
    }

    function handle(packet: Packet): void {
      switch (packet.type) {
        case "connack":
          if (packet.returnCode !== CONNACK.accepted) {
            onState("refused", `return code ${packet.returnCode}`);
            return connection.close();
          }
          connection.send({
            type: "subscribe",
            packetId: 1,
            subscriptions: [{ filter: commandTopic(deviceId), qos: 1 }],
          });
          return;
        case "suback":
          live = connection;
          established();
          keepAlive();
          onState("connected", "");
          ready.resolve();
          return;
        case "puback": {
          const entry = waiting.get(packet.packetId);
          waiting.delete(packet.packetId);
          ids.release(packet.packetId);
          return entry?.resolve();
        }
        case "publish":
          if (packet.qos === 1) connection.send({ type: "puback", packetId: packet.packetId });
          return answer(packet.payload);
        default:
          return; // PINGRESP, and what a QoS 1 client never causes
      }
    }

    function keepAlive(): void {
      quiet = clock.after((keepAliveS * 1_000) / 2, () => {
        connection.send({ type: "pingreq" });
        keepAlive();
      });
    }
  }

  function answer(payload: Uint8Array): void {
    const command = JSON.parse(new TextDecoder().decode(payload)) as DeviceCommand & { msgType: string };
    if (command.msgType !== "cloudReq") return;
    publish({ msgType: "deviceRsp", mid: command.mid, ...onCommand(command) }).catch(() => {}); // lost with the connection
  }

  function publish(message: unknown): Promise<void> {
    const packetId = live && ids.take();
    if (!live || packetId === undefined) return Promise.reject(new Error("not connected, or too much unacknowledged"));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.set(packetId, { resolve, reject });
    live.send({
      type: "publish",
      topic: dataTopic(deviceId),
      payload: Buffer.from(JSON.stringify(message)),
      qos: 1,
      dup: false,
      retain: false,
      packetId,
    });
    return promise;
  }

  const finished = run();
  await Promise.race([ready.promise, finished]);
  return {
    report: (serviceId, serviceData) => publish({ msgType: "deviceReq", data: [{ serviceId, serviceData }] }),
    get connected() {
      return live !== undefined;
    },
    stop() {
      stopping.abort();
      return finished;
    },
  };
}
