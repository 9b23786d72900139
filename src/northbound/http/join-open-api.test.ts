import { expect, test } from "bun:test";
import { joinOpenApi } from "./join-open-api";

const OURS = {
  openapi: "3.1.0",
  tags: [{ name: "Ours" }],
  paths: { "/a": { get: {} } },
  components: { schemas: { A: { type: "string" } } },
};
const THEIRS = { paths: { "/b": { get: {} } }, components: { schemas: { B: {} }, securitySchemes: { token: {} } } };

test("keeps what each API says, and the head of the first", () => {
  expect(joinOpenApi(OURS, THEIRS)).toEqual({
    openapi: "3.1.0",
    tags: [{ name: "Ours" }],
    paths: { "/a": { get: {} }, "/b": { get: {} } },
    components: { schemas: { A: { type: "string" }, B: {} }, securitySchemes: { token: {} } },
  } as typeof OURS);
});

test.each([
  ["path", { paths: { "/a": {} } }],
  ["schema", { components: { schemas: { A: {} } } }],
])("a %s that both have is a mistake of ours", (_name, other) => {
  expect(() => joinOpenApi(OURS, other)).toThrow("two APIs describe");
});
