import type { Islet } from "../../support/islet";
import { callerRows, inQuery, type Rows } from "./caller-rows";
import { CALLER_SETTINGS, type Call, type Caller, furnishCallers } from "./callers";
import type { Row } from "./chapter";
import { freeze, refuseToStore } from "./faults";
import { PATHS, product } from "./product-models";

const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const MEMBERS = "/iocm/app/dm/v1.2.0/devices/ids";
const ADD = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices";
const REMOVE = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices";
const MAX_GROUPS = 60;
export const GROUP_SETTINGS = { ...CALLER_SETTINGS, "groups.max_groups": `${MAX_GROUPS}` };
const METER = product("Meter", "CoAP", [{ id: "Meter", properties: [{ name: "level" }] }]);

export type Group = { id: string; name: string };

/** An application with devices for its groups, and all the calls of 1.11. */
export async function furnishGroups(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, addProduct, addApplication, get, next, manage } = callers;
  const meter = await addProduct(caller, METER);
  refuseToStore(data, "device_group", "name");
  const { body } = await manage<{ name: string }>("GET", `/apps/${caller.appId}`);

  const newName = () => next("group").replace("-", "");
  const create = (more: object = {}): Call & { body: object } => ({
    ...{ method: "POST", path: GROUPS },
    body: { name: newName(), ...more },
  });
  const addMeter = async () => {
    const body = { nodeId: next("meter"), productId: meter };
    return (await get<{ deviceId: string }>({ method: "POST", path: PATHS.byCode, body })).deviceId;
  };
  const at =
    (path: string) =>
    (query: Record<string, string | number> = {}): Call => ({
      method: "GET",
      path: `${path}?${new URLSearchParams(query as Record<string, string>)}`,
    });
  return {
    ...callers,
    ...{ data, create, addMeter, newName, callerName: body.name },
    addGroup: (more: object = {}, as?: Caller) => get<Group>(create(more), as),
    remove: (id: string): Call => ({ method: "DELETE", path: `${GROUPS}/${id}` }),
    change: (id: string, more: object = {}): Call & { body: object } => ({
      ...{ method: "PUT", path: `${GROUPS}/${id}` },
      body: { name: newName(), ...more },
    }),
    show: (id: string): Call => ({ method: "GET", path: `${GROUPS}/${id}` }),
    list: at(GROUPS),
    members: at(MEMBERS),
    join: (devGroupId: unknown, deviceIds: unknown): Call => ({
      ...{ method: "POST", path: ADD, body: { devGroupId, deviceIds } },
    }),
    leave: (devGroupId: unknown, deviceIds: unknown): Call => ({
      ...{ method: "POST", path: REMOVE, body: { devGroupId, deviceIds } },
    }),
    /** An application with as many groups as it may have. */
    async full(): Promise<Caller> {
      const who = await addApplication();
      await Promise.all(Array.from({ length: MAX_GROUPS }, () => get(create(), who)));
      return who;
    },
    /** A group of which nothing can be stored any more. */
    async stuck(deviceIds: string[] = []): Promise<string> {
      const { id } = await get<Group>(create({ deviceIds }));
      freeze(data, "device_group", id);
      return id;
    },
  };
}
export type GroupWorld = Awaited<ReturnType<typeof furnishGroups>>;

export const accessRows = (call: (world: GroupWorld) => Call, rows: Rows): Row<GroupWorld>[] =>
  callerRows(call, rows, inQuery("accessAppId"));
