import { Hono } from "hono";
import { z } from "zod";
import { type CommandService, signalStatus } from "../../capabilities/commands/command";
import { parseCallbackUrl } from "../../capabilities/subscriptions/callback-url";
import { renderUtcTime } from "../../platform/utc-time";
import { parseWith } from "../http/json-body";
import type { FrontEnv } from "../http/request-env";
import { list, pagination, time } from "./answer-fields";
import { CommandResource, toCommandResource } from "./command-resource";
import type { Endpoints } from "./endpoint";
import { anyObject, integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";

const SEND = "/iocm/app/signaltrans/v1.1.0/devices/:deviceId/services/:serviceId/sendCommand";
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";

// The document allows a deviceId 64 characters here and 256 where it is given out.
const deviceId = text(256, 1);
const Target = z.object({ deviceId, serviceId: text(64, 1) });
const Signal = z.object({
  header: z.object({
    requestId: optional(text(128)),
    mode: optional(z.enum(["NOACK", "ACK"])),
    from: optional(text(128)),
    toType: optional(text(128)),
    to: optional(text(128)),
    method: text(32, 1),
  }),
  body: optional(anyObject()),
});
const Create = z.object({
  deviceId,
  command: z.object({ serviceId: text(64, 1), method: text(128, 1), paras: anyObject() }),
  callbackUrl: optional(text(1_024)),
  expireTime: optional(integer(0, MAX_INTEGER)),
  maxRetransmit: optional(integer(0, 3)),
});
const List = z.object({
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 1_000)).default(1_000),
  deviceId: optional(deviceId),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
});

const SENT = {
  status: 202,
  schema: z.object({ status: z.enum(["sent", "delivered", "failed"]), timestamp: time(), requestId: z.string() }),
} as const;
const CREATED = { status: 201, schema: CommandResource.omit({ result: true }) } as const;
const PAGE = { status: 200, schema: z.object({ pagination, data: list(CommandResource) }) } as const;

/** 1.9.1, 1.9.2 and 1.9.7. */
export function commandRoutes({ call }: Endpoints, commands: Pick<CommandService, "send" | "create" | "query">) {
  return new Hono<FrontEnv>()
    .post(
      SEND,
      call("1.9.7", { needs: "edit", body: Signal, response: SENT }, async ({ application, body: signal, param }) => {
        const { header, body: paras } = signal;
        const target = parseWith(Target, { deviceId: param("deviceId"), serviceId: param("serviceId") });
        const command = await commands.send(application.id, { ...target, ...header, paras });
        const timestamp = renderUtcTime(command.sentAt ?? command.createdAt);
        return { status: 202, json: { status: signalStatus(command), timestamp, requestId: command.id } };
      }),
    )
    .post(
      COMMANDS,
      call("1.9.1", { needs: "edit", body: Create, response: CREATED }, async ({ application, caller, body }) => {
        const { deviceId, command, callbackUrl, expireTime: expireTimeS, maxRetransmit } = body;
        if (callbackUrl) parseCallbackUrl(callbackUrl);
        const created = await commands.create(application.id, {
          ...command,
          deviceId,
          callbackUrl: callbackUrl || undefined,
          callbackAppNo: caller.no === application.no ? undefined : caller.no,
          expireTimeS,
          maxRetransmit,
        });
        const { result: _, ...json } = toCommandResource(created); // only queries tell it
        return { status: 201, json };
      }),
    )
    .get(
      COMMANDS,
      call(
        "1.9.2",
        { needs: "query", query: List, response: PAGE },
        ({ application, query: { pageNo, pageSize, deviceId, startTime, endTime } }) => {
          const { fromMs, toMs } = periodOf(startTime, endTime);
          const { items, total } = commands.query(application.id, {
            deviceId,
            createdAfter: fromMs === undefined ? undefined : fromMs - 1, // the service leaves both ends out
            createdBefore: toMs === undefined ? undefined : toMs + 1,
            pageNo,
            pageSize,
          });
          return {
            status: 200,
            json: { pagination: { pageNo, pageSize, totalSize: total }, data: items.map(toCommandResource) },
          };
        },
      ),
    );
}
