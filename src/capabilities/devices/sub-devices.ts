import { DomainError, type DomainErrorCode } from "../../platform/domain-error";
import type { ProductSelector, ProductService } from "../products/product";
import type { Device, DeviceId, DeviceInfo } from "./device";
import type { DeviceService } from "./device-service";

/** What a connected gateway may do to the devices behind it (platform.md 15). `id`: deviceId or nodeId. */
export type SubDeviceTask =
  | { readonly kind: "add"; readonly nodeId: string; readonly productId?: string; readonly info: DeviceInfo }
  | { readonly kind: "status"; readonly id: string; readonly status: "ONLINE" | "OFFLINE"; readonly detail?: string }
  | { readonly kind: "delete"; readonly id: string };
export type SubDeviceOutcome =
  | { readonly done: true; readonly deviceId: DeviceId; readonly nodeId: string }
  | { readonly done: false; readonly code: DomainErrorCode; readonly reason: string | undefined };

export interface SubDevices {
  /**
   * Does all of them, each for itself, in one commit; resolves with their outcomes in their order when that is on disk.
   * What is done already is done again: adding one that is there gives its deviceId. Nothing is told of devices that are
   * not behind this gateway. Rejects for faults of ours only.
   */
  run(gatewayNo: number, tasks: readonly SubDeviceTask[]): Promise<SubDeviceOutcome[]>;
}

type Parts = {
  readonly devices: Pick<
    DeviceService,
    "register" | "findByNo" | "findByNodeId" | "findSubDevice" | "setSubDeviceStatus" | "delete"
  >;
  readonly products: Pick<ProductService, "resolve">;
};

export function subDevices({ devices, products }: Parts): SubDevices {
  async function add(gatewayNo: number, { nodeId, productId, info }: Extract<SubDeviceTask, { kind: "add" }>) {
    const gateway = devices.findByNo(gatewayNo);
    if (gateway?.nodeType !== "GATEWAY")
      throw new DomainError("NOT_A_GATEWAY", { reason: "its nodeType is not GATEWAY" });
    // Both stand in topics.
    if (/[/+#]/.test(nodeId))
      throw new DomainError("INPUT_INVALID", { field: "nodeId", reason: "nodeId has /, + or #" });
    const selector = selectorOf(productId, info);
    const product = selector && products.resolve(gateway.appId, selector);
    try {
      const { device } = await devices.register(gateway.appId, {
        nodeId,
        product: product && { productId: product.id }, // what matches none has none: delete it, and add it again
        credentials: { kind: "password" }, // its own, which nobody is told: it speaks through its gateway
        info: product ? withoutModel(info) : info,
        gatewayNo,
        timeoutS: 0,
      });
      return device;
    } catch (error) {
      const holder = isTaken(error) ? devices.findByNodeId(nodeId) : undefined;
      if (holder?.gatewayNo === gatewayNo) return holder;
      throw error;
    }
  }

  function find(gatewayNo: number, id: string): Device {
    const device = devices.findSubDevice(gatewayNo, id);
    if (device?.gatewayNo !== gatewayNo) throw new DomainError("DEVICE_NOT_FOUND"); // also for the gateway itself
    return device;
  }

  async function runOne(gatewayNo: number, task: SubDeviceTask): Promise<Device> {
    if (task.kind === "add") return add(gatewayNo, task);
    const device = find(gatewayNo, task.id);
    if (task.kind === "delete") await devices.delete(device.no, { cascade: true });
    else await devices.setSubDeviceStatus(gatewayNo, device.no, task.status, task.detail);
    return device;
  }

  return {
    run: (gatewayNo, tasks) =>
      // Begun in one turn of the event loop, so that they share a transaction.
      Promise.all(
        tasks.map((task) =>
          runOne(gatewayNo, task).then(
            ({ id: deviceId, nodeId }): SubDeviceOutcome => ({ done: true, deviceId, nodeId }),
            (error: unknown): SubDeviceOutcome => {
              if (!(error instanceof DomainError)) throw error;
              const { reason } = error.details;
              return { done: false, code: error.code, reason: typeof reason === "string" ? reason : undefined };
            },
          ),
        ),
      ),
  };
}

const isTaken = (error: unknown): boolean => error instanceof DomainError && error.code === "NODE_ID_TAKEN";

/** The productId, or manufacturer and model, which are unique together; more fields must fit too. */
function selectorOf(productId: string | undefined, info: DeviceInfo): ProductSelector | undefined {
  if (productId !== undefined) return { productId };
  const { manufacturerId, manufacturerName, deviceType, model, protocolType } = info;
  if (manufacturerId === undefined || model === undefined) return undefined;
  return { manufacturerId, model, manufacturerName, deviceType, protocolType };
}

/** The product says it. */
function withoutModel(info: DeviceInfo): DeviceInfo {
  const { manufacturerId, manufacturerName, deviceType, model, protocolType, ...rest } = info;
  return rest;
}
