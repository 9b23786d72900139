import { expect, setDefaultTimeout, test } from "bun:test";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { ADMIN_PASSWORD, type Islet, startIslet, temporaryFolder } from "../support/islet";
import { answer, login, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(90_000);
const TASKS = "/iocm/app/batchtask/v1.1.0/tasks";
const DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails";

type Task = Record<string, unknown> & { status: string };
type Detail = { status: string; output: string | null; error: string | null; param: Record<string, string | null> };
type Api = Pick<Awaited<ReturnType<typeof login>>, "app" | "manage">;

async function create({ app }: Api, taskName: string, param: object): Promise<string> {
  const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 7 } };
  const asked = { taskName, taskType: "DeviceCmd", timeout: 10, param: { command, ...param } };
  const { status, body } = await app<{ taskID: string }>("POST", TASKS, asked);
  if (status !== 200 || !body.taskID) throw new Error(`task: ${JSON.stringify(body)}`);
  return body.taskID;
}
const until = ({ app }: Api, taskId: string, fits: (task: Task) => boolean) =>
  eventually(async () => (await app<Task>("GET", `${TASKS}/${taskId}`)).body, fits);
const details = async ({ app }: Api, taskId: string) =>
  (await app<{ totalCount: number; taskDetails: Detail[] }>("GET", `${DETAILS}?taskId=${taskId}&pageSize=250`)).body;

test("a command for a group reaches its devices over a crash of the platform, each once", async () => {
  using folder = temporaryFolder();
  let islet = await startIslet({ data: folder.path });
  const { coap } = islet.ready;
  using receiver = startCallbackReceiver();
  const it = await setUpNbIot(islet);
  const meters = [];
  for (const nodeId of ["batch-1", "batch-2", "batch-3"]) meters.push(await it.register(it.productId, nodeId));
  const ids = meters.map(({ deviceId }) => deviceId);
  await it.app("POST", "/iocm/app/devgroup/v1.3.0/devGroups", { name: "roof", deviceIds: ids });
  const taskId = await create(it, "night", { type: "GroupList", groupList: ["roof"], callbackUrl: receiver.url("/c") });
  expect(
    (
      await it.app("POST", TASKS, {
        taskName: "night",
        taskType: "DeviceCmd",
        timeout: 10,
        param: { type: "Broadcast", command: { serviceId: "Smoke", method: "SET_ALARM" } },
      })
    ).body,
  ).toMatchObject({ error_code: "105002" });
  await until(it, taskId, ({ totalCnt, status }) => totalCnt === 3 && status === "Running");
  await eventually(
    () => details(it, taskId),
    ({ taskDetails }) => taskDetails.every(({ status }) => status === "WaitResult"),
  );

  using first = await plainDevice(islet, { ep: "batch-1" });
  await first.register();
  await first.until(() => first.commands.length === 1);
  const { mid, value } = readAlarm(first.commands[0] as Uint8Array);
  expect(value).toBe(7);
  await first.report(answer(mid, 0, 1));
  await until(it, taskId, ({ successCnt }) => successCnt === 1);

  await islet.crash();
  islet = await startIslet({ data: folder.path, settings: { "coap.listen": coap } });
  await using _ = islet;
  const again = await login(islet, it.appId, it.secret);
  using second = await plainDevice(islet, { ep: "batch-2" });
  await second.register();
  await second.until(() => second.commands.length === 1);
  await second.report(answer(readAlarm(second.commands[0] as Uint8Array).mid, 1, 0));
  await again.app("DELETE", `/iocm/app/dm/v1.4.0/devices/${ids[2]}`);

  expect(await until(again, taskId, ({ status }) => status === "Complete")).toMatchObject({
    ...{ taskId, taskName: "night", taskFrom: "Northbound", taskType: "DeviceCmd", timeout: 600, progress: 1000 },
    ...{ totalCnt: 3, successCnt: 1, failCnt: 2, timeoutCnt: 0, expiredCnt: 0, completeCnt: 3, successRate: 333 },
  });
  const { totalCount, taskDetails } = await details(again, taskId);
  expect([totalCount, taskDetails.map(({ status }) => status)]).toEqual([3, ["Success", "Fail", "Fail"]]);
  expect(JSON.parse(taskDetails[0]?.output ?? "")).toEqual({
    requestId: taskDetails[0]?.param.commandId,
    commandResult: { resultCode: "SUCCESSFUL", resultDetail: { result: 1 } },
  });
  expect(taskDetails.map(({ error }) => error && JSON.parse(error).error_code)).toEqual([null, "FAILED", "100418"]);
  for (const deviceId of ids.slice(0, 2)) expect((await again.commands(deviceId)).length).toBe(1);
  await receiver.until((body) => (body.result as { resultCode?: string })?.resultCode === "FAILED");
});

async function signIn({ ready }: Islet): Promise<string> {
  const response = await fetch(`http://${ready.http}/manage/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: ADMIN_PASSWORD }),
  });
  return ((await response.json()) as { token: string }).token;
}

test("devices of a file are registered, log in, are configured, and are deleted together", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet);
  const headers = { authorization: `Bearer ${await signIn(islet)}` };
  const base = `http://${islet.ready.http}/manage/v1`;
  const ended = (taskId: string) =>
    eventually(
      async () => (await it.manage<Record<string, unknown>>("GET", `/batch-tasks/${taskId}`)).body,
      ({ phase }) => phase === "ended",
    );

  const rows = Array.from({ length: 300 }, (_, at) => `file-${at},Meter ${at}\n`).join("");
  const form = new FormData();
  form.append("file", new File([`nodeId,deviceName\n${rows}file-7,again\n`], "meters.csv"));
  form.append("taskName", "spring");
  form.append("productId", it.productId);
  const upload = await fetch(`${base}/apps/${it.appId}/batch-registrations`, { method: "POST", headers, body: form });
  const task = (await upload.json()) as { taskId: string };
  expect(upload.status).toBe(201);
  expect(await ended(task.taskId)).toMatchObject({ ending: "Complete", total: 301, success: 300, fail: 1 });
  const file = await fetch(`${base}/batch-tasks/${task.taskId}/result`, { headers });
  const lines = (await file.text())
    .trim()
    .split("\r\n")
    .map((line) => line.split(","));
  expect([lines.length, lines[8]?.slice(0, 3), lines[301]?.[6]]).toEqual([
    302,
    ["file-7", "Success", `${it.productId}_file-7`],
    "NODE_ID_TAKEN",
  ]);
  using device = await plainDevice(islet, { ep: "file-7" });
  await device.register();
  expect(await it.status(`${it.productId}_file-7`)).toBe("ONLINE");

  const targets = { type: "DeviceType", deviceType: "SmokeDetector" };
  const configured = await it.manage<{ taskId: string }>("POST", `/apps/${it.appId}/batch-configurations`, {
    ...{ taskName: "levels", targets, values: { level: "5" } }, // nobody may write it
  });
  expect(await ended(configured.body.taskId)).toMatchObject({ total: 300, fail: 300 });
  const failed = await it.manage<{ items: { error: { code: string } }[] }>(
    "GET",
    `/batch-tasks/${configured.body.taskId}/items?pageSize=1`,
  );
  expect(failed.body.items[0]?.error.code).toBe("PROPERTY_NOT_WRITABLE");

  const deletion = await it.manage<{ taskId: string }>("POST", `/apps/${it.appId}/batch-deletions`, {
    taskName: "autumn",
    targets,
  });
  expect(await ended(deletion.body.taskId)).toMatchObject({ ending: "Complete", total: 300, success: 300 });
  expect((await it.manage("GET", `/apps/${it.appId}/devices`)).body.total).toBe(0);
  expect((await it.manage("DELETE", `/batch-tasks/${task.taskId}`)).status).toBe(204);
});
