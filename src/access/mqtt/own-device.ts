import type { LiveDevice } from "../../capabilities/devices/device";
import type { Connection } from "./connection";
import type { Hub } from "./hub";

/**
 * The device that a topic of this connection means: the connected one or one of its sub-devices, by deviceId or nodeId.
 * Undefined for all others, so that no connection reaches a foreign device.
 */
export function ownDevice(hub: Hub, connection: Connection, id: string): LiveDevice | undefined {
  const device = connection.device as LiveDevice;
  if (id === device.id || id === device.nodeId) return device;
  return cached(hub, connection, id) ?? lookUp(hub, connection, device, id);
}

function cached(hub: Hub, connection: Connection, id: string): LiveDevice | undefined {
  const known = connection.subDevices?.get(id);
  if (!known) return undefined;
  const isStillHere = !known.deleted && known.gatewayNo === connection.device?.no;
  if (isStillHere && (id === known.id || id === known.nodeId)) return known;
  connection.subDevices?.delete(id);
  hub.devices.release(known);
  return undefined;
}

function lookUp(hub: Hub, connection: Connection, gateway: LiveDevice, id: string): LiveDevice | undefined {
  const found = hub.devices.findSubDevice(gateway.no, id);
  const subDevice = found && hub.devices.acquire(found.no);
  if (!subDevice) return undefined;
  connection.subDevices ??= new Map();
  if (connection.subDevices.size >= hub.settings.maxCachedSubDevices) releaseSubDevices(hub, connection);
  connection.subDevices.set(id, subDevice);
  return subDevice;
}

export function releaseSubDevices(hub: Hub, connection: Connection): void {
  for (const subDevice of connection.subDevices?.values() ?? []) hub.devices.release(subDevice);
  connection.subDevices?.clear();
}
