/** A list of devices that cannot be used, with the reason. */
export class DeviceListError extends Error {
  override name = "DeviceListError";
}

/**
 * JSON `[{deviceId, secret}, …]` (with the fields wanted) or CSV with a heading that names them; other fields are
 * skipped. `optional` ones may be missing or empty. Throws `DeviceListError`.
 */
export function parseDeviceList<Field extends string, Optional extends string = never>(
  text: string,
  fields: readonly Field[],
  optional: readonly Optional[] = [],
): (Record<Field, string> & Partial<Record<Optional, string>>)[] {
  const entries = text.trimStart().startsWith("[") ? parseJson(text) : parseCsv(text, fields);
  if (entries.length === 0) throw new DeviceListError("the list of devices is empty");
  return entries.map((entry, index) => {
    const values = (entry ?? {}) as Record<string, unknown>;
    const isGiven = (field: string) => typeof values[field] === "string" && values[field] !== "";
    if (!fields.every(isGiven))
      throw new DeviceListError(`device ${index + 1} of the list has no ${fields.join(" or no ")}`);
    const kept = [...fields, ...optional].filter(isGiven).map((field) => [field, values[field]]);
    return Object.fromEntries(kept) as Record<Field, string> & Partial<Record<Optional, string>>;
  });
}

function parseJson(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    throw new DeviceListError("the list of devices is not JSON");
  }
}

function parseCsv(text: string, fields: readonly string[]): unknown[] {
  const [heading = [], ...rows] = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  if (!fields.every((field) => heading.includes(field)))
    throw new DeviceListError(`the first line must name the columns ${fields.join(" and ")}`);
  return rows.map((cells) => Object.fromEntries(heading.map((name, index) => [name, cells[index]])));
}
