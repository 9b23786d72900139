import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../platform/clock";
import type { Listenable } from "../../platform/events";
import type { ApplicationEvents } from "../applications/application";
import type { Command, CommandEvents } from "../commands/command";
import type { DeviceEvents } from "../devices/device";
import type { ShadowEvents } from "../shadow/desired";
import type { ItemChanges } from "./item-changes";
import type { ItemEvent } from "./item-machine";
import type { ItemRepository } from "./item-repository";
import type { Specs } from "./specs";
import type { Item, ItemError, WantedValues } from "./task";
import { stepTask } from "./task-machine";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly tasks: TaskRepository;
  readonly items: ItemRepository;
  readonly changes: ItemChanges;
  readonly specs: Specs;
  readonly applicationEvents: Listenable<ApplicationEvents>;
  readonly commandEvents: Listenable<CommandEvents>;
  readonly shadowEvents: Listenable<ShadowEvents>;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly clock: Pick<Clock, "now">;
  /** After the commit: the runner has something to look at. */
  readonly wake: () => void;
};

/** Sub-tasks follow what they have started, in the transaction in which that changes. */
export function followOthers(parts: Parts): void {
  const { tasks, items, changes, specs, commandEvents, shadowEvents, deviceEvents, clock, wake } = parts;

  function commandEnded(command: Command, event: ItemEvent, error?: ItemError): void {
    if (command.dispatch !== "cached") return; // batch tasks make no others
    const item = items.ofCommand(command);
    if (!item) return;
    const { status, result } = command;
    const detail = result && ("reason" in result ? result : (result.body ?? null));
    changes.apply(item, event, { result: { status, detail: detail ?? null }, error });
  }

  commandEvents.on("commandAnswered", ({ command, errcode }) => {
    if (errcode === 0) commandEnded(command, { type: "succeeded" });
    else commandEnded(command, { type: "failed" }, { code: "COMMAND_FAILED", details: { errcode } });
  });
  commandEvents.on("commandFailed", ({ command, reason }) => {
    const details = { ...command.result, reason };
    if (command.status === "TIMEOUT")
      commandEnded(command, { type: "timedOut", expired: false }, { code: "COMMAND_TIMEOUT", details });
    else commandEnded(command, { type: "failed" }, { code: "COMMAND_FAILED", details });
  });
  commandEvents.on("commandLapsed", ({ command }) => {
    if (command.status === "EXPIRED")
      commandEnded(command, { type: "timedOut", expired: true }, { code: "COMMAND_EXPIRED" });
    else commandEnded(command, { type: "failed" }, { code: "COMMAND_CANCELED" });
  });

  shadowEvents.on("desiredSettled", ({ device, serviceId, properties, status }) => {
    for (const item of items.openOfDevice(device.no)) {
      const awaited = item.state === "WaitResult" ? item.wanted?.[serviceId] : undefined;
      if (awaited) settleValues(item, serviceId, awaited, properties, status);
    }
  });

  /** Values of a service have their outcome; a value that is not the one of the task is a later wish, which has won. */
  function settleValues(
    item: Item,
    serviceId: string,
    awaited: Readonly<Record<string, unknown>>,
    settled: Readonly<Record<string, unknown>>,
    status: "DELIVERED" | "FAILED",
  ): void {
    const named = Object.keys(awaited).filter((name) => Object.hasOwn(settled, name));
    if (named.length === 0) return;
    const other = named.find((name) => !isDeepStrictEqual(settled[name], awaited[name]));
    if (other !== undefined)
      return void fail(item, { code: "CONFIGURATION_SUPERSEDED", details: { serviceId, property: other } });
    if (status === "FAILED")
      return void retry(item, { code: "CONFIGURATION_FAILED", details: { serviceId, properties: named } });
    const left = Object.fromEntries(Object.entries(awaited).filter(([name]) => !named.includes(name)));
    const { [serviceId]: _, ...others } = item.wanted ?? {};
    const wanted: WantedValues = Object.keys(left).length > 0 ? { ...others, [serviceId]: left } : others;
    if (Object.keys(wanted).length === 0) changes.apply(item, { type: "succeeded" });
    else items.setWanted(item, wanted);
  }

  const fail = (item: Item, error: ItemError) => changes.apply(item, { type: "failed" }, { error });

  function retry(item: Item, error: ItemError): void {
    const again =
      tasks.get(item.taskNo)?.phase === "running" ? specs.ofKind(item.taskNo, "configuration").retry : undefined;
    if (!again || item.tries > again.times) return void fail(item, error);
    changes.apply(item, { type: "postponed" }, { dueMs: clock.now() + again.intervalS * 1_000, error });
    wake();
  }

  // In the transaction of the deletion; its commands and wishes go with it.
  deviceEvents.on("deviceDeleted", ({ device }) => {
    for (const item of items.openOfDevice(device.no)) {
      if (tasks.get(item.taskNo)?.kind === "deletion") changes.apply(item, { type: "succeeded" });
      else fail(item, { code: "DEVICE_NOT_FOUND", details: { deviceId: device.id } });
    }
  });
  parts.applicationEvents.on("applicationDeleted", ({ application }) => {
    for (const task of tasks.ofApp(application.no))
      tasks.setState(task.no, { ...stepTask(task, { type: "discarded" }), phase: "deleting" }, task.endedAt);
    wake();
  });
}
