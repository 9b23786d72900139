import type { ScriptOutcome, ThreadReply, ThreadRequest } from "../script/script-protocol";

declare const self: Worker;

/** A script thread that gives back the first byte of what it gets; at a 0 it hangs for ever, at 255 it dies. */
let progress: Int32Array = new Int32Array(1);
const reply = (message: ThreadReply) => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<ThreadRequest>) => {
  if (data.type === "start") {
    progress = new Int32Array(data.progress);
    reply({ type: "ready" });
    return;
  }
  const outcomes = data.calls.map((call): ScriptOutcome => {
    Atomics.add(progress, 0, 1);
    const byte = call.kind === "decode" ? call.bytes[0] : undefined;
    while (byte === 0);
    if (byte === 255) throw new Error("dies");
    return { kind: "returned", text: String(byte) };
  });
  reply({ type: "done", id: data.id, outcomes });
};
