import { expect, test } from "bun:test";
import { callerRows, inBody, type Rows } from "./caller-rows";

import { codeOf, testChapter } from "./chapter";
import { hide, UNSTORABLE } from "./faults";
import { accessRows, furnishGroups, GROUP_SETTINGS, type Group, type GroupWorld } from "./group-world";

const MAX_IDS = 1_000; // the default
const ID = expect.stringMatching(/^\S{1,50}$/);
const UNDER_200: Rows = {
  ...{ "200 100203": "namesUnknown", "200 100217": "namesStranger" },
  ...{ "403 1010009": "throttled", "403 1010005": "wrongToken" },
};

testChapter<GroupWorld>({
  chapters: ["1.11"],
  sections: ["1.11.1", "1.11.2", "1.11.3", "1.11.4", "1.11.5"],
  settings: GROUP_SETTINGS,
  furnish: furnishGroups,
  endpoints: [
    {
      section: "1.11.1",
      async works({ ask, get, create, caller, addMeter }) {
        const deviceIds = [await addMeter(), await addMeter()];
        const whole = { name: "Roof1", description: "on the roof", maxDevNum: "10", deviceIds, appId: caller.appId };
        const seen = await ask(create(whole));
        const shown = { name: "Roof1", description: "on the roof", id: ID, appId: caller.appId, maxDevNum: 10 };
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { ...shown, curDevNum: 2, deviceIds }]);
        expect(await get(create({ name: "Cellar" }))).toEqual({
          ...{ ...shown, name: "Cellar", description: null, maxDevNum: 0, curDevNum: 0, deviceIds: [] },
        });
      },
      rows: [
        ...callerRows<GroupWorld>(({ create }) => create(), UNDER_200, inBody("appId")),
        {
          line: "200 100602",
          provoke: async ({ ask, create, addGroup }) => ask(create({ name: (await addGroup()).name })),
        },
        { line: "200 100607", provoke: async ({ ask, create, full }) => ask(create(), await full()) },
        {
          line: "400 100609",
          provoke: async ({ ask, create, addMeter }) =>
            ask(create({ maxDevNum: 1, deviceIds: [await addMeter(), await addMeter()] })),
        },
        { line: "400 50400", provoke: ({ ask, create }) => ask(create({ name: "no blanks" })) },
        { line: "500 50252", provoke: ({ ask, create }) => ask(create({ name: UNSTORABLE })) },
      ],
    },
    {
      section: "1.11.2",
      async works({ ask, remove, show, addGroup, addMeter, join }) {
        const deviceIds = [await addMeter()];
        const { id } = await addGroup({ deviceIds });
        const { status, text } = await ask(remove(id));
        expect([status, text]).toEqual([200, ""]);
        expect(codeOf(await ask(show(id)))).toBe("100603");
        expect(codeOf(await ask(join((await addGroup()).id, deviceIds)))).toBeUndefined();
      },
      rows: [
        ...accessRows(({ remove }) => remove("nobody"), UNDER_200),
        { line: "200 100603", provoke: ({ ask, remove }) => ask(remove("nobody")) },
        { line: "500 50252", provoke: async ({ ask, remove, stuck }) => ask(remove(await stuck())) },
      ],
    },
    {
      section: "1.11.3",
      async works({ ask, get, change, addGroup, addMeter, caller }) {
        const { id } = await addGroup({ description: "old", maxDevNum: 5, deviceIds: [await addMeter()] });
        const seen = await ask(change(id, { name: "Changed", description: "new", maxDevNum: "7" }));
        const shown = { name: "Changed", description: "new", id, appId: caller.appId, maxDevNum: 7, curDevNum: 1 };
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, shown]);
        expect(await get(change(id, { name: "Again" }))).toEqual({ ...shown, name: "Again", maxDevNum: 0 });
      },
      rows: [
        ...accessRows(({ change }) => change("nobody"), UNDER_200),
        {
          line: "200 100601",
          async provoke({ ask, change, addGroup, addMeter }) {
            const { id } = await addGroup({ deviceIds: [await addMeter(), await addMeter()] });
            return ask(change(id, { maxDevNum: 1 }));
          },
        },
        {
          line: "200 100602",
          async provoke({ ask, change, addGroup }) {
            const [one, other] = [await addGroup(), await addGroup()];
            return ask(change(one.id, { name: other.name }));
          },
        },
        { line: "200 100603", provoke: ({ ask, change }) => ask(change("nobody")) },
        {
          line: "400 50400",
          provoke: async ({ ask, change, addGroup }) => ask(change((await addGroup()).id, { name: undefined })),
        },
        {
          line: "500 50252",
          provoke: async ({ ask, change, addGroup }) => ask(change((await addGroup()).id, { name: UNSTORABLE })),
        },
      ],
    },
    {
      section: "1.11.4",
      async works({ ask, get, list, addApplication, create }) {
        const who = await addApplication();
        const first = await get<Group>(create({ name: "A1", description: "first", maxDevNum: 3 }), who);
        const second = await get<Group>(create({ name: "B2" }), who);
        const creator = expect.stringMatching(/^.{1,50}$/);
        const facts = { appId: who.appId, curDevNum: 0, creator };
        const one = { name: "A1", description: "first", id: first.id, maxDevNum: 3, ...facts };
        const two = { name: "B2", description: null, id: second.id, maxDevNum: 0, ...facts };
        const seen = await ask(list(), who);
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { totalCount: 2, pageNo: 0, pageSize: 1, list: [one] },
        ]);
        expect(await get(list({ pageNo: 0, pageSize: 500 }), who)).toEqual({
          ...{ totalCount: 2, pageNo: 0, pageSize: 500, list: [one, two] },
        });
        expect(await get(list({ name: "B2" }), who)).toEqual({ totalCount: 1, pageNo: 0, pageSize: 1, list: [two] });
        expect(await get(list({ pageNo: 2 }), who)).toEqual({ totalCount: 2, pageNo: 2, pageSize: 1, list: [] });
      },
      rows: [
        ...accessRows(({ list }) => list(), UNDER_200),
        {
          line: "500 50252",
          async provoke({ ask, list, data }) {
            using _ = hide(data, "device_group");
            return await ask(list());
          },
        },
      ],
    },
    {
      section: "1.11.5",
      async works({ ask, show, addGroup, addMeter, caller, callerName }) {
        const { id, name } = await addGroup({ description: "d", maxDevNum: 2, deviceIds: [await addMeter()] });
        const seen = await ask(show(id));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { name, description: "d", id, appId: caller.appId, maxDevNum: 2, curDevNum: 1, creator: callerName },
        ]);
      },
      rows: [
        ...accessRows(({ show }) => show("nobody"), UNDER_200),
        { line: "200 100603", provoke: ({ ask, show }) => ask(show("nobody")) },
        {
          line: "500 50252",
          async provoke({ ask, show, data }) {
            using _ = hide(data, "device_group");
            return await ask(show("nobody"));
          },
        },
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    const FIELDS: [allowed: object, refused: object][] = [
      [{ name: long(50) }, { name: long(51) }],
      [{ name: "aZ09" }, { name: "" }],
      [{}, { name: "Größe" }],
      [{ description: long(1_024) }, { description: long(1_025) }],
      [{ description: null }, { description: 7 }],
      [{ maxDevNum: "2147483647" }, { maxDevNum: 2_147_483_648 }],
      [{ maxDevNum: 0 }, { maxDevNum: "-1" }],
      [{ maxDevNum: null }, { maxDevNum: 1.5 }],
    ];
    test.each(FIELDS)("1.11.1 and 1.11.3 take %j and refuse %j", async (allowed, refused) => {
      const { ask, get, create, change, remove } = world();
      expect(codeOf(await ask(create(refused)))).toBe("50400");
      const { id } = await get<Group>(create(allowed));
      expect(codeOf(await ask(change(id, refused)))).toBe("50400");
      await get(change(id, allowed));
      await get(remove(id));
    });
    test("1.11.1 takes no list that is none, and nothing that is wrong in it", async () => {
      const { ask, create, addMeter, addGroup } = world();
      const taken = await addMeter();
      await addGroup({ deviceIds: [taken] });
      for (const deviceIds of ["x", [""], [7], ["nobody"], [taken]])
        expect([deviceIds, codeOf(await ask(create({ deviceIds })))]).toEqual([deviceIds, "50400"]);
      const many = Array.from({ length: MAX_IDS + 1 }, (_, at) => `d${at}`);
      expect(codeOf(await ask(create({ deviceIds: many })))).toBe("100609");
    });
    test("a devGroupId of 1.11.3 has at most 50 characters", async () => {
      const { ask, change } = world();
      expect([codeOf(await ask(change(long(50)))), codeOf(await ask(change(long(51))))]).toEqual(["100603", "50400"]);
    });
    type Query = Record<string, string | number>;
    test.each([
      [{ pageSize: 1 }, { pageSize: 0 }],
      [{ pageSize: 500 }, { pageSize: 501 }],
      [{ pageNo: 0 }, { pageNo: -1 }],
      [{ pageNo: "2147483647" }, { pageNo: "2147483648" }],
    ] as const)("1.11.4 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, list } = world();
      await get(list(allowed as Query));
      const seen = await ask(list(refused as Query));
      expect([seen.status, codeOf(seen)]).toEqual([400, "50400"]);
    });
  },
});
