import { DomainError } from "../../platform/domain-error";
import type { DeviceInfo } from "../devices/device";
import { CsvError, type CsvRow } from "./csv";
import type { ItemError } from "./task";

/** The columns of a file of devices (console C-085), in the order of the template. Only nodeId has to be there. */
export const REGISTRATION_COLUMNS = [
  "nodeId",
  "secret",
  "psk",
  "verifyCode",
  "deviceName",
  "description",
  "location",
  "imsi",
  "isSecure",
  "timeout",
] as const;
export type RegistrationColumn = (typeof REGISTRATION_COLUMNS)[number];

/** A row, with its texts read; what registering it needs besides the product. */
export type RegistrationRow = {
  readonly nodeId: string;
  readonly secret?: string;
  readonly psk?: string;
  readonly verifyCode?: string;
  readonly isSecure?: boolean;
  readonly timeoutS?: number;
  readonly info: DeviceInfo;
};
export type ReadRegistration = { readonly nodeId: string } & (
  | { readonly row: RegistrationRow; readonly error?: undefined }
  | { readonly row?: undefined; readonly error: ItemError }
);

/** The first row: which column is where. Case does not count. Throws CsvError. */
export function readHeader({ line, cells }: CsvRow): readonly RegistrationColumn[] {
  const columns = cells.map((name) => {
    const column = REGISTRATION_COLUMNS.find((it) => it.toLowerCase() === name.toLowerCase());
    if (!column) throw new CsvError(line, `there is no column ${name.slice(0, 64)}`);
    return column;
  });
  const twice = columns.find((column, at) => columns.indexOf(column) !== at);
  if (twice) throw new CsvError(line, `the column ${twice} is there twice`);
  if (!columns.includes("nodeId")) throw new CsvError(line, "the column nodeId is missing");
  return columns;
}

const MAX_SHOWN = 256;

/** What is wrong with a row, never with its secrets, is told in its error; the rest is checked when it is registered. */
export function readRegistration(columns: readonly RegistrationColumn[], { line, cells }: CsvRow): ReadRegistration {
  const text = (name: RegistrationColumn): string | undefined => cells[columns.indexOf(name)] || undefined;
  const nodeId = text("nodeId")?.slice(0, MAX_SHOWN + 1) ?? "";
  const refuse = (field: string, reason: string): ReadRegistration => ({
    nodeId: nodeId.slice(0, MAX_SHOWN),
    error: { code: "INPUT_INVALID", details: { line, field, reason } },
  });
  if (cells.length > columns.length) return refuse("(row)", `has ${cells.length} cells for ${columns.length} columns`);
  if (nodeId === "") return refuse("nodeId", "is required");
  if (nodeId.length > MAX_SHOWN) return refuse("nodeId", `is not 1 to ${MAX_SHOWN} characters long`);
  const isSecure = text("isSecure")?.toLowerCase();
  if (isSecure !== undefined && isSecure !== "true" && isSecure !== "false")
    return refuse("isSecure", "is neither true nor false");
  const timeout = text("timeout");
  if (timeout !== undefined && !/^\d{1,10}$/.test(timeout)) return refuse("timeout", "is not a number of seconds");
  for (const name of ["deviceName", "description", "location", "imsi"] as const)
    if ((text(name)?.length ?? 0) > LONGEST[name]) return refuse(name, `is longer than ${LONGEST[name]} characters`);
  return {
    nodeId,
    row: {
      nodeId,
      ...given({ secret: text("secret"), psk: text("psk"), verifyCode: text("verifyCode") }),
      ...(isSecure !== undefined && { isSecure: isSecure === "true" }),
      ...(timeout !== undefined && { timeoutS: Number(timeout) }),
      info: given({
        ...{ name: text("deviceName"), description: text("description"), location: text("location") },
        imsi: text("imsi"),
      }),
    },
  };
}
const LONGEST = { deviceName: 256, description: 2_048, location: 1_024, imsi: 64 } as const;

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const given = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;

export const fileInvalid = (error: CsvError): DomainError =>
  new DomainError("BATCH_FILE_INVALID", { line: error.line, reason: error.message });
