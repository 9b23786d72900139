import { expect, test } from "bun:test";
import { docsPage } from "./docs-page";

const DOCUMENT = {
  openapi: "3.1.0",
  info: { title: "An <API>", version: "1", description: "for & about" },
  paths: {
    "/things/{id}": {
      post: {
        operationId: "changeThing",
        tags: ["Things"],
        summary: "Change a thing",
        parameters: [{ name: "id", in: "path", required: true, description: "which", schema: { type: "string" } }],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
        responses: { 204: { description: "Done" } },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string", maxLength: 5, description: "<script>alert(1)</script>" },
          kind: { type: "string", enum: ["a", "b"] },
          parts: { type: "array", items: { $ref: "#/components/schemas/Thing" } },
        },
      },
    },
  },
};

test("shows every operation, parameter and schema", () => {
  const page = docsPage(DOCUMENT);
  for (const text of [
    "An &#60;API&#62;",
    '<details id="changeThing">',
    "POST",
    "/things/{id}",
    "Change a thing",
    '<a href="#schema-Thing">Thing</a>',
    '<h3 id="schema-Thing">Thing</h3>',
    "<code>name</code> *",
    "string, at most 5",
    "<code>a</code> | <code>b</code>",
    'list of <a href="#schema-Thing">Thing</a>',
  ])
    expect(page).toContain(text);
});

test("text of the document is never markup", () => {
  expect(docsPage(DOCUMENT)).not.toContain("<script");
});

test("needs nothing of another host", () => {
  expect(docsPage(DOCUMENT)).not.toMatch(/https?:|src=|@import|url\(|\/\//);
});
