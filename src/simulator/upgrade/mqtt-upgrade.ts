/**
 * A device that is upgraded over MQTT and HTTP (ota.md 8.3). Pure: messages, pieces and time go in, what is to be done
 * comes out. What `Flash` holds survives a restart.
 */
import { paceOf, type UpgradeSettings } from "./behaviour";
import type { UpgradeKind, UpgradeNotice, UpgradeOrder, UpgradeReport } from "./mqtt-messages";
import { beginPieces, isHalfThere, type Piece, type PieceDownload, takePiece } from "./piece-download";

/** `result_code` of a progress report. */
export const PROGRESS_RESULT = {
  success: 0,
  inUse: 1,
  poorSignal: 2,
  latest: 3,
  lowBattery: 4,
  noStorage: 5,
  downloadTimeout: 6,
  integrity: 7,
  packageType: 8,
  noMemory: 9,
  installFailed: 10,
  internal: 255,
} as const;

type Job = {
  readonly notice: UpgradeNotice;
  readonly download: PieceDownload;
  /** The power went once in this download. */
  readonly wasCut: boolean;
  /** Quarters of the download that were reported. */
  readonly quarters: number;
  /** Whole, and its check was right. */
  readonly isChecked: boolean;
};
type Flash = {
  readonly versions: Readonly<Record<UpgradeKind, string>>;
  readonly job: Job | undefined;
  readonly installation: "begun" | "interrupted" | undefined;
  /** The last word, until it is acknowledged. */
  readonly ended: Extract<UpgradeReport, { type: "progress" }> | undefined;
};
type Phase =
  | { readonly name: "idle" | "checking" | "off" | "dead" }
  | { readonly name: "fetching"; readonly attempts: number }
  | { readonly name: "pacing"; readonly attempts: number; readonly dueAtMs: number }
  /** Infinity: it never ends. */
  | { readonly name: "installing"; readonly dueAtMs: number };

export type MqttUpgrade = { readonly flash: Flash; readonly phase: Phase };
export type MqttUpgradeEvent =
  | { readonly type: "received"; readonly order: UpgradeOrder; readonly nowMs: number }
  | { readonly type: "piece"; readonly piece: Piece; readonly nowMs: number }
  /** `refused`: the server does not want to; it is not asked again. */
  | {
      readonly type: "fetchFailed";
      readonly url: string;
      readonly cause: "refused" | "connection";
      readonly nowMs: number;
    }
  | { readonly type: "checked"; readonly isRight: boolean; readonly nowMs: number }
  /** The platform has this report. */
  | { readonly type: "acknowledged"; readonly report: UpgradeReport }
  | { readonly type: "tick"; readonly nowMs: number }
  | { readonly type: "stopped" }
  /** It is up and connected (again). */
  | { readonly type: "started"; readonly nowMs: number };
export type MqttUpgradeAction =
  | { readonly type: "publish"; readonly report: UpgradeReport }
  | { readonly type: "fetch"; readonly url: string; readonly offset: number; readonly token: string }
  | { readonly type: "erase" }
  | { readonly type: "store"; readonly offset: number; readonly data: Uint8Array }
  /** Is this the SHA-256 of what is stored? `checked` says. */
  | { readonly type: "check"; readonly sign: string }
  | { readonly type: "installed"; readonly version: string }
  | { readonly type: "restart"; readonly offMs: number };
export type MqttUpgradeStep = { readonly next: MqttUpgrade; readonly actions: readonly MqttUpgradeAction[] };

const IDLE: Phase = { name: "idle" };
const ERASE: MqttUpgradeAction = { type: "erase" };

export const newMqttUpgrade = (versions: Flash["versions"]): MqttUpgrade => ({
  flash: { versions, job: undefined, installation: undefined, ended: undefined },
  phase: IDLE,
});

/** When a tick is wanted; undefined: not at all. */
export const mqttUpgradeDueAtMs = ({ phase }: MqttUpgrade): number | undefined =>
  "dueAtMs" in phase && Number.isFinite(phase.dueAtMs) ? phase.dueAtMs : undefined;

export function stepMqttUpgrade(
  from: MqttUpgrade,
  event: MqttUpgradeEvent,
  settings: UpgradeSettings,
): MqttUpgradeStep {
  const { flash, phase } = from;
  if (phase.name === "dead") return to(from);
  if (phase.name === "off" && event.type !== "started") return to(from);
  switch (event.type) {
    case "received":
      return event.order.type === "versionQuery"
        ? queried(from, settings)
        : noticed(from, event.order, event.nowMs, settings);
    case "piece":
      return pieceCame(from, event.piece, event.nowMs, settings);
    case "fetchFailed":
      return fetchFailed(from, event, settings);
    case "checked":
      return checked(from, event.isRight, event.nowMs, settings);
    case "acknowledged":
      return event.report === flash.ended ? to({ ...from, flash: { ...flash, ended: undefined } }) : to(from);
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

function queried(from: MqttUpgrade, { behaviour }: UpgradeSettings): MqttUpgradeStep {
  if (behaviour.silentAt === "query") return to(from);
  const { firmware, software } = from.flash.versions;
  return to(from, { type: "publish", report: { type: "version", firmware, software } });
}

function noticed(from: MqttUpgrade, notice: UpgradeNotice, nowMs: number, settings: UpgradeSettings): MqttUpgradeStep {
  const { flash, phase } = from;
  if (settings.behaviour.silentAt === "notice") return to(from);
  const running = flash.versions[notice.kind];
  if (flash.installation !== undefined)
    return to(from, { type: "publish", report: progress(PROGRESS_RESULT.inUse, running) });
  const { job } = flash;
  const isSame =
    job?.notice.kind === notice.kind && job.notice.version === notice.version && job.notice.sign === notice.sign;
  if (isSame && phase.name !== "idle") {
    // Told again: the way to the package may be a new one, and what is there stays.
    const download = { ...job.download, url: notice.url };
    const renewed = { ...flash, job: { ...job, notice, download } };
    return phase.name === "fetching"
      ? fetchNext(renewed, renewed.job, phase.attempts, nowMs, 0)
      : to({ flash: renewed, phase });
  }
  const refused = notice.version === running ? PROGRESS_RESULT.latest : resultAt("notice", settings);
  if (refused !== undefined) return end({ ...flash, job: undefined }, progress(refused, running), settings);
  const kept = isSame ? job.download.received : 0;
  const download = isSame ? { ...job.download, url: notice.url } : beginPieces(notice.url);
  const fresh: Job = { notice, download, wasCut: false, quarters: 0, isChecked: false };
  const step = fetchNext({ ...flash, job: fresh, ended: undefined }, fresh, 1, nowMs, 0);
  return kept > 0 ? step : { ...step, actions: [ERASE, ...step.actions] };
}

function pieceCame(from: MqttUpgrade, piece: Piece, nowMs: number, settings: UpgradeSettings): MqttUpgradeStep {
  const { flash, phase } = from;
  const { behaviour, times } = settings;
  const { job } = flash;
  if (phase.name !== "fetching" || !job) return to(from);
  const verdict = takePiece(job.download, piece);
  if (verdict.kind === "late") return to(from);
  if (verdict.kind === "changed") {
    const step = fetchNext(flash, { ...job, download: verdict.download, quarters: 0 }, 1, nowMs, 0);
    return { ...step, actions: [ERASE, ...step.actions] };
  }
  const { download, isWhole } = verdict;
  const store: MqttUpgradeAction = { type: "store", offset: piece.offset, data: piece.data };
  const stored: Job = { ...job, download };
  if (isHalfThere(download)) {
    if (behaviour.silentAt === "download") return to({ flash: { ...flash, job: stored }, phase: IDLE }, store);
    const lost = resultAt("half", settings);
    if (lost !== undefined) return ended(flash, job, lost, settings, store);
    if (behaviour.rebootsAt === "download" && !job.wasCut && !isWhole) {
      const cut = { ...flash, job: { ...stored, wasCut: true } };
      return to({ flash: cut, phase: { name: "off" } }, store, { type: "restart", offMs: times.restartMs });
    }
  }
  if (isWhole) return check({ ...flash, job: stored }, stored, nowMs, settings, store);
  const quarters = download.total ? Math.floor((download.received * 4) / download.total) : 0;
  const told = quarters > job.quarters && quarters < 4 && !behaviour.forgets;
  const step = fetchNext(flash, { ...stored, quarters }, 1, nowMs, paceOf(settings));
  const report = progress(PROGRESS_RESULT.success, flash.versions[job.notice.kind], quarters * 25);
  return { ...step, actions: [store, ...(told ? [{ type: "publish", report } as const] : []), ...step.actions] };
}

function check(
  flash: Flash,
  job: Job,
  nowMs: number,
  settings: UpgradeSettings,
  store: MqttUpgradeAction,
): MqttUpgradeStep {
  const { sign } = job.notice;
  if (sign !== undefined) return to({ flash, phase: { name: "checking" } }, store, { type: "check", sign });
  const step = checked({ flash, phase: { name: "checking" } }, true, nowMs, settings);
  return { ...step, actions: [store, ...step.actions] };
}

function checked(from: MqttUpgrade, isRight: boolean, nowMs: number, settings: UpgradeSettings): MqttUpgradeStep {
  const { flash, phase } = from;
  const { job } = flash;
  if (phase.name !== "checking" || !job) return to(from);
  const wrong = isRight ? resultAt("end", settings) : PROGRESS_RESULT.integrity;
  if (wrong !== undefined) return ended(flash, job, wrong, settings);
  return to(install({ ...flash, job: { ...job, isChecked: true }, installation: "begun" }, nowMs, settings));
}

function fetchFailed(
  from: MqttUpgrade,
  { url, cause, nowMs }: { readonly url: string; readonly cause: "refused" | "connection"; readonly nowMs: number },
  settings: UpgradeSettings,
): MqttUpgradeStep {
  const { flash, phase } = from;
  const { job } = flash;
  if (phase.name !== "fetching" || !job || url !== job.download.url) return to(from);
  if (cause === "connection" && phase.attempts < settings.times.maxAttempts)
    return fetchNext(flash, job, phase.attempts + 1, nowMs, settings.times.answerMs);
  return ended(flash, job, PROGRESS_RESULT.downloadTimeout, settings);
}

function fetchNext(flash: Flash, job: Job, attempts: number, nowMs: number, waitMs: number): MqttUpgradeStep {
  const next = { ...flash, job };
  if (waitMs > 0) return to({ flash: next, phase: { name: "pacing", attempts, dueAtMs: nowMs + waitMs } });
  const { url, received } = job.download;
  const fetch: MqttUpgradeAction = { type: "fetch", url, offset: received, token: job.notice.token };
  return to({ flash: next, phase: { name: "fetching", attempts } }, fetch);
}

function tick(from: MqttUpgrade, nowMs: number, settings: UpgradeSettings): MqttUpgradeStep {
  const { flash, phase } = from;
  if (!("dueAtMs" in phase) || nowMs < phase.dueAtMs) return to(from);
  if (phase.name === "pacing" && flash.job) return fetchNext(flash, flash.job, phase.attempts, nowMs, 0);
  return installed(flash, settings);
}

function install(flash: Flash, nowMs: number, { behaviour, times }: UpgradeSettings): MqttUpgrade {
  const isCut = behaviour.rebootsAt === "result" && flash.installation === "begun";
  const dueAtMs = behaviour.isStuck ? Number.POSITIVE_INFINITY : nowMs + times.installMs / (isCut ? 2 : 1);
  return { flash, phase: { name: "installing", dueAtMs } };
}

function installed(flash: Flash, settings: UpgradeSettings): MqttUpgradeStep {
  const { behaviour, times } = settings;
  const { job } = flash;
  if (!job) return to({ flash, phase: IDLE });
  const restart: MqttUpgradeAction = { type: "restart", offMs: times.restartMs };
  const off: Phase = { name: "off" };
  if (behaviour.rebootsAt === "result" && flash.installation === "begun")
    return to({ flash: { ...flash, installation: "interrupted" }, phase: off }, restart);
  const { kind, version: target } = job.notice;
  const result = resultAt("install", settings);
  if (result !== undefined) return ended({ ...flash, installation: undefined }, job, result, settings);
  const version = behaviour.lies ? flash.versions[kind] : target;
  const done: Flash = {
    versions: { ...flash.versions, [kind]: version },
    job: undefined,
    installation: undefined,
    ended: progress(PROGRESS_RESULT.success, version, 100),
  };
  return to({ flash: done, phase: off }, { type: "installed", version }, ERASE, restart);
}

/** It failed, and what is there is of no use any more. */
function ended(
  flash: Flash,
  { notice }: Job,
  code: number,
  settings: UpgradeSettings,
  ...before: MqttUpgradeAction[]
): MqttUpgradeStep {
  const step = end({ ...flash, job: undefined }, progress(code, flash.versions[notice.kind]), settings);
  return { ...step, actions: [...before, ERASE, ...step.actions] };
}

/** The last word; said again after a restart or a lost connection, until it is acknowledged. */
function end(flash: Flash, report: NonNullable<Flash["ended"]>, settings: UpgradeSettings): MqttUpgradeStep {
  if (settings.behaviour.forgets) return to({ flash: { ...flash, ended: undefined }, phase: IDLE });
  return to({ flash: { ...flash, ended: report }, phase: IDLE }, { type: "publish", report });
}

/** Whatever was under way goes on. */
function start({ flash, phase }: MqttUpgrade, nowMs: number, settings: UpgradeSettings): MqttUpgradeStep {
  if (phase.name !== "off" && phase.name !== "idle") return to({ flash, phase }); // it was only away for a moment
  if (flash.ended) {
    if (settings.behaviour.silentAt === "result") return to({ flash, phase: { name: "dead" } });
    return end(flash, flash.ended, settings);
  }
  const { job, installation } = flash;
  if (phase.name === "idle" || !job) return to({ flash, phase: IDLE });
  if (installation !== undefined) return to(install(flash, nowMs, settings));
  const { total, received } = job.download;
  const isWhole = total !== undefined && received >= total;
  const { sign } = job.notice;
  if (isWhole && sign !== undefined) return to({ flash, phase: { name: "checking" } }, { type: "check", sign });
  return fetchNext(flash, job, 1, nowMs, 0);
}

type Moment = "notice" | "half" | "end" | "install";
const MOMENTS: Readonly<Record<number, Moment>> = {
  [PROGRESS_RESULT.downloadTimeout]: "half",
  [PROGRESS_RESULT.integrity]: "end",
  [PROGRESS_RESULT.packageType]: "end",
  [PROGRESS_RESULT.installFailed]: "install",
  [PROGRESS_RESULT.internal]: "install",
};
const resultAt = (moment: Moment, { behaviour: { failure } }: UpgradeSettings): number | undefined =>
  failure.mqtt !== undefined && (MOMENTS[failure.mqtt] ?? "notice") === moment ? failure.mqtt : undefined;

const progress = (resultCode: number, version: string, share?: number) =>
  ({ type: "progress", resultCode, progress: share, version, description: undefined }) as const;
const to = (next: MqttUpgrade, ...actions: MqttUpgradeAction[]): MqttUpgradeStep => ({ next, actions });
