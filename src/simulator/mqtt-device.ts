import type { Clock } from "../platform/clock";
import type { DeviceCredentials } from "./device-login";
import { type CommandAnswer, type DeviceCommand, startMqttClient } from "./mqtt-client";
import type { Address } from "./mqtt-connection";

type Options = {
  readonly address: Address;
  readonly credentials: DeviceCredentials;
  readonly clock: Clock;
  readonly keepAliveS?: number;
  /** Called for every command; what it returns goes back as deviceRsp. */
  readonly onCommand: (command: DeviceCommand) => CommandAnswer;
  readonly onState?: (state: "connected" | "disconnected", detail: string) => void;
};

export type MqttDevice = {
  /** Resolves when the platform has acknowledged the report (QoS 1); rejects when the connection is lost before. */
  report(serviceId: string, serviceData: Readonly<Record<string, unknown>>): Promise<void>;
  readonly connected: boolean;
  stop(): Promise<void>;
};

/** One device that people look at. Resolves when it is ready for commands for the first time. */
export async function startMqttDevice(options: Options): Promise<MqttDevice> {
  const { address, credentials, clock, keepAliveS, onCommand, onState = () => {} } = options;
  const ready = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let isStopping = false;

  const client = startMqttClient({
    address,
    credentials,
    clock,
    keepAliveSeconds: keepAliveS,
    answer: onCommand,
    on: {
      online() {
        onState("connected", "");
        ready.resolve();
      },
      offline(reason) {
        if (isStopping) gone.resolve();
        else onState("disconnected", reason);
      },
    },
  });
  await ready.promise;

  return {
    async report(serviceId, serviceData) {
      if (!(await client.report([{ serviceId, serviceData }])))
        throw new Error("the connection was lost before the report was acknowledged");
    },
    get connected() {
      return client.isOnline;
    },
    stop() {
      isStopping = true;
      const wasOpen = client.isOnline;
      client.stop();
      return wasOpen ? gone.promise : Promise.resolve();
    },
  };
}
