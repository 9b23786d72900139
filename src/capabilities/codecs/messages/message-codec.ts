import type { Product } from "../../products/product";
import type { CloudReq, CloudRsp, Decoded, Encoded } from "../codec";
import { type FieldTrace, frameDecoder, hexOf } from "./decode-frames";
import type { MessageDefinition } from "./definition";
import { frameEncoder } from "./encode-frames";
import { hexBytes, hexDigits } from "./field-types";
import { type CommandFrame, framesOf, isUp } from "./frame";

export type MessageTrace<R> = {
  readonly message: string | undefined;
  readonly fields: readonly FieldTrace[];
  readonly result: R;
};
export type MessageCodec = {
  decode(payload: Uint8Array): Decoded;
  encode(message: CloudReq | CloudRsp): Encoded;
  readonly answersReports: boolean;
  traceDecode(payload: Uint8Array): MessageTrace<Decoded>;
  traceEncode(message: CloudReq | CloudRsp): MessageTrace<Encoded>;
};

/** Closures for messages that have passed `checkMessages` with this product (codec.md 3.7). */
export function compileMessages(
  messages: readonly MessageDefinition[],
  product: Product,
  limits: { readonly maxEncodedBytes: number },
): MessageCodec {
  const frames = framesOf(messages);
  const up = frameDecoder(frames.filter(isUp), product);
  const deliveries = frames.filter((frame): frame is CommandFrame => frame.kind === "delivery");
  const down = frameEncoder(deliveries, product, limits.maxEncodedBytes);
  const responses = new Map<string, Uint8Array>();
  for (const message of messages) {
    if (message.type !== "dataReport" || !message.response) continue;
    responses.set(message.name, hexBytes(hexDigits(message.response.default) ?? "") ?? new Uint8Array());
  }

  /** The bytes are the ones that were declared, whatever the error code. */
  function answer({ request }: CloudRsp): Encoded {
    const report = up.reportOf(request);
    const bytes = report && responses.get(report.name);
    return bytes ? { kind: "bytes", bytes } : { kind: "nothing" };
  }

  return {
    decode: up.decode,
    encode: (message) => (message.msgType === "cloudReq" ? down.encode(message) : answer(message)),
    answersReports: responses.size > 0,
    traceDecode: up.trace,
    traceEncode(message) {
      if (message.msgType === "cloudReq") return down.trace(message);
      const result = answer(message);
      const report = up.reportOf(message.request);
      const fields =
        result.kind === "bytes" ? [{ field: "response", offset: 0, bytes: hexOf(result.bytes), value: undefined }] : [];
      return { message: report?.name, fields, result };
    },
  };
}
