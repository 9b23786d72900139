import type { Emitter } from "../../platform/events";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Command, CommandEvents, CommandFailure, CommandParas, CommandResult, CommandSettings } from "./command";
import type { CommandRepository } from "./command-repository";
import type { StoredCommand } from "./command-row";
import { type Delivery, type DeliveryEvent, type Notice, step } from "./delivery";

export type CommandChange =
  | { readonly type: "acknowledged" | "windowClosed" | "unacknowledged" | "expired" | "cancelled" }
  | { readonly type: "unreachable"; readonly reason?: "device_offline" }
  | { readonly type: "handedOver"; readonly answerExpected: boolean }
  /** Without a datagram: the stored one, once more. */
  | { readonly type: "issued"; readonly datagram?: Uint8Array }
  | { readonly type: "notEncodable" | "refused"; readonly detail: string }
  | { readonly type: "answered"; readonly errcode: number; readonly body: CommandParas | undefined }
  | { readonly type: "connectionLost"; readonly held: boolean; readonly reason: CommandFailure };

type Parts = {
  readonly repository: CommandRepository;
  readonly transactor: Pick<Transactor, "afterCommit">;
  readonly events: Emitter<CommandEvents>;
  readonly metrics: Metrics;
  readonly settings: Pick<CommandSettings, "answerTimeoutMs" | "ackTimeoutMs">;
  /** A queued command has changed, and that is on disk. */
  readonly committed: (before: Command, after: Command) => void;
};
/** Returns the command as it is afterwards: the very same object when nothing changed. */
export type ApplyChange = (stored: StoredCommand, change: CommandChange, at: number) => Command;

/** Steps the pure machine, stores what comes out and tells of it. Only inside a transaction. */
export function commandChanges(parts: Parts): ApplyChange {
  const { repository, transactor, events, metrics, settings } = parts;
  const counter = metrics.counter("islet_commands_total", "Changes of commands: sent, delivered, answered, failed");
  const counted: Record<Notice, { add(): void }> = {
    sent: counter.with({ outcome: "sent" }),
    delivered: counter.with({ outcome: "delivered" }),
    answered: counter.with({ outcome: "answered" }),
    failed: counter.with({ outcome: "failed" }),
  };
  const entered = metrics.counter("islet_command_transitions_total", "Commands that came into a status");

  /** How long what comes next is awaited. */
  function untilOf({ command, delivery, until }: StoredCommand, next: Delivery, at: number): number {
    if (command.dispatch === "connected") return until;
    if (next.state === "SENT" && command.issuedTimes === 0) return at + settings.ackTimeoutMs;
    return next.state === "DELIVERED" && delivery.state !== "DELIVERED" ? at + settings.answerTimeoutMs : until;
  }

  return function apply(stored, change, at) {
    const { command, delivery } = stored;
    const { next, notices } = step(delivery, toEvent(change));
    if (next === delivery) return command;
    const isSent = notices.includes("sent");
    const facts = {
      issuedTimes: "issued" in next ? next.issued : command.issuedTimes + (isSent ? 1 : 0),
      sentAt: isSent ? at : command.sentAt,
      deliveredAt: notices.includes("delivered") ? at : command.deliveredAt,
      executedAt: notices.includes("answered") ? at : command.executedAt,
      result: notices.includes("answered") || notices.includes("failed") ? toResult(change) : command.result,
    };
    const datagram = change.type === "issued" ? (change.datagram ?? stored.datagram) : stored.datagram;
    repository.save(command, next, facts, { until: untilOf(stored, next, at), datagram });
    const changed = { ...command, ...facts, status: next.state };
    if (next.state !== delivery.state) entered.with({ status: next.state }).add();
    if (command.dispatch !== "connected") transactor.afterCommit(() => parts.committed(command, changed));
    if (next.state === "EXPIRED" || next.state === "CANCELED") events.emit("commandLapsed", { command: changed, at });
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

function toResult(change: CommandChange): CommandResult {
  if (change.type === "answered") return { errcode: change.errcode, body: change.body };
  const reason = failureOf(change);
  return "detail" in change ? { reason, detail: change.detail } : { reason };
}

function failureOf(change: CommandChange): CommandFailure {
  switch (change.type) {
    case "connectionLost":
      return change.reason;
    case "windowClosed":
      return "no_answer";
    case "unacknowledged":
      return "no_acknowledgement";
    case "notEncodable":
      return "not_encodable";
    case "refused":
      return "refused_by_device";
    case "unreachable":
      return change.reason ?? "device_unreachable";
    default:
      return "device_unreachable";
  }
}
