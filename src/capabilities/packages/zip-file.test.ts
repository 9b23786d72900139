import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PACKAGE_DEFAULTS, type PackageSettings } from "./settings";
import { CONTENT, type Crafted, craft, zip } from "./testing/archives";
import { contentOf } from "./zip-content";
import { openZipFile, ZipError } from "./zip-file";

const folder = mkdtempSync(join(tmpdir(), "islet-zip-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** All files of it, or what is wrong with it. */
async function read(
  bytes: Uint8Array,
  limits: Partial<PackageSettings> = {},
): Promise<Record<string, string> | string> {
  const path = join(folder, "a.zip");
  writeFileSync(path, bytes);
  const handle = await open(path);
  try {
    const file = await openZipFile(handle, { ...PACKAGE_DEFAULTS, ...limits });
    const found: Record<string, string> = {};
    for (const [name, entry] of file.entries) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of contentOf(file, entry)) chunks.push(chunk);
      found[name] = Buffer.concat(chunks).toString("latin1");
    }
    return found;
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    return `${error.entry ?? "archive"}: ${error.message}`;
  } finally {
    await handle.close();
  }
}

const a: Crafted = { name: "a.txt", content: Buffer.from("hello") };
const large = CONTENT.toString("latin1");

describe("is read", () => {
  test.each<[string, Uint8Array]>([
    ["made by another program", zip({ "a.txt": "hello", "d/b.bin": CONTENT })],
    ["stored", craft([a, { name: "d/b.bin", content: CONTENT }])],
    [
      "deflated",
      craft([
        { ...a, deflate: true },
        { name: "d/b.bin", content: CONTENT, deflate: true },
      ]),
    ],
    [
      "with folders",
      craft([{ name: "d/", mode: 0o040_755 }, a, { name: "d/b.bin", content: CONTENT, mode: 0o100_644 }]),
    ],
    [
      "streamed",
      craft([
        { ...a, streamed: true, deflate: true },
        { name: "d/b.bin", content: CONTENT, streamed: true },
      ]),
    ],
    [
      "ZIP64",
      craft(
        [
          { ...a, zip64: true },
          { name: "d/b.bin", content: CONTENT, zip64: true },
        ],
        { zip64: true },
      ),
    ],
    ["with a comment", craft([a, { name: "d/b.bin", content: CONTENT }], { comment: "PK\u0005\u0006 is no end" })],
  ])("%s", async (_name, bytes) => {
    expect(await read(bytes)).toEqual({ "a.txt": "hello", "d/b.bin": large });
  });
});

test("an empty file is one, and a name may have any letters", async () => {
  expect(await read(craft([{ name: "wärme/表.bin" }]))).toEqual({ "wärme/表.bin": "" });
});

describe("is refused:", () => {
  const zeros = new Uint8Array(20 << 20);
  test.each<[string, Uint8Array, string, Partial<PackageSettings>?]>([
    ["nothing", new Uint8Array(), "archive: is not a ZIP archive but empty"],
    [
      "a renamed RAR",
      Buffer.from("Rar!\x1a\x07\x01\x00".padEnd(400, "x"), "latin1"),
      "archive: is not a ZIP archive but a RAR archive",
    ],
    [
      "a renamed 7z",
      Buffer.from("7z\xbc\xaf\x27\x1c".padEnd(400, "x"), "latin1"),
      "archive: is not a ZIP archive but a 7-Zip archive",
    ],
    ["a gzip", Buffer.from("\x1f\x8b\x08".padEnd(400, "x"), "latin1"), "archive: is not a ZIP archive but a gzip file"],
    ["no entries", craft([]), "archive: is empty"],
    ["trailing bytes", craft([a], { behind: "x" }), "archive: has bytes behind its end, or is cut off"],
    ["bytes before it", craft([a], { before: "#!/bin/sh\n" }), "archive: does not begin with its first entry"],
    ["fewer entries than told", craft([a], { count: 2 }), "archive: is not a complete ZIP archive"],
    ["more entries than told", craft([a, { name: "b" }], { count: 1 }), "archive: is not a complete ZIP archive"],
    ["a path upwards", craft([{ ...a, name: "../a.txt" }]), "../a.txt: has a path that leaves the archive"],
    [
      "a path upwards inside",
      craft([{ ...a, name: "x/../../a.txt" }]),
      "x/../../a.txt: has a path that leaves the archive",
    ],
    ["an absolute path", craft([{ ...a, name: "/etc/passwd" }]), "/etc/passwd: has a path that leaves the archive"],
    ["a drive", craft([{ ...a, name: "C:a.txt" }]), "C:a.txt: has a path that leaves the archive"],
    ["a backslash", craft([{ ...a, name: "..\\a.txt" }]), "..\\a.txt: has a path that leaves the archive"],
    ["an empty segment", craft([{ ...a, name: "x//a.txt" }]), "x//a.txt: has a bad path"],
    ["a dot", craft([{ ...a, name: "./a.txt" }]), "./a.txt: has a bad path"],
    ["no name", craft([{ ...a, name: "" }]), ": has a bad path"],
    ["a NUL", craft([{ ...a, name: "a\0.txt" }]), "a\0.txt: has control characters in its name"],
    ["a duplicate", craft([a, a]), "a.txt: is in the archive twice"],
    ["a folder of the same name", craft([a, { name: "a.txt/" }]), "a.txt/: is in the archive twice"],
    ["an encrypted entry", craft([{ ...a, flags: 1 }]), "a.txt: is encrypted"],
    ["a strongly encrypted entry", craft([{ ...a, flags: 0x41 }]), "a.txt: is encrypted"],
    ["a link", craft([{ ...a, mode: 0o120_777 }]), "a.txt: is a link"],
    ["a device", craft([{ ...a, mode: 0o020_666 }]), "a.txt: is not a plain file"],
    ["another method", craft([{ ...a, method: 12 }]), "a.txt: is packed by method 12, which is not supported"],
    ["another name inside", craft([{ ...a, localName: "b.txt" }]), "a.txt: is called something else in its own header"],
    ["a wrong checksum", craft([{ ...a, crc: 1 }]), "a.txt: is damaged"],
    ["a wrong size, stored", craft([{ ...a, size: 4 }]), "a.txt: is stored with two sizes"],
    ["a size too small", craft([{ ...a, deflate: true, size: 4 }]), "a.txt: is damaged"],
    ["a size too large", craft([{ ...a, deflate: true, size: 6 }]), "a.txt: is damaged"],
    ["packed bytes that are none", craft([{ ...a, method: 8, size: 9 }]), "a.txt: is damaged"],
    [
      "a packed size beyond the end",
      craft([{ ...a, size: 5_000, packedSize: 5_000 }]),
      "archive: is not a complete ZIP archive",
    ],
    [
      "entries that share bytes",
      craft([a, { ...a, name: "b.txt", sharesWith: 0 }]),
      "b.txt: shares its bytes with another entry",
    ],
    ["a folder with bytes", craft([{ ...a, name: "d/" }]), "d/: is a folder with bytes"],
    ["a bomb", craft([{ name: "z", content: zeros, deflate: true }]), "z: is packed more than 200 to 1"],
    ["too much in one", craft([a]), "a.txt: unpacks to more than 4 bytes", { maxContentBytes: 4 }],
    [
      "too much in all",
      craft([a, { ...a, name: "b.txt" }]),
      "archive: unpacks to more than 9 bytes",
      { maxContentBytes: 9 },
    ],
    [
      "too many entries",
      craft([a, { name: "b" }, { name: "c" }]),
      "archive: has more than 2 entries",
      { maxEntries: 2 },
    ],
    ["a large directory", craft([a]), "archive: has a directory of more than 40 bytes", { maxDirectoryBytes: 40 }],
  ])("%s", async (_name, bytes, expected, limits = {}) => {
    expect(await read(bytes, limits)).toBe(expected);
  });

  test("cut anywhere", async () => {
    const whole = craft([a, { name: "b", content: Buffer.from("bye"), deflate: true, zip64: true }], { zip64: true });
    for (let length = 0; length < whole.length; length++) {
      const told = await read(whole.subarray(0, length));
      expect(typeof told === "string" ? told.startsWith("archive: ") : length).toBe(true);
    }
  });
  test("with any byte changed: never more than what was there, and never another kind of error", async () => {
    const whole = craft([
      { ...a, deflate: true, streamed: true },
      { name: "b", content: Buffer.from("bye") },
    ]);
    for (let at = 0; at < whole.length; at++)
      for (const value of [0, 0xff, (whole[at] ?? 0) ^ 1]) {
        const changed = Uint8Array.from(whole);
        changed[at] = value;
        const told = await read(changed);
        if (typeof told === "string") continue;
        for (const content of Object.values(told)) expect(["hello", "bye", ""]).toContain(content);
      }
  });
});
