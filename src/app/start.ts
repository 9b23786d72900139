import type { ApplicationEvents } from "../capabilities/applications/application";
import { openApplications } from "../capabilities/applications/open-applications";
import { openBatch } from "../capabilities/batch/open-batch";
import { openCodecs } from "../capabilities/codecs/open-codecs";
import type { CommandEvents } from "../capabilities/commands/command";
import { createCommandService } from "../capabilities/commands/command-service";
import { startCommandUpkeep } from "../capabilities/commands/command-upkeep";
import type { ContactEvents, DeviceEvents } from "../capabilities/devices/device";
import { openDevices } from "../capabilities/devices/open-devices";
import { createDiagnosis } from "../capabilities/diagnosis/diagnosis-service";
import { startDiagnosisUpkeep } from "../capabilities/diagnosis/diagnosis-upkeep";
import { groupService } from "../capabilities/groups/group-service";
import { createLora } from "../capabilities/lora/lora-service";
import { startLoraUpkeep } from "../capabilities/lora/withdrawals";
import { openPackages } from "../capabilities/packages/open-packages";
import type { ProductEvents } from "../capabilities/products/product";
import { productService } from "../capabilities/products/product-service";
import { openResources } from "../capabilities/resources/open-resources";
import type { ResourceEvents } from "../capabilities/resources/resource-link";
import type { ShadowEvents } from "../capabilities/shadow/desired";
import { createDesiredShadow } from "../capabilities/shadow/desired-shadow";
import { reportedShadow } from "../capabilities/shadow/reported-shadow";
import { startShadowUpkeep } from "../capabilities/shadow/shadow-upkeep";
import { httpCallbackClient } from "../capabilities/subscriptions/http-callback-client";
import { notifyOfCommands } from "../capabilities/subscriptions/notify-of-commands";
import { notifyOfShadow } from "../capabilities/subscriptions/notify-of-shadow";
import { notifyOfUpgrades } from "../capabilities/subscriptions/notify-of-upgrades";
import { openPush } from "../capabilities/subscriptions/push";
import { createHistory } from "../capabilities/telemetry/history";
import { createIngest } from "../capabilities/telemetry/ingest";
import { lastSeen } from "../capabilities/telemetry/last-seen";
import { startMovingRecents } from "../capabilities/telemetry/move-recent";
import { openRecentBlocks } from "../capabilities/telemetry/recent-blocks";
import { createTraces } from "../capabilities/trace/trace";
import { openUpgrades } from "../capabilities/upgrades/open-upgrades";
import type { UpgradeEvents } from "../capabilities/upgrades/upgrade";
import { packageDownload } from "../northbound/http/package-download";
import { managementApi } from "../northbound/management";
import { notificationRenderer, oceanConnect } from "../northbound/oceanconnect";
import { loadServerTls } from "../platform/certificates";
import type { Clock } from "../platform/clock";
import { eventBus } from "../platform/events";
import { randomIds } from "../platform/ids";
import { type ListenAddress, parseListenAddress, renderListenAddress } from "../platform/listen-address";
import type { Log } from "../platform/log";
import { createMetrics } from "../platform/metrics";
import { openSecrets } from "../platform/secrets";
import type { Worker } from "../platform/worker";
import type { Config } from "./config";
import { dataPaths } from "./data-folder";
import { deviceWays, openDeviceAccess } from "./device-access";
import { listenHttp } from "./listen-http";
import { openStorage } from "./open-storage";
import { packageUrl } from "./package-url";
import { watchRuntime } from "./runtime-metrics";
import { startTelemetryPurge } from "./telemetry-purge";
import { openUpgradeWays } from "./upgrade-ways";

type Options = {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Value of ISLET_MASTER_KEY. */
  readonly masterKey?: string | undefined;
};

export type Platform = {
  /** Real addresses by listener; those that are off are not there. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Made at the very first start, when the configuration names none. */
  readonly madeAdminPassword: string | undefined;
  /** Resolves when a part broke that the platform cannot do without. */
  readonly failed: Promise<Error>;
  /** Stops accepting, finishes what is under way, commits. */
  stop(): Promise<void>;
};

/** The only place that knows every part. Reads top to bottom in start order; stops in reverse. */
export async function start({ config, clock, log, masterKey }: Options): Promise<Platform> {
  await using opened = new AsyncDisposableStack(); // if a later line throws, what was opened is closed again
  const { settings } = config;
  const ids = randomIds;
  const metrics = createMetrics();
  const failed = Promise.withResolvers<Error>();
  const watch = (worker: Worker) => {
    worker.finished.catch(failed.resolve);
    opened.defer(() => worker.stop());
  };

  // Storage
  const paths = dataPaths(config.data);
  const storage = await openStorage(paths, config.durability);
  opened.defer(() => storage.close());
  const { registry, transactor, telemetryReads, writer } = storage;
  writer.failed.then(failed.resolve, failed.reject);
  const secrets = openSecrets({ db: registry, file: paths.masterKey, environmentKey: masterKey, log });
  opened.defer(watchRuntime(metrics, clock, paths));

  // What the platform does
  const applicationEvents = eventBus<ApplicationEvents>();
  const productEvents = eventBus<ProductEvents>();
  const deviceEvents = eventBus<DeviceEvents>();
  const contactEvents = eventBus<ContactEvents>();
  const commandEvents = eventBus<CommandEvents>();
  const shadowEvents = eventBus<ShadowEvents>();
  const resourceEvents = eventBus<ResourceEvents>();
  const upgradeEvents = eventBus<UpgradeEvents>();
  const ways = deviceWays();
  const { links, sleepingLinks, resourceLinks } = ways;

  const { applications, grants, tokens, operators, pushCertificates, signingSecrets } = openApplications({
    ...{ db: registry, transactor, events: applicationEvents, secrets, clock },
    settings: { tokens: settings.api, calls: settings.api, sessions: settings.api, attempts: settings.attempts },
  });
  const products = productService({
    ...{ db: registry, transactor, applications, events: productEvents, ids, clock },
    settings: { zip: settings.products, topics: settings.products },
  });
  const { packages, publicKeys, uploads, openContent, ...contentOfPackages } = openPackages({
    ...{ db: registry, folder: paths.packages, transactor, applications, applicationEvents, ids, clock, log },
    settings: settings.packages,
  });
  opened.defer(() => contentOfPackages.close());
  const { devices, subDevices, tags, hasDevices, startExpiry, startSilenceSweep, ...deviceSteps } = openDevices({
    ...{ db: registry, transactor, applications, products, events: deviceEvents, applicationEvents, productEvents },
    ...{ sealer: secrets.sealer, ids, clock, log, settings: settings.devices },
    disconnect: ways.disconnect,
  });
  applications.refuseDeletionWhile(hasDevices);
  const groups = groupService({ db: registry, transactor, ids, clock, settings: settings.groups });

  const traces = createTraces({ writer, reads: telemetryReads, clock, log, metrics, settings: settings.trace });
  opened.defer(() => traces.stop());

  const commands = createCommandService({
    ...{ db: registry, transactor, devices, deviceEvents, contactEvents, products, events: commandEvents },
    ...{ links, sleepingLinks, clock, ids, log, metrics, trace: traces, settings: settings.commands },
    lastSeen: { of: (deviceNo) => seen.of(deviceNo) },
  });
  opened.defer(() => commands.stop());

  const desiredShadow = createDesiredShadow({
    ...{ db: registry, transactor, devices, deviceEvents, contactEvents, products, resourceLinks, sleepingLinks },
    ...{ events: shadowEvents, clock, log, metrics, trace: traces, settings: settings.shadow },
  });
  const resources = openResources({
    ...{ links: resourceLinks, devices, deviceEvents, contacts: contactEvents, events: resourceEvents },
    ...{ db: registry, transactor },
    ...{ reads: telemetryReads, writer, clock, log, metrics, trace: traces, settings: settings.resources },
  });
  opened.defer(() => resources.stop()); // again: with the values that came while the doors were closed
  const diagnosis = createDiagnosis({
    ...{ db: registry, transactor, devices, deviceEvents, products, links: resourceLinks, contacts: contactEvents },
    ...{ clock, ids, log, metrics, trace: traces, settings: settings.diagnosis },
  });

  const upgrades = openUpgrades({
    ...{ db: registry, transactor, applications, applicationEvents, products, deviceEvents, contactEvents, groups },
    devices: { ...devices, setVersions: deviceSteps.inTransaction.setVersions },
    packages,
    commands,
    ...{ links: ways.upgradeLinks, events: upgradeEvents, sealer: secrets.sealer },
    ...{ clock, ids, log, metrics, trace: traces, settings: settings.upgrades },
  });

  packages.refuseRemovalWhile(upgrades.isPackageInUse);
  const upgradeWays = openUpgradeWays({
    ...{ config, ways, desk: upgrades.desk, contents: contentOfPackages.contents, contacts: contactEvents },
    ...{ resourceEvents, wantedObservations: resources.wantedObservations, deviceEvents },
    ...{ db: registry, transactor, clock, log, metrics, trace: traces },
  });
  opened.defer(upgradeWays.stop);

  const lora = createLora({
    ...{ db: registry, transactor, devices, deviceEvents, products, requests: commands.requests },
    ...{ sealer: secrets.sealer, clock, log, settings: settings.lora },
  });

  const { batch, start: startBatch } = openBatch({
    ...{ db: registry, transactor, applications, products, groups, tags, applicationEvents, deviceEvents },
    devices: { findById: devices.findById, findByNo: devices.findByNo, ...deviceSteps },
    ...{ commands: commands.inTransaction, wantInTransaction: desiredShadow.wantInTransaction },
    ...{ commandEvents, shadowEvents, sealer: secrets.sealer, clock, ids, log, metrics, settings: settings.batch },
  });

  const push = await openPush({
    ...{ registry, transactor, telemetryReads, writer, clock, ids, log, metrics, settings: settings.push },
    render: notificationRenderer(),
    client: httpCallbackClient({
      ...{ clock, settings: settings.push },
      ...{ findTrust: pushCertificates.find, findSigningSecret: signingSecrets.find },
    }),
    application: applications.byNo,
    grants,
    events: { applications: applicationEvents, products: productEvents, devices: deviceEvents },
  });
  notifyOfCommands(commandEvents, push.notify);
  notifyOfShadow(shadowEvents, push.notify);
  notifyOfUpgrades(upgradeEvents, push.notify);
  push.subscriptionEvents.on("subscriptionDeleted", ({ subscription, hostPort, lastOfHost }) => {
    if (lastOfHost && hostPort !== undefined) pushCertificates.unbind(subscription.ownerAppNo, hostPort);
  });

  const recents = await openRecentBlocks(telemetryReads, writer);
  const ingest = createIngest({
    ...{ writer, recents, reads: telemetryReads, clock, log, metrics, trace: traces, settings: settings.ingest },
    notifier: push.notifier,
  });
  opened.defer(() => ingest.settled());
  const history = createHistory({ reads: telemetryReads, recents, settings: settings.query });
  const shadow = reportedShadow(telemetryReads);
  const seen = lastSeen(telemetryReads, ingest.seenInMemory);

  const codecs = openCodecs({
    ...{ db: registry, transactor, products, productEvents, clock, log, metrics, settings: settings.codecs },
  });
  opened.defer(() => codecs.stop()); // after the doors, whose messages still pass it

  // The way to the devices
  let httpAddresses: Readonly<Record<string, string>> = {}; // once they are open
  const tls = await loadServerTls({ folder: paths.tls, clock, log, ...tlsSources(config) });
  const access = openDeviceAccess({
    ...{ config, tls, ways, devices, subDevices, deviceEvents, ingest, commands, codecs: codecs.codecs, trace: traces },
    contacts: contactEvents,
    resources: { ...resources.sink, wantedObservations: upgradeWays.wantedObservations },
    upgrades: upgradeWays.access,
    ...{ registry, telemetry: telemetryReads, transactor, sealer: secrets.sealer, clock, log, metrics },
    applications: { checkSecret: tokens.checkSecret, events: applicationEvents },
    mqttUpgrades: {
      desk: upgrades.desk,
      tokenLifeMs: settings.upgrades.tokenMs,
      downloadUrl: (pack, localAddress) => packageUrl(config, httpAddresses, pack, localAddress),
    },
    messageIdSeed: new DataView(secrets.deriveKey("coap message ids").buffer).getUint32(0),
  });
  push.joinSubscribers(access.subscriberLink, { keepMs: settings.mqtt.sessionExpiryMs });

  // Work in the background
  await commands.recover(); // asks the links what they still hold
  await upgrades.recover();
  await lora.recover();
  devices.recover();
  watch(push.start());
  watch(startExpiry());
  watch(startSilenceSweep(seen.ofMany));
  watch(startShadowUpkeep({ shadow: desiredShadow, clock, log, settings: settings.shadow }));
  watch(startCommandUpkeep({ commands, clock, log, settings: settings.commands }));
  watch(startBatch());
  watch(startDiagnosisUpkeep({ diagnosis, clock, log, settings: settings.diagnosis }));
  watch(upgrades.start());
  watch(startLoraUpkeep({ lora, clock, log, settings: settings.lora }));
  watch(startMovingRecents({ recents, writer, clock, log, metrics, settings: settings.history }));
  watch(startTelemetryPurge({ writer, reads: telemetryReads, devices, recents, clock, log, metrics, settings }));

  // Doors
  const { generatedPassword } = await operators.ensureAdmin(config["admin.password"]);
  const doors = [...access.stops, resources.stop]; // requests that wait for devices must not hold up the end
  opened.defer(async () => void (await Promise.all(doors.map((stop) => stop())))); // at once: each has its grace time
  const device = await access.listen();
  upgradeWays.listening(device);
  await commands.resume();
  await upgrades.resume();
  const download = packageDownload({
    ...{ tokens: upgrades.desk, packages, openContent, clock, settings: settings.packages },
  });
  const http = listenHttp({
    download,
    ...{ config, clock, ids, log, metrics, tls, storage },
    vendor: oceanConnect({
      ...{ tokens, applications, grants, products, devices, groups, commands, history, shadow, batch },
      desired: desiredShadow.desired,
      lora: lora.service,
      packages,
      upgrades: upgrades.upgrades,
      subscriptions: push.subscriptions,
      settings: {
        ...settings.query,
        body: { maxBytes: settings.query.maxBodyBytes, maxDepth: settings.query.maxBodyDepth },
      },
    }),
    management: managementApi({
      ...{
        sessions: operators,
        applications,
        grants,
        signingSecrets,
        products,
        devices,
        history,
        shadow,
        commands,
        traces,
      },
      ...{ desired: desiredShadow.desired, codecs: codecs.service, lastSeen: seen, pushCertificates },
      ...{ subscriptions: push.subscriptions, pushLog: push.log },
      ...{ resources, diagnosis, groups, tags, batch, packages, publicKeys, packageUploads: uploads },
      upgrades: upgrades.upgrades,
    }),
  });
  httpAddresses = http.addresses;
  upgradeWays.listening({ ...device, ...parsed(http.addresses) });
  doors.push(http.stop);

  const running = opened.move();
  return {
    addresses: { ...http.addresses, ...rendered(device) },
    madeAdminPassword: generatedPassword,
    failed: failed.promise,
    stop: () => running.disposeAsync(),
  };
}

const parsed = (addresses: Readonly<Record<string, string>>): Record<string, ListenAddress> =>
  Object.fromEntries(Object.entries(addresses).map(([name, address]) => [name, parseListenAddress(address)]));
const rendered = (addresses: Readonly<Record<string, ListenAddress | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(addresses).flatMap(([name, address]) => (address ? [[name, renderListenAddress(address)]] : [])),
  );

function tlsSources(config: Config) {
  const { "tls.cert_file": certFile, "tls.key_file": keyFile, "tls.ca_file": caFile } = config;
  const names = config["tls.names"].split(",").map((name) => name.trim());
  return {
    own: certFile && keyFile ? { certFile, keyFile, ...(caFile && { caFile }) } : undefined,
    names: names.filter((name) => name !== ""),
  };
}
