/** What the main thread and the script threads say to each other. */
import type { CodecFailure } from "../codec";

export type ScriptLimits = {
  readonly timeMs: number;
  readonly memoryBytes: number;
  readonly stackBytes: number;
  readonly maxDecodedChars: number;
  readonly maxEncodedBytes: number;
};

/** `load` only evaluates the script and looks for its functions. */
export type ScriptCall =
  | { readonly kind: "decode"; readonly bytes: Uint8Array; readonly topic: string }
  | { readonly kind: "encode"; readonly json: string }
  | { readonly kind: "load" };

/** What a script did wrong, and where in it if that is known. */
export type ScriptFault = {
  readonly reason: Extract<CodecFailure, "script_error" | "script_timeout" | "script_memory">;
  readonly message: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
};
export type ScriptOutcome =
  /** decode: JSON. encode: the bytes in hexadecimal. load: nothing. */
  { readonly kind: "returned"; readonly text: string } | ({ readonly kind: "threw" } & ScriptFault);

export type ThreadRequest =
  | {
      readonly type: "start";
      readonly limits: ScriptLimits;
      readonly keptScripts: number;
      readonly batchTimeMs: number;
      /** One number: calls of the present batch that were begun. */
      readonly progress: SharedArrayBuffer;
    }
  /** `source` is left out when the thread should have it. */
  | {
      readonly type: "batch";
      readonly id: number;
      readonly key: string;
      readonly source: string | undefined;
      readonly calls: readonly ScriptCall[];
    };
export type ThreadReply =
  | { readonly type: "ready" }
  /** Outcomes of the first calls of the batch; the others were not begun. */
  | { readonly type: "done"; readonly id: number; readonly outcomes: readonly ScriptOutcome[] }
  /** It has dropped this script in the meantime. */
  | { readonly type: "sourceMissing"; readonly id: number };
