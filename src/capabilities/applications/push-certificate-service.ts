import type { Database } from "bun:sqlite";
import { CertificateError, parseCaCertificates } from "../../platform/certificates";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationEvents, ApplicationService } from "./application";
import type { NewPushCertificate, PushCertificate, PushCertificates, PushTrust } from "./push-certificate";
import { pushCertificateRepository } from "./push-certificate-repository";

export type PushCertificateSettings = { readonly maxPerApplication: number };
export const PUSH_CERTIFICATE_DEFAULTS: PushCertificateSettings = { maxPerApplication: 100 };

type Parts = {
  db: Database;
  transactor: Transactor;
  events: Listenable<ApplicationEvents>;
  applications: ApplicationService;
  clock: Clock;
  settings?: PushCertificateSettings;
};

export function pushCertificates(parts: Parts): PushCertificates {
  const { db, transactor, events, applications, clock, settings = PUSH_CERTIFICATE_DEFAULTS } = parts;
  const repository = pushCertificateRepository(db);
  const trusts = new Map<number, Map<string, PushTrust>>(); // by application and address, as of the last commit
  for (const it of repository.all()) keep(it);
  events.on("applicationDeleted", ({ application: { no } }) => {
    repository.removeAll(no);
    transactor.afterCommit(() => trusts.delete(no));
  });

  function keep({ appNo, hostPort, ca, checkCommonName, commonName, sni }: PushCertificate): void {
    const own = trusts.get(appNo) ?? new Map<string, PushTrust>();
    trusts.set(appNo, own.set(hostPort, { ca, checkCommonName, commonName, sni }));
  }

  function parse(appNo: number, input: NewPushCertificate): PushCertificate {
    const now = clock.now();
    return {
      appNo,
      hostPort: parseHostPort(input.hostPort),
      ca: parseCa(input.ca, now),
      checkCommonName: input.checkCommonName ?? true,
      commonName: parseCommonName(input.commonName),
      sni: input.sni ?? false,
      createdAt: now,
    };
  }

  /** Only inside a transaction. */
  function remove(appNo: number, hostPort: string): boolean {
    const found = repository.remove(appNo, hostPort);
    transactor.afterCommit(() => trusts.get(appNo)?.delete(hostPort));
    return found;
  }

  return {
    async add(appId, input) {
      const certificate = parse(applications.get(appId).no, input);
      return transactor.write(() => {
        const { appNo, hostPort } = certificate;
        if (!applications.byNo(appNo)) throw new DomainError("APP_NOT_FOUND", { appId });
        repository.put(certificate);
        if (repository.list(appNo).length > settings.maxPerApplication)
          throw invalid("hostPort", `at most ${settings.maxPerApplication} addresses have a certificate`);
        transactor.afterCommit(() => keep({ ...certificate, hostPort }));
        return certificate;
      });
    },
    list: (appId) => repository.list(applications.get(appId).no),
    async delete(appId, hostPort) {
      const { no } = applications.get(appId);
      return transactor.write(() => remove(no, hostPort.toLowerCase()));
    },
    unbind: (appNo, hostPort) => void remove(appNo, hostPort.toLowerCase()),
    find: (appNo, hostPort) => trusts.get(appNo)?.get(hostPort.toLowerCase()),
  };
}

const HOST_PORT = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253}):([0-9]{1,5})$/;
const COMMON_NAME = /^[A-Za-z0-9*._:-]{1,253}$/;

function parseHostPort(text: string): string {
  const hostPort = text.trim().toLowerCase();
  const port = Number(HOST_PORT.exec(hostPort)?.[2] ?? 0);
  if (port < 1 || port > 65_535) throw invalid("hostPort", "is not HOST:PORT or IP:PORT");
  return hostPort;
}

function parseCommonName(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (!COMMON_NAME.test(text)) throw invalid("commonName", "is not a host name or an address");
  return text;
}

function parseCa(pem: string, now: number): string {
  try {
    return parseCaCertificates(pem, now).pem;
  } catch (error) {
    throw error instanceof CertificateError ? invalid("ca", error.message) : error;
  }
}

const invalid = (field: string, reason: string) => new DomainError("INPUT_INVALID", { field, reason });
