import type { Codecs } from "../../capabilities/codecs/codec";
import type { CommandService } from "../../capabilities/commands/command";
import type { ContactEvents } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { ResourceSink } from "../../capabilities/resources/resource-link";
import type { Ingest } from "../../capabilities/telemetry/report";
import type { PackageResource } from "../../capabilities/upgrades/object5/package-resource";
import type { PcpCarrier, PcpUplink } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { Clock } from "../../platform/clock";
import type { Emitter } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { LwM2mPath } from "../../wire/lwm2m";
import type { CoapEndpoint } from "../coap/coap-endpoint";
import type { Peer } from "../datagram/peer";
import type { LwM2mCounters } from "./counters";
import type { Registered } from "./registered";
import type { Registrations } from "./registrations";
import type { LwM2mSettings } from "./settings";

/** What the server needs of `devices`. */
export type LwM2mDevices = Pick<DeviceService, "acquire" | "release" | "seen" | "left" | "loginByEndpoint">;
/** What it needs of `commands`. */
export type LwM2mCommands = Pick<CommandService, "answered">;
/** What it needs of `resources`: where observed values go, and which observations a device is to have. */
export type LwM2mResources = ResourceSink & { wantedObservations(deviceNo: number): readonly LwM2mPath[] };

/** What it needs of `upgrades`. */
export type LwM2mUpgrades = { readonly pcp: PcpUplink; readonly packages: PackageResource };

/** What all handlers work with; one for both ports. */
export type LwM2mHub = {
  readonly clock: Clock;
  readonly log: Log;
  readonly devices: LwM2mDevices;
  readonly ingest: Ingest;
  readonly codecs: Codecs;
  readonly commands: LwM2mCommands;
  readonly resources: LwM2mResources;
  readonly contacts: Emitter<ContactEvents>;
  readonly trace: TraceSink;
  readonly counters: LwM2mCounters;
  readonly registrations: Registrations;
  readonly coap: CoapEndpoint;
  readonly settings: LwM2mSettings;
  /** Random bytes nobody can guess: tokens, locations. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** The way to a registered device; undefined when its session is gone. */
  readonly peerOf: (registered: Registered) => Peer | undefined;
  /** Packages that devices fetch. */
  readonly packages: PackageResource | undefined;
  /** Where binary payloads go before the codec, and how the answers come back. */
  pcp: { readonly uplink: PcpUplink; readonly carrier: PcpCarrier } | undefined;
  isStopping: boolean;
};
