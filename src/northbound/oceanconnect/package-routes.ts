import { Hono } from "hono";
import { z } from "zod";
import {
  PACKAGE_ID_FORM,
  type PackageKind,
  type PackageService,
  type UpgradePackage,
} from "../../capabilities/packages/package";
import { DomainError } from "../../platform/domain-error";
import { renderUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { known, list, paged, time } from "./answer-fields";
import type { Call, Endpoints } from "./endpoint";
import { optional, text } from "./fields";
import { page, pageOf } from "./upgrade-page";

const PATH = "/iodm/northbound/v1.5.0/category";

export const FILE_TYPES = { firmwarePackage: "firmware", softwarePackage: "software" } as const satisfies Record<
  string,
  PackageKind
>;
const FILE_TYPE_OF = { firmware: "firmwarePackage", software: "softwarePackage" } as const;

const filter = optional(text(256));
const List = z.object({
  ...page,
  fileType: optional(z.enum(Object.keys(FILE_TYPES) as (keyof typeof FILE_TYPES)[])),
  deviceType: filter,
  model: filter,
  manufacturerName: filter,
  manufactureName: filter, // as the example of 1.12.1 spells it
  version: filter,
});

const CategoryInfo = z.object({
  ...{ fileId: z.string(), name: z.string(), version: z.string(), fileType: z.enum(Object.values(FILE_TYPE_OF)) },
  ...{ deviceType: z.string(), model: z.string(), manufacturerName: z.string(), protocolType: z.string() },
  ...{ description: known(z.string()), date: known(z.string()), uploadTime: time() },
});
const RESPONSES = {
  page: { status: 200, schema: z.object({ ...paged, data: list(CategoryInfo) }) },
  found: { status: 200, schema: CategoryInfo },
  done: { status: 200 },
} as const;

type Packages = Pick<PackageService, "find" | "list" | "remove">;

/** 1.12.1 to 1.12.3: the caller's own packages. They are uploaded through the management API. */
export function packageRoutes({ call }: Endpoints, packages: Packages) {
  return new Hono<FrontEnv>()
    .get(
      PATH,
      call("1.12.1", { needs: "own", query: List, response: RESPONSES.page }, ({ application, query }) => {
        const { pageNo, pageSize } = pageOf(query);
        const { items, total } = packages.list(
          {
            appNo: application.no,
            kind: query.fileType && FILE_TYPES[query.fileType],
            deviceType: query.deviceType,
            model: query.model,
            manufacturerName: query.manufacturerName ?? query.manufactureName,
            version: query.version,
          },
          pageNo,
          pageSize,
        );
        return { status: 200, json: { data: items.map(toCategory), pageNo, pageSize, totalCount: total } };
      }),
    )
    .get(
      `${PATH}/:fileId`,
      call("1.12.2", { needs: "own", response: RESPONSES.found }, (it) => ({
        status: 200,
        json: toCategory(ownPackage(packages, it)),
      })),
    )
    .delete(
      `${PATH}/:fileId`,
      call("1.12.3", { needs: "own", response: RESPONSES.done }, async (it) => {
        await packages.remove(ownPackage(packages, it).fileId);
        return { status: 200, json: undefined };
      }),
    );
}

/** Throws INPUT_INVALID for what can be no fileId, PACKAGE_NOT_FOUND also for another application's. */
function ownPackage(
  packages: Pick<PackageService, "find">,
  { application, param }: Pick<Call<unknown, unknown>, "application" | "param">,
): UpgradePackage {
  const fileId = param("fileId");
  if (!PACKAGE_ID_FORM.test(fileId))
    throw new DomainError("INPUT_INVALID", { issues: [{ field: "fileId", reason: "is not 32 hex digits" }] });
  const found = packages.find(fileId);
  if (found?.appNo !== application.no) throw new DomainError("PACKAGE_NOT_FOUND", { fileId });
  return found;
}

/** CategoryInfo, with its fields in the order of the table. */
const toCategory = (it: UpgradePackage) => ({
  fileId: it.fileId,
  name: it.name,
  version: it.version,
  fileType: FILE_TYPE_OF[it.kind],
  deviceType: it.deviceType,
  model: it.model,
  manufacturerName: it.manufacturerName,
  protocolType: it.protocolType,
  description: it.description ?? null,
  date: it.date ?? null,
  uploadTime: renderUtcTime(it.uploadedAt),
});
