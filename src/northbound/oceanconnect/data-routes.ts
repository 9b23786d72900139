import { Hono } from "hono";
import { z } from "zod";
import type { History } from "../../capabilities/telemetry/history";
import { renderUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { free, list, paged, time } from "./answer-fields";
import type { Endpoints } from "./endpoint";
import { integer, MAX_INTEGER, optional, periodOf, text, utcTime } from "./fields";
import { type NamedDevicesPorts, namedDevices } from "./named-devices";

const HistoryQuery = z.object({
  deviceId: optional(text(256)),
  gatewayId: optional(text(256)),
  pageNo: optional(integer(0, MAX_INTEGER)).default(0),
  pageSize: optional(integer(1, 2_000)).default(1),
  startTime: optional(utcTime()),
  endTime: optional(utcTime()),
});

const PAGE = {
  status: 200,
  schema: z.object({
    ...paged,
    deviceDataHistoryDTOs: list(
      z.object({
        serviceId: z.string(),
        ...{ deviceId: z.string().optional(), gatewayId: z.string().optional(), appId: z.string() },
        data: free(),
        timestamp: time(),
      }),
    ),
  }),
} as const;

export type DataPorts = NamedDevicesPorts & { readonly history: Pick<History, "page"> };

/** 1.6.3. */
export function dataRoutes({ call }: Endpoints, ports: DataPorts) {
  return new Hono<FrontEnv>().get(
    "/iocm/app/data/v1.2.0/deviceDataHistory",
    call("1.6.3", { needs: "query", query: HistoryQuery, response: PAGE }, async ({ application, query }) => {
      const { pageNo, pageSize, startTime, endTime, ...named } = query;
      const period = periodOf(startTime, endTime);
      const found = namedDevices(ports, application, named);
      const byNo = new Map(found.map((device) => [device.no, device]));
      const { items, total } = await ports.history.page({
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
            appId: application.id,
            data,
            timestamp: renderUtcTime(timestampMs),
          })),
        },
      };
    }),
  );
}
