import { Hono } from "hono";
import { z } from "zod";
import { GROUP_NAME, type Group, type GroupService } from "../../capabilities/groups/group";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { count, known, list, paged } from "./answer-fields";
import type { Endpoints } from "./endpoint";
import { integer, MAX_INTEGER, optional, text } from "./fields";

const PATH = "/iocm/app/devgroup/v1.3.0/devGroups";
const DEVICES = "/iocm/app/dm";
const MAX_ID = 50;

const name = text(50, 1).regex(GROUP_NAME, "has other characters than letters and digits");
const description = optional(text(1_024));
const maxDevNum = optional(integer(0, MAX_INTEGER)).default(0);
// How many there may be is a setting, and an error of its own at 1.11.1.
const deviceIds = z.array(text(256, 1));
const pageNo = optional(integer(0, MAX_INTEGER)).default(0);

const Create = z.object({ name, description, appId: optional(text(256)), maxDevNum, deviceIds: optional(deviceIds) });
const Modify = z.object({ name, description, maxDevNum });
const List = z.object({
  pageNo,
  pageSize: optional(integer(1, 500)).default(1),
  name: optional(text(256)),
});
const Members = z.object({
  devGroupId: text(256, 1),
  pageNo,
  pageSize: optional(integer(1, 1_000)).default(10),
});
const Change = z.object({ devGroupId: text(MAX_ID, 1), deviceIds });

export const GroupResource = z.object({
  ...{ name: z.string(), description: known(z.string()), id: z.string(), appId: z.string() },
  maxDevNum: count().meta({ description: "0: no limit" }),
  curDevNum: count(),
});
const QueriedGroup = GroupResource.extend({ creator: z.string() });
const ids = list(z.string());
const RESPONSES = {
  created: { status: 200, schema: GroupResource.extend({ deviceIds: ids }) },
  changed: { status: 200, schema: GroupResource },
  found: { status: 200, schema: QueriedGroup },
  page: { status: 200, schema: z.object({ ...paged, list: list(QueriedGroup) }) },
  members: { status: 200, schema: z.object({ ...paged, deviceIds: ids }) },
  added: { status: 200, schema: z.object({ devGroupId: z.string(), deviceIds: ids }) },
  done: { status: 200 },
} as const;

const DONE = { status: 200, json: undefined } as const;
const owner = "accessAppId";

/** 1.11. What the vendor's API does not know (trees of groups, the default group, moving) is in the management API. */
export function groupRoutes({ call }: Endpoints, groups: GroupService) {
  return new Hono<FrontEnv>()
    .post(
      PATH,
      call("1.11.1", { needs: "edit", body: Create, ownerInBody: true, response: RESPONSES.created }, async (it) => {
        const { application, caller, body } = it;
        const { group, deviceIds } = await groups.create(application.no, {
          name: body.name,
          description: body.description,
          maxDevices: body.maxDevNum,
          deviceIds: body.deviceIds,
          creator: caller.name, // the document wants a user's; this API knows applications only
        });
        return { status: 200, json: { ...toResource(group), deviceIds } };
      }),
    )
    .delete(
      `${PATH}/:devGroupId`,
      call("1.11.2", { needs: "edit", owner, response: RESPONSES.done }, async ({ application, param }) => {
        await groups.delete(application.no, param("devGroupId"), { cascade: false });
        return DONE;
      }),
    )
    .put(
      `${PATH}/:devGroupId`,
      call(
        "1.11.3",
        { needs: "edit", owner, body: Modify, response: RESPONSES.changed },
        async ({ application, body, param }) => {
          const { name, description, maxDevNum } = body;
          const groupId = checkedId(param("devGroupId"));
          const group = await groups.change(application.no, groupId, { name, description, maxDevices: maxDevNum });
          return { status: 200, json: toResource(group) };
        },
      ),
    )
    .get(
      PATH,
      call("1.11.4", { needs: "query", owner, query: List, response: RESPONSES.page }, ({ application, query }) => {
        const { pageNo, pageSize, name } = query;
        const { items, total } = groups.list(application.no, { name, createdOnly: true }, pageNo, pageSize);
        return { status: 200, json: { totalCount: total, pageNo, pageSize, list: items.map(toQueried) } };
      }),
    )
    .get(
      `${PATH}/:devGroupId`,
      call("1.11.5", { needs: "query", owner, response: RESPONSES.found }, ({ application, param }) => ({
        status: 200,
        json: toQueried(groups.get(application.no, param("devGroupId"))),
      })),
    )
    .get(
      `${DEVICES}/v1.2.0/devices/ids`,
      call(
        "1.11.6",
        { needs: "query", owner, query: Members, response: RESPONSES.members },
        ({ application, query: { devGroupId, pageNo, pageSize } }) => {
          const { items, total } = groups.members(application.no, devGroupId, pageNo, pageSize);
          const deviceIds = items.map(({ deviceId }) => deviceId);
          return { status: 200, json: { totalCount: total, pageNo, pageSize, deviceIds } };
        },
      ),
    )
    .post(
      `${DEVICES}/v1.1.0/devices/addDevGroupTagToDevices`,
      call(
        "1.11.7",
        { needs: "edit", owner, body: Change, response: RESPONSES.added },
        async ({ application, body: { devGroupId, deviceIds } }) => ({
          status: 200,
          json: { devGroupId, deviceIds: await groups.add(application.no, devGroupId, deviceIds) },
        }),
      ),
    )
    .post(
      `${DEVICES}/v1.1.0/devices/deleteDevGroupTagFromDevices`,
      call(
        "1.11.8",
        { needs: "edit", owner, body: Change, response: RESPONSES.done },
        async ({ application, body: { devGroupId, deviceIds } }) => {
          await groups.remove(application.no, devGroupId, deviceIds);
          return DONE;
        },
      ),
    );
}

/** Only 1.11.3 says how long it may be; elsewhere a longer one is simply nobody's. */
function checkedId(groupId: string): string {
  if (groupId.length <= MAX_ID) return groupId;
  const reason = `has more than ${MAX_ID} characters`;
  throw new DomainError("INPUT_INVALID", { issues: [{ field: "devGroupId", reason }] });
}

const toResource = (group: Group) => ({
  name: group.name,
  description: group.description ?? null,
  id: group.id,
  appId: group.appId,
  maxDevNum: group.maxDevices,
  curDevNum: group.devices,
});
const toQueried = (group: Group) => ({ ...toResource(group), creator: group.creator });
