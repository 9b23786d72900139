import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter, Listenable } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ApplicationEvents, ApplicationService } from "../applications/application";
import type { ProductEvents, ProductService } from "../products/product";
import { connections } from "./connections";
import { pskContext, secretContext } from "./credentials";
import type { Device, DeviceEvents, DeviceStatus } from "./device";
import { deviceCore } from "./device-core";
import { deviceListing } from "./device-listing";
import { deviceRepository, type EndpointRow, type LoginRow } from "./device-repository";
import { type ReadRow, rowReader } from "./device-row";
import type { DeviceLogin, DeviceService, EndpointLogin } from "./device-service";
import { DEVICE_DEFAULTS, type DeviceSettings } from "./device-settings";
import { liveDevices } from "./live-devices";
import { deviceModification } from "./modify-device";
import { deviceCredentials } from "./refresh-credentials";
import { deviceRegistration } from "./register-device";
import { startRegistrationExpiry } from "./registration-expiry";
import { deviceRemoval } from "./remove-device";
import { versionSetter } from "./set-versions";
import { type LastContacts, startSilenceSweep } from "./silence-sweep";
import { subDevices } from "./sub-devices";
import { deviceTags } from "./tags";
import { type DeviceSelection, deviceWalk, type WalkPosition } from "./walk-devices";

type Parts = {
  /** `registry.db`. */
  db: Database;
  transactor: Transactor;
  applications: Pick<ApplicationService, "get" | "byNo">;
  products: Pick<ProductService, "compiled" | "resolve">;
  events: Emitter<DeviceEvents>;
  applicationEvents: Listenable<ApplicationEvents>;
  productEvents: Listenable<ProductEvents>;
  sealer: Sealer;
  ids: Ids;
  clock: Clock;
  log: Log;
  /** `DeviceLink.disconnect` of all links; called after the commit. */
  disconnect: (deviceNo: number, reason: string) => void;
  settings?: Partial<DeviceSettings>;
};

/** The whole capability, joined. */
export function openDevices(parts: Parts) {
  const { db, transactor, applications, products, events, sealer, ids, clock, log, disconnect } = parts;
  const settings: DeviceSettings = { ...DEVICE_DEFAULTS, ...parts.settings };
  const repository = deviceRepository(db);
  const { tags, find: findTag } = deviceTags(db, transactor);
  const listing = deviceListing(db);
  const walkDevices = deviceWalk(db);
  const toDevice = rowReader({ applications, products });
  const live = liveDevices({ read: repository.live, applications, products });
  const core = deviceCore({ repository, toDevice, live, transactor, events, settings, clock });
  const links = connections({ clock, graceMs: settings.onlineGraceMs, markGone, log });
  const removal = deviceRemoval({ core, connections: links, disconnect });

  parts.applicationEvents.on("applicationChanged", ({ application }) =>
    transactor.afterCommit(() => live.refreshApplication(application.no)),
  );
  parts.productEvents.on("productChanged", ({ product }) =>
    transactor.afterCommit(() => live.refreshProduct(product.no)),
  );

  function markGone(deviceNos: readonly number[], isBack: (deviceNo: number) => boolean): Promise<void> {
    return transactor.write(() => {
      for (const deviceNo of deviceNos) {
        const row = isBack(deviceNo) ? undefined : repository.findByNo(deviceNo);
        if (row) core.setPresence(row, { kind: "connectionGone" });
      }
    });
  }

  function contact(deviceNo: number): Promise<void> {
    return transactor.write(() => {
      const row = repository.findByNo(deviceNo);
      if (row) core.setPresence(row, { kind: "contact" });
    });
  }

  const optional = (row: ReadRow | undefined): Device | undefined => row && toDevice(row);

  function find(appNo: number | undefined, deviceId: string): Device | undefined {
    const row = repository.findById(deviceId);
    return row?.app_no === appNo ? optional(row) : undefined;
  }

  const toLogin = ({ no, id, node_id, app_no, secret }: LoginRow): DeviceLogin => ({
    no,
    id,
    nodeId: node_id,
    appNo: app_no,
    secret: sealer.open(secret, secretContext(no)),
  });

  const registration = deviceRegistration({ core, applications, products, sealer, ids, clock });
  const devices: DeviceService = {
    register: registration.register,
    modify: deviceModification({ core, applications, products, sealer, clock, disconnect }),

    find: (appId, deviceId) => find(applications.get(appId).no, deviceId),
    get(appId, deviceId) {
      const device = find(applications.get(appId).no, deviceId);
      if (!device) throw new DomainError("DEVICE_NOT_FOUND", { deviceId });
      return device;
    },
    findById: (deviceId) => optional(repository.findById(deviceId)),
    findByNo: (no) => optional(repository.findByNo(no)),
    findByNodeId: (nodeId) => optional(repository.findByNodeId(nodeId)),

    list(appId, query) {
      const { no: appNo } = applications.get(appId);
      const gateway = query.gatewayId === undefined ? undefined : repository.findById(query.gatewayId);
      if (query.gatewayId !== undefined && gateway?.app_no !== appNo) return { items: [], total: 0 };
      const tag = query.tag && findTag(appNo, query.tag);
      if (query.tag && !tag) return { items: [], total: 0 };
      const { rows, total } = listing.list(appNo, { gatewayNo: gateway?.no, tag }, query);
      return { items: rows.map(toDevice), total };
    },
    counts(appId) {
      const counts: Record<DeviceStatus, number> = { ONLINE: 0, OFFLINE: 0, INACTIVE: 0, ABNORMAL: 0 };
      for (const row of repository.counts(applications.get(appId).no)) counts[row.status] = row.devices;
      return counts;
    },
    behindGateway(appId, gatewayId, limit) {
      const gateway = repository.findById(gatewayId);
      if (gateway?.app_no !== applications.get(appId).no) return [];
      const rows = repository.behind(gateway.no, limit);
      return rows.sort((a, b) => Number(b.no === gateway.no) - Number(a.no === gateway.no)).map(toDevice);
    },

    ...deviceCredentials({ core, products, sealer, ids, clock, disconnect }),
    delete: (deviceNo, { cascade }) => transactor.write(() => removal.remove(core.row(deviceNo), cascade)),

    loginByDeviceId(deviceId) {
      const row = repository.loginById(deviceId);
      return row && toLogin(row);
    },
    loginByNodeId(nodeId) {
      const row = repository.loginByNodeId(nodeId);
      return row && toLogin(row);
    },
    loginByEndpoint(candidates) {
      const found = candidates.map(repository.byEndpoint).filter((row) => row !== undefined);
      const [row, ...others] = found;
      if (!row) return { kind: "unknown" };
      return others.some(({ no }) => no !== row.no) ? { kind: "ambiguous" } : toEndpointLogin(row);
    },
    pskOf(deviceNo) {
      const sealed = repository.psk(deviceNo);
      return sealed && sealer.open(sealed, pskContext(deviceNo));
    },
    findSubDevice(gatewayNo, idOrNodeId) {
      const isIts = (row: ReadRow | undefined) => row?.gateway_no === gatewayNo || row?.no === gatewayNo;
      const byId = repository.findById(idOrNodeId);
      return isIts(byId) ? optional(byId) : optional([repository.findByNodeId(idOrNodeId)].find(isIts));
    },

    acquire: live.acquire,
    release: live.release,

    connected: (deviceNo) => (links.begin(deviceNo) ? contact(deviceNo) : Promise.resolve()),
    disconnected: links.end,
    setSubDeviceStatus: (gatewayNo, deviceNo, status, detail) =>
      transactor.write(() => {
        const row = core.row(deviceNo);
        if (row.gateway_no !== gatewayNo || row.no === gatewayNo)
          throw new DomainError("DEVICE_NOT_FOUND", { deviceNo });
        core.setPresence(row, { kind: "reported", status, detail });
      }),
    seen: contact,
    left: (deviceNo) => markGone([deviceNo], () => false),
    recover: () => links.expect(repository.onlineByConnection()),

    agingOverrides: repository.agingOverrides,
    pendingPurges: repository.purges,
    purged: (deviceNos) =>
      transactor.write(() => {
        for (const deviceNo of deviceNos) repository.removePurge(deviceNo);
      }),
  };

  return {
    devices,
    /** For work that has a transaction of its own (batch tasks): only inside it. When one of these throws, undo what it did. */
    inTransaction: {
      register: registration.inTransaction,
      /** Throws DEVICE_NOT_FOUND. */
      remove: (deviceNo: number, { cascade }: { cascade: boolean }): void =>
        removal.remove(core.row(deviceNo), cascade),
      setVersions: versionSetter(core, clock),
    },
    /** For work on all devices of a kind in steps. */
    walk: (appNo: number, selection: DeviceSelection, from: WalkPosition, untilMs: number, limit: number): Device[] =>
      walkDevices(appNo, selection, from, untilMs, limit).map(toDevice),
    /** For gateways. */
    subDevices: subDevices({ devices, products }),
    tags,
    /** For `ApplicationService.refuseDeletionWhile`. */
    hasDevices: repository.hasAny,
    startExpiry: () =>
      startRegistrationExpiry({ repository, removal, transactor, clock, sweepMs: settings.expirySweepMs, log }),
    /** `lastContacts`: what is known beside the times that devices came ONLINE. */
    startSilenceSweep: (lastContacts: LastContacts) =>
      startSilenceSweep({ core, repository, transactor, lastContacts, clock, settings, log }),
    /** For metrics. */
    connectedCount: links.count,
    liveCount: live.size,
  };
}
export type Devices = ReturnType<typeof openDevices>;

const toEndpointLogin = (row: EndpointRow): EndpointLogin => ({
  kind: "found",
  no: row.no,
  id: row.id,
  nodeId: row.node_id,
  appNo: row.app_no,
  isSecure: row.is_secure === 1,
  muted: row.muted === 1,
  protocolType: row.protocol_type ?? undefined,
});
