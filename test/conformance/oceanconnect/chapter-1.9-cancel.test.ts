import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually";
import { callerRows } from "./caller-rows";
import { codeOf, testChapter } from "./chapter";
import { COMMANDS_USUAL, COPIED, cannot, NO_SUCH_PARTS, NOTHING_SENT, OTHER_STATUS } from "./command-rows";
import { COMMAND_SETTINGS, type CommandWorld, furnishCommands, ID, shownCommand } from "./command-world";

const [TIME, EARLIER] = ["20260102T030405Z", "20260102T030404Z"];

testChapter<CommandWorld>({
  chapters: ["1.9"],
  sections: ["1.9.3", "1.9.5", "1.9.6"],
  settings: COMMAND_SETTINGS,
  furnish: furnishCommands,
  close: ({ close }) => close(),
  endpoints: [
    {
      section: "1.9.3",
      async works(world) {
        const { ask, get, cancel, pending, commands } = world;
        const { commandId, deviceId } = await pending();
        const shown = shownCommand(world, deviceId, { commandId, expireTime: 600, status: "CANCELED" });
        const seen = await ask(cancel(commandId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, shown]);
        expect(await get(commands({ deviceId }))).toMatchObject({ data: [{ commandId, status: "CANCELED" }] });
      },
      rows: [
        ...callerRows<CommandWorld>(({ cancel }) => cancel("nobody"), {
          ...COMMANDS_USUAL,
          "200 100217": "namesStranger",
        }),
        ...cannot(COPIED, "200 100418", "200 100428", "200 100431"),
        { line: "200 100434", provoke: ({ ask, cancel }) => ask(cancel("nobody")) },
        {
          line: "200 100435",
          async provoke({ ask, get, cancel, pending }) {
            const { commandId } = await pending();
            await get(cancel(commandId));
            return ask(cancel(commandId));
          },
        },
        {
          line: "400 100022",
          provoke: async ({ ask, cancel, pending }) => ask(cancel((await pending()).commandId, { status: "PENDING" })),
        },
        {
          line: "500 100001",
          async provoke({ ask, cancel, pending, damage }) {
            const { commandId } = await pending();
            using _ = damage(commandId);
            return await ask(cancel(commandId));
          },
        },
        ...NO_SUCH_PARTS,
        ...cannot(NOTHING_SENT, "503 100501"),
      ],
    },
    {
      section: "1.9.5",
      async works(world) {
        const { ask, caller, createTask, pending, addSleeper } = world;
        const deviceId = await addSleeper();
        const ids = [await pending(deviceId), await pending(deviceId)];
        const seen = await ask(createTask(deviceId));
        const shown = ids.map(({ commandId }) => shownCommand(world, deviceId, { commandId, expireTime: 600 }));
        const task = { taskId: ID, appId: caller.appId, deviceId, status: "WAITTING", totalCount: 2 };
        expect([seen.status, JSON.parse(seen.text)]).toEqual([201, { ...task, deviceCommands: shown }]);
      },
      rows: [
        ...callerRows<CommandWorld>(({ createTask, sleeper }) => createTask(sleeper), {
          ...{ "403 100203": "namesUnknown", "403 100217": "namesStranger", "403 1010009": "throttled" },
          ...{ "403 1010005": "wrongToken", "500 100220": "noAppKey" },
        }),
        ...cannot(OTHER_STATUS, "200 100203", "200 100217"),
        { line: "200 100418", provoke: ({ ask, createTask }) => ask(createTask("nobody")) },
        { line: "400 100022", provoke: ({ ask, createTask }) => ask(createTask("")) },
        {
          line: "500 100001",
          provoke: ({ ask, createTask, faulty }) => ask(createTask(faulty.deviceId), faulty.owner),
        },
        ...cannot(NOTHING_SENT, "503 100501"),
      ],
    },
    {
      section: "1.9.6",
      async works(world) {
        const { ask, get, caller, createTask, tasks, pending, addSleeper } = world;
        const deviceId = await addSleeper();
        const ids = [await pending(deviceId), await pending(deviceId)];
        const { taskId } = await get<{ taskId: string }>(createTask(deviceId));
        const query = { taskId, deviceId, status: "SUCCESS", startTime: TIME, pageNo: 0, pageSize: 1 };
        await eventually(
          () => get<{ data: object[] }>(tasks(query)),
          ({ data }) => data.length === 1,
        );
        const seen = await ask(tasks(query));
        const more = { expireTime: 600, status: "CANCELED" };
        const deviceCommands = ids.map(({ commandId }) => shownCommand(world, deviceId, { commandId, ...more }));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          {
            pagination: { pageNo: 0, pageSize: 1, totalSize: 2 },
            data: [{ taskId, appId: caller.appId, deviceId, status: "SUCCESS", totalCount: 2, deviceCommands }],
          },
        ]);
        for (const none of [{ status: "FAILED" }, { endTime: TIME }, { taskId: "nobody" }, { pageNo: 1 }]) {
          const { data } = await get<{ data: object[] }>(tasks({ ...query, ...none }));
          expect(data).toEqual([]);
        }
      },
      rows: [
        ...callerRows<CommandWorld>(({ tasks }) => tasks(), {
          ...{ "403 100203": "namesUnknown", "403 100217": "namesStranger", "403 1010009": "throttled" },
          ...{ "403 1010005": "wrongToken", "500 100220": "noAppKey" },
        }),
        ...cannot(OTHER_STATUS, "200 100203", "200 100217"),
        { line: "200 100418", provoke: ({ ask, tasks }) => ask(tasks({ deviceId: "nobody" })) },
        { line: "400 100022", provoke: ({ ask, tasks }) => ask(tasks({ status: "WAITING" })) },
        {
          line: "500 100001",
          provoke: ({ ask, tasks, faulty }) => ask(tasks({ deviceId: faulty.deviceId }), faulty.owner),
        },
        ...cannot(NOTHING_SENT, "503 100501"),
      ],
    },
  ],
  more(world) {
    type Query = Record<string, string | number>;
    test.each([
      [{ pageNo: 0 }, { pageNo: -1 }],
      [{ pageSize: 1 }, { pageSize: 0 }],
      [{ pageSize: 1_000 }, { pageSize: 1_001 }],
      [{ status: "PART_SUCCESS" }, { status: "success" }],
      [
        { startTime: TIME, endTime: TIME },
        { startTime: TIME, endTime: EARLIER },
      ],
    ] as const)("1.9.6 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, tasks } = world();
      await get(tasks(allowed as Query));
      const seen = await ask(tasks(refused as Query));
      expect([seen.status, codeOf(seen)]).toEqual([400, "100022"]);
    });
  },
});
