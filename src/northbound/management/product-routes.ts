import { createRoute, z } from "@hono/zod-openapi";
import type { ApplicationService } from "../../capabilities/applications/application";
import type { ProductId, ProductService } from "../../capabilities/products/product";
import { DomainError } from "../../platform/domain-error";
import { AppPath, toAppId } from "./application-routes";
import { given } from "./given";
import { fromZero, listOf, PageQuery } from "./page";
import {
  ProductResource,
  ProductSummary,
  TopicResource,
  toProductResource,
  toProductSummary,
} from "./product-resource";
import { done, json, jsonBody, pathParameter, problems, routes } from "./routes";

const ProfileUpload = z.strictObject({
  file: z
    .custom<File>((value) => value instanceof File, "a file is needed")
    .openapi({ type: "string", format: "binary", description: "the profile ZIP; its name counts" }),
});
// What is inside is checked, with better words, by the import.
const present = z.unknown().refine((value) => value !== undefined, "is required");
const ProfileJson = z
  .strictObject({
    devicetype: present.openapi({ description: "content of devicetype-capability.json" }),
    servicetypes: present.openapi({ description: "list of the contents of the servicetype-capability.json files" }),
    name: z.string().trim().min(1).max(256).optional(),
  })
  .openapi("ProfileJson");
const ProductPatch = z
  .strictObject({
    omCapability: z.record(z.string(), z.unknown()).nullable().optional(),
    topics: z.array(TopicResource).optional().openapi({ description: "replaces all of them" }),
  })
  .refine((patch) => (patch.omCapability === undefined) !== (patch.topics === undefined), {
    message: "give one of omCapability and topics",
  })
  .openapi("ProductPatch", { description: "one of the two in a call" });

export const ProductPath = z.object({ productId: pathParameter("productId", "product") });
export const toProductId = (productId: string) => productId as ProductId; // a look-up tells whether it is one

type Ports = {
  applications: Pick<ApplicationService, "get">;
  products: Pick<
    ProductService,
    "importZip" | "importJson" | "list" | "get" | "setOmCapability" | "setTopics" | "delete"
  >;
};

export function productRoutes({ applications, products }: Ports) {
  return routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/apps/{appId}/products",
        operationId: "importProduct",
        tags: ["Products"],
        summary: "Import a product model: a profile ZIP, or its files as JSON",
        request: {
          params: AppPath,
          body: {
            content: { "multipart/form-data": { schema: ProfileUpload }, "application/json": { schema: ProfileJson } },
          },
        },
        responses: { 201: json(ProductResource, "Imported"), ...problems(404, 409, 413, 415, 422) },
      }),
      async (c) => {
        const { id: appId } = applications.get(toAppId(c.req.valid("param").appId));
        const form = c.req.valid("form"); // empty when the body is not of this kind
        if ("file" in form) {
          const bytes = new Uint8Array(await form.file.arrayBuffer());
          return c.json(toProductResource(await products.importZip(appId, form.file.name, bytes)), 201);
        }
        const profile = c.req.valid("json");
        if (!("devicetype" in profile))
          throw new DomainError("REQUIRED_MISSING", { reason: "a ZIP or JSON is needed" });
        const { devicetype, servicetypes, ...name } = profile;
        const product = await products.importJson(appId, { devicetype, servicetypes, ...given(name) });
        return c.json(toProductResource(product), 201);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/apps/{appId}/products",
        operationId: "listProducts",
        tags: ["Products"],
        summary: "List the products of an application",
        request: { params: AppPath, query: PageQuery },
        responses: { 200: json(listOf("ProductList", ProductSummary), "A page"), ...problems(404) },
      }),
      (c) => {
        const { id: appId } = applications.get(toAppId(c.req.valid("param").appId));
        const query = c.req.valid("query");
        const { items, total } = products.list(appId, fromZero(query), query.pageSize);
        return c.json({ items: items.map(toProductSummary), total }, 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/products/{productId}",
        operationId: "getProduct",
        tags: ["Products"],
        summary: "Get a product with its model",
        request: { params: ProductPath },
        responses: { 200: json(ProductResource, "The product"), ...problems(404) },
      }),
      (c) => c.json(toProductResource(products.get(toProductId(c.req.valid("param").productId))), 200),
    )
    .openapi(
      createRoute({
        method: "patch",
        path: "/products/{productId}",
        operationId: "changeProduct",
        tags: ["Products"],
        summary: "Change the maintenance capabilities or the custom topics; the model itself is fixed",
        request: { params: ProductPath, body: jsonBody(ProductPatch) },
        responses: { 200: json(ProductResource, "The changed product"), ...problems(404, 422) },
      }),
      async (c) => {
        const id = toProductId(c.req.valid("param").productId);
        const { omCapability, topics } = c.req.valid("json");
        const changed = topics ? products.setTopics(id, topics.map(given)) : products.setOmCapability(id, omCapability);
        return c.json(toProductResource(await changed), 200);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/products/{productId}",
        operationId: "deleteProduct",
        tags: ["Products"],
        summary: "Delete a product that no device is registered with",
        request: { params: ProductPath },
        responses: { 204: done, ...problems(404, 409) },
      }),
      async (c) => {
        await products.delete(toProductId(c.req.valid("param").productId));
        return c.body(null, 204);
      },
    );
}
