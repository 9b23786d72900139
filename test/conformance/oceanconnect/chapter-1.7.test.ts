import { expect, test } from "bun:test";
import type { Islet } from "../../support/islet";
import { callerRows, inBody, type Rows } from "./caller-rows";
import { CALLER_SETTINGS, type Call, furnishCallers } from "./callers";
import { codeOf, testChapter } from "./chapter";
import { refuseToStore, UNSTORABLE } from "./faults";
import { NOTIFY_TYPES } from "./notify-types";

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
const MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe";
const ADDRESS = "http://127.0.0.1:9/pushed"; // nothing is ever sent to it here

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { addApplication, letDo, get } = callers;
  refuseToStore(data, "subscription", "callback_url");

  const subscribe = (body: object = {}, query = ""): Call => ({
    ...{ method: "POST", path: `${SUBSCRIPTIONS}${query}` },
    body: { notifyType: "deviceAdded", callbackUrl: ADDRESS, ...body },
  });
  const subscribeManagement = (body: object = {}): Call => ({
    ...{ method: "POST", path: MANAGEMENT },
    body: { notifyType: "fwUpgradeResultNotify", callbackUrl: ADDRESS, ...body },
  });
  return {
    ...callers,
    ...{ subscribe, subscribeManagement },
    one: (id: string): Call => ({ method: "GET", path: `${SUBSCRIPTIONS}/${id}` }),
    list: (query: Record<string, string> = {}): Call => ({
      method: "GET",
      path: `${SUBSCRIPTIONS}?${new URLSearchParams(query)}`,
    }),
    removeOne: (id: string): Call => ({ method: "DELETE", path: `${SUBSCRIPTIONS}/${id}` }),
    remove: (query: Record<string, string> = {}): Call => ({
      method: "DELETE",
      path: `${SUBSCRIPTIONS}?${new URLSearchParams(query)}`,
    }),
    /** An application that has subscribed to nothing yet. */
    fresh: addApplication,
    /** One that has subscribed to this type. */
    async subscribed(notifyType = "deviceAdded") {
      const who = await addApplication();
      const { subscriptionId } = await get<{ subscriptionId: string }>(subscribe({ notifyType }), who);
      return { who, subscriptionId };
    },
    /** An application and another one that may do so much with its data. */
    async pair(access: "query" | "edit") {
      const [owner, acting] = await Promise.all([addApplication(), addApplication()]);
      await letDo(owner, acting, access);
      return { owner, acting };
    },
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

const ROWS: Rows = { "403 100217": "namesStranger", "403 1010009": "throttled", "403 1010005": "wrongToken" };
const shown = (subscriptionId: unknown, more: object = {}) => ({
  ...{ subscriptionId, notifyType: "deviceAdded", callbackUrl: ADDRESS },
  ...more,
});
const ID = expect.stringMatching(/^\S{1,256}$/);

testChapter<World>({
  chapters: ["1.7"],
  settings: CALLER_SETTINGS,
  furnish,
  endpoints: [
    {
      section: "1.7.1",
      async works({ ask, fresh, subscribe, list, get }) {
        const who = await fresh();
        for (const notifyType of NOTIFY_TYPES.service) {
          const { status, text } = await ask(subscribe({ notifyType }), who);
          expect([status, JSON.parse(text)]).toEqual([201, shown(ID, { notifyType })]);
        }
        const { totalCount } = await get(list(), who);
        expect(totalCount).toBe(13);
      },
      rows: [
        {
          line: "400 100222",
          provoke: ({ ask, subscribe }) => ask(subscribe({ callbackUrl: "http://127.0.0.1/without-a-port" })),
        },
        {
          line: "409 100227",
          async provoke({ ask, subscribe, subscribed }) {
            const { who } = await subscribed();
            return ask(subscribe({ callbackUrl: `${ADDRESS}/elsewhere` }), who);
          },
        },
        ...callerRows<World>(({ subscribe }) => subscribe(), ROWS, inBody("appId")),
      ],
    },
    {
      section: "1.7.2",
      async works({ ask, fresh, subscribeManagement, list, get }) {
        const who = await fresh();
        for (const notifyType of NOTIFY_TYPES.management) {
          const { status, text } = await ask(subscribeManagement({ notifyType }), who);
          expect([status, text]).toEqual([200, ""]);
        }
        const { subscriptions } = await get<{ subscriptions: object[] }>(list(), who);
        expect(subscriptions).toEqual(NOTIFY_TYPES.management.map((notifyType) => shown(ID, { notifyType })));
      },
      rows: [
        {
          line: "400 100222",
          provoke: ({ ask, subscribeManagement }) => ask(subscribeManagement({ callbackUrl: "ftp://127.0.0.1:9/x" })),
        },
        {
          line: "400 100228",
          provoke: ({ ask, subscribeManagement }) => ask(subscribeManagement({ notifyType: "deviceAdded" })),
        },
        {
          line: "500 100244",
          provoke: ({ ask, subscribeManagement }) =>
            ask(subscribeManagement({ callbackUrl: `${ADDRESS}/${UNSTORABLE}` })),
        },
        ...callerRows<World>(({ subscribeManagement }) => subscribeManagement(), {
          ...{ "403 100203": "deleted", "403 1010009": "throttled", "403 1010005": "wrongToken" },
          "500 100229": "noAppKey",
        }),
      ],
    },
    {
      section: "1.7.3",
      async works({ ask, one, subscribed }) {
        const { who, subscriptionId } = await subscribed();
        const { status, text } = await ask(one(subscriptionId), who);
        expect([status, JSON.parse(text)]).toEqual([200, shown(subscriptionId)]);
      },
      rows: callerRows<World>(({ one }) => one("nobody"), { "403 1010009": "throttled", "403 1010005": "wrongToken" }),
    },
    {
      section: "1.7.4",
      async works({ ask, get, list, subscribe, subscribed }) {
        const { who, subscriptionId } = await subscribed();
        const second = shown(ID, { notifyType: "bindDevice", callbackUrl: `${ADDRESS}/2` });
        await get(subscribe({ notifyType: "bindDevice", callbackUrl: `${ADDRESS}/2` }), who);
        const { status, text } = await ask(list(), who);
        expect([status, JSON.parse(text)]).toEqual([
          200,
          { totalCount: 2, pageNo: 0, pageSize: 10, subscriptions: [shown(subscriptionId), second] },
        ]);
        expect(await get(list({ pageNo: "1", pageSize: "1" }), who)).toEqual({
          ...{ totalCount: 2, pageNo: 1, pageSize: 1, subscriptions: [second] },
        });
        expect(await get(list({ notifyType: "bindDevice", pageSize: "100" }), who)).toEqual({
          ...{ totalCount: 1, pageNo: 0, pageSize: 100, subscriptions: [second] },
        });
      },
      rows: [
        {
          line: "400 100224",
          cannot:
            "There is one subscription for each type, channel and owner of the address, and two owners are shown: no query matches more than 68.",
        },
        ...callerRows<World>(({ list }) => list(), ROWS),
      ],
    },
    {
      section: "1.7.5",
      async works({ ask, removeOne, one, subscribed }) {
        const { who, subscriptionId } = await subscribed();
        const { status, text } = await ask(removeOne(subscriptionId), who);
        expect([status, text]).toEqual([204, ""]);
        expect(codeOf(await ask(one(subscriptionId), who))).toBe("100225");
      },
      rows: [
        { line: "404 100225", provoke: ({ ask, removeOne }) => ask(removeOne("nobody")) },
        ...callerRows<World>(({ removeOne }) => removeOne("nobody"), ROWS),
      ],
    },
    {
      section: "1.7.6",
      async works({ ask, get, remove, list, subscribe, subscribed }) {
        const { who } = await subscribed();
        const types = ["bindDevice", "deviceDeleted", "commandRsp"];
        for (const notifyType of types)
          await get(subscribe({ notifyType, callbackUrl: `${ADDRESS}/${notifyType}` }), who);
        const left = async () => {
          const { subscriptions } = await get<{ subscriptions: { notifyType: string }[] }>(list(), who);
          return subscriptions.map(({ notifyType }) => notifyType);
        };
        const gone = async (query: Record<string, string>) => {
          const { status, text } = await ask(remove(query), who);
          expect([status, text]).toEqual([204, ""]);
        };
        await gone({ notifyType: "bindDevice" });
        expect(await left()).toEqual(["deviceAdded", "deviceDeleted", "commandRsp"]);
        await gone({ callbackUrl: `${ADDRESS}/commandRsp`, channel: "" });
        expect(await left()).toEqual(["deviceAdded", "deviceDeleted"]);
        for (const channel of ["MQTTS", "carrier pigeon"])
          expect(codeOf(await ask(remove({ channel }), who))).toBe("100225");
        expect(await left()).toEqual(["deviceAdded", "deviceDeleted"]);
        await gone({ channel: "HTTP" });
        expect(await left()).toEqual([]);
      },
      rows: [
        {
          line: "404 100225",
          async provoke({ ask, remove, subscribed }) {
            const { who } = await subscribed("bindDevice");
            return ask(remove({ notifyType: "deviceAdded" }), who);
          },
        },
        ...callerRows<World>(({ remove }) => remove(), ROWS),
      ],
    },
  ],
  more(world) {
    const url = (length: number) => "http://127.0.0.1:9/".padEnd(length, "x");
    test.each([
      [{ callbackUrl: url(1_024) }, { callbackUrl: url(1_025) }, "100222"],
      [{ callbackUrl: "https://example.com:443/a?b=c" }, { callbackUrl: "https://example.com/a" }, "100222"],
      [{ callbackUrl: "http://[::1]:65535/" }, { callbackUrl: "http://[::1]:65536/" }, "100222"],
      [{ callbackUrl: "HTTP://h:1/" }, { callbackUrl: "ws://h:1/" }, "100222"],
      [{}, { callbackUrl: undefined }, "100222"],
      [{}, { notifyType: undefined }, "100022"],
      [{ notifyType: "ruleEvent" }, { notifyType: "fwUpgradeResultNotify" }, "100022"],
      [{ channel: "HTTP" }, { channel: "SMS" }, "100022"],
    ])("1.7.1 takes %j and refuses %j", async (allowed, refused, code) => {
      const { ask, get, subscribe, remove } = world();
      expect(codeOf(await ask(subscribe(refused)))).toBe(code);
      await get(subscribe(allowed));
      await get(remove());
    });
    test.each([
      [{ pageSize: "1" }, { pageSize: "0" }],
      [{ pageSize: "2147483647", pageNo: "2147483647" }, { pageSize: "2147483648" }],
      [{ pageNo: "0" }, { pageNo: "-1" }],
      [{ pageNo: "" }, { pageNo: "one" }],
      [{ notifyType: "swUpgradeStateChangeNotify" }, { notifyType: "commandStatus" }],
    ])("1.7.4 takes %j and refuses %j", async (allowed, refused) => {
      const { ask, get, list } = world();
      await get(list(allowed as Record<string, string>));
      expect(codeOf(await ask(list(refused as Record<string, string>)))).toBe("100022");
    });

    test.each([
      ["", "query", "the caller's"],
      ["?ownerFlag=true", "query", "the caller's"],
      ["?ownerFlag=false", "edit", "the owner's"],
    ] as const)("1.7.1%s, with the right to %s: the address is %s", async (query, access, whose) => {
      const { ask, get, subscribe, pair } = world();
      const { owner, acting } = await pair(access);
      await get(subscribe({ appId: owner.appId }, query), acting);
      expect(codeOf(await ask(subscribe({ appId: owner.appId }, query), acting))).toBe("100227");
      // Of each application there is one for a type.
      expect(codeOf(await ask(subscribe(), owner))).toBe(whose === "the owner's" ? "100227" : undefined);
    });
    test("1.7.1 with ownerFlag=false needs more than the right to look", async () => {
      const { ask, subscribe, pair } = world();
      const { owner, acting } = await pair("query");
      const seen = await ask(subscribe({ appId: owner.appId }, "?ownerFlag=false"), acting);
      expect([seen.status, codeOf(seen)]).toEqual([403, "100217"]);
      expect(codeOf(await ask(subscribe({ appId: owner.appId }, "?ownerFlag=maybe"), acting))).toBe("100022");
    });
    test("an unknown subscription, and another one's, is 404 100225 at 1.7.3 too", async () => {
      const { ask, one, subscribed } = world();
      const { subscriptionId } = await subscribed();
      expect([codeOf(await ask(one("nobody"))), codeOf(await ask(one(subscriptionId)))]).toEqual(["100225", "100225"]);
    });
    test("1.7.1 is checked in this order: caller, throttle, right, parameters, state", async () => {
      const { send, ask, throttled, stranger, readable, subscribe, subscribed } = world();
      const { who } = await subscribed();
      const wrong = (appId: string) => subscribe({ appId, callbackUrl: "x" });
      expect([
        codeOf(await send(wrong("nobody"), {})),
        codeOf(await ask(wrong("nobody"), { ...throttled, token: "x" })),
        codeOf(await ask(wrong("nobody"), throttled)),
        codeOf(await ask(wrong("nobody"))),
        codeOf(await ask(wrong(stranger.appId))),
        codeOf(await ask(wrong(readable.appId))),
        codeOf(await ask(subscribe({ callbackUrl: "x" }), who)),
        codeOf(await ask(subscribe(), who)),
      ]).toEqual(["100025", "1010005", "1010009", "100217", "100217", "100222", "100222", "100227"]);
    });
  },
});
