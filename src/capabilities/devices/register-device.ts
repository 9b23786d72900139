import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Sealer } from "../../platform/secrets";
import type { AppId, ApplicationService } from "../applications/application";
import type { Product, ProductService } from "../products/product";
import {
  checkNodeId,
  checkPsk,
  checkSecret,
  checkVerifyCode,
  expiry,
  newPsk,
  newSecret,
  newVerifyCode,
  pskContext,
  secretContext,
} from "./credentials";
import type { DeviceId, NodeType } from "./device";
import { type DeviceCore, inputInvalid } from "./device-core";
import { type DeviceRow, optionalKey, type ReadRow, textKey } from "./device-row";
import type { NewDevice, Registration } from "./device-service";
import { NEW_DEVICE, NEW_SUB_DEVICE } from "./status";
import { checkTags } from "./tags";

const MAX_ID_LENGTH = 256;

type Parts = {
  core: DeviceCore;
  applications: Pick<ApplicationService, "get">;
  products: Pick<ProductService, "resolve">;
  sealer: Sealer;
  ids: Ids;
  clock: Pick<Clock, "now">;
};

/** `DeviceService.register`. */
export function deviceRegistration({ core, applications, products, sealer, ids, clock }: Parts) {
  const { repository, events, settings, transactor, toDevice } = core;

  return async (appId: AppId, input: NewDevice): Promise<Registration> => {
    const { no: appNo } = applications.get(appId);
    const product = input.product && products.resolve(appId, input.product);
    if (!product && (input.product || input.gatewayNo === undefined))
      throw new DomainError("PRODUCT_NOT_FOUND", { appId, nodeId: input.nodeId });
    const nodeId = checkNodeId(input.nodeId, product?.protocolType);
    checkTags(input.tags, settings.maxTags);
    if (input.credentials.kind === "verifyCode" && product?.protocolType === "MQTT")
      assertAgentCode(nodeId, input.credentials.verifyCode);
    const credentials = makeCredentials(input);
    const timeoutS = input.timeoutS ?? settings.registrationTimeoutS;
    const expiresAt = expiry(clock.now(), timeoutS);
    return transactor.write(() => {
      assertFree(appNo, nodeId, credentials.verifyCode, input.isSecure ?? false);
      const gateway = input.gatewayNo === undefined ? undefined : gatewayOf(appNo, input.gatewayNo);
      const row = toRow({ appNo, nodeId, input, product, gateway, credentials, expiresAt });
      insert(row, input.product);
      const device = toDevice({ ...row, gateway_id: gateway?.id ?? row.id });
      input.also?.(device);
      events.emit("deviceAdded", { device });
      return { device, ...credentials, timeoutS };
    });
  };

  function makeCredentials({ credentials }: NewDevice) {
    const psk = checkPsk(credentials.psk ?? newPsk(ids));
    return credentials.kind === "password"
      ? { secret: checkSecret(credentials.secret ?? newSecret(ids)), psk, verifyCode: undefined }
      : { secret: newSecret(ids), psk, verifyCode: checkVerifyCode(credentials.verifyCode ?? newVerifyCode(ids)) };
  }

  function assertFree(appNo: number, nodeId: string, verifyCode: string | undefined, isSecure: boolean): void {
    const holder = repository.findByNodeId(nodeId);
    if (holder) throw taken(holder, appNo, verifyCode !== undefined);
    if (verifyCode !== undefined && repository.numberOfVerifyKey(textKey(verifyCode)) !== undefined)
      throw new DomainError("VERIFY_CODE_INVALID", { reason: "is taken" });
    core.assertRoom(appNo, "devices");
    if (!isSecure) core.assertRoom(appNo, "non_secure");
  }

  /**
   * 1.5.1 has two rows for a nodeId that is in use: the device meant is the application's own and has connected already,
   * or anything else. Nothing is told of a device of another application.
   */
  function taken(holder: ReadRow, appNo: number, byVerifyCode: boolean): DomainError {
    const isOwn = holder.app_no === appNo && holder.bound === 1;
    const { node_id: nodeId } = holder;
    return isOwn && byVerifyCode
      ? new DomainError("DEVICE_ALREADY_BOUND", { nodeId, deviceId: holder.id })
      : new DomainError("NODE_ID_TAKEN", { nodeId });
  }

  function gatewayOf(appNo: number, gatewayNo: number): ReadRow {
    const gateway = core.row(gatewayNo);
    if (gateway.app_no !== appNo) throw new DomainError("DEVICE_NOT_FOUND", { deviceNo: gatewayNo });
    if (gateway.gateway_no !== gateway.no) throw inputInvalid("gatewayId", "is itself behind a gateway");
    const { maxSubDevices } = settings;
    if (maxSubDevices > 0 && repository.countBehind(gatewayNo) >= maxSubDevices)
      throw new DomainError("DEVICE_LIMIT_REACHED", { limit: maxSubDevices, gatewayId: gateway.id });
    if (gateway.node_type !== "GATEWAY") {
      repository.setNodeType(gatewayNo, "GATEWAY");
      core.changed(gatewayNo);
    }
    return gateway;
  }

  type Made = {
    appNo: number;
    nodeId: string;
    input: NewDevice;
    product: Product | undefined;
    gateway: ReadRow | undefined;
    credentials: { secret: string; psk: string; verifyCode: string | undefined };
    expiresAt: number | null;
  };

  function toRow({ appNo, nodeId, input, product, gateway, credentials, expiresAt }: Made): DeviceRow {
    const no = repository.nextNo();
    const info = { ...input.info, name: input.info?.name ?? nodeId };
    const deviceType = info.deviceType ?? product?.deviceType;
    const presence = gateway ? NEW_SUB_DEVICE : NEW_DEVICE;
    return {
      no,
      id: newId(product, nodeId),
      app_no: appNo,
      product_no: product?.no ?? null,
      node_id: nodeId,
      gateway_no: gateway?.no ?? no,
      node_type: input.nodeType ?? usualNodeType(deviceType),
      device_type: deviceType ?? null,
      name_key: optionalKey(info.name),
      location_key: optionalKey(info.location),
      info: JSON.stringify(info),
      status: presence.status,
      status_detail: presence.detail,
      muted: 0,
      is_secure: input.isSecure ? 1 : 0,
      tags: input.tags && input.tags.length > 0 ? JSON.stringify(input.tags) : null,
      custom_fields: null,
      muted_commands: null,
      data_aging_days: null,
      activated: 0,
      bound: 0,
      secret: sealer.seal(credentials.secret, secretContext(no)),
      psk: sealer.seal(credentials.psk, pskContext(no)),
      verify_key: optionalKey(credentials.verifyCode),
      created_at_ms: clock.now(),
      modified_at_ms: clock.now(),
      expires_at_ms: expiresAt,
      contacted_at_ms: null,
    };
  }

  /** Opaque where the rule gives no usable id: no product, too long, or of a device that has changed its nodeId since. */
  function newId(product: Product | undefined, nodeId: string): DeviceId {
    const byRule = product && `${product.id}_${nodeId}`;
    const usable = byRule && byRule.length <= MAX_ID_LENGTH && repository.numberOfId(byRule) === undefined;
    return (usable ? byRule : ids.next()) as DeviceId;
  }

  /** The product was looked up before the transaction: it may have been deleted since. */
  function insert(row: DeviceRow, product: NewDevice["product"]): void {
    try {
      repository.insert(row);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "SQLITE_CONSTRAINT_FOREIGNKEY") throw error;
      throw new DomainError("PRODUCT_NOT_FOUND", { product });
    }
  }
}

/** Devices with the agent SDK name themselves by the code, which is their nodeId (1.5.1): with another one they never bind. */
function assertAgentCode(nodeId: string, verifyCode: string | undefined): void {
  if (verifyCode !== nodeId)
    throw new DomainError("VERIFY_CODE_INVALID", {
      field: "verifyCode",
      reason: "is not the nodeId, as it must be for devices of MQTT products",
    });
}

const usualNodeType = (deviceType: string | undefined): NodeType =>
  deviceType !== undefined && /(gateway|loraserver)$/i.test(deviceType) ? "GATEWAY" : "ENDPOINT";
