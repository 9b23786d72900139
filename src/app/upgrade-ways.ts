import type { LwM2mUpgrades } from "../access/lwm2m";
import { downloadPath } from "../capabilities/packages/package";
import type { Object5Parts } from "../capabilities/upgrades/object5/object5";
import { object5Way } from "../capabilities/upgrades/object5/object5-link";
import { packageResource, packageUri } from "../capabilities/upgrades/object5/package-resource";
import { type PcpParts, pcpWay } from "../capabilities/upgrades/pcp/pcp-way";
import type { ListenAddress } from "../platform/listen-address";
import type { LwM2mPath } from "../wire/lwm2m";
import type { Config } from "./config";
import type { DeviceWays } from "./device-access";
import { ownAddress } from "./own-address";
import { withPort } from "./package-url";

type Given = "links" | "pushes" | "carriers" | "settings" | "uriOf" | "isWantedElsewhere";
type Parts = Omit<Object5Parts & PcpParts, Given> & {
  readonly config: Config;
  readonly ways: DeviceWays;
  /** What operators want to be observed. */
  readonly wantedObservations: (deviceNo: number) => readonly LwM2mPath[];
};
type Scheme = "coap" | "coaps" | "http" | "https";

/** The two ways of upgrades that go over LwM2M (and over MQTT, for PCP), joined with whoever reaches devices. */
export function openUpgradeWays({ config, ways, wantedObservations, ...parts }: Parts) {
  const settings = config.settings.firmware;
  let addresses: Readonly<Partial<Record<Scheme, ListenAddress | undefined>>> = {};
  const isWantedElsewhere = (deviceNo: number, path: LwM2mPath) =>
    wantedObservations(deviceNo).some((it) => it.join("/") === path.join("/"));
  /** Where the device sends from, without its port. */
  const peerOf = (deviceNo: number): string => {
    const registration = ways.resourceLinks.map((link) => link.registrationOf(deviceNo)).find((it) => it !== undefined);
    return registration?.address.replace(/:\d+$/, "") ?? "";
  };
  const object5 = object5Way({
    ...{ ...parts, settings, isWantedElsewhere, links: ways.resourceLinks, pushes: ways.packagePushes },
    uriOf(scheme, order) {
      const listener = addresses[scheme];
      if (!listener) return undefined;
      const host = hostFor(config[`${scheme}.public_host`], listener, () => ownAddress(peerOf(order.deviceNo)));
      if (scheme === "coap" || scheme === "coaps") return packageUri(scheme, host, order.token);
      return order.package && `${scheme}://${host}${downloadPath(order.package.fileId)}?token=${order.token}`;
    },
  });
  const pcp = pcpWay({
    ...{ ...parts, carriers: ways.pcpCarriers, links: ways.resourceLinks, settings: config.settings.pcp },
  });
  ways.upgradeLinks.push(object5.link, pcp.link);
  const access: LwM2mUpgrades = { pcp: pcp.uplink, packages: packageResource(parts.desk, parts.contents) };
  return {
    /** For the listeners of devices. */
    access,
    wantedObservations(deviceNo: number): LwM2mPath[] {
      const operators = wantedObservations(deviceNo);
      const more = object5.wantedObservations(deviceNo).filter((path) => !isWantedElsewhere(deviceNo, path));
      return [...operators, ...more];
    },
    /** Where the listeners are, once they are open: devices are told to come there. */
    listening(opened: typeof addresses): void {
      addresses = opened;
    },
    stop: object5.stop,
  };
}

/** `host:port` of a URI: the configured host, or where the listener is; `own`, when it listens everywhere. */
function hostFor(configured: string, listener: ListenAddress, own: () => string): string {
  const isAny = listener.hostname === "0.0.0.0" || listener.hostname === "::" || listener.hostname === "";
  return withPort(configured || (isAny ? own() : listener.hostname), listener);
}
