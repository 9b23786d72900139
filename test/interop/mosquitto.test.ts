import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "../support/api";
import { commandTopic, credentials, dataTopic, report } from "../support/device";
import { withProgram } from "../support/foreign";
import { startIslet, temporaryFolder } from "../support/islet";

const publisher = withProgram("mosquitto_pub");
const subscriber = withProgram("mosquitto_sub");

const arguments_ = (address: string, id: string, secret: string) => {
  const { clientId, username, password } = credentials(id, secret, new Date());
  const [host = "", port = ""] = address.split(":");
  return ["-h", host, "-p", port, "-V", "311", "-i", clientId, "-u", username, "-P", password];
};

async function run(command: string[]): Promise<{ code: number; err: string }> {
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  const [err, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  return { code, err };
}

publisher.test.each(["0", "1", "2"])("mosquitto_pub reports with QoS %s, in the clear and over TLS", async (qos) => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet);
  const { deviceId, secret } = await register("mosquitto");
  const ca = join(folder.path, "ca.pem");
  writeFileSync(ca, await (await fetch(`http://${islet.ready.http}/ca.pem`)).text());

  const message = ["-q", qos, "-t", dataTopic(deviceId), "-m", report("Climate", { temperature: 20 })];
  const plain = await run([publisher.path, ...arguments_(islet.ready.mqtt, deviceId, secret), ...message]);
  expect(plain).toEqual({ code: 0, err: "" });
  const secure = await run([
    publisher.path,
    ...arguments_(islet.ready.mqtts, deviceId, secret),
    "--cafile",
    ca,
    ...message,
  ]);
  expect(secure).toEqual({ code: 0, err: "" });

  const path = `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=10`;
  const deadline = Date.now() + 10_000; // QoS 0 is not acknowledged, so it may come a moment later
  while ((await app<{ totalCount: number }>("GET", path)).body.totalCount !== 2) {
    if (Date.now() > deadline) throw new Error("two reports were sent, the history has not both");
    await Bun.sleep(20);
  }
});

publisher.test("mosquitto_pub with a wrong secret is told that it is not authorised", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { register } = await setUp(islet);
  const { deviceId } = await register("mosquitto");
  const wrong = arguments_(islet.ready.mqtt, deviceId, "00000000000000000000");
  const { code, err } = await run([publisher.path, ...wrong, "-q", "1", "-t", dataTopic(deviceId), "-m", "{}"]);
  expect(code).toBe(5); // the CONNACK return code
  expect(err).toContain("not authorised");
});

subscriber.test("mosquitto_sub, logged in by nodeId, receives a command", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet);
  const { deviceId, secret } = await register("node-7");
  const { clientId, username, password } = credentials("node-7", secret, new Date(), { authType: "2", signType: "1" });
  const [host = "", port = ""] = islet.ready.mqtt.split(":");
  const login = ["-h", host, "-p", port, "-V", "311", "-i", clientId, "-u", username, "-P", password];
  const command = [subscriber.path, ...login, "-q", "1", "-C", "1", "-t", commandTopic("node-7")];
  const child = Bun.spawn(command, { stdout: "pipe" });
  const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;
  const deadline = Date.now() + 15_000;
  for (;;) {
    // Refused until the device is connected and has subscribed.
    const answer = await app("POST", path, { header: { mode: "ACK", method: "SET_TARGET" }, body: { target: 20 } });
    if (answer.body.status === "sent") break;
    if (Date.now() > deadline) throw new Error(`the command is not sent: ${JSON.stringify(answer)}`);
    await Bun.sleep(50);
  }
  expect(await new Response(child.stdout).text()).toContain('"cmd":"SET_TARGET"');
  expect(await child.exited).toBe(0);
});
