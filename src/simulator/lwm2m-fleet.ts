import type { Clock } from "../platform/clock";
import type { StyleName } from "./access-styles";
import { type BadNetworkSettings, badNetwork } from "./bad-network";
import type { ReportTemplate } from "./hex-template";
import { createHistogram } from "./histogram";
import { type DeviceUpgrade, type Lwm2mDevice, type Lwm2mDeviceSettings, startLwm2mDevice } from "./lwm2m-device";
import type { LocalAddress, Network } from "./network";
import type { NbCredentials } from "./register-devices";

export type Lwm2mFleetOptions = {
  readonly network: Network;
  readonly devices: readonly NbCredentials[];
  /** Of each device; its style is that of its place. */
  readonly settings: Omit<Lwm2mDeviceSettings, "style" | "upgrade">;
  /** Of the device of this place; left out: they cannot be upgraded. */
  readonly upgrade?: ((index: number) => Omit<DeviceUpgrade, "on">) | undefined;
  readonly style: StyleName | "mixed";
  /** Where the device of this place sends from at first. */
  readonly local?: (index: number) => LocalAddress;
  readonly badNetwork: BadNetworkSettings;
  /** Reports per second of all devices together, in turn; 0: they only stay registered. */
  readonly rate: number;
  /** Address changes per second of all devices together, in turn. */
  readonly moves: number;
  /** How long is measured; 0: until `signal` aborts. */
  readonly seconds: number;
  /** Time under load before the measurement. */
  readonly warmUpSeconds: number;
  readonly payload: ReportTemplate;
  /** Devices that register at a time. */
  readonly connecting: number;
  /** De-register at the end; else the devices fall silent, as those whose battery is empty. */
  readonly leave: boolean;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal?: AbortSignal;
  /** Called when all have tried to register, and when the measurement begins and ends; it waits for what this returns. */
  readonly onPhase?: (phase: "connected" | "measuring" | "measured") => void | Promise<void>;
};

export type Lwm2mFleetResult = {
  readonly devices: number;
  /** At the end. */
  readonly registered: number;
  readonly awake: number;
  readonly registerSeconds: number;
  readonly seconds: number;
  /** Since the start, as all below but the reports and their latency. */
  readonly registrations: number;
  readonly updates: number;
  readonly handshakes: number;
  readonly resumed: number;
  readonly failedHandshakes: number;
  readonly reportsSent: number;
  readonly reportsAcknowledged: number;
  readonly reportsPerSecond: number;
  readonly reportsLost: number;
  /** Were due while the one before was still under way. */
  readonly reportsSkipped: number;
  /** Messages of the platform that were executed. */
  readonly commands: number;
  /** Repetitions of the same message, which were not executed again. */
  readonly duplicates: number;
  /** Executions of bytes that the same device had executed before, in another message. */
  readonly executedAgain: number;
  readonly answersSent: number;
  readonly answersLost: number;
  readonly moves: number;
  readonly sleeps: number;
  readonly reboots: number;
  /** Packages that were installed, and how often each, by its SHA-256. */
  readonly installed: number;
  readonly packages: Readonly<Record<string, number>>;
  /** From when a report was due to its acknowledgement. */
  readonly latencyMs: Readonly<Record<"mean" | "p50" | "p90" | "p99" | "p999" | "max", number>>;
};

const TICK_MS = 10;
const LAST_ACKNOWLEDGEMENTS_MS = 5_000;
/** So many reasons are printed; the rest is in the numbers. */
const MAX_REASONS = 20;

type Member = { readonly device: Lwm2mDevice; isReporting: boolean; reports: number };

/** Many NB-IoT devices in one process: load, or life in a demo. Prints a line a second; resolves when all have left. */
export async function runLwm2mFleet(
  options: Lwm2mFleetOptions,
  clock: Clock,
  print: (line: string) => void,
): Promise<Lwm2mFleetResult> {
  const counters = createCounters();
  const latencies = createHistogram();
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const never = new AbortController().signal;
  const reasons = new Set<string>();
  const packages: Record<string, number> = {};
  const network = badNetwork(options.network, options.badNetwork, clock, options.random);
  const members = options.devices.map(createMember);
  const count = (holds: (device: Lwm2mDevice) => boolean) =>
    members.reduce((sum, { device }) => sum + (holds(device) ? 1 : 0), 0);
  const registered = () => count((device) => device.isRegistered);

  const registeringSince = clock.monotonic();
  await registerAll();
  const registerSeconds = (clock.monotonic() - registeringSince) / 1_000;
  print(`${registered()} of ${members.length} registered after ${registerSeconds.toFixed(1)} s`);
  await options.onPhase?.("connected");

  const feeding = Promise.all([
    inTurnAt(options.rate, report),
    inTurnAt(options.moves, ({ device }) => void device.move()),
  ]);
  await clock.sleep(options.warmUpSeconds * 1_000, signal);
  latencies.clear();
  const before = { ...counters };
  const start = clock.monotonic();
  await options.onPhase?.("measuring");
  await measure();
  const seconds = (clock.monotonic() - start) / 1_000;
  await options.onPhase?.("measured");
  stopping.abort();
  await feeding;
  for (let waitedMs = 0; waitedMs < LAST_ACKNOWLEDGEMENTS_MS && members.some(isReporting); waitedMs += TICK_MS)
    await clock.sleep(TICK_MS, never);
  const result = resultOf();
  await Promise.all(members.map(({ device }) => device.stop(options.leave ? "politely" : "quietly")));
  return result;

  function createMember({ nodeId, psk }: NbCredentials, index: number): Member {
    const { settings, random, style } = options;
    const upgrade = options.upgrade?.(index);
    const device = startLwm2mDevice({
      nodeId,
      psk: psk === undefined ? undefined : Uint8Array.fromHex(psk),
      ...(options.local && { local: options.local(index) }),
      network,
      clock,
      random,
      settings: {
        ...settings,
        style: style !== "mixed" ? style : index % 2 === 0 ? "lwm2m" : "tup",
        upgrade: upgrade && { ...upgrade, on: { installed } },
      },
      on: {
        registered: () => counters.registrations++,
        registrationFailed(reason) {
          if (signal.aborted || reasons.size >= MAX_REASONS || reasons.has(reason)) return;
          reasons.add(reason);
          print(`${nodeId} and perhaps others: not registered: ${reason}`);
        },
        updated: () => counters.updates++,
        handshake: (outcome) => counters[HANDSHAKE_COUNTERS[outcome]]++,
        command(_payload, times) {
          counters.commands++;
          if (times > 1) counters.executedAgain++;
        },
        answered: (accepted) => counters[accepted ? "answersSent" : "answersLost"]++,
        duplicate: () => counters.duplicates++,
        rebooted: () => counters.reboots++,
        slept: () => counters.sleeps++,
        moved: () => counters.moves++,
      },
    });
    return { device, isReporting: false, reports: 0 };
  }

  function installed(_way: string, _version: string, sha256: string): void {
    counters.installed++;
    packages[sha256] = (packages[sha256] ?? 0) + 1;
  }

  async function registerAll(): Promise<void> {
    // Who waits for a server that says nothing is to be let go.
    const letGo = (): void => {
      for (const { device } of members) void device.stop("quietly");
    };
    signal.addEventListener("abort", letGo);
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let member = members[next++]; member && !signal.aborted; member = members[next++])
        await member.device.register();
    };
    await Promise.all(Array.from({ length: options.connecting }, lane));
    signal.removeEventListener("abort", letGo);
  }

  /** Lets something fall due so often a second, in turn over all devices. */
  async function inTurnAt(rate: number, run: (member: Member) => void): Promise<void> {
    if (rate === 0) return;
    const since = clock.monotonic();
    for (let given = 0; !signal.aborted; ) {
      await clock.sleep(TICK_MS, signal);
      const due = Math.floor(((clock.monotonic() - since) / 1_000) * rate);
      for (; given < due && !signal.aborted; given++) run(members[given % members.length] as Member);
    }
  }

  function report(member: Member): void {
    if (member.isReporting) {
      counters.reportsSkipped++;
      return;
    }
    member.isReporting = true;
    counters.reportsSent++;
    const dueMs = clock.monotonic();
    void member.device.report(options.payload(member.reports++, options.random)).then((outcome) => {
      member.isReporting = false;
      if (outcome === "accepted") {
        counters.reportsAcknowledged++;
        latencies.record((clock.monotonic() - dueMs) * 1_000);
      } else if (outcome !== "stopped") counters.reportsLost++;
    });
  }

  async function measure(): Promise<void> {
    for (let second = 1; !signal.aborted && (options.seconds === 0 || second <= options.seconds); second++) {
      const { reportsAcknowledged } = counters;
      const at = clock.monotonic();
      await clock.sleep(1_000, signal);
      const rate = Math.round(
        ((counters.reportsAcknowledged - reportsAcknowledged) * 1_000) / (clock.monotonic() - at),
      );
      print(
        `${second} s: ${rate} reports/s, p99 ${milliseconds(latencies.quantile(0.99))} ms so far, ${registered()} registered, ` +
          `${count((device) => device.isAwake)} awake, ${counters.commands} commands${
            options.upgrade ? `, ${counters.installed} installed` : ""
          }`,
      );
    }
  }

  function resultOf(): Lwm2mFleetResult {
    const during = (name: keyof typeof counters) => counters[name] - before[name];
    return {
      devices: members.length,
      registered: registered(),
      awake: count((device) => device.isAwake),
      registerSeconds,
      seconds,
      ...counters,
      packages,
      reportsSent: during("reportsSent"),
      reportsAcknowledged: during("reportsAcknowledged"),
      reportsPerSecond: Math.round(during("reportsAcknowledged") / seconds),
      reportsLost: during("reportsLost"),
      reportsSkipped: during("reportsSkipped"),
      latencyMs: {
        mean: milliseconds(latencies.mean),
        p50: milliseconds(latencies.quantile(0.5)),
        p90: milliseconds(latencies.quantile(0.9)),
        p99: milliseconds(latencies.quantile(0.99)),
        p999: milliseconds(latencies.quantile(0.999)),
        max: milliseconds(latencies.max),
      },
    };
  }
}

const HANDSHAKE_COUNTERS = { full: "handshakes", resumed: "resumed", failed: "failedHandshakes" } as const;

const createCounters = () => ({
  registrations: 0,
  updates: 0,
  handshakes: 0,
  resumed: 0,
  failedHandshakes: 0,
  reportsSent: 0,
  reportsAcknowledged: 0,
  reportsLost: 0,
  reportsSkipped: 0,
  commands: 0,
  duplicates: 0,
  executedAgain: 0,
  answersSent: 0,
  answersLost: 0,
  moves: 0,
  sleeps: 0,
  reboots: 0,
  installed: 0,
});

const isReporting = (member: Member) => member.isReporting;
const milliseconds = (microseconds: number) => Math.round(microseconds / 10) / 100;
