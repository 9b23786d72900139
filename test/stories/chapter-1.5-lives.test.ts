import { expect, setDefaultTimeout, test } from "bun:test";
import smokeDetector from "../../docs/examples/smoke-detector.json" with { type: "json" };
import { CODES } from "../../src/wire/coap";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";
import { level, plainDevice, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
type Body = Record<string, unknown>;
type Shadow = { services: { serviceId: string; reportedProps: Body; desiredProps: Body; eventTime: string }[] };
const info = (body: Body) => body.deviceInfo as Body;

test("the life of a meter: registered by code, its module replaced, told what is wanted of it, taken away", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, manage, appId, productId, history } = await setUpNbIot(islet, "water works");
  const types = ["deviceAdded", "bindDevice", "deviceInfoChanged", "deviceDataChanged", "deviceDeleted"];
  for (const notifyType of [...types, "deviceDesiredPropertiesModifyStatusChanged"]) {
    const body = { notifyType, callbackUrl: receiver.url("/n") };
    expect(outcome(await app("POST", PATHS.subscriptions, body))).toBe("201 ok");
  }
  const told = () => receiver.received.map(({ body }) => body.notifyType);

  // 1.5.1, by the fields of the model instead of the productId, as old applications do.
  const [{ manufacturerId, manufacturerName, model, deviceType, protocolType }] = smokeDetector.devicetype.devices as [
    (typeof smokeDetector.devicetype.devices)[number],
  ];
  const deviceInfo = { manufacturerId, manufacturerName, model, deviceType, protocolType };
  const imei = "861234500000105";
  const registration = { nodeId: imei, verifyCode: imei, endUserId: "flat 7", timeout: "0", deviceInfo };
  const registered = await app<{ deviceId: string; verifyCode: string; timeout: number; psk: string }>(
    "POST",
    PATHS.registerByCode,
    registration,
  );
  expect(registered).toMatchObject({ status: 200, body: { verifyCode: imei, timeout: 0 } });
  const { deviceId } = registered.body;
  expect(deviceId).toBe(`${productId}_${imei}`);
  expect(outcome(await app("POST", PATHS.registerByCode, registration))).toBe("400 100426");

  // 1.5.4 before anybody has seen it; 1.5.7 says that it was never there, and 1.5.3 that there is nothing to refresh.
  const device = `${PATHS.devices}/${deviceId}`;
  expect(outcome(await app("PUT", device, { name: "Cellar", location: "Canal street 5", imsi: "460001" }))).toBe(
    "204 ok",
  );
  const activation = async () => (await app("GET", `${PATHS.registerByCode}/${deviceId}`)).body;
  expect(await activation()).toEqual({ deviceId, activated: false, name: "Cellar" });
  expect(outcome(await app("PUT", `${PATHS.registerByCode}/${deviceId}`, { timeout: 0 }))).toBe("400 100610");

  // It comes on air and reports.
  using old = await plainDevice(islet, { ep: imei });
  expect(await old.register()).toBe(CODES.created);
  await old.report(level(258));
  await receiver.until((body) => body.notifyType === "deviceDataChanged");
  expect(await activation()).toMatchObject({ activated: true });
  expect(outcome(await app("PUT", `${PATHS.registerByCode}/${deviceId}`, { timeout: 0 }))).toBe("400 100611");

  // 1.5.3: its module breaks and is replaced by one with another IMEI. The device stays the same, its past too.
  await old.deregister();
  const isOffline = async () => info((await app<Body>("GET", device)).body).status;
  await eventually(isOffline, (status) => status === "OFFLINE");
  const newImei = "861234500000206";
  const refreshed = await app("PUT", `${PATHS.registerByCode}/${deviceId}`, {
    ...{ nodeId: newImei, verifyCode: newImei, timeout: 0 },
  });
  expect(refreshed).toEqual({ status: 200, body: { verifyCode: newImei, timeout: 0 } });
  expect(await old.register()).toBe(CODES.forbidden);
  using replaced = await plainDevice(islet, { ep: newImei });
  expect(await replaced.register()).toBe(CODES.created);
  await replaced.report(level(300));
  expect(await history(deviceId)).toEqual([{ level: 300 }, { level: 258 }]);
  expect(info((await app<Body>("GET", device)).body)).toMatchObject({ nodeId: newImei, name: "Cellar" });
  expect(told().filter((type) => type === "bindDevice").length).toBe(2);

  // 1.5.8 and 1.5.9: what is wanted stands beside what is reported, and is refused where the model forbids to write.
  const shadow = `${PATHS.shadows}/${deviceId}`;
  const want = (desired: Body, serviceId = "Smoke") =>
    app("PUT", shadow, { serviceDesireds: [{ serviceId, desired }] });
  expect((await want({ level: 1 })).body.error_code).toBe("100443");
  expect((await want({ level: 1 }, "Nothing")).body.error_code).toBe("100431");
  expect((await app<Shadow>("GET", shadow)).body.services).toMatchObject([
    { serviceId: "Smoke", reportedProps: { level: 300 }, desiredProps: {} },
  ]);

  // 1.5.5: nothing of it is left but what was told of it, and its IMEI is free for a new life.
  await app("POST", PATHS.groups, { name: "Canal", deviceIds: [deviceId] });
  expect(outcome(await app("DELETE", device))).toBe("204 ok");
  await receiver.until((body) => body.notifyType === "deviceDeleted");
  const gone = async (path: string) => outcome(await app("GET", path));
  const rows = [await gone(device), await gone(`${PATHS.registerByCode}/${deviceId}`), await gone(shadow)];
  expect(rows).toEqual(["404 100403", "404 100403", "404 100418"]); // each in the words of its table
  expect(outcome(await app("DELETE", device))).toBe("404 100403");
  expect((await app<{ list: Body[] }>("GET", `${PATHS.groups}?name=Canal`)).body.list).toMatchObject([
    { curDevNum: 0 },
  ]);
  expect(await replaced.register()).toBe(CODES.forbidden);
  const anew = await app<{ deviceId: string }>("POST", PATHS.registerByCode, {
    ...registration,
    nodeId: newImei,
    verifyCode: newImei,
  });
  expect(outcome(anew)).toBe("200 ok");
  expect(await replaced.register()).toBe(CODES.created);
  expect(await history(anew.body.deviceId)).toEqual([]);

  // What the application has seen of the first life: each change once, in order.
  const first = receiver.received.filter(({ body }) => body.deviceId === deviceId).map(({ body }) => body.notifyType);
  expect([first[0], first.at(-1)]).toEqual(["deviceAdded", "deviceDeleted"]);
  expect(first.filter((type) => type === "deviceDataChanged").length).toBe(2);
  expect((await manage("GET", `/apps/${appId}/devices`)).body.total).toBe(1);
});

test("a sensor by password: found by what was written on it, frozen and thawed, its secret its own", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, productId } = await setUp(islet, "offices");
  const callbackUrl = receiver.url("/n");
  for (const notifyType of ["deviceInfoChanged", "deviceDataChanged"])
    await app("POST", PATHS.subscriptions, { notifyType, callbackUrl });

  // 1.5.2, with a secret of the application's.
  const secret = "0123456789abcdef0123";
  const deviceInfo = { nodeId: "desk-4", name: "Desk 4" };
  const registered = await app<{ deviceId: string; secret: string }>("POST", PATHS.registerByPassword, {
    ...{ deviceInfo, productId, mqttConnect: true, secret, organization: "Sales", timezone: "Europe/Berlin" },
  });
  expect(registered).toMatchObject({ status: 200, body: { secret } });
  const { deviceId } = registered.body;
  const device = await connectDevice(islet, { deviceId, secret });

  // 1.5.4: what is written on it is what 1.6.2 finds it by; a value that does not fit changes nothing of the rest.
  const path = `${PATHS.devices}/${deviceId}`;
  expect(outcome(await app("PUT", path, { location: "2nd floor", name: "Desk 5" }))).toBe("204 ok");
  expect(outcome(await app("PUT", path, { location: "3rd floor", mute: "PERHAPS" }))).toBe("400 100022");
  const found = async (query: string) =>
    (await app<{ devices: { deviceId: string }[] }>("GET", `${PATHS.devices}?pageNo=0&${query}`)).body.devices.length;
  expect([await found("location=2nd%20floor"), await found("location=3rd+floor"), await found("name=Desk+5")]).toEqual([
    1, 0, 1,
  ]);

  // mute: frozen it is connected, and unheard.
  const send = (temperature: number) =>
    device.publishAsync(dataTopic(deviceId), report("Climate", { temperature }), { qos: 1 });
  await app("PUT", path, { mute: "TRUE" });
  await send(1);
  await app("PUT", path, { mute: "FALSE" });
  await send(2);
  await receiver.until(({ service }) => (service as { data?: Body } | undefined)?.data?.temperature === 2);
  const pushed = receiver.received.flatMap(({ body }) => (body.notifyType === "deviceDataChanged" ? [body] : []));
  expect(pushed.length).toBe(1);
  const mutes = receiver.received.flatMap(({ body }) => (body.deviceInfo ? [info(body).mute] : []));
  expect(mutes.slice(-2)).toEqual(["TRUE", "FALSE"]);

  // 1.5.8 is not for MQTT devices; 1.5.9 shows what they reported.
  const shadow = `${PATHS.shadows}/${deviceId}`;
  const wish = { serviceDesireds: [{ serviceId: "Climate", desired: { temperature: 20 } }] };
  expect(outcome(await app("PUT", shadow, wish))).toBe("403 100443");
  expect((await app<Shadow>("GET", shadow)).body.services).toMatchObject([
    { serviceId: "Climate", reportedProps: { temperature: 2 }, desiredProps: {} },
  ]);
  await device.endAsync();
});
