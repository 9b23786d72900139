import { expect, setDefaultTimeout, test } from "bun:test";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";
import { answer, type Command, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
type Task = { status: string; totalCnt: number } & Record<string, unknown>;
type Detail = {
  status: string;
  output: string | null;
  error: string | null;
  param: { deviceId: string; commandId: string | null };
};
type Details = { totalCount: number; pageNo: number; pageSize: number; taskDetails: Detail[] };

test("one command for a list of meters: followed sub-task by sub-task, by the list, the commands and the pushes", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, command, commands, productId, register } = await setUpNbIot(islet, "suburb");
  const names = ["861234500000110", "861234500000128", "861234500000136"];
  const meters: string[] = [];
  for (const name of names) meters.push((await register(productId, name)).deviceId);
  const [answers, refuses, cancelled] = meters as [string, string, string];

  // 1.10.1: three of ours, and one that does not exist. Bad tasks are refused whole.
  const ask = (more: object, param: object = {}) =>
    app<{ taskID: string }>("POST", PATHS.tasks, {
      ...{ taskName: "close all", taskType: "DeviceCmd", timeout: "60" },
      tags: [{ tagName: "season", tagValue: "winter" }],
      param: {
        ...{ type: "DeviceList", deviceList: [...meters, "nobody"] },
        command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 3 } },
        callbackUrl: receiver.url("/batch"),
        ...param,
      },
      ...more,
    });
  const code = async (it: ReturnType<typeof ask>) => outcome(await it);
  for (const timeout of [9, 2_881]) expect(await code(ask({ timeout }))).toMatch(/^400 /);
  expect(await code(ask({ taskType: "FirmwareUpgrade" }))).toMatch(/^400 /);
  expect(await code(ask({}, { callbackUrl: "nowhere" }))).toMatch(/^400 /);
  expect(await code(ask({}, { type: "GroupIdList", groupList: ["nobody"] }))).toBe("200 101001");
  const created = await ask({});
  expect(created.status).toBe(200);
  const { taskID } = created.body;
  expect(await code(ask({}))).toMatch(/105002/); // the name is taken

  // 1.10.2 while it runs: one has failed already. 1.10.3, page by page and by state.
  const task = async (query = "") => (await app<Task>("GET", `${PATHS.tasks}/${taskID}${query}`)).body;
  const details = async (query: string) =>
    (await app<Details>("GET", `${PATHS.taskDetails}?taskId=${taskID}&${query}`)).body;
  await eventually(
    () => details("status=WaitResult"),
    ({ totalCount }) => totalCount === 3,
  );
  await eventually(task, ({ failCnt }) => failCnt === 1);
  expect(await task("?select=tag")).toMatchObject({
    ...{ taskId: taskID, taskName: "close all", status: "Running", timeout: 3_600, totalCnt: 4, failCnt: 1 },
    ...{ progress: 250, successRate: 0, tags: [{ tagName: "season", tagValue: "winter" }] },
  });
  expect(Object.keys(await task())).not.toContain("tags");
  const [failed] = (await details("status=Fail")).taskDetails as [Detail];
  expect([failed.param, JSON.parse(failed.error ?? "").error_code]).toEqual([
    { deviceId: "nobody", commandId: null },
    "100418",
  ]);
  const pages = [await details("pageNo=0&pageSize=3"), await details("pageNo=1&pageSize=3")];
  expect(pages.map(({ taskDetails }) => taskDetails.length)).toEqual([3, 1]);
  const all = pages.flatMap(({ taskDetails }) => taskDetails);
  expect(all.map(({ param }) => param.deviceId).sort()).toEqual([...meters, "nobody"].sort());
  const commandOf = async (deviceId: string) => {
    const [detail] = (await details(`deviceId=${deviceId}`)).taskDetails as [Detail];
    return detail.param.commandId as string;
  };

  // A sub-task is a command like any other: 1.9.2 lists it, 1.9.3 takes it back, and it has its place in the queue.
  expect((await commands(answers)).map(({ commandId, status }) => [commandId, status])).toEqual([
    [await commandOf(answers), "PENDING"],
  ]);
  const later = await command(answers, 4);
  const taken = await app<Command>("PUT", `${PATHS.commands}/${await commandOf(cancelled)}`, { status: "CANCELED" });
  expect(taken.body.status).toBe("CANCELED");
  await eventually(
    () => details(`deviceId=${cancelled}`),
    ({ taskDetails }) => taskDetails[0]?.status === "Fail",
  );

  // The devices wake up.
  using first = await plainDevice(islet, { ep: names[0] as string });
  using second = await plainDevice(islet, { ep: names[1] as string });
  await first.register();
  await first.until(() => first.commands.length === 2);
  expect(first.commands.map((it) => readAlarm(it).value)).toEqual([3, 4]);
  await first.report(answer(readAlarm(first.commands[0] as Uint8Array).mid, 0, 1));
  await second.register();
  await second.until(() => second.commands.length === 1);
  await second.report(answer(readAlarm(second.commands[0] as Uint8Array).mid, 1, 5));

  const done = await eventually(task, ({ status }) => status === "Complete");
  expect(done).toMatchObject({
    ...{ totalCnt: 4, successCnt: 1, failCnt: 3, timeoutCnt: 0, expiredCnt: 0, completeCnt: 4 },
    ...{ progress: 1_000, successRate: 250 },
  });
  const reasons = async (deviceId: string) => {
    const [detail] = (await details(`deviceId=${deviceId}`)).taskDetails as [Detail];
    return [detail.status, detail.error && JSON.parse(detail.error).error_code];
  };
  expect([await reasons(answers), await reasons(refuses), await reasons(cancelled)]).toEqual([
    ...[
      ["Success", null],
      ["Fail", "FAILED"],
      ["Fail", "CANCELED"],
    ],
  ]);
  const byCommand = await details(`commandId=${await commandOf(refuses)}`);
  expect(byCommand.taskDetails.map(({ param }) => param.deviceId)).toEqual([refuses]);

  // 1.8.12: the pushes tell the same, by the ids of the commands; of what was taken back nothing.
  const told = (commandId: string) =>
    receiver.received.flatMap(({ body }) =>
      body.commandId === commandId ? [(body.result as { resultCode: string }).resultCode] : [],
    );
  const [ok, no] = [await commandOf(answers), await commandOf(refuses)];
  await eventually(
    () => [told(ok).at(-1), told(no).at(-1)],
    ([one, other]) => one === "SUCCESSFUL" && other === "FAILED",
  );
  expect(told(await commandOf(cancelled))).toEqual([]);
  expect(told(later.body.commandId)).toEqual([]); // it had no callback of its own

  // Another application knows nothing of all this.
  const { app: stranger } = await setUpNbIot(islet, "stranger");
  for (const path of [`${PATHS.tasks}/${taskID}`, `${PATHS.taskDetails}?taskId=${taskID}`])
    expect(outcome(await stranger("GET", path))).not.toMatch(/ ok$/);
});
