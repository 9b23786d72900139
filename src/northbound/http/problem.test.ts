import { describe, expect, test } from "bun:test";
import { HTTPException } from "hono/http-exception";
import { DOMAIN_ERROR_CODES, DomainError } from "../../platform/domain-error";
import { codeOf, PROBLEMS, renderProblem } from "./problem";

const render = async (error: unknown) => {
  const response = renderProblem(error, { path: "/p", requestId: "r" });
  return { response, body: (await response.json()) as Record<string, unknown> };
};

test.each([...DOMAIN_ERROR_CODES])("%s is the caller's error with a title", async (code) => {
  const { status, title } = PROBLEMS[code];
  const { response, body } = await render(new DomainError(code));
  expect(response.status).toBe(status);
  expect(body).toEqual({
    type: expect.stringMatching(/^urn:islet:problem:[a-z-]+$/),
    title,
    status,
    instance: "/p",
    code,
    requestId: "r",
  });
  expect(title.length).toBeGreaterThan(10);
  expect([500, undefined]).not.toContain(status);
});

describe("of an error", () => {
  test("reason, issues and the other details are told", async () => {
    const details = {
      reason: "why",
      issues: [
        { field: "a.b", reason: "no" },
        { path: "c[0]", reason: "odd" },
      ],
      limit: 3,
    };
    expect((await render(new DomainError("INPUT_INVALID", details))).body).toMatchObject({
      detail: "why",
      errors: [
        { path: "a.b", reason: "no" },
        { path: "c[0]", reason: "odd" },
      ],
      details: { limit: 3 },
    });
  });
  test("nothing is told when it is our fault", async () => {
    const { response, body } = await render(new Error("disk /data/x gone"));
    expect(response.status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("disk");
  });
  test("a missing session names the way to get one", async () => {
    expect((await render(new DomainError("UNAUTHENTICATED"))).response.headers.get("www-authenticate")).toBe("Bearer");
  });
});

test.each([
  ["a refusal of Hono", new HTTPException(400), "BODY_MALFORMED"],
  ["a content type that Hono refused", new HTTPException(415), "MEDIA_TYPE_UNSUPPORTED"],
  ["a fault of Hono", new HTTPException(500), "INTERNAL"],
  ["a code without a line in the table", new DomainError("NEWER" as never), "INTERNAL"],
  ["anything else", {}, "INTERNAL"],
])("%s has its code", (_name, error, code) => expect(codeOf(error)).toBe(code as never));
