import smokeDetector from "../../../docs/examples/smoke-detector.json" with { type: "json" };
import type { BehaviourName } from "../../../src/simulator/upgrade/behaviour";
import { eventually } from "../../support/eventually";
import type { Islet } from "../../support/islet";
import { DETECTOR, firmwareFields, packageDesk, signedFirmware, signedSoftware } from "../../support/packages";
import { UPGRADE_SETTINGS, upgradableDevice } from "../../support/upgradable-device";
import { callerRows, type Rows } from "./caller-rows";
import { CALLER_SETTINGS, type Call, type Caller, furnishCallers } from "./callers";
import type { Row } from "./chapter";
import { PATHS, product } from "./product-models";

export const UPGRADES_SETTINGS = { ...CALLER_SETTINGS, ...UPGRADE_SETTINGS };
const CATEGORY = "/iodm/northbound/v1.5.0/category";
const OPERATIONS = "/iodm/northbound/v1.5.0/operations";
const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const OTHER = product("Other", "CoAP", [{ id: "Meter", properties: [{ name: "level" }] }]);

export type Kind = "software" | "firmware";
export const { manufacturerName, deviceType, model } = DETECTOR;
export const NAMES = { deviceType, model, manufacturerName };
/** Looks like an id, and is nobody's. */
export const UNKNOWN = "f".repeat(32);

type Query = Readonly<Record<string, string | number>>;
type Task = { status: string; staResult: Record<string, number> };
const at =
  (path: string) =>
  (query: Query = {}): Call => ({
    method: "GET",
    path: `${path}?${new URLSearchParams(query as Record<string, string>)}`,
  });

/** An application with packages and detectors, and all the calls of 1.12. */
export async function furnishUpgrades(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, manage, addProduct, get, next } = callers;
  const detector = await addProduct(caller, smokeDetector);
  const other = await addProduct(caller, OTHER);
  const desk = await packageDesk(islet, { manage, appId: caller.appId });
  const devices = new AsyncDisposableStack();

  /** A new version; gives its fileId. Firmware says its version in its first line. */
  async function upload(kind: Kind, version = next("v"), more: Record<string, string> = {}): Promise<string> {
    const content = Buffer.from(`version=${version}\n${"content ".repeat(500)}`);
    const { status, body } =
      kind === "software"
        ? await desk.upload(await signedSoftware(version, content, DETECTOR), { fileType: "softwarePackage", ...more })
        : await desk.upload(await signedFirmware(content), { ...firmwareFields(version, DETECTOR), ...more });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body.fileId;
  }
  async function addDevice(nodeId = next("detector"), productId = detector, as?: Caller): Promise<string> {
    const body = { nodeId, verifyCode: nodeId, productId };
    return (await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body }, as)).deviceId;
  }
  async function addGroup(...deviceIds: string[]): Promise<string> {
    const name = next("group").replace("-", "");
    await get({ method: "POST", path: GROUPS, body: { name, deviceIds } });
    return name;
  }

  const fileIds = { software: await upload("software"), firmware: await upload("firmware") };
  const sleeper = await addDevice();
  const world = {
    ...callers,
    ...{ upload, addDevice, addGroup, fileIds, other, sleeper },
    packages: at(CATEGORY),
    show: (fileId: string): Call => ({ method: "GET", path: `${CATEGORY}/${fileId}` }),
    remove: (fileId: string): Call => ({ method: "DELETE", path: `${CATEGORY}/${fileId}` }),
    /** By default for a device that has never been there. */
    create: (kind: Kind, more: object = {}): Call & { body: object } => ({
      ...{ method: "POST", path: `${OPERATIONS}/${kind}Upgrade` },
      body: { fileId: fileIds[kind], targets: { devices: [sleeper] }, ...more },
    }),
    task: (operationId: string): Call => ({ method: "GET", path: `${OPERATIONS}/${operationId}` }),
    subTasks: (operationId: string, query?: Query): Call => at(`${OPERATIONS}/${operationId}/subOperations`)(query),
    tasks: at(OPERATIONS),
    /** A detector that is there, and can be upgraded. */
    async online(behaviour?: BehaviourName): Promise<string> {
      const nodeId = next("detector");
      const deviceId = await addDevice(nodeId);
      devices.use(await upgradableDevice(islet, nodeId, behaviour));
      return deviceId;
    },
    /** A task, for a device that nobody else has; gives its operationId. */
    async start(kind: Kind, more: object = {}): Promise<string> {
      const targets = { devices: [await addDevice()] };
      const call = world.create(kind, { targets, policy: { executeType: "device_online" }, ...more });
      return (await get<{ operationId: string }>(call)).operationId;
    },
    ended: (operationId: string) =>
      eventually(
        () => get<Task>(world.task(operationId)),
        ({ status }) => !["wait", "processing"].includes(status),
      ),
    close: () => devices.disposeAsync(),
  };
  return world;
}
export type UpgradeWorld = Awaited<ReturnType<typeof furnishUpgrades>>;

const USUAL: Rows = { "403 1010009": "throttled", "403 1010005": "wrongToken" };
/** All endpoints of 1.12 have these; none names another application. */
export const usualRows = (call: (world: UpgradeWorld) => Call): Row<UpgradeWorld>[] => callerRows(call, USUAL);
