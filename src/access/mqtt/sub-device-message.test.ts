import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { parseSubDeviceRequest, renderAnswer } from "./sub-device-message";

const parse = (value: unknown, max = 3) =>
  parseSubDeviceRequest(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), max);
const long = (length: number) => "x".repeat(length);
const list = (...devices: unknown[]) => devices;

test("adds with all that is known of a device", () => {
  const info = {
    ...{ name: "n", description: "d", mac: "m", location: "l", serialNumber: "s", bridgeId: "b" },
    ...{ swVersion: "1", fwVersion: "2", hwVersion: "3" },
    ...{ manufacturerId: "a", manufacturerName: "b", deviceType: "c", model: "d", protocolType: "MQTT" },
  };
  const device = { nodeId: "node", productId: "p", ...info, unknown: [1], secret: "not taken" };
  expect(parse({ id: "r", type: "add", devices: [device] })).toEqual({
    ...{ kind: "request", id: "r", type: "add" },
    entries: [{ named: { nodeId: "node" }, task: { kind: "add", nodeId: "node", productId: "p", info } }],
  });
});
test("null and empty say the same as nothing", () => {
  const device = { nodeId: "node", productId: null, name: "", mac: null };
  expect(parse({ type: "add", devices: [device] })).toMatchObject({
    id: undefined,
    entries: [{ task: { kind: "add", nodeId: "node", info: {} } }],
  });
});
test("deletes and tells the status, by deviceId or nodeId", () => {
  expect(parse({ id: 0, type: "delete", devices: list({ deviceId: "d" }, { nodeId: "n" }) })).toMatchObject({
    entries: [{ task: { kind: "delete", id: "d" } }, { task: { kind: "delete", id: "n" } }],
  });
  const devices = [
    { nodeId: "n", deviceId: "d", status: "ONLINE" },
    { nodeId: "n", status: "OFFLINE", statusDetail: "DUTY_CYCLE" },
  ];
  expect(parse({ type: "status", devices })).toMatchObject({
    entries: [
      { named: { nodeId: "n", deviceId: "d" }, task: { kind: "status", id: "d", status: "ONLINE" } },
      { task: { id: "n", status: "OFFLINE", detail: "DUTY_CYCLE" } },
    ],
  });
});

const one = { nodeId: "n" };
const REFUSED: [name: string, value: unknown][] = [
  ["no JSON", "{"],
  ["no object", []],
  ["nothing", "null"],
  ["an id that is neither", { id: 1.5, type: "add", devices: [one] }],
  ["an id that is too long", { id: long(65), type: "add", devices: [one] }],
  ["an unknown type", { type: "toString", devices: [one] }],
  ["no type", { devices: [one] }],
  ["no list", { type: "add", devices: one }],
  ["an empty list", { type: "add", devices: [] }],
  ["more than may be", { type: "add", devices: [one, one, one, one] }],
];
test.each(REFUSED)("%s is refused as a whole", (_name, value) =>
  expect(parse(value)).toMatchObject({ kind: "refused" }),
);
test("what is no UTF-8 is refused", () => {
  expect(parseSubDeviceRequest(Uint8Array.of(0x7b, 0xff, 0x7d), 3)).toMatchObject({ kind: "refused" });
});

const MISFITS: [type: string, device: unknown, reason: string][] = [
  ["add", 7, "no object"],
  ["add", null, "no object"],
  ["add", {}, "nodeId"],
  ["add", { nodeId: "" }, "nodeId"],
  ["add", { nodeId: long(257) }, "nodeId"],
  ["add", { nodeId: "\ud800" }, "nodeId"],
  ["add", { deviceId: "d" }, "nodeId"],
  ["add", { ...one, name: 7 }, "name"],
  ["add", { ...one, name: long(257) }, "name"],
  ["add", { ...one, location: long(1_025) }, "location"],
  ["add", { ...one, description: long(2_049) }, "description"],
  ["add", { ...one, productId: {} }, "productId"],
  ["delete", {}, "deviceId or nodeId"],
  ["delete", { deviceId: 5 }, "deviceId or nodeId"],
  ["status", one, "status"],
  ["status", { ...one, status: "ABNORMAL" }, "status"],
  ["status", { ...one, status: "ONLINE", statusDetail: "DUTY_CYCLE" }, "statusDetail"],
  ["status", { ...one, status: "OFFLINE", statusDetail: "UE_REACHABILITY" }, "statusDetail"],
  ["status", { ...one, status: "OFFLINE", statusDetail: 5 }, "statusDetail"],
];
test.each(MISFITS)("%s %j is a misfit of its own", (type, device, reason) => {
  const parsed = parse({ type, devices: [device, { nodeId: "good", status: "ONLINE" }] });
  expect(parsed).toMatchObject({
    entries: [{ task: undefined, reason: expect.stringContaining(reason) }, { named: { nodeId: "good" } }],
  });
  if (parsed.kind === "request") expect(parsed.entries[1]?.task).toBeDefined();
});

describe("the answer", () => {
  test("has the outcomes at their places", () => {
    const request = parse({ id: 1, type: "delete", devices: list({ nodeId: "a" }, 5, { deviceId: "c" }) });
    if (request.kind !== "request") throw new Error(request.reason);
    const answer = renderAnswer(request, [
      { done: true, deviceId: "p_a" as never, nodeId: "a" },
      { done: false, code: "DEVICE_NOT_FOUND", reason: undefined },
    ]);
    expect(JSON.parse(JSON.stringify(answer))).toEqual({
      ...{ id: 1, type: "delete", errcode: 1 },
      devices: [
        { deviceId: "p_a", nodeId: "a", errcode: 0 },
        { errcode: 1, error: "INPUT_INVALID", reason: "is no object" },
        { deviceId: "c", errcode: 1, error: "DEVICE_NOT_FOUND" },
      ],
    });
  });
});

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
test(`random requests never throw (FUZZ_SEED=${seed})`, () => {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const values = [null, 0, -1, 1e99, "", "add", "status", "ONLINE", "\ud800", [], {}, [[]], true, long(300)];
  const keys = ["id", "type", "devices", "nodeId", "deviceId", "status", "statusDetail", "__proto__", "name", "model"];
  const object = (depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length: 5 }, () => [
        pick(keys),
        depth > 2
          ? pick(values)
          : pick<() => unknown>([() => object(depth + 1), () => [object(depth + 1)], () => pick(values)])(),
      ]),
    );
  for (let round = 0; round < 5_000; round++) {
    const parsed = parse({
      type: pick(["add", "status", "delete"]),
      devices: [object(0)],
      ...(random() < 0.5 && object(0)),
    });
    if (parsed.kind === "request") renderAnswer(parsed, []);
  }
});
