import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId, Application, ApplicationService } from "../applications/application";
import { isOfSignature, SIGNATURE } from "./manifest";
import type { NewPackage, PackageId, PackageUploads, UpgradePackage } from "./package";
import { append, type Incoming, type PackageFiles } from "./package-files";
import { exists, type PackageRepository, type ProductNames } from "./package-repository";
import type { ManufacturerKey } from "./public-key";
import { readContent } from "./read-package";
import { naming, refuse } from "./refuse";
import type { PackageSettings } from "./settings";
import { checkFile, checkSignature } from "./sign-archive";
import { parsePublicKey } from "./signature";
import type { Described } from "./upgrade-desc";
import { openZipFile, type ZipEntry, type ZipFile } from "./zip-file";

type Parts = {
  repository: PackageRepository;
  files: PackageFiles;
  findKey: (appNo: number, manufacturerName: string) => ManufacturerKey | undefined;
  transactor: Transactor;
  applications: Pick<ApplicationService, "get" | "byNo">;
  ids: Ids;
  clock: Clock;
  settings: PackageSettings;
};

/** From the first byte of an archive to the row of its package (ota.md 3). */
export function packageUploads(parts: Parts): PackageUploads {
  const { repository, files, findKey, transactor, applications, ids, clock, settings } = parts;
  let underWay = 0;

  async function fill(file: Incoming, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let size = 0;
    for await (const chunk of withStall(chunks, settings.uploadStallMs, clock)) {
      size += chunk.length;
      if (size > settings.maxUploadBytes)
        throw new DomainError("PAYLOAD_TOO_LARGE", { maxBytes: settings.maxUploadBytes });
      await append(file.handle, chunk);
    }
  }

  async function store(appId: AppId, archive: Incoming, input: NewPackage): Promise<UpgradePackage> {
    const application = applications.get(appId);
    const { fileName } = input;
    const zip = await naming(fileName, () => openZipFile(archive.handle, settings));
    const wanted = input.kind === "firmware" ? { kind: input.kind, fields: input.fields } : { kind: input.kind };
    const { described, content, file, prefix } = await readContent(zip, fileName, wanted, settings);
    const about = { kind: input.kind, ...described, appNo: application.no, appId, fileName: baseName(content.name) };
    checkProduct(repository, application, described, file, prefix);
    const { appNo, kind, version, manufacturerName, deviceType, model, protocolType } = about;
    const same = { appNo, kind, version, manufacturerName, deviceType, model, protocolType };
    const refuseSame = { ...about, name: "", size: 0, sha256: "", uploadedAt: 0 };
    if (repository.count(same) > 0) throw exists(refuseSame); // before the work; the table decides
    const listed = await naming(fileName, () => verify(zip, application, manufacturerName));
    const unpacked = await files.create();
    try {
      const sha256 = await naming(fileName, () => unpack(zip, content, listed, unpacked));
      const fileId = ids.next() as PackageId;
      await files.publish(unpacked, fileId);
      const name = input.name ?? fileName;
      return await insert(
        { fileId, ...about, name, size: content.size, sha256, uploadedAt: clock.now() },
        file,
        prefix,
      );
    } finally {
      await unpacked.discard();
    }
  }

  async function insert(it: Omit<UpgradePackage, "no">, file: string, prefix: string): Promise<UpgradePackage> {
    try {
      return await transactor.write(() => {
        const application = applications.byNo(it.appNo);
        if (!application) throw new DomainError("APP_NOT_FOUND", { appId: it.appId });
        checkProduct(repository, application, it, file, prefix); // it may have gone meanwhile
        if (repository.count({ appNo: it.appNo }) >= settings.maxPackagesPerApplication)
          throw new DomainError("CONFLICT", { reason: `at most ${settings.maxPackagesPerApplication} packages` });
        return repository.insert(it);
      });
    } catch (error) {
      await files.remove(it.fileId);
      throw error;
    }
  }

  function verify(zip: ZipFile, application: Application, manufacturerName: string) {
    const key = findKey(application.no, manufacturerName);
    if (!key) {
      const reason = `cannot be checked: ${manufacturerName} has no public key; sign the package and upload the public key first`;
      return refuse(SIGNATURE, "$", reason);
    }
    return checkSignature(zip, parsePublicKey(key.pem).key, settings.maxTextBytes);
  }

  return {
    async receive(chunks) {
      if (underWay >= settings.maxUploads)
        throw new DomainError("CONGESTED", { reason: `${settings.maxUploads} uploads are under way` });
      underWay++;
      let archive: Incoming | undefined;
      const discard = async () => {
        if (!archive) return;
        const it = archive;
        archive = undefined;
        underWay--;
        await it.discard();
      };
      try {
        archive = await files.create();
      } catch (error) {
        underWay--;
        throw error;
      }
      try {
        await fill(archive, chunks);
      } catch (error) {
        await discard();
        throw error;
      }
      return {
        discard,
        async store(appId, input) {
          if (!archive) throw new Error("the upload was discarded");
          return store(appId, archive, input);
        },
      };
    },
  };
}

/** Every signed file is compared with the manifest, the content on its way to the disk. Gives its SHA-256. */
async function unpack(
  zip: ZipFile,
  content: ZipEntry,
  listed: Awaited<ReturnType<typeof checkSignature>>,
  to: Incoming,
): Promise<string> {
  for (const name of zip.entries.keys())
    if (name !== content.name && !isOfSignature(name)) await checkFile(zip, name, listed);
  return checkFile(zip, content.name, listed, (chunk) => append(to.handle, chunk));
}

/** A product with the three names and the protocol. Throws PACKAGE_INVALID with the first field that fits none. */
function checkProduct(
  repository: PackageRepository,
  { no }: Application,
  { manufacturerName, deviceType, model, protocolType }: ProductNames & Pick<Described, "protocolType">,
  file: string,
  prefix: string,
): void {
  const fail = (field: string, reason: string) => refuse(file, prefix + field, reason);
  const ofManufacturer = repository.productsOf(no, manufacturerName);
  if (ofManufacturer.length === 0) fail("manufacturerName", "is of no product model of the application");
  const ofType = ofManufacturer.filter((it) => it.device_type === deviceType);
  if (ofType.length === 0) fail("deviceType", "is of no product model of this manufacturer");
  const ofModel = ofType.filter((it) => it.model === model);
  if (ofModel.length === 0) fail("model", "is of no product model of this manufacturer and device type");
  const protocols = ofModel.map((it) => it.protocol_type);
  if (!protocols.includes(protocolType))
    fail("protocolType", `must be ${protocols.join(" or ")}, as in the product model`);
}

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** Fails when the next chunk takes longer than `ms`. */
async function* withStall(chunks: AsyncIterable<Uint8Array>, ms: number, clock: Clock): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let isEnded = false;
  try {
    for (;;) {
      const stalled = Promise.withResolvers<never>();
      const reason = `nothing came for ${ms / 1_000} s`;
      const cancel = clock.after(ms, () => stalled.reject(new DomainError("BODY_MALFORMED", { reason })));
      try {
        const { done, value } = await Promise.race([iterator.next(), stalled.promise]);
        if (done) {
          isEnded = true;
          return;
        }
        yield value;
      } finally {
        cancel();
      }
    }
  } finally {
    if (!isEnded) void Promise.resolve(iterator.return?.()).catch(() => {}); // it may wait for what never comes
  }
}
