import { describe, expect, test } from "bun:test";
import type { DomainErrorCode } from "../../platform/domain-error";
import { failing, harness, loraGateway, loraNode } from "./testing/harness";
import { type CallSection, REQUESTS } from "./testing/requests";
import { application, otherApplication } from "./testing/samples";

const long = (length: number) => "x".repeat(length);
const KEY = "00112233445566778899aabbccddeeff";
const NOT_ALLOWED = "The operation is not allowed.";
const ALL_LORA = ["1.5.10", "1.5.11", "1.5.12", "1.5.13", "1.5.14", "1.5.15"] as const;
const GATEWAY = REQUESTS["1.5.10"];
const NODE = REQUESTS["1.5.11"];

describe("1.5.10", () => {
  test("registers a gateway, and shows it whole", async () => {
    const h = harness();
    h.lora.registerGateway.mockResolvedValue({ ...loraGateway, gatewaySeq: KEY });
    const { status, text } = await h.call("POST", GATEWAY.path, { ...GATEWAY.body, ownerAppId: "app-1" });
    expect([status, text]).toEqual([
      201,
      `{"deviceId":"p8_roof","loraServerId":"p1_server","productId":"p8","gatewayEUI":"00800000a0001234","name":"Roof","gatewaySeq":"${KEY}"}`,
    ]);
    expect(h.lora.registerGateway.mock.calls as unknown[]).toEqual([["app-1", GATEWAY.body]]);
  });
  test.each([null, "", undefined])("gatewaySeq may be %p", async (gatewaySeq) => {
    const h = harness();
    const { status, json } = await h.call("POST", GATEWAY.path, { ...GATEWAY.body, gatewaySeq });
    expect([status, json.gatewaySeq]).toEqual([201, null]);
    expect(h.lora.registerGateway.mock.calls[0]?.[1].gatewaySeq).toBeUndefined();
  });
  test.each([
    ...["loraServerId", "productId", "gatewayEUI", "name"].flatMap((field) =>
      [undefined, null, "", 7, {}].map((value) => ({ [field]: value })),
    ),
    ...["loraServerId", "productId", "name"].map((field) => ({ [field]: long(257) })),
    ...[long(16), "00800000a000123", "00800000a00012345", " 0800000a0001234"].map((gatewayEUI) => ({ gatewayEUI })),
    ...[KEY.slice(1), `${KEY}0`, long(32), 7, []].map((gatewaySeq) => ({ gatewaySeq })),
  ])("refuses %j", async (bad) => {
    const h = harness();
    const answer = await h.call("POST", GATEWAY.path, { ...GATEWAY.body, ...bad });
    expect(answer).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.effects()).toBe(0);
  });
});

describe("1.5.11", () => {
  test("registers a node, and shows it whole", async () => {
    const h = harness();
    const keys = { authCode: KEY, appSKey: KEY, nwkSKey: KEY, devAddr: "0011aaFF", appKey: KEY };
    h.lora.registerNode.mockResolvedValue({ ...loraNode, ...keys, joinType: "ABP", description: "below" });
    const body = { ...NODE.body, ...keys, joinType: "ABP" };
    const { status, text } = await h.call("POST", NODE.path, body);
    expect([status, text]).toEqual([
      201,
      `{"deviceId":"p9_cellar","loraServerId":"p1_server","productId":"p9","devEUI":"0004A30B001A2B3C","name":"Cellar","authCode":"${KEY}","appEUI":"70B3D57ED0000001","deviceClass":"classA","joinType":"ABP","appSKey":"${KEY}","devAddr":"0011aaFF","nwkSKey":"${KEY}","appKey":"${KEY}","description":"below"}`,
    ]);
    expect(h.lora.registerNode.mock.calls as unknown[]).toEqual([["app-1", body]]);
  });
  test("with the least that can be said; what is not known is null", async () => {
    const h = harness();
    const { loraServerId, productId, devEUI, name, appEUI, appKey } = NODE.body as Record<string, string>;
    const least = { loraServerId, productId, devEUI, name, appEUI, appKey };
    const { status, json } = await h.call("POST", NODE.path, { ...least, appSKey: "", joinType: null });
    expect(status).toBe(201);
    expect(json).toEqual({
      ...loraNode,
      authCode: null,
      appSKey: null,
      devAddr: null,
      nwkSKey: null,
      description: null,
    });
    expect(h.lora.registerNode.mock.calls as unknown[]).toEqual([["app-1", least]]);
  });
  test.each([
    ...["loraServerId", "productId", "devEUI", "appEUI", "name"].flatMap((field) =>
      [undefined, null, "", 7, {}].map((value) => ({ [field]: value })),
    ),
    ...["loraServerId", "productId", "name"].map((field) => ({ [field]: long(257) })),
    ...["devEUI", "appEUI"].flatMap((field) => [long(16), KEY.slice(17), KEY.slice(15)].map((it) => ({ [field]: it }))),
    ...["authCode", "appSKey", "nwkSKey", "appKey"].flatMap((field) =>
      [KEY.slice(1), `${KEY}0`, long(32), 7].map((it) => ({ [field]: it })),
    ),
    ...["0011aaF", "0011aaFF0", "0011aaFG", 1].map((devAddr) => ({ devAddr })),
    ...["otaa", "", 1].map((joinType) => ({ joinType })),
    ...["", long(65), 1].map((deviceClass) => ({ deviceClass })),
    ...[long(2_049), 1, "\ud800"].map((description) => ({ description })),
    ...[7, {}, ["app-1"]].map((ownerAppId) => ({ ownerAppId })),
  ])("refuses %j", async (bad) => {
    const h = harness();
    const answer = await h.call("POST", NODE.path, { ...NODE.body, ...bad });
    expect(answer).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(answer.text).not.toContain(KEY.slice(1));
    expect(h.effects()).toBe(0);
  });
});

test.each([
  ["1.5.12", "gateway"],
  ["1.5.14", "node"],
] as const)("%s shows one", async (section, kind) => {
  const h = harness();
  const answer = await h.call("GET", `${REQUESTS[section].path}?ownerAppId=app-1`);
  const shown = kind === "gateway" ? { ...loraGateway, gatewaySeq: null } : loraNode;
  expect(answer).toMatchObject({ status: 200, json: shown });
  const { pathname } = new URL(REQUESTS[section].path, "http://h");
  expect(h.lora[kind].mock.calls as unknown[]).toEqual([["app-1", pathname.split("/").at(-1)]]);
});
test.each([
  ["1.5.13", "gateway"],
  ["1.5.15", "node"],
] as const)("%s deletes one", async (section, kind) => {
  const h = harness();
  const answer = await h.call("DELETE", REQUESTS[section].path);
  expect([answer.status, answer.text]).toEqual([204, ""]);
  expect(h.lora.delete.mock.calls as unknown[]).toEqual([["app-1", kind, REQUESTS[section].path.split("/").at(-1)]]);
});

test.each([
  ["1.5.10", "registerGateway"],
  ["1.5.11", "registerNode"],
] as const)("%s: the LoRa server is not told of the owner", async (section, register) => {
  const h = harness();
  const { method, path, body } = REQUESTS[section];
  expect((await h.call(method, path, { ...body, ownerAppId: "app-1" })).status).toBe(201);
  expect(h.lora[register].mock.calls as unknown[]).toEqual([["app-1", body]]);
  expect(await h.call(method, path, { ...body, ownerAppId: 7 })).toMatchObject({ status: 400 });
});

test.each(ALL_LORA)("%s: the owner is named ownerAppId, and must be one that may be named", async (section) => {
  const h = harness();
  const { method, path, body } = REQUESTS[section];
  const ask = (ownerAppId: string) =>
    body
      ? h.call(method, path, { ...body, ownerAppId, name: "" }) // the application is looked at before the rest
      : h.call(method, `${path}?ownerAppId=${ownerAppId}`);
  expect(await ask("app-2")).toMatchObject({ status: 403, json: { error_code: "100217" } });
  expect(await ask("app-9")).toMatchObject({ status: 404, json: { error_code: "100203" } });
  expect([h.effects(), h.lora.gateway.mock.calls.length, h.lora.node.mock.calls.length]).toEqual([0, 0, 0]);
});

describe("of an application that authorised the caller", () => {
  /** app-2 calls, and names app-1 as the document has it. */
  const askAs = (access: "query" | "edit", section: (typeof ALL_LORA)[number]) => {
    const h = harness();
    h.tokens.authorize.mockResolvedValue(otherApplication);
    h.grants.accessOf.mockImplementation((owner) => (owner === application.no ? access : undefined));
    const { method, path, body } = REQUESTS[section];
    const ownerAppId = application.id;
    const named = body ? path : `${path}?ownerAppId=${ownerAppId}`;
    return { h, answer: h.call(method, named, body && { ...body, ownerAppId }) };
  };
  const owners = ({ lora }: ReturnType<typeof harness>) =>
    Object.values(lora).flatMap((port) => (port.mock.calls as unknown[][]).map(([appId]) => appId));

  test.each(ALL_LORA)("%s is about the owner's", async (section) => {
    const { h, answer } = askAs("edit", section);
    expect((await answer).json?.error_code).toBeUndefined();
    expect(owners(h)).toEqual([application.id]);
  });
  test.each(["1.5.12", "1.5.14"] as const)("%s needs the right to read only", async (section) => {
    const { h, answer } = askAs("query", section);
    expect((await answer).status).toBe(200);
    expect(owners(h)).toEqual([application.id]);
  });
  test.each([
    ["1.5.10", " "],
    ["1.5.11", " "],
    ["1.5.13", " "],
    ["1.5.15", ""],
  ] as const)("%s needs the right to edit, in the words of its table", async (section, blank) => {
    const { h, answer } = askAs("query", section);
    expect(await answer).toMatchObject({
      status: 403,
      json: {
        error_code: "100249",
        error_desc: `${NOT_ALLOWED}${blank}The application does not have edit permission.`,
      },
    });
    expect(owners(h)).toEqual([]);
  });
});

/** Every row of the tables that comes from the capability. */
type Row = [code: DomainErrorCode, status: number, error_code: string, error_desc: string];
const OFFLINE: Row = ["LORA_SERVER_OFFLINE", 403, "1200006", `${NOT_ALLOWED} The LoRa Server is not online.`];
const SERVER_UNKNOWN: Row = ["LORA_SERVER_NOT_FOUND", 404, "1200017", "The LoRa Server is not existed."];
const SERVER_FAILED: Row = ["LORA_SERVER_FAILED", 400, "1200014", "The LoRa Server processing failed:no room"];
const PRODUCT: Row[] = [
  ["PRODUCT_NOT_FOUND", 400, "106018", "the product not exist."],
  ["LORA_PROTOCOL_REQUIRED", 403, "1200007", `${NOT_ALLOWED} The protocol of the product model is not LoRaWAN.`],
];
const NO_GATEWAY: Row = ["LORA_GATEWAY_NOT_FOUND", 404, "1200003", "The LoRa gateway does not exist."];
const NO_NODE: Row = ["LORA_NODE_NOT_FOUND", 404, "1200002", "The LoRa node does not exist."];
const ROWS: Partial<Record<CallSection, Row[]>> = {
  "1.5.10": [
    ...PRODUCT,
    ["LORA_GATEWAY_EXISTS", 400, "1200013", "The LoRa gateway already exists."],
    SERVER_FAILED,
    OFFLINE,
    [
      "LORA_GATEWAY_TYPE_REQUIRED",
      403,
      "1200015",
      `${NOT_ALLOWED} The deviceType of the product model must be LoRaGateway.`,
    ],
    ["LORA_EUI_TAKEN", 403, "1200019", `${NOT_ALLOWED} The gatewayEUI is duplicated.`],
    SERVER_UNKNOWN,
    ["LORA_REGISTRATION_FAILED", 500, "1200001", "Failed to register the LoRa gateway."],
  ],
  "1.5.11": [
    ...PRODUCT,
    ["LORA_APP_KEY_MISSING", 400, "1200008", "Invalid input. The appKey cannot be empty."],
    ["LORA_APP_SKEY_MISSING", 400, "1200009", "Invalid input. The appSKey cannot be empty."],
    ["LORA_NWK_SKEY_MISSING", 400, "1200010", "Invalid input. The nwkSKey cannot be empty."],
    ["LORA_DEV_ADDR_MISSING", 400, "1200011", "Invalid input. The devAddr cannot be empty."],
    ["LORA_NODE_EXISTS", 400, "1200012", "The LoRa node already exists."],
    SERVER_FAILED,
    OFFLINE,
    [
      "LORA_GATEWAY_TYPE_REFUSED",
      403,
      "1200016",
      `${NOT_ALLOWED} The deviceType of the product model cannot be LoRaGateway.`,
    ],
    ["LORA_EUI_TAKEN", 403, "1200018", `${NOT_ALLOWED} The devEUI is duplicated.`],
    SERVER_UNKNOWN,
    ["LORA_REGISTRATION_FAILED", 500, "1200000", "Failed to register the LoRa node."],
  ],
  "1.5.12": [NO_GATEWAY],
  "1.5.13": [NO_GATEWAY, OFFLINE, SERVER_UNKNOWN, SERVER_FAILED],
  "1.5.14": [NO_NODE],
  "1.5.15": [NO_NODE, OFFLINE, SERVER_UNKNOWN, SERVER_FAILED],
};
const ALL = Object.entries(ROWS).flatMap(([section, rows]) =>
  rows.map((it) => [section as CallSection, ...it] as const),
);
test.each(ALL)("%s: %s is %d %s", async (section, code, status, error_code, error_desc) => {
  const h = harness();
  for (const port of Object.values(h.lora)) port.mockImplementation(failing(code, { reason: "no room" }));
  const { method, path, body } = REQUESTS[section];
  expect(await h.call(method, path, body)).toMatchObject({ status, json: { error_code, error_desc } });
  expect(h.faults).toEqual([]);
});

test("a server that gives no reason leaves the text as far as it goes", async () => {
  const h = harness();
  h.lora.registerNode.mockImplementation(failing("LORA_SERVER_FAILED"));
  expect((await h.call("POST", NODE.path, NODE.body)).json.error_desc).toBe("The LoRa Server processing failed:");
});
