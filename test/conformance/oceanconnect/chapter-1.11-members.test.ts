import { expect, test } from "bun:test";
import { callerRows, inQuery, NAMED_403, USUAL } from "./caller-rows";
import { codeOf, testChapter } from "./chapter";
import { hide } from "./faults";
import { accessRows, furnishGroups, GROUP_SETTINGS, type Group, type GroupWorld } from "./group-world";

const MAX_IDS = 1_000; // the default
const COPIED = "The row is copied from an endpoint about services: this one has no serviceId and no properties.";

testChapter<GroupWorld>({
  chapters: ["1.11"],
  sections: ["1.11.6", "1.11.7", "1.11.8"],
  settings: GROUP_SETTINGS,
  furnish: furnishGroups,
  endpoints: [
    {
      section: "1.11.6",
      async works({ ask, get, members, addGroup, addMeter }) {
        const deviceIds = [await addMeter(), await addMeter(), await addMeter()];
        const { id: devGroupId } = await addGroup({ deviceIds });
        const seen = await ask(members({ devGroupId }));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { totalCount: 3, pageNo: 0, pageSize: 10, deviceIds },
        ]);
        expect(await get(members({ devGroupId, pageNo: 1, pageSize: 2 }))).toEqual({
          ...{ totalCount: 3, pageNo: 1, pageSize: 2, deviceIds: deviceIds.slice(2) },
        });
      },
      rows: [
        { line: "400 107001", cannot: COPIED },
        { line: "400 107002", cannot: COPIED },
        { line: "400 107003", cannot: COPIED },
        // The table has appId, the example accessAppId.
        ...callerRows<GroupWorld>(({ members }) => members({ devGroupId: "nobody" }), { ...USUAL, ...NAMED_403 }),
        {
          line: "500 50252",
          async provoke({ ask, members, addGroup, data }) {
            const { id: devGroupId } = await addGroup();
            using _ = hide(data, "device_group_member");
            return await ask(members({ devGroupId }));
          },
        },
      ],
    },
    {
      section: "1.11.7",
      async works({ ask, get, join, members, addGroup, addMeter }) {
        const { id: devGroupId } = await addGroup();
        const deviceIds = [await addMeter(), await addMeter()];
        const seen = await ask(join(devGroupId, deviceIds));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { devGroupId, deviceIds }]);
        expect(await get(members({ devGroupId }))).toMatchObject({ totalCount: 2, deviceIds });
      },
      rows: [
        {
          line: "200 100601",
          async provoke({ ask, join, addGroup, addMeter }) {
            const { id } = await addGroup({ maxDevNum: 1, deviceIds: [await addMeter()] });
            return ask(join(id, [await addMeter()]));
          },
        },
        {
          line: "200 100603",
          provoke: async ({ ask, join, addMeter }) => ask(join("nobody", [await addMeter()])),
        },
        {
          line: "400 100604",
          provoke: async ({ ask, join, addGroup }) => ask(join((await addGroup()).id, ["nobody"])),
        },
        {
          line: "400 50400",
          provoke: async ({ ask, join, addGroup }) => ask(join((await addGroup()).id, undefined)),
        },
        {
          line: "500 50252",
          provoke: async ({ ask, join, addMeter, stuck }) => ask(join(await stuck(), [await addMeter()])),
        },
        ...accessRows(({ join }) => join("nobody", ["nobody"]), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.11.8",
      async works({ ask, get, leave, members, addGroup, addMeter }) {
        const deviceIds = [await addMeter(), await addMeter()];
        const { id: devGroupId } = await addGroup({ deviceIds });
        const { status, text } = await ask(leave(devGroupId, deviceIds.slice(0, 1)));
        expect([status, text]).toEqual([200, ""]);
        expect(await get(members({ devGroupId }))).toMatchObject({ totalCount: 1, deviceIds: deviceIds.slice(1) });
      },
      rows: [
        { line: "200 100601", cannot: "Nothing gets full by a removal; the row is copied from 1.11.7." },
        {
          line: "200 100603",
          provoke: async ({ ask, leave, addMeter }) => ask(leave("nobody", [await addMeter()])),
        },
        {
          line: "400 100604",
          provoke: async ({ ask, leave, addGroup }) => ask(leave((await addGroup()).id, ["nobody"])),
        },
        {
          line: "400 50400",
          provoke: async ({ ask, leave, addGroup }) => ask(leave((await addGroup()).id, "all")),
        },
        {
          line: "500 50252",
          async provoke({ ask, leave, addMeter, stuck }) {
            const deviceIds = [await addMeter()];
            return ask(leave(await stuck(deviceIds), deviceIds));
          },
        },
        ...accessRows(({ leave }) => leave("nobody", ["nobody"]), { ...USUAL, ...NAMED_403 }),
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    test.each(["join", "leave"] as const)(
      "%s takes 1,000 ids and refuses one more, or an id that is too long",
      async (name) => {
        const { ask, addGroup } = world();
        const { id } = await addGroup();
        const ids = (count: number) => Array.from({ length: count }, (_, at) => `d${at}`);
        const call = world()[name];
        expect([
          codeOf(await ask(call(id, ids(MAX_IDS)))), // they do not exist
          codeOf(await ask(call(id, ids(MAX_IDS + 1)))),
          codeOf(await ask(call(long(50), ["d"]))),
          codeOf(await ask(call(long(51), ["d"]))),
          codeOf(await ask(call(undefined, ["d"]))),
        ]).toEqual(["100604", "50400", "100603", "50400", "50400"]);
      },
    );
    type Query = Record<string, string | number>;
    test.each([
      [{ pageSize: 1 }, { pageSize: 0 }],
      [{ pageSize: 1_000 }, { pageSize: 1_001 }],
      [{ pageNo: 0 }, { pageNo: -1 }],
      [{}, { devGroupId: "" }],
    ] as const)("1.11.6 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, members, addGroup } = world();
      const { id: devGroupId } = await addGroup();
      await get(members({ devGroupId, ...(allowed as Query) }));
      const seen = await ask(members({ devGroupId, ...(refused as Query) }));
      expect([seen.status, codeOf(seen)]).toEqual([400, "50400"]);
    });
    test.each(["appId", "accessAppId"])("1.11.6 understands %s", async (name) => {
      const { get, ask, members, create, readable, stranger } = world();
      const { id: devGroupId } = await get<Group>(create(), readable);
      expect(await get(members({ devGroupId, [name]: readable.appId }))).toMatchObject({ totalCount: 0 });
      expect(codeOf(await ask(members({ devGroupId, [name]: stranger.appId })))).toBe("100217");
      expect(codeOf(await ask(members({ devGroupId })))).toBe("100603");
    });
    test("1.11.7 is checked in this order: caller, throttle, application, right, parameters, existence, state", async () => {
      const { send, ask, get, throttled, stranger, readable, editable, join, create } = world();
      const named = inQuery("accessAppId");
      const { id } = await get<Group>(create({ maxDevNum: 1 }), editable);
      const wrong = join(id, "x");
      expect([
        codeOf(await send(named(wrong, "nobody"), {})),
        codeOf(await ask(named(wrong, "nobody"), { ...throttled, token: "x" })),
        codeOf(await ask(named(wrong, "nobody"), throttled)),
        codeOf(await ask(named(wrong, "nobody"))),
        codeOf(await ask(named(wrong, stranger.appId))),
        codeOf(await ask(named(wrong, readable.appId))),
        codeOf(await ask(named(wrong, editable.appId))),
        codeOf(await ask(named(join("nobody", ["a"]), editable.appId))),
        codeOf(await ask(named(join(id, ["a", "b"]), editable.appId))),
      ]).toEqual(["100025", "1010005", "1010009", "100203", "100217", "100217", "50400", "100603", "100604"]);
    });
  },
});
