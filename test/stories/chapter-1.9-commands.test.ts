import { expect, setDefaultTimeout, test } from "bun:test";
import { startCallbackReceiver } from "../support/callback-receiver";
import { startIslet, temporaryFolder } from "../support/islet";
import { answer, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
const CANCEL_TASKS = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks";
const IMEI = "861234500000031";

/** 1.9: a detector that wakes up once a day is told three things; one of them is taken back, one comes too late. */
test("a control room orders, thinks better of it, and sees what became of each order", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet, "control room");
  const { deviceId } = await it.register(it.productId, IMEI);
  const callbackUrl = receiver.url("/orders");

  const quiet = await it.command(deviceId, 10, { callbackUrl, expireTime: 86_400 });
  const wrong = await it.command(deviceId, 200, { callbackUrl, expireTime: 86_400 });
  const loud = await it.command(deviceId, 20, { callbackUrl, expireTime: 86_400 });
  const now = await it.command(deviceId, 30, { expireTime: 0 });
  expect([quiet, wrong, loud].map(({ status, body }) => [status, body.status])).toEqual(
    Array(3).fill([201, "PENDING"]),
  );
  expect(["FAILED", "SENT"]).toContain(now.body.status); // nobody is there to hear it at once

  const taken = await it.app("PUT", `${COMMANDS}/${wrong.body.commandId}`, { status: "CANCELED" });
  expect(taken.status).toBe(200);
  const twice = await it.app("PUT", `${COMMANDS}/${wrong.body.commandId}`, { status: "CANCELED" });
  expect([twice.status, twice.body.error_code]).toEqual([200, "100435"]);

  using device = await plainDevice(islet, { ep: IMEI });
  await device.register();
  await device.until(() => device.commands.length === 2);
  const heard = device.commands.map((bytes) => readAlarm(bytes));
  expect(heard.map(({ value }) => value)).toEqual([10, 20]);
  await device.report(answer(heard[0]?.mid ?? 0, 0, 1));
  await device.report(answer(heard[1]?.mid ?? 0, 1, 0)); // it is too loud, says the device
  const ended = (id: string, resultCode: string) =>
    receiver.until(
      ({ commandId, result }) => commandId === id && (result as { resultCode: string }).resultCode === resultCode,
    );
  expect(await ended(quiet.body.commandId, "SUCCESSFUL")).toMatchObject({ deviceId });
  expect(await ended(loud.body.commandId, "FAILED")).toMatchObject({ deviceId });
  const told = (id: string) =>
    receiver.received
      .filter(({ body }) => body.commandId === id)
      .map(({ body }) => (body.result as { resultCode: string }).resultCode);
  expect(told(quiet.body.commandId)).toEqual(["SENT", "DELIVERED", "SUCCESSFUL"]);
  expect(told(loud.body.commandId)).toEqual(["SENT", "DELIVERED", "FAILED"]);

  // The shift ends: everything that still waits for anybody is called off.
  device.sleep();
  await it.command(deviceId, 40, { expireTime: 86_400 });
  const task = await it.app<{ taskId: string }>("POST", CANCEL_TASKS, { deviceId });
  expect(task.status).toBe(201);
  const tasks = await it.app<{ data: { status: string; totalCount: number }[] }>(
    "GET",
    `${CANCEL_TASKS}?taskId=${task.body.taskId}`,
  );
  expect(tasks.body.data.length).toBe(1);
  const open = (await it.commands(deviceId)).filter(({ status }) => status === "PENDING");
  expect(open).toEqual([]);
});
