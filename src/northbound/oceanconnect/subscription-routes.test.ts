import { describe, expect, test } from "bun:test";
import { MANAGEMENT_NOTIFY_TYPES, SERVICE_NOTIFY_TYPES } from "../../capabilities/subscriptions/notification";
import { failing, harness, subscription } from "./testing/harness";
import { otherApplication } from "./testing/samples";

const PATH = "/iocm/app/sub/v1.2.0/subscriptions";
const RESOURCE = { subscriptionId: "s1", notifyType: "deviceDataChanged", callbackUrl: "http://h:9/x" };
const OWN = { ownerAppNos: [7] };
const wanted = { notifyType: "deviceDataChanged", callbackUrl: "http://h:9/x" };

describe("1.7.1", () => {
  test("subscribes", async () => {
    const h = harness();
    const { status, json } = await h.call("POST", `${PATH}?ownerFlag=false`, { ...wanted, appId: "app-1" });
    expect([status, json]).toEqual([201, RESOURCE]);
    expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([
      [{ appNo: 7, appId: "app-1", ownerAppNo: 7, madeByNo: 7, ...wanted }],
    ]);
  });
  test.each([...SERVICE_NOTIFY_TYPES])("knows %s", async (notifyType) => {
    expect((await harness().call("POST", PATH, { ...wanted, notifyType })).status).toBe(201);
  });
  test.each([
    [{ ...wanted, callbackUrl: undefined }, 400, "100222"],
    [{ ...wanted, callbackUrl: null }, 400, "100222"],
    [{ ...wanted, callbackUrl: "" }, 400, "100222"],
    [{ ...wanted, callbackUrl: 7 }, 400, "100222"],
    [{ ...wanted, callbackUrl: `http://h:9/${"x".repeat(1_014)}` }, 400, "100222"],
    [{ ...wanted, notifyType: undefined }, 400, "100022"],
    [{ ...wanted, notifyType: "devicedatachanged" }, 400, "100022"],
    [{ ...wanted, notifyType: "swUpgradeResultNotify" }, 400, "100022"], // 1.7.2 subscribes these
    [{ ...wanted, channel: "MQTT" }, 400, "100022"],
    [{ ...wanted, channel: 7 }, 400, "100022"],
    [{ ...wanted, channel: "MQTTS", callbackUrl: 7 }, 400, "100222"],
    [{ notifyType: "deviceAdded", channel: "HTTP" }, 400, "100222"],
    [{ ...wanted, appId: "x".repeat(257) }, 403, "100217"],
    [{ ...wanted, appId: 7 }, 400, "100022"],
    [{ ...wanted, appId: "app-2" }, 403, "100217"],
    [{ ...wanted, appId: "app-9" }, 403, "100217"],
  ])("refuses %j", async (body, status, code) => {
    const h = harness();
    expect(await h.call("POST", PATH, body)).toMatchObject({ status, json: { error_code: code } });
    expect(h.subscriptions.subscribe).not.toHaveBeenCalled();
  });
  test("refuses an unclear ownerFlag", async () => {
    expect((await harness().call("POST", `${PATH}?ownerFlag=mine`, wanted)).json.error_code).toBe("100022");
  });
  test.each([
    ["CALLBACK_URL_ILLEGAL", 400, "100222", "The request callbackurl is illegal."],
    ["SUBSCRIPTION_EXISTS", 409, "100227", "The resource is conflicted."],
  ] as const)("%s is %d %s", async (code, status, error_code, error_desc) => {
    const h = harness();
    h.subscriptions.subscribe.mockImplementation(failing(code));
    expect(await h.call("POST", PATH, wanted)).toMatchObject({ status, json: { error_code, error_desc } });
  });
});

describe("1.7.1 by MQTT", () => {
  const mine = { appNo: 7, appId: "app-1", ownerAppNo: 7, madeByNo: 7 };
  test.each([undefined, null, "", "/islet/v1/applications/app-1/notifications/deviceAdded"])(
    "needs no callbackUrl; the service is given %j",
    async (callbackUrl) => {
      const h = harness();
      const topic = "/islet/v1/applications/app-1/notifications/deviceAdded";
      h.subscriptions.subscribe.mockImplementation(async () => ({
        ...subscription,
        notifyType: "deviceAdded",
        channel: "MQTTS",
        callbackUrl: topic,
      }));
      const { status, json } = await h.call("POST", PATH, { notifyType: "deviceAdded", channel: "MQTTS", callbackUrl });
      expect([status, json]).toEqual([
        201,
        { subscriptionId: "s1", notifyType: "deviceAdded", callbackUrl: topic, channel: "MQTTS" },
      ]);
      expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([
        [{ ...mine, notifyType: "deviceAdded", channel: "MQTTS", ...(callbackUrl ? { callbackUrl } : {}) }],
      ]);
    },
  );
  test.each(["", "HTTP", null])("channel %j is HTTP", async (channel) => {
    const h = harness();
    expect((await h.call("POST", PATH, { ...wanted, channel })).json).toEqual(RESOURCE);
    expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([[{ ...mine, ...wanted }]]);
  });
});

describe("1.7.2", () => {
  const MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe";
  const management = { notifyType: "fwUpgradeResultNotify", callbackUrl: "https://h:443/x" };
  test.each([...MANAGEMENT_NOTIFY_TYPES])("subscribes %s, and answers 200 with nothing", async (notifyType) => {
    const h = harness();
    const answer = await h.call("POST", MANAGEMENT, { ...management, notifyType });
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([
      [{ appNo: 7, appId: "app-1", ...management, notifyType, ifExists: "move" }],
    ]);
  });
  test("by MQTT needs no callbackUrl", async () => {
    const h = harness();
    const body = { notifyType: "swUpgradeResultNotify", channel: "MQTTS" };
    expect((await h.call("POST", MANAGEMENT, body)).status).toBe(200);
    expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([
      [{ appNo: 7, appId: "app-1", ...body, ifExists: "move" }],
    ]);
  });
  const ILLEGAL = ["100222", "Internal server error."] as const;
  const INVALID = ["100228", "The application input is invalid."] as const;
  test.each([
    [{ ...management, callbackUrl: undefined }, ...ILLEGAL],
    [{ ...management, callbackUrl: "" }, ...ILLEGAL],
    [{ ...management, callbackUrl: 7 }, ...ILLEGAL],
    [{ ...management, callbackUrl: `http://h:9/${"x".repeat(1_014)}` }, ...ILLEGAL],
    [{ ...management, notifyType: undefined }, ...INVALID],
    [{ ...management, notifyType: "deviceAdded" }, ...INVALID], // 1.7.1 subscribes these
    [{ ...management, notifyType: 7 }, ...INVALID],
    [{ ...management, channel: "PIGEON" }, ...INVALID],
  ])("refuses %j", async (body, error_code, error_desc) => {
    const h = harness();
    expect(await h.call("POST", MANAGEMENT, body)).toMatchObject({ status: 400, json: { error_code, error_desc } });
    expect(h.subscriptions.subscribe).not.toHaveBeenCalled();
  });
  test("an address that the service refuses has the text of this table", async () => {
    const h = harness();
    h.subscriptions.subscribe.mockImplementation(failing("CALLBACK_URL_ILLEGAL"));
    expect(await h.call("POST", MANAGEMENT, management)).toMatchObject({
      status: 400,
      json: { error_code: "100222", error_desc: "Internal server error." },
    });
  });
  test("what could not be stored is 500 100244", async () => {
    const h = harness();
    h.subscriptions.subscribe.mockImplementation(async () => {
      throw new Error("disk full");
    });
    expect(await h.call("POST", MANAGEMENT, management)).toMatchObject({
      status: 500,
      json: { error_code: "100244", error_desc: "register out route fail." },
    });
    expect(h.faults.length).toBe(1);
  });
  test("without app_key: 500 100229 in the words of its table", async () => {
    expect(await harness().call("POST", MANAGEMENT, management, {})).toMatchObject({
      status: 500,
      json: { error_code: "100229", error_desc: "Get AppKey from header failed." },
    });
  });
});

describe("1.7.3", () => {
  test("shows one", async () => {
    const { status, json } = await harness().call("GET", `${PATH}/s1`);
    expect([status, json]).toEqual([200, RESOURCE]);
  });
  test("an unknown one is 404 100225", async () => {
    expect(await harness().call("GET", `${PATH}/s2`)).toMatchObject({ status: 404, json: { error_code: "100225" } });
  });
});

describe("1.7.4", () => {
  test("lists with the defaults of the document", async () => {
    const h = harness();
    const { status, json } = await h.call("GET", PATH);
    expect([status, json]).toEqual([200, { totalCount: 1, pageNo: 0, pageSize: 10, subscriptions: [RESOURCE] }]);
    expect(h.subscriptions.list.mock.calls).toEqual([[7, OWN, 0, 10]]);
  });
  test("filters by every type, also those of 1.7.2", async () => {
    const h = harness();
    await h.call("GET", `${PATH}?notifyType=fwUpgradeResultNotify&pageNo=2&pageSize=100`);
    expect(h.subscriptions.list.mock.calls).toEqual([[7, { ...OWN, notifyType: "fwUpgradeResultNotify" }, 2, 100]]);
  });
  test.each(["notifyType=x", "pageNo=-1", "pageSize=0", "pageSize=2147483648"])("refuses %s", async (query) => {
    const h = harness();
    expect(await h.call("GET", `${PATH}?${query}`)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.subscriptions.list).not.toHaveBeenCalled();
  });
  test("more than 1000 are 400 100224", async () => {
    const h = harness();
    h.subscriptions.list.mockImplementation(failing("RESULT_TOO_LARGE", { limit: 1_000 }));
    expect(await h.call("GET", PATH)).toMatchObject({ status: 400, json: { error_code: "100224" } });
  });
});

describe("1.7.5 and 1.7.6", () => {
  test("delete one", async () => {
    const h = harness();
    expect(await h.call("DELETE", `${PATH}/s1`)).toMatchObject({ status: 204, text: "" });
    expect(h.subscriptions.delete.mock.calls).toEqual([[7, "s1", [7]]]);
    expect(h.subscriptions.deleteMatching).not.toHaveBeenCalled();
  });
  test.each([
    ["", {}],
    ["?channel=", {}],
    ["?notifyType=bindDevice&channel=MQTTS", { notifyType: "bindDevice", channel: "MQTTS" }],
    ["?notifyType=no%20such", { notifyType: "no such" }],
    ["?callbackUrl=http%3A%2F%2Fh%3A9%2Fx%3Fa%3D1", { callbackUrl: "http://h:9/x?a=1" }],
  ])("delete those that match %p", async (query, filter) => {
    const h = harness();
    expect(await h.call("DELETE", PATH + query)).toMatchObject({ status: 204, text: "" });
    expect(h.subscriptions.deleteMatching.mock.calls).toEqual([[7, { ...OWN, ...filter }]]);
    expect(h.subscriptions.delete).not.toHaveBeenCalled();
  });
  test.each(["channel=a&channel=b", `callbackUrl=${"x".repeat(1_025)}`, `channel=${"x".repeat(33)}`])(
    "an unclear filter deletes nothing",
    async (query) => {
      const h = harness();
      expect(await h.call("DELETE", `${PATH}?${query}`)).toMatchObject({ status: 400, json: { error_code: "100022" } });
      expect(h.effects()).toBe(0);
    },
  );
  test.each([`${PATH}/s1`, PATH])("nothing to delete at %s is 404 100225", async (path) => {
    const h = harness();
    h.subscriptions.delete.mockImplementation(failing("SUBSCRIPTION_NOT_FOUND"));
    h.subscriptions.deleteMatching.mockImplementation(failing("SUBSCRIPTION_NOT_FOUND"));
    expect(await h.call("DELETE", path)).toMatchObject({
      status: 404,
      json: { error_code: "100225", error_desc: "The resource is not found" },
    });
  });
});

describe("on another application's data", () => {
  /** app-2 (8) calls for app-1 (7), which has authorised it. */
  function authorised(access: "query" | "edit") {
    const h = harness();
    h.tokens.authorize.mockResolvedValue(otherApplication);
    h.grants.accessOf.mockImplementation((owner, grantee) => (owner === 7 && grantee === 8 ? access : undefined));
    return h;
  }
  test.each(["?ownerFlag=true", ""])("the address is the caller's with %p", async (query) => {
    const h = authorised("query");
    expect((await h.call("POST", PATH + query, { ...wanted, appId: "app-1" })).status).toBe(201);
    expect(h.subscriptions.subscribe.mock.calls).toMatchObject([[{ appNo: 7, ownerAppNo: 8, madeByNo: 8 }]]);
  });
  test.each([
    ["", 8],
    ["?ownerFlag=false", 7],
  ])("by MQTT too, where the topic is the address: %p", async (query, ownerAppNo) => {
    const h = authorised("edit");
    const body = { notifyType: "deviceAdded", channel: "MQTTS", appId: "app-1" };
    expect((await h.call("POST", PATH + query, body)).status).toBe(201);
    expect(h.subscriptions.subscribe.mock.calls as unknown[]).toEqual([
      [{ appNo: 7, appId: "app-1", ownerAppNo, madeByNo: 8, notifyType: "deviceAdded", channel: "MQTTS" }],
    ]);
  });
  test("the address is the owner's with ownerFlag=false, which needs the right to edit", async () => {
    const body = { ...wanted, appId: "app-1" };
    const reader = authorised("query");
    expect(await reader.call("POST", `${PATH}?ownerFlag=false`, body)).toMatchObject({
      status: 403,
      json: { error_code: "100217" },
    });
    expect(reader.effects()).toBe(0);
    const editor = authorised("edit");
    expect((await editor.call("POST", `${PATH}?ownerFlag=false`, body)).status).toBe(201);
    expect(editor.subscriptions.subscribe.mock.calls).toMatchObject([[{ appNo: 7, ownerAppNo: 7, madeByNo: 8 }]]);
  });
  test("sees the owner's and its own", async () => {
    const h = authorised("query");
    await h.call("GET", `${PATH}?appId=app-1`);
    await h.call("GET", `${PATH}/s1?appId=app-1`);
    expect(h.subscriptions.list.mock.calls).toMatchObject([[7, { ownerAppNos: [7, 8] }, 0, 10]]);
    expect(h.subscriptions.get.mock.calls).toEqual([[7, "s1", [7, 8]]]);
  });
  test.each([
    ["query", 7, 403, 0],
    ["query", 8, 204, 1],
    ["edit", 7, 204, 1],
  ] as const)("with the right to %s deletes the one of %d: %d", async (access, ownerAppNo, status, deleted) => {
    const h = authorised(access);
    h.subscriptions.get.mockReturnValue({ ...subscription, ownerAppNo });
    expect((await h.call("DELETE", `${PATH}/s1?appId=app-1`)).status).toBe(status);
    expect(h.subscriptions.delete.mock.calls.length).toBe(deleted);
  });
  test.each([
    ["query", [8]],
    ["edit", [7, 8]],
  ] as const)("with the right to %s deletes those of %p that match", async (access, ownerAppNos) => {
    const h = authorised(access);
    await h.call("DELETE", `${PATH}?appId=app-1`);
    expect(h.subscriptions.deleteMatching.mock.calls as unknown[]).toEqual([[7, { ownerAppNos }]]);
  });
});
