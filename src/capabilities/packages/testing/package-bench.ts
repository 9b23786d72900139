import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "../../../platform/domain-error";
import { randomIds } from "../../../platform/ids";
import { silentLog } from "../../../platform/log";
import { APP_A, deviceBench } from "../../devices/testing/device-bench";
import { openPackages } from "../open-packages";
import type { NewPackage } from "../package";
import type { PackageSettings } from "../settings";
import { FIRMWARE_FIELDS, KEYS, pemOf, signed } from "./archives";

type Options = { settings?: Partial<PackageSettings>; bench?: ReturnType<typeof deviceBench>; folder?: string };

/** Packages on a real database and a real folder, for the products of `deviceBench`. */
export function packageBench({ settings = {}, bench = deviceBench(), folder: given }: Options = {}) {
  const folder = given ?? join(mkdtempSync(join(tmpdir(), "islet-packages-")), "packages");
  const { db, transactor, clock, applications, events } = bench;
  const logged: string[] = [];
  const note = (event: string, fields = {}) => void logged.push(`${event} ${JSON.stringify(fields)}`);
  const opened = openPackages({
    ...{ db, folder, transactor, applications, applicationEvents: events, ids: randomIds, clock, settings },
    log: { ...silentLog, info: note, warn: note, error: note },
  });

  /** Uploads in pieces of an odd size. */
  async function upload(archive: Uint8Array, input: Partial<NewPackage> = {}, app = APP_A) {
    const received = await opened.uploads.receive(inPieces(archive));
    try {
      return await received.store(app, { kind: "software", fileName: "up_signed.zip", ...input } as NewPackage);
    } finally {
      await received.discard();
    }
  }
  return {
    ...bench,
    ...opened,
    folder,
    logged,
    upload,
    uploadFirmware: (archive: Uint8Array, fields: object = {}, more: object = {}) =>
      upload(archive, { kind: "firmware", fields: { ...FIRMWARE_FIELDS, ...fields }, ...more }),
    trust: (key = KEYS["ecdsa-p256"].publicKey, app = APP_A) =>
      opened.publicKeys.put(app, "Test Manufacturer", pemOf(key)),
    /** Signs it as the trusted manufacturer does. */
    signed,
    filesOnDisk: () =>
      readdirSync(folder, { recursive: true })
        .map(String)
        .filter((name) => name !== "incoming"),
  };
}

export async function* inPieces(bytes: Uint8Array, size = 7_777): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** `CODE file path: reason` of what the work ends with. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const { file, path, reason } = error.details;
    return [error.code, file && `${file} ${path}:`, reason].filter(Boolean).join(" ");
  }
}
