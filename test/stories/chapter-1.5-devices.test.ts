import { expect, setDefaultTimeout, test } from "bun:test";
import { CODES } from "../../src/wire/coap";
import { setUp } from "../support/api";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";
import { level, login, plainDevice, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
const DEVICES = "/iocm/app/dm/v1.4.0/devices";

/** 1.5: from the box to the scrap heap. */
test("an installer brings a room sensor into service, replaces its secret, moves it and retires it", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register, productId } = await setUp(islet, "hotel");

  const { deviceId, secret } = await register("room-12");
  const activation = () => app<{ activated: boolean }>("GET", `/iocm/app/reg/v1.1.0/deviceCredentials/${deviceId}`);
  expect((await activation()).body).toMatchObject({ deviceId, activated: false });
  // The same serial number twice is a mistake on the delivery note.
  const again = await app("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", {
    deviceInfo: { nodeId: "room-12" },
    productId,
  });
  expect([again.status, again.body.error_code]).toEqual([400, "100426"]);

  const device = await connectDevice(islet, { deviceId, secret });
  await device.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 20, humidity: 40, battery: 99 }), {
    qos: 1,
  });
  expect((await activation()).body.activated).toBe(true);

  // On the wall it gets a name and a place.
  const named = { name: "Room 12", location: "first floor", tags: [{ tagName: "floor", tagValue: "1" }] };
  expect((await app("PUT", `${DEVICES}/${deviceId}`, named)).status).toBe(204);
  const shown = await app<{ deviceInfo: Record<string, unknown> }>("GET", `${DEVICES}/${deviceId}`);
  expect(shown.body.deviceInfo).toMatchObject({ name: "Room 12", location: "first floor", status: "ONLINE" });
  // Muted while the painters are there: what it reports is not taken.
  expect((await app("PUT", `${DEVICES}/${deviceId}`, { mute: "TRUE" })).status).toBe(204);
  await device.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 35, humidity: 40, battery: 99 }), {
    qos: 1,
  });
  const shadow = await app<{ services: { reportedProps: { temperature: number } }[] }>(
    "GET",
    `/iocm/app/shadow/v1.5.0/devices/${deviceId}`,
  );
  expect(shadow.body.services[0]?.reportedProps.temperature).toBe(20);
  await device.endAsync();

  expect((await app("DELETE", `${DEVICES}/${deviceId}?cascade=true`)).status).toBe(204);
  expect((await app("GET", `${DEVICES}/${deviceId}`)).status).toBe(404);
  expect(connectDevice(islet, { deviceId, secret })).rejects.toThrow();
});

test("a smoke detector is swapped on the wall: a new code for the same place", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet, "fire brigade");
  const { deviceId } = await it.register(it.productId, "861234500000001");
  using old = await plainDevice(islet, { ep: "861234500000001" });
  expect(await old.register()).toBe(CODES.created);
  const swap = () =>
    it.app("PUT", `/iocm/app/reg/v1.1.0/deviceCredentials/${deviceId}`, {
      ...{ verifyCode: "861234500000002", nodeId: "861234500000002", timeout: 300 },
    });
  expect((await swap()).body.error_code).toBe("100611"); // not while it is on line
  await old.deregister();
  await eventually(
    () => it.status(deviceId),
    (status) => status === "OFFLINE",
  );
  expect(await swap()).toMatchObject({ status: 200, body: { verifyCode: "861234500000002", timeout: 300 } });

  // Nobody can set what a detector only reports.
  const wish = await it.app("PUT", `/iocm/app/shadow/v1.5.0/devices/${deviceId}`, {
    serviceDesireds: [{ serviceId: "Smoke", desired: { note: "kitchen" } }],
  });
  expect([wish.status, wish.body.error_code]).toEqual([403, "100443"]);
  expect(await old.register()).toBe(CODES.forbidden); // the old module is nobody any more
  using device = await plainDevice(islet, { ep: "861234500000002" });
  expect(await device.register()).toBe(CODES.created);
  await device.report(level(3));
  expect(await it.status(deviceId)).toBe("ONLINE");
  const shadow = await it.app<{ services: { reportedProps: unknown }[] }>(
    "GET",
    `/iocm/app/shadow/v1.5.0/devices/${deviceId}`,
  );
  expect(shadow.body.services[0]).toMatchObject({ reportedProps: { level: 3 } });
  // Over a restart nothing of it is lost.
  const { appId, secret } = it;
  await islet.stop();
  await using restarted = await startIslet({ data: folder.path });
  expect(await (await login(restarted, appId, secret)).status(deviceId)).toBe("ONLINE");
});
