import { Hono } from "hono";
import { z } from "zod";
import type { DeviceService } from "../../capabilities/devices/device-service";
import type { ProductSelector } from "../../capabilities/products/product";
import { DomainError } from "../../platform/domain-error";
import type { FrontEnv } from "../http/request-env";
import { count, known } from "./answer-fields";
import type { Endpoints } from "./endpoint";
import { boolean, integer, judgedLater, MAX_INTEGER, optional, present, text } from "./fields";

const PATH_V1 = "/iocm/app/reg/v1.1.0/deviceCredentials";
const PATH_V2 = "/iocm/app/reg/v2.0.0/deviceCredentials";

const name = optional(text(256));
const RegisterByCode = z.object({
  // Left out, or without a model, when a productId is given: the document marks `model` as required, and the rest not.
  deviceInfo: optional(
    z.object({
      manufacturerId: name,
      manufacturerName: name,
      deviceType: name,
      model: name,
      protocolType: optional(z.enum(["CoAP", "LWM2M"])),
    }),
  ).default({}),
  endUserId: name,
  imsi: optional(text(64, 1)),
  isSecure: optional(boolean()),
  nodeId: text(256, 1),
  psk: optional(z.string().regex(/^[a-fA-F0-9]{8,32}$/, "must be 8 to 32 hexadecimal digits")),
  timeout: optional(integer(0, MAX_INTEGER)),
  verifyCode: judgedLater({ type: "string", minLength: 1, maxLength: 256 }),
  productId: name,
  deviceName: name,
});
const Register = z.object({
  deviceInfo: z.object({
    nodeId: text(256, 1),
    name,
    manufacturerId: name,
    manufacturerName: name,
    deviceType: name,
    model: name,
    protocolType: optional(z.enum(["MQTT"])),
  }),
  endUserId: name,
  organization: name,
  region: name,
  timezone: name,
  // May be left out, although only MQTT devices come this way.
  mqttConnect: optional(boolean().refine((value) => value, "must be true: this call registers MQTT devices")),
  productId: name,
  secret: optional(z.string().regex(/^[0-9a-fA-F]{20}$/, "must be 20 hexadecimal digits")),
});
const Refresh = z.object({
  nodeId: optional(text(256, 1)),
  timeout: optional(integer(0, MAX_INTEGER)),
  verifyCode: judgedLater({ type: "string", minLength: 1, maxLength: 256 }),
});

const deviceId = z.string();
const seconds = count().meta({ description: "Seconds; 0: without an end" });
const RESPONSES = {
  byCode: {
    status: 200,
    schema: z.object({ deviceId, psk: z.string(), timeout: seconds, verifyCode: z.string().optional() }),
  },
  byPassword: { status: 200, schema: z.object({ deviceId, psk: z.string(), secret: z.string() }) },
  refreshed: { status: 200, schema: z.object({ verifyCode: z.string().optional(), timeout: seconds }) },
  activation: {
    status: 200,
    schema: z.object({ deviceId, activated: z.boolean(), name: known(z.string()) }),
  },
} as const;

/** 1.5.1, 1.5.2, 1.5.3, 1.5.7. */
export function registrationRoutes(
  { call }: Endpoints,
  devices: Pick<DeviceService, "register" | "get" | "refreshCredentials">,
) {
  return new Hono<FrontEnv>()
    .post(
      PATH_V1,
      call(
        "1.5.1",
        { needs: "edit", body: RegisterByCode, response: RESPONSES.byCode },
        async ({ application, body }) => {
          const { nodeId, deviceName: name, endUserId: endUser, imsi, psk, isSecure, timeout: timeoutS } = body;
          const verifyCode = readVerifyCode(body.verifyCode);
          const made = await devices.register(application.id, {
            nodeId,
            product: selectorOf(body.productId, body.deviceInfo),
            credentials: { kind: "verifyCode", verifyCode, psk },
            info: present({ name, endUser, imsi }),
            isSecure,
            timeoutS,
          });
          return {
            status: 200,
            json: { deviceId: made.device.id, psk: made.psk, timeout: made.timeoutS, verifyCode: made.verifyCode },
          };
        },
      ),
    )
    .post(
      PATH_V2,
      call(
        "1.5.2",
        { needs: "edit", body: Register, response: RESPONSES.byPassword },
        async ({ application, body }) => {
          const { nodeId, name } = body.deviceInfo;
          const { endUserId: endUser, organization, region, timezone } = body;
          const { device, psk, secret } = await devices.register(application.id, {
            nodeId,
            product: selectorOf(body.productId, body.deviceInfo),
            credentials: { kind: "password", secret: body.secret },
            info: present({ name, endUser, organization, region, timezone }),
          });
          return { status: 200, json: { deviceId: device.id, psk, secret } };
        },
      ),
    )
    .put(
      `${PATH_V1}/:deviceId`,
      call(
        "1.5.3",
        { needs: "edit", body: Refresh, response: RESPONSES.refreshed },
        async ({ application, body, param }) => {
          const verifyCode = readVerifyCode(body.verifyCode);
          const { no } = devices.get(application.id, param("deviceId"));
          const refreshed = await devices.refreshCredentials(no, {
            nodeId: body.nodeId,
            timeoutS: body.timeout,
            verifyCode,
          });
          return { status: 200, json: { verifyCode: refreshed.verifyCode, timeout: refreshed.timeoutS } };
        },
      ),
    )
    .get(
      `${PATH_V1}/:deviceId`,
      call("1.5.7", { needs: "query", response: RESPONSES.activation }, ({ application, param }) => {
        const { id, activated, info } = devices.get(application.id, param("deviceId"));
        return { status: 200, json: { deviceId: id, activated, name: info.name ?? null } };
      }),
    );
}

const MODEL_FIELDS = ["manufacturerId", "manufacturerName", "deviceType", "model", "protocolType"] as const;
type ModelFields = { readonly [K in (typeof MODEL_FIELDS)[number]]?: string | undefined };

/** The productId, or all five fields of the model. */
function selectorOf(productId: string | undefined, model: ModelFields): ProductSelector {
  if (productId) return { productId };
  const { manufacturerId, manufacturerName, deviceType, model: modelName, protocolType } = model;
  if (manufacturerId && manufacturerName && deviceType && modelName && protocolType) {
    return { manufacturerId, manufacturerName, deviceType, model: modelName, protocolType };
  }
  const missing = MODEL_FIELDS.filter((field) => !model[field]).map((field) => `deviceInfo.${field}`);
  throw new DomainError("REQUIRED_MISSING", {
    issues: [
      { field: "productId", reason: `is required unless the whole model is given; missing: ${missing.join(", ")}` },
    ],
  });
}

const MAX_VERIFY_CODE = 256;

function readVerifyCode(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "" && value.length <= MAX_VERIFY_CODE && value.isWellFormed())
    return value;
  throw new DomainError("VERIFY_CODE_INVALID", { field: "verifyCode", reason: "is not a text of 1 to 256 characters" });
}
