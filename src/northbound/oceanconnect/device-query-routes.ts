import { Hono } from "hono";
import { z } from "zod";
import type { Application } from "../../capabilities/applications/application";
import { DEVICE_STATUSES, type Device, NODE_TYPES } from "../../capabilities/devices/device";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { ReportedService } from "../../capabilities/shadow/reported-shadow";
import { DomainError } from "../../platform/domain-error";
import { renderUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { free, list, paged, time } from "./answer-fields";
import { DeviceCapabilityResource, toCapabilities } from "./capability-resource";
import { DeviceInfoResource, toQueriedInfo } from "./device-info";
import type { Endpoints } from "./endpoint";
import { integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";
import { nameServices, type ReportedPorts } from "./reported-services";

const PATH = "/iocm/app/dm/v1.4.0/devices";
const select = optional(z.enum(["imsi"]));
const List = z.object({
  gatewayId: optional(text(256)),
  nodeType: optional(z.enum(NODE_TYPES)),
  deviceType: optional(text(256)),
  location: optional(text(2_048)),
  name: optional(text(256)),
  pageNo: optional(integer(0, MAX_INTEGER)),
  pageSize: optional(integer(1, 250)).default(25),
  status: optional(z.enum(DEVICE_STATUSES)),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
  sort: optional(z.enum(["ASC", "DESC"])).default("DESC"),
  select,
});
const Capabilities = z.object({ gatewayId: optional(text(256)), deviceId: optional(text(256)) });

export const DeviceResource = z.object({
  ...{ deviceId: z.string(), gatewayId: z.string(), nodeType: z.enum(NODE_TYPES) },
  ...{ createTime: time(), lastModifiedTime: time() },
  deviceInfo: DeviceInfoResource,
  services: list(
    z.object({
      ...{ serviceId: z.string(), serviceType: z.string() },
      serviceInfo: z.object({ muteCmds: list(z.string()) }),
      data: free(),
      eventTime: time(),
    }),
  ),
  alarmInfo: z.null(),
});
const DEVICE = { status: 200, schema: DeviceResource } as const;
const PAGE = { status: 200, schema: z.object({ ...paged, devices: list(DeviceResource) }) } as const;
const CAPABILITIES = {
  status: 200,
  schema: z.object({ deviceCapabilities: list(DeviceCapabilityResource) }),
} as const;

export type DeviceQueryPorts = ReportedPorts & {
  readonly devices: Pick<DeviceService, "get" | "find" | "list" | "behindGateway">;
  /** 1.6.5 answers for so many devices at once, and asks for a narrower query beyond. */
  readonly maxCapabilityDevices: number;
};

/** 1.6.1, 1.6.2, 1.6.5. */
export function deviceQueryRoutes({ call }: Endpoints, ports: DeviceQueryPorts) {
  const { devices, products, shadow, maxCapabilityDevices } = ports;

  const toResource = (device: Device, reported: readonly ReportedService[], withImsi: boolean) => ({
    deviceId: device.id,
    gatewayId: device.gatewayId,
    nodeType: device.nodeType,
    createTime: renderUtcTime(device.createdAt),
    lastModifiedTime: renderUtcTime(device.modifiedAt),
    deviceInfo: toQueriedInfo(device, withImsi),
    services: nameServices(device, reported, products).map((service) => ({
      serviceId: service.serviceId,
      serviceType: service.serviceType,
      serviceInfo: { muteCmds: device.mutedCommands[service.serviceId] ?? [] },
      data: service.reported,
      eventTime: service.eventTime,
    })),
    alarmInfo: null, // alarms come with the rules
  });

  /** Throws RESULT_TOO_LARGE. */
  function devicesOf({ id }: Application, deviceId: string | undefined, gatewayId: string | undefined): Device[] {
    if (deviceId !== undefined) {
      const device = devices.find(id, deviceId);
      return device && (gatewayId === undefined || device.gatewayId === gatewayId) ? [device] : [];
    }
    const limit = maxCapabilityDevices;
    const items =
      gatewayId === undefined
        ? devices.list(id, { sort: "DESC", page: 0, pageSize: limit + 1 }).items
        : devices.behindGateway(id, gatewayId, limit + 1);
    if (items.length > limit) throw new DomainError("RESULT_TOO_LARGE", { limit, narrowBy: ["deviceId", "gatewayId"] });
    return items;
  }

  return new Hono<FrontEnv>()
    .get(
      `${PATH}/:deviceId`,
      call(
        "1.6.1",
        { needs: "query", query: z.object({ select }), response: DEVICE },
        ({ application, query, param }) => {
          const device = devices.get(application.id, param("deviceId"));
          return { status: 200, json: toResource(device, shadow.of(device.no), query.select === "imsi") };
        },
      ),
    )
    .get(
      PATH,
      call("1.6.2", { needs: "query", query: List, response: PAGE }, ({ application, query }) => {
        const { pageNo, pageSize, sort, select, startTime, endTime, ...filter } = query;
        if (pageNo === undefined && filter.gatewayId === undefined) throw new DomainError("PAGE_OR_GATEWAY_MISSING");
        const { fromMs: startMs, toMs: endMs } = periodOf(startTime, endTime);
        const page = pageNo ?? 0;
        const { items, total } = devices.list(application.id, { ...filter, startMs, endMs, sort, page, pageSize });
        const reported = shadow.ofMany(items.map(({ no }) => no));
        return {
          status: 200,
          json: {
            totalCount: total,
            pageNo: page,
            pageSize,
            devices: items.map((it) => toResource(it, reported.get(it.no) ?? [], select === "imsi")),
          },
        };
      }),
    )
    .get(
      "/iocm/app/data/v1.1.0/deviceCapabilities",
      call("1.6.5", { needs: "query", query: Capabilities, response: CAPABILITIES }, ({ application, query }) => {
        const found = devicesOf(application, query.deviceId, query.gatewayId);
        const productOf = ({ productNo }: Device) =>
          productNo === undefined ? undefined : products.compiled(productNo)?.product;
        return {
          status: 200,
          json: { deviceCapabilities: found.map((device) => toCapabilities(device.id, productOf(device))) },
        };
      }),
    );
}
