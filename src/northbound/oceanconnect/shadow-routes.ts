import { Hono } from "hono";
import { z } from "zod";
import { type Device, NODE_TYPES } from "../../capabilities/devices/device";
import type { DesiredService, DesiredShadow } from "../../capabilities/shadow/desired";
import { renderUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { free, list, paged, time } from "./answer-fields";
import { NotifiedInfoResource, toNotifiedInfo } from "./device-info";
import type { Endpoints } from "./endpoint";
import { anyObject, integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";
import { type NamedDevicesPorts, namedDevices } from "./named-devices";
import { type NamedService, nameServices, type ReportedPorts } from "./reported-services";

/** As printed in the examples. */
export const ODD_SHADOW_PATH = "/iocm/app/shadow/v1.5.0/devices/devices/:deviceId";
const PATHS = ["/iocm/app/shadow/v1.5.0/devices/:deviceId", ODD_SHADOW_PATH] as const;
const Modify = z.object({
  serviceDesireds: z.array(z.object({ serviceId: text(256, 1), desired: anyObject() })).min(1),
});
const HistoryQuery = z.object({
  deviceId: optional(text(256)),
  gatewayId: optional(text(256)),
  serviceId: optional(text(256)),
  property: optional(text(256)),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 250)).default(25),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
});

export const ShadowResource = z.object({
  ...{ deviceId: z.string(), gatewayId: z.string(), nodeType: z.enum(NODE_TYPES) },
  ...{ createTime: time(), lastModifiedTime: time() },
  deviceInfo: NotifiedInfoResource,
  services: list(
    z.object({
      ...{ serviceId: z.string(), reportedProps: free(), desiredProps: free(), eventTime: time() },
      serviceType: z.string(),
    }),
  ),
});
const HISTORY = {
  status: 200,
  schema: z.object({
    ...paged,
    DeviceDesiredHistoryDTO: list(
      z.object({
        serviceId: z.string(),
        ...{ deviceId: z.string().optional(), gatewayId: z.string().optional(), appId: z.string() },
        ...{ desired: free(), timestamp: time() },
      }),
    ),
  }),
} as const;
const SHADOW = { status: 200, schema: ShadowResource } as const;
const MODIFIED = { status: 200, schema: z.object({}) } as const;

export type ShadowPorts = ReportedPorts & NamedDevicesPorts & { readonly desired: DesiredShadow };

/** 1.5.8, 1.5.9, 1.6.4. */
export function shadowRoutes({ call }: Endpoints, ports: ShadowPorts) {
  const { devices, products, shadow, desired } = ports;

  const modify = call(
    "1.5.8",
    { needs: "edit", body: Modify, response: MODIFIED },
    async ({ application, body, param }) => {
      await desired.want(devices.get(application.id, param("deviceId")), body.serviceDesireds);
      return { status: 200, json: {} };
    },
  );

  const query = call("1.5.9", { needs: "query", response: SHADOW }, ({ application, param }) => {
    const device = devices.get(application.id, param("deviceId"));
    return {
      status: 200,
      json: {
        deviceId: device.id,
        gatewayId: device.gatewayId,
        nodeType: device.nodeType,
        createTime: renderUtcTime(device.createdAt),
        lastModifiedTime: renderUtcTime(device.modifiedAt),
        deviceInfo: toNotifiedInfo(device),
        services: servicesOf(device),
      },
    };
  });

  /** Services of which something was reported, then those of which something is only desired, with the time of that. */
  function servicesOf(device: Device) {
    const wanted = new Map(desired.of(device.no).map((it) => [it.serviceId, it]));
    const reported = nameServices(device, shadow.of(device.no), products);
    const known = new Set(reported.map(({ serviceId }) => serviceId));
    const onlyWanted = [...wanted.values()].filter(({ serviceId }) => !known.has(serviceId));
    const unreported = nameServices(
      device,
      onlyWanted.map(({ serviceId, setAtMs }) => ({ serviceId, reported: {}, eventTimeMs: setAtMs, olderTimesMs: {} })),
      products,
    );
    return [...reported, ...unreported].map((it) => toService(it, wanted.get(it.serviceId)));
  }

  const history = call(
    "1.6.4",
    { needs: "query", query: HistoryQuery, response: HISTORY },
    ({ application, query: given }) => {
      const { pageNo, pageSize, startTime, endTime, serviceId, property, ...named } = given;
      const period = periodOf(startTime, endTime);
      const byNo = new Map(namedDevices(ports, application, named).map((device) => [device.no, device]));
      const deviceNos = [...byNo.keys()];
      const { items, total } = desired.history({ deviceNos, serviceId, property, ...period, page: pageNo, pageSize });
      return {
        status: 200,
        json: {
          totalCount: total,
          pageNo,
          pageSize,
          DeviceDesiredHistoryDTO: items.map((it) => ({
            serviceId: it.serviceId,
            deviceId: byNo.get(it.deviceNo)?.id,
            gatewayId: byNo.get(it.deviceNo)?.gatewayId,
            appId: application.id,
            desired: it.desired,
            timestamp: renderUtcTime(it.setAtMs),
          })),
        },
      };
    },
  );

  const routes = new Hono<FrontEnv>().get("/iocm/app/shadow/v1.5.0/deviceDesiredHistory", history);
  for (const path of PATHS) routes.get(path, query).put(path, modify);
  return routes;
}

const toService = (it: NamedService, wanted: DesiredService | undefined) => ({
  serviceId: it.serviceId,
  reportedProps: it.reported,
  desiredProps: Object.fromEntries(Object.entries(wanted?.properties ?? {}).map(([name, { value }]) => [name, value])),
  eventTime: it.eventTime,
  serviceType: it.serviceType,
});
