import { expect, test } from "bun:test";
import { application, operator, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";

const CREDENTIALS = "/iocm/app/reg/v1.1.0/deviceCredentials";
const DEVICES = "/iocm/app/dm/v1.4.0/devices";
type Queried = { deviceInfo: { status: string; statusDetail: string; mute: string } };

test("INACTIVE, ONLINE, OFFLINE a grace time later, each told; nobody stays ONLINE after a crash", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const settings = { "devices.online_grace_ms": "300" };
  await using crashing = await startIslet({ data: folder.path, settings });
  const { app, appId, appSecret, register } = await setUp(crashing);
  const callbackUrl = receiver.url("/changed");
  await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType: "deviceInfoChanged", callbackUrl });
  const device = await register("sensor-1");
  const statusBy = async (call: typeof app) => {
    const { deviceInfo } = (await call<Queried>("GET", `${DEVICES}/${device.deviceId}`)).body;
    return `${deviceInfo.status} ${deviceInfo.statusDetail}`;
  };
  const activated = async () => (await app("GET", `${CREDENTIALS}/${device.deviceId}`)).body.activated;
  const isOffline = (status: string) => status === "OFFLINE NONE";
  const told = () => receiver.received.map(({ body }) => (body as Queried).deviceInfo.status);

  expect([await statusBy(app), await activated()]).toEqual(["INACTIVE NOT_ACTIVE", false]);
  const client = await connectDevice(crashing, device);
  expect([await statusBy(app), await activated()]).toEqual(["ONLINE NONE", true]);
  await client.endAsync();
  await eventually(() => statusBy(app), isOffline);
  await connectDevice(crashing, device);
  expect(await statusBy(app)).toBe("ONLINE NONE");
  expect(await eventually(told, ({ length }) => length >= 3)).toEqual(["ONLINE", "OFFLINE", "ONLINE"]);

  await crashing.crash();
  await using islet = await startIslet({ data: folder.path, settings });
  const again = await application(islet, appId, appSecret);
  await eventually(() => statusBy(again), isOffline);
  await eventually(told, (statuses) => statuses.at(-1) === "OFFLINE");
});

test("a frozen device's reports are acknowledged and not stored", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet);
  const device = await register("sensor-1");
  const { deviceId } = device;
  const client = await connectDevice(islet, device);
  const send = (temperature: number) =>
    client.publishAsync(dataTopic(deviceId), report("Climate", { temperature }), { qos: 1 });
  const mute = (value: string) => app("PUT", `${DEVICES}/${deviceId}`, { mute: value });

  await mute("TRUE");
  await send(1);
  expect((await app<Queried>("GET", `${DEVICES}/${deviceId}`)).body.deviceInfo.mute).toBe("TRUE");
  await mute("FALSE");
  await send(2);
  const history = await app(
    "GET",
    `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}`,
  );
  expect(history.body).toMatchObject({ totalCount: 1, deviceDataHistoryDTOs: [{ data: { temperature: 2 } }] });

  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  expect((await app("DELETE", `${DEVICES}/${deviceId}`)).status).toBe(204);
  await closed; // a deleted device is not connected any more
  expect((await app("GET", `${DEVICES}/${deviceId}`)).body.error_code).toBe("100403");
});

test("who does not connect in time is deleted; credentials are refreshed only while offline", async () => {
  using folder = temporaryFolder();
  const settings = {
    "devices.online_grace_ms": "1",
    "devices.expiry_sweep_ms": "50",
    "devices.registration_timeout_s": "2",
  };
  await using islet = await startIslet({ data: folder.path, settings });
  const { app, register } = await setUp(islet);
  const [never, once] = [await register("never"), await register("once")];
  const refresh = (deviceId: string, body = {}) => app("PUT", `${CREDENTIALS}/${deviceId}`, body);
  const isThere = async (deviceId: string) => (await app("GET", `${DEVICES}/${deviceId}`)).status;
  expect((await refresh(never.deviceId)).body.error_code).toBe("100610");

  const client = await connectDevice(islet, once);
  expect((await refresh(once.deviceId)).body.error_code).toBe("100611");
  const isGone = (status: number) => status === 404;
  await eventually(() => isThere(never.deviceId), isGone);
  expect(await isThere(once.deviceId)).toBe(200);
  await client.endAsync();
  const again = () => refresh(once.deviceId, { nodeId: "once-more", timeout: 1, verifyCode: "code" });
  const refreshed = await eventually(again, ({ body }) => body.error_code !== "100611");
  expect(refreshed).toEqual({ status: 200, body: { verifyCode: "code", timeout: 1 } });
  await eventually(() => isThere(once.deviceId), isGone);
});

test("devices behind a gateway go with it, or become direct", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, appId, productId } = await setUp(islet);
  const manage = await operator(islet);
  const add = async (nodeId: string, gatewayId?: string) => {
    const body = { nodeId, productId, ...(gatewayId === undefined ? {} : { gatewayId }) };
    const { device } = (await manage<{ device: { deviceId: string } }>("POST", `/apps/${appId}/devices`, body)).body;
    return device.deviceId;
  };
  const left = async () => {
    const { devices } = (
      await app<{ devices: { deviceId: string; gatewayId: string }[] }>("GET", `${DEVICES}?pageNo=0`)
    ).body;
    return Object.fromEntries(devices.map(({ deviceId, gatewayId }) => [deviceId, gatewayId]));
  };
  const [first, second] = [await add("g1"), await add("g2")];
  const [kept, lost] = [await add("s1", first), await add("s2", second)];
  expect(await left()).toEqual({ [first]: first, [second]: second, [kept]: first, [lost]: second });
  await app("DELETE", `${DEVICES}/${first}?cascade=false`);
  await app("DELETE", `${DEVICES}/${second}`);
  expect(await left()).toEqual({ [kept]: kept });
});

test("an application has the devices that the configuration allows it", async () => {
  using folder = temporaryFolder();
  const settings = { "devices.max_devices": "2", "devices.max_frozen_devices": "1" };
  await using islet = await startIslet({ data: folder.path, settings });
  const { app, productId, register } = await setUp(islet);
  const devices = [await register("limit-1"), await register("limit-2")];
  const third = { deviceInfo: { nodeId: "limit-3" }, productId, mqttConnect: true };
  expect(await app("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", third)).toMatchObject({
    status: 500,
    body: { error_code: "100412" },
  });
  const freeze = (index: number) =>
    app("PUT", `/iocm/app/dm/v1.4.0/devices/${devices[index]?.deviceId}`, { mute: "TRUE" });
  expect((await freeze(0)).status).toBe(204);
  expect(await freeze(1)).toMatchObject({ status: 403, body: { error_code: "500004" } });
});
