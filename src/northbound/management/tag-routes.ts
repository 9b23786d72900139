import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import type { KnownTag, Tags } from "../../capabilities/devices/tags";
import { AppPath, toAppId } from "./application-routes";
import { listOf, pageQuery } from "./page";
import { done, json, jsonBody, problems, routes } from "./routes";

const name = z.string().min(1).max(128);
const value = z.string().min(1).max(1_024);
const Definition = z.strictObject({ tagName: name, tagValue: value }).openapi("NewTag");
const KnownTagResource = z
  .object({
    tagName: z.string(),
    tagValue: z.string(),
    deviceCount: z.int().openapi({ description: "devices that carry it" }),
    defined: z.boolean().openapi({ description: "stays when no device carries it" }),
  })
  .openapi("KnownTag");
const TagQuery = z.strictObject({ ...pageQuery, tagName: name.optional(), tagValue: value.optional() });
const RemoveQuery = z.strictObject({ tagName: name, tagValue: value });

type Ports = { applications: Pick<ApplicationService, "get">; tags: Tags };

/** Tags are defined here and chosen at registration or for a device (console C-140); devices may carry others too. */
export function tagRoutes({ applications, tags }: Ports) {
  const appNoOf = (appId: string) => applications.get(toAppId(appId)).no;

  return routes()
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/tags",
        operationId: "listTags",
        tags: ["Tags"],
        summary: "List the tags that devices carry or that are defined",
        request: { params: AppPath, query: TagQuery },
        responses: { 200: json(listOf("KnownTagList", KnownTagResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const appNo = appNoOf(c.req.valid("param").appId);
        const { page, pageSize, tagName: name, tagValue: value } = c.req.valid("query");
        const { items, total } = tags.list(appNo, { name, value }, page - 1, pageSize);
        return c.json({ items: items.map(toResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/tags",
        operationId: "defineTag",
        tags: ["Tags"],
        summary: "Define a tag for devices to carry",
        request: { params: AppPath, body: jsonBody(Definition) },
        responses: { 201: json(KnownTagResource, "Defined"), ...problems(404) },
      }),
      async (c) => {
        const appNo = appNoOf(c.req.valid("param").appId);
        const { tagName, tagValue } = c.req.valid("json");
        return c.json(toResource(await tags.define(appNo, tagName, tagValue)), 201);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/apps/{appId}/tags",
        operationId: "removeTag",
        tags: ["Tags"],
        summary: "Remove a defined tag that no device carries",
        request: { params: AppPath, query: RemoveQuery },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        const appNo = appNoOf(c.req.valid("param").appId);
        const { tagName, tagValue } = c.req.valid("query");
        await tags.remove(appNo, tagName, tagValue);
        return c.body(null, 204);
      },
    );
}

const toResource = (tag: KnownTag) => ({
  tagName: tag.tagName,
  tagValue: tag.tagValue,
  deviceCount: tag.devices,
  defined: tag.defined,
});
