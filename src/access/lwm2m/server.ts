import type { Database } from "bun:sqlite";
import type { Codecs } from "../../capabilities/codecs/codec";
import type { ContactEvents, DeviceEvents } from "../../capabilities/devices/device";
import type { SleepingDeviceLink } from "../../capabilities/devices/device-link";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { TraceSink } from "../../capabilities/devices/trace-sink";
import type { ResourceLink } from "../../capabilities/resources/resource-link";
import type { Ingest } from "../../capabilities/telemetry/report";
import type { PackagePush } from "../../capabilities/upgrades/object5/package-push";
import type { PcpCarrier } from "../../capabilities/upgrades/pcp/pcp-carrier";
import type { Clock } from "../../platform/clock";
import type { Emitter, Listenable } from "../../platform/events";
import type { ListenAddress } from "../../platform/listen-address";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Worker } from "../../platform/worker";
import { type CoapSettings, createCoapEndpoint } from "../coap";
import { type DatagramSettings, type DatagramSocket, openDatagramSocket } from "../datagram/datagram-socket";
import type { Peer } from "../datagram/peer";
import { type PlainPeers, plainPeers } from "../datagram/plain-peers";
import { createDtlsEndpoint, type DtlsSettings, pskLookUp } from "../dtls";
import { dropCounters, lwm2mCounters } from "./counters";
import { sleepingDeviceLink } from "./downlink";
import { startRegistrationExpiry } from "./expiry";
import { handleNotification, heard } from "./handle-notification";
import { handleRequest } from "./handle-request";
import type { LwM2mCommands, LwM2mHub, LwM2mResources, LwM2mUpgrades } from "./hub";
import { packagePush } from "./package-push";
import { pcpCarrier } from "./pcp-carrier";
import type { Registered } from "./registered";
import { registrationRepository } from "./registration-repository";
import { registrations } from "./registrations";
import { answerReport } from "./report-answer";
import { resourceLink } from "./resource-operations";
import type { LwM2mSettings } from "./settings";
import { UplinkAcks } from "./uplink-acks";

export type LwM2mServerOptions = {
  readonly coap?: ListenAddress | undefined;
  readonly coaps?: ListenAddress | undefined;
  readonly devices: Pick<DeviceService, "acquire" | "release" | "seen" | "left" | "loginByEndpoint" | "pskOf">;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly contacts: Emitter<ContactEvents>;
  readonly ingest: Ingest;
  readonly codecs: Codecs;
  readonly commands: LwM2mCommands;
  readonly resources: LwM2mResources;
  /** Left out: devices are not upgraded. */
  readonly upgrades?: LwM2mUpgrades | undefined;
  readonly trace: TraceSink;
  /** registry.db, and telemetry.db for reading. */
  readonly registry: Database;
  readonly telemetry: Database;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly randomBytes: (length: number) => Uint8Array;
  /** See `CoapEndpointParts`. */
  readonly messageIdSeed: number;
  readonly settings: {
    readonly datagram: DatagramSettings;
    readonly coap: CoapSettings;
    readonly dtls: DtlsSettings;
    readonly lwm2m: LwM2mSettings;
  };
};

export type LwM2mServer = {
  readonly sleepingLink: SleepingDeviceLink;
  readonly resourceLink: ResourceLink;
  readonly packagePush: PackagePush;
  readonly pcpCarrier: PcpCarrier;
  /** The device was deleted or given new credentials: its registration and its session are void. */
  disconnect(deviceNo: number, reason: string): void;
  /** Opens the sockets and tells their addresses; throws when one is taken. */
  listen(): Promise<{ coap: ListenAddress | undefined; coaps: ListenAddress | undefined }>;
  /** Takes nothing more, lets what is on its way to the disk be acknowledged, then closes. Also for one that does not listen. */
  stop(): Promise<void>;
};

/** Devices that sleep: LwM2M and the private dialect of NB-IoT modules, over CoAP and over CoAP in DTLS (nb-iot.md). */
export function createLwM2mServer(options: LwM2mServerOptions): LwM2mServer {
  const { devices, registry, telemetry, transactor, clock, log, metrics, trace, randomBytes } = options;
  const settings = options.settings.lwm2m;
  const dropped = dropCounters(metrics);
  let plain: { readonly socket: DatagramSocket; readonly peers: PlainPeers } | undefined;
  let expiry: Worker | undefined;

  const coap = createCoapEndpoint({
    ...{ clock, log, metrics, random: randomBytes, settings: options.settings.coap },
    messageIdSeed: options.messageIdSeed,
    handlers: {
      request: (peer, request) => handleRequest(hub, acks, peer, request),
      notification: (peer, view) => handleNotification(hub, acks, peer, view),
    },
  });
  const dtls =
    options.coaps &&
    createDtlsEndpoint({
      ...{ registry, telemetry, transactor, sealer: options.sealer, clock, log, metrics, trace, random: randomBytes },
      ...{ listen: options.coaps, settings: options.settings.dtls, lookUp: pskLookUp(devices, options.sealer) },
      receive: (peer, bytes) => coap.receive(peer, bytes),
      opened: sessionOpened,
      ended(peer, reason) {
        if (reason !== "replaced") coap.abandon(peer); // else it goes on in the new one
      },
    });
  const stored = registrations({
    repository: registrationRepository(registry),
    ...{ transactor, devices, clock, maxActive: settings.maxActive },
    redirect: (from, to) => coap.redirect(from, to),
    vouch: (peer) => coap.vouch(peer),
  });
  const hub: LwM2mHub = {
    ...{ clock, log, devices, trace, coap, settings, randomBytes },
    ingest: options.ingest,
    codecs: options.codecs,
    commands: options.commands,
    resources: options.resources,
    contacts: options.contacts,
    registrations: stored,
    counters: lwm2mCounters(metrics, () => ({ stored: stored.count(), active: stored.active() })),
    peerOf,
    packages: options.upgrades?.packages,
    pcp: undefined,
    isStopping: false,
  };
  const carrier = pcpCarrier(hub);
  if (options.upgrades) hub.pcp = { uplink: options.upgrades.pcp, carrier };
  const acks = new UplinkAcks({
    coap,
    settled({ hasMore, report }, registered) {
      if (report) answerReport(hub, registered, report).catch(reportFault(registered));
      heard(hub, registered, hasMore);
    },
  });
  options.deviceEvents.on("deviceDeleted", ({ device }) => stored.removeWithDevice(device.no, leave));

  function peerOf(registered: Registered) {
    const { isSecure, deviceNo, host, port } = registered.stored;
    if (isSecure) return dtls?.peerOf(deviceNo);
    if (!registered.peer && plain) stored.bind(registered, plain.peers.of(host, port));
    return registered.peer;
  }

  /** The device goes on with what it had registered before, and with what was open towards its old session. */
  function sessionOpened(peer: Peer): void {
    const registered = peer.deviceNo === undefined ? undefined : stored.byDevice(peer.deviceNo);
    if (registered?.stored.isSecure) stored.bind(registered, peer);
  }

  const reportFault =
    ({ live }: Registered) =>
    (error: unknown): void =>
      log.error("lwm2m_answer_failed", { deviceId: live.id, error });

  function leave(registered: Registered | undefined): void {
    if (registered?.peer) coap.abandon(registered.peer);
  }

  async function openPlain({ hostname, port }: ListenAddress): Promise<ListenAddress> {
    const socket = await openDatagramSocket({
      ...{ hostname, port, clock, settings: options.settings.datagram },
      receive: (bytes, address, from) => coap.receive(peers.of(address, from), bytes),
      dropped: (reason) => dropped[reason].add(),
      fault: (error) => log.error("coap_fault", { error }),
    });
    const peers = plainPeers(socket, settings.maxPlainPeers);
    plain = { socket, peers };
    return { hostname: socket.hostname, port: socket.port };
  }

  return {
    sleepingLink: sleepingDeviceLink(hub),
    resourceLink: resourceLink(hub),
    packagePush: packagePush(hub),
    pcpCarrier: carrier,
    disconnect(deviceNo, reason) {
      stored
        .remove(deviceNo)
        .then(leave, (error: unknown) => log.error("lwm2m_registration_not_removed", { deviceNo, error }));
      dtls?.closeSessions(deviceNo, reason);
    },
    async listen() {
      expiry = startRegistrationExpiry(hub);
      return {
        coap: options.coap && (await openPlain(options.coap)),
        coaps: await dtls?.listen(),
      };
    },
    async stop() {
      hub.isStopping = true;
      await expiry?.stop();
      await committed(hub, acks);
      coap.stop();
      await dtls?.stop();
      plain?.socket.close();
    },
  };
}

/** Resolves when every message that was taken is answered, or the grace time is over. */
async function committed({ clock, settings }: LwM2mHub, acks: UplinkAcks): Promise<void> {
  const deadline = clock.monotonic() + settings.stopGraceMs;
  const never = new AbortController().signal;
  while (acks.size > 0 && clock.monotonic() < deadline) await clock.sleep(STOP_POLL_MS, never);
}
const STOP_POLL_MS = 10;
