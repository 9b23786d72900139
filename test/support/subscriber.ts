import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { Islet } from "./islet";

export const topicsOf = (appId: string) => `/islet/v1/applications/${appId}/notifications/#`;

type Received = { topic: string; body: Record<string, unknown>; dup: boolean; qos: number };

/**
 * An application that takes its notifications by MQTTS with MQTT.js: connects once, subscribes to all of its topics, and
 * keeps what it gets. While it `holds`, nothing is acknowledged.
 */
export async function startSubscriber(
  { ready }: Pick<Islet, "ready">,
  { appId, appSecret }: { appId: string; appSecret: string },
  { subscribes = true, ...options }: IClientOptions & { subscribes?: boolean } = {},
) {
  const received: Received[] = [];
  const state = { holds: false };
  let wake: (() => void)[] = [];
  const client: MqttClient = mqtt.connect(`mqtts://${ready.mqtts}`, {
    ...{ clientId: appId, username: appId, password: appSecret, clean: false, protocolVersion: 4 },
    ...{ reconnectPeriod: 0, rejectUnauthorized: false },
    ...options,
  });
  // MQTT.js acknowledges when `done` is called.
  client.handleMessage = (packet, done) => {
    received.push({
      ...{ topic: packet.topic, dup: packet.dup, qos: packet.qos },
      body: JSON.parse(String(packet.payload)) as Record<string, unknown>,
    });
    for (const run of wake.splice(0)) run();
    if (!state.holds) done();
  };
  const connected = Promise.withResolvers<{ sessionPresent: boolean }>();
  client.once("connect", ({ sessionPresent }) => connected.resolve({ sessionPresent }));
  client.on("error", connected.reject); // afterwards: a process that is killed under it
  const { sessionPresent } = await connected.promise;
  const granted = subscribes ? await client.subscribeAsync(topicsOf(appId), { qos: 1 }) : [];
  return {
    client,
    received,
    state,
    sessionPresent,
    granted,
    /** Resolves when what came fits; rejects by the test's own time limit. */
    async until(fits: (received: readonly Received[]) => boolean): Promise<void> {
      while (!fits(received))
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
    },
    /** As if its power were cut: no DISCONNECT. */
    vanish: () => client.endAsync(true),
  };
}
