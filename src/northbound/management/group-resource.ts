import { z } from "@hono/zod-openapi";
import { GROUP_NAME, type Group, type GroupNode } from "../../capabilities/groups/group";
import { Timestamp, toTimestamp } from "./routes";

const Id = z.string().min(1).max(256);
/** How many there may be is a setting. */
const DeviceIds = z.array(Id).openapi({ description: "at most 1000 (a setting); repetitions do not count twice" });
const Name = z.string().regex(GROUP_NAME, "is not 1 to 50 letters and digits");
const description = z.string().max(1_024);
const maxDevices = z.int().min(0).max(2_147_483_647);

export const NewGroupBody = z
  .strictObject({
    name: Name.openapi({ description: "unique in the application" }),
    description: description.optional(),
    maxDevices: maxDevices.optional().openapi({ description: "0, the default: no limit" }),
    parentId: Id.optional().openapi({ description: "absent: a root" }),
    deviceIds: DeviceIds.optional().openapi({ description: "first members; none of another group" }),
  })
  .openapi("NewGroup");
export const GroupPatchBody = z
  .strictObject({
    name: Name.optional(),
    description: description.nullable().optional(),
    maxDevices: maxDevices.optional(),
    parentId: Id.nullable().optional().openapi({ description: "moves it with all below it; null: becomes a root" }),
  })
  .openapi("GroupPatch", { description: "only what is given changes; null takes a value away" });
export const DevicesBody = z.strictObject({ deviceIds: DeviceIds }).openapi("GroupDevices");
export const MoveBody = z.strictObject({ deviceIds: DeviceIds, toGroupId: Id }).openapi("GroupMove");

export const GroupResource = z
  .object({
    groupId: z.string(),
    appId: z.string(),
    parentId: z.string().optional().openapi({ description: "absent: a root" }),
    name: z.string(),
    description: z.string().optional(),
    maxDevices: z.int().openapi({ description: "0: no limit" }),
    deviceCount: z.int().openapi({ description: "its own devices, not those of the groups below" }),
    isDefault: z.boolean().openapi({ description: "cannot be deleted" }),
    creator: z.string(),
    createdAt: Timestamp,
  })
  .openapi("Group");

type Node = {
  groupId: string;
  name: string;
  description?: string | undefined;
  maxDevices: number;
  deviceCount: number;
  isDefault: boolean;
  children: Node[];
};
const GroupNodeResource: z.ZodType<Node> = z
  .lazy(() =>
    z.object({
      groupId: z.string(),
      name: z.string(),
      description: z.string().optional(),
      maxDevices: z.int(),
      deviceCount: z.int(),
      isDefault: z.boolean(),
      children: z.array(GroupNodeResource),
    }),
  )
  .openapi("GroupNode");
export const TopologyResource = z
  .object({ appId: z.string(), groups: z.array(GroupNodeResource) })
  .openapi("GroupTopology");

export const toGroupResource = (it: Group) => ({
  groupId: it.id,
  appId: it.appId,
  parentId: it.parentId,
  name: it.name,
  description: it.description,
  maxDevices: it.maxDevices,
  deviceCount: it.devices,
  isDefault: it.isDefault,
  creator: it.creator,
  createdAt: toTimestamp(it.createdAt),
});

export const toNodeResource = (it: GroupNode): Node => ({
  groupId: it.id,
  name: it.name,
  description: it.description,
  maxDevices: it.maxDevices,
  deviceCount: it.devices,
  isDefault: it.isDefault,
  children: it.children.map(toNodeResource),
});
