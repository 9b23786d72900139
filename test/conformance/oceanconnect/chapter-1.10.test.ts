import { expect, test } from "bun:test";
import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import { eventually } from "../../support/eventually";
import type { Islet } from "../../support/islet";
import { callerRows, inBody, NAMED_403, type Rows, USUAL } from "./caller-rows";
import type { Call, Caller } from "./callers";
import { codeOf, testChapter } from "./chapter";
import { COMMAND_SETTINGS, furnishCommands, ID } from "./command-world";
import { refuseToStore, tamper, UNSTORABLE } from "./faults";
import { PATHS, UTC } from "./product-models";

const TASKS = "/iocm/app/batchtask/v1.1.0/tasks";
const MAX_UNFINISHED = 10; // the default
const COMMAND = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 7 } };

type Task = { status: string; totalCnt: number; failCnt: number };
type Param = Record<string, unknown>;

async function furnish(islet: Islet, data: string) {
  const world = await furnishCommands(islet, data);
  const { get, next, addSensor, addSleeper } = world;
  refuseToStore(data, "batch_task", "name");
  const { deviceId: sensor } = await addSensor();
  const sleeper = await addSleeper();
  const tagged: Call = { method: "PUT", path: `${PATHS.devices}/${sensor}`, body: {} };
  await get({ ...tagged, body: { tags: [{ tagName: "floor", tagValue: "1" }] } });

  /** Ends at once, and badly: the device does not sleep. */
  const create = (more: object = {}, param: Param = {}): Call & { body: object } => ({
    ...{ method: "POST", path: TASKS },
    body: {
      ...{ taskName: next("task"), taskType: "DeviceCmd", timeout: 10 },
      param: { type: "DeviceList", deviceList: [sensor], command: COMMAND, ...param },
      ...more,
    },
  });
  const show = (taskId: string, query = ""): Call => ({ method: "GET", path: `${TASKS}/${taskId}${query}` });
  /** Resolves when the task is so far. */
  async function made(call: Call, fits: (task: Task) => boolean, as?: Caller): Promise<string> {
    const { taskID } = await get<{ taskID: string }>(call, as);
    await eventually(() => get<Task>(show(taskID), as), fits);
    return taskID;
  }
  const ended = (call = create()) => made(call, ({ status }) => status === "Complete");
  /** Of three sub-tasks two have failed, and one waits for its device. */
  const mixed = (name: string) => {
    const param = { deviceList: [sleeper, sensor, "nobody"], callbackUrl: "http://127.0.0.1:9/c", maxRetransmit: "2" };
    const tags = [{ tagName: "season", tagValue: "winter" }];
    return made(create({ taskName: name, timeout: "2880", tags }, param), ({ failCnt }) => failCnt === 2);
  };
  return {
    ...{ ...world, sensor, sleeper, create, show, ended, mixed },
    tagged: (tag: string) => create({}, { groupTag: tag }),
    details: (query: Record<string, string>): Call => ({
      method: "GET",
      path: `/iocm/app/batchtask/v1.1.0/taskDetails?${new URLSearchParams(query)}`,
    }),
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

const COMPLETE: Rows = { ...USUAL, ...NAMED_403 };

testChapter<World>({
  chapters: ["1.10"],
  settings: COMMAND_SETTINGS,
  furnish,
  close: ({ close }) => close(),
  endpoints: [
    {
      section: "1.10.1",
      async works({ ask, create }) {
        const seen = await ask(create());
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { taskID: ID }]);
      },
      rows: [
        {
          line: "200 100203",
          cannot: "100203 is listed with 200, 403 and 500; here it is 403 or 500, as at 1.5.3.",
        },
        {
          line: "200 101001",
          provoke: ({ ask, create }) => ask(create({}, { type: "GroupIdList", groupList: ["nobody"] })),
        },
        {
          line: "200 105001",
          async provoke({ ask, get, create, addApplication, addProduct, next }) {
            const owner = await addApplication();
            const productId = await addProduct(owner, smokeDetector);
            const body = { nodeId: next("waiting"), productId };
            const { deviceId } = await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body }, owner);
            const task = () => create({}, { deviceList: [deviceId] });
            for (let count = 0; count < MAX_UNFINISHED; count++) await get(task(), owner);
            return ask(task(), owner);
          },
        },
        {
          line: "200 105002",
          async provoke({ ask, create, ended }) {
            const call = create();
            await ended(call);
            return ask(call);
          },
        },
        {
          line: "400 105201",
          provoke: ({ ask, create }) => ask(create({ tags: Array(2).fill({ tagName: "a", tagValue: "b" }) })),
        },
        { line: "400 50400", provoke: ({ ask, create }) => ask(create({ timeout: 9 })) },
        { line: "401 100028", cannot: "This API knows applications, not users that have rights or do not." },
        { line: "404 105202", provoke: ({ ask, tagged }) => ask(tagged("colour")) },
        { line: "500 50252", provoke: ({ ask, create }) => ask(create({ taskName: UNSTORABLE })) },
        ...callerRows<World>(({ create }) => create(), COMPLETE, inBody("appId")),
      ],
    },
    {
      section: "1.10.2",
      async works({ ask, get, show, mixed, manage, caller, sleeper, sensor }) {
        const taskId = await mixed("shown");
        const { body: application } = await manage<{ name: string }>("GET", `/apps/${caller.appId}`);
        const shown = {
          ...{ appId: caller.appId, taskId, taskName: "shown", operator: application.name, taskFrom: "Northbound" },
          ...{ taskType: "DeviceCmd", status: "Running", startTime: UTC, timeout: 172_800, progress: 666 },
          ...{ totalCnt: 3, successCnt: 0, failCnt: 2, timeoutCnt: 0, expiredCnt: 0, completeCnt: 2, successRate: 0 },
          param: {
            ...{ type: "DeviceList", deviceList: [sleeper, sensor, "nobody"], command: COMMAND },
            ...{ callbackUrl: "http://127.0.0.1:9/c", maxRetransmit: 2, groupTag: null },
          },
        };
        const seen = await ask(show(taskId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, shown]);
        const tags = [{ tagName: "season", tagValue: "winter" }];
        expect(await get(show(taskId, "?select=tag"))).toEqual({ ...shown, tags });
      },
      rows: [
        { line: "400 100019", provoke: ({ ask, show }) => ask(show("")) },
        { line: "400 100022", provoke: ({ ask, show }) => ask(show("nobody", "?select=tags")) },
        { line: "404 105005", provoke: ({ ask, show }) => ask(show("nobody")) },
        ...callerRows<World>(({ show }) => show("nobody"), COMPLETE),
      ],
    },
    {
      section: "1.10.3",
      async works({ ask, get, details, mixed, sleeper, sensor, commands }) {
        const taskId = await mixed("listed");
        type Detail = { status: string; output: string | null; error: string | null };
        type Page = { taskDetails: Detail[] };
        const seen = await ask(details({ taskId }));
        const waits = { status: "WaitResult", output: expect.any(String), error: null };
        const fails = { status: "Fail", output: null, error: expect.any(String) };
        const page = { pageNo: 0, pageSize: 25, totalCount: 3 };
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          {
            ...page,
            taskDetails: [
              { ...waits, param: { deviceId: sleeper, commandId: ID } },
              { ...fails, param: { deviceId: sensor, commandId: null } },
              { ...fails, param: { deviceId: "nobody", commandId: null } },
            ],
          },
        ]);
        const { taskDetails } = JSON.parse(seen.text) as Page;
        const sent = await get<{ data: { commandId: string }[] }>(commands({ deviceId: sleeper, pageSize: 1 }));
        const commandId = sent.data[0]?.commandId ?? "";
        expect(JSON.parse(taskDetails[0]?.output ?? "")).toEqual({ requestId: commandId, commandResult: null });
        expect(taskDetails.slice(1).map(({ error }) => JSON.parse(error ?? ""))).toMatchObject([
          { error_code: "100431", error_desc: "The serviceType is not exist." },
          { error_code: "100418", error_desc: "The deviceData is not existed." },
        ]);
        for (const [query, count] of [
          [{ status: "Fail" }, 2],
          [{ status: "Success" }, 0],
          [{ deviceId: sensor }, 1],
          [{ commandId }, 1],
          [{ commandId: "nobody" }, 0],
        ] as const)
          expect(await get(details({ taskId, ...query }))).toMatchObject({ totalCount: count });
        expect(await get(details({ taskId, pageNo: "1", pageSize: "2" }))).toMatchObject({
          ...{ pageNo: 1, pageSize: 2, totalCount: 3, taskDetails: [{ param: { deviceId: "nobody" } }] },
        });
      },
      rows: [
        { line: "400 100022", provoke: ({ ask, details }) => ask(details({ taskId: "nobody", pageSize: "251" })) },
        { line: "404 105005", provoke: ({ ask, details }) => ask(details({ taskId: "nobody" })) },
        {
          line: "500 50252",
          async provoke({ ask, ended, details, data }) {
            const taskId = await ended();
            const ofTask = "task_no = (SELECT no FROM batch_task WHERE id = ?)";
            tamper(data, `UPDATE batch_item SET error = '{' WHERE ${ofTask}`, taskId);
            return ask(details({ taskId }));
          },
        },
        ...callerRows<World>(({ details }) => details({ taskId: "nobody" }), COMPLETE),
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    const tag = (name: string, value: string) => ({ tags: [{ tagName: name, tagValue: value }] });
    const FIELDS: [allowed: object, refused: object][] = [
      [{ taskName: long(256) }, { taskName: long(257) }],
      [{}, { taskName: "" }],
      [{}, { taskName: undefined }],
      [{}, { taskType: "DeviceReboot" }],
      [{}, { taskType: undefined }],
      [{ timeout: "10" }, { timeout: "9" }],
      [{ timeout: 2_880 }, { timeout: 2_881 }],
      [{}, { timeout: undefined }],
      [{ appId: null }, { appId: 7 }],
      [{}, { param: undefined }],
      [tag(long(128), long(1_024)), tag(long(129), "x")],
      [tag("x", "x"), tag("x", long(1_025))],
      [{ tags: [] }, tag("", "x")],
    ];
    const PARAMS: [allowed: Param, refused: Param][] = [
      [{ deviceList: ["nobody"] }, { deviceList: undefined }],
      [
        { type: "DeviceType", deviceType: "RoomSensor", manufacturerId: "Example", model: "RoomSensor1" },
        { type: "DeviceType", model: "RoomSensor1" },
      ],
      [{ type: "DeviceArea", deviceLocation: "nowhere" }, { type: "DeviceArea" }],
      [{ type: "GroupList", groupList: ["DefaultGroup"] }, { type: "GroupList" }],
      [{}, { type: "GroupIdList", groupList: null }],
      [{}, { type: "Devices" }],
      [{ groupTag: "floor" }, { groupTag: long(129) }],
      [{ maxRetransmit: "3" }, { maxRetransmit: "4" }],
      [{ callbackUrl: null }, { callbackUrl: "http://127.0.0.1/" }],
      [{ command: { serviceId: "Smoke", method: "SET_ALARM" } }, { command: { serviceId: "Smoke" } }],
      [{}, { command: { ...COMMAND, serviceId: long(65) } }],
      [{}, { command: { ...COMMAND, method: long(129) } }],
    ];
    const CASES = [
      ...FIELDS.map(([allowed, refused]) => [allowed, {}, refused, {}] as const),
      ...PARAMS.map(([allowed, refused]) => [{}, allowed, {}, refused] as const),
    ];
    test.each(CASES)("1.10.1 takes %j %j and refuses %j %j", async (allowed, param, refused, refusedParam) => {
      const { ask, create, ended } = world();
      const seen = await ask(create(refused, refusedParam));
      expect([seen.status, codeOf(seen)]).toEqual([400, "50400"]);
      await ended(create(allowed, param));
    });
    test("1.10.1 Broadcast reaches every device of the application", async () => {
      const { get, create, show } = world();
      const { taskID } = await get<{ taskID: string }>(create({}, { type: "Broadcast", deviceList: undefined }));
      const task = await eventually(
        () => get<Task>(show(taskID)),
        ({ totalCnt, failCnt }) => totalCnt > 0 && failCnt > 0,
      );
      expect(task).toMatchObject({ param: { type: "Broadcast" }, totalCnt: 4 });
    });
    test.each([
      [{ pageSize: "1" }, { pageSize: "0" }],
      [{ pageSize: "250" }, { pageSize: "251" }],
      [{ pageNo: "0" }, { pageNo: "-1" }],
      [{ status: "Pending" }, { status: "pending" }],
      [{}, { taskId: "" }],
    ])("1.10.3 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, details, ended } = world();
      const taskId = await ended();
      await get(details({ taskId, ...(allowed as Record<string, string>) }));
      const seen = await ask(details({ taskId, ...(refused as Record<string, string>) }));
      expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
    });
    test("1.10.1 is checked in this order: caller, throttle, application, right, parameters, existence", async () => {
      const { send, ask, throttled, stranger, readable, editable, create } = world();
      const group = { type: "GroupIdList", groupList: ["nobody"] };
      const wrong = (appId: string, timeout = 1) => create({ appId, timeout }, group);
      expect([
        codeOf(await send(wrong("nobody"), {})),
        codeOf(await ask(wrong("nobody"), { ...throttled, token: "x" })),
        codeOf(await ask(wrong("nobody"), throttled)),
        codeOf(await ask(wrong("nobody"))),
        codeOf(await ask(wrong(stranger.appId))),
        codeOf(await ask(wrong(readable.appId))),
        codeOf(await ask(wrong(editable.appId))),
        codeOf(await ask(wrong(editable.appId, 10))),
      ]).toEqual(["100025", "1010005", "1010009", "100203", "100217", "100217", "50400", "101001"]);
    });
  },
});
