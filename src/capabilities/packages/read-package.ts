import { isOfSignature } from "./manifest";
import type { PackageKind } from "./package";
import { FORM, naming, refuse } from "./refuse";
import type { PackageSettings } from "./settings";
import { DESCRIPTION_FILE, type Described, parseFirmwareFields, parseUpgradeDesc } from "./upgrade-desc";
import { bytesOf } from "./zip-content";
import type { ZipEntry, ZipFile } from "./zip-file";

const SOFTWARE_FOLDER = "linux/";
const MAX_SHARDS = 65_535; // PCP counts them in 16 bits
const SHARDED = ["CoAP", "LWM2M"];

/** The file that devices download. Throws PACKAGE_INVALID: not exactly one, no `.bin`, or empty (ota.md 3.1). */
export function findFirmware(zip: ZipFile, archive: string): ZipEntry {
  const files = [...zip.entries.values()].filter(({ name }) => !isOfSignature(name));
  const [file, further] = files;
  if (!file) return refuse(archive, "$", "holds no .bin file");
  if (further) return refuse(further.name, "$", "is a second file: a firmware package is one .bin file in a ZIP");
  if (!file.name.endsWith(".bin")) return refuse(file.name, "$", "is not a .bin file");
  return notEmpty(file);
}

/** The description of a software package and the file that devices download (ota.md 3.2). Throws PACKAGE_INVALID. */
export async function readSoftware(
  zip: ZipFile,
  archive: string,
  limits: Pick<PackageSettings, "maxTextBytes" | "maxSourceVersions">,
): Promise<{ described: Described; content: ZipEntry }> {
  const description = zip.entries.get(DESCRIPTION_FILE);
  if (!description) return refuse(DESCRIPTION_FILE, "$", `is missing in the package${hint(zip)}`);
  const bytes = await naming(archive, () => bytesOf(zip, description, limits.maxTextBytes));
  const { fileName, ...described } = parseUpgradeDesc(bytes, limits.maxSourceVersions);
  const wanted = SOFTWARE_FOLDER + fileName;
  const content = zip.entries.get(wanted);
  if (!content) return refuse(DESCRIPTION_FILE, "$.fileName", `names ${fileName}, and there is no ${wanted}`);
  for (const { name } of zip.entries.values())
    if (name !== wanted && name !== DESCRIPTION_FILE && !isOfSignature(name))
      refuse(name, "$", "does not belong into a package");
  if (SHARDED.includes(described.protocolType) && content.size > described.shardSize * MAX_SHARDS)
    refuse(
      wanted,
      "$",
      `has ${content.size} bytes, which are more than ${MAX_SHARDS} shards of ${described.shardSize}`,
    );
  return { described, content: notEmpty(content) };
}

/** Everything that is checked of a package but its signature and its product. */
export async function readContent(
  zip: ZipFile,
  archive: string,
  wanted: { kind: PackageKind; fields?: Readonly<Record<string, unknown>> },
  limits: Pick<PackageSettings, "maxTextBytes" | "maxSourceVersions">,
): Promise<{ described: Described; content: ZipEntry; file: string; prefix: string }> {
  if (wanted.kind === "software")
    return { ...(await readSoftware(zip, archive, limits)), file: DESCRIPTION_FILE, prefix: "$." };
  if (zip.entries.has(DESCRIPTION_FILE)) refuse(DESCRIPTION_FILE, "$", "makes this a software package");
  const described = parseFirmwareFields(FORM, wanted.fields ?? {}, limits.maxSourceVersions);
  return { described, content: findFirmware(zip, archive), file: FORM, prefix: "" };
}

function hint(zip: ZipFile): string {
  const deeper = [...zip.entries.keys()].find((name) => name.endsWith(`/${DESCRIPTION_FILE}`));
  if (deeper === undefined) return "";
  return `: the folder ${deeper.slice(0, -DESCRIPTION_FILE.length)} must not stand above it`;
}

const notEmpty = (file: ZipEntry): ZipEntry => (file.size > 0 ? file : refuse(file.name, "$", "is empty"));
