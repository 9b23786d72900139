import { expect, test } from "bun:test";
import mqtt, { type MqttClient } from "mqtt";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { application, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { credentials, dataTopic, report } from "../support/device";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";

const seed = Number(process.env.SEED ?? Date.now() % 100_000);
const ROUNDS = 4;
const DEVICES = 5;
// Recent history moves under its index all the time, a few devices a step: the kill also comes in the middle of that.
const settings = {
  "history.recent_max_blocks": "20",
  "history.move_interval_ms": "5",
  "history.move_step_blocks": "2",
};

/**
 * Load, SIGKILL at a random moment, restart, look: every acknowledged report is in the history exactly as sent, and
 * every push that became due arrives (again, perhaps). Reports number their device's messages in `battery` and `humidity`.
 */
test(`nothing acknowledged is lost by kill -9 (SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const sent: Map<string, number> = new Map();
  const acknowledged: { deviceId: string; number: number }[] = [];

  let islet = await startIslet({ data: folder.path, settings });
  const { app, appId, appSecret, register } = await setUp(islet);
  const callbackUrl = receiver.url("/data");
  await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType: "deviceDataChanged", callbackUrl });
  const devices = await Promise.all(Array.from({ length: DEVICES }, (_, index) => register(`crash-${index}`)));

  for (let round = 0; round < ROUNDS; round++) {
    const clients = await Promise.all(devices.map(({ deviceId, secret }) => connect(islet, deviceId, secret)));
    const loads = clients.map(async (client, index) => {
      const { deviceId } = devices[index] as { deviceId: string };
      const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
      while (client.connected) {
        const number = (sent.get(deviceId) ?? 0) + 1;
        sent.set(deviceId, number);
        const settled = client
          .publishAsync(dataTopic(deviceId), report("Climate", numbered(number)), { qos: 1 })
          .then(() => void acknowledged.push({ deviceId, number }))
          .catch(() => {});
        await Promise.race([settled, closed]);
      }
    });
    await Bun.sleep(100 + random() * 500); // the random moment is the point of this test
    await islet.crash();
    await Promise.all(loads);
    await Promise.all(clients.map((client) => client.endAsync(true)));
    islet = await startIslet({ data: folder.path, settings });
  }

  expect(acknowledged.length).toBeGreaterThan(ROUNDS);
  const asked = await application(islet, appId, appSecret);
  for (const { deviceId } of devices) {
    const stored = await historyOf(asked, deviceId);
    const due = acknowledged.filter((it) => it.deviceId === deviceId).map(({ number }) => number);
    expect(due.filter((number) => !stored.includes(number))).toEqual([]);
    expect(stored.filter((number) => number > (sent.get(deviceId) ?? 0))).toEqual([]);
    await receiver.until(() => {
      const pushed = new Set(
        receiver.received
          .filter(({ body }) => body.deviceId === deviceId)
          .map(({ body }) => numberOf((body.service as Service).data)),
      );
      return stored.every((number) => pushed.has(number));
    });
  }
  await islet.crash();
}, 120_000);

type Service = { data: { battery: number; humidity: number } };
const numbered = (number: number) => ({ temperature: 20, humidity: number % 100, battery: Math.floor(number / 100) });
const numberOf = ({ battery, humidity }: Service["data"]) => battery * 100 + humidity;

async function connect(islet: Islet, deviceId: string, secret: string): Promise<MqttClient> {
  const { clientId, username, password } = credentials(deviceId, secret, new Date());
  const options = { clientId, username, password, protocolVersion: 4 as const, reconnectPeriod: 0 };
  const client = await mqtt.connectAsync(`mqtt://${islet.ready.mqtt}`, options);
  client.on("error", () => {});
  return client;
}

async function historyOf(app: Awaited<ReturnType<typeof application>>, deviceId: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let pageNo = 0; ; pageNo++) {
    const path = `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=2000&pageNo=${pageNo}`;
    const { body } = await app<{ totalCount: number; deviceDataHistoryDTOs: Service[] }>("GET", path);
    numbers.push(...body.deviceDataHistoryDTOs.map(({ data }) => numberOf(data)));
    if (numbers.length >= body.totalCount) return numbers;
    if (body.deviceDataHistoryDTOs.length === 0)
      throw new Error(`history ends at ${numbers.length} of ${body.totalCount}`);
  }
}
