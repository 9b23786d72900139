import type { DeviceCredentials } from "./device-login";

/** A list of devices that cannot be used, with the reason. */
export class DeviceListError extends Error {
  override name = "DeviceListError";
}

/** JSON `[{deviceId, secret}, …]` or CSV with a heading that names `deviceId` and `secret`. Throws `DeviceListError`. */
export function parseDeviceList(text: string): DeviceCredentials[] {
  const entries = text.trimStart().startsWith("[") ? parseJson(text) : parseCsv(text);
  if (entries.length === 0) throw new DeviceListError("the list of devices is empty");
  return entries.map((entry, index) => {
    const { deviceId, secret } = (entry ?? {}) as Record<string, unknown>;
    if (typeof deviceId !== "string" || deviceId === "" || typeof secret !== "string" || secret === "")
      throw new DeviceListError(`device ${index + 1} of the list has no deviceId or no secret`);
    return { deviceId, secret };
  });
}

function parseJson(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    throw new DeviceListError("the list of devices is not JSON");
  }
}

function parseCsv(text: string): unknown[] {
  const [heading = [], ...rows] = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const [idAt, secretAt] = ["deviceId", "secret"].map((name) => heading.indexOf(name)) as [number, number];
  if (idAt < 0 || secretAt < 0) throw new DeviceListError("the first line must name the columns deviceId and secret");
  return rows.map((cells) => ({ deviceId: cells[idAt], secret: cells[secretAt] }));
}
