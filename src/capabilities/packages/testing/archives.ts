import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { zipSync } from "fflate";
import { PACKAGE_DEFAULTS } from "../settings";
import { writeSigned } from "../sign-archive";
import { openZipFile } from "../zip-file";

const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

/** A real archive by fflate. Texts are taken as they are, other values as JSON. */
export const zip = (files: Readonly<Record<string, unknown>>): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(files).map(([name, value]) => [name, bytesOf(value)])));

/** Fields of a crafted entry that differ from what they should be. */
export type Crafted = {
  readonly name: string;
  readonly content?: Uint8Array;
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly packedSize?: number;
  readonly localName?: string;
  /** Upper half of the external attributes, with a Unix host. */
  readonly mode?: number;
  /** Sizes in a data descriptor behind the data, zeros in the local header. */
  readonly streamed?: boolean;
  /** Sizes and offset in the extra field of ZIP64. */
  readonly zip64?: boolean;
  /** Its directory entry points at the data of the entry of this index. */
  readonly sharesWith?: number;
};

/** An archive byte by byte, for what no program would write. */
export function craft(
  entries: readonly Crafted[],
  { zip64 = false, before = "", behind = "", comment = "", count = entries.length } = {},
): Uint8Array {
  const parts: Buffer[] = [Buffer.from(before)];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let at = before.length;
  for (const it of entries) {
    const content = Buffer.from(it.content ?? []);
    const packed = it.deflate ? deflateRawSync(content) : content;
    const method = it.method ?? (it.deflate ? 8 : 0);
    const flags = (it.flags ?? 0) | (it.streamed ? 8 : 0);
    const crc = it.crc ?? crc32(content);
    const [size, packedSize] = [it.size ?? content.length, it.packedSize ?? packed.length];
    const localName = Buffer.from(it.localName ?? it.name);
    offsets.push(at);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    if (!it.streamed) {
      local.writeUInt32LE(crc, 14);
      local.writeUInt32LE(packedSize, 18);
      local.writeUInt32LE(size, 22);
    }
    local.writeUInt16LE(localName.length, 26);
    const descriptor = Buffer.alloc(it.streamed ? 16 : 0);
    if (it.streamed) {
      descriptor.writeUInt32LE(0x08074b50, 0);
      descriptor.writeUInt32LE(crc, 4);
      descriptor.writeUInt32LE(packedSize, 8);
      descriptor.writeUInt32LE(size, 12);
    }
    parts.push(local, localName, packed, descriptor);
    at += 30 + localName.length + packed.length + descriptor.length;

    const name = Buffer.from(it.name);
    const offset = offsets[it.sharesWith ?? offsets.length - 1] ?? 0;
    const extra = Buffer.alloc(it.zip64 ? 28 : 0);
    if (it.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(packedSize), 12);
      extra.writeBigUInt64LE(BigInt(offset), 20);
    }
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(it.mode === undefined ? 20 : (3 << 8) | 20, 4);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(it.zip64 ? 0xffff_ffff : packedSize, 20);
    central.writeUInt32LE(it.zip64 ? 0xffff_ffff : size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(((it.mode ?? 0) << 16) >>> 0, 38);
    central.writeUInt32LE(it.zip64 ? 0xffff_ffff : offset, 42);
    directory.push(central, name, extra);
  }
  const whole = Buffer.concat(directory);
  const ends: Buffer[] = [];
  if (zip64) {
    const end64 = Buffer.alloc(56);
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(44n, 4);
    end64.writeBigUInt64LE(BigInt(count), 24);
    end64.writeBigUInt64LE(BigInt(count), 32);
    end64.writeBigUInt64LE(BigInt(whole.length), 40);
    end64.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(at + whole.length), 8);
    locator.writeUInt32LE(1, 16);
    ends.push(end64, locator);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : count, 8);
  end.writeUInt16LE(zip64 ? 0xffff : count, 10);
  end.writeUInt32LE(zip64 ? 0xffff_ffff : whole.length, 12);
  end.writeUInt32LE(zip64 ? 0xffff_ffff : at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, whole, ...ends, end, Buffer.from(comment), Buffer.from(behind)]);
}

/** Made once: an RSA key takes a while. */
export const KEYS = {
  "ecdsa-p256": generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  "rsa-3072": generateKeyPairSync("rsa", { modulusLength: 3_072 }),
};
export const pemOf = (key: KeyObject) => String(key.export({ type: "spki", format: "pem" }));

/** The archive as our tool signs it. */
export async function signed(archive: Uint8Array, key: KeyObject = KEYS["ecdsa-p256"].privateKey): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "islet-sign-"));
  const path = join(folder, "a.zip");
  writeFileSync(path, archive);
  const handle = await open(path);
  try {
    await writeSigned(await openZipFile(handle, PACKAGE_DEFAULTS), key, join(folder, "b.zip"));
    return readFileSync(join(folder, "b.zip"));
  } finally {
    await handle.close();
    rmSync(folder, { recursive: true });
  }
}

export const CONTENT = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
export const sampleDesc = (): Record<string, unknown> => ({
  specVersion: "1.0",
  fileName: "Meter_V1.0.10.pkg",
  packageType: "softwarePackage",
  version: "V1.0.10",
  deviceType: "WaterMeter",
  manufacturerName: "Test Manufacturer",
  model: "NBIoTDevice",
  protocolType: "MQTT",
  description: "better readings",
});
/** A software package for the product of `sampleDeviceType`. */
export const softwareZip = (desc: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Uint8Array =>
  zip({
    "DM/linux/UpgradeDesc.json": { ...sampleDesc(), ...desc },
    [`linux/${String(desc.fileName ?? "Meter_V1.0.10.pkg")}`]: CONTENT,
    ...more,
  });
export const firmwareZip = (content: Uint8Array = CONTENT): Uint8Array => zip({ "meter-fw.bin": content });
export const FIRMWARE_FIELDS = {
  version: "FW2.0",
  deviceType: "WaterMeter",
  manufacturerName: "Test Manufacturer",
  model: "NBIoTDevice",
  protocolType: "MQTT",
};
