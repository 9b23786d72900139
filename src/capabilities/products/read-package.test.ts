import { expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { seededRandom } from "../../platform/testing/seeded-random";
import { readPackage } from "./read-package";
import { ZIP_LIMITS, type ZipLimits } from "./read-zip";
import { SAMPLE_PACKAGE_NAME, sampleFiles, withValue, zipOf } from "./testing/sample-model";

const read = (bytes: Uint8Array, limits: Partial<ZipLimits> = {}, name = SAMPLE_PACKAGE_NAME) =>
  readPackage(name, bytes, { ...ZIP_LIMITS, ...limits });

function refusal(run: () => unknown): { file: string; path: string; reason: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof DomainError && error.code === "PRODUCT_INVALID") return error.details as never;
    throw error;
  }
  throw new Error("nothing was refused");
}

const DEVICE_FILE = "profile/devicetype-capability.json";
const BATTERY_FILE = "service/Battery/profile/servicetype-capability.json";

test("a package is read, with or without entries for its folders", () => {
  const files = sampleFiles();
  const folders = { "profile/": "", "service/": "", "service/Battery/": "", "service/Battery/profile/": "" };
  for (const given of [files, { ...folders, ...files }]) {
    const model = read(zipOf(given));
    expect(model.services.map(({ serviceId }) => serviceId)).toEqual(["WaterMeterBasic", "Battery"]);
    expect(model).toMatchObject({ manufacturerId: "TestManuId", model: "NBIoTDevice", protocolType: "MQTT" });
  }
});

test("a byte order mark in front of the JSON is read over", () => {
  const files = sampleFiles();
  files[DEVICE_FILE] = `\ufeff${JSON.stringify(files[DEVICE_FILE])}`;
  expect(read(zipOf(files)).model).toBe("NBIoTDevice");
});

test("parts of the file name may hold underscores", () => {
  const files = sampleFiles();
  files[DEVICE_FILE] = withValue(files[DEVICE_FILE], "devices[0].model", "A_B_C");
  expect(read(zipOf(files), {}, "WaterMeter_TestManuId_A_B_C.zip").model).toBe("A_B_C");
});

const EXTRA: [name: string, reason: RegExp][] = [
  ["readme.txt", /does not belong/],
  [".DS_Store", /hidden/],
  ["profile/.devicetype-capability.json.swp", /hidden/],
  ["__MACOSX/profile/devicetype-capability.json", /hidden/],
  ["service/Battery/profile/extra.json", /does not belong/],
  ["profile/extra/", /does not belong/],
  ["../profile/devicetype-capability.json", /leaves the package/],
  ["service/../profile/servicetype-capability.json", /leaves the package/],
  ["/profile/devicetype-capability.json", /leaves the package/],
  ["profile\\devicetype-capability.json", /leaves the package/],
  ["package/profile/devicetype-capability.json", /does not belong/],
];
for (const [name, reason] of EXTRA) {
  test(`refuses the entry ${name}`, () => {
    const refused = refusal(() => read(zipOf({ ...sampleFiles(), [name]: "{}" })));
    expect(refused).toMatchObject({ file: name, path: "$" });
    expect(refused.reason).toMatch(reason);
  });
}

test("refuses what is missing, by the name of the file", () => {
  for (const missing of [DEVICE_FILE]) {
    const { [missing]: _, ...files } = sampleFiles();
    expect(refusal(() => read(zipOf(files)))).toMatchObject({ file: missing, reason: "is missing in the package" });
  }
  const { [BATTERY_FILE]: _, ...files } = sampleFiles();
  expect(refusal(() => read(zipOf(files)))).toMatchObject({
    file: DEVICE_FILE,
    reason: '"Battery" has no service file',
  });
  expect(refusal(() => read(zipOf({ ...files, "service/Battery/": "" })))).toMatchObject({ file: BATTERY_FILE });
});

test("refuses a service file in a folder of another name, and one that is not listed", () => {
  const { [BATTERY_FILE]: battery, ...files } = sampleFiles();
  const moved = { ...files, "service/Akku/profile/servicetype-capability.json": battery };
  expect(refusal(() => read(zipOf(moved)))).toMatchObject({
    file: "service/Akku/profile/servicetype-capability.json",
    path: "$.services[0].serviceType",
  });
  const extra = withValue(battery, "services[0].serviceType", "Akku");
  const unlisted = { ...sampleFiles(), "service/Akku/profile/servicetype-capability.json": extra };
  expect(refusal(() => read(zipOf(unlisted))).reason).toBe('"Akku" is not listed in the device file');
});

test("refuses JSON that does not parse, and bytes that are not UTF-8", () => {
  const broken = refusal(() => read(zipOf({ ...sampleFiles(), [BATTERY_FILE]: '{"services":[' })));
  expect(broken).toMatchObject({ file: BATTERY_FILE, path: "$" });
  expect(broken.reason).toMatch(/^is not JSON/);
  const bytes = new Uint8Array([0x7b, 0xff, 0x7d]);
  expect(refusal(() => read(zipOf({ ...sampleFiles(), [BATTERY_FILE]: bytes }))).file).toBe(BATTERY_FILE);
});

test("refuses a name that does not match the fields inside", () => {
  const bytes = zipOf(sampleFiles());
  for (const name of ["model.zip", SAMPLE_PACKAGE_NAME.toLowerCase(), "WaterMeter_TestManuId_NBIoTDevice", ""]) {
    expect(refusal(() => read(bytes, {}, name))).toMatchObject({
      file: name,
      reason: `must be named ${SAMPLE_PACKAGE_NAME}, after the fields inside`,
    });
  }
});

test("refuses what is not a ZIP, an empty one, and one that is cut anywhere", () => {
  for (const bytes of [new Uint8Array(), new TextEncoder().encode("hello, world, this is text")])
    expect(refusal(() => read(bytes))).toMatchObject({ file: SAMPLE_PACKAGE_NAME, reason: "is not a ZIP archive" });
  expect(refusal(() => read(zipOf({})))).toMatchObject({ file: DEVICE_FILE });
  const whole = zipOf(sampleFiles());
  for (let length = 0; length < whole.length; length += 7) refusal(() => read(whole.subarray(0, length)));
});

test("refuses bombs before they are unpacked", () => {
  const huge = zipOf({ ...sampleFiles(), [BATTERY_FILE]: new Uint8Array(3_000_000) });
  expect(refusal(() => read(huge))).toMatchObject({ file: BATTERY_FILE });
  const dense = zipOf({ ...sampleFiles(), [BATTERY_FILE]: new Uint8Array(1_500_000) });
  expect(refusal(() => read(dense)).reason).toBe("is packed more than 200 to 1");
  const usual = zipOf(sampleFiles());
  expect(refusal(() => read(usual, { maxZipBytes: 100 })).reason).toBe("is larger than 100 bytes");
  expect(refusal(() => read(usual, { maxEntries: 2 })).reason).toBe("has more than 2 entries");
  expect(refusal(() => read(usual, { maxTotalBytes: 500 })).reason).toBe("unpacks to more than 500 bytes");
});

test("a directory that lies about a size is damaged, and unpacking stops at the size it told", () => {
  const bytes = zipOf({ ...sampleFiles(), [BATTERY_FILE]: new Uint8Array(1_900_000) });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at + 46 < bytes.length; at++) {
    if (view.getUint32(at, true) !== 0x02014b50 || view.getUint32(at + 24, true) !== 1_900_000) continue;
    view.setUint32(at + 24, 1_000, true);
  }
  expect(refusal(() => read(bytes))).toMatchObject({ file: BATTERY_FILE, reason: "is damaged" });
});

test("refuses the same name twice", () => {
  const name = "service/Battery/profile/servicetype-capability.jsoN";
  const bytes = zipOf({ ...sampleFiles(), [name]: "{}" });
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = text.indexOf("jsoN"); at >= 0; at = text.indexOf("jsoN", at)) text.write("json", at);
  expect(refusal(() => read(bytes))).toMatchObject({ file: BATTERY_FILE, reason: "is in the archive twice" });
});

test("random damage ends in a refusal or in a model, never in another error", () => {
  const seed = 20261121;
  const random = seededRandom(seed);
  const whole = zipOf(sampleFiles());
  for (let round = 0; round < 500; round++) {
    const bytes = whole.slice();
    for (let flips = 0; flips < 3; flips++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      read(bytes);
    } catch (error) {
      if (!(error instanceof DomainError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
    }
  }
});
