/** The device side with sockets, storage and both ways of upgrades over LwM2M; the core of upgrades is a fake desk. */
import { randomBytes } from "node:crypto";
import { createLwM2mServer } from "../../src/access/lwm2m";
import { loadConfig } from "../../src/app/config";
import { dataPaths } from "../../src/app/data-folder";
import { deviceWays } from "../../src/app/device-access";
import { openStorage } from "../../src/app/open-storage";
import { openUpgradeWays } from "../../src/app/upgrade-ways";
import type { ContactEvents } from "../../src/capabilities/devices/device";
import { deviceBench } from "../../src/capabilities/devices/testing/device-bench";
import type { UpgradePackage } from "../../src/capabilities/packages/package";
import { openResources } from "../../src/capabilities/resources/open-resources";
import type { ResourceEvents } from "../../src/capabilities/resources/resource-link";
import { RESOURCE_DEFAULTS } from "../../src/capabilities/resources/settings";
import { createIngest } from "../../src/capabilities/telemetry/ingest";
import { openRecentBlocks } from "../../src/capabilities/telemetry/recent-blocks";
import { INGEST_DEFAULTS } from "../../src/capabilities/telemetry/settings";
import { fakeDesk } from "../../src/capabilities/upgrades/testing/fake-desk";
import { systemClock } from "../../src/platform/clock";
import { eventBus } from "../../src/platform/events";
import { silentLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { createSealer } from "../../src/platform/secrets";
import { temporaryFolder } from "./islet";

const SOFTWARE = { upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "PCP" } };

export async function upgradeLab(content: Uint8Array) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(temporaryFolder());
  const storage = await openStorage(dataPaths(folder.path), "full");
  opened.defer(() => storage.close());
  const { registry: db, transactor, telemetryReads: reads, writer } = storage;
  const clock = systemClock;
  const log = silentLog;
  const metrics = createMetrics();
  const traces: string[] = [];
  const trace = { record: ({ reason }: { reason: string }) => void traces.push(reason) };
  const contacts = eventBus<ContactEvents>();
  const resourceEvents = eventBus<ResourceEvents>();
  const bench = deviceBench({ db, transactor: () => transactor, clock });
  const product = await bench.importProduct({ protocolType: "LWM2M", omCapability: SOFTWARE });
  const ways = deviceWays();
  const desk = fakeDesk();
  const config = loadConfig({});
  const resources = openResources({
    ...{
      links: ways.resourceLinks,
      devices: bench.devices,
      deviceEvents: bench.events,
      contacts,
      db,
      transactor,
      reads,
    },
    ...{ writer, clock, log, metrics, trace, events: resourceEvents, settings: RESOURCE_DEFAULTS },
  });
  opened.defer(() => resources.stop());
  const ingest = createIngest({
    ...{ writer, recents: await openRecentBlocks(reads, writer), reads, clock, log, metrics, trace },
    ...{ notifier: { rowsFor: () => [] }, settings: INGEST_DEFAULTS },
  });
  opened.defer(() => ingest.settled());
  const contents = {
    read(_no: number, offset: number, length: number) {
      return content.slice(offset, offset + length);
    },
  };
  const upgradeWays = openUpgradeWays({
    ...{ config, ways, desk: desk.desk, contents, contacts, resourceEvents, db, transactor },
    ...{ deviceEvents: bench.events, clock, log, metrics, trace, wantedObservations: resources.wantedObservations },
  });
  opened.defer(() => upgradeWays.stop());
  const server = createLwM2mServer({
    ...{ coap: { hostname: "127.0.0.1", port: 0 }, coaps: { hostname: "127.0.0.1", port: 0 } },
    ...{ devices: bench.devices, deviceEvents: bench.events, contacts, ingest, trace, registry: db, telemetry: reads },
    ...{ transactor, sealer: createSealer(new Uint8Array(32)), clock, log, metrics, randomBytes, messageIdSeed: 1 },
    codecs: {
      has: () => true,
      decode: () => ({ kind: "reports", reports: [], hasMore: false }),
      encode: () => ({ kind: "nothing" }),
      answersReports: () => false,
    },
    commands: { async answered() {} },
    resources: { ...resources.sink, wantedObservations: upgradeWays.wantedObservations },
    upgrades: upgradeWays.access,
    settings: {
      ...{ datagram: config.settings.coap, coap: config.settings.coap, dtls: config.settings.dtls },
      lwm2m: config.settings.lwm2m,
    },
  });
  ways.resourceLinks.push(server.resourceLink);
  ways.pcpCarriers.push(server.pcpCarrier);
  ways.packagePushes.push(server.packagePush);
  const addresses = await server.listen();
  upgradeWays.listening(addresses);
  opened.defer(() => server.stop());
  const [object5, pcp] = ways.upgradeLinks;
  if (!object5 || !pcp || !addresses.coap || !addresses.coaps) throw new Error("not open");
  const open = opened.move();
  return {
    ...{ desk, object5, pcp, traces, metrics, contacts },
    coap: `127.0.0.1:${addresses.coap.port}`,
    coaps: `127.0.0.1:${addresses.coaps.port}`,
    /** A device of a product whose software is upgraded by PCP. */
    register: (nodeId: string, more: object = {}) =>
      bench.register(nodeId, product, { credentials: { kind: "verifyCode" }, ...more }),
    /** What a package of this content says of itself. */
    packageFields: (): Pick<UpgradePackage, "size" | "sha256"> => ({
      size: content.length,
      sha256: new Bun.CryptoHasher("sha256").update(content).digest("hex"),
    }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
export type UpgradeLab = Awaited<ReturnType<typeof upgradeLab>>;
