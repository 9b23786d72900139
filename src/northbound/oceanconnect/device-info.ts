import { z } from "zod";
import { DEVICE_STATUSES, type Device } from "../../capabilities/devices/device";
import { known, yesOrNo } from "./answer-fields";

const word = known(z.string());
/** Of 1.5.9, and of the notifications. */
export const NotifiedInfoResource = z.object({
  nodeId: z.string(),
  ...{ name: word, description: word, manufacturerId: word, manufacturerName: word, mac: word, location: word },
  ...{ deviceType: word, model: word, swVersion: word, fwVersion: word, hwVersion: word, protocolType: word },
  bridgeId: word,
  status: z.enum(DEVICE_STATUSES),
  statusDetail: z.string(),
  ...{ mute: yesOrNo(), supportedSecurity: yesOrNo(), isSecurity: yesOrNo() },
  ...{ signalStrength: word, sigVersion: word, serialNumber: word, batteryLevel: word },
});
/** Of 1.6.1 and 1.6.2. */
export const DeviceInfoResource = NotifiedInfoResource.extend({
  radiusIp: word,
  imsi: word.optional().meta({ description: "Only where it is asked for with select=imsi" }),
});

/**
 * `deviceInfo` of the notifications and of 1.5.9: every field of the table in its order, null where nothing is known.
 * Whether secure mode is supported and whether it is in use are one fact here.
 */
export function toNotifiedInfo({ nodeId, info, status, statusDetail, muted, isSecure }: Device) {
  return {
    nodeId,
    name: info.name ?? null,
    description: info.description ?? null,
    manufacturerId: info.manufacturerId ?? null,
    manufacturerName: info.manufacturerName ?? null,
    mac: info.mac ?? null,
    location: info.location ?? null,
    deviceType: info.deviceType ?? null,
    model: info.model ?? null,
    swVersion: info.swVersion ?? null,
    fwVersion: info.fwVersion ?? null,
    hwVersion: info.hwVersion ?? null,
    protocolType: info.protocolType ?? null,
    bridgeId: info.bridgeId ?? null,
    status,
    statusDetail,
    mute: toUpperBoolean(muted),
    supportedSecurity: toUpperBoolean(isSecure),
    isSecurity: toUpperBoolean(isSecure),
    signalStrength: info.signalStrength ?? null,
    sigVersion: info.sigVersion ?? null,
    serialNumber: info.serialNumber ?? null,
    batteryLevel: info.batteryLevel ?? null,
  };
}

/** `DeviceInfoQueryDTO` of 1.6.1 and 1.6.2: also the address, and the IMSI for who asks for it. */
export function toQueriedInfo(device: Device, withImsi: boolean) {
  const info = toNotifiedInfo(device);
  const radiusIp = device.info.radiusIp ?? null;
  return withImsi ? { ...info, radiusIp, imsi: device.info.imsi ?? null } : { ...info, radiusIp };
}

const toUpperBoolean = (value: boolean): "TRUE" | "FALSE" => (value ? "TRUE" : "FALSE");
