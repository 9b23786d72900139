import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APP_A, APP_B } from "../devices/testing/device-bench";
import { renderManifest } from "./manifest";
import { signBytes } from "./signature";
import {
  CONTENT,
  craft,
  FIRMWARE_FIELDS,
  firmwareZip,
  KEYS,
  pemOf,
  sampleDesc,
  signed,
  softwareZip,
  zip,
} from "./testing/archives";
import { inPieces, packageBench, refusal } from "./testing/package-bench";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
let software: Uint8Array;
let firmware: Uint8Array;
beforeAll(async () => {
  software = await signed(softwareZip());
  firmware = await signed(firmwareZip());
});

async function ready(options: Parameters<typeof packageBench>[0] = {}) {
  const bench = packageBench(options);
  await bench.importProduct();
  await bench.trust();
  return bench;
}
type Bench = Awaited<ReturnType<typeof ready>>;
const everything = (bench: Bench) => bench.packages.list({}, 0, 100);
/** Neither a row nor a file. */
function expectNothing(bench: Bench) {
  expect(everything(bench)).toEqual({ items: [], total: 0 });
  expect(bench.filesOnDisk()).toEqual([]);
}

describe("an upload", () => {
  test("of software is a package whose content is the vendor's file", async () => {
    const bench = await ready();
    const stored = await bench.upload(software);
    expect(stored).toEqual({
      no: expect.any(Number),
      fileId: expect.stringMatching(/^[0-9a-f]{32}$/),
      appNo: 1,
      appId: APP_A,
      kind: "software",
      name: "up_signed.zip",
      version: "V1.0.10",
      deviceType: "WaterMeter",
      manufacturerName: "Test Manufacturer",
      model: "NBIoTDevice",
      protocolType: "MQTT",
      sourceVersions: [],
      shardSize: 500,
      checkCode: 0,
      fileName: "Meter_V1.0.10.pkg",
      size: CONTENT.length,
      sha256: sha256(CONTENT),
      description: "better readings",
      date: undefined,
      uploadedAt: bench.clock.now(),
    });
    expect(bench.packages.get(stored.fileId)).toEqual(stored);
    expect(bench.packages.findByNo(stored.no)).toEqual(stored);
    expect(bench.filesOnDisk()).toEqual([stored.fileId]);
    expect(readFileSync(join(bench.folder, stored.fileId)).equals(CONTENT)).toBe(true);
  });
  test("of firmware has what was typed", async () => {
    const bench = await ready();
    const stored = await bench.uploadFirmware(
      firmware,
      { sourceVersions: ["FW1.*"], description: "new" },
      { name: "n" },
    );
    expect(stored).toMatchObject({
      ...{ ...FIRMWARE_FIELDS, protocolType: "MQTT" as const, kind: "firmware", name: "n", fileName: "meter-fw.bin" },
      ...{ sourceVersions: ["FW1.*"], description: "new", sha256: sha256(CONTENT) },
    });
  });
  test.each(["ecdsa-p256", "rsa-3072"] as const)("is checked with a key of %s", async (algorithm) => {
    const bench = await ready();
    await bench.trust(KEYS[algorithm].publicKey);
    expect(bench.publicKeys.list(APP_A)).toMatchObject([
      { algorithm, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    await bench.upload(await signed(softwareZip(), KEYS[algorithm].privateKey));
    expect(everything(bench).total).toBe(1);
  });
  test("has the values of the description file", async () => {
    const bench = await ready();
    const desc = { versionCheckCode: "06C2", deviceShard: "64", date: "2024-02-29", supportSourceVersionList: ["a;b"] };
    const stored = await bench.upload(await signed(softwareZip(desc)));
    expect(stored).toMatchObject({ checkCode: 0x06c2, shardSize: 64, date: "2024-02-29", sourceVersions: ["a", "b"] });
  });
});

describe("is refused, and leaves nothing:", () => {
  const desc = "DM/linux/UpgradeDesc.json";
  const noKey =
    "cannot be checked: Test Manufacturer has no public key; sign the package and upload the public key first";
  const foreign = KEYS["rsa-3072"].privateKey;
  type Row = [what: string, archive: () => Uint8Array | Promise<Uint8Array>, told: string];
  test.each<Row>([
    ["no zip", () => Buffer.from("Rar!…".padEnd(99)), "up_signed.zip $: is not a ZIP archive but a RAR archive"],
    ["no signature", () => softwareZip(), "META/manifest.json $: is missing: the package is not signed"],
    [
      "another's signature",
      () => signed(softwareZip(), foreign),
      "META/manifest.sig $: is not the signature of the manifest by this key",
    ],
    ["no description", () => signed(zip({ "linux/a": "x" })), `${desc} $: is missing in the package`],
    [
      "a folder above",
      () => signed(zip({ [`package/${desc}`]: sampleDesc(), "package/linux/a": "x" })),
      `${desc} $: is missing in the package: the folder package/ must not stand above it`,
    ],
    ["a missing field", () => signed(softwareZip({ model: undefined })), `${desc} $.model: is missing`],
    [
      "another file name",
      () => signed(softwareZip({}, { [desc]: { ...sampleDesc(), fileName: "b" } })),
      `${desc} $.fileName: names b, and there is no linux/b`,
    ],
    [
      "a further file",
      () => signed(softwareZip({}, { "linux/evil": "x" })),
      "linux/evil $: does not belong into a package",
    ],
    [
      "an empty file",
      () => signed(zip({ [desc]: { ...sampleDesc(), fileName: "a" }, "linux/a": "" })),
      "linux/a $: is empty",
    ],
    [
      "another manufacturer",
      () => signed(softwareZip({ manufacturerName: "Nobody" })),
      `${desc} $.manufacturerName: is of no product model of the application`,
    ],
    [
      "another device type",
      () => signed(softwareZip({ deviceType: "Lamp" })),
      `${desc} $.deviceType: is of no product model of this manufacturer`,
    ],
    [
      "another model",
      () => signed(softwareZip({ model: "Z" })),
      `${desc} $.model: is of no product model of this manufacturer and device type`,
    ],
    [
      "another protocol",
      () => signed(softwareZip({ protocolType: "CoAP" })),
      `${desc} $.protocolType: must be MQTT, as in the product model`,
    ],
    [
      "a manifest that lacks a file",
      () => craftSigned({ omit: "linux/Meter_V1.0.10.pkg" }),
      "linux/Meter_V1.0.10.pkg $: is not in the signed manifest",
    ],
    ["a manifest with more", () => craftSigned({ add: "linux/b" }), "linux/b $: is in the signed manifest only"],
    [
      "another size",
      () => craftSigned({ size: 7 }),
      "linux/Meter_V1.0.10.pkg $: has another size than the signed manifest says",
    ],
    [
      "another content",
      () => craftSigned({ sha256: "0".repeat(64) }),
      "linux/Meter_V1.0.10.pkg $: is not what was signed",
    ],
    ["a manifest that is none", () => craftSigned({ manifest: "{}" }), "META/manifest.json $: is not a list"],
    [
      "a manifest that lists itself",
      () => craftSigned({ add: "META/manifest.json" }),
      "META/manifest.json $: is in the signed manifest only",
    ],
  ])("%s", async (_what, archive, told) => {
    const bench = await ready();
    expect(await refusal(bench.upload(await archive()))).toBe(`PACKAGE_INVALID ${told}`);
    expectNothing(bench);
  });
  test.each<[string, () => Uint8Array | Promise<Uint8Array>, object, string]>([
    ["software", () => software, {}, `${desc} $: makes this a software package`],
    [
      "two files",
      () => signed(zip({ "a.bin": "x", "b.bin": "y" })),
      {},
      "b.bin $: is a second file: a firmware package is one .bin file in a ZIP",
    ],
    ["no .bin", () => signed(zip({ "a.hex": "x" })), {}, "a.hex $: is not a .bin file"],
    ["nothing in it", () => signed(zip({ "a.bin": "" })), {}, "a.bin $: is empty"],
    [
      "a version of other letters",
      () => firmware,
      { version: "版" },
      "(form) version: has other characters than printable ASCII",
    ],
    [
      "another protocol",
      () => firmware,
      { protocolType: "LWM2M" },
      "(form) protocolType: must be MQTT, as in the product model",
    ],
    [
      "another model",
      () => firmware,
      { model: "Z" },
      "(form) model: is of no product model of this manufacturer and device type",
    ],
  ])("as firmware: %s", async (_what, archive, fields, told) => {
    const bench = await ready();
    expect(await refusal(bench.uploadFirmware(await archive(), fields))).toBe(`PACKAGE_INVALID ${told}`);
    expectNothing(bench);
  });
  test("without a public key", async () => {
    const bench = packageBench();
    await bench.importProduct();
    expect(await refusal(bench.upload(software))).toBe(`PACKAGE_INVALID META/manifest.sig $: ${noKey}`);
    expectNothing(bench);
  });
  test("with the key of another application", async () => {
    const bench = packageBench();
    await bench.importProduct();
    await bench.importProduct({}, APP_B);
    await bench.trust(KEYS["ecdsa-p256"].publicKey, APP_B);
    expect(await refusal(bench.upload(software))).toBe(`PACKAGE_INVALID META/manifest.sig $: ${noKey}`);
  });
  test("too many shards", async () => {
    const bench = packageBench();
    await bench.importProduct({ protocolType: "CoAP" });
    await bench.trust();
    const big = new Uint8Array(32 * 65_535 + 1);
    const parts = { protocolType: "CoAP", deviceShard: 32, fileName: "big" };
    const archive = await signed(softwareZip(parts, { "linux/big": big }));
    expect(await refusal(bench.upload(archive))).toBe(
      "PACKAGE_INVALID linux/big $: has 2097121 bytes, which are more than 65535 shards of 32",
    );
    const fits = await signed(softwareZip(parts, { "linux/big": big.subarray(1) }));
    expect((await bench.upload(fits)).size).toBe(32 * 65_535);
  });
  test("the same version of the same product and kind", async () => {
    const bench = await ready();
    await bench.upload(software);
    expect(await refusal(bench.upload(software))).toBe("PACKAGE_EXISTS");
    await bench.upload(await signed(softwareZip({ version: "V1.0.11" })));
    await bench.uploadFirmware(firmware, { version: "V1.0.10" }); // of the other kind
    expect(await refusal(bench.uploadFirmware(firmware, { version: "V1.0.10" }))).toBe("PACKAGE_EXISTS");
    expect(everything(bench).total).toBe(3);
    expect(bench.filesOnDisk()).toHaveLength(3);
  });
  test("the second of two at once", async () => {
    const bench = await ready();
    const told = await Promise.all([1, 2, 3].map(() => refusal(bench.upload(software))));
    expect(told.toSorted()).toEqual(["PACKAGE_EXISTS", "PACKAGE_EXISTS", "none"]);
    expect(bench.filesOnDisk()).toHaveLength(1);
  });
  test("more bytes than a package may have", async () => {
    const bench = await ready({ settings: { maxUploadBytes: software.length - 1 } });
    expect(await refusal(bench.upload(software))).toBe("PAYLOAD_TOO_LARGE");
    expectNothing(bench);
  });
  test("more packages than an application may have", async () => {
    const bench = await ready({ settings: { maxPackagesPerApplication: 1 } });
    await bench.upload(software);
    expect(await refusal(bench.uploadFirmware(firmware))).toBe("CONFLICT at most 1 packages");
    expect(bench.filesOnDisk()).toHaveLength(1);
  });
  test("more uploads than may be under way; a place is free again after each end", async () => {
    const bench = await ready({ settings: { maxUploads: 1 } });
    const first = await bench.uploads.receive(inPieces(software));
    expect(await refusal(bench.uploads.receive(inPieces(software)))).toBe("CONGESTED 1 uploads are under way");
    await first.discard();
    await first.discard();
    expect(await refusal(bench.upload(Buffer.from("x")))).toContain("PACKAGE_INVALID");
    const second = await bench.uploads.receive(inPieces(software));
    expect(await refusal(bench.uploads.receive(inPieces(software)))).toStartWith("CONGESTED");
    await second.discard();
    expectNothing(bench);
  });
  test("an upload that stalls", async () => {
    const bench = await ready({ settings: { maxUploads: 1 } });
    let isClosed = false;
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isClosed = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const told = refusal(bench.uploads.receive(silent));
    while (bench.filesOnDisk().length === 0) await Bun.sleep(1); // until it waits for its first bytes
    await Bun.sleep(1);
    await bench.clock.advance(60_000);
    expect(await told).toBe("BODY_MALFORMED nothing came for 60 s");
    expect(isClosed).toBe(true);
    expectNothing(bench);
    await bench.upload(software);
  });
  test("an upload that breaks off", async () => {
    const bench = await ready();
    async function* broken() {
      yield software.subarray(0, 500);
      throw new Error("gone");
    }
    await expect(bench.uploads.receive(broken())).rejects.toThrow("gone");
    expectNothing(bench);
  });
  test("a product that goes while its package comes", async () => {
    const bench = packageBench();
    const product = await bench.importProduct();
    await bench.trust();
    const received = await bench.uploads.receive(inPieces(software));
    const storing = refusal(received.store(APP_A, { kind: "software", fileName: "a.zip" }));
    await bench.products.delete(product.id);
    expect(await storing).toBe(`PACKAGE_INVALID ${desc} $.manufacturerName: is of no product model of the application`);
    await received.discard();
    expectNothing(bench as Bench);
  });
});

describe("a package", () => {
  test("is found by every filter, the newest first, by pages", async () => {
    const bench = await ready();
    await bench.importProduct({ model: "Other", manufacturerId: "m2" });
    const a = await bench.upload(software);
    const b = await bench.uploadFirmware(firmware);
    const c = await bench.upload(await signed(softwareZip({ model: "Other", version: "2" })), { name: "c" });
    const ids = (filter: object, page = 0, pageSize = 10) => {
      const { items, total } = bench.packages.list(filter, page, pageSize);
      return [items.map(({ no }) => no), total];
    };
    expect(ids({})).toEqual([[c.no, b.no, a.no], 3]);
    expect(ids({}, 1, 2)).toEqual([[a.no], 3]);
    expect(ids({ kind: "firmware" })).toEqual([[b.no], 1]);
    expect(ids({ model: "Other", deviceType: "WaterMeter" })).toEqual([[c.no], 1]);
    expect(ids({ version: "V1.0.10" })).toEqual([[a.no], 1]);
    expect(ids({ name: "c" })).toEqual([[c.no], 1]);
    expect(ids({ manufacturerName: "Test Manufacturer", protocolType: "MQTT", appNo: 1 })).toEqual([
      [c.no, b.no, a.no],
      3,
    ]);
    expect(ids({ appNo: 2 })).toEqual([[], 0]);
  });
  test("is read in pieces of any size", async () => {
    const bench = await ready({ settings: { contentCachePieces: 2, contentPieceBytes: 1_000, maxOpenContents: 1 } });
    const { no } = await bench.upload(software);
    const other = await bench.uploadFirmware(await signed(firmwareZip(CONTENT.subarray(5))));
    for (const [offset, length] of [
      [0, 500],
      [999, 2],
      [0, 100_000],
      [99_999, 10],
      [100_000, 5],
      [500_000, 5],
      [7, 0],
      [99_000, 5_000],
    ] as const) {
      expect(Buffer.from(bench.contents.read(no, offset, length))).toEqual(
        Buffer.from(CONTENT.subarray(offset, offset + length)),
      );
      expect(bench.contents.read(other.no, offset, 3)).toEqual(
        Uint8Array.from(CONTENT.subarray(5 + offset, 8 + offset)),
      );
    }
    bench.contents.read(no, 0, 4).fill(0); // what one caller does to its bytes is nobody else's business
    expect(bench.contents.read(no, 0, 4)).toEqual(Uint8Array.from(CONTENT.subarray(0, 4)));
    expect(() => bench.contents.read(99, 0, 4)).toThrow("PACKAGE_NOT_FOUND");
  });
  test("is removed with its file, and cannot be read any more", async () => {
    const bench = await ready();
    const { no, fileId } = await bench.upload(software);
    bench.contents.read(no, 0, 1);
    await bench.packages.remove(fileId);
    await bench.close();
    expectNothing(bench);
    expect(() => bench.contents.read(no, 0, 1)).toThrow("PACKAGE_NOT_FOUND");
    expect(await refusal(bench.packages.remove(fileId))).toBe("PACKAGE_NOT_FOUND");
    const again = await bench.upload(software);
    expect(again.no).toBeGreaterThan(no);
  });
  test("stays while it is in use, and a download that has begun is not cut by its removal", async () => {
    const bench = await ready();
    const it = await bench.upload(software);
    let isUsed = true;
    bench.packages.refuseRemovalWhile((no) => no === it.no && isUsed);
    bench.packages.refuseRemovalWhile(() => false);
    expect(await refusal(bench.packages.remove(it.fileId))).toBe("PACKAGE_IN_USE");
    expect(bench.packages.find(it.fileId)).toEqual(it);
    expect(bench.filesOnDisk()).toEqual([it.fileId]);
    const handle = await bench.openContent(it);
    isUsed = false;
    await bench.packages.remove(it.fileId);
    await bench.close();
    expect((await handle.readFile()).equals(CONTENT)).toBe(true);
    await handle.close();
    expect(await refusal(bench.openContent(it))).toBe("PACKAGE_NOT_FOUND");
  });
  test("goes with its application, as its keys do", async () => {
    const bench = await ready();
    await bench.upload(software);
    await bench.transactor.write(() => {
      bench.events.emit("applicationDeleted", { application: bench.applications.get(APP_A) });
      bench.db.run("DELETE FROM product");
      bench.db.run("DELETE FROM application WHERE no = 1");
    });
    await bench.close();
    expectNothing(bench);
    expect(bench.db.query("SELECT * FROM package_public_key").all()).toEqual([]);
  });
});

describe("public keys", () => {
  test("one per manufacturer: a new one replaces the old", async () => {
    const bench = await ready();
    await bench.trust(KEYS["rsa-3072"].publicKey);
    expect(bench.publicKeys.list(APP_A)).toMatchObject([
      { manufacturerName: "Test Manufacturer", algorithm: "rsa-3072" },
    ]);
    expect(bench.publicKeys.list(APP_B)).toEqual([]);
    expect(await refusal(bench.upload(software))).toContain("is not the signature of the manifest by this key");
    await bench.publicKeys.remove(APP_A, "Test Manufacturer");
    expect(await refusal(bench.publicKeys.remove(APP_A, "Test Manufacturer"))).toBe("PUBLIC_KEY_NOT_FOUND");
  });
  const private_ = String(KEYS["ecdsa-p256"].privateKey.export({ type: "pkcs8", format: "pem" }));
  test.each([
    ["", "is not a PEM of one PUBLIC KEY"],
    ["ssh-ed25519 AAAA", "is not a PEM of one PUBLIC KEY"],
    [private_, "is a private key: keep it to yourself, and give public.pem"],
    ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be read"],
    [`-----BEGIN PUBLIC KEY-----${"A".repeat(20_000)}`, "is longer than 16384 characters"],
  ])("%# are not taken", async (pem, reason) => {
    const bench = await ready();
    expect(await refusal(bench.publicKeys.put(APP_A, "M", pem))).toBe(`PUBLIC_KEY_INVALID ${reason}`);
  });
  test("as many manufacturers as are allowed", async () => {
    const bench = await ready({ settings: { maxPublicKeysPerApplication: 1 } });
    const pem = pemOf(KEYS["ecdsa-p256"].publicKey);
    expect(await refusal(bench.publicKeys.put(APP_A, "M", pem))).toStartWith("CONFLICT");
    expect(bench.publicKeys.list(APP_A)).toHaveLength(1);
  });
});

test("a start deletes what a crash left, and tells of what is missing", async () => {
  const bench = await ready();
  const [a, b, c] = [
    await bench.upload(software),
    await bench.uploadFirmware(firmware),
    await bench.upload(await signed(softwareZip({ version: "2" }))),
  ];
  writeFileSync(join(bench.folder, "incoming", "half"), "x");
  writeFileSync(join(bench.folder, "f".repeat(32)), "published, and no row"); // the process ended before the commit
  mkdirSync(join(bench.folder, "odd"));
  writeFileSync(join(bench.folder, b.fileId), "short");
  bench.db.run("UPDATE upgrade_package SET file_id = ? WHERE no = ?", ["e".repeat(32), c.no]);
  const next = packageBench({ bench, folder: bench.folder });
  expect(next.filesOnDisk().toSorted()).toEqual([a.fileId, b.fileId].toSorted());
  expect(next.logged.toSorted()).toEqual(
    [
      `package.file_damaged {"fileId":"${b.fileId}","size":100000}`,
      `package.file_missing {"fileId":"${"e".repeat(32)}"}`,
      `package.orphan_removed {"file":"${c.fileId}"}`,
      `package.orphan_removed {"file":"${"f".repeat(32)}"}`,
      `package.orphan_removed {"file":"odd"}`,
    ].toSorted(),
  );
});

/** A package whose manifest is signed well, and is wrong. */
function craftSigned(wrong: {
  omit?: string;
  add?: string;
  size?: number;
  sha256?: string;
  manifest?: string;
}): Uint8Array {
  const files = [
    { name: "DM/linux/UpgradeDesc.json", content: Buffer.from(JSON.stringify(sampleDesc())) },
    { name: "linux/Meter_V1.0.10.pkg", content: CONTENT },
  ];
  const entries = files
    .filter(({ name }) => name !== wrong.omit)
    .map(({ name, content }) => ({
      path: name,
      size: (name.startsWith("linux") && wrong.size) || content.length,
      sha256: (name.startsWith("linux") && wrong.sha256) || sha256(content),
    }));
  if (wrong.add) entries.push({ path: wrong.add, size: 1, sha256: "0".repeat(64) });
  const manifest = wrong.manifest ? Buffer.from(wrong.manifest) : renderManifest(entries);
  const signature = signBytes(manifest, KEYS["ecdsa-p256"].privateKey);
  return craft([
    ...files,
    { name: "META/manifest.json", content: manifest },
    { name: "META/manifest.sig", content: signature },
  ]);
}
