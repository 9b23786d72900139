/** What the platform says to a LoRa server, and what it makes of the answers (docs/lora.md). */
import { DomainError } from "../../platform/domain-error";
import type { PlatformAnswer, PlatformRequest } from "../commands/platform-requests";
import type { LoraKind, NewLoraGateway, NewLoraNode } from "./lora";

const SERVICE = "$lora"; // no service of a product model: `$` is ours
const EUI_FIELD = { gateway: "gatewayEUI", node: "devEUI" } as const;

type Told<T> = Omit<T, "loraServerId">;

export function registrationRequest(kind: LoraKind, input: Told<NewLoraGateway> | Told<NewLoraNode>): PlatformRequest {
  const given = Object.entries(input).filter(([field, value]) => value !== undefined && field !== "loraServerId");
  return { serviceId: SERVICE, method: `REGISTER_${kind.toUpperCase()}`, paras: Object.fromEntries(given) };
}

export const deletionRequest = (kind: LoraKind, eui: string): PlatformRequest => ({
  serviceId: SERVICE,
  method: `DELETE_${kind.toUpperCase()}`,
  paras: { [EUI_FIELD[kind]]: eui },
});

/**
 * `refused`: the server has not done it. `unsent`: it has not heard of it. `unknown`: it may have done it.
 * The reason is for the application.
 */
export type Verdict =
  | { readonly kind: "done" }
  | { readonly kind: "refused" | "unknown"; readonly reason: string }
  | { readonly kind: "unsent" };

export function verdictOf(answer: PlatformAnswer, timeoutMs: number): Verdict {
  switch (answer.kind) {
    case "answered":
      return answer.errcode === 0
        ? { kind: "done" }
        : { kind: "refused", reason: readReason(answer.body?.reason) ?? `errcode ${answer.errcode}` };
    case "unreachable":
      return { kind: "unsent" };
    case "silent":
      return { kind: "unknown", reason: `no answer within ${timeoutMs / 1_000} s` };
    case "connectionLost":
      return { kind: "unknown", reason: "the connection ended before the answer" };
    default:
      return answer satisfies never;
  }
}

/** Throws what the application is told when it is not done. */
export function assertDone(verdict: Verdict, loraServerId: string): void {
  if (verdict.kind === "done") return;
  if (verdict.kind === "unsent") throw new DomainError("LORA_SERVER_OFFLINE", { loraServerId });
  throw new DomainError("LORA_SERVER_FAILED", { reason: verdict.reason, loraServerId });
}

const MAX_REASON = 200;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]+/g;

/** Comes from a device, and goes into an answer of ours. */
function readReason(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  return value.slice(0, MAX_REASON).toWellFormed().replace(CONTROL, " ");
}
