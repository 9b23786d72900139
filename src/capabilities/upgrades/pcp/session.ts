import {
  type DeviceMessage,
  type DownloadResultRequest,
  type ExecuteResponse,
  RESULT,
  resultText,
  type ShardRequest,
  shardTotalOf,
  type UpgradeResultRequest,
} from "../../../wire/pcp";
import type { DeviceFact, Stage, UpgradeOrder } from "../upgrade-link";

/**
 * The platform's side of PCP (pcp.md 6), pure: what a message of a device means for the order that it has, if any. There
 * is no state beside the order's stage, which is on disk, so a restart of the platform changes nothing.
 */
export type Verdict =
  /** A request that changes nothing, a repetition say. */
  | { readonly kind: "answer"; readonly resultCode: number }
  | { readonly kind: "shard" }
  /** Stored first; then its answer, if it is a request: a shard, or success. */
  | { readonly kind: "tell"; readonly fact: DeviceFact; readonly then: "shard" | "answer" | undefined }
  /** It has installed already, or has to be told to install: what it says decides. */
  | { readonly kind: "versionKnown"; readonly version: string }
  /** A response that nobody waits for. */
  | { readonly kind: "late" };

type Order = Pick<UpgradeOrder, "stage" | "package">;
/** Told of the new version. */
const isTaking = (stage: Stage) => stage === "announcing" || stage === "downloading";
/** Has the package. */
const isBehind = (stage: Stage) => stage === "executing" || stage === "updating" || stage === "verifying";

const NO_TASK: Verdict = { kind: "answer", resultCode: RESULT.noTask };
const NO_SHARD: Verdict = { kind: "answer", resultCode: RESULT.noShard };
const DONE: Verdict = { kind: "answer", resultCode: RESULT.success };
const LATE: Verdict = { kind: "late" };

/** `isRechecking`: it was asked for its version because it may have been told to install before. */
export function decide(order: Order | undefined, message: DeviceMessage, isRechecking = false): Verdict {
  switch (message.type) {
    case "shardRequest":
      return shard(order, message);
    case "downloadResultRequest":
      return downloadResult(order, message);
    case "upgradeResultRequest":
      return upgradeResult(order, message);
    case "queryVersionResponse": {
      if (!order) return LATE;
      const { resultCode, currentVersion: version } = message;
      if (order.stage === "executing" && isRechecking)
        return resultCode === RESULT.success ? { kind: "versionKnown", version } : LATE;
      if (order.stage !== "version" && order.stage !== "verifying") return LATE;
      return tell(
        resultCode === RESULT.success
          ? { type: "version", version }
          : { type: "versionFailed", reason: resultText(message.type, resultCode) },
      );
    }
    case "newVersionResponse":
      if (order?.stage !== "announcing") return LATE;
      return tell(message.resultCode === RESULT.success ? { type: "accepted" } : failed(message));
    case "executeResponse":
      if (order?.stage !== "executing") return LATE;
      return tell(message.resultCode === RESULT.success ? { type: "updating" } : failed(message));
    default:
      return message satisfies never;
  }
}

/** Any shard at any time, as long as there is the task (pcp.md 5.3, 6). The first one is consent. */
function shard(order: Order | undefined, { targetVersion, shardIndex }: ShardRequest): Verdict {
  const wanted = order && (isTaking(order.stage) || isBehind(order.stage)) ? order.package : undefined;
  if (!wanted || wanted.version !== targetVersion) return NO_TASK;
  if (shardIndex >= shardTotalOf(wanted.size, wanted.shardSize)) return NO_SHARD;
  return order?.stage === "announcing" ? tell({ type: "accepted" }, "shard") : { kind: "shard" };
}

function downloadResult(order: Order | undefined, message: DownloadResultRequest): Verdict {
  const isGood = message.downloadStatus === RESULT.success;
  if (!order || !(isTaking(order.stage) || isBehind(order.stage))) return NO_TASK;
  if (!isGood) return tell(failed({ ...message, resultCode: message.downloadStatus }), "answer");
  return isTaking(order.stage) ? tell({ type: "downloaded" }, "answer") : DONE;
}

/** A failure to install says nothing of an attempt that is not there yet: it is the echo of an earlier one. */
function upgradeResult(order: Order | undefined, message: UpgradeResultRequest): Verdict {
  const { resultCode, currentVersion: version } = message;
  const isGood = resultCode === RESULT.success;
  if (order && isBehind(order.stage)) return tell(isGood ? { type: "succeeded", version } : failed(message), "answer");
  const isThere = order && isTaking(order.stage) && isGood && version === order.package?.version;
  return isThere ? tell({ type: "succeeded", version }, "answer") : NO_TASK;
}

const tell = (fact: DeviceFact, then?: "shard" | "answer"): Verdict => ({ kind: "tell", fact, then });

type Failing = Pick<ExecuteResponse, "resultCode"> & {
  readonly type: "newVersionResponse" | "downloadResultRequest" | "executeResponse" | "upgradeResultRequest";
};
const failed = ({ type, resultCode }: Failing): DeviceFact => ({
  type: "failed",
  code: resultCode.toString(16).toUpperCase().padStart(2, "0"),
  reason: resultText(type, resultCode),
});
