import type { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { systemClock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import { eventBus } from "../../platform/events";
import { randomIds } from "../../platform/ids";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { groupCommit } from "../../platform/storage/group-commit";
import { openDatabase } from "../../platform/storage/open-database";
import type { AppId, Application } from "../applications/application";
import type { ProductEvents, ProductId } from "../products/product";
import { productService } from "../products/product-service";
import { CODEC_DEFAULTS, type CodecSettings } from "./codec-settings";
import { type OpenedCodecs, openCodecs } from "./open-codecs";
import { SMOKE_SCRIPT, setAlarm, smokeMessages } from "./testing/smoke";

const APP = "app" as AppId;
let opened: OpenedCodecs | undefined;
let db: Database;
afterEach(() => {
  opened?.stop();
  db.close();
});

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const MESSAGES = { kind: "messages", messages: smokeMessages() } as const;
const SCRIPT = { kind: "script", source: SMOKE_SCRIPT } as const;

/** The capability on a real database, with the product of codec.md 3.8. */
async function open(settings: Partial<CodecSettings> = {}) {
  db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  db.run(
    `INSERT INTO application (no, id, name, store_history, push_enabled, frozen, secret_hash, token_generation, sign_pushes, signing_generation, created_at_ms)
     VALUES (1, ?, 'a', 1, 1, 0, '', 0, 0, 0, 0)`,
    [APP],
  );
  const application = { no: 1 } as Application;
  const productEvents = eventBus<ProductEvents>();
  const transactor = groupCommit(db);
  const applications = { get: () => application, find: () => application };
  const products = productService({
    ...{ db, transactor, applications, events: productEvents, ids: randomIds, clock: systemClock },
  });
  const parameter = (paraName: string, required: boolean) => ({ paraName, dataType: "int", required });
  const property = (propertyName: string, dataType: string, max?: number) => ({
    ...{ propertyName, dataType, required: propertyName === "level", method: "RE" },
    ...(max !== undefined && { min: 0, max }),
  });
  const { no, id } = await products.importJson(APP, {
    devicetype: {
      devices: [
        {
          ...{ manufacturerId: "M", manufacturerName: "Maker", model: "S", deviceType: "Smoke", protocolType: "MQTT" },
          serviceTypeCapabilities: [{ serviceId: "Smoke", serviceType: "Smoke", option: "Mandatory" }],
        },
      ],
    },
    servicetypes: [
      {
        services: [
          {
            serviceType: "Smoke",
            properties: [property("level", "int", 1_000), property("note", "string"), property("raw", "string")],
            commands: [
              {
                commandName: "SET_ALARM",
                paras: [parameter("value", true)],
                responses: [{ responseName: "SET_ALARM_RSP", paras: [parameter("result", false)] }],
              },
            ],
          },
        ],
      },
    ],
  });
  const metrics = createMetrics();
  const start = () =>
    openCodecs({
      ...{ db, transactor, products, productEvents, clock: systemClock, log: silentLog, metrics: createMetrics() },
      settings: { ...CODEC_DEFAULTS, ...settings },
    });
  opened = openCodecs({
    ...{ db, transactor, products, productEvents, clock: systemClock, log: silentLog, metrics },
    settings: { ...CODEC_DEFAULTS, ...settings },
  });
  return { ...opened, no, id, products, transactor, metrics, start };
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "nothing",
    (error: unknown) => (error instanceof DomainError ? error.code : error),
  );
const detailsOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: DomainError) => error.details,
  );

describe.each([
  ["messages", MESSAGES],
  ["script", SCRIPT],
] as const)("a codec of kind %s", (kind, definition) => {
  test("decodes, encodes and answers reports", async () => {
    const { codecs, service, no, id } = await open();
    await service.set(id, definition);
    expect([codecs.has(no), codecs.answersReports(no)]).toEqual([true, true]);
    const decoded = codecs.decode(no, hex("000102"), "/t");
    expect(decoded instanceof Promise).toBe(kind === "script");
    expect(await decoded).toEqual({
      kind: "reports",
      reports: [{ serviceId: "Smoke", data: { level: 258 }, eventTimeMs: undefined }],
      hasMore: false,
    });
    expect(await codecs.decode(no, hex("0400010001"), "/t")).toEqual({
      ...{ kind: "answer", mid: 1, errcode: 0, body: { result: 1 }, hasMore: false },
    });
    expect(await codecs.encode(no, setAlarm({ value: 1 }, 258))).toEqual({ kind: "bytes", bytes: hex("03010201") });
    const answer = (request: string) =>
      codecs.encode(no, { msgType: "cloudRsp", request: hex(request), errcode: 0, hasMore: 0 });
    expect(await answer("000102")).toEqual({ kind: "bytes", bytes: hex("AAAA0000") });
    expect(await answer("010161")).toEqual({ kind: "nothing" });
    expect(await codecs.decode(no, hex("09"), "/t")).toMatchObject({
      ...{ kind: "failed", reason: kind === "script" ? "script_error" : "message_unknown" },
    });
  });
  test("the caller may reuse its buffer, and order holds", async () => {
    const { codecs, service, no, id } = await open();
    await service.set(id, definition);
    const buffer = hex("000000");
    const results = Array.from({ length: 200 }, (_, index) => {
      buffer[2] = index;
      return codecs.decode(no, buffer, "/t");
    });
    const levels: unknown[] = [];
    for (const result of results) {
      const decoded = await result;
      levels.push(decoded.kind === "reports" ? decoded.reports[0]?.data.level : decoded);
    }
    expect(levels).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });
  test("is there after a restart, and gone with its product", async () => {
    const { service, no, id, start, products, codecs } = await open();
    await service.set(id, definition);
    const again = start();
    expect(again.service.get(id)).toMatchObject({ definition, revision: 1 });
    expect(await again.codecs.decode(no, hex("000102"), "/t")).toMatchObject({ kind: "reports" });
    again.stop();
    expect(codecs.has(no)).toBe(true);
    await products.delete(id);
    expect(codecs.has(no)).toBe(false);
    expect(db.query("SELECT * FROM codec").all()).toEqual([]);
  });
});

describe("the store", () => {
  test("a product without codec has none", async () => {
    const { codecs, service, no, id } = await open();
    const missing = { kind: "failed", reason: "codec_missing", detail: "the product has no codec" } as const;
    expect([codecs.has(no), codecs.answersReports(no)]).toEqual([false, false]);
    expect(codecs.decode(no, hex("00"), "/t")).toEqual(missing);
    expect(codecs.encode(no, setAlarm({}, 1))).toEqual(missing);
    expect(() => service.get(id)).toThrow("CODEC_NOT_FOUND");
    expect(await codeOf(service.remove(id))).toBe("CODEC_NOT_FOUND");
    const input = { direction: "decode", payload: hex("00"), topic: "" } as const;
    expect(await codeOf(service.tryOut(id, input))).toBe("CODEC_NOT_FOUND");
  });
  test("a change counts from its commit on", async () => {
    const { codecs, service, no, id, transactor } = await open();
    expect(codecs.has(no)).toBe(false);
    expect(await service.set(id, MESSAGES)).toMatchObject({ revision: 1, productNo: no });
    expect(codecs.has(no)).toBe(true);
    const change = service.set(id, SCRIPT);
    expect(codecs.decode(no, hex("000102"), "/t")).toMatchObject({ kind: "reports" }); // still messages: no promise
    expect(await change).toMatchObject({ revision: 2 });
    expect(codecs.decode(no, hex("000102"), "/t")).toBeInstanceOf(Promise);
    await service.remove(id);
    expect(codecs.has(no)).toBe(false);
    await transactor.settled();
  });
  test("what is looked at inside a transaction that fails is not kept", async () => {
    const { codecs, no, transactor } = await open();
    const work = transactor.write(() => {
      db.run("INSERT INTO codec VALUES (?, 'script', 'x', 1, 0, 0)", [no]);
      expect(codecs.has(no)).toBe(true);
      throw new Error("undone");
    });
    expect(await codeOf(work)).toEqual(new Error("undone"));
    expect(codecs.has(no)).toBe(false);
  });
  test("an unknown product", async () => {
    const { service } = await open();
    const id = "none" as ProductId;
    expect(await codeOf(service.set(id, MESSAGES))).toBe("PRODUCT_NOT_FOUND");
    expect(await codeOf(service.remove(id))).toBe("PRODUCT_NOT_FOUND");
    expect(() => service.get(id)).toThrow("PRODUCT_NOT_FOUND");
  });
  test("a product that is deleted while its script is checked", async () => {
    const { service, id, products } = await open();
    const change = codeOf(service.set(id, SCRIPT));
    await products.delete(id);
    expect(await change).toBe("PRODUCT_NOT_FOUND");
    expect(db.query("SELECT * FROM codec").all()).toEqual([]);
  });
});

describe("what cannot be used is refused and changes nothing", () => {
  test("messages, with all issues", async () => {
    const { service, id } = await open();
    await service.set(id, MESSAGES);
    const messages = smokeMessages();
    (messages[0] as { name: string }).name = "1";
    (messages[1]?.fields[0] as { default: string }).default = "0x0";
    const details = await detailsOf(service.set(id, { kind: "messages", messages }));
    expect(details?.issues).toHaveLength(2);
    expect(service.get(id)).toMatchObject({ revision: 1, definition: MESSAGES });
  });
  test.each([
    ["function decode() {\n  return 1 +;\n}", { line: 2, column: 13 }],
    ["function decode() {}", { reason: "it has no function encode" }],
    ["throw new Error('at load')", { reason: "Error: at load", line: 1 }],
    ["for (;;) {}", { reason: "it ran for more than 300 ms" }],
    ["x".repeat(2_000), { reason: "the script is longer than 1500 bytes" }],
  ])("the script %j", async (source, expected) => {
    const { service, id } = await open({ scriptTimeMs: 300, maxScriptBytes: 1_500 });
    expect(await detailsOf(service.set(id, { kind: "script", source }))).toMatchObject(expected);
    expect(() => service.get(id)).toThrow("CODEC_NOT_FOUND");
  });
});

describe("trying out", () => {
  const decode = (bytes: string) => ({ direction: "decode", payload: hex(bytes), topic: "/t" }) as const;

  test("shows the steps of messages", async () => {
    const { service, id } = await open();
    await service.set(id, MESSAGES);
    expect(await service.tryOut(id, decode("000102"))).toMatchObject({
      steps: {
        kind: "messages",
        message: "smokeinfo",
        fields: [{ field: "messageId" }, { field: "level", value: 258 }],
      },
      result: { kind: "reports" },
      misfits: [],
    });
    expect(await service.tryOut(id, decode("00ffff"))).toMatchObject({
      result: { kind: "reports" },
      misfits: [{ serviceId: "Smoke", reason: "level: 65535 is over the maximum 1000" }],
    });
    expect(await service.tryOut(id, decode("0001"))).toMatchObject({ result: { reason: "bytes_missing" } });
  });
  test("shows what a script got, gave back and threw, and where", async () => {
    const { service, id } = await open();
    await service.set(id, SCRIPT);
    expect(await service.tryOut(id, decode("000102"))).toMatchObject({
      steps: { passed: { payload: [0, 1, 2], topic: "/t" }, outcome: { kind: "returned", text: expect.any(String) } },
    });
    expect(await service.tryOut(id, decode("09"))).toMatchObject({
      steps: { outcome: { kind: "threw", reason: "script_error", message: "Error: unknown message 9", line: 9 } },
      result: { kind: "failed", reason: "script_error", detail: "Error: unknown message 9 (line 9)" },
    });
    expect(
      await service.tryOut(id, { direction: "encode", message: setAlarm({ value: 1, volume: 2 }, 1) }),
    ).toMatchObject({
      steps: { passed: { msgType: "cloudReq", mid: 1 }, outcome: { text: "03000101" } },
      result: { kind: "bytes" },
      misfits: [{ serviceId: "Smoke", reason: "volume: is not a parameter of SET_ALARM" }],
    });
  });
  test.each([
    ["return 'no json'", "decode returned a string that is not JSON"],
    ["return [1]", "decode returned a list"],
    ["return { msgType: 'x' }", "msgType is neither deviceReq nor deviceRsp"],
    ["return { msgType: 'deviceReq', data: {} }", "data is object, not a list"],
    ["return { msgType: 'deviceReq', data: [{ serviceId: '', serviceData: {} }] }", "data[0].serviceId is string"],
    ["return { msgType: 'deviceReq', data: [{ serviceId: 'S' }] }", "data[0].serviceData is undefined"],
    ["return { msgType: 'deviceReq', data: [], hasMore: 2 }", "hasMore is neither 0 nor 1"],
    ["return { msgType: 'deviceRsp', mid: 0, errcode: 0 }", "mid is not a whole number from 1 to 65535"],
    ["return { msgType: 'deviceRsp', mid: 1 }", "errcode is not a whole number"],
    ["return { msgType: 'deviceRsp', mid: 1, errcode: 0, body: 5 }", "body is number"],
  ])("says what is wrong with %s", async (body, detail) => {
    const { service, id } = await open();
    const definition = { kind: "script", source: `function decode() { ${body} } function encode() {}` } as const;
    expect(await service.tryOut(id, decode("00"), definition)).toMatchObject({
      result: { kind: "failed", reason: "script_error", detail },
    });
    expect(() => service.get(id)).toThrow("CODEC_NOT_FOUND"); // it was not stored
  });
  test("an event time and hasMore come through, a malformed time does not", async () => {
    const { service, id } = await open();
    const source = `function decode() { return { msgType: 'deviceReq', hasMore: 1, data: [
      { serviceId: 'Smoke', serviceData: {}, eventTime: '20151212T121212Z' }, { serviceId: 'Smoke', serviceData: {}, eventTime: 'now' }
    ] } } function encode() {}`;
    expect((await service.tryOut(id, decode("00"), { kind: "script", source })).result).toMatchObject({
      hasMore: true,
      reports: [{ eventTimeMs: Date.UTC(2015, 11, 12, 12, 12, 12) }, { eventTimeMs: undefined }],
    });
  });
  test("a codec that cannot be used is refused", async () => {
    const { service, id } = await open();
    expect(await codeOf(service.tryOut(id, decode("00"), { kind: "script", source: "(" }))).toBe("CODEC_INVALID");
    expect(await codeOf(service.tryOut(id, decode("00"), { kind: "messages", messages: [] }))).toBe("CODEC_INVALID");
  });
});

test("a script that runs into its limit again and again rests; another product goes on; all is counted", async () => {
  const { codecs, service, no, id, metrics } = await open({ scriptTimeMs: 100, suspendAfter: 2 });
  await service.set(id, {
    kind: "script",
    source: "function decode(p) { for (;;) {} } function encode() {}",
  });
  const reasons: unknown[] = [];
  for (let call = 0; call < 4; call++) {
    const decoded = await codecs.decode(no, hex("00"), "/t");
    reasons.push(decoded.kind === "failed" && decoded.reason);
  }
  expect(reasons).toEqual(["script_timeout", "script_timeout", "script_suspended", "script_suspended"]);
  await service.set(id, SCRIPT); // a new script is not guilty
  expect(await codecs.decode(no, hex("000102"), "/t")).toMatchObject({ kind: "reports" });
  const text = metrics.render();
  for (const line of [
    'islet_codec_messages_total{direction="decode",outcome="script_timeout"} 2',
    'islet_codec_messages_total{direction="decode",outcome="script_suspended"} 2',
    'islet_codec_messages_total{direction="decode",outcome="done"} 1',
  ])
    expect(text).toContain(line);
});

test("after a stop every call fails with a reason", async () => {
  const { codecs, service, no, id, stop } = await open();
  await service.set(id, SCRIPT);
  const underWay = codecs.decode(no, hex("000102"), "/t");
  stop();
  for (const result of [underWay, codecs.decode(no, hex("000102"), "/t")])
    expect(await result).toMatchObject({ kind: "failed", reason: "codec_busy" });
});
