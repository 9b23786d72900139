import { Hono } from "hono";
import { z } from "zod";
import { CANCEL_TASK_STATUSES, type CancelTask } from "../../capabilities/commands/cancel-task";
import type { CommandService } from "../../capabilities/commands/command";
import type { FrontEnv } from "../http/request-env";
import { count, list, pagination } from "./answer-fields";
import { CommandResource, toCommandResource } from "./command-resource";
import type { Endpoints } from "./endpoint";
import { integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";

const COMMAND = "/iocm/app/cmd/v1.4.0/deviceCommands/:deviceCommandId";
const TASKS = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks";

const Change = z.object({ status: z.literal("CANCELED") });
// The document allows a deviceId 64 characters here and 256 where it is given out.
const CreateTask = z.object({ deviceId: text(256, 1) });
const ListTasks = z.object({
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 1_000)).default(1_000),
  taskId: optional(text(64)),
  deviceId: optional(text(256)),
  status: optional(z.enum(CANCEL_TASK_STATUSES)),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
});

export const CancelTaskResource = z.object({
  ...{ taskId: z.string(), appId: z.string(), deviceId: z.string() },
  status: z.enum(CANCEL_TASK_STATUSES),
  totalCount: count(),
  deviceCommands: list(CommandResource),
});
const TASKS_PAGE = { status: 200, schema: z.object({ pagination, data: list(CancelTaskResource) }) } as const;

/** 1.9.3, 1.9.5 and 1.9.6: taking back what has not been sent. */
export function commandCancelRoutes(
  { call }: Endpoints,
  commands: Pick<CommandService, "cancel" | "createCancelTask" | "queryCancelTasks">,
) {
  return new Hono<FrontEnv>()
    .put(
      COMMAND,
      call(
        "1.9.3",
        { needs: "edit", body: Change, response: { status: 200, schema: CommandResource } },
        async ({ application, param }) => ({
          status: 200,
          json: toCommandResource(await commands.cancel(application.id, param("deviceCommandId"))),
        }),
      ),
    )
    .post(
      TASKS,
      call(
        "1.9.5",
        { needs: "edit", body: CreateTask, response: { status: 201, schema: CancelTaskResource } },
        async ({ application, body }) => ({
          status: 201,
          json: toTask(await commands.createCancelTask(application.id, body.deviceId)),
        }),
      ),
    )
    .get(
      TASKS,
      call(
        "1.9.6",
        { needs: "query", query: ListTasks, response: TASKS_PAGE },
        ({ application, query: { startTime, endTime, ...filter } }) => {
          const { fromMs, toMs } = periodOf(startTime, endTime);
          const { items, totalCommands } = commands.queryCancelTasks(application.id, {
            ...filter,
            createdAfter: fromMs === undefined ? undefined : fromMs - 1, // the service leaves both ends out
            createdBefore: toMs === undefined ? undefined : toMs + 1,
          });
          const { pageNo, pageSize } = filter;
          return {
            status: 200,
            json: { pagination: { pageNo, pageSize, totalSize: totalCommands }, data: items.map(toTask) },
          };
        },
      ),
    );
}

const toTask = ({ id, appId, deviceId, status, total, commands }: CancelTask) => ({
  taskId: id,
  appId,
  deviceId,
  status,
  totalCount: total,
  deviceCommands: commands.map(toCommandResource),
});
