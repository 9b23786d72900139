import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId } from "../applications/application";
import type { PlatformRequests } from "../commands/platform-requests";
import type { Device, DeviceEvents } from "../devices/device";
import type { DeviceService } from "../devices/device-service";
import type { Product, ProductService } from "../products/product";
import type { LoraGateway, LoraKind, LoraNode, LoraService, LoraSettings, NewLoraGateway, NewLoraNode } from "./lora";
import { euiKey, type LoraFacts, type LoraRow, loraRepository } from "./lora-repository";
import { assertDone, deletionRequest, registrationRequest, verdictOf } from "./server-request";
import { withdrawals } from "./withdrawals";

export type LoraParts = {
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly devices: Pick<DeviceService, "register" | "find" | "findByNo" | "findByNodeId" | "delete">;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly products: Pick<ProductService, "resolve" | "compiled">;
  readonly requests: PlatformRequests;
  readonly sealer: Sealer;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly settings: LoraSettings;
};

/** Sealed with the registration; shown where the document shows them. */
type LoraKeys = Pick<NewLoraNode, "appKey" | "appSKey" | "nwkSKey"> & { readonly accessCode?: string | undefined };
/** A registration, of either kind. */
type Plan = {
  readonly kind: LoraKind;
  readonly input: NewLoraGateway | NewLoraNode;
  readonly description: string | undefined;
  readonly facts: LoraFacts;
  readonly keys: LoraKeys;
};

const keysContext = (deviceNo: number) => `lora:${deviceNo}:keys`;
const EXISTS = { gateway: "LORA_GATEWAY_EXISTS", node: "LORA_NODE_EXISTS" } as const;
const NOT_FOUND = { gateway: "LORA_GATEWAY_NOT_FOUND", node: "LORA_NODE_NOT_FOUND" } as const;

/**
 * A registration is first noted as pending, then said to the server, and becomes a device with the server's yes, in one
 * transaction with the end of the note. What the server may have and the platform has not is withdrawn (withdrawals.ts).
 */
export function createLora(parts: LoraParts) {
  const { db, transactor, devices, products, requests, sealer, clock, log, settings } = parts;
  const repository = loraRepository(db);
  /** Deletions that the server has agreed to: it need not be told again. */
  const agreed = new Set<number>();

  parts.deviceEvents.on("deviceDeleted", ({ device }) => {
    const row = repository.find(device.no);
    if (row) {
      repository.remove(device.no);
      // By 1.5.5, by an operator, by time: the server does not know of it.
      if (!agreed.has(device.no) && devices.findByNo(row.server_no)) giveUp(row.server_no, row.kind, factsOf(row).eui);
    }
    repository.removePendingOfServer(device.no);
  });

  function giveUp(serverNo: number, kind: LoraKind, eui: string): void {
    const since_ms = clock.now();
    repository.setPending({ server_no: serverNo, kind, spelling: eui, state: "withdrawing", since_ms });
  }

  async function register(appId: AppId, plan: Plan): Promise<Device> {
    const { loraServerId, productId } = plan.input;
    const product = products.resolve(appId, { productId });
    if (!product) throw new DomainError("PRODUCT_NOT_FOUND", { productId });
    const server = serverOf(appId, loraServerId);
    checkProduct(plan.kind, product);
    assertFree(appId, plan);
    if (!requests.isConnected(server.no)) throw new DomainError("LORA_SERVER_OFFLINE", { loraServerId });
    await transactor.write(() => begin(appId, plan, server));
    const request = registrationRequest(plan.kind, plan.input);
    const verdict = verdictOf(await requests.ask(server, request, settings.answerTimeoutMs), settings.answerTimeoutMs);
    if (verdict.kind !== "done") {
      await end(server, plan, verdict.kind === "unknown");
      assertDone(verdict, loraServerId);
    }
    try {
      return await confirm(appId, plan, server, product);
    } catch (error) {
      await end(server, plan, true);
      throw worded(error, plan);
    }
  }

  function serverOf(appId: AppId, loraServerId: string): Device {
    const device = devices.find(appId, loraServerId);
    const model = device?.productNo === undefined ? undefined : products.compiled(device.productNo)?.product;
    const isServer = device?.nodeType === "GATEWAY" && device.gatewayNo === undefined;
    if (!device || !isServer || model?.protocolType !== "MQTT")
      throw new DomainError("LORA_SERVER_NOT_FOUND", { loraServerId });
    return device;
  }

  /** `…_EXISTS` for the application's own of the same kind; nothing is told of anything else. */
  function assertFree(appId: AppId, { kind, facts: { eui } }: Plan): void {
    const row = repository.findByEui(eui);
    const holder = row && devices.findByNo(row.device_no);
    if (row?.kind === kind && holder?.appId === appId) throw new DomainError(EXISTS[kind], { deviceId: holder.id });
    if (row || devices.findByNodeId(eui) || repository.isRegistering(eui))
      throw new DomainError("LORA_EUI_TAKEN", { eui });
  }

  function begin(appId: AppId, plan: Plan, { no }: Device): void {
    assertFree(appId, plan); // again: another one may have been faster
    if (repository.countRegistering(no) >= settings.maxUnderWay)
      throw new DomainError("CONGESTED", { reason: "registrations under way", limit: settings.maxUnderWay });
    const { kind, facts } = plan;
    repository.setPending({ server_no: no, kind, spelling: facts.eui, state: "registering", since_ms: clock.now() });
  }

  /** Nothing has become of it. If this fails too, the note is found at the next start. */
  async function end({ no }: Device, { kind, facts: { eui } }: Plan, serverMayHaveIt: boolean): Promise<void> {
    const work = () =>
      serverMayHaveIt && devices.findByNo(no) ? giveUp(no, kind, eui) : repository.removePending(no, eui);
    await transactor.write(work).catch((error: unknown) => log.error("lora_note_not_ended", { eui, error }));
  }

  async function confirm(
    appId: AppId,
    { kind, input, description, facts, keys }: Plan,
    server: Device,
    product: Product,
  ) {
    const { device } = await devices.register(appId, {
      nodeId: facts.eui,
      product: { productId: product.id },
      credentials: { kind: "password" },
      info: { name: input.name, ...(description !== undefined && { description }) },
      nodeType: kind === "gateway" ? "GATEWAY" : "ENDPOINT",
      gatewayNo: server.no,
      timeoutS: 0, // it exists: its server said so
      also({ no }) {
        repository.removePending(server.no, facts.eui);
        repository.insert({
          ...{ device_no: no, kind, eui: euiKey(facts.eui), server_no: server.no, server_id: server.id },
          facts: JSON.stringify(facts),
          keys: sealer.seal(JSON.stringify(keys), keysContext(no)),
        });
      },
    });
    return device;
  }

  /** What can have happened while the server thought about it; everything else is a fault. */
  function worded(error: unknown, { kind, input, facts }: Plan): unknown {
    if (!(error instanceof DomainError)) {
      log.error("lora_registration_failed", { kind, eui: facts.eui, loraServerId: input.loraServerId, error });
      return new DomainError("LORA_REGISTRATION_FAILED");
    }
    const { loraServerId } = input;
    if (error.code === "NODE_ID_TAKEN") return new DomainError("LORA_EUI_TAKEN", { eui: facts.eui });
    return error.code === "DEVICE_NOT_FOUND" ? new DomainError("LORA_SERVER_NOT_FOUND", { loraServerId }) : error;
  }

  function get(appId: AppId, kind: LoraKind, deviceId: string): { device: Device; row: LoraRow } {
    const device = devices.find(appId, deviceId);
    const row = device && repository.find(device.no);
    if (!row || row.kind !== kind) throw new DomainError(NOT_FOUND[kind], { deviceId });
    return { device, row };
  }

  const keysOf = ({ device_no, keys }: LoraRow): LoraKeys => JSON.parse(sealer.open(keys, keysContext(device_no)));
  const shared = (device: Device, serverId: string) => ({
    ...{ deviceId: device.id, loraServerId: serverId, productId: device.productId },
    name: device.info.name ?? device.nodeId,
  });

  function toGateway(device: Device, serverId: string, facts: LoraFacts, keys: LoraKeys): LoraGateway {
    return { ...shared(device, serverId), gatewayEUI: facts.eui, gatewaySeq: keys.accessCode };
  }
  function toNode(device: Device, serverId: string, facts: LoraFacts, keys: LoraKeys): LoraNode {
    const { eui: devEUI, appEUI = "", deviceClass = "classA", joinType = "OTAA", devAddr } = facts;
    const { accessCode: authCode, appKey, appSKey, nwkSKey } = keys;
    const { description } = device.info;
    const given = { ...{ devEUI, authCode, appEUI, deviceClass, joinType }, ...{ appSKey, devAddr, nwkSKey, appKey } };
    return { ...shared(device, serverId), ...given, description };
  }

  const service: LoraService = {
    async registerGateway(appId, input) {
      const facts = { eui: input.gatewayEUI };
      const keys = { accessCode: input.gatewaySeq };
      const device = await register(appId, { kind: "gateway", input, description: undefined, facts, keys });
      return toGateway(device, input.loraServerId, facts, keys);
    },

    async registerNode(appId, given) {
      const input = { ...given, deviceClass: given.deviceClass ?? "classA", joinType: given.joinType ?? "OTAA" };
      checkJoin(input);
      const { devEUI: eui, appEUI, deviceClass, joinType, devAddr, description } = input;
      const facts = { eui, appEUI, deviceClass, joinType, devAddr };
      const { authCode: accessCode, appKey, appSKey, nwkSKey } = input;
      const keys = { accessCode, appKey, appSKey, nwkSKey };
      const device = await register(appId, { kind: "node", input, description, facts, keys });
      return toNode(device, input.loraServerId, facts, keys);
    },

    gateway(appId, deviceId) {
      const { device, row } = get(appId, "gateway", deviceId);
      return toGateway(device, row.server_id, factsOf(row), keysOf(row));
    },
    node(appId, deviceId) {
      const { device, row } = get(appId, "node", deviceId);
      return toNode(device, row.server_id, factsOf(row), keysOf(row));
    },

    async delete(appId, kind, deviceId) {
      const { device, row } = get(appId, kind, deviceId);
      const loraServerId = row.server_id;
      const server = devices.findByNo(row.server_no);
      if (!server) throw new DomainError("LORA_SERVER_NOT_FOUND", { loraServerId });
      const request = deletionRequest(kind, factsOf(row).eui);
      const answer = await requests.ask(server, request, settings.answerTimeoutMs);
      assertDone(verdictOf(answer, settings.answerTimeoutMs), loraServerId);
      agreed.add(device.no);
      try {
        await devices.delete(device.no, { cascade: true });
      } catch (error) {
        const isGone = error instanceof DomainError && error.code === "DEVICE_NOT_FOUND"; // in the meantime
        throw isGone ? new DomainError(NOT_FOUND[kind], { deviceId }) : error;
      } finally {
        agreed.delete(device.no);
      }
    },
  };

  return {
    service,
    /** Once at the start, before devices can connect: what the last run left between request and answer is given up. */
    async recover(): Promise<void> {
      const left = await transactor.write(() => repository.giveUpAll(clock.now()));
      if (left > 0) log.warn("lora_registrations_given_up", { registrations: left });
    },
    /** One round; see `startLoraUpkeep`. */
    withdraw: withdrawals({ repository, transactor, devices, requests, clock, settings }),
  };
}

const factsOf = ({ facts }: LoraRow): LoraFacts => JSON.parse(facts);

function checkProduct(kind: LoraKind, { id: productId, protocolType, deviceType }: Product): void {
  if (protocolType !== "LoRaWAN") throw new DomainError("LORA_PROTOCOL_REQUIRED", { productId, protocolType });
  const isGateway = deviceType.toLowerCase() === "loragateway";
  if (isGateway === (kind === "gateway")) return;
  const code = isGateway ? "LORA_GATEWAY_TYPE_REFUSED" : "LORA_GATEWAY_TYPE_REQUIRED";
  throw new DomainError(code, { productId, deviceType });
}

function checkJoin({ joinType, appKey, appSKey, nwkSKey, devAddr }: NewLoraNode): void {
  if (joinType === "ABP") {
    if (!appSKey) throw new DomainError("LORA_APP_SKEY_MISSING", { field: "appSKey" });
    if (!nwkSKey) throw new DomainError("LORA_NWK_SKEY_MISSING", { field: "nwkSKey" });
    if (!devAddr) throw new DomainError("LORA_DEV_ADDR_MISSING", { field: "devAddr" });
  } else if (!appKey) throw new DomainError("LORA_APP_KEY_MISSING", { field: "appKey" });
}
