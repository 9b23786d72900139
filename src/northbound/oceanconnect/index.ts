import { Hono } from "hono";
import type { AccessTokens, ApplicationService } from "../../capabilities/applications/application";
import type { ApplicationGrants } from "../../capabilities/applications/application-grants";
import type { BatchService } from "../../capabilities/batch/task";
import type { CommandService } from "../../capabilities/commands/command";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { GroupService } from "../../capabilities/groups/group";
import type { LoraService } from "../../capabilities/lora/lora";
import type { PackageService } from "../../capabilities/packages/package";
import type { ProductService } from "../../capabilities/products/product";
import type { DesiredShadow } from "../../capabilities/shadow/desired";
import type { ReportedShadow } from "../../capabilities/shadow/reported-shadow";
import type { SubscriptionService } from "../../capabilities/subscriptions/subscription";
import type { History } from "../../capabilities/telemetry/history";
import type { UpgradeService } from "../../capabilities/upgrades/upgrade";
import { DomainError } from "../../platform/domain-error";
import type { Mount } from "../http/http-front";
import { BODY_LIMITS, type BodyLimits } from "../http/json-body";
import { quickRouter } from "../http/quick-router";
import type { FrontEnv } from "../http/request-env";
import { batchRoutes } from "./batch-routes";
import { commandCancelRoutes } from "./command-cancel-routes";
import { commandRoutes } from "./command-routes";
import { dataRoutes } from "./data-routes";
import { deviceQueryRoutes } from "./device-query-routes";
import { deviceRoutes } from "./device-routes";
import { endpoints, errorBody } from "./endpoint";
import { groupRoutes } from "./group-routes";
import { loginRoutes } from "./login-routes";
import { loraRoutes } from "./lora-routes";
import { packageRoutes } from "./package-routes";
import { registrationRoutes } from "./registration-routes";
import { ODD_SHADOW_PATH, shadowRoutes } from "./shadow-routes";
import { subscriptionRoutes } from "./subscription-routes";
import { upgradeRoutes } from "./upgrade-routes";

export { notificationRenderer } from "./notifications";
export { oceanConnectOpenApi } from "./open-api";

export type OceanConnectSettings = {
  readonly body: BodyLimits;
  /** 1.6.5 answers for so many devices at once, and asks for a narrower query beyond. */
  readonly maxCapabilityDevices: number;
  /** 1.6.3 and 1.6.4 by gatewayId look through so many devices, and ask for a narrower query beyond. */
  readonly maxHistoryDevices: number;
};
export const OCEANCONNECT_DEFAULTS: OceanConnectSettings = {
  body: BODY_LIMITS,
  maxCapabilityDevices: 1_000,
  maxHistoryDevices: 10_000,
};

export type OceanConnectPorts = {
  readonly tokens: AccessTokens;
  readonly applications: Pick<ApplicationService, "find">;
  readonly grants: Pick<ApplicationGrants, "accessOf">;
  readonly products: Pick<ProductService, "compiled">;
  readonly devices: DeviceService;
  readonly groups: GroupService;
  readonly subscriptions: SubscriptionService;
  readonly commands: Pick<
    CommandService,
    "send" | "create" | "query" | "cancel" | "createCancelTask" | "queryCancelTasks"
  >;
  readonly batch: Pick<BatchService, "createCommands" | "get" | "spec" | "items">;
  readonly history: Pick<History, "page">;
  readonly shadow: ReportedShadow;
  readonly desired: DesiredShadow;
  readonly lora: LoraService;
  readonly packages: Pick<PackageService, "find" | "list" | "remove">;
  readonly upgrades: Pick<UpgradeService, "create" | "get" | "list" | "subTasks">;
  readonly settings?: OceanConnectSettings;
};

/** The vendor's application API (reference v12): everything below `/iocm`, `/iodm` and `/api`. */
export function oceanConnect({ settings = OCEANCONNECT_DEFAULTS, ...ports }: OceanConnectPorts): Hono<FrontEnv> {
  const { tokens, applications, grants, devices, groups, subscriptions, commands } = ports;
  const bodyLimits = settings.body;
  const calls = endpoints({ tokens, applications, grants, bodyLimits });
  const app = new Hono<FrontEnv>({ router: quickRouter((path) => path === ODD_SHADOW_PATH) })
    .route("/", loginRoutes(calls, tokens))
    .route("/", registrationRoutes(calls, devices))
    .route("/", deviceRoutes(calls, devices))
    .route("/", loraRoutes(calls, ports.lora))
    .route("/", deviceQueryRoutes(calls, { ...ports, ...settings }))
    .route("/", dataRoutes(calls, { ...ports, ...settings }))
    .route("/", shadowRoutes(calls, { ...ports, ...settings }))
    .route("/", subscriptionRoutes(calls, subscriptions))
    .route("/", commandRoutes(calls, commands))
    .route("/", commandCancelRoutes(calls, commands))
    .route("/", batchRoutes(calls, ports.batch))
    .route("/", groupRoutes(calls, groups))
    .route("/", packageRoutes(calls, ports.packages))
    .route("/", upgradeRoutes(calls, ports.upgrades));
  return refuseTheRest(app, calls);
}

/**
 * A known path with another method, and every unknown path, are answered in the dialect's form too. Not by further
 * routes: a path with one handler is what the framework answers quickest.
 */
function refuseTheRest(app: Hono<FrontEnv>, { refuse }: ReturnType<typeof endpoints>): Hono<FrontEnv> {
  const methods = [...new Set(app.routes.map(({ method }) => method))];
  const unknown = refuse(({ url }) => new DomainError("NOT_FOUND", { path: new URL(url).pathname.slice(0, 200) }));
  return app.notFound((c) => {
    const path = app.getPath(c.req.raw);
    const allowed = methods.filter((method) => app.router.match(method, path)[0].length > 0).join(", ");
    if (allowed === "") return unknown(c);
    const response = refuse(() => new DomainError("METHOD_NOT_ALLOWED", { allowed }))(c);
    response.headers.set("Allow", allowed);
    return response;
  });
}

/** For the HTTP front. */
export function oceanConnectMount(app: Hono<FrontEnv>): Mount {
  return {
    name: "oceanconnect",
    prefixes: ["iocm", "iodm", "api"],
    fetch: (request, env) => app.fetch(request, env),
    fail: (error) => {
      const { status, body } = errorBody("none", error, "ownApp");
      return new Response(body, { status, headers: { "Content-Type": "application/json; charset=UTF-8" } });
    },
  };
}
