import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { CsvError, csvParser, renderCsvRow } from "./csv";
import { readHeader, readRegistration } from "./registration-rows";

const bytes = (text: string) => new TextEncoder().encode(text);
function parse(input: string | Uint8Array, piece = Number.MAX_SAFE_INTEGER, maxRowChars = 50) {
  const parser = csvParser({ maxRowChars });
  const all = typeof input === "string" ? bytes(input) : input;
  const rows = [];
  for (let at = 0; at < all.length; at += piece) rows.push(...parser.push(all.subarray(at, at + piece)));
  return [...rows, ...parser.end()];
}
const cells = (input: string, piece?: number) => parse(input, piece).map((row) => row.cells);

const TEXTS: [name: string, text: string, rows: string[][]][] = [
  ["nothing", "", []],
  ["one line without an end", "a,b", [["a", "b"]]],
  ["LF", "a\nb\n", [["a"], ["b"]]],
  [
    "CRLF",
    "a,1\r\nb,2\r\n",
    [
      ["a", "1"],
      ["b", "2"],
    ],
  ],
  ["CR", "a\rb", [["a"], ["b"]]],
  ["empty lines", "\n\na\n\r\n\nb\n\n", [["a"], ["b"]]],
  [
    "empty cells",
    ",\na,,b",
    [
      ["", ""],
      ["a", "", "b"],
    ],
  ],
  ["a byte order mark", "\uFEFFa,b", [["a", "b"]]],
  ["blanks", " a b , c\t\n", [["a b", "c"]]],
  ["quotes", '"a,b","c ""d""",""\n', [["a,b", 'c "d"', ""]]],
  ["a line break in quotes", '"a\r\nb\nc",d\n', [["a\r\nb\nc", "d"]]],
  ["blanks around quotes and inside", ' " a " , b\n', [[" a ", "b"]]],
  ["other scripts", "阀门,é,🙂", [["阀门", "é", "🙂"]]],
];
describe.each(TEXTS)("%s", (_name, text, rows) => {
  test.each([Number.MAX_SAFE_INTEGER, 1, 2, 3])("in pieces of %i", (piece) => {
    expect(cells(text, piece)).toEqual(rows);
  });
});

test("lines are counted as an editor does", () => {
  expect(parse('a\r\n\r\n"b\r\nc"\rd\ne').map(({ line }) => line)).toEqual([1, 3, 5, 6]);
});

const WRONG: [text: string | Uint8Array, line: number, reason: string][] = [
  ['a\n"b', 2, "never closed"],
  ['a\n"b"c', 2, "behind a closing quote"],
  ['a"b', 1, "inside a cell"],
  [`a\n${"x".repeat(51)}`, 2, "50 characters"],
  [`a\n"${"\n".repeat(60)}`, 2, "50 characters"],
  [new Uint8Array([0x61, 0x0a, 0xff]), 1, "UTF-8"],
  [new Uint8Array([0x61, 0x0a, 0xe9]), 2, "UTF-8"],
];
test.each(WRONG)("%p is refused", (text, line, reason) => {
  const refused = (() => {
    try {
      return parse(text);
    } catch (error) {
      return error;
    }
  })();
  expect(refused).toBeInstanceOf(CsvError);
  expect((refused as CsvError).message).toContain(reason);
  expect((refused as CsvError).line).toBe(line);
});

test("what is rendered comes back, in whatever pieces", () => {
  const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const letters = ["a", " ", ",", '"', "\r", "\n", "é", "🙂", "\t"];
  const text = () =>
    Array.from({ length: Math.floor(random() * 6) }, () => letters[Math.floor(random() * letters.length)]).join("");
  for (let round = 0; round < 500; round++) {
    const rows = Array.from({ length: 4 }, () => ["x", text(), text()]);
    expect(cells(rows.map(renderCsvRow).join(""), 1 + Math.floor(random() * 7))).toEqual(rows);
  }
});

const row = (...of: string[]) => ({ line: 4, cells: of });
test.each([
  [["nodeId"], ["nodeId"]],
  [
    ["NODEID", "Psk", "devicename"],
    ["nodeId", "psk", "deviceName"],
  ],
] as const)("the header %j is understood", (given, expected) => {
  expect(readHeader(row(...given))).toEqual([...expected]);
});
test.each([
  [["secret"], "nodeId is missing"],
  [["nodeId", "colour"], "no column colour"],
  [["nodeId", "nodeid"], "there twice"],
])("the header %j is refused", (given, reason) => {
  expect(() => readHeader(row(...given))).toThrow(reason);
});

const COLUMNS = ["nodeId", "secret", "deviceName", "isSecure", "timeout", "imsi"] as const;
test("a row becomes what registering needs", () => {
  expect(readRegistration(COLUMNS, row("n1", "s", "Meter", "TRUE", "60", "46000"))).toEqual({
    nodeId: "n1",
    row: { nodeId: "n1", secret: "s", isSecure: true, timeoutS: 60, info: { name: "Meter", imsi: "46000" } },
  });
  expect(readRegistration(COLUMNS, row("n1"))).toEqual({ nodeId: "n1", row: { nodeId: "n1", info: {} } });
});
test.each([
  [["", "s"], "nodeId"],
  [["n".repeat(257)], "nodeId"],
  [["n1", "", "", "maybe"], "isSecure"],
  [["n1", "", "", "", "-1"], "timeout"],
  [["n1", "", "x".repeat(257)], "deviceName"],
  [["n1", "", "", "", "", "1".repeat(65)], "imsi"],
  [["n1", "a", "b", "true", "1", "2", "7th"], "(row)"],
])("the row %j is refused", (given, field) => {
  expect(readRegistration(COLUMNS, row(...given)).error).toMatchObject({
    code: "INPUT_INVALID",
    details: { line: 4, field },
  });
});
test("a secret is never repeated", () => {
  const { error } = readRegistration(COLUMNS, row("n1", "topsecret", "", "maybe"));
  expect(JSON.stringify(error)).not.toContain("topsecret");
});
