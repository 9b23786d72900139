import { type ProductModel, parseModel, type ServiceTypeFile } from "./parse-model";
import { parseJson, refuse } from "./read-json";
import { readZip, ZipError, type ZipLimits } from "./read-zip";

const DEVICE_FILE = "profile/devicetype-capability.json";
const SERVICE_FILE = /^service\/([^/\\]+)\/profile\/servicetype-capability\.json$/;
const FOLDER = /^(profile|service(\/[^/\\]+(\/profile)?)?)\/$/;

/** A package `deviceType_manufacturerId_model.zip`. Throws PRODUCT_INVALID {file, path, reason}. */
export function readPackage(fileName: string, bytes: Uint8Array, limits: ZipLimits): ProductModel {
  const files = unpack(fileName, bytes, limits);
  const deviceBytes = files.get(DEVICE_FILE);
  if (!deviceBytes) return refuse({ file: DEVICE_FILE, path: "$" }, "is missing in the package");
  const serviceFiles: ServiceTypeFile[] = [];
  for (const [name, content] of files) {
    const folder = SERVICE_FILE.exec(name)?.[1];
    if (folder !== undefined) serviceFiles.push({ at: parseJson(name, content), folder });
    else if (name.startsWith("service/") && FOLDER.test(name)) assertNotBare(name, files);
  }
  const model = parseModel(parseJson(DEVICE_FILE, deviceBytes), serviceFiles);
  assertFileName(fileName, model);
  return model;
}

function unpack(fileName: string, bytes: Uint8Array, limits: ZipLimits): Map<string, Uint8Array> {
  try {
    return readZip(bytes, limits, (name) => {
      const segments = name.split("/");
      if (name.startsWith("/") || name.includes("\\") || segments.includes("..") || segments.includes("."))
        throw new ZipError("has a path that leaves the package", name);
      if (segments.some((segment) => segment.startsWith(".") || segment === "__MACOSX"))
        throw new ZipError("is a hidden file", name);
      if (name !== DEVICE_FILE && !SERVICE_FILE.test(name) && !FOLDER.test(name))
        throw new ZipError("does not belong into a package", name);
    });
  } catch (error) {
    if (error instanceof ZipError) return refuse({ file: error.entry ?? fileName, path: "$" }, error.message);
    throw error;
  }
}

/** A service folder without its file is a service that was forgotten. */
function assertNotBare(folderEntry: string, files: ReadonlyMap<string, unknown>): void {
  const [, folder] = folderEntry.split("/");
  if (folder === "" || folder === undefined) return;
  const expected = `service/${folder}/profile/servicetype-capability.json`;
  if (!files.has(expected)) refuse({ file: expected, path: "$" }, "is missing in the package");
}

/** The parts may hold `_` themselves, so the whole name is compared. */
function assertFileName(fileName: string, { deviceType, manufacturerId, model }: ProductModel): void {
  const expected = `${deviceType}_${manufacturerId}_${model}.zip`;
  if (fileName.normalize() !== expected.normalize())
    refuse({ file: fileName, path: "$" }, `must be named ${expected}, after the fields inside`);
}
