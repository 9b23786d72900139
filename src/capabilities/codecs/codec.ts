import type { ServiceReport } from "../telemetry/report";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Why bytes or a message could not be turned into the other; a closed set, also a metrics label and a trace reason. */
export const CODEC_FAILURES = [
  "codec_missing", // the product has none
  "message_unknown", // no message has this messageId; no delivery is linked to this command
  "bytes_missing",
  "bytes_left_over",
  "value_invalid", // out of range, not ASCII, not base64, …
  "parameter_missing",
  "script_error", // it threw, or gave back something else than a message
  "script_timeout",
  "script_memory",
  "script_suspended", // it ran into its time limit again and again
  "codec_busy", // too much waits for it
] as const;
export type CodecFailure = (typeof CODEC_FAILURES)[number];
export type CodecFailed = { readonly kind: "failed"; readonly reason: CodecFailure; readonly detail: string };

/** Up: deviceReq and deviceRsp of codec.md 1. `hasMore`: the device has more to say, cached commands wait for that. */
export type Decoded =
  | { readonly kind: "reports"; readonly reports: readonly ServiceReport[]; readonly hasMore: boolean }
  | {
      readonly kind: "answer";
      readonly mid: number;
      readonly errcode: number;
      readonly body: JsonObject | undefined;
      readonly hasMore: boolean;
    }
  | CodecFailed;

/** Down: cloudReq (a command) and cloudRsp (the answer to a report). */
export type CloudReq = {
  readonly msgType: "cloudReq";
  readonly serviceId: string;
  readonly cmd: string;
  readonly paras: JsonObject;
  readonly mid: number;
  readonly hasMore: 0 | 1;
};
export type CloudRsp = {
  readonly msgType: "cloudRsp";
  /** The report it answers. */
  readonly request: Uint8Array;
  readonly errcode: 0 | 1;
  readonly hasMore: 0 | 1;
};
export type Encoded =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A codec may have nothing to say to a report. For a command this is a failure: the service says so itself. */
  | { readonly kind: "nothing" }
  | CodecFailed;

/**
 * The codecs of all products. `messages` codecs answer at once, scripts by a promise (they run in threads of their
 * own); neither throws nor rejects. Messages of one product come back in the order in which they were given.
 */
export interface Codecs {
  has(productNo: number): boolean;
  /** `topic`: the MQTT topic, or the path that a notification belongs to (`/19/0/0`, `/t/d`). The bytes are copied if kept. */
  decode(productNo: number, payload: Uint8Array, topic: string): Decoded | Promise<Decoded>;
  encode(productNo: number, message: CloudReq | CloudRsp): Encoded | Promise<Encoded>;
  /** Does the codec answer reports (cloudRsp)? Spares the way into a thread. */
  answersReports(productNo: number): boolean;
}
