import { z } from "zod";
import { COMMAND_STATUSES, type Command } from "../../capabilities/commands/command";
import { renderUtcTime } from "../../platform/utc-time";
import { count, free, known, time } from "./answer-fields";

const DEFAULT_EXPIRE_S = 172_800; // shown for a command that was created without one

export const CommandResource = z.object({
  commandId: z.string(),
  appId: z.string(),
  deviceId: z.string(),
  command: z.object({ serviceId: z.string(), method: z.string(), paras: free() }),
  callbackUrl: known(z.string()),
  expireTime: count().meta({ description: "Seconds" }),
  status: z.enum(COMMAND_STATUSES),
  result: known(
    z.object({ resultCode: z.enum(COMMAND_STATUSES), resultDetail: known(free()) }).meta({
      description: "How it ended: the status, and the device's answer or the reason of a failure",
    }),
  ),
  creationTime: time(),
  executeTime: known(time()),
  platformIssuedTime: known(time()),
  deliveredTime: known(time()),
  issuedTimes: count(),
  maxRetransmit: known(count()),
});

/** The form of 1.9.1 to 1.9.3, 1.9.5 and 1.9.6; the answer of 1.9.1 has no `result`. */
export const toCommandResource = (command: Command) => ({
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
    resultDetail: "reason" in result ? result : (result.body ?? null),
  };
}
