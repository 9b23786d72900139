import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";
import { answer, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
const TASKS = "/iocm/app/batchtask/v1.1.0/tasks";
const DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails";
type Task = {
  status: string;
  totalCnt: number;
  successCnt: number;
  failCnt: number;
  progress: number;
  successRate: number;
};

/** 1.10: one order for a whole house. */
test("a caretaker sets all detectors of a type, and sees which of them did it", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet, "caretaker");
  const homes = [];
  for (const flat of [1, 2, 3]) homes.push(await it.register(it.productId, `86123450000004${flat}`));

  const param = {
    type: "DeviceType",
    deviceType: "SmokeDetector",
    command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 7 } },
  };
  const made = await it.app<{ taskID: string }>("POST", TASKS, {
    taskName: "evening",
    taskType: "DeviceCmd",
    timeout: 10,
    param,
  });
  expect(made.status).toBe(200);
  const again = await it.app("POST", TASKS, { taskName: "evening", taskType: "DeviceCmd", timeout: 10, param });
  expect(again.body.error_code).toBe("105002");

  // Two of them wake up; one says no.
  for (const [at, home] of homes.slice(0, 2).entries()) {
    using device = await plainDevice(islet, { ep: home.nodeId });
    await device.register();
    await device.until(() => device.commands.length === 1);
    const { mid, value } = readAlarm(device.commands[0] as Uint8Array);
    expect(value).toBe(7);
    await device.report(answer(mid, at, 1));
  }
  const task = () => it.app<Task>("GET", `${TASKS}/${made.body.taskID}`);
  const { body } = await eventually(task, ({ body }) => body.successCnt + body.failCnt === 2);
  expect(body).toMatchObject({ status: "Running", totalCnt: 3, successCnt: 1, failCnt: 1, progress: 666 });
  const details = await it.app<{ taskDetails: { status: string; param: { deviceId: string } }[] }>(
    "GET",
    `${DETAILS}?taskId=${made.body.taskID}&status=Success`,
  );
  expect(details.body.taskDetails.map(({ param }) => param.deviceId)).toEqual([homes[0]?.deviceId ?? ""]);
});
