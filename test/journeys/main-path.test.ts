import { expect, test } from "bun:test";
import mqtt from "mqtt";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, credentials, dataTopic, report } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

test("a device reports, its application is told, asks back and hears the answer", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, appId, register } = await setUp(islet);
  for (const notifyType of ["deviceDataChanged", "deviceInfoChanged", "commandRsp", "messageConfirm", "bindDevice"]) {
    const callbackUrl = receiver.url(`/${notifyType}`);
    expect((await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl })).status).toBe(201);
  }
  const { deviceId, secret } = await register("sensor-1");

  const { clientId, username, password } = credentials(deviceId, secret, new Date());
  const device = await mqtt.connectAsync(`mqtt://${islet.ready.mqtt}`, {
    clientId,
    username,
    password,
    protocolVersion: 4,
  });
  await device.subscribeAsync(commandTopic(deviceId), { qos: 1 });
  device.on("message", (_topic, payload) => {
    const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: { target: number } };
    device.publish(dataTopic(deviceId), JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0, body: paras }), {
      qos: 1,
    });
  });

  expect(await receiver.until(({ notifyType }) => notifyType === "bindDevice")).toMatchObject({
    deviceId,
    resultCode: "succeeded",
  });
  const data = { temperature: 21.5, humidity: 40, battery: 77 };
  await device.publishAsync(dataTopic(deviceId), report("Climate", data, "20261121T080000Z"), { qos: 1 });

  // Acknowledged means on disk: the history has it at once.
  const history = await app(
    "GET",
    `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=10`,
  );
  expect(history).toMatchObject({
    status: 200,
    body: {
      totalCount: 1,
      deviceDataHistoryDTOs: [
        { serviceId: "Climate", deviceId, gatewayId: deviceId, appId, data, timestamp: "20261121T080000Z" },
      ],
    },
  });
  expect(await receiver.until(({ notifyType }) => notifyType === "deviceDataChanged")).toMatchObject({
    deviceId,
    gatewayId: deviceId,
    service: { serviceId: "Climate", serviceType: "Climate", data, eventTime: "20261121T080000Z" },
  });
  expect(await app("GET", `/iocm/app/shadow/v1.5.0/devices/${deviceId}`)).toMatchObject({
    status: 200,
    body: { deviceId, deviceInfo: { status: "ONLINE" }, services: [{ serviceId: "Climate", reportedProps: data }] },
  });

  const command = await app("POST", `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`, {
    header: { requestId: "r-1", mode: "ACK", from: "/users/1", method: "SET_TARGET" },
    body: { target: 22.5 },
  });
  expect(command).toMatchObject({ status: 202, body: { status: "sent", requestId: "r-1" } });
  expect(await receiver.until(({ notifyType }) => notifyType === "commandRsp")).toMatchObject({
    header: { requestId: "r-1", deviceId, to: "/users/1" },
    body: { target: 22.5 },
  });
  const confirmed = (status: string) =>
    receiver.until(
      ({ notifyType, header }) => notifyType === "messageConfirm" && (header as { status: string }).status === status,
    );
  await confirmed("sent"); // MQTT.js acknowledges a message after its handler, so the answer may overtake `delivered`
  await confirmed("executed");

  await device.endAsync();
  expect(await islet.stop()).toBe(0);
});

test("what does not fit the model is refused, and the operator can read why", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, manage, register } = await setUp(islet);
  const { deviceId, secret } = await register("sensor-1");
  const { clientId, username, password } = credentials(deviceId, secret, new Date());
  const device = await mqtt.connectAsync(`mqtt://${islet.ready.mqtt}`, {
    clientId,
    username,
    password,
    protocolVersion: 4,
  });

  await device.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 900 }), { qos: 1 });
  await device.publishAsync(dataTopic(deviceId), report("Weather", { temperature: 9 }), { qos: 1 });
  await device.publishAsync(dataTopic(deviceId), "no json", { qos: 1 });
  await device.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 9 }), { qos: 1 });

  const history = await app(
    "GET",
    `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=10`,
  );
  expect(history.body).toMatchObject({ totalCount: 1, deviceDataHistoryDTOs: [{ data: { temperature: 9 } }] });
  const deadline = Date.now() + 10_000; // traces are written a moment later, without holding the device up
  for (;;) {
    const { body } = await manage<{ items: { detail?: string }[] }>("GET", `/devices/${deviceId}/trace`);
    const told = body.items.map(({ detail }) => detail ?? "").join("\n");
    if (told.includes("temperature") && told.includes("Weather")) break;
    if (Date.now() > deadline) throw new Error(`the trace says only: ${told}`);
    await Bun.sleep(50);
  }
  await device.endAsync();
});
