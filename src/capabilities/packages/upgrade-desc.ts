import { PACKAGE_PROTOCOLS, type UpgradePackage } from "./package";
import { refuse } from "./refuse";
import { parseSourceVersions } from "./source-versions";

export const DESCRIPTION_FILE = "DM/linux/UpgradeDesc.json";
export const DEFAULT_SHARD_SIZE = 500;
export const DEFAULT_CHECK_CODE = 0;

/** What a package says of itself, or what is typed beside it. */
export type Described = Pick<
  UpgradePackage,
  | "version"
  | "deviceType"
  | "manufacturerName"
  | "model"
  | "protocolType"
  | "sourceVersions"
  | "shardSize"
  | "checkCode"
  | "description"
  | "date"
>;

const MAX_TEXT = 256;
const MAX_DESCRIPTION = 4_096;
const MAX_VERSION_BYTES = 16; // PCP carries BYTE[16]
const PRINTABLE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** UpgradeDesc.json of a software package (ota.md 3.2). Throws PACKAGE_INVALID that names the field. */
export function parseUpgradeDesc(bytes: Uint8Array, maxSourceVersions: number): Described & { fileName: string } {
  const fields = fieldsOf(DESCRIPTION_FILE, "$.", readObject(bytes));
  fields.fixed("specVersion", "1.0");
  fields.fixed("packageType", "softwarePackage");
  const fileName = fields.text("fileName", 255);
  if (/[/\\]/.test(fileName) || fileName === "." || fileName === "..") fields.refuse("fileName", "is not a file name");
  const version = fields.version(MAX_VERSION_BYTES);
  const product = fields.product(PACKAGE_PROTOCOLS);
  const description = fields.freeText("description", MAX_DESCRIPTION);
  if (description === undefined) fields.refuse("description", "is missing");
  fields.optionalText("platform", MAX_TEXT);
  return {
    ...{ fileName, version, ...product, description: description || undefined },
    sourceVersions: fields.sourceVersions("supportSourceVersionList", maxSourceVersions),
    shardSize: fields.shardSize("deviceShard"),
    checkCode: fields.checkCode("versionCheckCode"),
    date: fields.date("date"),
  };
}

/** What is typed at the upload of firmware (ota.md 3.1). `file` and names of the fields are those of the form. */
export function parseFirmwareFields(
  file: string,
  input: Readonly<Record<string, unknown>>,
  maxSourceVersions: number,
): Described {
  const fields = fieldsOf(file, "", input);
  return {
    version: fields.version(MAX_TEXT),
    ...fields.product(["LWM2M", "MQTT"]),
    sourceVersions: fields.sourceVersions("sourceVersions", maxSourceVersions),
    description: fields.freeText("description", MAX_DESCRIPTION) || undefined,
    ...{ shardSize: DEFAULT_SHARD_SIZE, checkCode: DEFAULT_CHECK_CODE, date: undefined },
  };
}

function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // without a byte order mark
  } catch {
    return refuse(DESCRIPTION_FILE, "$", "is not UTF-8");
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    return refuse(DESCRIPTION_FILE, "$", `is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
  return refuse(DESCRIPTION_FILE, "$", "is not an object");
}

function fieldsOf(file: string, prefix: string, input: Readonly<Record<string, unknown>>) {
  const refuseField = (name: string, reason: string): never => refuse(file, `${prefix}${name}`, reason);
  const given = (name: string) => (Object.hasOwn(input, name) ? (input[name] ?? undefined) : undefined);

  function freeText(name: string, max: number): string | undefined {
    const value = given(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") return refuseField(name, "is not a string");
    if (!value.isWellFormed()) return refuseField(name, "is not well-formed Unicode");
    if (value.length > max) return refuseField(name, `is longer than ${max} characters`);
    return value;
  }
  function optionalText(name: string, max: number): string | undefined {
    const value = freeText(name, max);
    if (value !== undefined && CONTROL.test(value)) return refuseField(name, "has control characters");
    return value;
  }
  function text(name: string, max: number): string {
    const value = optionalText(name, max);
    if (value === undefined) return refuseField(name, "is missing");
    if (value.trim() === "") return refuseField(name, "is empty");
    return value;
  }
  function oneOf<const T extends string>(name: string, values: readonly T[]): T {
    const value = text(name, MAX_TEXT);
    const found = values.find((it) => it === value);
    return found ?? refuseField(name, `is none of ${values.join(", ")}`);
  }

  return {
    refuse: refuseField,
    freeText,
    optionalText,
    text,
    fixed(name: string, expected: string): void {
      if (text(name, MAX_TEXT) !== expected) refuseField(name, `must be ${JSON.stringify(expected)}`);
    },
    version(maxBytes: number): string {
      const version = text("version", MAX_TEXT);
      if (!PRINTABLE.test(version)) return refuseField("version", "has other characters than printable ASCII");
      return version.length <= maxBytes ? version : refuseField("version", `is longer than ${maxBytes} bytes`);
    },
    product: <const T extends string>(protocols: readonly T[]) => ({
      deviceType: text("deviceType", MAX_TEXT),
      manufacturerName: text("manufacturerName", MAX_TEXT),
      model: text("model", MAX_TEXT),
      protocolType: oneOf("protocolType", protocols),
    }),
    sourceVersions(name: string, max: number): string[] {
      const parsed = parseSourceVersions(given(name), max);
      return "patterns" in parsed ? parsed.patterns : refuseField(name, parsed.reason);
    },
    /** A number, or its text: the template has it as a string. */
    shardSize(name: string): number {
      const value = given(name);
      if (value === undefined || value === "") return DEFAULT_SHARD_SIZE;
      const size = typeof value === "string" && /^\d{1,6}$/.test(value) ? Number(value) : value;
      if (typeof size === "number" && Number.isInteger(size) && size >= 32 && size <= 500) return size;
      return refuseField(name, "is not a number of bytes from 32 to 500");
    },
    checkCode(name: string): number {
      const value = given(name);
      if (value === undefined || value === "") return DEFAULT_CHECK_CODE;
      if (typeof value === "string" && /^[0-9a-f]{4}$/i.test(value)) return Number.parseInt(value, 16);
      return refuseField(name, "is not four hex digits");
    },
    date(name: string): string | undefined {
      const value = given(name);
      if (value === undefined || value === "") return undefined;
      if (typeof value === "string" && isDate(value)) return value;
      return refuseField(name, "is not a date of the form yyyy-MM-dd");
    },
  };
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}
