import { createHash } from "node:crypto";
import type { CloudReq, CloudRsp, Decoded, Encoded } from "../codec";
import { parseScriptMessage } from "./parse-script-message";
import type { PoolOutcome, Script, ScriptPool } from "./script-pool";
import type { ScriptCall } from "./script-protocol";

export type ScriptTrace<R> = { readonly passed: unknown; readonly outcome: PoolOutcome; readonly result: R };
export type ScriptCodec = {
  decode(payload: Uint8Array, topic: string): Promise<Decoded>;
  encode(message: CloudReq | CloudRsp): Promise<Encoded>;
  readonly answersReports: boolean;
  traceDecode(payload: Uint8Array, topic: string): Promise<ScriptTrace<Decoded>>;
  traceEncode(message: CloudReq | CloudRsp): Promise<ScriptTrace<Encoded>>;
};

export const scriptOf = (source: string): Script => ({
  key: createHash("sha256").update(source).digest("base64url"),
  source: () => source,
});

/**
 * Only a script that names `cloudRsp` is asked for answers to reports (README.md, "Answers to reports").
 * `suspendable` false: for trying it out.
 */
export function scriptCodec(pool: ScriptPool, owner: string, script: Script, suspendable = true): ScriptCodec {
  const run = (call: ScriptCall) => pool.run(owner, script, call, suspendable);

  async function traceDecode(payload: Uint8Array, topic: string): Promise<ScriptTrace<Decoded>> {
    const bytes = payload.slice(); // the caller's buffer is another message's by the time that the thread gets it
    const outcome = await run({ kind: "decode", bytes, topic });
    const result = outcome.kind === "returned" ? parseScriptMessage(outcome.text) : failureOf(outcome);
    return { passed: { payload: Array.from(bytes), topic }, outcome, result };
  }

  async function traceEncode(message: CloudReq | CloudRsp): Promise<ScriptTrace<Encoded>> {
    const passed = message.msgType === "cloudRsp" ? { ...message, request: Array.from(message.request) } : message;
    const outcome = await run({ kind: "encode", json: JSON.stringify(passed) });
    return { passed, outcome, result: outcome.kind === "returned" ? toEncoded(outcome.text) : failureOf(outcome) };
  }

  return {
    decode: async (payload, topic) => (await traceDecode(payload, topic)).result,
    encode: async (message) => (await traceEncode(message)).result,
    answersReports: script.source().includes("cloudRsp"),
    traceDecode,
    traceEncode,
  };
}

const toEncoded = (hex: string): Encoded =>
  hex === "" ? { kind: "nothing" } : { kind: "bytes", bytes: Uint8Array.from(Buffer.from(hex, "hex")) };

function failureOf({ reason, message, line }: Extract<PoolOutcome, { kind: "threw" }>) {
  const detail = line === undefined ? message : `${message} (line ${line})`;
  return { kind: "failed", reason, detail } as const;
}
