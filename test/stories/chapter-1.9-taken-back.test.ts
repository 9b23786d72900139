import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic } from "../support/device";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";
import { answer, type Command, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
type Body = Record<string, unknown>;
type CancelTask = { taskId: string; status: string; totalCount: number; deviceCommands: Command[] };

test("commands for a device that sleeps: some wait, some are taken back, the rest arrives in order", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, command, commands, productId, register } = await setUpNbIot(islet, "valves");
  const { deviceId } = await register(productId, "861234500000191");
  const callbackUrl = receiver.url("/commands");
  const told = (commandId: string) =>
    receiver.received.flatMap(({ body }) =>
      body.commandId === commandId ? [(body.result as { resultCode: string }).resultCode] : [],
    );
  const until = (commandId: string, status: string) =>
    eventually(
      () => told(commandId),
      (statuses) => statuses.at(-1) === status,
    );

  // 1.9.1: at once or never, for a device that is not there; then five that wait.
  const now = await command(deviceId, 1, { callbackUrl, expireTime: 0 });
  expect([outcome(now), now.body.status]).toEqual(["201 ok", "FAILED"]);
  await until(now.body.commandId, "FAILED");
  const waiting: Command[] = [];
  for (const value of [11, 12, 13, 14, 15]) {
    const made = await command(deviceId, value, { callbackUrl, expireTime: "3600" });
    expect(made).toMatchObject({ status: 201, body: { status: "PENDING", expireTime: 3_600, deliveredTime: null } });
    waiting.push(made.body);
  }
  const [a, b, c, d, e] = waiting as [Command, Command, Command, Command, Command];

  // 1.9.3: the second is taken back, once.
  const cancel = ({ commandId }: Command) => app<Body>("PUT", `${PATHS.commands}/${commandId}`, { status: "CANCELED" });
  expect(await cancel(b)).toMatchObject({ status: 200, body: { commandId: b.commandId, status: "CANCELED" } });
  expect(outcome(await cancel(b))).toBe("200 100435");
  expect(outcome(await app("PUT", `${PATHS.commands}/nobody`, { status: "CANCELED" }))).toBe("200 100434");

  // 1.9.2 tells where they are, and pages through them.
  expect((await commands(deviceId)).map(({ status }) => status)).toEqual([
    ...["FAILED", "PENDING", "CANCELED", "PENDING", "PENDING", "PENDING"],
  ]);
  const page = await app<{ pagination: Body; data: Command[] }>(
    "GET",
    `${PATHS.commands}?deviceId=${deviceId}&pageNo=1&pageSize=4`,
  );
  expect(page.body.pagination).toEqual({ pageNo: 1, pageSize: 4, totalSize: 6 });
  expect(page.body.data.length).toBe(2);

  // The device wakes, takes the first, and keeps its acknowledgement of the next to itself.
  let hold = false;
  using device = await plainDevice(islet, {
    ep: "861234500000191",
    take: (_payload, _copy, acknowledge) => {
      if (!hold) acknowledge();
      hold = true;
    },
  });
  await device.register();
  await device.until(() => device.commands.length === 2);
  const [first, second] = device.commands.map(readAlarm) as [
    ReturnType<typeof readAlarm>,
    ReturnType<typeof readAlarm>,
  ];
  expect([first.value, second.value]).toEqual([11, 13]);
  await device.report(answer(first.mid, 0, 1));
  await until(a.commandId, "SUCCESSFUL");
  expect(told(a.commandId)).toEqual(["SENT", "DELIVERED", "SUCCESSFUL"]);
  await until(c.commandId, "SENT");

  // 1.9.5: everything that was not sent is taken back; what is under way goes on. 1.9.6 tells what became of it.
  expect(outcome(await cancel(c))).toBe("200 100435");
  const task = await app<CancelTask>("POST", PATHS.cancelTasks, { deviceId });
  expect(task).toMatchObject({ status: 201, body: { totalCount: 2 } });
  const tasks = async (query: string) =>
    (await app<{ pagination: Body; data: CancelTask[] }>("GET", `${PATHS.cancelTasks}?${query}`)).body;
  const ended = await eventually(
    () => tasks(`taskId=${task.body.taskId}`),
    ({ data }) => data[0]?.status === "SUCCESS",
  );
  expect(ended.pagination.totalSize).toBe(2);
  const taken = ended.data[0]?.deviceCommands.map(({ commandId, status }) => `${commandId} ${status}`).sort();
  expect(taken).toEqual([d, e].map(({ commandId }) => `${commandId} CANCELED`).sort());
  expect((await tasks(`deviceId=${deviceId}&status=FAILED`)).data).toEqual([]);
  await device.report(answer(second.mid, 1, 0));
  await until(c.commandId, "FAILED");

  // Nothing is left; nobody was told of what was taken back; the device has seen two commands, and a new one comes.
  expect((await commands(deviceId)).map(({ status }) => status)).toEqual([
    ...["FAILED", "SUCCESSFUL", "CANCELED", "FAILED", "CANCELED", "CANCELED"],
  ]);
  expect([b, d, e].flatMap(({ commandId }) => told(commandId))).toEqual([]);
  expect(outcome(await app("POST", PATHS.cancelTasks, { deviceId: "nobody" }))).toBe("200 100418");
});

test("commands for a device that is always there: sent with or without an answer, to each of two homes", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet, "homes");
  for (const notifyType of ["messageConfirm", "commandRsp"])
    await app("POST", PATHS.subscriptions, { notifyType, callbackUrl: receiver.url("/homes") });
  const home = async (nodeId: string) => {
    const made = await register(nodeId);
    const client = await connectDevice(islet, made);
    const heard: number[] = [];
    client.on("message", (_topic, payload) => {
      const { mid, paras } = JSON.parse(payload.toString()) as { mid: number; paras: { target: number } };
      heard.push(paras.target);
      const body = { target: paras.target };
      client.publish(dataTopic(made.deviceId), JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0, body }), {
        qos: 1,
      });
    });
    await client.subscribeAsync(commandTopic(made.deviceId), { qos: 1 });
    return { ...made, client, heard };
  };
  const [one, other] = [await home("home-1"), await home("home-2")];
  const path = (deviceId: string) => `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Climate/sendCommand`;

  // 1.9.7: the answer says that it is on its way; what the device said comes as a notification, by the id of the call.
  const send = async (deviceId: string, requestId: string, mode: string, target: number) => {
    const header = { requestId, mode, from: "/users/1", method: "SET_TARGET" };
    const sent = await app<Body>("POST", path(deviceId), { header, body: { target } });
    expect([sent.status, sent.body.requestId]).toEqual([202, requestId]);
  };
  await send(one.deviceId, "r-1", "ACK", 20);
  await send(other.deviceId, "r-2", "ACK", 21);
  await send(one.deviceId, "r-3", "NOACK", 22);
  const responses = () => receiver.received.map(({ body }) => body).filter((it) => it.notifyType === "commandRsp");
  await eventually(responses, ({ length }) => length >= 2);
  await eventually(
    () => [...one.heard, ...other.heard],
    ({ length }) => length === 3,
  );
  expect([one.heard, other.heard]).toEqual([[20, 22], [21]]);
  const byRequest = responses().map((it) => `${(it.header as Body).requestId} ${(it.header as Body).deviceId}`);
  expect(byRequest).toContain(`r-1 ${one.deviceId}`);
  expect(byRequest).toContain(`r-2 ${other.deviceId}`);

  // What is only sent at once is not kept for later: offline it is refused, and nothing comes when it is back.
  await other.client.endAsync();
  await eventually(
    async () =>
      outcome(await app("POST", path(other.deviceId), { header: { method: "SET_TARGET" }, body: { target: 9 } })),
    (row) => row === "200 100428",
  );
  const back = await connectDevice(islet, other);
  const late: unknown[] = [];
  back.on("message", (_topic, payload) => void late.push(payload.toString()));
  await back.subscribeAsync(commandTopic(other.deviceId), { qos: 1 });
  await send(other.deviceId, "r-4", "NOACK", 23);
  await eventually(
    () => late,
    ({ length }) => length > 0,
  );
  expect(late.length).toBe(1);
  expect(late[0]).toContain("23");

  // 1.9.2 has them all, by what the calls named.
  const { body } = await app<{ data: { commandId: string }[] }>("GET", `${PATHS.commands}?deviceId=${one.deviceId}`);
  expect(body.data.map(({ commandId }) => commandId).sort()).toEqual(["r-1", "r-3"]);
  await Promise.all([one.client.endAsync(), back.endAsync()]);
});
