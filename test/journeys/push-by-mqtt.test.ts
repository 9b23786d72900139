import { expect, setDefaultTimeout, test } from "bun:test";
import mqtt, { type IClientOptions } from "mqtt";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { application, operator, type Setup, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";
import { startSubscriber, topicsOf } from "../support/subscriber";

setDefaultTimeout(60_000);

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
const MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe";
type Resource = { subscriptionId: string; notifyType: string; callbackUrl: string; channel?: string };
type Target = {
  targetNo: number;
  callbackUrl: string;
  channel: string;
  state: string;
  waiting: number;
  inFlight: number;
  deadLetters: number;
};

const topicOf = ({ appId }: Pick<Setup, "appId">, type: string) => topicsOf(appId).replace("#", type);

async function subscribeByMqtt({ app }: Pick<Setup, "app">, notifyType: string): Promise<Resource> {
  const { status, body } = await app<Resource>("POST", SUBSCRIPTIONS, { notifyType, channel: "MQTTS" });
  expect([status, body]).toMatchObject([201, { notifyType, channel: "MQTTS" }]);
  return body;
}
async function reportingDevice(islet: Islet, it: Setup, nodeId = `device-${it.appId}`) {
  const registered = await it.register(nodeId);
  const device = await connectDevice(islet, registered);
  return { registered, device, report: reporter(device, registered.deviceId) };
}
const reporter =
  (device: Awaited<ReturnType<typeof connectDevice>>, deviceId: string) =>
  (battery: number): Promise<unknown> =>
    device.publishAsync(
      dataTopic(deviceId),
      report("Climate", { temperature: 20, humidity: battery % 100, battery: Math.floor(battery / 100) }),
      {
        qos: 1,
      },
    );
const numberOf = ({ body }: { body: Record<string, unknown> }) => {
  const { data } = body.service as { data: { humidity: number; battery: number } };
  return data.battery * 100 + data.humidity;
};
const targetsOf = async ({ manage, appId }: Pick<Setup, "manage" | "appId">): Promise<Target[]> =>
  (await manage<{ items: Target[] }>("GET", `/apps/${appId}/push-targets`)).body.items;

test("an application subscribes with channel MQTTS, connects with its secret, and gets its notifications with QoS 1", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const created = await subscribeByMqtt(it, "deviceDataChanged");
  expect(created.callbackUrl).toBe(topicOf(it, "deviceDataChanged"));
  await subscribeByMqtt(it, "deviceAdded");
  const again = await it.app("POST", SUBSCRIPTIONS, { notifyType: "deviceAdded", channel: "MQTTS" });
  expect([again.status, again.body.error_code]).toEqual([409, "100227"]);
  const elsewhere = { notifyType: "deviceDeleted", channel: "MQTTS", callbackUrl: "http://127.0.0.1:9/x" };
  expect((await it.app("POST", SUBSCRIPTIONS, elsewhere)).body.error_code).toBe("100222");

  const subscriber = await startSubscriber(islet, it);
  expect(subscriber.granted.map(({ qos }) => qos)).toEqual([1]);
  const { registered, device, report } = await reportingDevice(islet, it);
  for (let value = 1; value <= 20; value++) await report(value);
  await subscriber.until(({ length }) => length === 21);
  expect(subscriber.received[0]).toMatchObject({
    topic: topicOf(it, "deviceAdded"),
    body: { notifyType: "deviceAdded", deviceId: registered.deviceId },
  });
  const reports = subscriber.received.slice(1);
  expect(reports.map(numberOf)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  for (const { topic, qos, dup } of reports)
    expect([topic, qos, dup]).toEqual([topicOf(it, "deviceDataChanged"), 1, false]);

  // The operator sees the topics like callback addresses.
  const settled = await eventually(
    () => targetsOf(it),
    (targets) => targets.every(({ waiting }) => waiting === 0),
  );
  expect(settled).toMatchObject([
    { callbackUrl: topicOf(it, "deviceDataChanged"), channel: "MQTTS", state: "connected", delivered: 20 },
    { callbackUrl: topicOf(it, "deviceAdded"), channel: "MQTTS", state: "connected", delivered: 1 },
  ]);
  const attempts = await eventually(
    () => it.manage<{ total: number; items: object[] }>("GET", `/push-targets/${settled[0]?.targetNo}/attempts`),
    ({ body }) => body.total === 20,
  );
  expect(attempts.body.items[0]).toMatchObject({ reason: "delivered", attempt: 1 });

  // Unsubscribing ends it: 1.7.6 by channel.
  expect((await it.app("DELETE", SUBSCRIPTIONS)).body.error_code).toBe("100225"); // no HTTP ones
  expect((await it.app("DELETE", `${SUBSCRIPTIONS}?channel=MQTTS&notifyType=deviceDataChanged`)).status).toBe(204);
  await report(99);
  await it.register("another");
  await subscriber.until((received) => received.at(-1)?.body.deviceId !== registered.deviceId);
  expect(subscriber.received.length).toBe(22);
  await Promise.all([device.endAsync(), subscriber.client.endAsync()]);
});

test("what an application missed comes when it is back, before what is new, each device in order; what it had not acknowledged comes again", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  await subscribeByMqtt(it, "deviceDataChanged");
  const { report, device } = await reportingDevice(islet, it);
  const before = await startSubscriber(islet, it);
  await report(1);
  await before.until(({ length }) => length === 1);
  await eventually(
    () => targetsOf(it),
    ([target]) => target?.waiting === 0,
  );
  before.state.holds = true; // it gets the next one and never acknowledges it
  await report(2);
  await before.until(({ length }) => length === 2);
  await before.vanish();
  for (let value = 3; value <= 40; value++) await report(value);
  expect(
    await eventually(
      () => targetsOf(it),
      ([target]) => target?.state === "away",
    ),
  ).toMatchObject([{ state: "away", waiting: 39, inFlight: 0 }]);

  const after = await startSubscriber(islet, it, { subscribes: false });
  expect(after.sessionPresent).toBe(true);
  await report(41);
  await after.until(({ length }) => length === 40);
  expect(after.received.map(numberOf)).toEqual(Array.from({ length: 40 }, (_, index) => index + 2));
  expect(after.received.map(({ dup }) => dup)).toEqual([true, ...Array(39).fill(false)]);
  await eventually(
    () => targetsOf(it),
    ([target]) => target?.waiting === 0,
  );
  await Promise.all([device.endAsync(), after.client.endAsync()]);
});

test("an authorised application hears of another's devices on its own topic, until the right is revoked", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const owner = await setUp(islet);
  const guest = await setUp(islet, "guest");
  const body = { notifyType: "deviceDataChanged", channel: "MQTTS", appId: owner.appId };
  expect((await guest.app("POST", SUBSCRIPTIONS, body)).body.error_code).toBe("100217");
  const grant = `/apps/${owner.appId}/grants/${guest.appId}`;
  expect((await owner.manage("PUT", grant, { access: "query" })).status).toBe(200);
  const created = await guest.app<Resource>("POST", SUBSCRIPTIONS, body);
  expect([created.status, created.body.callbackUrl]).toEqual([201, topicOf(guest, "deviceDataChanged")]);
  await subscribeByMqtt(guest, "deviceAdded");

  const first = await startSubscriber(islet, guest);
  const { device, report } = await reportingDevice(islet, owner);
  await report(1);
  await first.until(({ length }) => length === 1);
  await eventually(
    () => targetsOf(guest),
    ([target]) => target?.waiting === 0,
  );
  await first.client.endAsync();
  await report(2); // waits for the application, which is away
  await eventually(
    () => targetsOf(guest),
    ([target]) => target?.waiting === 1,
  );
  expect((await owner.manage("DELETE", grant)).status).toBe(204);
  await report(3);

  const second = await startSubscriber(islet, guest, { subscribes: false });
  const { deviceId } = await guest.register("own");
  await second.until(({ length }) => length > 0);
  expect(second.received.map(({ body: { notifyType, deviceId } }) => [notifyType, deviceId])).toEqual([
    ["deviceAdded", deviceId],
  ]);
  await eventually(
    () => targetsOf(guest),
    (targets) => targets.every(({ waiting }) => waiting === 0),
  );
  expect(second.received.length).toBe(1);
  await Promise.all([device.endAsync(), second.client.endAsync()]);
});

test("who may not come in, and what an application may not do", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "attempts.max_delay_ms": "400" } });
  const it = await setUp(islet);
  const other = await setUp(islet, "other");
  const refusal = (options: IClientOptions, url = `mqtts://${islet.ready.mqtts}`) =>
    new Promise<unknown>((resolve) => {
      const login = { clientId: it.appId, username: it.appId, password: it.appSecret, clean: true };
      const client = mqtt.connect(url, {
        ...login,
        reconnectPeriod: 0,
        rejectUnauthorized: false,
        protocolVersion: 4,
        ...options,
      });
      client.on("connect", () => resolve("connected"));
      client.on("error", (error) => resolve((error as { code?: unknown }).code));
      client.on("close", () => {
        client.end(true);
        resolve("closed");
      });
    });
  expect(await refusal({ password: "wrong" })).toBe(5);
  expect(await refusal({ password: other.appSecret })).toBe(5);
  expect(await refusal({ username: "A".repeat(20), clientId: "A".repeat(20) })).toBe(5);
  expect(await refusal({}, `mqtt://${islet.ready.mqtt}`)).toBe(5); // the secret only over TLS
  expect(await refusal({ clientId: "anything" })).toBe(2);
  expect(await refusal({})).toBe("connected");
  const reasons = async () => {
    const path = `/trace?claimedId=${it.appId}&pageSize=100`;
    const { body } = await it.manage<{ items: { reason: string }[] }>("GET", path);
    return new Set(body.items.map(({ reason }) => reason));
  };
  await eventually(reasons, (found) =>
    ["credentials_wrong", "applications_need_tls", "connected"].every((reason) => found.has(reason)),
  );

  // Guessing gets slower and does not shut the owner out.
  const guesses = Array.from({ length: 12 }, (_, index) =>
    refusal({ password: `guess ${index}`, clientId: `${it.appId}:${index}` }),
  );
  expect(await refusal({})).toBe("connected");
  for (const code of await Promise.all(guesses)) expect([3, 5]).toContain(code as number);

  await subscribeByMqtt(it, "deviceAdded");
  await subscribeByMqtt(other, "deviceAdded");
  const mine = await startSubscriber(islet, it);
  const notMine = [topicsOf(other.appId), "#", "/islet/#", topicOf(other, "deviceAdded"), "/huawei/v1/devices/#"];
  for (const filter of notMine) {
    const [granted] = await mine.client.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }]);
    expect([filter, granted?.qos]).toEqual([filter, 128]);
  }
  const [zero] = await mine.client.subscribeAsync(topicOf(it, "deviceAdded"), { qos: 0 }).catch(() => [{ qos: 128 }]);
  expect(zero?.qos).toBe(128);
  await other.register("theirs");
  const { deviceId } = await it.register("ours");
  await mine.until(({ length }) => length > 0);
  expect(mine.received.map(({ body }) => body.deviceId)).toEqual([deviceId]);

  for (const to of [topicOf(it, "deviceAdded"), dataTopic(deviceId), commandTopic(deviceId)]) {
    const publisher = await startSubscriber(islet, it, { clientId: `${it.appId}:publisher`, subscribes: false });
    const closed = new Promise<void>((resolve) => publisher.client.once("close", () => resolve()));
    publisher.client.publish(to, report("Climate", { temperature: 20 }), { qos: 1 }, () => {});
    await closed;
    await publisher.vanish();
  }
  expect(mine.received.length).toBe(1);

  // A new secret is a new lock.
  const closed = new Promise<void>((resolve) => mine.client.once("close", () => resolve()));
  const { body } = await it.manage<{ secret: string }>("POST", `/apps/${it.appId}/secret`);
  await closed;
  expect(await refusal({})).toBe(5);
  expect(await refusal({ password: body.secret })).toBe("connected");
  await mine.vanish();
});

test("on the port without TLS only when the configuration allows it; or not at all", async () => {
  using folder = temporaryFolder();
  {
    await using islet = await startIslet({ data: folder.path, settings: { "mqtt.applications": "any" } });
    const it = await setUp(islet);
    await subscribeByMqtt(it, "deviceAdded");
    const client = await mqtt.connectAsync(`mqtt://${islet.ready.mqtt}`, {
      ...{ clientId: it.appId, username: it.appId, password: it.appSecret, reconnectPeriod: 0 },
    });
    const got = new Promise<string>((resolve) => client.on("message", (_topic, payload) => resolve(String(payload))));
    await client.subscribeAsync(topicsOf(it.appId), { qos: 1 });
    await it.register("one");
    expect(JSON.parse(await got)).toMatchObject({ notifyType: "deviceAdded" });
    await client.endAsync();
  }
  await using islet = await startIslet({ data: folder.path, settings: { "mqtt.applications": "off" } });
  const manage = await operator(islet);
  const { body } = await manage<{ items: { appId: string }[] }>("GET", "/apps");
  const appId = body.items[0]?.appId as string;
  expect(await startSubscriber(islet, { appId, appSecret: "x" }).catch((error) => error.code)).toBe(2);
});

test("an application that stays away too long finds its messages for replay; a reader that stands still harms nobody", async () => {
  using folder = temporaryFolder();
  const settings = { "mqtt.session_expiry_ms": "1500", "push.keep_ms": "100", "mqtt.max_application_inflight": "8" };
  await using islet = await startIslet({ data: folder.path, settings });
  const it = await setUp(islet);
  using receiver = startCallbackReceiver();
  await subscribeByMqtt(it, "deviceDataChanged");
  await it.app("POST", SUBSCRIPTIONS, { notifyType: "deviceDatasChanged", callbackUrl: receiver.url("/d") });
  const { report, device } = await reportingDevice(islet, it);
  await report(1);
  const [expired] = await eventually(
    () => targetsOf(it),
    ([target]) => target?.deadLetters === 1 && target.waiting === 0, // one is on disk, the other in memory
  );
  expect(expired).toMatchObject({ state: "away" });

  const slow = await startSubscriber(islet, it);
  slow.state.holds = true;
  const path = `/push-targets/${expired?.targetNo}`;
  expect((await it.manage("POST", `${path}/replay`, { ids: "all" })).body).toEqual({ replayed: 1 });
  await slow.until(({ length }) => length === 1);
  for (let value = 2; value <= 60; value++) await report(value);
  await receiver.until(() => receiver.received.length === 60);
  expect((await targetsOf(it))[0]).toMatchObject({ state: "connected", inFlight: 8 });
  await eventually(
    () => targetsOf(it),
    ([target]) => target?.waiting === 8 && target.deadLetters === 52,
  );
  await slow.vanish();
  await device.endAsync();
});

test("subscriptions to management data are stored and listed; 1.7.2 answers nothing", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const post = (body: unknown) => it.app("POST", MANAGEMENT, body);
  const url = "http://127.0.0.1:9001/upgrades";
  for (const notifyType of ["swUpgradeStateChangeNotify", "fwUpgradeResultNotify"])
    expect(await post({ notifyType, callbackUrl: url })).toEqual({ status: 200, body: {} });
  expect(await post({ notifyType: "fwUpgradeResultNotify", callbackUrl: `${url}/2` })).toEqual({
    status: 200,
    body: {},
  });
  expect(await post({ notifyType: "swUpgradeResultNotify", channel: "MQTTS" })).toEqual({ status: 200, body: {} });
  const list = async (query: string) =>
    (await it.app<{ totalCount: number; subscriptions: Resource[] }>("GET", `${SUBSCRIPTIONS}${query}`)).body;
  expect((await list("")).subscriptions.map(({ notifyType, callbackUrl }) => [notifyType, callbackUrl])).toEqual([
    ["swUpgradeStateChangeNotify", url],
    ["fwUpgradeResultNotify", `${url}/2`],
    ["swUpgradeResultNotify", topicOf(it, "swUpgradeResultNotify")],
  ]);
  expect((await list("?notifyType=fwUpgradeResultNotify")).totalCount).toBe(1);

  const outcome = async (body: unknown) => {
    const answer = await post(body);
    return [answer.status, answer.body.error_code, answer.body.error_desc];
  };
  const invalid = [400, "100228", "The application input is invalid."];
  expect(await outcome({ notifyType: "deviceAdded", callbackUrl: url })).toEqual(invalid);
  expect(await outcome({ callbackUrl: url })).toEqual(invalid);
  expect(await outcome([])).toEqual(invalid);
  for (const callbackUrl of ["http://127.0.0.1/x", "ftp://127.0.0.1:9/x", "", undefined, 7])
    expect(await outcome({ notifyType: "swUpgradeResultNotify", callbackUrl })).toEqual([
      ...[400, "100222", "Internal server error."],
    ]);
  const raw = (headers: Record<string, string>) =>
    fetch(`http://${islet.ready.http}${MANAGEMENT}`, { method: "POST", body: "{}", headers }).then(
      async (answer) => [answer.status, ((await answer.json()) as { error_code: string }).error_code] as const,
    );
  expect(await raw({})).toEqual([500, "100229"]);
  expect(await raw({ app_key: it.appId, authorization: "Bearer nothing" })).toEqual([403, "1010005"]);
  expect((await list("")).totalCount).toBe(3);

  expect((await it.manage("PATCH", `/apps/${it.appId}`, { callsPerMinute: 1 })).status).toBe(200);
  const app = await application(islet, it.appId, it.appSecret);
  await app("GET", SUBSCRIPTIONS);
  expect((await app("POST", MANAGEMENT, {})).body.error_code).toBe("1010009");
});

const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
test(`kill -9 loses nothing that was reported, and each device's order holds (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  using folder = temporaryFolder();
  const acknowledged = new Map<string, number[]>(); // to the device
  const sent = new Map<string, number>();
  const arrived = new Map<string, number[]>();
  let islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  await subscribeByMqtt(it, "deviceDataChanged");
  const devices = await Promise.all(["a", "b", "c"].map((nodeId) => it.register(nodeId)));
  const take = (received: readonly { body: Record<string, unknown> }[]) => {
    for (const message of received) {
      const deviceId = message.body.deviceId as string;
      arrived.set(deviceId, [...(arrived.get(deviceId) ?? []), numberOf(message)]);
    }
  };

  for (let round = 0; round < 4; round++) {
    const subscriber = await startSubscriber(islet, it);
    expect(subscriber.sessionPresent).toBe(round > 0);
    const clients = await Promise.all(devices.map((registered) => connectDevice(islet, registered)));
    const loads = clients.map(async (client, index) => {
      const { deviceId } = devices[index] as { deviceId: string };
      const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
      while (client.connected) {
        const number = (sent.get(deviceId) ?? 0) + 1;
        sent.set(deviceId, number);
        const done = reporter(
          client,
          deviceId,
        )(number)
          .then(() => void acknowledged.set(deviceId, [...(acknowledged.get(deviceId) ?? []), number]))
          .catch(() => {});
        await Promise.race([done, closed]);
      }
    });
    await Bun.sleep(100 + random() * 400); // the random moment is the point of this test
    await islet.crash();
    await Promise.all(loads);
    await Promise.all([...clients.map((client) => client.endAsync(true)), subscriber.vanish()]);
    take(subscriber.received);
    islet = await startIslet({ data: folder.path });
  }

  const last = await startSubscriber(islet, it, { subscribes: false });
  const after = { manage: await operator(islet), appId: it.appId };
  await eventually(
    () => targetsOf(after),
    ([target]) => target?.waiting === 0,
  );
  take(last.received);
  for (const { deviceId } of devices) {
    const all = arrived.get(deviceId) ?? [];
    const firsts = [...new Set(all)];
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    const due = acknowledged.get(deviceId) ?? [];
    expect(due.length).toBeGreaterThan(3);
    expect(due.filter((number) => !firsts.includes(number))).toEqual([]);
    expect(firsts.filter((number) => number > (sent.get(deviceId) ?? 0))).toEqual([]);
  }
  await last.client.endAsync();
  expect(await islet.stop()).toBe(0);
}, 120_000);
