import { expect, test } from "bun:test";
import { compileProduct } from "./compile";
import type { Parameter, Product } from "./product";

const parameter = (given: Partial<Parameter>): Parameter => ({
  name: "p",
  dataType: "int",
  required: false,
  min: undefined,
  max: undefined,
  step: undefined,
  maxLength: undefined,
  unit: undefined,
  enumList: undefined,
  ...given,
});

function compiled(properties: Parameter[], paras: Parameter[] = []) {
  const service = {
    serviceId: "S",
    serviceType: "T",
    option: "Optional" as const,
    description: undefined,
    properties: properties.map((it) => ({ ...it, method: "RWE" })),
    commands: [{ name: "C", paras, responses: [] }],
  };
  const model = compileProduct({ services: [service] } as unknown as Product).services.get("S");
  if (!model) throw new Error("no service");
  return model;
}

const VALUES: [given: Partial<Parameter>, fits: unknown[], misfits: [value: unknown, why: string][]][] = [
  [
    { dataType: "int", min: -40, max: 125 },
    [-40, 0, 125, 25.0],
    [
      [-41, "-41 is under the minimum -40"],
      [900, "900 is over the maximum 125"],
      [1.5, "is not a whole number"],
      ["5", "is not a whole number"],
      [null, "is not a whole number"],
      [true, "is not a whole number"],
      [2 ** 53, "is not a whole number"],
    ],
  ],
  [{ dataType: "long" }, [0, -(2 ** 52)], [[Number.NaN, "is not a whole number"]]],
  [{ dataType: "int", enumList: ["0", "1"] }, [0, 1], [[2, "2 is not in the list of values"]]],
  [
    { dataType: "decimal", min: 0.5 },
    [0.5, 1e300],
    [
      [0.4, "0.4 is under the minimum 0.5"],
      ["0.5", "is not a number"],
      [Number.POSITIVE_INFINITY, "is not a number"],
    ],
  ],
  [{ dataType: "float", max: 0 }, [-1, 0], [[0.1, "0.1 is over the maximum 0"]]],
  [{ dataType: "double" }, [0], [[{}, "is not a number"]]],
  [
    { dataType: "string", maxLength: 3 },
    ["", "565", "äöü", "😀😀😀"],
    [
      ["5656", "is longer than 3 characters"],
      ["😀😀😀😀", "is longer than 3 characters"],
      [565, "is not a string"],
      [null, "is not a string"],
    ],
  ],
  [{ dataType: "string", enumList: ["ON", "OFF"] }, ["ON"], [["on", '"on" is not in the list of values']]],
  [{ dataType: "enum", enumList: ["A"] }, ["A"], [["B", '"B" is not in the list of values']]],
  [
    { dataType: "DateTime" },
    ["20151212T121212Z"],
    [
      ["20150231T121212Z", "is not a time like 20151212T121212Z"],
      ["2015-12-12T12:12:12Z", "is not a time like 20151212T121212Z"],
      [1449922332, "is not a time like 20151212T121212Z"],
    ],
  ],
  [
    { dataType: "jsonObject", maxLength: 9 },
    [{}, { a: 1 }],
    [
      [[], "is not an object"],
      ["{}", "is not an object"],
      [null, "is not an object"],
      [{ a: 1_000_000 }, "is longer than 9 characters"],
    ],
  ],
  [
    { dataType: "boolean" },
    [true, false],
    [
      [1, "is not a boolean"],
      ["true", "is not a boolean"],
    ],
  ],
  [
    { dataType: "string list", maxLength: 2 },
    [[], ["ab", ""]],
    [
      ["ab", "is not a list of strings"],
      [["ab", 1], "is not a string"],
      [["abc"], "is longer than 2 characters"],
    ],
  ],
];
for (const [given, fits, misfits] of VALUES) {
  const title = Object.values(given).join(" ");
  const { checkReport } = compiled([parameter(given)]);
  for (const value of fits)
    test(`${title}: ${JSON.stringify(value)} fits`, () => expect(checkReport({ p: value })).toBeUndefined());
  for (const [value, why] of misfits)
    test(`${title}: ${JSON.stringify(value)} does not fit`, () => expect(checkReport({ p: value })).toBe(`p: ${why}`));
}

test("a report may leave out properties, also required ones, but not invent them", () => {
  const { checkReport } = compiled([parameter({ name: "a", required: true }), parameter({ name: "b" })]);
  expect(checkReport({})).toBeUndefined();
  expect(checkReport({ b: 1 })).toBeUndefined();
  expect(checkReport({ a: 1, c: 1 })).toBe("c: is not a property of S");
  expect(checkReport(JSON.parse('{"__proto__": 1}'))).toBe("__proto__: is not a property of S");
  expect(checkReport({ toString: 1 })).toBe("toString: is not a property of S");
  expect(checkReport({ ["x".repeat(5_000)]: 1 })?.length).toBeLessThan(100);
});

test("a command needs its required parameters and refuses unknown ones", () => {
  const command = compiled(
    [],
    [parameter({ name: "a", required: true }), parameter({ name: "b", max: 3 })],
  ).commands.get("C");
  expect(command?.check({ a: 1, b: 2 })).toBeUndefined();
  expect(command?.check({ a: 1 })).toBeUndefined();
  expect(command?.check({ b: 2 })).toBe("a: is missing");
  expect(command?.check({ a: 1, b: 4 })).toBe("b: 4 is over the maximum 3");
  expect(command?.check({ a: 1, d: 4 })).toBe("d: is not a parameter of C");
});

test("a product without services is a pass-through product", () => {
  expect(compileProduct({ services: [] } as unknown as Product).passThrough).toBe(true);
});
