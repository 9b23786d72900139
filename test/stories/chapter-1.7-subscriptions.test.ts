import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);
const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
type List = {
  totalCount: number;
  subscriptions: { subscriptionId: string; notifyType: string; callbackUrl: string }[];
};

/** 1.7 and 1.8: an application server that hears of everything, goes down for maintenance, and moves. */
test("a billing server subscribes, is away for a while, misses nothing, and moves to another address", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "push.retry_interval_ms": "50" } });
  const { app, register } = await setUp(islet, "billing");
  let isAway = false;
  using old = startCallbackReceiver(() => new Response(null, { status: isAway ? 503 : 200 }));
  using next = startCallbackReceiver();

  const ids: Record<string, string> = {};
  for (const notifyType of ["deviceAdded", "deviceDataChanged", "deviceDeleted"]) {
    const body = { notifyType, callbackUrl: old.url("/hear") };
    const made = await app<{ subscriptionId: string }>("POST", SUBSCRIPTIONS, body);
    expect(made.status).toBe(201);
    ids[notifyType] = made.body.subscriptionId;
    expect((await app("POST", SUBSCRIPTIONS, body)).status).toBe(409); // a restart of the server subscribes again
  }
  const { deviceId, secret } = await register("meter-1");
  await old.until((body) => body.notifyType === "deviceAdded" && body.deviceId === deviceId);

  const device = await connectDevice(islet, { deviceId, secret });
  const say = (temperature: number) =>
    device.publishAsync(dataTopic(deviceId), report("Climate", { temperature, humidity: 1, battery: 1 }), { qos: 1 });
  const heard = (receiver: typeof old) =>
    receiver.received
      .filter(({ body }) => body.notifyType === "deviceDataChanged")
      .map(({ body }) => (body.service as { data: { temperature: number } }).data.temperature);
  await say(1);
  await eventually(
    () => heard(old),
    (it) => it.length === 1,
  );
  isAway = true;
  for (const value of [2, 3, 4]) await say(value);
  isAway = false;
  await say(5);
  await eventually(
    () => heard(old),
    (it) => it.length === 5,
  );
  expect(heard(old)).toEqual([1, 2, 3, 4, 5]); // in their order, none lost, none twice

  // It moves: a type has one address, so the old one is given up first.
  const moved = { notifyType: "deviceDataChanged", callbackUrl: next.url("/hear") };
  expect((await app("POST", SUBSCRIPTIONS, moved)).status).toBe(409);
  expect((await app("DELETE", `${SUBSCRIPTIONS}/${ids.deviceDataChanged}`)).status).toBe(204);
  expect((await app("POST", SUBSCRIPTIONS, moved)).status).toBe(201);
  await say(6);
  await eventually(
    () => heard(next),
    (it) => it.length === 1,
  );
  expect([heard(next), heard(old)]).toEqual([[6], [1, 2, 3, 4, 5]]);
  const left = await app<List>("GET", `${SUBSCRIPTIONS}?pageNo=0&pageSize=10`);
  expect(left.body.subscriptions.map((it) => it.notifyType).sort()).toEqual([
    "deviceAdded",
    "deviceDataChanged",
    "deviceDeleted",
  ]);

  await device.endAsync();
  await app("DELETE", `/iocm/app/dm/v1.4.0/devices/${deviceId}`);
  await old.until((body) => body.notifyType === "deviceDeleted" && body.deviceId === deviceId);
  expect((await app("DELETE", SUBSCRIPTIONS)).status).toBe(204);
  expect((await app<List>("GET", SUBSCRIPTIONS)).body.totalCount).toBe(0);
});
