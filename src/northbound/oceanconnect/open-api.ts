import type { Hono } from "hono";
import { type ZodType, z } from "zod";
import type { OpenApiPart } from "../http/join-open-api";
import type { FrontEnv } from "../http/request-env";
import { BatchSubtaskResource, BatchTaskResource } from "./batch-resource";
import { DeviceCapabilityResource } from "./capability-resource";
import { CancelTaskResource } from "./command-cancel-routes";
import { CommandResource } from "./command-resource";
import { DeviceInfoResource, NotifiedInfoResource } from "./device-info";
import { DeviceResource } from "./device-query-routes";
import type { Declaration, DeclaredHandler } from "./endpoint";
import { GroupResource } from "./group-routes";
import { AccessTokenResource } from "./login-routes";
import { LoraGatewayResource, LoraNodeResource } from "./lora-routes";
import { errorsOf, toErrorResponse } from "./open-api-errors";
import { OPERATIONS, TAGS } from "./operations";
import { ShadowResource } from "./shadow-routes";
import { SubscriptionResource } from "./subscription-routes";

type Json = Record<string, unknown>;
type Route = { readonly method: string; readonly path: string; readonly declaration: Declaration };

/** What several answers share, and is worth a name; everything else is called after its operation. */
const RESOURCES = {
  ...{
    AccessToken: AccessTokenResource,
    Device: DeviceResource,
    DeviceInfo: DeviceInfoResource,
    ShadowDeviceInfo: NotifiedInfoResource,
  },
  ...{ DeviceShadow: ShadowResource, DeviceCapability: DeviceCapabilityResource, DeviceCommand: CommandResource },
  ...{ CommandCancelTask: CancelTaskResource, Subscription: SubscriptionResource, DeviceGroup: GroupResource },
  ...{ BatchTask: BatchTaskResource, BatchSubtask: BatchSubtaskResource },
  ...{ LoraGateway: LoraGatewayResource, LoraNode: LoraNodeResource },
} satisfies Record<string, ZodType>;
const PREFIX = "Vendor"; // the management API has names of its own

const ERROR = {
  type: "object",
  properties: {
    error_code: { type: "string" },
    error_desc: { type: "string" },
    error_detail: { type: "object", description: "Not the vendor's: what is wrong, and where. For people" },
  },
  required: ["error_code", "error_desc"],
};

/**
 * The application API as a part of an OpenAPI 3.1 document, made from what its routes declare.
 * Throws an Error for a route that declares nothing.
 */
export function oceanConnectOpenApi(app: Hono<FrontEnv>): OpenApiPart {
  const routes = app.routes.filter(({ method }) => method !== "ALL").map(toRoute);
  const { schemas, refTo } = namedSchemas(routes);
  const paths: Record<string, Json> = {};
  const seen = new Set<string>();
  for (const route of routes) {
    const { id } = OPERATIONS[route.declaration.section];
    const operation = toOperation(route, refTo);
    // The same endpoint under another path: as an example of the document prints it.
    const again = seen.has(id) ? { operationId: `${id}Alias`, deprecated: true } : {};
    seen.add(id);
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: { ...operation, ...again } };
  }
  return {
    tags: Object.values(TAGS).map((name) => ({ name, description: "The vendor's application API" })),
    paths,
    components: {
      schemas: { ...schemas, [`${PREFIX}Error`]: ERROR },
      securitySchemes: {
        applicationToken: {
          type: "http",
          scheme: "bearer",
          description: "The accessToken of POST /iocm/app/sec/v1.1.0/login",
        },
      },
    },
  };
}

function toRoute({ method, path, handler }: { method: string; path: string; handler: unknown }): Route {
  const { declaration } = handler as Partial<DeclaredHandler>;
  if (!declaration) throw new Error(`${method} ${path} declares nothing: its handler is not made by call() or open()`);
  return { method, path, declaration };
}

type Named = { readonly schemas: Record<string, Json>; readonly refTo: (schema: ZodType) => Json };

/** Bodies, answers and RESOURCES as components. */
function namedSchemas(routes: readonly Route[]): Named {
  const registry = z.registry<{ id: string }>();
  const name = (schema: ZodType | undefined, id: string) => {
    if (schema && !registry.has(schema)) registry.add(schema, { id: PREFIX + id });
  };
  for (const [id, schema] of Object.entries(RESOURCES)) name(schema, id);
  for (const { declaration } of routes) {
    const { id } = OPERATIONS[declaration.section];
    const title = `${id[0]?.toUpperCase()}${id.slice(1)}`;
    name(declaration.body, `${title}Request`);
    name(declaration.response.schema, `${title}Answer`);
  }
  const uri = (id: string) => `#/components/schemas/${id}`;
  const { schemas } = z.toJSONSchema(registry, { ...SCHEMA_OPTIONS, uri });
  return {
    schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, bare(schema)])),
    refTo: (schema) => ({ $ref: uri(registry.get(schema)?.id ?? "") }),
  };
}

const SCHEMA_OPTIONS = {
  io: "input",
  unrepresentable: "any",
  override({ zodSchema, jsonSchema }) {
    const { def } = zodSchema._zod;
    if (def.type === "default") jsonSchema.default = def.defaultValue as never;
    delete jsonSchema.readOnly; // said of arrays that the code does not change
    delete jsonSchema.propertyNames;
    if (jsonSchema.minLength === 0) delete jsonSchema.minLength;
  },
} satisfies Parameters<typeof z.toJSONSchema>[1];

const bare = ({ $schema: _, $id: __, "~standard": ___, ...schema }: Json): Json => schema;

function toOperation({ path, declaration }: Route, refTo: Named["refTo"]): Json {
  const { section, open, body } = declaration;
  const { id, summary, note } = OPERATIONS[section];
  const chapter = section.slice(0, section.lastIndexOf(".")) as keyof typeof TAGS;
  const content = { schema: body && refTo(body) };
  const types = ["application/json", ...(open ? ["application/x-www-form-urlencoded"] : [])];
  return {
    operationId: id,
    tags: [TAGS[chapter]],
    summary,
    description: `Section ${section}.${note === undefined ? "" : ` ${note}`}`,
    security: open ? [] : [{ applicationToken: [] }],
    parameters: [
      ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
        ...{ name, in: "path", required: true, schema: { type: "string" } },
      })),
      ...(open ? [] : [APP_KEY]),
      ...queryOf(declaration),
    ],
    ...(body && { requestBody: { required: true, content: Object.fromEntries(types.map((type) => [type, content])) } }),
    responses: responsesOf(declaration, refTo),
  };
}

// The token is a security scheme: OpenAPI has no other place for the header Authorization.
const APP_KEY = {
  ...{ name: "app_key", in: "header", required: true, schema: { type: "string" } },
  description: "Id of the calling application",
};

function queryOf({ query, owners, needs }: Declaration): Json[] {
  const named = owners.map((name) => ({
    ...{ name, in: "query", schema: { type: "string" } },
    description: `The application whose resources are meant, when it has authorised the caller to ${needs} them`,
  }));
  const own = Object.entries(query?.shape ?? {}).map(([name, field]) => {
    const { description, ...schema } = bare(z.toJSONSchema(field as ZodType, SCHEMA_OPTIONS) as Json);
    const required = !(field as ZodType).safeParse(undefined).success;
    return {
      name,
      in: "query",
      ...(required && { required }),
      ...(description !== undefined && { description }),
      schema,
    };
  });
  return [...named, ...own];
}

function responsesOf(declaration: Declaration, refTo: Named["refTo"]): Json {
  const { status, schema } = declaration.response;
  const text = schema ? "Done" : "Done, without a body";
  const answer = schema && refTo(schema);
  const responses: Record<number, Json> = {
    [status]: { description: text, ...(answer && { content: { "application/json": { schema: answer } } }) },
  };
  for (const [errorStatus, rows] of errorsOf(declaration))
    responses[errorStatus] = toErrorResponse(rows, errorStatus === status ? { schema: answer, text } : undefined);
  return responses;
}
