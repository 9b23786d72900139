import { Hono } from "hono";
import { z } from "zod";
import { type Command, type CommandService, signalStatus } from "../../capabilities/commands/command";
import { parseCallbackUrl } from "../../capabilities/subscriptions/callback-url";
import { renderUtcTime } from "../../platform/utc-time";
import { parseWith } from "../http/json-body";
import type { FrontEnv } from "../http/request-env";
import type { Endpoints } from "./endpoint";
import { anyObject, integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";

const SEND = "/iocm/app/signaltrans/v1.1.0/devices/:deviceId/services/:serviceId/sendCommand";
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
const DEFAULT_EXPIRE_S = 172_800; // shown for a command that was created without one

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

/** 1.9.7, and 1.9.1 and 1.9.2 as far as they concern MQTT devices. */
export function commandRoutes({ call }: Endpoints, commands: Pick<CommandService, "send" | "create" | "query">) {
  return new Hono<FrontEnv>()
    .post(
      SEND,
      call("1.9.7", { body: Signal }, async ({ application, body: { header, body: paras }, param }) => {
        const target = parseWith(Target, { deviceId: param("deviceId"), serviceId: param("serviceId") });
        const command = await commands.send(application.id, { ...target, ...header, paras });
        const timestamp = renderUtcTime(command.sentAt ?? command.createdAt);
        return { status: 202, json: { status: signalStatus(command), timestamp, requestId: command.id } };
      }),
    )
    .post(
      COMMANDS,
      call("1.9.1", { body: Create }, async ({ application, body }) => {
        const { deviceId, command, callbackUrl, expireTime: expireTimeS, maxRetransmit } = body;
        if (callbackUrl) parseCallbackUrl(callbackUrl);
        const created = await commands.create(application.id, {
          ...command,
          deviceId,
          callbackUrl: callbackUrl || undefined,
          expireTimeS,
          maxRetransmit,
        });
        const { result: _, ...json } = toResource(created); // only queries tell it
        return { status: 201, json };
      }),
    )
    .get(
      COMMANDS,
      call("1.9.2", { query: List }, ({ application, query: { pageNo, pageSize, deviceId, startTime, endTime } }) => {
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
          json: { pagination: { pageNo, pageSize, totalSize: total }, data: items.map(toResource) },
        };
      }),
    );
}

const toResource = (command: Command) => ({
  commandId: command.id,
  appId: command.appId,
  deviceId: command.deviceId,
  command: { serviceId: command.serviceId, method: command.method, paras: command.paras },
  callbackUrl: command.callbackUrl ?? null,
  expireTime: command.expireTimeS ?? DEFAULT_EXPIRE_S,
  status: command.status,
  result: toResult(command),
  creationTime: renderUtcTime(command.createdAt),
  executeTime: timeOrNull(command.executedAt),
  platformIssuedTime: timeOrNull(command.sentAt),
  deliveredTime: timeOrNull(command.deliveredAt),
  issuedTimes: command.issuedTimes,
  maxRetransmit: command.maxRetransmit ?? null,
});

const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : renderUtcTime(ms));

/** The form of the pushed result (1.8.12). */
function toResult({ status, result }: Command) {
  if (!result) return null;
  return {
    resultCode: status,
    resultDetail: "reason" in result ? { reason: result.reason } : (result.body ?? null),
  };
}
