import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { sampleDesc } from "./testing/archives";
import { parseFirmwareFields, parseUpgradeDesc } from "./upgrade-desc";

const parse = (changes: Record<string, unknown> = {}) =>
  parseUpgradeDesc(Buffer.from(JSON.stringify({ ...sampleDesc(), ...changes })), 3);
function told(work: () => unknown): string {
  try {
    work();
    return "fine";
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return `${error.details.file} ${error.details.path}: ${error.details.reason}`;
  }
}
const long = (length: number) => "x".repeat(length);

test("a description has what the package needs, with the defaults of ota.md 3.2", () => {
  expect(parse()).toEqual({
    fileName: "Meter_V1.0.10.pkg",
    version: "V1.0.10",
    deviceType: "WaterMeter",
    manufacturerName: "Test Manufacturer",
    model: "NBIoTDevice",
    protocolType: "MQTT",
    description: "better readings",
    sourceVersions: [],
    shardSize: 500,
    checkCode: 0,
    date: undefined,
  });
});

describe("UpgradeDesc.json takes", () => {
  test.each([
    [{ version: long(16) }, { version: long(16) }],
    [{ protocolType: "CoAP" }, { protocolType: "CoAP" }],
    [{ description: "" }, { description: undefined }],
    [{ description: "Zeile\nzwei" }, { description: "Zeile\nzwei" }],
    [{ versionCheckCode: "06C2" }, { checkCode: 0x06c2 }],
    [{ versionCheckCode: "ffff" }, { checkCode: 0xffff }],
    [{ deviceShard: "500" }, { shardSize: 500 }],
    [{ deviceShard: 32 }, { shardSize: 32 }],
    [{ deviceShard: null }, { shardSize: 500 }],
    [{ platform: "linux" }, {}],
    [{ supportSourceVersionList: ["V1.*", "V2.?"] }, { sourceVersions: ["V1.*", "V2.?"] }],
    [{ supportSourceVersionList: ["V1;V2; V1;"] }, { sourceVersions: ["V1", "V2"] }],
    [{ supportSourceVersionList: "V1;V2" }, { sourceVersions: ["V1", "V2"] }],
    [{ supportSourceVersionList: [] }, { sourceVersions: [] }],
    [{ date: "2024-02-29" }, { date: "2024-02-29" }],
    [{ somethingNew: { a: 1 } }, {}],
  ])("%j", (changes, expected) => expect(parse(changes)).toMatchObject(expected));
});

describe("UpgradeDesc.json does not take", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ specVersion: undefined }, "specVersion: is missing"],
    [{ specVersion: "1.1" }, 'specVersion: must be "1.0"'],
    [{ specVersion: 1 }, "specVersion: is not a string"],
    [{ packageType: "firmwarePackage" }, 'packageType: must be "softwarePackage"'],
    [{ fileName: undefined }, "fileName: is missing"],
    [{ fileName: "../x" }, "fileName: is not a file name"],
    [{ fileName: "a\\b" }, "fileName: is not a file name"],
    [{ fileName: ".." }, "fileName: is not a file name"],
    [{ fileName: "a\u0000" }, "fileName: has control characters"],
    [{ version: undefined }, "version: is missing"],
    [{ version: " " }, "version: is empty"],
    [{ version: long(17) }, "version: is longer than 16 bytes"],
    [{ version: "版本1" }, "version: has other characters than printable ASCII"],
    [{ version: "V1 " }, "version: has other characters than printable ASCII"],
    [{ deviceType: undefined }, "deviceType: is missing"],
    [{ manufacturerName: "" }, "manufacturerName: is empty"],
    [{ model: 7 }, "model: is not a string"],
    [{ model: long(257) }, "model: is longer than 256 characters"],
    [{ model: "\ud800" }, "model: is not well-formed Unicode"],
    [{ protocolType: "mqtt" }, "protocolType: is none of CoAP, LWM2M, MQTT"],
    [{ protocolType: "LoRaWAN" }, "protocolType: is none of CoAP, LWM2M, MQTT"],
    [{ description: undefined }, "description: is missing"],
    [{ description: 7 }, "description: is not a string"],
    [{ description: long(4_097) }, "description: is longer than 4096 characters"],
    [{ versionCheckCode: "123" }, "versionCheckCode: is not four hex digits"],
    [{ versionCheckCode: "12G4" }, "versionCheckCode: is not four hex digits"],
    [{ versionCheckCode: 1234 }, "versionCheckCode: is not four hex digits"],
    [{ deviceShard: 31 }, "deviceShard: is not a number of bytes from 32 to 500"],
    [{ deviceShard: 501 }, "deviceShard: is not a number of bytes from 32 to 500"],
    [{ deviceShard: "x" }, "deviceShard: is not a number of bytes from 32 to 500"],
    [{ deviceShard: 64.5 }, "deviceShard: is not a number of bytes from 32 to 500"],
    [{ supportSourceVersionList: { a: 1 } }, "supportSourceVersionList: is not a list"],
    [{ supportSourceVersionList: [7] }, "supportSourceVersionList: [0] is not a string"],
    [
      { supportSourceVersionList: ["V1", "表"] },
      "supportSourceVersionList: [1] is not up to 256 printable ASCII characters",
    ],
    [{ supportSourceVersionList: ["1;2", "3;4"] }, "supportSourceVersionList: has more than 3 versions"],
    [{ date: "2024-2-9" }, "date: is not a date of the form yyyy-MM-dd"],
    [{ date: "2023-02-29" }, "date: is not a date of the form yyyy-MM-dd"],
  ])("%j", (changes, expected) => {
    expect(told(() => parse(changes))).toBe(`DM/linux/UpgradeDesc.json $.${expected}`);
  });
  test.each([
    [Buffer.from([0x7b, 0xff, 0x7d]), "is not UTF-8"],
    [Buffer.from("[]"), "is not an object"],
    [Buffer.from("null"), "is not an object"],
    [Buffer.from("{"), "is not JSON"],
  ])("%s", (bytes, expected) => {
    expect(told(() => parseUpgradeDesc(bytes, 3))).toStartWith(`DM/linux/UpgradeDesc.json $: ${expected}`);
  });
  test("but a byte order mark, as editors write it, is nothing", () => {
    expect(parseUpgradeDesc(Buffer.from(`\ufeff${JSON.stringify(sampleDesc())}`), 3).version).toBe("V1.0.10");
  });
});

describe("firmware fields", () => {
  const fields = { version: "F1", deviceType: "T", manufacturerName: "M", model: "X", protocolType: "LWM2M" };
  test("are taken", () => {
    expect(parseFirmwareFields("(form)", { ...fields, sourceVersions: ["F0", "E?"] }, 3)).toEqual({
      ...{ ...fields, protocolType: "LWM2M" as const, sourceVersions: ["F0", "E?"], description: undefined },
      ...{ shardSize: 500, checkCode: 0, date: undefined },
    });
  });
  test.each<[Record<string, unknown>, string]>([
    [{ version: undefined }, "version: is missing"],
    [{ version: "固件" }, "version: has other characters than printable ASCII"],
    [{ version: long(257) }, "version: is longer than 256 characters"],
    [{ protocolType: "lwm2m" }, "protocolType: is none of LWM2M, MQTT"],
    [{ protocolType: "CoAP" }, "protocolType: is none of LWM2M, MQTT"],
    [{ sourceVersions: ["1", "2", "3", "4"] }, "sourceVersions: has more than 3 versions"],
  ])("but not with %j", (changes, expected) => {
    expect(told(() => parseFirmwareFields("(form)", { ...fields, ...changes }, 3))).toBe(`(form) ${expected}`);
  });
});
