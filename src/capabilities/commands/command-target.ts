import { DomainError } from "../../platform/domain-error";
import type { Device } from "../devices/device";
import type { CompiledProduct } from "../products/product";
import type { CommandParas } from "./command";

export const MAX_MID = 65_535;

type Wanted = { readonly serviceId: string; readonly method: string; readonly paras: CommandParas };

/**
 * Does the product model have this command, and may the device be sent it? Pass-through products take anything.
 * Throws SERVICE_NOT_FOUND, COMMAND_NAME_INVALID, COMMAND_MUTED, COMMAND_PARAMETERS_INVALID.
 */
export function checkCommand(
  product: CompiledProduct | undefined,
  { mutedCommands }: Pick<Device, "mutedCommands">,
  { serviceId, method, paras }: Wanted,
): { serviceType: string } {
  const isMuted = Object.hasOwn(mutedCommands, serviceId) && mutedCommands[serviceId]?.includes(method);
  const muted = () => new DomainError("COMMAND_MUTED", { serviceId, method });
  if (product?.passThrough) {
    if (isMuted) throw muted();
    return { serviceType: serviceId };
  }
  const service = product?.services.get(serviceId);
  if (!service) throw new DomainError("SERVICE_NOT_FOUND", { serviceId });
  const command = service.commands.get(method);
  if (!command) throw new DomainError("COMMAND_NAME_INVALID", { serviceId, method });
  if (isMuted) throw muted();
  const misfit = command.check(paras);
  if (misfit !== undefined) throw new DomainError("COMMAND_PARAMETERS_INVALID", { serviceId, method, reason: misfit });
  return { serviceType: service.serviceType };
}

/** Counts on from the last one, so that a late answer does not hit a new command; undefined when all are taken. */
export function nextMid(last: number, isTaken: (mid: number) => boolean): number | undefined {
  for (let step = 1; step <= MAX_MID; step++) {
    const mid = ((last + step - 1) % MAX_MID) + 1;
    if (!isTaken(mid)) return mid;
  }
  return undefined;
}
