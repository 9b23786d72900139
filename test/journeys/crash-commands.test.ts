import { expect, test } from "bun:test";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { application, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const ROUNDS = 4;
const DEVICES = 4;

type Command = {
  commandId: string;
  deviceId: string;
  status: string;
  result: { resultDetail: { reason?: string } | null } | null;
};
type Commands = { pagination: { totalSize: number }; data: Command[] };

/**
 * Commands, SIGKILL at a random moment, restart, look: every command that was accepted is known; one whose answer was
 * acknowledged to the device has succeeded, and its application is told; none that nobody can answer stays open.
 */
test(`commands end as they should through kill -9 (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const accepted = new Set<string>();
  const answered = new Set<string>(); // the device has the acknowledgement of its answer

  let islet = await startIslet({ data: folder.path });
  const { app, appId, appSecret, register } = await setUp(islet);
  await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
    notifyType: "commandRsp",
    callbackUrl: receiver.url("/r"),
  });
  const devices = await Promise.all(Array.from({ length: DEVICES }, (_, index) => register(`commanded-${index}`)));

  for (let round = 0; round < ROUNDS; round++) {
    const call = await application(islet, appId, appSecret);
    const talks = devices.map(async (registered, index) => {
      const { deviceId } = registered;
      const client = await connectDevice(islet, registered);
      await client.subscribeAsync(commandTopic(deviceId), { qos: 1 });
      client.on("message", (_topic, payload) => {
        const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: { target: number } };
        const id = `r${round}-d${index}-${Math.round((paras.target - 5) * 2)}`;
        client
          .publishAsync(dataTopic(deviceId), JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0, body: paras }), {
            qos: 1,
          })
          .then(() => answered.add(id))
          .catch(() => {}); // the process was killed before it acknowledged
      });
      for (let number = 0; number < 60 && client.connected; number++) {
        const requestId = `r${round}-d${index}-${number}`;
        const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;
        const body = { header: { requestId, method: "SET_TARGET" }, body: { target: 5 + number / 2 } };
        const { status } = await call("POST", path, body).catch(() => ({ status: 0 }));
        if (status === 202) accepted.add(requestId);
      }
      return client;
    });
    // At once: a device that was still connecting when the process was killed has failed before it is asked.
    const running = talks.map((talk) => talk.catch(() => undefined));
    await Bun.sleep(60 + random() * 250); // the random moment is the point of this test
    await islet.crash();
    for (const client of await Promise.all(running)) client?.end(true);
    islet = await startIslet({ data: folder.path });
  }

  const asked = await application(islet, appId, appSecret);
  const { body } = await asked<Commands>("GET", "/iocm/app/cmd/v1.4.0/deviceCommands");
  expect(body.pagination.totalSize).toBe(body.data.length);
  const known = new Map(body.data.map((command) => [command.commandId, command]));
  expect([...accepted].filter((id) => !known.has(id))).toEqual([]);
  expect([...answered].filter((id) => known.get(id)?.status !== "SUCCESSFUL")).toEqual([]);
  for (const { commandId, status, result } of known.values()) {
    // Clean sessions: what had not been acknowledged is lost with them; what was delivered may still be answered.
    expect([commandId, status]).toEqual([commandId, expect.stringMatching(/^(SUCCESSFUL|DELIVERED|FAILED)$/)]);
    if (status === "FAILED")
      expect(["platform_restarted", "connection_lost", "device_unreachable"]).toContain(
        result?.resultDetail?.reason as string,
      );
  }
  expect(answered.size).toBeGreaterThan(ROUNDS);
  const succeeded = [...known.values()]
    .filter(({ status }) => status === "SUCCESSFUL")
    .map(({ commandId }) => commandId);
  await receiver.until(() => {
    const told = new Set(receiver.received.map(({ body }) => (body.header as { requestId: string }).requestId));
    return succeeded.every((id) => told.has(id));
  });
  console.log(
    `${accepted.size} accepted, ${answered.size} answered, ${known.size} known, ${succeeded.length} succeeded`,
  );
  await islet.crash();
}, 120_000);
