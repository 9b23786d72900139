import { describe, expect, test } from "bun:test";
import type { Command } from "../../capabilities/commands/command";
import { command, failing, harness } from "./testing/harness";
import { REQUESTS } from "./testing/requests";
import { otherApplication } from "./testing/samples";

const long = (length: number) => "x".repeat(length);

describe("1.9.7", () => {
  const { path, body } = REQUESTS["1.9.7"];
  test("sends, and echoes the requestId", async () => {
    const h = harness();
    const { status, json } = await h.call("POST", path, body);
    expect([status, json]).toEqual([202, { status: "sent", timestamp: "20260102T030406Z", requestId: "r1" }]);
    expect(h.commands.send.mock.calls as unknown[]).toEqual([
      [
        "app-1",
        {
          deviceId: "p1_node-1",
          serviceId: "Battery",
          requestId: "r1",
          mode: "ACK",
          from: "/users/u1",
          toType: "GATEWAY",
          to: "x",
          method: "SET",
          paras: { mode: "ECO" },
        },
      ],
    ]);
  });
  test("with the least that can be said", async () => {
    const h = harness();
    const answer = await h.call("POST", path, { header: { method: "SET", requestId: "" } });
    expect(answer).toMatchObject({ status: 202, json: { requestId: "made" } });
    const target = { deviceId: "p1_node-1", serviceId: "Battery" };
    expect(h.commands.send.mock.calls[0]?.[1]).toEqual({ ...target, method: "SET", requestId: "" });
  });
  test.each([
    ["DELIVERED", "delivered"],
    ["SUCCESSFUL", "delivered"],
    ["FAILED", "failed"],
  ] as const)("a command that is %s already is %s", async (state, status) => {
    const h = harness();
    h.commands.send.mockResolvedValue({ ...command, status: state, sentAt: undefined });
    expect((await h.call("POST", path, body)).json).toMatchObject({ status, timestamp: "20260102T030405Z" });
  });
  const header = { method: "SET" };
  test.each([
    [{}],
    [{ header: {} }],
    [{ header: { method: "" } }],
    [{ header: { method: long(33) } }],
    [{ header: { ...header, mode: "MAYBE" } }],
    [{ header: { ...header, requestId: long(129) } }],
    [{ header: { ...header, requestId: 7 } }],
    [{ header: { ...header, from: long(129) } }],
    [{ header: { ...header, to: long(129) } }],
    [{ header, body: [] }],
    [{ header, body: "text" }],
  ])("refuses %j", async (bad) => {
    const h = harness();
    expect(await h.call("POST", path, bad)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.commands.send).not.toHaveBeenCalled();
  });
  test.each([path.replace("Battery", long(65)), path.replace("p1_node-1", long(257))])(
    "refuses ids that are too long",
    async (bad) => {
      const h = harness();
      expect(await h.call("POST", bad, body)).toMatchObject({ status: 400, json: { error_code: "100022" } });
      expect(h.commands.send).not.toHaveBeenCalled();
    },
  );
  test.each([
    ["DEVICE_NOT_FOUND", 200, "100418"],
    ["DEVICE_OFFLINE", 200, "100428"],
    ["COMMAND_MUTED", 200, "100432"],
    ["INPUT_INVALID", 400, "100022"],
    ["COMMAND_PARAMETERS_INVALID", 400, "100022"],
    ["COMMAND_NAME_INVALID", 400, "102203"],
    ["GATEWAY_OFFLINE", 403, "100450"],
    ["RECEIVER_TYPE_UNKNOWN", 404, "100444"],
    ["SERVICE_NOT_FOUND", 404, "100444"],
    ["CONGESTED", 503, "100501"],
  ] as const)("%s is %d %s", async (code, status, error_code) => {
    const h = harness();
    h.commands.send.mockImplementation(failing(code));
    expect(await h.call("POST", path, body)).toMatchObject({ status, json: { error_code } });
    expect(h.faults).toEqual([]);
  });
});

const RESOURCE = {
  commandId: "c1",
  appId: "app-1",
  deviceId: "p1_node-1",
  command: { serviceId: "Battery", method: "SET", paras: { mode: "ECO" } },
  callbackUrl: null,
  expireTime: 172_800,
  status: "SENT",
  creationTime: "20260102T030405Z",
  executeTime: null,
  platformIssuedTime: "20260102T030406Z",
  deliveredTime: null,
  issuedTimes: 1,
  maxRetransmit: null,
};

describe("1.9.1", () => {
  const { path, body } = REQUESTS["1.9.1"];
  const right = { deviceId: "p1_node-1", command: { serviceId: "Battery", method: "SET", paras: {} } };
  test("creates", async () => {
    const h = harness();
    const { status, text } = await h.call("POST", path, { ...body, expireTime: "60", maxRetransmit: "2" });
    expect([status, text]).toEqual([201, JSON.stringify(RESOURCE)]);
    expect(h.commands.create.mock.calls as unknown[]).toEqual([
      [
        "app-1",
        {
          deviceId: "p1_node-1",
          serviceId: "Battery",
          method: "SET",
          paras: { mode: "ECO" },
          callbackUrl: "http://h:9/c",
          expireTimeS: 60,
          maxRetransmit: 2,
        },
      ],
    ]);
  });
  test("the callback address of who acts for another application is its own", async () => {
    const h = harness();
    h.tokens.authorize.mockResolvedValue(otherApplication);
    h.grants.accessOf.mockReturnValue("edit");
    expect((await h.call("POST", `${path}?appId=app-1`, body)).status).toBe(201);
    expect(h.commands.create.mock.calls).toMatchObject([["app-1", { callbackUrl: "http://h:9/c", callbackAppNo: 8 }]]);
  });
  test("a cached one is PENDING; what it was cached for is shown", async () => {
    const h = harness();
    const pending: Command = { ...command, dispatch: "cached", status: "PENDING", expireTimeS: 60, issuedTimes: 0 };
    h.commands.create.mockResolvedValue({ ...pending, sentAt: undefined, maxRetransmit: 2 });
    const shown = { ...RESOURCE, expireTime: 60, status: "PENDING", platformIssuedTime: null, issuedTimes: 0 };
    expect((await h.call("POST", path, body)).json).toEqual({ ...shown, maxRetransmit: 2 });
  });
  test.each([
    [{ ...right, deviceId: undefined }],
    [{ ...right, deviceId: long(257) }],
    [{ ...right, command: undefined }],
    [{ ...right, command: { ...right.command, serviceId: long(65) } }],
    [{ ...right, command: { ...right.command, method: long(129) } }],
    [{ ...right, command: { ...right.command, method: "" } }],
    [{ ...right, command: { ...right.command, paras: undefined } }],
    [{ ...right, command: { ...right.command, paras: [] } }],
    [{ ...right, expireTime: -1 }],
    [{ ...right, expireTime: "x" }],
    [{ ...right, maxRetransmit: 4 }],
    [{ ...right, callbackUrl: "http://no-port/x" }],
    [{ ...right, callbackUrl: long(1_025) }],
  ])("refuses %j", async (bad) => {
    const h = harness();
    expect(await h.call("POST", path, bad)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.commands.create).not.toHaveBeenCalled();
  });
  test.each([
    ["DEVICE_NOT_FOUND", 200, "100418"],
    ["DEVICE_OFFLINE", 200, "100428"],
    ["GATEWAY_OFFLINE", 200, "100428"],
    ["SERVICE_NOT_FOUND", 200, "100431"],
    ["COMMAND_NAME_INVALID", 400, "100022"],
    ["COMMAND_PARAMETERS_INVALID", 400, "100022"],
    ["COMMAND_LIMIT_REACHED", 400, "100223"],
    ["DEVICE_ZOMBIE", 403, "100612"],
    ["CONGESTED", 503, "100501"],
  ] as const)("%s is %d %s", async (code, status, error_code) => {
    const h = harness();
    h.commands.create.mockImplementation(failing(code));
    expect(await h.call("POST", path, body)).toMatchObject({ status, json: { error_code } });
    expect(h.faults).toEqual([]);
  });
});

describe("1.9.2", () => {
  const { path } = REQUESTS["1.9.2"];
  const { callbackUrl, expireTime, ...rest } = RESOURCE;
  const item = { ...rest, callbackUrl, expireTime, result: null };
  test("lists with the defaults of the document", async () => {
    const h = harness();
    const { status, json } = await h.call("GET", path);
    expect([status, json]).toEqual([200, { pagination: { pageNo: 0, pageSize: 1_000, totalSize: 1 }, data: [item] }]);
  });
  test("hands on every filter, with both ends of the period", async () => {
    const h = harness();
    const query = "pageNo=1&pageSize=20&deviceId=d&startTime=20260101T000000Z&endTime=20260101T000001Z";
    await h.call("GET", `${path}?${query}`);
    const at = Date.UTC(2026, 0, 1);
    expect(h.commands.query.mock.calls as unknown[]).toEqual([
      ["app-1", { deviceId: "d", createdAfter: at - 1, createdBefore: at + 2_000, pageNo: 1, pageSize: 20 }],
    ]);
  });
  const ENDED: [Partial<Command>, unknown][] = [
    [{ status: "SUCCESSFUL", result: { errcode: 0, body: { ok: 1 } } }, { ok: 1 }],
    [{ status: "FAILED", result: { errcode: 1, body: undefined } }, null],
    [{ status: "FAILED", result: { reason: "no_answer" } }, { reason: "no_answer" }],
    [{ status: "TIMEOUT", result: { reason: "no_acknowledgement" } }, { reason: "no_acknowledgement" }],
    [
      { status: "FAILED", result: { reason: "not_encodable", detail: "value_invalid: level" } },
      { reason: "not_encodable", detail: "value_invalid: level" },
    ],
  ];
  test.each(ENDED)("%j shows how it ended", async (end, resultDetail) => {
    const h = harness();
    h.commands.query.mockReturnValue({ items: [{ ...command, ...end }], total: 1 });
    const [shown] = (await h.call("GET", path)).json.data;
    expect(shown.result).toEqual({ resultCode: end.status, resultDetail });
  });
  test.each([
    "pageNo=-1",
    "pageSize=0",
    "pageSize=1001",
    `deviceId=${long(257)}`,
    "startTime=x",
    "startTime=20260102T000000Z&endTime=20260101T000000Z",
  ])("refuses %s", async (query) => {
    const h = harness();
    expect(await h.call("GET", `${path}?${query}`)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.commands.query).not.toHaveBeenCalled();
  });
  test("an unknown device is 200 100418", async () => {
    const h = harness();
    h.commands.query.mockImplementation(failing("DEVICE_NOT_FOUND"));
    expect(await h.call("GET", `${path}?deviceId=d`)).toMatchObject({ status: 200, json: { error_code: "100418" } });
  });
});
