import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { DomainError, type DomainErrorCode } from "../../platform/domain-error";
import { readFormOrJson } from "./form-body";
import { parseWith, readJson } from "./json-body";

const LIMITS = { maxBytes: 64, maxDepth: 4 };
const JSON_HEADER = { "content-type": "application/json" };

function request(body: string | Uint8Array<ArrayBuffer> | ReadableStream | null, headers: Record<string, string> = {}) {
  return new Request("http://x/", { method: "POST", body, headers: { ...JSON_HEADER, ...headers } });
}
async function codeOf(run: () => unknown): Promise<DomainErrorCode | "none"> {
  try {
    await run();
    return "none";
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}
const streamOf = (...chunks: string[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });

describe("a JSON body", () => {
  const READABLE: [name: string, Request, expected: unknown][] = [
    ["is read", request('{"a":"ä"}'), { a: "ä" }],
    ["may have a byte order mark", request("\ufeff{}"), {}],
    ["may come in pieces without a length", request(streamOf('{"a"', ":1}")), { a: 1 }],
    ["may say charset", request("{}", { "content-type": "application/json; charset=UTF-8" }), {}],
    ["may be of a JSON dialect", request("{}", { "content-type": "application/merge-patch+json" }), {}],
    ["may be nested up to the limit", request('[[[["]]]]]"]]]]'), [[[["]]]]]"]]]]],
    ["may contain what only looks like nesting", request('"[[[[[[\\"[[[["'), '[[[[[["[[[['],
  ];
  test.each(READABLE)("%s", async (_name, it, expected) => {
    expect(await readJson(it, LIMITS)).toEqual(expected as object);
  });

  const REFUSED: [name: string, Request, DomainErrorCode][] = [
    ["that is not JSON", request("{"), "BODY_MALFORMED"],
    ["that is empty", request(""), "BODY_MALFORMED"],
    ["that is absent", request(null), "BODY_MALFORMED"],
    ["that is not UTF-8", request(new Uint8Array([0x22, 0xff, 0x22])), "BODY_MALFORMED"],
    ["that is nested too deeply", request("[[[[[1]]]]]"), "BODY_MALFORMED"],
    ["that is too large", request(`"${"x".repeat(63)}"`), "PAYLOAD_TOO_LARGE"],
    ["whose length says that it is too large", request("{}", { "content-length": "65" }), "PAYLOAD_TOO_LARGE"],
    ["that turns out too large", request(streamOf('"', "x".repeat(63), '"')), "PAYLOAD_TOO_LARGE"],
    ["of another type", request("{}", { "content-type": "text/plain" }), "MEDIA_TYPE_UNSUPPORTED"],
    [
      "of another charset",
      request("{}", { "content-type": "application/json; charset=gbk" }),
      "MEDIA_TYPE_UNSUPPORTED",
    ],
  ];
  test.each(REFUSED)("%s is refused", async (_name, it, code) => {
    expect(await codeOf(() => readJson(it, LIMITS))).toBe(code);
  });

  test("of a million brackets costs no stack", async () => {
    const limits = { maxBytes: 2_000_000, maxDepth: 32 };
    expect(await codeOf(() => readJson(request("[".repeat(1_000_000)), limits))).toBe("BODY_MALFORMED");
  });
});

describe("a form", () => {
  const FORM = { "content-type": "application/x-www-form-urlencoded" };
  const names = new Set(["appId", "secret"]);
  const read = (body: string, headers: Record<string, string> = FORM) =>
    readFormOrJson(request(body, headers), names, LIMITS);

  test("is read like the JSON of the same fields", async () => {
    expect(await read("appId=a+b&secret=%23%C3%A4#&more=1")).toEqual({ appId: "a b", secret: "#ä#" });
    expect(await read('{"appId":"a"}', JSON_HEADER)).toEqual({ appId: "a" });
  });
  test.each(["appId=a&appId=b", "appId=%zz", "appId=%ff"])("%s is malformed", async (body) => {
    expect(await codeOf(() => read(body))).toBe("BODY_MALFORMED");
  });
});

describe("what does not fit the schema", () => {
  const schema = z.object({ name: z.string().min(1).max(3), at: z.object({ deep: z.number() }).optional() });
  test.each([
    [{}, "REQUIRED_MISSING", [{ field: "name", reason: "is required" }]],
    [{ name: "" }, "REQUIRED_MISSING", [{ field: "name", reason: "is required" }]],
    [{ name: null }, "REQUIRED_MISSING", [{ field: "name", reason: "is required" }]],
    [{ name: "long" }, "INPUT_INVALID", [{ field: "name" }]],
    [{ at: { deep: "1" } }, "INPUT_INVALID", [{ field: "name" }, { field: "at.deep" }]],
    [[], "INPUT_INVALID", [{ field: "(the whole)" }]],
  ])("%j is %s and says where", (value, code, issues) => {
    try {
      parseWith(schema, value);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code, details: { issues } });
    }
  });
  test("never repeats the value, which may be a secret", () => {
    const secret = z.object({ secret: z.string().regex(/^\d+$/) });
    try {
      parseWith(secret, { secret: "hunter2" });
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(error instanceof DomainError && error.details)).not.toContain("hunter2");
    }
  });
});
