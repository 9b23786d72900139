import { describe, expect, test } from "bun:test";
import { AT, AT_TEXT, startApi } from "./testing/fake-ports";

const RESOURCE = {
  deviceId: "p1_n1",
  appId: "app1",
  productId: "p1",
  nodeId: "n1",
  nodeType: "ENDPOINT",
  gatewayId: "p1_n1",
  status: "ONLINE",
  statusDetail: "NONE",
  lastSeen: AT_TEXT,
  activated: true,
  muted: false,
  isSecure: false,
  info: { name: "kitchen" },
  tags: [{ tagName: "floor", tagValue: "2" }],
  customFields: [],
  mutedCommands: {},
  createdAt: AT_TEXT,
  modifiedAt: AT_TEXT,
};
const SECRET = "0123456789abcdefABCD";

describe("POST /apps/{appId}/devices", () => {
  test("tells the credentials", async () => {
    const { status, body } = await startApi().ask("POST", "/apps/app1/devices", { nodeId: "n1", productId: "p1" });
    expect([status, body]).toEqual([
      201,
      { device: RESOURCE, deviceId: "p1_n1", secret: "a".repeat(20), psk: "b".repeat(32), timeoutSeconds: 180 },
    ]);
  });
  test.each([
    [
      { nodeId: "n1", productId: "p1", secret: SECRET },
      { product: { productId: "p1" }, credentials: { kind: "password", secret: SECRET } },
    ],
    [
      { nodeId: "n1", productId: "p1", kind: "verifyCode", verifyCode: "v", psk: "abcdef12" },
      { credentials: { kind: "verifyCode", verifyCode: "v", psk: "abcdef12" } },
    ],
    [
      { nodeId: "n1", gatewayId: "p1_n1" },
      { product: undefined, gatewayNo: 11 },
    ],
    [
      { nodeId: "n1", productId: "p1", timeoutSeconds: 0, isSecure: true, info: { name: "a" } },
      { timeoutS: 0, isSecure: true, info: { name: "a" } },
    ],
  ])("%j", async (body, expected) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", "/apps/app1/devices", body)).status).toBe(201);
    expect(calls).toMatchObject([["register", "app1", { nodeId: "n1", ...expected }]]);
  });
  test.each([
    [{ productId: "p1" }, "nodeId"],
    [{ nodeId: "n1" }, "productId"],
    [{ nodeId: "n".repeat(257), productId: "p1" }, "nodeId"],
    [{ nodeId: "n1", productId: "p1", secret: "short" }, "secret"],
    [{ nodeId: "n1", productId: "p1", verifyCode: "v" }, "verifyCode"],
    [{ nodeId: "n1", productId: "p1", kind: "verifyCode", secret: SECRET }, "secret"],
    [{ nodeId: "n1", productId: "p1", psk: "xyz" }, "psk"],
    [{ nodeId: "n1", productId: "p1", timeoutSeconds: 2 ** 31 }, "timeoutSeconds"],
    [{ nodeId: "n1", productId: "p1", info: { colour: "red" } }, "info.colour"],
    [{ nodeId: "n1", productId: "p1", tags: [{ tagName: "a", tagValue: "" }] }, "tags[0].tagValue"],
  ])("%j is refused", async (body, path) => {
    const { ask, calls } = startApi();
    const answer = await ask("POST", "/apps/app1/devices", body);
    expect([answer.status, answer.body.errors]).toEqual([400, [{ path, reason: expect.any(String) }]]);
    expect(JSON.stringify(answer.body)).not.toContain(SECRET);
    expect(calls).toEqual([]);
  });
  test("behind an unknown gateway is refused", async () => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("POST", "/apps/app1/devices", { nodeId: "n1", gatewayId: "nobody" });
    expect([status, body.code, calls]).toEqual([404, "DEVICE_NOT_FOUND", []]);
  });
});

describe("GET /apps/{appId}/devices", () => {
  test.each([
    ["", { page: 0, pageSize: 50, sort: "DESC" }],
    [
      "?status=OFFLINE&nodeType=GATEWAY&page=2&pageSize=10&sort=ASC",
      { status: "OFFLINE", nodeType: "GATEWAY", page: 1, pageSize: 10, sort: "ASC" },
    ],
    ["?createdFrom=2026-01-31T12:00:00Z&createdTo=2026-01-31T13:00:00%2B01:00", { startMs: AT, endMs: AT }],
    [
      "?gatewayId=g&deviceType=T&name=n%20m&location=l",
      { gatewayId: "g", deviceType: "T", name: "n m", location: "l" },
    ],
  ])("%s", async (query, expected) => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("GET", `/apps/app1/devices${query}`);
    expect([status, body]).toEqual([200, { items: [RESOURCE], total: 41 }]);
    expect(calls).toMatchObject([["list", "app1", expected]]);
  });
  test.each([
    "status=online",
    "createdFrom=yesterday",
    "createdFrom=2026-01-31T12:00:00",
    "sort=UP",
    "name=",
    "color=red",
  ])("?%s is refused", async (query) => {
    const { ask, calls } = startApi();
    expect((await ask("GET", `/apps/app1/devices?${query}`)).status).toBe(400);
    expect(calls).toEqual([]);
  });
});

test("GET /apps/{appId}/device-counts", async () => {
  const { body } = await startApi().ask("GET", "/apps/app1/device-counts");
  expect(body).toEqual({ ONLINE: 1, OFFLINE: 2, INACTIVE: 3, ABNORMAL: 0 });
});

test("GET /devices/{deviceId}", async () => {
  const { ask } = startApi();
  expect((await ask("GET", "/devices/p1_n1")).body).toEqual(RESOURCE);
  const { status, body } = await ask("GET", "/devices/a%2Fb");
  expect([status, body.code, body.details]).toEqual([404, "DEVICE_NOT_FOUND", { deviceId: "a/b" }]);
});

describe("PATCH /devices/{deviceId}", () => {
  test.each([
    [{ muted: true }, { muted: true }],
    [{ info: { name: "x", location: null } }, { info: { name: "x", location: null } }],
    [
      { dataAgingDays: null, tags: [] },
      { dataAgingDays: null, tags: [] },
    ],
    [{ mutedCommands: { Climate: ["SET"] } }, { mutedCommands: { Climate: ["SET"] } }],
    [
      { customFields: [{ fieldName: "a", fieldValue: { b: 1 } }] },
      { customFields: [{ fieldName: "a", fieldValue: { b: 1 } }] },
    ],
  ])("%j", async (body, patch) => {
    const { ask, calls } = startApi();
    expect((await ask("PATCH", "/devices/p1_n1", body)).status).toBe(200);
    expect(calls).toEqual([["modify", 11, patch]]);
  });
  test.each([[{ status: "ONLINE" }], [{ dataAgingDays: 91 }], [{ muted: "TRUE" }], [{ nodeId: "other" }]])(
    "%j is refused",
    async (body) => {
      const { ask, calls } = startApi();
      expect((await ask("PATCH", "/devices/p1_n1", body)).status).toBe(400);
      expect(calls).toEqual([]);
    },
  );
});

test.each([
  ["", true],
  ["?cascade=true", true],
  ["?cascade=false", false],
])("DELETE /devices/{deviceId}%s", async (query, cascade) => {
  const { ask, calls } = startApi();
  expect((await ask("DELETE", `/devices/p1_n1${query}`)).status).toBe(204);
  expect(calls).toEqual([["delete", 11, { cascade }]]);
});

test.each([
  [undefined, undefined, "made"],
  [{}, undefined, "made"],
  [{ secret: SECRET }, SECRET, SECRET],
])("POST /devices/{deviceId}/secret with %j", async (input, given, secret) => {
  const { ask, calls } = startApi();
  expect(await ask("POST", "/devices/p1_n1/secret", input)).toMatchObject({ status: 200, body: { secret } });
  expect(calls).toEqual([["resetSecret", 11, given]]);
});
