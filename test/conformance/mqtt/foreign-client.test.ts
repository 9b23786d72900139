/** MQTT.js, as devices in Node use it; nothing of it is ours. */
import { expect, test } from "bun:test";
import mqtt from "mqtt";
import { commandTopic, dataTopic, passwordOf, report, TIMESTAMP } from "./packets";
import { METER, startStubPlatform } from "./stub-platform";

test.each([0, 1, 2] as const)("MQTT.js reports and is commanded with QoS %d", async (qos) => {
  const platform = await startStubPlatform();
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${platform.port}`, {
    clientId: `${METER.deviceId}_0_0_${TIMESTAMP}`,
    username: METER.deviceId,
    password: passwordOf(METER.secret),
    clean: false,
  });
  const [granted] = await client.subscribeAsync(commandTopic(METER.deviceId), { qos });
  expect(granted?.qos).toBe(qos);
  const received = new Promise<string>((resolve) => {
    client.on("message", (topic, payload) => resolve(`${topic} ${payload}`));
  });
  for (let value = 0; value < 50; value++) await client.publishAsync(dataTopic(METER.deviceId), report(value), { qos });
  const command = { mid: 7, serviceId: "M", method: "C", paras: {}, deviceId: METER.deviceId };
  const delivered = new Promise<void>((resolve) => {
    void platform.listener.deviceLink.sendCommand(1, command, resolve);
  });
  expect(await received).toBe(
    `${commandTopic(METER.deviceId)} {"msgType":"cloudReq","serviceId":"M","mid":7,"cmd":"C","paras":{}}`,
  );
  if (qos > 0) await delivered;
  await client.endAsync();
  expect(platform.store.reported.map(({ reports }) => reports[0]?.data.value)).toEqual(
    Array.from({ length: 50 }, (_, value) => value),
  );
  await platform.stop();
});

test("an MQTT 5 client is told to fall back", async () => {
  const platform = await startStubPlatform();
  const refused = mqtt.connectAsync(`mqtt://127.0.0.1:${platform.port}`, {
    protocolVersion: 5,
    clientId: `${METER.deviceId}_0_0_${TIMESTAMP}`,
    username: METER.deviceId,
    password: passwordOf(METER.secret),
    reconnectPeriod: 0,
  });
  await expect(refused).rejects.toThrow();
  await platform.stop();
});
