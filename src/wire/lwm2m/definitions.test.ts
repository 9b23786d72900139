import { expect, test } from "bun:test";
import { declaredType, OBJECT_DEFINITIONS, resourceDefinition } from ".";

test("the objects of the registry that are used are there", () => {
  const wanted = [0, 1, 2, 3, 4, 5, 6, 7, 19, 20];
  for (let id = 3_200; id <= 3_203; id++) wanted.push(id);
  for (let id = 3_300; id <= 3_306; id++) wanted.push(id);
  for (let id = 3_311; id <= 3_350; id++) wanted.push(id);
  expect(wanted.filter((id) => !OBJECT_DEFINITIONS.has(id))).toEqual([]);
});

test("an object is found with its resources", () => {
  const device = OBJECT_DEFINITIONS.get(3);
  expect(device).toMatchObject({ name: "Device", multiple: false, mandatory: true });
  expect(device?.resources.size).toBe(23);
  expect(OBJECT_DEFINITIONS.get(1)).toMatchObject({ multiple: true, mandatory: true });
  expect(OBJECT_DEFINITIONS.get(4)).toMatchObject({ multiple: false, mandatory: false });
});

test.each([
  [
    "a value with units",
    [3, 0, 7],
    { name: "Power Source Voltage", operations: "R", type: "integer", multiple: true, mandatory: false, units: "mV" },
  ],
  ["an action", [3, 0, 4], { name: "Reboot", operations: "E", multiple: false, mandatory: true }],
  ["a package", [5, 0, 0], { name: "Package", operations: "W", type: "opaque", multiple: false, mandatory: true }],
  ["a secret", [0, 0, 5], { name: "Secret Key", operations: "none", type: "opaque", multiple: false, mandatory: true }],
  [
    "the container's data",
    [19, 0, 0],
    { name: "Data", operations: "RW", type: "opaque", multiple: true, mandatory: true },
  ],
  [
    "a sensor's value",
    [3_303, 1, 5_700],
    { name: "Sensor Value", operations: "R", type: "float", multiple: false, mandatory: true },
  ],
  [
    "a log (object 20)",
    [20, 0, 4_014],
    { name: "LogData", operations: "R", type: "opaque", multiple: false, mandatory: true },
  ],
  [
    "what newer locations let be written",
    [6, 0, 0],
    { name: "Latitude", operations: "RW", type: "float", multiple: false, mandatory: true, units: "deg" },
  ],
  [
    "what the registry calls writable",
    [3_310, 0, 5_826],
    { name: "Criticality Level", operations: "RW", type: "integer", multiple: false, mandatory: false },
  ],
  [
    "how well it was measured",
    [3_302, 0, 6_049],
    { name: "Measurement Quality Level", operations: "R", type: "integer", multiple: false, mandatory: false },
  ],
  [
    "a name with a slash",
    [3_342, 0, 5_500],
    { name: "Digital Input State", operations: "R", type: "boolean", multiple: false, mandatory: true },
  ],
])("%s", (_name, path, definition) => {
  expect<unknown>(resourceDefinition(path)).toEqual({ id: path[2], ...definition });
});

test("what is executed has no type, and everything else has one", () => {
  for (const { id, resources } of OBJECT_DEFINITIONS.values()) {
    for (const resource of resources.values()) {
      expect([id, resource.id, resource.type === undefined]).toEqual([id, resource.id, resource.operations === "E"]);
    }
  }
});

test("what is not known has no definition", () => {
  expect(declaredType([3, 0, 999])).toBeUndefined();
  expect(declaredType([33_000, 0, 0])).toBeUndefined();
  expect(declaredType([3, 0])).toBeUndefined();
  expect(declaredType([3, 0, 9])).toBe("integer");
  expect(declaredType([3, 0, 6, 1])).toBe("integer");
});
