import type { EventLink, EventSink } from "../../devices/event-link";
import type { TraceSink } from "../../devices/trace-sink";
import type { UpgradePackage } from "../../packages/package";
import type { UpgradeDesk, UpgradeLink, UpgradeOrder } from "../upgrade-link";
import { OTA_SERVICE, readOtaEvent, upgradeNotice, versionQuery } from "./ota-event";

export type MqttUpgradeParts = {
  readonly desk: Pick<UpgradeDesk, "orderOf" | "tell" | "deviceReady">;
  readonly link: EventLink;
  /** Where a device that reaches the platform at this address gets the content; absolute. Undefined: nowhere. */
  readonly downloadUrl: (pack: UpgradePackage, localAddress: string) => string | undefined;
  /** Life of a download token, as the device is told. */
  readonly tokenLifeMs: number;
  readonly trace: TraceSink;
};

/** Upgrades over MQTT and HTTP (ota.md 8.3): events both ways, the package by HTTP with a token. */
export function mqttUpgrades({
  desk,
  link,
  downloadUrl,
  tokenLifeMs,
  trace,
}: MqttUpgradeParts): UpgradeLink & EventSink {
  const refuse = (deviceNo: number, reason: string, detail: string) =>
    trace.record({ deviceNo, kind: "publish", outcome: "failed", reason, detail });

  function announce({ package: pack, token, deviceNo }: UpgradeOrder) {
    const address = link.localAddressOf(deviceNo);
    const url = pack && address !== undefined ? downloadUrl(pack, address) : undefined;
    if (!pack || url === undefined) return "unreachable" as const;
    const expiresS = Math.floor(tokenLifeMs / 1_000);
    return link.send(deviceNo, upgradeNotice(pack, { url, token, expiresS }));
  }

  return {
    way: "mqtt",
    isReachable: link.isListening,

    /** Nothing is executed: the device installs what it has got, once, however often it is told of the same version. */
    async perform(order, step) {
      switch (step) {
        case "queryVersion":
          return link.send(order.deviceNo, versionQuery());
        case "announce":
          return announce(order);
        case "finish":
        case "queryRadio":
        case "queryCell":
        case "execute":
          return "sent"; // this way has nothing like it
        default:
          return step satisfies never;
      }
    },

    async received(deviceNo, event) {
      if (event.serviceId !== OTA_SERVICE)
        return refuse(deviceNo, "event_unknown", `${event.serviceId} ${event.eventType}`.slice(0, 200));
      const order = desk.orderOf(deviceNo);
      if (order?.way !== "mqtt") return refuse(deviceNo, "no_upgrade", event.eventType.slice(0, 200));
      const reading = readOtaEvent(event, order.kind);
      if (reading.kind === "refused") return refuse(deviceNo, "event_invalid", reading.reason);
      if (reading.kind === "fact") await desk.tell(deviceNo, order, reading.fact);
    },
    listening: (deviceNo) => desk.deviceReady(deviceNo),
  };
}
