/** What a device says it has: the links of a registration (OMA LwM2M TS 1.0.2 §5.3.1) and of a discovery (§5.4.2). */
import { MalformedError } from "../malformed-error";
import { decodeLinks, type Link, type LinkLimits, parseLinks } from "./link-format";
import { type NotificationAttributes, parseNotificationAttributes } from "./notification-attributes";
import { isAtOrBelow, type LwM2mPath, MAX_PATH_DEPTH, parsePath, quote } from "./path";

/** An object of a device: its version if the device names one, and its instances, ascending; none is allowed. */
export type DeviceObject = { objectId: number; version?: string; instanceIds: number[] };

export type DeviceObjects = {
  /** Where the device keeps its objects; `/` unless the registration names an alternate path. */
  rootPath: string;
  /** Content formats that the device says it knows (`ct` of the root), in its order. */
  contentFormats: number[];
  /** Ascending by id. */
  objects: DeviceObject[];
};

const ROOT_TYPE = "oma.lwm2m";
const VERSION = /^\d{1,5}(?:\.\d{1,5})?$/;
const CONTENT_FORMAT = /^\d{1,5}$/;

/** Links that are not LwM2M's, and those outside the alternate path, are skipped: a device may offer other things. */
export function decodeDeviceObjects(payload: Uint8Array, limits?: LinkLimits): DeviceObjects {
  return deviceObjects(decodeLinks(payload, limits));
}

export function parseDeviceObjects(text: string, limits?: LinkLimits): DeviceObjects {
  return deviceObjects(parseLinks(text, limits));
}

function deviceObjects(links: readonly Link[]): DeviceObjects {
  const root = links.find(isRoot) ?? links.find(({ target }) => target === "/" || target === "");
  const rootPath = root && isRoot(root) ? checkRoot(root.target) : "/";
  const objects = new Map<number, { version?: string; instanceIds: Set<number> }>();
  for (const link of links) {
    const path = pathUnder(rootPath, link.target); // the root itself is not under it
    const [objectId, instanceId] = path ?? [];
    if (objectId === undefined) continue;
    const object = objects.get(objectId) ?? { instanceIds: new Set<number>() };
    objects.set(objectId, object);
    if (instanceId !== undefined) object.instanceIds.add(instanceId);
    const version = link.attributes.get("ver");
    if (version !== undefined) object.version = checkVersion(version);
  }
  return {
    rootPath,
    contentFormats: contentFormats(root),
    objects: Array.from(objects, ([objectId, { instanceIds, ...version }]) => ({
      objectId,
      ...version,
      instanceIds: [...instanceIds].sort((a, b) => a - b),
    })).sort((a, b) => a.objectId - b.objectId),
  };
}

const isRoot = ({ attributes }: Link) => words(attributes.get("rt")).includes(ROOT_TYPE);

const words = (value: string | true | undefined) => (typeof value === "string" ? value.split(" ") : []);

function checkRoot(target: string): string {
  if (target === "" || target === "/") return "/";
  const isPath = target.startsWith("/") && !target.endsWith("/") && !target.includes("//");
  if (!isPath) throw new MalformedError(`no alternate path: ${quote(target)}`);
  return target;
}

/** The ids below the root, or nothing when the target is something else. */
function pathUnder(rootPath: string, target: string): LwM2mPath | undefined {
  const prefix = rootPath === "/" ? "" : rootPath;
  if (!target.startsWith(`${prefix}/`)) return;
  const rest = target.slice(prefix.length).replace(/(?<=\d)\/$/, ""); // some write </3/>
  const looksLikeOne = /^(?:\/\d+)+$/.test(rest) && rest.split("/").length - 1 <= MAX_PATH_DEPTH;
  return looksLikeOne ? parsePath(rest) : undefined;
}

function checkVersion(version: string | true): string {
  if (version === true || !VERSION.test(version)) throw new MalformedError(`no version: ${quote(String(version))}`);
  return version;
}

function contentFormats(root: Link | undefined): number[] {
  return words(root?.attributes.get("ct"))
    .filter((word) => CONTENT_FORMAT.test(word))
    .map(Number);
}

/** One line of a discovery's answer. `dimension` is the number of instances of a multiple resource. */
export type DiscoveredPath = {
  path: LwM2mPath;
  version?: string;
  dimension?: number;
  attributes: NotificationAttributes;
};

/** What lies at and below `path`; a device with an alternate path answers with it in front. */
export function decodeDiscovery(path: LwM2mPath, payload: Uint8Array, rootPath = "/"): DiscoveredPath[] {
  return decodeLinks(payload).flatMap(({ target, attributes }) => {
    const found = pathUnder(rootPath, target);
    if (!found || !isAtOrBelow(found, path)) return [];
    const version = attributes.get("ver");
    const dimension = attributes.get("dim");
    return [
      {
        path: found,
        ...(version === undefined ? {} : { version: checkVersion(version) }),
        ...(dimension === undefined ? {} : { dimension: checkDimension(dimension) }),
        attributes: parseNotificationAttributes(attributes),
      },
    ];
  });
}

function checkDimension(dimension: string | true): number {
  const count = dimension === true ? Number.NaN : Number(dimension);
  if (!Number.isInteger(count) || count < 0 || count > 0xffff)
    throw new MalformedError("dim is no number of instances");
  return count;
}
