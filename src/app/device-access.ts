import { randomBytes } from "node:crypto";
import type { LwM2mUpgrades } from "../access/lwm2m";
import { createLwM2mServer, type LwM2mServerOptions } from "../access/lwm2m";
import { createMqttListener, type MqttApplications, type MqttListenerOptions } from "../access/mqtt";
import type { DeviceLink, SleepingDeviceLink } from "../capabilities/devices/device-link";
import type { ResourceLink } from "../capabilities/resources/resource-link";
import type { PackagePush } from "../capabilities/upgrades/object5/package-push";
import type { PcpCarrier } from "../capabilities/upgrades/pcp/pcp-carrier";
import type { UpgradeLink } from "../capabilities/upgrades/upgrade-link";
import { type ListenAddress, parseListenAddress } from "../platform/listen-address";
import type { Config } from "./config";

/** The ways to devices. Those who send hold these lists from the start; `openDeviceAccess` fills them. */
export function deviceWays() {
  const disconnects: DeviceLink["disconnect"][] = [];
  return {
    links: [] as DeviceLink[],
    sleepingLinks: [] as SleepingDeviceLink[],
    resourceLinks: [] as ResourceLink[],
    pcpCarriers: [] as PcpCarrier[],
    packagePushes: [] as PackagePush[],
    upgradeLinks: [] as UpgradeLink[],
    disconnects,
    disconnect(deviceNo: number, reason: string): void {
      for (const disconnect of disconnects) disconnect(deviceNo, reason);
    },
  };
}
export type DeviceWays = ReturnType<typeof deviceWays>;

type Own = "mqtt" | "mqtts" | "applications" | "coap" | "coaps" | "randomBytes" | "settings";
type Parts = Omit<MqttListenerOptions & LwM2mServerOptions, Own | "upgrades"> & {
  readonly upgrades?: LwM2mUpgrades | undefined;
  readonly config: Config;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly ways: DeviceWays;
  readonly applications: Omit<MqttApplications, "allowsPlain">;
};

/** The device side of both worlds, joined with those who send, and not open yet. */
export function openDeviceAccess({ config, tls, ways, applications, ...parts }: Parts) {
  const { settings } = config;
  const mqttsAddress = listenAddress(config["mqtts.listen"]);
  const mqtt = createMqttListener({
    ...{ ...parts, settings: settings.mqtt },
    ...(config["mqtt.applications"] !== "off" && {
      applications: { ...applications, allowsPlain: config["mqtt.applications"] === "any" },
    }),
    mqtt: listenAddress(config["mqtt.listen"]),
    mqtts: mqttsAddress && { ...mqttsAddress, cert: tls.cert, key: tls.key },
  });
  const lwm2m = createLwM2mServer({
    ...{ ...parts, randomBytes },
    coap: listenAddress(config["coap.listen"]),
    coaps: listenAddress(config["coaps.listen"]),
    settings: { datagram: settings.coap, coap: settings.coap, dtls: settings.dtls, lwm2m: settings.lwm2m },
  });
  ways.links.push(mqtt.deviceLink);
  ways.sleepingLinks.push(lwm2m.sleepingLink);
  ways.resourceLinks.push(lwm2m.resourceLink);
  ways.pcpCarriers.push(lwm2m.pcpCarrier, mqtt.pcpCarrier);
  ways.packagePushes.push(lwm2m.packagePush);
  ways.disconnects.push(mqtt.deviceLink.disconnect, lwm2m.disconnect);
  return {
    /** To applications that take their notifications by MQTT. */
    subscriberLink: mqtt.subscriberLink,
    /** Opens the sockets and tells their addresses, undefined for those that are off; throws when one is taken. */
    listen: async (): Promise<Record<string, ListenAddress | undefined>> => ({
      ...(await mqtt.listen()),
      ...(await lwm2m.listen()),
    }),
    /** Each has its grace time; to be called together. */
    stops: [mqtt.stop, lwm2m.stop],
  };
}

const listenAddress = (text: string) => (text === "off" ? undefined : parseListenAddress(text));
