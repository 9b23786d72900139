import type { CompiledProduct } from "../products/product";
import type { Decoded, Encoded } from "./codec";
import type { TryInput, TryResult, TrySteps } from "./codec-service";
import type { MessageCodec } from "./messages/message-codec";
import type { ScriptCodec } from "./script/script-codec";

export type LoadedCodec =
  | { readonly kind: "messages"; readonly codec: MessageCodec }
  | { readonly kind: "script"; readonly codec: ScriptCodec };

/** One message through a codec, with every step, and whether the product model takes what came out (or went in). */
export async function tryCodec(
  loaded: LoadedCodec,
  input: TryInput,
  product: CompiledProduct | undefined,
): Promise<TryResult> {
  const { steps, result } = await (loaded.kind === "messages" ? runMessages(loaded, input) : runScript(loaded, input));
  return { steps, result, misfits: product && !product.passThrough ? misfitsOf(product, input, result) : [] };
}

type Run = { steps: TrySteps; result: Decoded | Encoded };

function runMessages({ codec }: Extract<LoadedCodec, { kind: "messages" }>, input: TryInput): Run {
  const { result, ...steps } =
    input.direction === "decode" ? codec.traceDecode(input.payload) : codec.traceEncode(input.message);
  return { steps: { kind: "messages", ...steps }, result };
}

async function runScript({ codec }: Extract<LoadedCodec, { kind: "script" }>, input: TryInput): Promise<Run> {
  const { result, ...steps } = await (input.direction === "decode"
    ? codec.traceDecode(input.payload, input.topic)
    : codec.traceEncode(input.message));
  return { steps: { kind: "script", ...steps }, result };
}

function misfitsOf({ services }: CompiledProduct, input: TryInput, result: Decoded | Encoded): TryResult["misfits"] {
  if (input.direction === "encode") {
    const { message } = input;
    if (message.msgType !== "cloudReq") return [];
    const { serviceId, cmd, paras } = message;
    const service = services.get(serviceId);
    if (!service) return [{ serviceId, reason: "is not in the product model" }];
    const command = service.commands.get(cmd);
    const reason = command ? command.check(paras) : `${cmd} is not a command of the product model`;
    return reason === undefined ? [] : [{ serviceId, reason }];
  }
  if (result.kind !== "reports") return [];
  return result.reports.flatMap(({ serviceId, data }) => {
    const service = services.get(serviceId);
    const reason = service ? service.checkReport(data) : "is not in the product model";
    return reason === undefined ? [] : [{ serviceId, reason }];
  });
}
