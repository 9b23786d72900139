import { describe, expect, test } from "bun:test";
import { smokeMessages } from "../../capabilities/codecs/testing/smoke";
import { AT_TEXT, codec, startApi } from "./testing/fake-ports";

const SCRIPT = { kind: "script", source: "function decode() {} function encode() {}" } as const;
const RESOURCE = { ...SCRIPT, revision: 2, createdAt: AT_TEXT, modifiedAt: AT_TEXT };

describe("PUT /products/{productId}/codec", () => {
  test("takes a script", async () => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("PUT", "/products/p1/codec", SCRIPT);
    expect([status, body]).toEqual([200, RESOURCE]);
    expect(calls).toEqual([["set", "p1", SCRIPT]]);
  });
  test("takes messages", async () => {
    const { ask } = startApi();
    const definition = { kind: "messages", messages: smokeMessages() };
    const { status, body } = await ask("PUT", "/products/p1/codec", definition);
    expect([status, body]).toEqual(
      [200, { ...RESOURCE, source: undefined, ...definition }].map((it) => JSON.parse(JSON.stringify(it))),
    );
  });
  test("tells where a script is wrong", async () => {
    const { status, body } = await startApi().ask("PUT", "/products/p1/codec", { kind: "script", source: "bad" });
    expect([status, body]).toMatchObject([
      422,
      { code: "CODEC_INVALID", detail: "SyntaxError: no", details: { line: 3, column: 7 } },
    ]);
  });
  test("tells all that is wrong with messages", async () => {
    const { status, body } = await startApi().ask("PUT", "/products/p1/codec", { kind: "messages", messages: [] });
    expect([status, body.errors]).toEqual([422, [{ path: "messages", reason: "there is no message" }]]);
  });
  test.each([
    ["no kind", { source: "x" }],
    ["another kind", { kind: "java", source: "x" }],
    ["a script without source", { kind: "script" }],
    ["an empty script", { kind: "script", source: "" }],
    ["a field too many", { ...SCRIPT, x: 1 }],
    ["a message of no type", { kind: "messages", messages: [{ name: "x", fields: [] }] }],
    [
      "an unknown data type",
      { kind: "messages", messages: [{ type: "dataReport", name: "x", fields: [{ name: "a", dataType: "float" }] }] },
    ],
    ["nothing", {}],
  ])("refuses %s", async (_name, body) => {
    const { ask, calls } = startApi();
    const answer = await ask("PUT", "/products/p1/codec", body);
    expect([answer.status, answer.body.code, calls]).toEqual([400, "INPUT_INVALID", []]);
  });
});

test("GET and DELETE", async () => {
  const { ask, calls } = startApi();
  expect(await ask("GET", "/products/p1/codec")).toMatchObject({ status: 200, body: RESOURCE });
  expect((await ask("DELETE", "/products/p1/codec")).status).toBe(204);
  expect(calls).toEqual([["remove", "p1"]]);
  for (const method of ["GET", "DELETE"])
    expect((await ask(method, "/products/other/codec")).body.code).toBe("PRODUCT_NOT_FOUND");
});

describe("POST /products/{productId}/codec/try", () => {
  test("decodes", async () => {
    const { ask, calls } = startApi();
    const { status, body } = await ask("POST", "/products/p1/codec/try", { direction: "decode", hex: "0001fF" });
    expect([status, body]).toEqual([
      200,
      {
        steps: { kind: "script", passed: { payload: [1], topic: "" }, returned: "{}" },
        result: { failed: "script_error", detail: "no message" },
        fitsModel: false,
        misfits: [],
      },
    ]);
    const input = { direction: "decode", payload: Uint8Array.of(0, 1, 255), topic: "" };
    expect(calls).toEqual([["tryOut", "p1", input, undefined]]);
  });
  test("encodes commands and answers to reports, with a codec that is not stored", async () => {
    const { ask, calls } = startApi();
    const json = { msgType: "cloudReq", serviceId: "S", cmd: "C" };
    await ask("POST", "/products/p1/codec/try", { direction: "encode", json, codec: codec.definition });
    await ask("POST", "/products/p1/codec/try", { direction: "encode", json: { msgType: "cloudRsp", request: "00" } });
    const rsp = { msgType: "cloudRsp", request: Uint8Array.of(0), errcode: 0, hasMore: 0 };
    expect(calls).toEqual([
      ["tryOut", "p1", { direction: "encode", message: { ...json, paras: {}, mid: 1, hasMore: 0 } }, codec.definition],
      ["tryOut", "p1", { direction: "encode", message: rsp }, undefined],
    ] as never);
  });
  test.each([
    [{ direction: "decode", hex: "0" }],
    [{ direction: "decode", hex: "0x00" }],
    [{ direction: "decode" }],
    [{ direction: "decode", json: {} }],
    [{ direction: "encode", json: { msgType: "deviceReq" } }],
    [{ direction: "encode", json: { msgType: "cloudReq", serviceId: "S", cmd: "C", mid: 65_536 } }],
    [{ direction: "up", hex: "00" }],
    [{ direction: "decode", hex: "00", codec: { kind: "script" } }],
  ])("%j is refused", async (body) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", "/products/p1/codec/try", body)).body.code).toBe("INPUT_INVALID");
    expect(calls).toEqual([]);
  });
});
