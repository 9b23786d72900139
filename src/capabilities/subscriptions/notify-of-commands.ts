import type { Listenable } from "../../platform/events";
import type { Command, CommandEvents, CommandResult } from "../commands/command";
import type { Notification } from "./notification";
import type { Notify } from "./registry-notifier";

type Confirmation = Extract<Notification, { type: "messageConfirm" }>["status"];

/**
 * Turns the life of a command into notifications (1.8.10 and 1.8.11 for connected devices, 1.8.12 for commands with a
 * callback address), inside the transaction of each change.
 */
export function notifyOfCommands(commands: Listenable<CommandEvents>, notify: Notify): void {
  const confirm = (command: Command, status: Confirmation, timestampMs: number) => {
    if (command.dispatch !== "connected") return;
    const { id: requestId, deviceId, serviceId } = command;
    const message = { requestId, deviceId, serviceId, to: receiverOf(command), status, timestampMs };
    notify({ type: "messageConfirm", ...message }, command.appNo, { orderKey: command.deviceNo });
  };
  const tellStatus = (command: Command) => {
    if (command.callbackUrl === undefined) return;
    const { id: commandId, deviceId, status: resultCode, result, callbackUrl, callbackAppNo } = command;
    const resultDetail = toResultDetail(result);
    notify({ type: "commandStatus", deviceId, commandId, resultCode, resultDetail }, command.appNo, {
      orderKey: command.deviceNo,
      callbackUrl,
      callbackAppNo,
    });
  };

  commands.on("commandSent", ({ command, at }) => {
    confirm(command, "sent", at);
    // Whoever created an immediate one was told in the answer.
    if (command.dispatch === "cached") tellStatus(command);
  });
  commands.on("commandDelivered", ({ command, at }) => {
    confirm(command, "delivered", at);
    tellStatus(command);
  });
  commands.on("commandAnswered", ({ command, at, body }) => {
    confirm(command, "executed", at);
    if (command.dispatch === "connected") {
      const { id: requestId, deviceId, serviceId, serviceType, method } = command;
      const answer = { requestId, deviceId, serviceId, serviceType, to: receiverOf(command), method, body: body ?? {} };
      notify({ type: "commandRsp", ...answer }, command.appNo, { orderKey: command.deviceNo });
    }
    tellStatus(command);
  });
  commands.on("commandFailed", ({ command }) => tellStatus(command));
}

const receiverOf = ({ from, appId }: Command) => from ?? appId;

function toResultDetail(result: CommandResult | undefined): unknown {
  if (!result) return null;
  return "reason" in result ? result : (result.body ?? null);
}
