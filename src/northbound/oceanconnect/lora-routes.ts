import { Hono } from "hono";
import { z } from "zod";
import { JOIN_TYPES, type LoraGateway, type LoraNode, type LoraService } from "../../capabilities/lora/lora";
import type { FrontEnv } from "../http/request-env";
import { known } from "./answer-fields";
import type { Endpoints } from "./endpoint";
import { optional, text } from "./fields";

const GATEWAY = "/api/v3.0/devices/lora/gateway";
const NODE = "/api/v3.0/devices/lora/node";

const hex = (digits: number) =>
  z.string().regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`), `is not ${digits} hexadecimal digits`);
const EUI = hex(16);
/** An empty one is a missing one. */
const optionalHex = (digits: number) =>
  z.preprocess((value) => (value === "" || value === null ? undefined : value), hex(digits).optional());
const id = text(256, 1);

/** By its value it has been understood already (`ownerInBody`); one that is no text is refused with the rest. */
const ownerAppId = optional(text(256));

const RegisterGateway = z.object({
  ownerAppId,
  loraServerId: id,
  productId: id,
  gatewayEUI: EUI,
  name: id,
  gatewaySeq: optionalHex(32),
});
const RegisterNode = z.object({
  ownerAppId,
  loraServerId: id,
  productId: id,
  devEUI: EUI,
  name: id,
  authCode: optionalHex(32),
  appEUI: EUI,
  deviceClass: optional(text(64, 1)),
  joinType: optional(z.enum(JOIN_TYPES)),
  appSKey: optionalHex(32),
  devAddr: optionalHex(8),
  nwkSKey: optionalHex(32),
  appKey: optionalHex(32),
  description: optional(text(2_048)),
});

const word = known(z.string());
export const LoraGatewayResource = z.object({
  ...{ deviceId: z.string(), loraServerId: z.string(), productId: word, gatewayEUI: z.string(), name: z.string() },
  gatewaySeq: word,
});
export const LoraNodeResource = z.object({
  ...{ deviceId: z.string(), loraServerId: z.string(), productId: word, devEUI: z.string(), name: z.string() },
  ...{ authCode: word, appEUI: z.string(), deviceClass: z.string(), joinType: z.enum(JOIN_TYPES) },
  ...{ appSKey: word, devAddr: word, nwkSKey: word, appKey: word, description: word },
});

const owner = "ownerAppId";

/** 1.5.10 to 1.5.15. */
export function loraRoutes({ call }: Endpoints, lora: LoraService) {
  return new Hono<FrontEnv>()
    .post(
      GATEWAY,
      call(
        "1.5.10",
        {
          ...{ needs: "edit", body: RegisterGateway, owner, ownerInBody: true },
          response: { status: 201, schema: LoraGatewayResource },
        },
        async ({ application, body: { ownerAppId: _, ...input } }) => ({
          status: 201,
          json: toGateway(await lora.registerGateway(application.id, input)),
        }),
      ),
    )
    .post(
      NODE,
      call(
        "1.5.11",
        {
          ...{ needs: "edit", body: RegisterNode, owner, ownerInBody: true },
          response: { status: 201, schema: LoraNodeResource },
        },
        async ({ application, body: { ownerAppId: _, ...input } }) => ({
          status: 201,
          json: toNode(await lora.registerNode(application.id, input)),
        }),
      ),
    )
    .get(
      `${GATEWAY}/:deviceId`,
      call(
        "1.5.12",
        { needs: "query", owner, response: { status: 200, schema: LoraGatewayResource } },
        ({ application, param }) => ({
          status: 200,
          json: toGateway(lora.gateway(application.id, param("deviceId"))),
        }),
      ),
    )
    .delete(
      `${GATEWAY}/:deviceId`,
      call("1.5.13", { needs: "edit", owner, response: { status: 204 } }, async ({ application, param }) => {
        await lora.delete(application.id, "gateway", param("deviceId"));
        return undefined;
      }),
    )
    .get(
      `${NODE}/:deviceId`,
      call(
        "1.5.14",
        { needs: "query", owner, response: { status: 200, schema: LoraNodeResource } },
        ({ application, param }) => ({
          status: 200,
          json: toNode(lora.node(application.id, param("deviceId"))),
        }),
      ),
    )
    .delete(
      `${NODE}/:deviceId`,
      call("1.5.15", { needs: "edit", owner, response: { status: 204 } }, async ({ application, param }) => {
        await lora.delete(application.id, "node", param("deviceId"));
        return undefined;
      }),
    );
}

const toGateway = (it: LoraGateway) => ({
  deviceId: it.deviceId,
  loraServerId: it.loraServerId,
  productId: it.productId ?? null,
  gatewayEUI: it.gatewayEUI,
  name: it.name,
  gatewaySeq: it.gatewaySeq ?? null,
});

const toNode = (it: LoraNode) => ({
  deviceId: it.deviceId,
  loraServerId: it.loraServerId,
  productId: it.productId ?? null,
  devEUI: it.devEUI,
  name: it.name,
  authCode: it.authCode ?? null,
  appEUI: it.appEUI,
  deviceClass: it.deviceClass,
  joinType: it.joinType,
  appSKey: it.appSKey ?? null,
  devAddr: it.devAddr ?? null,
  nwkSKey: it.nwkSKey ?? null,
  appKey: it.appKey ?? null,
  description: it.description ?? null,
});
