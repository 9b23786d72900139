import type { CounterChild, Metrics } from "../../platform/metrics";
import { CODEC_FAILURES, type CodecFailure, type Decoded, type Encoded } from "./codec";

type Outcome = "done" | "nothing" | CodecFailure;

/** Each function counts a result and gives it back. */
export function codecMetrics(metrics: Metrics, pool: { threads(): number; waiting(): number }) {
  const messages = metrics.counter("islet_codec_messages_total", "Messages through codecs by what became of them");
  metrics.gauge("islet_codec_script_threads", "Threads in which scripts run", pool.threads);
  metrics.gauge("islet_codec_script_waiting", "Calls of scripts that wait for a thread", pool.waiting);
  const children = (direction: string) => {
    const of = (outcome: Outcome): [Outcome, CounterChild] => [outcome, messages.with({ direction, outcome })];
    return new Map([of("done"), of("nothing"), ...CODEC_FAILURES.map(of)]);
  };
  const decodes = children("decode");
  const encodes = children("encode");
  return {
    decoded(result: Decoded): Decoded {
      decodes.get(result.kind === "failed" ? result.reason : "done")?.add();
      return result;
    },
    encoded(result: Encoded): Encoded {
      const outcome = result.kind === "failed" ? result.reason : result.kind === "bytes" ? "done" : "nothing";
      encodes.get(outcome)?.add();
      return result;
    },
  };
}
