import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const OPERATIONS = "/devices/p1_n1/resource-operations";

describe("a device", () => {
  test("is shown with its registration", async () => {
    const { ask } = startApi();
    const { status, body } = await ask("GET", "/devices/p1_n1/registration");
    expect(status).toBe(200);
    expect(body).toEqual({
      ...{ endpoint: "n1", style: "lwm2m", version: "1.0", transports: ["U"], queueMode: true, listening: false },
      ...{ lifetimeSeconds: 86_400, address: "192.0.2.1:5683", isSecure: false, rootPath: "/" },
      objects: [{ objectId: 3, instanceIds: [0] }],
      ...{ registeredAt: AT_TEXT, updatedAt: AT_TEXT, expiresAt: AT_TEXT },
    });
  });

  test("without one says so", async () => {
    const resources = {
      registration: () => {
        throw new DomainError("DEVICE_NOT_REGISTERED", { deviceNo: 11 });
      },
    };
    const { ask } = startApi({ resources: resources as never });
    const { status, body } = await ask("GET", "/devices/p1_n1/registration");
    expect([status, body.code]).toEqual([409, "DEVICE_NOT_REGISTERED"]);
  });

  test("is shown with its objects, page by page", async () => {
    const { ask } = startApi();
    const { body } = await ask("GET", "/devices/p1_n1/resources?page=1&pageSize=1");
    expect(body).toEqual({
      items: [
        {
          ...{ objectId: 3, name: "Device", registered: true },
          instances: [
            {
              ...{ instanceId: 0, registered: true },
              resources: [
                {
                  ...{ resourceId: 9, path: "/3/0/9", name: "Battery Level", type: "integer", operations: "R" },
                  ...{ units: "%", multiple: false, mandatory: false, known: true, value: { 0: 80 }, observed: true },
                  lastSeen: AT_TEXT,
                },
              ],
            },
          ],
        },
      ],
      total: 2,
    });
    const second = await ask("GET", "/devices/p1_n1/resources?page=2&pageSize=1");
    expect((second.body.items as { objectId: number }[]).map(({ objectId }) => objectId)).toEqual([4]);
  });

  test("is shown with what is observed of it", async () => {
    const { ask } = startApi();
    const { body } = await ask("GET", "/devices/p1_n1/resource-observations");
    expect(body).toEqual({
      items: [{ path: "/3/0/9", since: AT_TEXT, state: "ended", endedReason: "4.04" }],
      total: 1,
    });
  });
});

test.each([
  [{ op: "read", path: "/3/0/9" }, { op: "read", path: "/3/0/9" }, {}],
  [
    { op: "write", path: "/1/0", values: { 1: 60 }, mode: "update", waitSeconds: 30 },
    { op: "write", path: "/1/0", values: { 1: 60 }, mode: "update" },
    { waitS: 30 },
  ],
  [
    { op: "write", path: "/9/0/1", value: false, valueType: "boolean" },
    { op: "write", path: "/9/0/1", value: false, valueType: "boolean" },
    {},
  ],
  [
    { op: "writeAttributes", path: "/3/0/9", attributes: { pmin: 5 } },
    { op: "writeAttributes", path: "/3/0/9", attributes: { pmin: 5 } },
    {},
  ],
  [{ op: "execute", path: "/3/0/4", arguments: "0" }, { op: "execute", path: "/3/0/4", arguments: "0" }, {}],
])("%j is handed on", async (body, operation, options) => {
  const { ask, calls } = startApi();
  const answer = await ask("POST", OPERATIONS, body);
  expect(answer).toMatchObject({
    status: 200,
    body: { path: body.path, value: { 9: 80 }, links: [{ path: "/3/0/9", dimension: 2, attributes: {} }] },
  });
  expect(calls).toEqual([["operate", 11, operation, options]]);
});

test.each([
  ["an unknown operation", { op: "reboot", path: "/3" }, "op"],
  ["no path", { op: "read" }, "path"],
  ["an unknown field", { op: "read", path: "/3", force: true }, "force"],
  ["an unknown attribute", { op: "writeAttributes", path: "/3", attributes: { max: 1 } }, "attributes.max"],
  [
    "an attribute that is no number",
    { op: "writeAttributes", path: "/3", attributes: { pmin: "5" } },
    "attributes.pmin",
  ],
  ["half a second", { op: "read", path: "/3", waitSeconds: 0.5 }, "waitSeconds"],
  ["values that are a list", { op: "write", path: "/1/0", values: [1] }, "values"],
])("%s is refused", async (_rule, body, path) => {
  const { ask, calls } = startApi();
  const answer = await ask("POST", OPERATIONS, body);
  expect(answer).toMatchObject({ status: 400, body: { code: "INPUT_INVALID", errors: [{ path }] } });
  expect(calls).toEqual([]);
});

test.each([
  ["/asleep", 409, "DEVICE_ASLEEP", undefined],
  ["/no", 502, "DEVICE_REFUSED", { path: "/no", code: "4.05" }],
])("%s is answered with %d %s", async (path, status, code, details) => {
  const { ask } = startApi();
  const answer = await ask("POST", OPERATIONS, { op: "read", path });
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  if (details) expect(answer.body).toMatchObject({ detail: "not allowed", details });
});

test.each([
  ["GET", "/devices/nobody/registration"],
  ["GET", "/devices/nobody/resources"],
  ["GET", "/devices/nobody/resource-observations"],
  ["POST", "/devices/nobody/resource-operations"],
])("%s %s: there is no such device", async (method, path) => {
  const { ask } = startApi();
  const answer = await ask(method, path, method === "POST" ? { op: "read", path: "/3" } : undefined);
  expect([answer.status, answer.body.code]).toEqual([404, "DEVICE_NOT_FOUND"]);
});
