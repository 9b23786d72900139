import type { Clock } from "../platform/clock";
import type { QoS } from "../wire/mqtt";
import type { DeviceCredentials } from "./device-login";
import { createHistogram, type Histogram } from "./histogram";
import { type CommandAnswer, type MqttClient, startMqttClient } from "./mqtt-client";
import type { Address } from "./mqtt-connection";
import { type ReportStream, reportStream, type StreamCounters } from "./report-stream";
import { createMqttDeviceUpgrade, type MqttDeviceUpgrade, type MqttUpgradeOptions } from "./upgrade/run-mqtt-upgrade";

export type FleetOptions = {
  readonly address: Address;
  /** Without a secret: for brokers that let anybody in. */
  readonly devices: readonly (DeviceCredentials | { readonly deviceId: string })[];
  /** Reports per second of all devices together; 0: they only stay connected; "flood": what the window lets through. */
  readonly rate: number | "flood";
  /** How long is measured; 0: until `signal` aborts. */
  readonly seconds: number;
  /** Time under load before the measurement. */
  readonly warmUpSeconds: number;
  /** Reports that a device may have unacknowledged. */
  readonly window: number;
  readonly qos: QoS;
  /** `#` is a random digit; all `@` together are a number that counts the reports of a device. */
  readonly payload: string;
  /** Subscribe to commands and answer them. */
  readonly commands: boolean;
  /** Connections that are being opened at a time. */
  readonly connecting: number;
  readonly keepAliveSeconds: number;
  readonly cleanSession: boolean;
  /** Of the device of this place; left out: they cannot be upgraded. */
  readonly upgrade?: ((index: number) => MqttUpgradeOptions) | undefined;
  readonly signal?: AbortSignal;
  /** Called when all are connected, and when the measurement begins and ends; it waits for what this returns. */
  readonly onPhase?: (phase: "connected" | "measuring" | "measured") => void | Promise<void>;
};

export type FleetResult = {
  readonly devices: number;
  readonly connected: number; // at the end
  readonly connectSeconds: number;
  readonly seconds: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly acknowledgedPerSecond: number;
  /** Reports that were due and found neither a free slot nor room to wait. */
  readonly skipped: number;
  readonly lostConnections: number;
  readonly commands: number;
  /** Packages that were installed, and how often each, by its SHA-256; since the start. */
  readonly installed: number;
  readonly packages: Readonly<Record<string, number>>;
  /** From when a report was due to its acknowledgement. */
  readonly latencyMs: Readonly<Record<"mean" | "p50" | "p90" | "p99" | "p999" | "max", number>>;
};

const TICK_MS = 1;
const CONNECT_LIMIT_MS = 60_000;
const LAST_ACKNOWLEDGEMENTS_MS = 5_000;

/** Many devices in one process: load, or life in a demo. Prints a line a second; resolves when all have left. */
export async function runMqttFleet(options: FleetOptions, clock: Clock, print: (line: string) => void) {
  const counters = { sent: 0, acknowledged: 0, skipped: 0, commands: 0, lost: 0, installed: 0 };
  const packages: Record<string, number> = {};
  const latencies = createHistogram();
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const members: Member[] = [];
  const never = new AbortController().signal;

  const connectingSince = clock.monotonic();
  await connectAll();
  const connectSeconds = (clock.monotonic() - connectingSince) / 1_000;
  const online = () => members.reduce((sum, { client }) => sum + (client.isOnline ? 1 : 0), 0);
  print(`${online()} of ${options.devices.length} connected after ${connectSeconds.toFixed(1)} s`);
  await options.onPhase?.("connected");

  const feeding = feed();
  await clock.sleep(options.warmUpSeconds * 1_000, signal);
  latencies.clear();
  const before = { ...counters };
  const start = clock.monotonic();
  await options.onPhase?.("measuring");
  await measure();
  const seconds = (clock.monotonic() - start) / 1_000;
  const after = { ...counters };
  const connected = online();
  await options.onPhase?.("measured");
  stopping.abort();
  await feeding;
  await leave();
  return resultOf();

  async function connectAll(): Promise<void> {
    const waiting = options.devices.map((credentials, index) => ({ credentials, index })).reverse();
    const lane = async (): Promise<void> => {
      for (let device = waiting.pop(); device && !signal.aborted; device = waiting.pop()) {
        const ready = Promise.withResolvers<void>();
        members.push(createMember(device.credentials, device.index, ready.resolve));
        await Promise.race([ready.promise, clock.sleep(CONNECT_LIMIT_MS, signal)]);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, options.connecting) }, lane));
  }

  function installed(_way: string, _version: string, sha256: string): void {
    counters.installed++;
    packages[sha256] = (packages[sha256] ?? 0) + 1;
  }

  function createMember(credentials: FleetOptions["devices"][number], index: number, ready: () => void): Member {
    return startMember({
      credentials,
      upgrade: options.upgrade?.(index),
      installed,
      options,
      clock,
      latencies,
      counters,
      ready,
      isOver: () => signal.aborted,
      print,
    });
  }

  /** Lets reports fall due, in turn over all devices. */
  async function feed(): Promise<void> {
    if (options.rate === 0) return;
    for (const { stream } of members) stream?.start();
    if (options.rate === "flood" && options.qos > 0) return; // acknowledgements keep it going
    const since = clock.monotonic();
    for (let given = 0; !signal.aborted; ) {
      await clock.sleep(TICK_MS, signal);
      const now = clock.monotonic();
      if (options.rate === "flood") for (const { stream } of members) stream?.resume();
      else {
        const due = Math.floor(((now - since) / 1_000) * options.rate);
        for (; given < due; given++) members[given % members.length]?.stream?.owe(now);
      }
    }
  }

  async function measure(): Promise<void> {
    for (let second = 1; !signal.aborted && (options.seconds === 0 || second <= options.seconds); second++) {
      const acknowledged = counters.acknowledged;
      const at = clock.monotonic();
      await clock.sleep(1_000, signal);
      const rate = Math.round(((counters.acknowledged - acknowledged) * 1_000) / (clock.monotonic() - at));
      print(
        `${second} s: ${rate} acknowledged/s, p99 ${milliseconds(latencies.quantile(0.99))} ms so far, ${online()} connected${
          options.upgrade ? `, ${counters.installed} installed` : ""
        }`,
      );
    }
  }

  async function leave(): Promise<void> {
    for (const { stream } of members) stream?.stop();
    for (let waitedMs = 0; waitedMs < LAST_ACKNOWLEDGEMENTS_MS && isAnyFlying(); waitedMs += 10)
      await clock.sleep(10, never);
    for (const { client, upgrade } of members) {
      upgrade?.end();
      client.stop();
    }
  }
  function isAnyFlying(): boolean {
    return members.some(({ client, stream }) => client.isOnline && (stream?.flying ?? 0) > 0);
  }

  function resultOf(): FleetResult {
    const acknowledged = after.acknowledged - before.acknowledged;
    return {
      devices: options.devices.length,
      connected,
      connectSeconds,
      seconds,
      sent: after.sent - before.sent,
      acknowledged,
      acknowledgedPerSecond: Math.round(acknowledged / seconds),
      skipped: after.skipped - before.skipped,
      lostConnections: after.lost,
      commands: after.commands,
      installed: after.installed,
      packages,
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

type Member = {
  readonly client: MqttClient;
  readonly stream: ReportStream | undefined;
  readonly upgrade: MqttDeviceUpgrade | undefined;
};
type MemberParts = {
  readonly credentials: FleetOptions["devices"][number];
  readonly upgrade: MqttUpgradeOptions | undefined;
  readonly installed: (way: string, version: string, sha256: string) => void;
  readonly options: FleetOptions;
  readonly clock: Clock;
  readonly latencies: Histogram;
  readonly counters: StreamCounters & { commands: number; lost: number };
  readonly ready: () => void;
  readonly isOver: () => boolean;
  readonly print: (line: string) => void;
};

/** A device and its reports. */
function startMember(parts: MemberParts): Member {
  const { credentials, options, clock, latencies, counters, ready, isOver, print } = parts;
  let stream: ReportStream | undefined;
  const upgrade =
    parts.upgrade &&
    createMqttDeviceUpgrade(parts.upgrade, {
      deviceId: credentials.deviceId,
      clock,
      publish: (topic, text) => client.publish(topic, text),
      drop: () => client.drop(),
      on: { installed: parts.installed },
    });
  const client: MqttClient = startMqttClient({
    address: options.address,
    credentials,
    clock,
    keepAliveSeconds: options.keepAliveSeconds,
    cleanSession: options.cleanSession,
    answer: options.commands ? obey : undefined,
    also: upgrade?.listener,
    on: {
      online() {
        upgrade?.online();
        stream?.reconnected();
        ready();
      },
      offline(reason) {
        upgrade?.offline();
        ready(); // refused or dropped: it tries on by itself, the others need not wait
        if (isOver()) return;
        counters.lost++;
        print(`${credentials.deviceId}: ${reason}`);
      },
      acknowledged: (packetId) => stream?.acknowledged(packetId),
      chunkRead: () => stream?.goOn(),
      drained: () => stream?.resume(),
      commanded: () => {
        counters.commands++;
      },
    },
  });
  if (options.rate !== 0) {
    const { payload, qos, window, rate } = options;
    const flood = rate === "flood";
    stream = reportStream({
      device: client,
      payload,
      qos,
      window,
      flood,
      clock,
      random: Math.random,
      latencies,
      counters,
    });
  }
  return { client, stream, upgrade };
}

/** Does what it is told, and says so. */
const obey = ({ paras }: { paras: Readonly<Record<string, unknown>> }): CommandAnswer => ({ errcode: 0, body: paras });
const milliseconds = (microseconds: number) => Math.round(microseconds / 10) / 100;
