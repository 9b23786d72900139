import { expect, setDefaultTimeout, test } from "bun:test";
import mqtt from "mqtt";
import { setUp } from "../support/api";
import { commandTopic, credentials, dataTopic, report } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

test("MQTT.js over TLS trusts the downloaded CA, reports, and is commanded; a stranger's CA is not trusted", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet);
  const { deviceId, secret } = await register("secure");
  const ca = await (await fetch(`http://${islet.ready.http}/ca.pem`)).text();
  const options = {
    ...credentials(deviceId, secret, new Date()),
    protocolVersion: 4 as const,
    reconnectPeriod: 0,
  };
  const url = `mqtts://${islet.ready.mqtts}`;
  await expect(mqtt.connectAsync(url, options)).rejects.toThrow(); // the machine's own CAs do not know it

  const device = await mqtt.connectAsync(url, { ...options, ca: [ca], rejectUnauthorized: true });
  const commanded = new Promise<string>((resolve) =>
    device.on("message", (_topic, payload) => resolve(payload.toString())),
  );
  await device.subscribeAsync(commandTopic(deviceId), { qos: 2 });
  await device.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 20 }), { qos: 2 });
  const history = await app("GET", `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}`);
  expect(history.body).toMatchObject({ totalCount: 1 });
  const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;
  expect((await app("POST", path, { header: { method: "SET_TARGET" }, body: { target: 22 } })).status).toBe(202);
  expect(JSON.parse(await commanded)).toMatchObject({ msgType: "cloudReq", cmd: "SET_TARGET" });
  const metrics = await (await fetch(`https://${islet.ready.https}/metrics`, { tls: { ca } })).text();
  expect(metrics).toMatch(/islet_connections\{[^}]*mqtts[^}]*\} 1\b/);
  await device.endAsync();
});
