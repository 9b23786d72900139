import type { Database } from "bun:sqlite";
import { hkdfSync } from "node:crypto";
import type { Log } from "../log";
import {
  isExposed,
  MASTER_KEY_BYTES,
  MASTER_KEY_VARIABLE,
  MasterKeyError,
  makeMasterKeyFile,
  parseMasterKey,
  readMasterKeyFile,
} from "./master-key";
import { createSealer, type Sealer } from "./sealer";

export type Secrets = {
  readonly sealer: Sealer;
  /** 32 bytes for one purpose; another purpose, or another master key, gives other bytes. */
  deriveKey(purpose: string): Uint8Array;
};

type Options = {
  /** `registry.db`, migrated; no transaction may be open. */
  db: Database;
  /** `master.key` in the data folder. */
  file: string;
  /** Value of ISLET_MASTER_KEY; goes before the file. */
  environmentKey?: string | undefined;
  log: Log;
};

const CHECK_CONTEXT = "master-key-check";
const CHECK_TEXT = "islet";

/**
 * Takes the master key from the environment or its file, and makes one when the database holds no secrets yet.
 * Throws `MasterKeyError` when the key is malformed, missing, or not the one that this database was made with.
 */
export function openSecrets({ db, file, environmentKey, log }: Options): Secrets {
  const check = db.query<{ sealed: Uint8Array }, []>("SELECT sealed FROM master_key_check").get();
  const key = environmentKey ? parseMasterKey(environmentKey, MASTER_KEY_VARIABLE) : readKeyFile(file, log);
  if (check && !key)
    throw new MasterKeyError(
      `the database was made with a master key, but ${file} is missing: put it back, or set ${MASTER_KEY_VARIABLE}`,
    );
  const secrets = secretsFrom(key ?? makeMasterKeyFile(file));
  if (!check) {
    const sealed = secrets.sealer.seal(CHECK_TEXT, CHECK_CONTEXT);
    db.query("INSERT INTO master_key_check (only_one, sealed) VALUES (1, ?)").run(sealed);
  } else if (!opens(secrets.sealer, check.sealed)) {
    const source = environmentKey ? MASTER_KEY_VARIABLE : file;
    throw new MasterKeyError(`${source} is not the master key that this database was made with`);
  }
  return secrets;
}

/** Everything that follows from a master key; for tests and tools, which have no database. */
export function secretsFrom(masterKey: Uint8Array): Secrets {
  const deriveKey = (purpose: string) =>
    new Uint8Array(hkdfSync("sha256", masterKey, "islet", purpose, MASTER_KEY_BYTES));
  return { sealer: createSealer(deriveKey("seal")), deriveKey };
}

function readKeyFile(file: string, log: Log): Uint8Array | undefined {
  const key = readMasterKeyFile(file);
  // Not refused: a secret that is mounted into a container often comes with wider rights on a read-only file system.
  if (key && isExposed(file)) log.warn("master_key_exposed", { file, advice: "chmod 600" });
  return key;
}

function opens(sealer: Sealer, sealed: Uint8Array): boolean {
  try {
    return sealer.open(sealed, CHECK_CONTEXT) === CHECK_TEXT;
  } catch {
    return false;
  }
}
