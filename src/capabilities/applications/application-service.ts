import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter } from "../../platform/events";
import { randomText, type SecretHashes } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import { APP_ID_LENGTH, type AppId, type ApplicationEvents, type ApplicationService } from "./application";
import type { ApplicationDirectory } from "./application-directory";
import type { ApplicationRepository, StoredApplication } from "./application-repository";

const SECRET_LENGTH = 28; // 166 random bits

type Parts = {
  repository: ApplicationRepository;
  directory: ApplicationDirectory;
  transactor: Transactor;
  events: Emitter<ApplicationEvents>;
  hashes: SecretHashes;
  clock: Clock;
};

/** Higher capabilities say here what keeps an application from being deleted. */
export type DeletionGuards = {
  /** `isInUse` runs inside the transaction that deletes. */
  refuseDeletionWhile(isInUse: (appNo: number) => boolean): void;
};

export function applicationService(parts: Parts): ApplicationService & DeletionGuards {
  const { repository, directory, transactor, events, hashes, clock } = parts;
  const guards: ((appNo: number) => boolean)[] = [];
  const find = (id: AppId) => directory.byId(id)?.application;
  const notFound = (id: AppId) => new DomainError("APP_NOT_FOUND", { appId: id });

  /** Inside a transaction: from the database, because an earlier change may wait for the same commit. */
  function stored(id: AppId): StoredApplication {
    const entry = repository.find(id);
    if (!entry) throw notFound(id);
    return entry;
  }

  function kept(id: AppId, entry: StoredApplication | undefined): StoredApplication {
    if (!entry) throw notFound(id);
    transactor.afterCommit(() => directory.put(entry));
    return entry;
  }

  return {
    async create({ name, storeHistory = true, pushEnabled = true, signPushes = false, ...optional }) {
      const { description, industry, callsPerMinute } = optional;
      const secret = randomText(SECRET_LENGTH);
      const secretHash = await hashes.hash(secret);
      const application = await transactor.write(() => {
        const id = randomText(APP_ID_LENGTH) as AppId;
        const settings = { description, industry, storeHistory, pushEnabled, signPushes, callsPerMinute };
        const added = repository.add({ id, name, ...settings, frozen: false, createdAt: clock.now() }, secretHash);
        const { application } = kept(id, added);
        events.emit("applicationChanged", { application });
        return application;
      });
      return { application, secret };
    },

    list(page, pageSize) {
      const items = directory.all().slice(page * pageSize, (page + 1) * pageSize);
      return { items: items.map((it) => it.application), total: directory.count() };
    },
    find,
    get(id) {
      const application = find(id);
      if (!application) throw notFound(id);
      return application;
    },
    byNo: (no) => directory.byNo(no)?.application,

    update: (id, patch) =>
      transactor.write(() => {
        const { application } = kept(id, repository.update({ ...stored(id).application, ...patch }));
        events.emit("applicationChanged", { application });
        return application;
      }),

    delete: (id) =>
      transactor.write(() => {
        const { application } = stored(id);
        if (guards.some((isInUse) => isInUse(application.no))) throw new DomainError("APP_IN_USE", { appId: id });
        events.emit("applicationDeleted", { application }); // before the row goes: listeners' rows refer to it
        repository.remove(id);
        transactor.afterCommit(() => directory.remove(application.no, id));
      }),

    async resetSecret(id) {
      if (!find(id)) throw notFound(id);
      const secret = randomText(SECRET_LENGTH);
      const secretHash = await hashes.hash(secret);
      await transactor.write(() => {
        const { application } = kept(id, repository.setSecret(id, secretHash));
        events.emit("applicationSecretReset", { application });
      });
      return secret;
    },

    refuseDeletionWhile: (isInUse) => void guards.push(isInUse),
  };
}
