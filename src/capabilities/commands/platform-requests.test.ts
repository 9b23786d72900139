import { beforeEach, expect, test } from "bun:test";
import { silentLog } from "../../platform/log";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { DeviceId } from "../devices/device";
import type { DownlinkCommand } from "../devices/device-link";
import type { TraceEntry } from "../devices/trace-sink";
import { platformRequests } from "./platform-requests";

const SERVER = { no: 7, id: "server" as DeviceId };
const REQUEST = { serviceId: "$it", method: "DO", paras: { key: "secret" } };

let clock: ManualClock;
let sent: DownlinkCommand[];
let traced: TraceEntry[];
let outcome: () => Promise<"sent" | "unreachable">;
let openMids: Set<number>;
let own: ReturnType<typeof platformRequests>;
beforeEach(() => {
  clock = manualClock();
  [sent, traced, openMids] = [[], [], new Set()];
  outcome = async () => "sent";
  const link = {
    isConnected: (no: number) => no === SERVER.no,
    sendCommand(_no: number, command: DownlinkCommand) {
      sent.push(command);
      return outcome();
    },
    disconnect() {},
  };
  own = platformRequests({
    ...{ links: [link], isMidOpen: (_no, mid) => openMids.has(mid), clock, log: silentLog },
    ids: { next: () => "ffff0000" }, // starts at the very end of its half
    trace: { record: (entry) => void traced.push(entry) },
  });
});
const ask = (no = SERVER.no) => own.requests.ask({ ...SERVER, no }, REQUEST, 1_000);
const mids = () => sent.map(({ mid }) => mid);

test("goes out at most once, and resolves with the answer", async () => {
  const asked = ask();
  expect(sent).toEqual([{ ...REQUEST, mid: 32_768, deviceId: "server", atMostOnce: true }]);
  expect(own.isOpen(7, 32_768)).toBe(true);
  expect(own.answered(7, 32_768, 3, { reason: "full" })).toBe(true);
  expect(await asked).toEqual({ kind: "answered", errcode: 3, body: { reason: "full" } });
  expect(own.isOpen(7, 32_768)).toBe(false);
  expect(own.answered(7, 32_768, 0, undefined)).toBe(false); // late
  await clock.advance(2_000);
  expect(traced.map(({ outcome: it, reason }) => [it, reason])).toEqual([["failed", "refused_by_device"]]);
  expect(JSON.stringify(traced)).not.toContain("secret");
});

test("an answer that overtakes the link counts", async () => {
  outcome = async () => {
    own.answered(7, sent[0]?.mid as number, 0, undefined);
    return "sent";
  };
  expect(await ask()).toEqual({ kind: "answered", errcode: 0, body: undefined });
});

test("another device's answer with the same mid is not its answer", async () => {
  const asked = ask();
  expect(own.answered(8, 32_768, 0, undefined)).toBe(false);
  await clock.advance(999);
  expect(own.isOpen(7, 32_768)).toBe(true);
  await clock.advance(1);
  expect(await asked).toEqual({ kind: "silent" });
  expect(own.isOpen(7, 32_768)).toBe(false);
});

test("ends with the connection", async () => {
  const both = [ask(), ask()];
  own.connectionLost(8);
  own.connectionLost(7);
  expect(await Promise.all(both)).toEqual([{ kind: "connectionLost" }, { kind: "connectionLost" }]);
});

test.each([
  ["is not connected", async () => ask(8)],
  [
    "does not listen",
    async () => {
      outcome = async () => "unreachable";
      return ask();
    },
  ],
  [
    "cannot be sent to, by a fault of ours",
    async () => {
      outcome = () => Promise.reject(new Error("broken"));
      return ask();
    },
  ],
] as const)("a device that %s is unreachable", async (_name, run) => {
  expect(await run()).toEqual({ kind: "unreachable" });
  expect(own.isOpen(7, 32_768)).toBe(false);
});

test("mids go round in the upper half, past those that are in use, by commands too", async () => {
  const first = ask();
  own.answered(7, 32_768, 0, undefined);
  await first;
  void ask();
  openMids.add(32_770);
  void ask();
  expect(mids()).toEqual([32_768, 32_769, 32_771]);
});
