import { expect, test } from "bun:test";
import type { Islet } from "../../support/islet";
import { callerRows, inBody, inQuery, NAMED_403, type Rows, USUAL } from "./caller-rows";
import { CALLER_SETTINGS, type Call, type Caller, furnishCallers, UNSTORABLE } from "./callers";
import { type Row, type Seen, testChapter } from "./chapter";
import { freeze, hide, refuseToStore } from "./faults";
import { PATHS, product } from "./product-models";

const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const MEMBERS = "/iocm/app/dm/v1.2.0/devices/ids";
const ADD = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices";
const REMOVE = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices";
const MAX_GROUPS = 60;
const MAX_IDS = 1_000; // the default
const METER = product("Meter", "CoAP", [{ id: "Meter", properties: [{ name: "level" }] }]);

type Group = { id: string; name: string };

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, addApplication, get, next, manage } = callers;
  const meter = await addProduct(caller, METER);
  refuseToStore(data, "device_group", "name");
  const { body } = await manage<{ name: string }>("GET", `/apps/${caller.appId}`);

  const newName = () => next("group").replace("-", "");
  const create = (more: object = {}): Call & { body: object } => ({
    ...{ method: "POST", path: GROUPS },
    body: { name: newName(), ...more },
  });
  const addMeter = async () => {
    const body = { nodeId: next("meter"), productId: meter };
    return (await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body })).deviceId;
  };
  const at =
    (path: string) =>
    (query: Record<string, string | number> = {}): Call => ({
      method: "GET",
      path: `${path}?${new URLSearchParams(query as Record<string, string>)}`,
    });
  return {
    ...callers,
    ...{ data, create, addMeter, newName, callerName: body.name },
    addGroup: (more: object = {}, as?: Caller) => get<Group>(create(more), as),
    remove: (id: string): Call => ({ method: "DELETE", path: `${GROUPS}/${id}` }),
    change: (id: string, more: object = {}): Call & { body: object } => ({
      ...{ method: "PUT", path: `${GROUPS}/${id}` },
      body: { name: newName(), ...more },
    }),
    show: (id: string): Call => ({ method: "GET", path: `${GROUPS}/${id}` }),
    list: at(GROUPS),
    members: at(MEMBERS),
    join: (devGroupId: unknown, deviceIds: unknown): Call => ({
      ...{ method: "POST", path: ADD, body: { devGroupId, deviceIds } },
    }),
    leave: (devGroupId: unknown, deviceIds: unknown): Call => ({
      ...{ method: "POST", path: REMOVE, body: { devGroupId, deviceIds } },
    }),
    /** An application with as many groups as it may have. */
    async full(): Promise<Caller> {
      const who = await addApplication();
      await Promise.all(Array.from({ length: MAX_GROUPS }, () => get(create(), who)));
      return who;
    },
    /** A group of which nothing can be stored any more. */
    async stuck(deviceIds: string[] = []): Promise<string> {
      const { id } = await get<Group>(create({ deviceIds }));
      freeze(data, "device_group", id);
      return id;
    },
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

const codeOf = ({ text }: Seen) => JSON.parse(text).error_code;
const ID = expect.stringMatching(/^\S{1,50}$/);
const UNDER_200: Rows = {
  ...{ "200 100203": "namesUnknown", "200 100217": "namesStranger" },
  ...{ "403 1010009": "throttled", "403 1010005": "wrongToken" },
};
const accessRows = (call: (world: World) => Call, rows: Rows): Row<World>[] =>
  callerRows(call, rows, inQuery("accessAppId"));
const COPIED = "The row is copied from an endpoint about services: this one has no serviceId and no properties.";

testChapter<World>({
  chapters: ["1.11"],
  settings: { ...CALLER_SETTINGS, "groups.max_groups": `${MAX_GROUPS}` },
  furnish,
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
        ...callerRows<World>(({ create }) => create(), UNDER_200, inBody("appId")),
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
        ...callerRows<World>(({ members }) => members({ devGroupId: "nobody" }), { ...USUAL, ...NAMED_403 }),
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
    test("a devGroupId of 1.11.3 has at most 50 characters", async () => {
      const { ask, change } = world();
      expect([codeOf(await ask(change(long(50)))), codeOf(await ask(change(long(51))))]).toEqual(["100603", "50400"]);
    });
    type Query = Record<string, string | number>;
    test.each([
      ["list", { pageSize: 1 }, { pageSize: 0 }],
      ["list", { pageSize: 500 }, { pageSize: 501 }],
      ["list", { pageNo: 0 }, { pageNo: -1 }],
      ["list", { pageNo: "2147483647" }, { pageNo: "2147483648" }],
      ["members", { pageSize: 1 }, { pageSize: 0 }],
      ["members", { pageSize: 1_000 }, { pageSize: 1_001 }],
      ["members", { pageNo: 0 }, { pageNo: -1 }],
      ["members", {}, { devGroupId: "" }],
    ] as const)("%s takes %j and refuses %j", async (name, allowed, refused) => {
      const { ask, get, addGroup } = world();
      const given = name === "members" ? { devGroupId: (await addGroup()).id } : {};
      await get(world()[name]({ ...given, ...(allowed as Query) }));
      const seen = await ask(world()[name]({ ...given, ...(refused as Query) }));
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
