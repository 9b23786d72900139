import type { Emitter } from "../../platform/events";
import type { Metrics } from "../../platform/metrics";
import type { Command, CommandEvents, CommandFailure, CommandParas, CommandResult } from "./command";
import type { CommandRepository, StoredCommand } from "./command-repository";
import { type DeliveryEvent, type Notice, step } from "./delivery";

export type CommandChange =
  | { readonly type: "acknowledged" | "unreachable" | "windowClosed" }
  | { readonly type: "handedOver"; readonly answerExpected: boolean }
  | { readonly type: "answered"; readonly errcode: number; readonly body: CommandParas | undefined }
  | { readonly type: "connectionLost"; readonly held: boolean; readonly reason: CommandFailure };

/** Steps the pure machine, stores what comes out and tells of it. Only inside a transaction. */
export function commandChanges(repository: CommandRepository, events: Emitter<CommandEvents>, metrics: Metrics) {
  const counter = metrics.counter("islet_commands_total", "Changes of commands: sent, delivered, answered, failed");
  const counted: Record<Notice, { add(): void }> = {
    sent: counter.with({ outcome: "sent" }),
    delivered: counter.with({ outcome: "delivered" }),
    answered: counter.with({ outcome: "answered" }),
    failed: counter.with({ outcome: "failed" }),
  };

  /** The command as it is afterwards. */
  return function apply({ command, delivery }: StoredCommand, change: CommandChange, at: number): Command {
    const { next, notices } = step(delivery, toEvent(change));
    if (next === delivery) return command;
    const facts = {
      issuedTimes: command.issuedTimes + (notices.includes("sent") ? 1 : 0),
      sentAt: notices.includes("sent") ? at : command.sentAt,
      deliveredAt: notices.includes("delivered") ? at : command.deliveredAt,
      executedAt: notices.includes("answered") ? at : command.executedAt,
      result: notices.includes("answered") || notices.includes("failed") ? toResult(change) : command.result,
    };
    repository.save(command.no, next, facts);
    const changed = { ...command, ...facts, status: next.state };
    for (const notice of notices) {
      counted[notice].add();
      tell(notice, changed, change, at);
    }
    return changed;
  };

  function tell(notice: Notice, command: Command, change: CommandChange, at: number): void {
    switch (notice) {
      case "sent":
        events.emit("commandSent", { command, at });
        break;
      case "delivered":
        events.emit("commandDelivered", { command, at });
        break;
      case "answered":
        if (change.type !== "answered") throw new Error("only an answer answers a command");
        events.emit("commandAnswered", { command, at, errcode: change.errcode, body: change.body });
        break;
      case "failed":
        events.emit("commandFailed", { command, at, reason: failureOf(change) });
        break;
      default:
        notice satisfies never;
    }
  }
}

const toEvent = (change: CommandChange): DeliveryEvent =>
  change.type === "answered" ? { type: "answered", ok: change.errcode === 0 } : change;

const toResult = (change: CommandChange): CommandResult =>
  change.type === "answered" ? { errcode: change.errcode, body: change.body } : { reason: failureOf(change) };

function failureOf(change: CommandChange): CommandFailure {
  switch (change.type) {
    case "connectionLost":
      return change.reason;
    case "windowClosed":
      return "no_answer";
    default:
      return "device_unreachable";
  }
}
