import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import type { PackageService, PackageUploads } from "../../capabilities/packages/package";
import type { PublicKeyService } from "../../capabilities/packages/public-key";
import type { ProductService } from "../../capabilities/products/product";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import {
  FILE_TYPES,
  KIND_OF,
  PackageResource,
  PublicKeyResource,
  toPackageResource,
  toPublicKeyResource,
} from "./package-resource";
import { PackageForm, uploadPackage } from "./package-upload";
import { fromZero, listOf, PageQuery, pageOf, pageQuery } from "./page";
import { done, json, pathParameter, problems, routes } from "./routes";

const MAX_PEM_BYTES = 16_384;
const NewKey = z
  .strictObject({
    manufacturerName: z.string().min(1).max(256).openapi({ description: "as in the product model" }),
    pem: z.string().min(1).max(MAX_PEM_BYTES).openapi({ description: "public.pem: ECDSA P-256 or RSA-3072" }),
  })
  .openapi("NewPublicKey");
const KeyForm = z.strictObject({
  manufacturerName: NewKey.shape.manufacturerName,
  pem: z
    .custom<string | File>((value) => typeof value === "string" || value instanceof File, "a file or text is needed")
    .openapi({ type: "string", description: "public.pem as a file, or its text" }),
});
/** As a form it may be a file. Throws INPUT_INVALID. */
async function pemOf(pem: string | File): Promise<string> {
  const length = typeof pem === "string" ? pem.length : pem.size;
  if (length === 0 || length > MAX_PEM_BYTES)
    throw new DomainError("INPUT_INVALID", {
      issues: [{ path: "pem", reason: `must have 1 to ${MAX_PEM_BYTES} bytes` }],
    });
  return typeof pem === "string" ? pem : pem.text();
}
const filter = z.string().min(1).max(256).optional();
const PackageQuery = z.strictObject({
  ...pageQuery,
  fileType: z.enum(FILE_TYPES).optional(),
  ...{
    name: filter,
    version: filter,
    deviceType: filter,
    manufacturerName: filter,
    model: filter,
    protocolType: filter,
  },
});
const PackagePath = z.object({ fileId: pathParameter("fileId", "package") });
const KeyPath = z.object({ ...AppPath.shape, manufacturerName: pathParameter("manufacturerName", "manufacturer") });

type Ports = {
  applications: Pick<ApplicationService, "get">;
  packages: Pick<PackageService, "get" | "list" | "remove">;
  packageUploads: PackageUploads;
  products: Pick<ProductService, "get">;
  publicKeys: PublicKeyService;
};

/** The largest bodies of all go to these paths only. */
export const isPackageUpload = (method: string, path: string) =>
  method === "POST" && /^\/manage\/v1\/apps\/[^/]+\/packages$/.test(path);

/** Upgrade packages and the keys they are checked with (console C-181 to C-183). */
export function packageRoutes({ applications, packages, packageUploads, products, publicKeys }: Ports) {
  const appOf = (appId: string) => applications.get(toAppId(appId));
  const group = routes();
  const upload = createRoute({
    method: "post",
    path: "/apps/{appId}/packages",
    operationId: "addPackage",
    tags: ["Upgrades"],
    summary: "Upload a signed firmware or software package",
    request: { params: AppPath, body: { required: true, content: { "multipart/form-data": { schema: PackageForm } } } },
    responses: { 201: json(PackageResource, "Stored"), ...problems(404, 409, 413, 415, 422, 503) },
  });
  group.openAPIRegistry.registerPath(upload);
  // Without a validator, which would hold the whole file in memory.
  group.post("/apps/:appId/packages", async (c) => {
    const { id } = appOf(c.req.param("appId"));
    c.env.setTimeLimit?.(0); // stalls have their own
    const stored = await uploadPackage(c.req.raw, id, packageUploads, products);
    c.header("connection", "close"); // it has no time limit any more
    return c.json(toPackageResource(stored), 201);
  });

  return group
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/packages",
        operationId: "listPackages",
        tags: ["Upgrades"],
        summary: "List the upgrade packages of an application, newest first",
        request: { params: AppPath, query: PackageQuery },
        responses: { 200: json(listOf("UpgradePackageList", PackageResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { no: appNo } = appOf(c.req.valid("param").appId);
        const { page, pageSize, fileType, ...equal } = c.req.valid("query");
        const kind = fileType && KIND_OF[fileType];
        const { items, total } = packages.list({ appNo, kind, ...equal }, fromZero({ page, pageSize }), pageSize);
        return c.json({ items: items.map(toPackageResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/packages/{fileId}",
        operationId: "getPackage",
        tags: ["Upgrades"],
        summary: "Get an upgrade package",
        request: { params: PackagePath },
        responses: { 200: json(PackageResource, "The package"), ...problems(404) },
      }),
      (c) => c.json(toPackageResource(packages.get(c.req.valid("param").fileId)), 200),
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/packages/{fileId}",
        operationId: "deletePackage",
        tags: ["Upgrades"],
        summary: "Delete an upgrade package that no unfinished upgrade uses",
        request: { params: PackagePath },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        await packages.remove(c.req.valid("param").fileId);
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/public-keys",
        operationId: "addPublicKey",
        tags: ["Upgrades"],
        summary: "Add a manufacturer's public key; replaces the one it had",
        request: {
          params: AppPath,
          body: { content: { "application/json": { schema: NewKey }, "multipart/form-data": { schema: KeyForm } } },
        },
        responses: { 201: json(PublicKeyResource, "Stored"), ...problems(404, 409, 413, 422) },
      }),
      async (c) => {
        const { id } = appOf(c.req.valid("param").appId);
        const form = c.req.valid("form"); // empty when the body is not of this kind
        const given = "pem" in form ? form : c.req.valid("json");
        if (!("pem" in given)) throw new DomainError("REQUIRED_MISSING", { reason: "a form or JSON is needed" });
        const { manufacturerName, pem } = given;
        return c.json(toPublicKeyResource(await publicKeys.put(id, manufacturerName, await pemOf(pem))), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/public-keys",
        operationId: "listPublicKeys",
        tags: ["Upgrades"],
        summary: "List the public keys of an application's manufacturers",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(listOf("PublicKeyList", PublicKeyResource), "A page"), ...problems(404) },
      }),
      (c) => {
        const { items, total } = pageOf(publicKeys.list(appOf(c.req.valid("param").appId).id), c.req.valid("query"));
        return c.json({ items: items.map(toPublicKeyResource), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/apps/{appId}/public-keys/{manufacturerName}",
        operationId: "deletePublicKey",
        tags: ["Upgrades"],
        summary: "Delete a manufacturer's public key; packages that are there stay",
        request: { params: KeyPath },
        responses: { 204: done, ...problems(404) },
      }),
      async (c) => {
        const { appId, manufacturerName } = c.req.valid("param");
        await publicKeys.remove(appOf(appId).id, manufacturerName);
        return c.body(null, 204);
      },
    );
}
