import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import { PACKAGE_KINDS } from "../../capabilities/packages/package";
import { SUB_TASK_STATUSES, TASK_STATUSES, type UpgradeService } from "../../capabilities/upgrades/upgrade";
import { AppPath, toAppId } from "./application-routes";
import { fromZero, listOf, pageQuery } from "./page";
import { done, json, jsonBody, pathParameter, problems, routes } from "./routes";
import {
  DryRunItemResource,
  NewUpgradeBody,
  SubTaskResource,
  toDryRunItemResource,
  toNewUpgrade,
  toSubTaskResource,
  toUpgradeResource,
  UpgradeResource,
} from "./upgrade-resource";

const MAX_DRY_RUN_ITEMS = 1_000;
const UpgradePath = z.object({ operationId: pathParameter("operationId", "upgrade") });
const name = z.string().min(1).max(256).optional();
const UpgradeQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(PACKAGE_KINDS).optional(),
  status: z.enum(TASK_STATUSES).optional(),
  ...{ deviceType: name, model: name, manufacturerName: name, deviceId: name },
});
const SubTaskQuery = z.strictObject({ ...pageQuery, status: z.enum(SUB_TASK_STATUSES).optional() });
const UpgradeList = listOf("UpgradeList", UpgradeResource);
const DryRun = z.object({ items: z.array(DryRunItemResource), total: z.int() }).openapi("UpgradeDryRun", {
  description: `up to ${MAX_DRY_RUN_ITEMS} devices of ${"`total`"}; of large groups it is an upper bound`,
});

/** What can be done with one: `path` behind its address. */
const ACTIONS = [
  ["stop", "stopUpgrade", "Stop an upgrade: what is unfinished ends; no device is called back from installing"],
  ["retry", "retryUpgrade", "Run again, from the beginning and with all its retries, what has failed or was stopped"],
  ["pause", "pauseUpgrade", "Start no further devices; those that have begun go on"],
  ["resume", "resumeUpgrade", "Go on with an upgrade that was paused, or paused itself; failures are counted anew"],
] as const;

type Ports = { applications: Pick<ApplicationService, "get">; upgrades: UpgradeService };

/** Upgrades over the air: what the vendor's API has (1.12.4 to 1.12.8), what its console has, and more (console C-173 to C-183). */
export function upgradeRoutes({ applications, upgrades }: Ports) {
  const appOf = (appId: string) => applications.get(toAppId(appId));
  const group = routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/upgrades",
        operationId: "createUpgrade",
        tags: ["Upgrades"],
        summary: "Upgrade the firmware or the software of devices",
        request: { params: AppPath, body: jsonBody(NewUpgradeBody) },
        responses: { 201: json(UpgradeResource, "Stored; it begins by itself"), ...problems(404, 409, 503) },
      }),
      async (c) => {
        const { no } = appOf(c.req.valid("param").appId);
        const input = toNewUpgrade(c.req.valid("json"), c.env.caller ?? "");
        return c.json(toUpgradeResource(await upgrades.create(no, input)), 201);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/upgrades/dry-run",
        operationId: "dryRunUpgrade",
        tags: ["Upgrades"],
        summary: "Tell which devices would be upgraded, and why the others would not; changes nothing",
        request: { params: AppPath, body: jsonBody(NewUpgradeBody) },
        responses: { 200: json(DryRun, "What would happen"), ...problems(404, 409) },
      }),
      (c) => {
        const { no } = appOf(c.req.valid("param").appId);
        const input = toNewUpgrade(c.req.valid("json"), c.env.caller ?? "");
        const { items, total } = upgrades.dryRun(no, input, MAX_DRY_RUN_ITEMS);
        return c.json({ items: items.map(toDryRunItemResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/upgrades",
        operationId: "listUpgradesOfApplication",
        tags: ["Upgrades"],
        summary: "List the upgrades of an application, newest first",
        request: { params: AppPath, query: UpgradeQuery },
        responses: { 200: json(UpgradeList, "A page"), ...problems(404) },
      }),
      (c) => {
        const { no: appNo } = appOf(c.req.valid("param").appId);
        const { page, pageSize, ...filter } = c.req.valid("query");
        const { items, total } = upgrades.list({ ...filter, appNo }, fromZero({ page, pageSize }), pageSize);
        return c.json({ items: items.map(toUpgradeResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/upgrades",
        operationId: "listUpgrades",
        tags: ["Upgrades"],
        summary: "List the upgrades of all applications, newest first",
        request: { query: UpgradeQuery },
        responses: { 200: json(UpgradeList, "A page"), ...problems() },
      }),
      (c) => {
        const { page, pageSize, ...filter } = c.req.valid("query");
        const { items, total } = upgrades.list(filter, fromZero({ page, pageSize }), pageSize);
        return c.json({ items: items.map(toUpgradeResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/upgrades/{operationId}",
        operationId: "getUpgrade",
        tags: ["Upgrades"],
        summary: "Get an upgrade",
        request: { params: UpgradePath },
        responses: { 200: json(UpgradeResource, "The upgrade"), ...problems(404) },
      }),
      (c) => c.json(toUpgradeResource(upgrades.get(c.req.valid("param").operationId)), 200),
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/upgrades/{operationId}/devices",
        operationId: "listUpgradeDevices",
        tags: ["Upgrades"],
        summary: "List the devices of an upgrade, and how far they are",
        request: { params: UpgradePath, query: SubTaskQuery },
        responses: { 200: json(listOf("UpgradeDeviceList", SubTaskResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const task = upgrades.get(c.req.valid("param").operationId);
        const { page, pageSize, status } = c.req.valid("query");
        const { items, total } = upgrades.subTasks(task, { status }, fromZero({ page, pageSize }), pageSize);
        return c.json({ items: items.map(toSubTaskResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/upgrades/{operationId}",
        operationId: "deleteUpgrade",
        tags: ["Upgrades"],
        summary: "Delete an upgrade that has ended; stop it first if it has not",
        request: { params: UpgradePath },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        await upgrades.delete(c.req.valid("param").operationId);
        return c.body(null, 204);
      },
    );
  for (const [action, operationId, summary] of ACTIONS)
    group.openapi(
      createRoute({
        ...{ method: "post", path: `/upgrades/{operationId}/${action}`, operationId, tags: ["Upgrades"], summary },
        request: { params: UpgradePath },
        responses: { 200: json(UpgradeResource, "The upgrade"), ...problems(404, 409) },
      }),
      async (c) => c.json(toUpgradeResource(await upgrades[action](c.req.valid("param").operationId)), 200),
    );
  return group;
}
