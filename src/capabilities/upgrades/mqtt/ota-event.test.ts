import { expect, test } from "bun:test";
import { seededRandom } from "../../../platform/testing/seeded-random";
import { readOtaEvent } from "./ota-event";

const read = (eventType: string, paras: Record<string, unknown>, kind: "firmware" | "software" = "software") =>
  readOtaEvent({ serviceId: "$ota", eventType, paras }, kind);
const fact = (it: object) => ({ kind: "fact", fact: it });

test.each([
  [{ sw_version: "V1.0", fw_version: "F2" }, "software", fact({ type: "version", version: "V1.0" })],
  [{ sw_version: "V1.0", fw_version: "F2" }, "firmware", fact({ type: "version", version: "F2" })],
  [{ sw_version: "V1.0" }, "firmware", { kind: "nothing" }],
  [{ sw_version: "", fw_version: null }, "software", { kind: "nothing" }],
  [{ fw_version: null }, "firmware", { kind: "nothing" }],
] as const)("the versions %j for %s", (paras, kind, expected) =>
  expect(read("version_report", paras, kind) as object).toEqual(expected),
);

test.each([
  [{ result_code: 0, progress: 0 }, fact({ type: "downloading" })],
  [{ result_code: 0, progress: 99, version: "V1" }, fact({ type: "downloading" })],
  [{ result_code: 0, progress: 100 }, fact({ type: "downloaded" })],
  [{ result_code: 0, progress: 100, version: "V2" }, fact({ type: "succeeded", version: "V2" })],
  [{ result_code: "0", progress: "100", version: "V2" }, fact({ type: "succeeded", version: "V2" })],
  [{ result_code: 0, version: "V2" }, fact({ type: "succeeded", version: "V2" })],
  [{ result_code: 0, version: null, progress: null }, fact({ type: "downloading" })],
  [{ result_code: 1 }, fact({ type: "failed", code: "1", reason: "device in use" })],
  [{ result_code: 4, description: "12 %" }, fact({ type: "failed", code: "4", reason: "low battery: 12 %" })],
  [{ result_code: 255, progress: 50 }, fact({ type: "failed", code: "255", reason: "internal exception" })],
  [{ result_code: 77 }, fact({ type: "failed", code: "77", reason: "unknown result code 77" })],
])("the progress %j", (paras, expected) => expect(read("upgrade_progress_report", paras) as object).toEqual(expected));

test("every result code has its text", () => {
  const texts = Array.from({ length: 10 }, (_, at) => read("upgrade_progress_report", { result_code: at + 1 }));
  expect(texts.map((it) => (it.kind === "fact" && it.fact.type === "failed" ? it.fact.reason : it))).toEqual([
    "device in use",
    "poor signal",
    "already the latest version",
    "low battery",
    "insufficient storage space",
    "download timeout",
    "upgrade package verification failure",
    "unsupported upgrade package type",
    "insufficient memory",
    "upgrade package installation failure",
  ]);
});

test.each([
  ["version_report", { sw_version: 3 }],
  ["version_report", { sw_version: "x".repeat(257) }],
  ["version_report", { sw_version: "\ud800" }],
  ["upgrade_progress_report", {}],
  ["upgrade_progress_report", { result_code: -1 }],
  ["upgrade_progress_report", { result_code: 256 }],
  ["upgrade_progress_report", { result_code: 1.5 }],
  ["upgrade_progress_report", { result_code: 0, progress: 101 }],
  ["upgrade_progress_report", { result_code: 0, progress: "much" }],
  ["upgrade_progress_report", { result_code: 0, version: {} }],
  ["firmware_upgrade", {}],
] as const)("%s with %j is refused", (eventType, paras) => expect(read(eventType, paras).kind).toBe("refused"));

test("anything at all is read without a throw", () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  const random = seededRandom(seed);
  const values = [0, 1, 100, -1, 1e300, "0", "V1", "", null, true, [], {}, "\ud800", undefined];
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  for (let at = 0; at < 20_000; at++) {
    const paras = Object.fromEntries(
      ["result_code", "progress", "version", "description", "sw_version"].map((name) => [name, pick(values)]),
    );
    const it = read(pick(["version_report", "upgrade_progress_report", "other"]), paras);
    expect(["fact", "nothing", "refused"], `seed ${seed}`).toContain(it.kind);
  }
});
