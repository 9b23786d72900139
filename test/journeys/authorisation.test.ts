import { expect, setDefaultTimeout, test } from "bun:test";
import { application, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
type Body = Record<string, unknown> & { error_code?: string };
type Grants = { items: { owner: { appId: string }; grantee: { appId: string; name: string }; access: string }[] };

test("an application hears of another's devices while it is authorised; the right outlives a crash", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using crashing = await startIslet({ data: folder.path });
  const owner = await setUp(crashing, "owner");
  const helper = await setUp(crashing, "helper");
  const stranger = await setUp(crashing, "stranger");
  const sensor = await owner.register("sensor-1");
  const grant = `/apps/${owner.appId}/grants/${helper.appId}`;
  const wanted = { notifyType: "deviceDataChanged", callbackUrl: receiver.url("/helper"), appId: owner.appId };
  const outcome = ({ status, body }: { status: number; body: Body }) => [status, body.error_code];

  expect(outcome(await helper.app<Body>("POST", SUBSCRIPTIONS, wanted))).toEqual([403, "100217"]);
  expect(outcome(await helper.app<Body>("POST", SUBSCRIPTIONS, { ...wanted, appId: "nobody" }))).toEqual([
    403,
    "100217",
  ]);
  expect((await owner.manage("PUT", grant, { access: "query" })).status).toBe(200);
  // Not passed on: who is authorised by the helper reaches nothing of the owner.
  await owner.manage("PUT", `/apps/${helper.appId}/grants/${stranger.appId}`, { access: "edit" });
  expect(outcome(await stranger.app<Body>("POST", SUBSCRIPTIONS, wanted))).toEqual([403, "100217"]);
  expect(outcome(await helper.app<Body>("POST", SUBSCRIPTIONS, wanted))).toEqual([201, undefined]);
  expect(outcome(await helper.app<Body>("POST", SUBSCRIPTIONS, wanted))).toEqual([409, "100227"]);
  const own = { notifyType: "deviceDataChanged", callbackUrl: receiver.url("/owner") };
  expect((await owner.app("POST", SUBSCRIPTIONS, own)).status).toBe(201);
  const listed = async (call: typeof owner.app, query: string) =>
    (await call<{ subscriptions: { callbackUrl: string }[] }>("GET", `${SUBSCRIPTIONS}${query}`)).body.subscriptions
      .map(({ callbackUrl }) => new URL(callbackUrl).pathname)
      .sort();
  expect(await listed(owner.app, "")).toEqual(["/owner"]);
  expect(await listed(helper.app, "")).toEqual([]);
  expect(await listed(helper.app, `?appId=${owner.appId}`)).toEqual(["/helper", "/owner"]);

  await crashing.crash();
  await using islet = await startIslet({ data: folder.path });
  const manage = (await setUp(islet, "later")).manage;
  const given = await manage<Grants>("GET", `/apps/${owner.appId}/grants`);
  expect(given.body.items).toMatchObject([{ grantee: { appId: helper.appId, name: "helper" }, access: "query" }]);
  const received = await manage<Grants>("GET", `/apps/${stranger.appId}/received-grants`);
  expect(received.body.items).toMatchObject([{ owner: { appId: helper.appId }, access: "edit" }]);

  const client = await connectDevice(islet, sensor);
  const measure = (temperature: number) =>
    client.publishAsync(dataTopic(sensor.deviceId), report("Climate", { temperature, humidity: 40, battery: 80 }), {
      qos: 1,
    });
  const heard = (path: string) =>
    receiver.received
      .filter((it) => it.path === path)
      .map(({ body }) => (body.service as { data: { temperature: number } }).data.temperature);
  const reached = async (temperature: number, ...paths: string[]) => {
    await measure(temperature);
    for (const path of paths) {
      await receiver.until(() => heard(path).includes(temperature));
    }
  };
  await reached(21, "/owner", "/helper");

  // To give orders, it must be allowed to edit; the callback address of its command is its own.
  const asHelper = await application(islet, helper.appId, helper.appSecret);
  const order = {
    deviceId: sensor.deviceId,
    command: { serviceId: "Climate", method: "SET_TARGET", paras: { target: 20 } },
    callbackUrl: receiver.url("/order"),
    expireTime: 0,
  };
  expect(outcome(await asHelper<Body>("POST", `${COMMANDS}?appId=${owner.appId}`, order))).toEqual([403, "100217"]);
  await manage("PUT", grant, { access: "edit" });
  const ordered = await asHelper<Body>("POST", `${COMMANDS}?appId=${owner.appId}`, order);
  expect(ordered).toMatchObject({ status: 201, body: { appId: owner.appId } });
  await receiver.until(() => receiver.received.some(({ path }) => path === "/order"));
  type Targets = { items: { callbackUrl: string }[] };
  const targets = await manage<Targets>("GET", `/apps/${helper.appId}/push-targets`);
  expect(targets.body.items.map(({ callbackUrl }) => new URL(callbackUrl).pathname).sort()).toEqual([
    "/helper",
    "/order",
  ]);

  expect((await manage("DELETE", grant)).status).toBe(204);
  await reached(22, "/owner");
  await reached(23, "/owner");
  expect(heard("/helper")).toEqual([21]);
  expect(outcome(await asHelper<Body>("GET", `${SUBSCRIPTIONS}?appId=${owner.appId}`))).toEqual([403, "100217"]);
  const asOwner = await application(islet, owner.appId, owner.appSecret);
  expect(await listed(asOwner, "")).toEqual(["/owner"]);
  // Authorised again, it begins anew.
  await manage("PUT", grant, { access: "query" });
  await reached(24, "/owner");
  expect(await listed(asHelper, `?appId=${owner.appId}`)).toEqual(["/owner"]);
  await client.endAsync();
});
