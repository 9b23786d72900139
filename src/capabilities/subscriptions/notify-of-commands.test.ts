import { describe, expect, test } from "bun:test";
import { eventBus } from "../../platform/events";
import type { Command, CommandEvents } from "../commands/command";
import { notifyOfCommands } from "./notify-of-commands";

const command = {
  ...{ id: "c1", appNo: 1, appId: "app-1", deviceNo: 5, deviceId: "d", serviceId: "Valve", method: "SET" },
  ...{ callbackUrl: "http://h:9/c", result: undefined, dispatch: "cached", status: "PENDING" },
} as unknown as Command;

/** What the events of one command cause: `type status` in order, with the address and the detail of 1.8.12. */
function told(
  facts: Partial<Command>,
  emit: (events: ReturnType<typeof eventBus<CommandEvents>>, it: Command) => void,
) {
  const events = eventBus<CommandEvents>();
  const out: unknown[][] = [];
  notifyOfCommands(events, (notification, appNo, { orderKey, callbackUrl }) => {
    expect([appNo, orderKey]).toEqual([1, 5]);
    if (notification.type === "commandStatus")
      out.push([notification.resultCode, notification.resultDetail, callbackUrl]);
    else out.push([notification.type]);
  });
  emit(events, { ...command, ...facts });
  return out;
}
const URL = "http://h:9/c";
const answered = { status: "SUCCESSFUL", result: { errcode: 0, body: { ok: 1 } } } as const;
const timedOut = { status: "TIMEOUT", result: { reason: "no_acknowledgement" } } as const;
const failed = { status: "FAILED", result: { reason: "refused_by_device", detail: "4.05" } } as const;

describe("1.8.12 of a command to a device that sleeps, and nothing but that", () => {
  test.each([
    ["cached", [["SENT", null, URL]]],
    ["immediate", []], // it was in the answer
  ] as const)("SENT of a %s one", (dispatch, expected) => {
    const facts = { dispatch, status: "SENT" } as const;
    expect(told(facts, (events, it) => events.emit("commandSent", { command: it, at: 0 }))).toEqual(expected as never);
  });
  test.each(["cached", "immediate"] as const)("the rest of the life of a %s one", (dispatch) => {
    expect(
      told({ dispatch }, (events, it) => {
        events.emit("commandDelivered", { command: { ...it, status: "DELIVERED" }, at: 1 });
        events.emit("commandAnswered", { command: { ...it, ...answered }, at: 2, errcode: 0, body: { ok: 1 } });
        events.emit("commandFailed", { command: { ...it, ...timedOut }, at: 3, reason: "no_acknowledgement" });
        events.emit("commandFailed", { command: { ...it, ...failed }, at: 4, reason: "refused_by_device" });
      }),
    ).toEqual([
      ["DELIVERED", null, URL],
      ["SUCCESSFUL", { ok: 1 }, URL],
      ["TIMEOUT", { reason: "no_acknowledgement" }, URL],
      ["FAILED", { reason: "refused_by_device", detail: "4.05" }, URL],
    ]);
  });
  test("nothing at all without a callback address", () => {
    expect(
      told({ callbackUrl: undefined }, (events, it) => {
        events.emit("commandSent", { command: it, at: 0 });
        events.emit("commandDelivered", { command: it, at: 1 });
        events.emit("commandAnswered", { command: it, at: 2, errcode: 0, body: undefined });
        events.emit("commandFailed", { command: it, at: 3, reason: "no_acknowledgement" });
      }),
    ).toEqual([]);
  });
});

test("a command to a connected device is told to subscribers too", () => {
  expect(
    told({ dispatch: "connected" }, (events, it) => {
      events.emit("commandSent", { command: it, at: 0 });
      events.emit("commandDelivered", { command: { ...it, status: "DELIVERED" }, at: 1 });
      events.emit("commandAnswered", { command: { ...it, ...answered }, at: 2, errcode: 0, body: { ok: 1 } });
    }),
  ).toEqual([
    ["messageConfirm"],
    ["messageConfirm"],
    ["DELIVERED", null, URL],
    ["messageConfirm"],
    ["commandRsp"],
    ["SUCCESSFUL", { ok: 1 }, URL],
  ]);
});
