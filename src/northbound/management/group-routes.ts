import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { GroupService } from "../../capabilities/groups/group";
import type { LastSeen } from "../../capabilities/telemetry/last-seen";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import { deviceOf } from "./device-lookup";
import { DeviceResource, toDeviceResource } from "./device-resource";
import { DevicePath } from "./device-routes";
import {
  DevicesBody,
  GroupPatchBody,
  GroupResource,
  MoveBody,
  NewGroupBody,
  TopologyResource,
  toGroupResource,
  toNodeResource,
} from "./group-resource";
import { fromZero, listOf, PageQuery, pageQuery } from "./page";
import { done, json, jsonBody, pathParameter, problems, routes } from "./routes";

const GroupPath = z.object({ groupId: pathParameter("groupId", "group") });
const GroupQuery = z.strictObject({
  ...pageQuery,
  name: z.string().min(1).max(50).optional(),
  parentId: z.string().min(1).max(256).optional().openapi({ description: "directly below this group" }),
  roots: z.enum(["true"]).optional().openapi({ description: "only groups without a parent" }),
});
const DeleteQuery = z.strictObject({
  cascade: z
    .enum(["true", "false"])
    .default("false")
    .openapi({ description: "also all groups below it; otherwise those directly below become roots" }),
});

type Ports = {
  applications: Pick<ApplicationService, "get">;
  groups: GroupService;
  devices: Pick<DeviceService, "findById" | "findByNo">;
  lastSeen: LastSeen;
};

/** Groups as an operator works with them (console C-130 to C-135): trees, the default group, moving of devices. */
export function groupRoutes({ applications, groups, devices, lastSeen }: Ports) {
  const appNoOf = (appId: string) => applications.get(toAppId(appId)).no;

  return routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/groups",
        operationId: "createGroup",
        tags: ["Groups"],
        summary: "Create a group, as a root or below another",
        request: { params: AppPath, body: jsonBody(NewGroupBody) },
        responses: { 201: json(GroupResource, "Created"), ...problems(404, 409) },
      }),
      async (c) => {
        const appNo = appNoOf(c.req.valid("param").appId);
        const { group } = await groups.create(appNo, { ...c.req.valid("json"), creator: c.env.caller ?? "" });
        return c.json(toGroupResource(group), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/groups",
        operationId: "listGroups",
        tags: ["Groups"],
        summary: "List the groups of an application, oldest first",
        request: { params: AppPath, query: GroupQuery },
        responses: { 200: json(listOf("GroupList", GroupResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const appNo = appNoOf(c.req.valid("param").appId);
        const { page, pageSize, name, parentId, roots } = c.req.valid("query");
        if (roots && parentId !== undefined)
          throw new DomainError("INPUT_INVALID", { issues: [{ path: "query.roots", reason: "excludes parentId" }] });
        const filter = { name, parentId: roots ? null : parentId };
        const { items, total } = groups.list(appNo, filter, page - 1, pageSize);
        return c.json({ items: items.map(toGroupResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/group-topology",
        operationId: "exportGroupTopology",
        tags: ["Groups"],
        summary: "All groups of an application as trees",
        request: { params: AppPath },
        responses: { 200: json(TopologyResource, "The trees"), ...problems(404) },
      }),
      (c) => {
        const { id, no } = applications.get(toAppId(c.req.valid("param").appId));
        c.header("content-disposition", `attachment; filename="groups-${id}.json"`);
        return c.json({ appId: id, groups: groups.topology(no).map(toNodeResource) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/groups/{groupId}",
        operationId: "getGroup",
        tags: ["Groups"],
        summary: "Get a group",
        request: { params: GroupPath },
        responses: { 200: json(GroupResource, "The group"), ...problems(404) },
      }),
      (c) => c.json(toGroupResource(groups.getById(c.req.valid("param").groupId)), 200),
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/groups/{groupId}",
        operationId: "changeGroup",
        tags: ["Groups"],
        summary: "Rename a group, change its limit, put it below another one or make it a root",
        request: { params: GroupPath, body: jsonBody(GroupPatchBody) },
        responses: { 200: json(GroupResource, "The changed group"), ...problems(404, 409) },
      }),
      async (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        return c.json(toGroupResource(await groups.change(appNo, id, c.req.valid("json"))), 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/groups/{groupId}",
        operationId: "deleteGroup",
        tags: ["Groups"],
        summary: "Delete a group; its devices stay, in no group",
        request: { params: GroupPath, query: DeleteQuery },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        await groups.delete(appNo, id, { cascade: c.req.valid("query").cascade === "true" });
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/groups/{groupId}/devices",
        operationId: "listGroupDevices",
        tags: ["Groups"],
        summary: "List the devices of a group, in the order of their registration",
        request: { params: GroupPath, query: PageQuery },
        responses: { 200: json(listOf("DeviceList", DeviceResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        const query = c.req.valid("query");
        const { items, total } = groups.members(appNo, id, fromZero(query), query.pageSize);
        const seen = lastSeen.ofMany(items.map(({ deviceNo }) => deviceNo));
        const found = items.flatMap(({ deviceNo }) => devices.findByNo(deviceNo) ?? []);
        return c.json({ items: found.map((it) => toDeviceResource(it, seen.get(it.no))), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/groups/{groupId}/devices",
        operationId: "addGroupDevices",
        tags: ["Groups"],
        summary: "Put devices that are in no group into the group",
        request: { params: GroupPath, body: jsonBody(DevicesBody) },
        responses: { 200: json(GroupResource, "The group"), ...problems(404, 409) },
      }),
      async (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        await groups.add(appNo, id, c.req.valid("json").deviceIds);
        return c.json(toGroupResource(groups.get(appNo, id)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/groups/{groupId}/devices/remove",
        operationId: "removeGroupDevices",
        tags: ["Groups"],
        summary: "Take devices out of the group",
        request: { params: GroupPath, body: jsonBody(DevicesBody) },
        responses: { 200: json(GroupResource, "The group"), ...problems(404, 409) },
      }),
      async (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        await groups.remove(appNo, id, c.req.valid("json").deviceIds);
        return c.json(toGroupResource(groups.get(appNo, id)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/groups/{groupId}/devices/move",
        operationId: "moveGroupDevices",
        tags: ["Groups"],
        summary: "Move devices of the group to another one",
        request: { params: GroupPath, body: jsonBody(MoveBody) },
        responses: { 200: json(GroupResource, "The group that they are in now"), ...problems(404, 409) },
      }),
      async (c) => {
        const { appNo, id } = groups.getById(c.req.valid("param").groupId);
        const { deviceIds, toGroupId } = c.req.valid("json");
        await groups.move(appNo, id, toGroupId, deviceIds);
        return c.json(toGroupResource(groups.get(appNo, toGroupId)), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/devices/{deviceId}/group",
        operationId: "getDeviceGroup",
        tags: ["Groups"],
        summary: "Get the group that a device is in",
        request: { params: DevicePath },
        responses: { 200: json(GroupResource, "The group"), ...problems(404) },
      }),
      (c) => {
        const group = groups.ofDevice(deviceOf(devices, c.req.valid("param").deviceId).no);
        if (!group) throw new DomainError("GROUP_NOT_FOUND", { reason: "the device is in no group" });
        return c.json(toGroupResource(group), 200);
      },
    );
}
