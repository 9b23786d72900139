import { Hono } from "hono";
import { z } from "zod";
import type { Device } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { History } from "../../capabilities/telemetry/history";
import { DomainError } from "../../platform/domain-error";
import { renderUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { toQueriedInfo } from "./device-info";
import type { Call, Endpoints } from "./endpoint";
import { integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";
import { nameServices, type ReportedPorts } from "./reported-services";

const HistoryQuery = z.object({
  deviceId: optional(text(256)),
  gatewayId: optional(text(256)),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 2_000)).default(1),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
});

export type DataPorts = ReportedPorts & {
  readonly devices: Pick<DeviceService, "get" | "find" | "behindGateway">;
  readonly history: Pick<History, "page">;
  /** 1.6.3 by gatewayId looks through so many devices, and asks for a narrower query beyond. */
  readonly maxHistoryDevices: number;
};

/** 1.6.3, 1.5.9. */
export function dataRoutes({ call }: Endpoints, { devices, products, history, shadow, maxHistoryDevices }: DataPorts) {
  type Named = Pick<z.infer<typeof HistoryQuery>, "deviceId" | "gatewayId">;
  function devicesOf({ application: { id } }: Pick<Call<unknown, unknown>, "application">, named: Named): Device[] {
    const { deviceId, gatewayId } = named;
    if (deviceId !== undefined) {
      const device = devices.get(id, deviceId);
      if (gatewayId !== undefined && device.gatewayId !== gatewayId) throw new DomainError("DEVICE_NOT_FOUND");
      return [device];
    }
    if (gatewayId === undefined) throw new DomainError("DEVICE_OR_GATEWAY_MISSING");
    const found = devices.behindGateway(id, gatewayId, maxHistoryDevices + 1);
    if (found.length === 0) throw new DomainError("DEVICE_NOT_FOUND");
    if (found.length > maxHistoryDevices) {
      throw new DomainError("RESULT_TOO_LARGE", { limit: maxHistoryDevices, narrowBy: ["deviceId"] });
    }
    return found;
  }

  const queryShadow = call("1.5.9", {}, ({ application, param }) => {
    const device = devices.get(application.id, param("deviceId"));
    return {
      status: 200,
      json: {
        deviceId: device.id,
        gatewayId: device.gatewayId,
        nodeType: device.nodeType,
        createTime: renderUtcTime(device.createdAt),
        lastModifiedTime: renderUtcTime(device.modifiedAt),
        deviceInfo: toQueriedInfo(device, false),
        services: nameServices(device, shadow.of(device.no), products).map((service) => ({
          serviceId: service.serviceId,
          reportedProps: service.reported,
          desiredProps: {}, // nothing can be desired of an MQTT device
          eventTime: service.eventTime,
          serviceType: service.serviceType,
        })),
      },
    };
  });

  return new Hono<FrontEnv>()
    .get(
      "/iocm/app/data/v1.2.0/deviceDataHistory",
      call("1.6.3", { query: HistoryQuery }, async (it) => {
        const { pageNo, pageSize, startTime, endTime, ...named } = it.query;
        const period = periodOf(startTime, endTime);
        const found = devicesOf(it, named);
        const byNo = new Map(found.map((device) => [device.no, device]));
        const { items, total } = await history.page({
          deviceNos: found.map(({ no }) => no),
          ...period,
          page: pageNo,
          pageSize,
        });
        return {
          status: 200,
          json: {
            totalCount: total,
            pageNo,
            pageSize,
            deviceDataHistoryDTOs: items.map(({ deviceNo, serviceId, data, timestampMs }) => ({
              serviceId,
              deviceId: byNo.get(deviceNo)?.id,
              gatewayId: byNo.get(deviceNo)?.gatewayId,
              appId: it.application.id,
              data,
              timestamp: renderUtcTime(timestampMs),
            })),
          },
        };
      }),
    )
    .get("/iocm/app/shadow/v1.5.0/devices/:deviceId", queryShadow)
    .get("/iocm/app/shadow/v1.5.0/devices/devices/:deviceId", queryShadow); // as printed in an example
}
