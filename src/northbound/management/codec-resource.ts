import { z } from "@hono/zod-openapi";
import {
  type CloudReq,
  type CloudRsp,
  CODEC_FAILURES,
  type Decoded,
  type Encoded,
} from "../../capabilities/codecs/codec";
import type { StoredCodec } from "../../capabilities/codecs/codec-repository";
import type { TryInput, TryResult } from "../../capabilities/codecs/codec-service";
import { MessageDefinition } from "../../capabilities/codecs/messages/definition";
import { renderUtcTime } from "../../platform/utc-time";
import { Timestamp, toTimestamp } from "./routes";

const ScriptCodec = z
  .strictObject({
    kind: z.literal("script"),
    source: z.string().min(1).openapi({ description: "JavaScript with the functions decode and encode" }),
  })
  .openapi("ScriptCodec");
const MessagesCodec = z
  .strictObject({
    kind: z.literal("messages"),
    messages: z.array(MessageDefinition).openapi({ description: "declared field by field" }),
  })
  .openapi("MessagesCodec");
export const CodecDefinition = z.discriminatedUnion("kind", [ScriptCodec, MessagesCodec]);

const about = { revision: z.int(), createdAt: Timestamp, modifiedAt: Timestamp };
export const CodecResource = z
  .union([z.object({ ...ScriptCodec.shape, ...about }), z.object({ ...MessagesCodec.shape, ...about })])
  .openapi("Codec");

export function toCodecResource({ definition, revision, createdAt, modifiedAt }: StoredCodec) {
  const rest = { revision, createdAt: toTimestamp(createdAt), modifiedAt: toTimestamp(modifiedAt) };
  return definition.kind === "script"
    ? { ...definition, ...rest }
    : { kind: definition.kind, messages: [...definition.messages], ...rest };
}

const MAX_HEX = 2 * 64 * 1024;
const Hex = z
  .string()
  .max(MAX_HEX)
  .regex(/^(?:[0-9a-fA-F]{2})*$/, "is not hexadecimal, two digits a byte");
const flag = z.union([z.literal(0), z.literal(1)]).default(0);
const CloudReqInput = z
  .strictObject({
    msgType: z.literal("cloudReq"),
    serviceId: z.string().min(1).max(256),
    cmd: z.string().min(1).max(256),
    paras: z.record(z.string(), z.unknown()).default({}),
    mid: z.int().min(1).max(65_535).default(1),
    hasMore: flag,
  })
  .openapi("CloudReq", { description: "a command" });
const CloudRspInput = z
  .strictObject({
    msgType: z.literal("cloudRsp"),
    request: Hex.openapi({ description: "the report that is answered" }),
    errcode: flag,
    hasMore: flag,
  })
  .openapi("CloudRsp", { description: "the answer to a report" });
const codec = CodecDefinition.optional().openapi({ description: "tried in the place of the stored one, not stored" });
export const TryRequest = z
  .discriminatedUnion("direction", [
    z.strictObject({
      direction: z.literal("decode"),
      hex: Hex,
      topic: z.string().max(1_024).default(""),
      codec,
    }),
    z.strictObject({
      direction: z.literal("encode"),
      json: z.discriminatedUnion("msgType", [CloudReqInput, CloudRspInput]),
      codec,
    }),
  ])
  .openapi("CodecTry");

export function toTryInput(request: z.infer<typeof TryRequest>): TryInput {
  if (request.direction === "decode")
    return { direction: "decode", payload: Uint8Array.from(Buffer.from(request.hex, "hex")), topic: request.topic };
  return { direction: "encode", message: toMessage(request.json) };
}

function toMessage(json: z.infer<typeof CloudReqInput> | z.infer<typeof CloudRspInput>): CloudReq | CloudRsp {
  return json.msgType === "cloudReq" ? json : { ...json, request: Uint8Array.from(Buffer.from(json.request, "hex")) };
}

const Fault = z.object({
  reason: z.enum(CODEC_FAILURES),
  message: z.string(),
  line: z.int().optional(),
  column: z.int().optional(),
});
const Steps = z
  .union([
    z.object({
      kind: z.literal("messages"),
      message: z.string().optional().openapi({ description: "the message that was chosen" }),
      fields: z.array(
        z.object({
          field: z.string(),
          offset: z.int().openapi({ description: "in bytes" }),
          bytes: z.string().openapi({ description: "hexadecimal" }),
          value: z.unknown().optional().openapi({ description: "left out for the field that failed" }),
        }),
      ),
    }),
    z.object({
      kind: z.literal("script"),
      passed: z.unknown().openapi({ description: "what the function got" }),
      returned: z.string().optional().openapi({ description: "JSON of decode, bytes of encode in hexadecimal" }),
      thrown: Fault.optional(),
    }),
  ])
  .openapi("CodecSteps");
const Result = z
  .union([
    z.object({
      msgType: z.literal("deviceReq"),
      data: z.array(
        z.object({
          serviceId: z.string(),
          serviceData: z.record(z.string(), z.unknown()),
          eventTime: z.string().optional(),
        }),
      ),
      hasMore: z.int(),
    }),
    z.object({
      msgType: z.literal("deviceRsp"),
      mid: z.int(),
      errcode: z.int(),
      body: z.record(z.string(), z.unknown()).optional(),
      hasMore: z.int(),
    }),
    z.object({ hex: z.string().openapi({ description: "the bytes; empty when the codec has nothing to say" }) }),
    z.object({ failed: z.enum(CODEC_FAILURES), detail: z.string() }),
  ])
  .openapi("CodecResult");
export const TryResource = z
  .object({
    steps: Steps,
    result: Result,
    fitsModel: z.boolean().openapi({ description: "false also for a message that failed" }),
    misfits: z.array(z.object({ serviceId: z.string(), reason: z.string() })),
  })
  .openapi("CodecTryResult");

export function toTryResource({ steps, result, misfits }: TryResult): z.infer<typeof TryResource> {
  const fitsModel = result.kind !== "failed" && misfits.length === 0;
  return { steps: toSteps(steps), result: toResult(result), fitsModel, misfits: [...misfits] };
}

function toSteps(steps: TryResult["steps"]): z.infer<typeof Steps> {
  if (steps.kind === "messages") return { ...steps, fields: steps.fields.map((field) => ({ ...field })) };
  const { outcome, passed } = steps;
  if (outcome.kind === "returned") return { kind: "script", passed, returned: outcome.text };
  const { kind: _, ...thrown } = outcome;
  return { kind: "script", passed, thrown };
}

function toResult(result: Decoded | Encoded): z.infer<typeof Result> {
  switch (result.kind) {
    case "reports":
      return {
        msgType: "deviceReq",
        data: result.reports.map(({ serviceId, data, eventTimeMs }) => ({
          ...{ serviceId, serviceData: data },
          ...(eventTimeMs !== undefined && { eventTime: renderUtcTime(eventTimeMs) }),
        })),
        hasMore: Number(result.hasMore),
      };
    case "answer": {
      const { mid, errcode, body, hasMore } = result;
      return { msgType: "deviceRsp", mid, errcode, ...(body && { body }), hasMore: Number(hasMore) };
    }
    case "bytes":
      return { hex: Buffer.from(result.bytes).toString("hex").toUpperCase() };
    case "nothing":
      return { hex: "" };
    case "failed":
      return { failed: result.reason, detail: result.detail };
    default:
      return result satisfies never;
  }
}
