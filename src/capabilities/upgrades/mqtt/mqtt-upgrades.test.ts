import { expect, test } from "bun:test";
import type { SystemEvent } from "../../devices/event-link";
import type { TraceEntry } from "../../devices/trace-sink";
import type { UpgradePackage } from "../../packages/package";
import type { DeviceFact, UpgradeOrder } from "../upgrade-link";
import { mqttUpgrades } from "./mqtt-upgrades";

const PACK = {
  ...{ no: 3, fileId: "f3", kind: "firmware", version: "V2", size: 708_482, fileName: "app.bin", sha256: "4d7c" },
} as unknown as UpgradePackage;
const ORDER: UpgradeOrder = {
  ...{ subTaskNo: 5, attempt: 2, deviceNo: 11, kind: "firmware", way: "mqtt", stage: "announcing" },
  ...{ package: PACK, token: "secret" },
};

function start(order: UpgradeOrder | undefined = ORDER) {
  const sent: [number, SystemEvent][] = [];
  const told: unknown[][] = [];
  const traces: TraceEntry[] = [];
  const ready: number[] = [];
  const state = { address: "10.0.0.7" as string | undefined, outcome: "sent" as "sent" | "unreachable", full: false };
  const way = mqttUpgrades({
    desk: {
      orderOf: (no) => (no === order?.deviceNo ? order : undefined),
      async tell(deviceNo, { subTaskNo, attempt }, fact: DeviceFact) {
        if (state.full) throw new Error("disk full");
        told.push([deviceNo, subTaskNo, attempt, fact]);
        return "taken";
      },
      deviceReady: (no) => void ready.push(no),
    },
    link: {
      isListening: (no) => no === 11,
      async send(no, event) {
        sent.push([no, event]);
        return state.outcome;
      },
      localAddressOf: () => state.address,
    },
    downloadUrl: ({ fileId }, address) => `https://${address}/${fileId}`,
    tokenLifeMs: 86_400_000,
    trace: { record: (entry) => void traces.push(entry) },
  });
  return { way, sent, told, traces, ready, state };
}
const event = (eventType: string, paras: Record<string, unknown>, serviceId = "$ota") => ({
  serviceId,
  eventType,
  paras,
});

test("the device is asked for its version, and told of the package", async () => {
  const { way, sent } = start();
  expect([await way.perform(ORDER, "queryVersion", false), await way.perform(ORDER, "announce", true)]).toEqual([
    "sent",
    "sent",
  ]);
  expect(sent).toEqual([
    [11, { serviceId: "$ota", eventType: "version_query", paras: {} }],
    [
      11,
      {
        serviceId: "$ota",
        eventType: "firmware_upgrade",
        paras: {
          ...{ version: "V2", url: "https://10.0.0.7/f3", file_size: 708_482, file_name: "app.bin" },
          ...{ access_token: "secret", expires: 86_400, sign: "4d7c" },
        },
      },
    ],
  ]);
  const software = { ...ORDER, package: { ...PACK, kind: "software" as const } };
  await way.perform(software, "announce", false);
  expect(sent[2]?.[1].eventType).toBe("software_upgrade");
});

test("who cannot be reached is not told", async () => {
  const { way, sent, state } = start();
  state.outcome = "unreachable";
  expect(await way.perform(ORDER, "queryVersion", false)).toBe("unreachable");
  state.address = undefined;
  expect([await way.perform(ORDER, "announce", false), sent.length]).toEqual(["unreachable", 1]);
  expect([way.isReachable(11), way.isReachable(12)]).toEqual([true, false]);
});

test("this way has nothing to ask of the radio, nothing to execute and nothing to end", async () => {
  const { way, sent } = start();
  for (const step of ["queryRadio", "queryCell", "execute", "finish"] as const)
    expect(await way.perform(ORDER, step, false)).toBe("sent");
  expect(sent).toEqual([]);
});

test("what the device says is told of its attempt", async () => {
  const { way, told, traces } = start();
  await way.received(11, event("version_report", { fw_version: "V1", sw_version: "S9" }));
  await way.received(11, event("upgrade_progress_report", { result_code: 0, progress: 40 }));
  await way.received(11, event("upgrade_progress_report", { result_code: 7 }));
  expect(told).toEqual([
    [11, 5, 2, { type: "version", version: "V1" }],
    [11, 5, 2, { type: "downloading" }],
    [11, 5, 2, { type: "failed", code: "7", reason: "upgrade package verification failure" }],
  ]);
  expect(traces).toEqual([]);
});

test("what cannot be stored is not acknowledged", async () => {
  const { way, state } = start();
  state.full = true;
  expect(way.received(11, event("upgrade_progress_report", { result_code: 0 }))).rejects.toThrow("disk full");
});

test.each([
  ["event_unknown", event("time_sync_request", {}, "$time_sync"), ORDER],
  ["event_invalid", event("upgrade_progress_report", {}), ORDER],
  ["no_upgrade", event("version_report", { fw_version: "V1" }), undefined],
  ["no_upgrade", event("version_report", { fw_version: "V1" }), { ...ORDER, way: "pcp" as const }],
] as const)("%s is traced, and nothing else", async (reason, it, order) => {
  const { way, told, traces } = start(order as UpgradeOrder);
  if (order === undefined) {
    const other = start({ ...ORDER, deviceNo: 99 });
    await other.way.received(11, it);
    expect([other.traces[0]?.reason, other.told]).toEqual([reason, []]);
    return;
  }
  await way.received(11, it);
  expect([traces[0]?.reason, told]).toEqual([reason, []]);
});

test("who begins to listen is ready", () => {
  const { way, ready } = start();
  way.listening(11);
  expect(ready).toEqual([11]);
});
