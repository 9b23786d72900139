import { createRoute } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import { problems, routes } from "./routes";

const LATER = [
  { path: "/apps/{appId}/public-keys", operationId: "addPublicKey", summary: "Add a manufacturer's public key" },
  { path: "/apps/{appId}/packages", operationId: "addPackage", summary: "Upload a firmware or software package" },
] as const;

/** What belongs to upgrades: refused in so many words, so that nobody looks for a misspelt path. */
export function laterRoutes({ applications }: { applications: Pick<ApplicationService, "get"> }) {
  const group = routes();
  for (const { path, operationId, summary } of LATER) {
    group.openapi(
      createRoute({
        ...{ method: "post", path, operationId, tags: ["Upgrades"] },
        summary: `${summary} (refused: not part of this version)`,
        request: { params: AppPath },
        responses: problems(404, 501),
      }),
      (c) => {
        applications.get(toAppId(c.req.valid("param").appId));
        throw new DomainError("NOT_AVAILABLE", { reason: "upgrades come with a later version" });
      },
    );
  }
  return group;
}
