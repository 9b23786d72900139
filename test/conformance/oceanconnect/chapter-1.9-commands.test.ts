import { expect, test } from "bun:test";
import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import { eventually } from "../../support/eventually";
import { startIslet, temporaryFolder } from "../../support/islet";
import { plainDevice } from "../../support/nb-iot";
import { callerRows, ONE_FAULT } from "./caller-rows";
import { furnishCallers } from "./callers";
import { codeOf, type Seen, testChapter } from "./chapter";
import { COMMANDS_USUAL, COPIED, cannot, NO_SUCH_PARTS, NOTHING_SENT, OTHER_STATUS } from "./command-rows";
import {
  COMMAND_SETTINGS,
  type CommandWorld,
  furnishCommands,
  ID,
  MAX_OPEN,
  SET_TARGET,
  shownCommand,
  shownExecuted,
} from "./command-world";
import { PATHS, UTC } from "./product-models";

const PENDING_PER_DEVICE = 20; // the default
const [TIME, EARLIER] = ["20260102T030405Z", "20260102T030404Z"];

/** A process of its own, where whoever is away for a moment counts as a zombie. */
async function commandToZombie(): Promise<Seen> {
  using folder = temporaryFolder();
  const settings = { "commands.zombie_after_ms": "1" };
  await using islet = await startIslet({ data: folder.path, settings });
  const { caller, addProduct, get, ask } = await furnishCallers(islet, folder.path);
  const productId = await addProduct(caller, smokeDetector);
  const asked = { nodeId: "zombie", verifyCode: "zombie", productId };
  const { deviceId } = await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body: asked });
  using device = await plainDevice(islet, { ep: "zombie" });
  await device.register();
  await device.deregister();
  const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
  const path = "/iocm/app/cmd/v1.4.0/deviceCommands";
  const create = () => ask({ method: "POST", path, body: { deviceId, command } });
  return await eventually(create, ({ status }) => status !== 201);
}

testChapter<CommandWorld>({
  chapters: ["1.9"],
  sections: ["1.9.1", "1.9.2", "1.9.4", "1.9.7"],
  settings: COMMAND_SETTINGS,
  furnish: furnishCommands,
  close: ({ close }) => close(),
  endpoints: [
    {
      section: "1.9.1",
      async works(world) {
        const { ask, get, create, createNow, addSleeper, silent } = world;
        const deviceId = await addSleeper();
        const { result: _, ...shown } = shownCommand(world, deviceId);
        const least = await ask(create(deviceId));
        expect([least.status, JSON.parse(least.text)]).toEqual([201, shown]);
        const callbackUrl = "http://127.0.0.1:9/commands";
        expect(await get(create(deviceId, { callbackUrl, expireTime: "60", maxRetransmit: "3" }))).toEqual({
          ...{ ...shown, callbackUrl, expireTime: 60, maxRetransmit: 3 },
        });
        const now = { status: "SENT", platformIssuedTime: UTC, issuedTimes: 1 };
        expect(await get(createNow(silent, { expireTime: 0 }))).toEqual({
          ...{ ...shown, ...now, deviceId: silent, expireTime: 0, command: SET_TARGET },
        });
      },
      rows: [
        ...callerRows<CommandWorld>(({ create, sleeper }) => create(sleeper), {
          ...COMMANDS_USUAL,
          "403 100217": "namesStranger",
        }),
        ...cannot(OTHER_STATUS, "200 100217"),
        { line: "200 100418", provoke: ({ ask, create }) => ask(create("nobody")) },
        {
          line: "200 100428",
          provoke: async ({ ask, createNow, addSensor }) => ask(createNow((await addSensor()).deviceId)),
        },
        {
          line: "200 100431",
          provoke: ({ ask, create, sleeper }) =>
            ask(create(sleeper, { command: { serviceId: "Fire", method: "SET_ALARM", paras: {} } })),
        },
        { line: "400 100022", provoke: ({ ask, create, sleeper }) => ask(create(sleeper, { maxRetransmit: 4 })) },
        {
          line: "400 100223",
          async provoke({ ask, pending, create, addSleeper }) {
            const deviceId = await addSleeper();
            for (let count = 0; count < PENDING_PER_DEVICE; count++) await pending(deviceId);
            return ask(create(deviceId));
          },
        },
        { line: "403 100612", provoke: commandToZombie },
        { line: "500 100001", provoke: ({ ask, create, faulty }) => ask(create(faulty.deviceId), faulty.owner) },
        ...NO_SUCH_PARTS,
        {
          line: "503 100501",
          async provoke({ ask, get, createNow, online }) {
            const deviceId = await online();
            for (let open = 0; open < MAX_OPEN; open++) await get(createNow(deviceId));
            return ask(createNow(deviceId));
          },
        },
      ],
    },
    {
      section: "1.9.2",
      async works(world) {
        const { ask, get, createNow, commands, online, pending, addSleeper } = world;
        const deviceId = await online({ answers: true });
        await get(createNow(deviceId));
        type Page = { data: { status: string }[] };
        const executed = await eventually(
          () => get<Page>(commands({ deviceId })),
          ({ data }) => data[0]?.status === "SUCCESSFUL",
        );
        expect(executed).toEqual({
          pagination: { pageNo: 0, pageSize: 1_000, totalSize: 1 },
          data: [shownExecuted(world, deviceId)],
        } as never);
        const sleeper = await addSleeper();
        const ids = [await pending(sleeper), await pending(sleeper), await pending(sleeper)];
        const seen = await ask(commands({ deviceId: sleeper, pageNo: 1, pageSize: 1, startTime: TIME }));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          {
            pagination: { pageNo: 1, pageSize: 1, totalSize: 3 },
            data: [shownCommand(world, sleeper, { commandId: ids[1]?.commandId, expireTime: 600 })],
          },
        ]);
        expect(await get(commands({ endTime: TIME }))).toEqual({
          ...{ pagination: { pageNo: 0, pageSize: 1_000, totalSize: 0 }, data: [] },
        });
      },
      rows: [
        ...callerRows<CommandWorld>(({ commands }) => commands(), { ...COMMANDS_USUAL, "403 100217": "namesStranger" }),
        ...cannot(OTHER_STATUS, "200 100217"),
        { line: "200 100418", provoke: ({ ask, commands }) => ask(commands({ deviceId: "nobody" })) },
        ...cannot(COPIED, "200 100428", "200 100431"),
        { line: "400 100022", provoke: ({ ask, commands }) => ask(commands({ pageSize: 1_001 })) },
        {
          line: "500 100001",
          provoke: ({ ask, commands, faulty }) => ask(commands({ deviceId: faulty.deviceId }), faulty.owner),
        },
        ...NO_SUCH_PARTS,
        ...cannot(NOTHING_SENT, "503 100501"),
      ],
    },
    {
      section: "1.9.4",
      // The endpoint of 1.10.1: chapter-1.10.test.ts has its table.
      async works({ ask, sleeper, next }) {
        const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
        const param = { type: "DeviceList", deviceList: [sleeper], command };
        const seen = await ask({
          ...{ method: "POST", path: "/iocm/app/batchtask/v1.1.0/tasks" },
          body: { taskName: next("many"), taskType: "DeviceCmd", timeout: 10, param },
        });
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { taskID: ID }]);
      },
      rows: [],
    },
    {
      section: "1.9.7",
      async works({ ask, get, signal, online }) {
        const deviceId = await online({ answers: true });
        const seen = await ask(signal(deviceId));
        const status = expect.stringMatching(/^(sent|delivered)$/);
        expect([seen.status, JSON.parse(seen.text)]).toEqual([202, { status, timestamp: UTC, requestId: ID }]);
        const whole = { requestId: "r-1", from: "/users/7", toType: "GATEWAY", to: "somebody" };
        expect(await get(signal(deviceId, whole))).toEqual({ status, timestamp: UTC, requestId: "r-1" });
      },
      rows: [
        ...callerRows<CommandWorld>(({ signal, silent }) => signal(silent), {
          ...{ "200 100203": "namesUnknown", "200 100217": "namesStranger" },
          ...{ "403 1010009": "throttled", "403 1010005": "wrongToken" },
        }),
        { line: "200 100418", provoke: ({ ask, signal }) => ask(signal("nobody")) },
        {
          line: "200 100428",
          provoke: async ({ ask, signal, addSensor }) => ask(signal((await addSensor()).deviceId)),
        },
        {
          line: "200 100432",
          async provoke({ ask, signal, mute, online }) {
            const deviceId = await online();
            await mute(deviceId);
            return ask(signal(deviceId));
          },
        },
        { line: "400 100022", provoke: ({ ask, signal, silent }) => ask(signal(silent, { mode: "MAYBE" })) },
        { line: "400 102203", provoke: ({ ask, signal, silent }) => ask(signal(silent, { method: "FLY" })) },
        {
          line: "403 100450",
          provoke: async ({ ask, signal, behindGateway }) => ask(signal(await behindGateway())),
        },
        { line: "404 100444", provoke: ({ ask, signal, silent }) => ask(signal(silent, { toType: "CLOUD" })) },
        ...cannot(ONE_FAULT, "500 100001", "500 100023"),
        { line: "500 50252", provoke: ({ ask, signal, faulty }) => ask(signal(faulty.deviceId), faulty.owner) },
        {
          line: "503 100501",
          async provoke({ ask, get, signal, online }) {
            const deviceId = await online();
            for (let open = 0; open < MAX_OPEN; open++) await get(signal(deviceId));
            return ask(signal(deviceId));
          },
        },
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    test.each([
      [{ expireTime: 0 }, { expireTime: -1 }],
      [{ expireTime: "2147483647" }, { expireTime: 2_147_483_648 }],
      [{ expireTime: null }, { expireTime: "soon" }],
      [{ maxRetransmit: "0" }, { maxRetransmit: -1 }],
      [{ maxRetransmit: 3 }, { maxRetransmit: "4" }],
      [{ callbackUrl: "" }, { callbackUrl: "http://127.0.0.1/no-port" }],
      [
        { callbackUrl: "http://127.0.0.1:9/".padEnd(1_024, "x") },
        { callbackUrl: "http://127.0.0.1:9/".padEnd(1_025, "x") },
      ],
      [{}, { command: { serviceId: "Smoke", method: "SET_ALARM" } }],
      [{}, { command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 256 } } }],
      [{}, { command: { serviceId: "Smoke", method: long(129), paras: {} } }],
      [{}, { command: { serviceId: long(65), method: "SET_ALARM", paras: {} } }],
      [{}, { command: undefined }],
      [{}, { deviceId: long(257) }],
    ])("1.9.1 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, create, commands, addSleeper } = world();
      const deviceId = await addSleeper();
      const seen = await ask(create(deviceId, refused));
      expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
      await get(create(deviceId, allowed));
      expect(await get(commands({ deviceId }))).toMatchObject({ pagination: { totalSize: 1 } });
    });
    type Query = Record<string, string | number>;
    test.each([
      [{ pageNo: 0 }, { pageNo: -1 }],
      [{ pageNo: "2147483647" }, { pageNo: "2147483648" }],
      [{ pageSize: 1 }, { pageSize: 0 }],
      [{ pageSize: 1_000 }, { pageSize: 1_001 }],
      [
        { startTime: TIME, endTime: TIME },
        { startTime: TIME, endTime: EARLIER },
      ],
      [{ startTime: "" }, { startTime: "2026-01-02" }],
    ] as const)("1.9.2 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, commands } = world();
      await get(commands(allowed as Query));
      const seen = await ask(commands(refused as Query));
      expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
    });
    test.each([
      [{ requestId: long(128) }, { requestId: long(129) }],
      [{ from: long(128) }, { from: long(129) }],
      [{ to: long(128) }, { to: long(129) }],
      [{ mode: "NOACK" }, { mode: "noack" }],
      [{ mode: undefined }, { mode: "" }],
      [{}, { method: long(33) }],
      [{}, { method: undefined }],
    ])("the header of 1.9.7 may have %j, not %j", async (allowed, refused) => {
      const { ask, get, signal, online } = world();
      const deviceId = await online();
      const seen = await ask(signal(deviceId, refused));
      expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
      await get(signal(deviceId, allowed));
    });
    test("1.9.7 wants a requestId that was not used before, and paras that fit", async () => {
      const { ask, get, signal, online } = world();
      const deviceId = await online({ answers: true });
      await get(signal(deviceId, { requestId: "once" }));
      for (const refused of [signal(deviceId, { requestId: "once" }), signal(deviceId, {}, { target: 36 })]) {
        const seen = await ask(refused);
        expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
      }
      const unknown = await ask(signal(deviceId, {}, {}, "Smoke"));
      expect([unknown.status, codeOf(unknown)]).toEqual([404, "100444"]);
    });
    test("1.9.1 is checked in this order: caller, throttle, application, right, parameters, existence", async () => {
      const { send, ask, throttled, stranger, readable, editable, create } = world();
      const named = (appId: string, more: object = { expireTime: -1 }) => {
        const call = create("nobody", more);
        return { ...call, path: `${call.path}?appId=${appId}` };
      };
      expect([
        codeOf(await send(named("nobody"), {})),
        codeOf(await ask(named("nobody"), { ...throttled, token: "x" })),
        codeOf(await ask(named("nobody"), throttled)),
        codeOf(await ask(named("nobody"))),
        codeOf(await ask(named(stranger.appId))),
        codeOf(await ask(named(readable.appId))),
        codeOf(await ask(named(editable.appId))),
        codeOf(await ask(named(editable.appId, {}))),
      ]).toEqual(["100220", "1010005", "1010009", "100203", "100217", "100217", "100022", "100418"]);
    });
  },
});
