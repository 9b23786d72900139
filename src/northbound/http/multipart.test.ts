import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { type MultipartLimits, readMultipart } from "./multipart";

const B = "----b0undary";
const part = (head: string, body: string) => `--${B}\r\n${head}\r\n\r\n${body}\r\n`;
const field = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value);
const file = (fileName: string, value: string) =>
  part(`Content-Disposition: form-data; name="file"; filename="${fileName}"\r\nContent-Type: application/zip`, value);
const END = `--${B}--\r\n`;

async function read(
  body: string,
  options: { cut?: number; limits?: MultipartLimits; type?: string; leave?: boolean } = {},
) {
  const bytes = Buffer.from(body, "latin1");
  const cut = options.cut ?? bytes.length;
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(Uint8Array.from(bytes.subarray(at, at + cut)));
      at += cut;
    },
  });
  const type = options.type ?? `multipart/form-data; boundary=${B}`;
  const request = new Request("http://h/", { method: "POST", headers: { "content-type": type }, body: stream });
  const files: string[] = [];
  try {
    const fields = await readMultipart(
      request,
      async (name, fileName, chunks) => {
        const found: Uint8Array[] = [];
        if (!options.leave) for await (const chunk of chunks) found.push(Uint8Array.from(chunk));
        files.push(`${name} ${fileName}: ${Buffer.concat(found).toString("latin1")}`);
      },
      options.limits,
    );
    return { fields, files };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return `${error.code} ${error.details.reason ?? JSON.stringify(error.details)}`;
  }
}

const tricky = `\r\n--${B.slice(0, 6)}\r\n-${"\0\xff".repeat(50)}\r\n--`;
const FORM = `${field("a", "1")}${file("x y.zip", tricky)}${field("b", "")}${field("a", "zwei\r\nZeilen")}${END}`;
const READ = {
  fields: [
    ["a", "1"],
    ["b", ""],
    ["a", "zwei\r\nZeilen"],
  ],
  files: [`file x y.zip: ${tricky}`],
};

test("a form is read, wherever its chunks are cut", async () => {
  for (let cut = 1; cut <= FORM.length; cut++) expect(await read(FORM, { cut })).toEqual(READ as never);
});
test("a file that nobody reads is passed over", async () => {
  expect(await read(FORM, { cut: 5, leave: true })).toEqual({ ...READ, files: ["file x y.zip: "] } as never);
});
test("what a program makes is understood", async () => {
  const form = new FormData();
  form.append('na"me', "wärme");
  form.append("file", new File(["abc"], 'a "b".zip'));
  const request = new Request("http://h/", { method: "POST", body: form });
  const files: string[] = [];
  const fields = await readMultipart(request, async (_name, fileName) => void files.push(fileName));
  expect(fields).toEqual([['na"me', "wärme"]]);
  expect(files).toEqual(['a "b".zip']);
});
test("a quoted boundary, a preamble and an empty form are fine", async () => {
  const type = `Multipart/Form-Data; charset=x; boundary="${B}"`;
  expect(await read(`hello\r\n${field("a", "1")}${END}bye`, { type })).toEqual({ fields: [["a", "1"]], files: [] });
  expect(await read(END)).toEqual({ fields: [], files: [] });
});

describe("is refused:", () => {
  test("cut anywhere", async () => {
    const whole = FORM.length - "--\r\n".length;
    for (let length = 0; length < whole; length++)
      expect(await read(FORM.slice(0, length))).toStartWith("BODY_MALFORMED the form ");
  });
  test.each<[string, string, string, object]>([
    ["another type", FORM, 'MEDIA_TYPE_UNSUPPORTED {"expected":"multipart/form-data"}', { type: "application/json" }],
    ["no boundary", FORM, 'MEDIA_TYPE_UNSUPPORTED {"expected":"multipart/form-data"}', { type: "multipart/form-data" }],
    ["another boundary", "x".repeat(5_000), "BODY_MALFORMED the form has no boundary, or too long a head", {}],
    [
      "a long head",
      part(`X: ${"y".repeat(9_000)}`, ""),
      "BODY_MALFORMED the form has no boundary, or too long a head",
      {},
    ],
    [
      "no name",
      part("Content-Disposition: form-data", "1") + END,
      "BODY_MALFORMED the form has a part without a name",
      {},
    ],
    ["no head", `--${B}\r\n\r\n1\r\n${END}`, "BODY_MALFORMED the form has a part without a name", {}],
    ["letters after a boundary", `--${B}xx`, "BODY_MALFORMED the form has a boundary that does not end", {}],
    [
      "a field that is not UTF-8",
      field("a", "\xff") + END,
      "BODY_MALFORMED the form has a field a that is not UTF-8",
      {},
    ],
    [
      "a long field",
      field("a", "123") + END,
      'PAYLOAD_TOO_LARGE {"field":"a","maxBytes":2}',
      { limits: { maxFields: 9, maxFieldBytes: 2 } },
    ],
    ["many fields", FORM, 'PAYLOAD_TOO_LARGE {"maxFields":1}', { limits: { maxFields: 1, maxFieldBytes: 99 } }],
  ])("%s", async (_name, body, expected, options) => {
    expect(await read(body, options)).toBe(expected);
  });
});
