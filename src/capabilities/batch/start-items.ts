import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Sealer } from "../../platform/secrets";
import type { AppId } from "../applications/application";
import type { CommandTransactions } from "../commands/command";
import type { Device } from "../devices/device";
import type { NewDevice, Registration } from "../devices/device-service";
import type { CompiledProduct, ProductService } from "../products/product";
import type { ServiceDesired } from "../shadow/desired";
import { toServiceDesired } from "./configuration-values";
import type { ItemEvent } from "./item-machine";
import type { ItemFacts, ItemRepository } from "./item-repository";
import type { RegistrationRow } from "./registration-rows";
import type { Specs } from "./specs";
import type { Item, Task, WantedValues } from "./task";

/** What batch tasks do with devices. All of it only inside a transaction; when it throws, the caller undoes what it did. */
export type DeviceTransactions = {
  register(appId: AppId, input: NewDevice): Registration;
  remove(deviceNo: number, options: { cascade: boolean }): void;
};

type Parts = {
  readonly items: Pick<ItemRepository, "sealed">;
  readonly specs: Specs;
  readonly devices: { findByNo(no: number): Device | undefined; readonly inTransaction: DeviceTransactions };
  readonly commands: Pick<CommandTransactions, "cache">;
  readonly wantInTransaction: (device: Device, services: readonly ServiceDesired[]) => void;
  readonly products: Pick<ProductService, "compiled" | "get">;
  readonly sealer: Sealer;
  readonly clock: Pick<Clock, "now">;
};
export type Started = { readonly event: ItemEvent; readonly facts: ItemFacts };

export const sealContext = (taskNo: number, pos: number) => `batch:${taskNo}:${pos}`;
/** What the result file tells of a registered device. */
export type MadeCredentials = { readonly secret?: string; readonly psk?: string; readonly verifyCode?: string };

/** Begins a sub-task. Only inside a transaction. Throws domain errors, with which the sub-task fails. */
export function startItems(parts: Parts) {
  const { items, specs, devices, commands, wantInTransaction, products, sealer, clock } = parts;

  function deviceOf({ deviceNo, target }: Item, { appNo }: Task): Device {
    const device = deviceNo === undefined ? undefined : devices.findByNo(deviceNo);
    if (device?.appNo !== appNo) throw new DomainError("DEVICE_NOT_FOUND", { deviceId: target });
    return device;
  }
  const modelOf = ({ productNo }: Device): CompiledProduct | undefined =>
    productNo === undefined ? undefined : products.compiled(productNo);

  function issue(task: Task, item: Item): Started {
    const { kind: _, targets: __, groupNos: ___, groupTag: ____, ...command } = specs.ofKind(task.no, "command");
    const device = deviceOf(item, task);
    // Whole seconds that end before the task does: nothing of it waits when it is over.
    const expireTimeS = Math.floor(((task.deadline ?? 0) - clock.now()) / 1_000);
    if (expireTimeS <= 0) return { event: { type: "timedOut", expired: true }, facts: { error: TIME_IS_OVER } };
    const made = commands.cache(device, { ...command, expireTimeS });
    return { event: { type: "started" }, facts: { commandNo: made.no, commandId: made.id } };
  }

  function configuration(task: Task, item: Item): Started {
    const { values } = specs.ofKind(task.no, "configuration");
    const device = deviceOf(item, task);
    const wanted = toServiceDesired(modelOf(device), values);
    wantInTransaction(device, wanted);
    const awaited: WantedValues = Object.fromEntries(wanted.map(({ serviceId, desired }) => [serviceId, desired]));
    return { event: { type: "started" }, facts: { wanted: awaited, tries: item.tries + 1 } };
  }

  function deletion(task: Task, item: Item): Started {
    const { cascade } = specs.ofKind(task.no, "deletion");
    devices.inTransaction.remove(deviceOf(item, task).no, { cascade });
    return { event: { type: "succeeded" }, facts: {} };
  }

  function registration(task: Task, item: Item): Started {
    const { productId } = specs.ofKind(task.no, "registration");
    const context = sealContext(task.no, item.pos);
    const sealed = items.sealed(task.no, item.pos);
    if (!sealed) throw new Error(`row ${item.pos} of task ${task.no} is not there`);
    const row = JSON.parse(sealer.open(sealed, context)) as RegistrationRow; // written by the upload only
    const { protocolType } = products.get(productId);
    const { device, ...made } = devices.inTransaction.register(task.appId, toNewDevice(row, productId, protocolType));
    const isMqtt = protocolType === "MQTT";
    const credentials: MadeCredentials = {
      ...(isMqtt && { secret: made.secret }),
      psk: made.psk,
      ...(made.verifyCode !== undefined && { verifyCode: made.verifyCode }),
    };
    const facts = {
      deviceNo: device.no,
      deviceId: device.id,
      sealed: sealer.seal(JSON.stringify(credentials), context),
    };
    return { event: { type: "succeeded" }, facts };
  }

  return function start(task: Task, item: Item): Started {
    switch (task.kind) {
      case "command":
        return issue(task, item);
      case "configuration":
        return configuration(task, item);
      case "deletion":
        return deletion(task, item);
      case "registration":
        return registration(task, item);
      default:
        return task.kind satisfies never;
    }
  };
}
const TIME_IS_OVER = { code: "TASK_TIMEOUT" } as const;

/** MQTT devices log in with a secret (1.5.2), all others are known by their code and a PSK (1.5.1). */
function toNewDevice(row: RegistrationRow, productId: string, protocolType: string): NewDevice {
  const { nodeId, secret, psk, verifyCode, isSecure, timeoutS, info } = row;
  const isMqtt = protocolType === "MQTT";
  const misplaced = isMqtt ? verifyCode && "verifyCode" : secret && "secret";
  if (misplaced)
    throw new DomainError("INPUT_INVALID", {
      field: misplaced,
      reason: `devices of ${protocolType} products have none`,
    });
  return {
    ...{ nodeId, info, isSecure, timeoutS, product: { productId } },
    credentials: isMqtt ? { kind: "password", secret, psk } : { kind: "verifyCode", verifyCode, psk },
  };
}
