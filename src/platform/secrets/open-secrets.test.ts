import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { silentLog } from "../log";
import { openDatabase } from "../storage/open-database";
import { MasterKeyError, parseMasterKey } from "./master-key";
import { openSecrets } from "./open-secrets";

const HEX = "00112233445566778899aabbccddeeff".repeat(2);
const BASE64 = Buffer.from(HEX, "hex").toString("base64");

describe("a master key as text", () => {
  test.each([
    ["hex", HEX],
    ["upper case hex with a line break", `${HEX.toUpperCase()}\n`],
    ["base64", BASE64],
    ["base64url without padding", Buffer.from(HEX, "hex").toString("base64url")],
    ["base64 that looks like hex", Buffer.from(parseMasterKey(`${"a".repeat(42)}8=`, "it")).toString("base64")],
  ])("is read as %s", (_name, text) => {
    expect(parseMasterKey(text, "it")).toHaveLength(32);
  });

  test.each([
    ["empty", "", "holds 0 bytes"],
    ["16 bytes of hex", HEX.slice(32), "holds 16 bytes"],
    ["33 bytes of hex", `${HEX}00`, "holds 33 bytes"],
    ["odd hex", HEX.slice(1), "odd number"],
    ["31 bytes of base64", Buffer.alloc(31, 255).toString("base64"), "holds 31 bytes"],
    ["neither", "not a key!", "neither hex nor base64"],
  ])("is refused when %s", (_name, text, reason) => {
    expect(() => parseMasterKey(text, "ISLET_MASTER_KEY")).toThrow(MasterKeyError);
    expect(() => parseMasterKey(text, "ISLET_MASTER_KEY")).toThrow(reason);
  });
});

describe("at start", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "islet-secrets-"));
    file = join(folder, "master.key");
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const database = () => openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });

  test("a key is made, readable by its owner only, and used again", () => {
    const db = database();
    const sealed = openSecrets({ db, file, log: silentLog }).sealer.seal("secret", "it");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["master.key"]);
    expect(openSecrets({ db, file, log: silentLog }).sealer.open(sealed, "it")).toBe("secret");
  });

  test("the environment goes before the file, and no file is made", () => {
    const db = database();
    const sealed = openSecrets({ db, file, environmentKey: HEX, log: silentLog }).sealer.seal("secret", "it");
    expect(existsSync(file)).toBe(false);
    const again = openSecrets({ db, file, environmentKey: BASE64, log: silentLog });
    expect(again.sealer.open(sealed, "it")).toBe("secret");
  });

  test("another key than the database's is refused, and nothing is changed", () => {
    const db = database();
    openSecrets({ db, file, log: silentLog });
    const stored = db.query("SELECT * FROM master_key_check").all();
    expect(() => openSecrets({ db, file, environmentKey: HEX, log: silentLog })).toThrow(
      "ISLET_MASTER_KEY is not the master key that this database was made with",
    );
    writeFileSync(file, HEX);
    expect(() => openSecrets({ db, file, log: silentLog })).toThrow(MasterKeyError);
    expect(db.query("SELECT * FROM master_key_check").all()).toEqual(stored);
  });

  test("a lost key file is refused, not replaced", () => {
    const db = database();
    openSecrets({ db, file, log: silentLog });
    rmSync(file);
    expect(() => openSecrets({ db, file, log: silentLog })).toThrow("is missing");
    expect(existsSync(file)).toBe(false);
  });

  test("a malformed key file is refused and kept", () => {
    writeFileSync(file, "short");
    expect(() => openSecrets({ db: database(), file, log: silentLog })).toThrow(MasterKeyError);
    expect(readFileSync(file, "utf8")).toBe("short");
  });

  test("a key file that others can read is told of", () => {
    const db = database();
    const told: unknown[] = [];
    const log = { ...silentLog, warn: (event: string) => told.push(event) };
    openSecrets({ db, file, log });
    expect(told).toEqual([]);
    chmodSync(file, 0o644);
    openSecrets({ db, file, log });
    expect(told).toEqual(["master_key_exposed"]);
  });

  test("keys for different purposes differ", () => {
    const secrets = openSecrets({ db: database(), file, log: silentLog });
    expect(secrets.deriveKey("tokens")).toEqual(secrets.deriveKey("tokens"));
    expect(secrets.deriveKey("tokens")).not.toEqual(secrets.deriveKey("seal"));
    expect(secrets.deriveKey("tokens")).toHaveLength(32);
  });
});
