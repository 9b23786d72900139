import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { manualClock } from "../../platform/testing/manual-clock";
import { APP_B } from "../devices/testing/device-bench";
import type { UpgradePackage } from "../packages/package";
import type { Product } from "../products/product";
import { planFor, wayOf } from "./capability";
import { TEXTS } from "./failure-texts";
import { MINUTE, POLICY, samplePackage, upgradeBench } from "./testing/upgrade-bench";
import type { NewUpgrade } from "./upgrade";

const NOW = Date.UTC(2026, 0, 1);
const NAMES = { manufacturerName: "Test Manufacturer", deviceType: "WaterMeter", model: "Meter" };
const PACKAGES: readonly UpgradePackage[] = [
  samplePackage({ no: 1 }),
  samplePackage({ no: 2, kind: "firmware" }),
  samplePackage({ no: 3, appNo: 2 }),
  samplePackage({ no: 4, model: "Else" }),
  samplePackage({ no: 5, sourceVersions: ["V1.*"] }),
  samplePackage({ no: 6, sourceVersions: ["V?.1"] }),
  samplePackage({ no: 7, sourceVersions: ["V3"] }),
  samplePackage({ no: 8, sourceVersions: Array.from({ length: 400 }, (_, index) => `${"*a".repeat(40)}${index}`) }),
  samplePackage({ no: 9, sourceVersions: Array.from({ length: 400 }, (_, index) => `${"*b".repeat(40)}${index}x`) }),
];

async function begin() {
  const it = upgradeBench({ clock: manualClock(NOW), packages: PACKAGES });
  const meter = await it.register("m1", await it.meter());
  const other = await it.register("o1", await it.meter({ model: "Else", manufacturerId: "X" }));
  const foreign = await it.register("f1", await it.importProduct({}, APP_B), {}, APP_B);
  it.group("roof", [meter, other]);
  it.group("empty", []);
  await it.start();
  return { it, meter, other, foreign, ids: { meter: meter.id, other: other.id, foreign: foreign.id } };
}
type Ids = Awaited<ReturnType<typeof begin>>["ids"];
type Change = (ids: Ids) => Partial<NewUpgrade>;
const policy =
  (facts: Partial<NewUpgrade["policy"]>): Change =>
  () => ({ policy: { ...POLICY, ...facts } });
const window = (startAt: number | undefined, endAt: number | undefined) =>
  policy({ executeType: "custom", startAt, endAt });
const targets =
  (facts: NewUpgrade["targets"]): Change =>
  () => ({ targets: facts });
const files =
  (...nos: number[]): Change =>
  () => ({ packages: nos.map((no) => `file${no}`) });
const group = (deviceGroups: string[], names: object = NAMES): Change => targets({ deviceGroups, ...names });

const REFUSED: readonly [string, Change, string][] = [
  ["no targets", targets({}), "UPGRADE_TARGET_INVALID targetsMissing"],
  [
    "both kinds of targets",
    (ids) => ({ targets: { devices: [ids.meter], deviceGroups: ["roof"] } }),
    "UPGRADE_TARGET_INVALID targetsAmbiguous",
  ],
  [
    "too many devices",
    targets({ devices: Array.from({ length: 257 }, (_, i) => `d${i}`) }),
    "UPGRADE_TARGET_INVALID tooManyTargets",
  ],
  ["too many groups", group(Array.from({ length: 257 }, (_, i) => `g${i}`)), "UPGRADE_TARGET_INVALID tooManyTargets"],
  ["an unknown device", targets({ devices: ["nobody"] }), "DEVICE_NOT_FOUND"],
  ["a device of another application", (ids) => ({ targets: { devices: [ids.foreign] } }), "DEVICE_NOT_FOUND"],
  ["an unknown group", group(["cellar"]), "GROUP_NOT_FOUND"],
  [
    "a group without the manufacturer",
    group(["roof"], { ...NAMES, manufacturerName: "" }),
    "UPGRADE_TARGET_INVALID manufacturerMissing",
  ],
  [
    "a group without the device type",
    group(["roof"], { ...NAMES, deviceType: undefined }),
    "UPGRADE_TARGET_INVALID deviceTypeMissing",
  ],
  ["a group without the model", group(["roof"], { ...NAMES, model: undefined }), "UPGRADE_TARGET_INVALID modelMissing"],
  [
    "a group of another product",
    group(["roof"], { ...NAMES, model: "Else" }),
    "UPGRADE_TARGET_INVALID productMismatch",
  ],
  [
    "a device of another product",
    (ids) => ({ targets: { devices: [ids.meter, ids.other] } }),
    "UPGRADE_TARGET_INVALID productMismatch",
  ],
  ["a group without such a device", group(["empty"]), "UPGRADE_TARGET_INVALID targetsMissing"],
  ["a wrong execute type", policy({ executeType: "soon" as never }), "UPGRADE_POLICY_INVALID executeTypeInvalid"],
  ["a window without an end", window(NOW + 1, undefined), "UPGRADE_POLICY_INVALID windowInvalid"],
  ["a window of no number", window(Number.NaN, NOW), "UPGRADE_POLICY_INVALID windowInvalid"],
  ["an end before the start", window(NOW + 2, NOW + 1), "UPGRADE_POLICY_INVALID startAfterEnd"],
  ["a start in the past", window(NOW - 1, NOW + 10 * MINUTE), "UPGRADE_POLICY_INVALID startInThePast"],
  ["a window of five minutes", window(NOW + 1, NOW + 1 + 5 * MINUTE), "UPGRADE_POLICY_INVALID windowTooShort"],
  ["six retries", policy({ retryTimes: 6 }), "UPGRADE_POLICY_INVALID retryTimesInvalid"],
  ["half a retry", policy({ retryTimes: 0.5 }), "UPGRADE_POLICY_INVALID retryTimesInvalid"],
  ["retries at once", policy({ retryTimes: 1, retryIntervalS: 0 }), "INPUT_INVALID"],
  ["nobody at a time", policy({ maxConcurrent: 0 }), "INPUT_INVALID"],
  ["a negative spread", policy({ spreadS: -1 }), "INPUT_INVALID"],
  ["a priority of ten", policy({ priority: 10 }), "INPUT_INVALID"],
  ["a pause at no share", policy({ pauseOnFailure: { percent: 0, minEnded: 1 } }), "INPUT_INVALID"],
  ["a pause after none", policy({ pauseOnFailure: { percent: 1, minEnded: 0 } }), "INPUT_INVALID"],
  ["no package", files(), "UPGRADE_PACKAGES_INVALID"],
  ["an unknown package", files(99), "PACKAGE_NOT_FOUND"],
  ["a package of another application", files(3), "PACKAGE_NOT_FOUND"],
  ["a package of the other kind", files(2), "UPGRADE_PACKAGES_INVALID"],
  ["packages of two products", files(5, 4), "UPGRADE_PACKAGES_INVALID"],
  ["packages whose source versions overlap", files(5, 6), "UPGRADE_PACKAGES_INVALID"],
  ["a package for all beside another", files(1, 7), "UPGRADE_PACKAGES_INVALID"],
  ["more patterns than can be compared", files(8, 9), "UPGRADE_PACKAGES_INVALID"],
  [
    "more packages than ten",
    () => ({ packages: Array.from({ length: 11 }, (_, i) => `f${i}`) }),
    "UPGRADE_PACKAGES_INVALID",
  ],
];

test.each(REFUSED)("%s is refused, and nothing is left behind", async (_name, change, expected) => {
  const { it, meter, ids } = await begin();
  const created = it.upgrades.create(1, {
    ...{ kind: "software", packages: ["file1"], operator: "o", origin: "Portal", policy: POLICY },
    targets: { devices: [meter.id] },
    ...change(ids),
  });
  const told = created.then(
    () => "created",
    (error: unknown) =>
      error instanceof DomainError ? [error.code, error.details.problem].filter(Boolean).join(" ") : `${error}`,
  );
  await it.settle();
  expect(await told).toBe(expected);
  await it.pass(3_000);
  expect(it.db.query("SELECT 1 FROM upgrade_task UNION ALL SELECT 1 FROM upgrade_sub_task").all()).toEqual([]);
  expect([it.isPackageInUse(1), it.upgrades.list({}, 0, 9).total]).toEqual([false, 0]);
});

const WRONG: readonly [string, Change][] = [
  ["no targets", targets({})],
  ["too many devices", targets({ devices: Array.from({ length: 257 }, (_, i) => `d${i}`) })],
  ["a group without a model", group(["cellar"], { ...NAMES, model: undefined })],
  ["a window of five minutes", window(NOW + 1, NOW + 1 + 5 * MINUTE)],
  ["six retries", policy({ retryTimes: 6 })],
];
test.each(WRONG)(
  "%s: told before anybody looks whether the package and the device are there",
  async (_name, change) => {
    const { it, ids } = await begin();
    const run = () =>
      it.upgrades.dryRun(
        1,
        {
          ...{ kind: "software", packages: ["file99"], operator: "o", origin: "Northbound", policy: POLICY },
          targets: { devices: ["nobody"] },
          ...change(ids),
        },
        1,
      );
    expect(run).toThrow(/^UPGRADE_(TARGET|POLICY)_INVALID$/);
  },
);

test("a window may begin in the second that is running", async () => {
  const { it, meter } = await begin();
  await it.pass(1_999);
  const startAt = NOW + 1_000;
  const inWindow = (at: number) =>
    it.create([meter], { policy: { ...POLICY, executeType: "custom", startAt: at, endAt: at + 6 * MINUTE } });
  await expect(inWindow(startAt - 1)).rejects.toThrow("UPGRADE_POLICY_INVALID");
  expect((await inWindow(startAt)).policy.startAt).toBe(startAt);
});

test("packages that do not overlap may be together, and a device that is named twice is meant once", async () => {
  const { it, meter } = await begin();
  const task = await it.create([meter, meter], { packages: ["file5", "file7"] });
  expect([it.task(task).counts.total, it.task(task).packages]).toEqual([1, ["file5", "file7"] as never]);
  expect(it.upgrades.get(task.id, 1).id).toBe(task.id);
  expect(() => it.upgrades.get(task.id, 2)).toThrow("UPGRADE_TASK_NOT_FOUND");
});

test("a dry run tells who would be upgraded, and what hinders the others; it changes nothing", async () => {
  const { it, meter, other } = await begin();
  const run = (more: Partial<NewUpgrade> = {}) =>
    it.upgrades.dryRun(
      1,
      {
        ...{ kind: "software", packages: ["file5"], operator: "o", origin: "Portal", policy: POLICY },
        targets: { devices: [meter.id, other.id] },
        ...more,
      },
      10,
    );
  const version = (swVersion: string) =>
    it.transactor.write(() => it.inTransaction.setVersions(meter.no, { swVersion }));
  const first = () => run().items[0];
  expect(first()).toEqual({
    deviceId: meter.id,
    version: undefined,
    packageId: PACKAGES[4]?.fileId,
    targetVersion: "V2",
    obstacle: undefined,
    warnings: ["its version is not known yet", "it is INACTIVE"],
  });
  expect([run().total, run().items[1]?.obstacle]).toEqual([2, TEXTS.otherProduct]);
  it.setOpenCommands(3);
  expect(first()?.warnings).toContain("3 commands have not ended");
  await version("V1.7");
  expect([first()?.obstacle, first()?.version]).toEqual([undefined, "V1.7"]);
  await version("V0");
  expect(first()?.obstacle).toBe(TEXTS.sourceVersion);
  await version("V2");
  expect(first()?.obstacle).toBe(TEXTS.sameVersion);
  await it.create([meter]);
  expect(first()?.obstacle).toBe(TEXTS.conflict);
  it.db.run("UPDATE device SET status = 'ABNORMAL' WHERE no = ?", [meter.no]);
  expect(first()?.obstacle).toBe(TEXTS.conflict);
  expect(it.upgrades.list({}, 0, 9).total).toBe(1);
});

const product = (protocolType: string, omCapability: object | undefined) => ({ protocolType, omCapability }) as Product;
const on = (upgradeProtocolType: string) => ({ supportUpgrade: true, upgradeProtocolType });
test.each([
  ["LWM2M", "software", { upgradeCapability: on("PCP") }, "pcp"],
  ["CoAP", "software", { upgradeCapability: on("PCP") }, "pcp"],
  ["LWM2M", "firmware", { fwUpgradeCapability: on("LWM2M") }, "object5"],
  ["LWM2M", "firmware", { upgradeCapability: on("PCP") }, undefined],
  ["LWM2M", "software", { upgradeCapability: { supportUpgrade: false } }, undefined],
  ["LWM2M", "software", { upgradeCapability: null }, undefined],
  ["LWM2M", "software", undefined, undefined],
  ["MQTT", "software", { upgradeCapability: on("PCP") }, "mqtt"],
  ["MQTT", "firmware", { fwUpgradeCapability: { supportUpgrade: true } }, "mqtt"],
  ["MQTT", "firmware", { fwUpgradeCapability: { supportUpgrade: false } }, undefined],
  ["LoRaWAN", "software", { upgradeCapability: on("PCP") }, undefined],
] as const)("a product of %s with %s goes by its capability", (protocol, kind, capability, way) => {
  expect(wayOf(product(protocol, capability), kind)).toBe(way);
});

test("source versions come first, then the version that it has already", () => {
  const chain = [
    samplePackage({ no: 1, version: "V2", sourceVersions: ["V1"] }),
    samplePackage({ no: 2, version: "V3", sourceVersions: ["V2"] }),
  ];
  const plan = (version: string) => [planFor(version, chain).plan, planFor(version, chain).package?.version];
  expect([plan("V1"), plan("V2"), plan("V3"), plan("V9")]).toEqual([
    ...[
      ["upgrade", "V2"],
      ["upgrade", "V3"],
      ["same", "V3"],
      ["unsupported", undefined],
    ],
  ]);
});
