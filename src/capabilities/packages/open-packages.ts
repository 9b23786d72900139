import type { Database } from "bun:sqlite";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationEvents, ApplicationService } from "../applications/application";
import type { PackageService, UpgradePackage } from "./package";
import { packageContents } from "./package-contents";
import { packageFiles } from "./package-files";
import { packageRepository } from "./package-repository";
import { packageUploads } from "./package-upload";
import { publicKeyService } from "./public-key-service";
import { PACKAGE_DEFAULTS, type PackageSettings } from "./settings";

type Parts = {
  /** `registry.db`. */
  db: Database;
  /** Of the contents; made when it is not there, and tidied up. */
  folder: string;
  transactor: Transactor;
  applications: Pick<ApplicationService, "get" | "byNo">;
  applicationEvents: Listenable<ApplicationEvents>;
  ids: Ids;
  clock: Clock;
  log: Log;
  settings?: Partial<PackageSettings>;
};

/** The whole capability, joined. Products must be open: packages look for them in their table. */
export function openPackages({
  db,
  folder,
  transactor,
  applications,
  applicationEvents,
  ids,
  clock,
  log,
  ...rest
}: Parts) {
  const settings: PackageSettings = { ...PACKAGE_DEFAULTS, ...rest.settings };
  const repository = packageRepository(db);
  const files = packageFiles({ folder, ids, log });
  files.tidy(repository.files());
  const contents = packageContents({ repository, files, settings });
  const { find: findKey, ...publicKeys } = publicKeyService({
    ...{ db, transactor, applications, clock, maxPerApplication: settings.maxPublicKeysPerApplication },
  });
  const uploads = packageUploads({ repository, files, findKey, transactor, applications, ids, clock, settings });
  const guards: ((packageNo: number) => boolean)[] = [];
  const removals = new Set<Promise<void>>();

  /** Only inside a transaction. */
  function removeRow({ no, fileId }: Pick<UpgradePackage, "no" | "fileId">): void {
    repository.remove(no);
    transactor.afterCommit(() => {
      contents.forget(no);
      const removal = files.remove(fileId).finally(() => removals.delete(removal));
      removals.add(removal);
    });
  }
  applicationEvents.on("applicationDeleted", ({ application }) => {
    for (const { no, file_id: fileId } of repository.ofApp(application.no)) removeRow({ no, fileId });
  });

  function get(fileId: string): UpgradePackage {
    const found = repository.findById(fileId);
    if (!found) throw new DomainError("PACKAGE_NOT_FOUND", { fileId });
    return found;
  }

  const packages: PackageService = {
    find: repository.findById,
    findByNo: repository.findByNo,
    get,
    list: (filter, page, pageSize) => ({
      items: repository.list(filter, pageSize, page * pageSize),
      total: repository.count(filter),
    }),
    remove: (fileId) =>
      transactor.write(() => {
        const found = get(fileId);
        if (guards.some((isInUse) => isInUse(found.no))) throw new DomainError("PACKAGE_IN_USE", { fileId });
        removeRow(found);
      }),
    refuseRemovalWhile: (isInUse) => void guards.push(isInUse),
  };

  return {
    packages,
    publicKeys,
    uploads,
    contents,
    /** For a download as a stream; the caller closes it. It stays readable when the package is removed meanwhile. */
    async openContent({ fileId }: Pick<UpgradePackage, "fileId">): Promise<FileHandle> {
      try {
        return await open(files.pathOf(fileId), "r");
      } catch (error) {
        const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
        throw isMissing ? new DomainError("PACKAGE_NOT_FOUND", { fileId }) : error;
      }
    },
    async close() {
      await Promise.all(removals);
      contents.close();
    },
  };
}
