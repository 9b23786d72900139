import { createRoute } from "@hono/zod-openapi";
import type { CodecService } from "../../capabilities/codecs/codec-service";
import {
  CodecDefinition,
  CodecResource,
  TryRequest,
  TryResource,
  toCodecResource,
  toTryInput,
  toTryResource,
} from "./codec-resource";
import { ProductPath, toProductId } from "./product-routes";
import { done, json, jsonBody, problems, routes } from "./routes";

/** The codec of a product: what turns binary payloads into messages and back. */
export const codecRoutes = ({ codecs }: { codecs: CodecService }) =>
  routes()
    .openapi(
      createRoute({
        method: "put",
        path: "/products/{productId}/codec",
        operationId: "setCodec",
        tags: ["Products"],
        summary: "Set or replace the codec for binary payloads, as a script or as messages",
        request: { params: ProductPath, body: jsonBody(CodecDefinition) },
        responses: { 200: json(CodecResource, "Checked and in use"), ...problems(404, 413, 422, 503) },
      }),
      async (c) => {
        const id = toProductId(c.req.valid("param").productId);
        return c.json(toCodecResource(await codecs.set(id, c.req.valid("json"))), 200);
      },
    )
    .openapi(
      createRoute({
        method: "get",
        path: "/products/{productId}/codec",
        operationId: "getCodec",
        tags: ["Products"],
        summary: "Get the codec as it was set",
        request: { params: ProductPath },
        responses: { 200: json(CodecResource, "The codec"), ...problems(404) },
      }),
      (c) => c.json(toCodecResource(codecs.get(toProductId(c.req.valid("param").productId))), 200),
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/products/{productId}/codec",
        operationId: "deleteCodec",
        tags: ["Products"],
        summary: "Delete the codec; binary payloads are refused from then on",
        request: { params: ProductPath },
        responses: { 204: done, ...problems(404) },
      }),
      async (c) => {
        await codecs.remove(toProductId(c.req.valid("param").productId));
        return c.body(null, 204);
      },
    )
    .openapi(
      createRoute({
        method: "post",
        path: "/products/{productId}/codec/try",
        operationId: "tryCodec",
        tags: ["Products"],
        summary: "Run one message through the codec, or through one that is not stored, and see the steps",
        request: { params: ProductPath, body: jsonBody(TryRequest) },
        responses: {
          200: json(TryResource, "What became of it, also when it failed"),
          ...problems(404, 413, 422, 503),
        },
      }),
      async (c) => {
        const request = c.req.valid("json");
        const id = toProductId(c.req.valid("param").productId);
        return c.json(toTryResource(await codecs.tryOut(id, toTryInput(request), request.codec)), 200);
      },
    );
