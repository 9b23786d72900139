/** Joins a device's upgrade over MQTT to its connection, its clock and HTTP. */
import type { Clock } from "../../platform/clock";
import type { UpgradeSettings } from "./behaviour";
import { createFlash } from "./flash";
import { fetchHttpPiece, type HttpOptions } from "./http-pieces";
import type { UpgradeReports } from "./lwm2m-upgrade";
import {
  parseUpgradeOrders,
  renderUpgradeReport,
  type UpgradeOrder,
  type UpgradeReport,
  upgradeOrdersTopic,
  upgradeReportsTopic,
} from "./mqtt-messages";
import {
  type MqttUpgradeAction,
  type MqttUpgradeEvent,
  mqttUpgradeDueAtMs,
  newMqttUpgrade,
  stepMqttUpgrade,
} from "./mqtt-upgrade";

export type MqttUpgradeOptions = UpgradeSettings & {
  /** Of firmware and software, at first. */
  readonly version: string;
  readonly https: Omit<HttpOptions, "token" | "signal">;
};
type Parts = {
  readonly deviceId: string;
  readonly clock: Clock;
  /** True: acknowledged. */
  readonly publish: (topic: string, text: string) => Promise<boolean>;
  /** Breaks the connection; the device comes back by itself. */
  readonly drop: () => void;
  readonly on: UpgradeReports;
};

const MAX_WAITING = 16;

export type MqttDeviceUpgrade = ReturnType<typeof createMqttDeviceUpgrade>;

export function createMqttDeviceUpgrade(options: MqttUpgradeOptions, { deviceId, clock, publish, drop, on }: Parts) {
  const { version, https } = options;
  const ending = new AbortController();
  const flash = createFlash();
  let device = newMqttUpgrade({ firmware: version, software: version });
  let cancelTimer = () => {};
  let offUntilMs = 0;
  let isOnline = false;
  /** What came when it was connected again and not up yet: a device that is off would get it later. */
  let waiting: UpgradeOrder[] = [];

  function feed(event: MqttUpgradeEvent): void {
    if (ending.signal.aborted) return;
    const { next, actions } = stepMqttUpgrade(device, event, options);
    device = next;
    schedule();
    actions.forEach(act);
  }

  function act(action: MqttUpgradeAction): void {
    switch (action.type) {
      case "publish":
        void report(action.report);
        break;
      case "fetch":
        void fetchNext(action.url, action.offset, action.token);
        break;
      case "store":
        flash.store(action.offset, action.data);
        break;
      case "erase":
        flash.erase();
        break;
      case "check":
        feed({ type: "checked", isRight: flash.sha256() === action.sign.toLowerCase(), nowMs: clock.monotonic() });
        break;
      case "installed":
        on.installed("mqtt", action.version, flash.sha256());
        break;
      case "restart":
        offUntilMs = clock.monotonic() + action.offMs;
        clock.after(action.offMs, cameUp);
        drop();
        break;
      default:
        action satisfies never;
    }
  }

  async function report(it: UpgradeReport): Promise<void> {
    if (await publish(upgradeReportsTopic(deviceId), renderUpgradeReport(it, clock.now())))
      feed({ type: "acknowledged", report: it });
  }

  async function fetchNext(url: string, offset: number, token: string): Promise<void> {
    const piece = await fetchHttpPiece(url, offset, { ...https, token, signal: ending.signal });
    const nowMs = clock.monotonic();
    if ("cause" in piece) feed({ type: "fetchFailed", url, cause: piece.cause, nowMs });
    else feed({ type: "piece", piece, nowMs });
  }

  function schedule(): void {
    cancelTimer();
    const dueAtMs = mqttUpgradeDueAtMs(device);
    if (dueAtMs === undefined) return;
    cancelTimer = clock.after(Math.max(0, dueAtMs - clock.monotonic()), () =>
      feed({ type: "tick", nowMs: Math.max(clock.monotonic(), dueAtMs) }),
    );
  }

  /** It runs again, and is connected: both take their time. */
  function cameUp(): void {
    if (!isOnline || clock.monotonic() < offUntilMs) return;
    feed({ type: "started", nowMs: clock.monotonic() });
    for (const order of waiting.splice(0)) feed({ type: "received", order, nowMs: clock.monotonic() });
  }

  return {
    listener: {
      topic: upgradeOrdersTopic(deviceId),
      received(payload: Uint8Array): void {
        const orders = parseUpgradeOrders(payload);
        if (clock.monotonic() < offUntilMs) waiting = [...waiting, ...orders].slice(-MAX_WAITING);
        else for (const order of orders) feed({ type: "received", order, nowMs: clock.monotonic() });
      },
    },
    online(): void {
      isOnline = true;
      cameUp();
    },
    offline(): void {
      isOnline = false;
    },
    end(): void {
      ending.abort();
      cancelTimer();
    },
  };
}
