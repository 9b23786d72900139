import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);
type Body = Record<string, unknown>;
type Subscription = { subscriptionId: string; notifyType: string; callbackUrl: string };
type List = { totalCount: number; subscriptions: Subscription[] };

test("an application server follows its devices by what it is told alone, and moves to another address (1.7, 1.8)", async () => {
  using folder = temporaryFolder();
  using first = startCallbackReceiver();
  using second = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path, settings: { "devices.online_grace_ms": "0" } });
  const { app, register } = await setUp(islet, "follower");
  const subscribe = async (notifyType: string, callbackUrl: string) => {
    const made = await app<Subscription>("POST", PATHS.subscriptions, { notifyType, callbackUrl });
    expect([notifyType, outcome(made)]).toEqual([notifyType, "201 ok"]);
    return made.body.subscriptionId;
  };

  // 1.7.1, 1.7.2: one address for each kind of news.
  const life = ["deviceAdded", "bindDevice", "deviceInfoChanged", "deviceDeleted"];
  for (const type of life) await subscribe(type, first.url("/life"));
  const dataId = await subscribe("deviceDataChanged", first.url("/data"));
  const upgrades = { notifyType: "swUpgradeResultNotify", callbackUrl: first.url("/upgrades") };
  expect((await app("POST", PATHS.managementSubscription, upgrades)).status).toBe(200);

  // 1.8: a picture of each device that is drawn from the notifications and nothing else.
  type Picture = { name?: unknown; status?: unknown; values: unknown[]; bound: boolean };
  const picture = () => {
    const devices = new Map<string, Picture>();
    const gone = new Set<string>();
    for (const { body } of [...first.received, ...second.received]) {
      const id = body.deviceId as string;
      const info = body.deviceInfo as Body | undefined;
      const it = devices.get(id) ?? { values: [], bound: false };
      if (info) Object.assign(it, { name: info.name, status: info.status });
      if (body.notifyType === "bindDevice") it.bound = true;
      if (body.notifyType === "deviceDataChanged") it.values.push(((body.service as Body).data as Body).temperature);
      devices.set(id, it);
      if (body.notifyType === "deviceDeleted") gone.add(id);
    }
    for (const id of gone) devices.delete(id); // an id never comes back
    return devices;
  };
  /** The same, asked for. */
  const truth = async (deviceId: string) => {
    const { body } = await app<{ deviceInfo: Body }>("GET", `${PATHS.devices}/${deviceId}`);
    return { name: body.deviceInfo?.name, status: body.deviceInfo?.status };
  };
  const agrees = (deviceId: string) =>
    eventually(
      async () => [await truth(deviceId), picture().get(deviceId)] as const,
      ([is, told]) => told !== undefined && told.name === is.name && told.status === is.status,
    );

  const made = await register("followed");
  const { deviceId } = made;
  await agrees(deviceId);
  expect(picture().get(deviceId)).toMatchObject({ status: "INACTIVE", bound: false });
  const device = await connectDevice(islet, made);
  const send = (temperature: number) =>
    device.publishAsync(dataTopic(deviceId), report("Climate", { temperature }), { qos: 1 });
  const knows = (...values: number[]) =>
    eventually(
      () => picture().get(deviceId)?.values ?? [],
      (told) => told.join() === values.join(),
    );
  await send(1);
  await send(2);
  await knows(1, 2);
  await app("PUT", `${PATHS.devices}/${deviceId}`, { name: "Hall" });
  await agrees(deviceId);
  expect(picture().get(deviceId)).toMatchObject({ name: "Hall", status: "ONLINE", bound: true });

  // 1.7.3, 1.7.4: what it has subscribed.
  const list = async (query = "") => (await app<List>("GET", `${PATHS.subscriptions}${query}`)).body;
  expect((await list()).totalCount).toBe(6);
  expect((await list("?notifyType=swUpgradeResultNotify")).subscriptions).toMatchObject([
    { callbackUrl: first.url("/upgrades") },
  ]);
  expect((await app("GET", `${PATHS.subscriptions}/${dataId}`)).body).toEqual({
    ...{ subscriptionId: dataId, notifyType: "deviceDataChanged", callbackUrl: first.url("/data") },
  });

  // The data move to another server: it cannot be subscribed twice, so it is given up and made anew (1.7.5, 1.7.1).
  const again = await app("POST", PATHS.subscriptions, {
    ...{ notifyType: "deviceDataChanged", callbackUrl: second.url("/data") },
  });
  expect(outcome(again)).toBe("409 100227");
  expect(outcome(await app("DELETE", `${PATHS.subscriptions}/${dataId}`))).toBe("204 ok");
  await send(3); // nobody wants to know; it is stored all the same
  await subscribe("deviceDataChanged", second.url("/data"));
  await send(4);
  await knows(1, 2, 4);
  expect([...new Set(second.received.map(({ path }) => path))]).toEqual(["/data"]);
  const history = await app<{ totalCount: number }>(
    "GET",
    `${PATHS.history}?deviceId=${deviceId}&gatewayId=${deviceId}`,
  );
  expect(history.body.totalCount).toBe(4);

  // It goes off, and away; then 1.7.6 ends everything at the first address, and nothing comes there any more.
  await device.endAsync();
  await eventually(
    () => picture().get(deviceId)?.status,
    (status) => status === "OFFLINE",
  );
  expect(outcome(await app("DELETE", `${PATHS.devices}/${deviceId}`))).toBe("204 ok");
  await eventually(
    () => picture().has(deviceId),
    (isKnown) => !isKnown,
  );
  const callbackUrl = encodeURIComponent(first.url("/life"));
  expect(outcome(await app("DELETE", `${PATHS.subscriptions}?callbackUrl=${callbackUrl}`))).toBe("204 ok");
  expect((await list()).subscriptions.map(({ notifyType }) => notifyType).sort()).toEqual([
    ...["deviceDataChanged", "swUpgradeResultNotify"],
  ]);
  const before = first.received.length;
  const next = await register("unseen");
  const other = await connectDevice(islet, next);
  await other.publishAsync(dataTopic(next.deviceId), report("Climate", { temperature: 5 }), { qos: 1 });
  await second.until((body) => body.deviceId === next.deviceId); // it would have come first
  expect(first.received.length).toBe(before);
  expect(outcome(await app("DELETE", PATHS.subscriptions))).toBe("204 ok");
  expect(outcome(await app("DELETE", PATHS.subscriptions))).toBe("404 100225");
  await other.endAsync();
});
