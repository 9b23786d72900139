/**
 * A device that is upgraded by PCP (pcp.md). Pure: messages of the platform and time go in, what is to be done comes
 * out. What `Flash` holds survives a restart.
 */
import {
  beginDownload,
  countShards,
  type DeviceMessage,
  type Download,
  type NewVersionRequest,
  nextShardRequest,
  type PlatformMessage,
  RESULT,
  type ShardResponse,
  takeShard,
} from "../../wire/pcp";
import { halfOf, paceOf, type UpgradePoint, type UpgradeSettings } from "./behaviour";

type Flash = {
  readonly version: string;
  readonly download: Download | undefined;
  /** The platform has said that it knows of the whole package. */
  readonly isReported: boolean;
  /** An installation has begun; `interrupted`: and was cut off once. */
  readonly installation: "begun" | "interrupted" | undefined;
  /** How it ended, until the platform knows. */
  readonly ended: number | undefined;
};
type Waiting = { readonly attempts: number; readonly dueAtMs: number };
type Phase =
  | { readonly name: "idle" | "downloaded" | "off" | "dead" }
  | { readonly name: "pacing"; readonly dueAtMs: number }
  /** Infinity: it never ends. */
  | { readonly name: "installing"; readonly dueAtMs: number }
  | ({ readonly name: "asking" } & Waiting)
  | ({ readonly name: "reportingDownload"; readonly status: number } & Waiting)
  | ({ readonly name: "reportingResult" } & Waiting);

export type PcpDevice = { readonly flash: Flash; readonly phase: Phase };
export type PcpEvent =
  | { readonly type: "received"; readonly message: PlatformMessage; readonly nowMs: number }
  /** `dueAtMs` of the device is reached. */
  | { readonly type: "tick"; readonly nowMs: number }
  /** The power is gone, or it was told to restart: all but the flash is lost. */
  | { readonly type: "stopped" }
  /** It is up again, and can send. */
  | { readonly type: "started"; readonly nowMs: number };
export type PcpAction =
  | { readonly type: "send"; readonly message: DeviceMessage }
  | { readonly type: "erase" }
  | { readonly type: "store"; readonly offset: number; readonly data: Uint8Array }
  /** The package was installed, and it is this version that runs. */
  | { readonly type: "installed"; readonly version: string }
  /** Off for so long, then `started`. `stopped` has been seen to. */
  | { readonly type: "restart"; readonly offMs: number };
export type PcpStep = { readonly next: PcpDevice; readonly actions: readonly PcpAction[] };

const IN_USE = 0x01;
const LATEST = 0x03;
const STORAGE = 0x05;
const TIMEOUT = 0x06;
const CHECK_FAILED = 0x07;
const BUSY: ReadonlySet<Phase["name"]> = new Set(["asking", "pacing", "reportingDownload"]);
const IDLE: Phase = { name: "idle" };

export const newPcpDevice = (version: string): PcpDevice => ({
  flash: { version, download: undefined, isReported: false, installation: undefined, ended: undefined },
  phase: IDLE,
});

/** When a tick is wanted; undefined: not at all. */
export const pcpDueAtMs = ({ phase }: PcpDevice): number | undefined =>
  "dueAtMs" in phase && Number.isFinite(phase.dueAtMs) ? phase.dueAtMs : undefined;

export function stepPcpDevice(from: PcpDevice, event: PcpEvent, settings: UpgradeSettings): PcpStep {
  if (from.phase.name === "dead") return to(from);
  switch (event.type) {
    case "received":
      return from.phase.name === "off" ? to(from) : receive(from, event.message, event.nowMs, settings);
    case "tick":
      return tick(from, event.nowMs, settings);
    case "stopped":
      return to({ ...from, phase: { name: "off" } });
    case "started":
      return start(from, event.nowMs, settings);
    default:
      return event satisfies never;
  }
}

function receive(from: PcpDevice, message: PlatformMessage, nowMs: number, settings: UpgradeSettings): PcpStep {
  switch (message.type) {
    case "queryVersionRequest": {
      if (isSilent("query", settings)) return to(from);
      const resultCode = refusal("query", settings) ?? RESULT.success;
      return to(from, say({ type: "queryVersionResponse", resultCode, currentVersion: from.flash.version }));
    }
    case "newVersionRequest":
      return notified(from, message, nowMs, settings);
    case "shardResponse":
      return from.phase.name === "asking" ? answered(from, message, nowMs, settings) : to(from);
    case "downloadResultResponse":
      return reported(from, message.resultCode);
    case "executeRequest":
      return execute(from, nowMs, settings);
    case "upgradeResultResponse":
      if (from.phase.name !== "reportingResult") return to(from);
      return to({ flash: { ...from.flash, ended: undefined }, phase: IDLE });
    default:
      return message satisfies never;
  }
}

function notified(from: PcpDevice, notice: NewVersionRequest, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { flash, phase } = from;
  if (isSilent("notice", settings)) return to(from);
  const answer = (resultCode: number) => say({ type: "newVersionResponse", resultCode });
  if (flash.installation !== undefined) return to(from, answer(IN_USE));
  if (notice.targetVersion === flash.version) return to(from, answer(LATEST));
  const refused = refusal("notice", settings);
  if (refused !== undefined) return to(from, answer(refused));
  const { download, how } = beginDownload(flash.download, notice);
  if (how === "resumed" && BUSY.has(phase.name)) return to(from, answer(RESULT.success)); // it is at it
  const begun = { ...flash, download, isReported: false, ended: undefined };
  const step = goOn({ flash: begun, phase }, nowMs, settings);
  return { ...step, actions: [answer(RESULT.success), ...(how === "fresh" ? [ERASE] : []), ...step.actions] };
}

/** Asks for the first missing shard, or says that all are there. */
function goOn({ flash, phase }: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  const request = flash.download && nextShardRequest(flash.download);
  if (request) return to({ flash, phase: waiting("asking", nowMs, settings) }, say(request));
  if (!flash.download) return to({ flash, phase });
  const refused = refusal("download", settings);
  return endDownload({ flash, phase }, refused ?? RESULT.success, nowMs, settings);
}

function answered(from: PcpDevice, response: ShardResponse, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { flash } = from;
  const { download } = flash;
  if (!download || response.shardIndex !== nextShardRequest(download)?.shardIndex) return to(from); // a late double
  const verdict = takeShard(download, response);
  if (verdict.kind === "unfit" || verdict.kind === "known") return to(from); // it is asked again, when its time is over
  if (verdict.kind === "refused") {
    // Without a task there is nobody to tell; what is there stays for the next notice.
    return verdict.resultCode === RESULT.noTask
      ? to({ flash, phase: IDLE })
      : endDownload(from, CHECK_FAILED, nowMs, settings);
  }
  const stored = { ...flash, download: verdict.download };
  const store: PcpAction = {
    type: "store",
    offset: response.shardIndex * download.shardSize,
    data: response.data,
  };
  const step = afterShard({ ...from, flash: stored }, nowMs, settings);
  return { ...step, actions: [store, ...step.actions] };
}

function afterShard(from: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { flash } = from;
  const { behaviour } = settings;
  const isHalf = flash.download && countShards(flash.download.received) === halfOf(flash.download.shardTotal);
  if (isHalf) {
    if (isSilent("download", settings)) return to({ flash, phase: IDLE });
    if (behaviour.rebootsAt === "download") return restart(flash, settings);
    const refused = refusal("download", settings);
    if (refused === TIMEOUT || refused === STORAGE) return endDownload(from, refused, nowMs, settings);
  }
  const paceMs = paceOf(settings);
  if (paceMs === 0 || !flash.download || !nextShardRequest(flash.download)) return goOn(from, nowMs, settings);
  return to({ flash, phase: { name: "pacing", dueAtMs: nowMs + paceMs } });
}

function endDownload({ flash }: PcpDevice, status: number, nowMs: number, settings: UpgradeSettings): PcpStep {
  const report = say({ type: "downloadResultRequest", downloadStatus: status });
  const phase: Phase = { ...waiting("reportingDownload", nowMs, settings), status };
  // What fails its check is of no use; what is only not whole is kept.
  if (status === CHECK_FAILED) return to({ flash: { ...flash, download: undefined }, phase }, ERASE, report);
  return to({ flash, phase }, report);
}

function reported(from: PcpDevice, resultCode: number): PcpStep {
  const { flash, phase } = from;
  if (phase.name !== "reportingDownload") return to(from);
  if (phase.status !== RESULT.success || resultCode !== RESULT.success) return to({ flash, phase: IDLE });
  return to({ flash: { ...flash, isReported: true }, phase: { name: "downloaded" } });
}

function execute(from: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { flash } = from;
  if (isSilent("execute", settings)) return to(from);
  const answer = (resultCode: number) => say({ type: "executeResponse", resultCode });
  // Told again what it does already, or has done: it is not begun a second time.
  if (flash.installation !== undefined || flash.ended !== undefined) return to(from, answer(RESULT.success));
  const isWhole = flash.download !== undefined && nextShardRequest(flash.download) === undefined;
  if (!isWhole) return to(from, answer(IN_USE));
  const refused = refusal("execute", settings);
  if (refused !== undefined) return to(from, answer(refused));
  return to(install({ ...flash, installation: "begun" }, nowMs, settings), answer(RESULT.success));
}

function install(flash: Flash, nowMs: number, { behaviour, times }: UpgradeSettings): PcpDevice {
  const isCut = behaviour.rebootsAt === "result" && flash.installation === "begun";
  const dueAtMs = behaviour.isStuck ? Number.POSITIVE_INFINITY : nowMs + times.installMs / (isCut ? 2 : 1);
  return { flash, phase: { name: "installing", dueAtMs } };
}

function installed({ flash }: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { behaviour } = settings;
  if (behaviour.rebootsAt === "result" && flash.installation === "begun")
    return restart({ ...flash, installation: "interrupted" }, settings);
  const failed = refusal("result", settings) ?? RESULT.success;
  const done = { ...flash, installation: undefined, ended: failed };
  if (failed !== RESULT.success) return report({ flash: done, phase: IDLE }, nowMs, settings);
  const version = behaviour.lies ? flash.version : (flash.download?.targetVersion ?? flash.version);
  const step = restart({ ...done, version, download: undefined, isReported: false }, settings);
  return { ...step, actions: [{ type: "installed", version }, ERASE, ...step.actions] };
}

function report({ flash }: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  if (isSilent("result", settings)) return to({ flash, phase: { name: "dead" } });
  if (settings.behaviour.forgets || flash.ended === undefined)
    return to({ flash: { ...flash, ended: undefined }, phase: IDLE });
  return to({ flash, phase: waiting("reportingResult", nowMs, settings) }, resultOf(flash, flash.ended));
}

function tick(from: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  const { flash, phase } = from;
  if (!("dueAtMs" in phase) || nowMs < phase.dueAtMs) return to(from);
  if (phase.name === "pacing") return goOn(from, nowMs, settings);
  if (phase.name === "installing") return installed(from, nowMs, settings);
  if (phase.attempts < settings.times.maxAttempts) {
    const again = { ...phase, attempts: phase.attempts + 1, dueAtMs: nowMs + settings.times.answerMs };
    return to({ flash, phase: again }, repeated(flash, phase));
  }
  // Nobody answers any more.
  if (phase.name === "asking") return endDownload(from, TIMEOUT, nowMs, settings);
  const isWhole = phase.name === "reportingDownload" && phase.status === RESULT.success;
  return to({ flash, phase: isWhole ? { name: "downloaded" } : IDLE });
}

function repeated(flash: Flash, phase: Extract<Phase, Waiting>): PcpAction {
  if (phase.name === "reportingDownload") return say({ type: "downloadResultRequest", downloadStatus: phase.status });
  const request = phase.name === "asking" && flash.download ? nextShardRequest(flash.download) : undefined;
  return request ? say(request) : resultOf(flash, flash.ended ?? RESULT.success);
}

/** Whatever was under way goes on: an installation first, then its result, then the download. */
function start({ flash }: PcpDevice, nowMs: number, settings: UpgradeSettings): PcpStep {
  if (flash.installation !== undefined) return to(install(flash, nowMs, settings));
  if (flash.ended !== undefined) return report({ flash, phase: IDLE }, nowMs, settings);
  if (flash.isReported) return to({ flash, phase: { name: "downloaded" } });
  return goOn({ flash, phase: IDLE }, nowMs, settings);
}

const restart = (flash: Flash, { times }: UpgradeSettings): PcpStep =>
  to({ flash, phase: { name: "off" } }, { type: "restart", offMs: times.restartMs });

const refusal = (at: UpgradePoint, { behaviour: { failure } }: UpgradeSettings): number | undefined =>
  failure.pcp?.at === at ? failure.pcp.code : undefined;
const isSilent = (at: UpgradePoint, { behaviour }: UpgradeSettings): boolean => behaviour.silentAt === at;
const waiting = <N extends "asking" | "reportingDownload" | "reportingResult">(
  name: N,
  nowMs: number,
  { times }: UpgradeSettings,
) => ({ name, attempts: 1, dueAtMs: nowMs + times.answerMs });
const resultOf = ({ version }: Flash, resultCode: number): PcpAction =>
  say({ type: "upgradeResultRequest", resultCode, currentVersion: version });

const ERASE: PcpAction = { type: "erase" };
const say = (message: DeviceMessage): PcpAction => ({ type: "send", message });
const to = (next: PcpDevice, ...actions: PcpAction[]): PcpStep => ({ next, actions });
