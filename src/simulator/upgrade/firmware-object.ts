/**
 * A device with object 5 (OMA LwM2M TS 1.0.2 appendix E.6, ota.md 8.1): fetches its firmware by URI, or gets it written.
 * Pure: requests, pieces and time go in, what is to be done comes out. What `Flash` holds survives a restart.
 */
import { paceOf, type UpgradeSettings } from "./behaviour";
import { beginPieces, isHalfThere, type Piece, type PieceDownload, takePiece } from "./piece-download";

/** `/5/0/3`. */
export const FIRMWARE_STATE = { idle: 0, downloading: 1, downloaded: 2, updating: 3 } as const;
/** `/5/0/5`. */
export const UPDATE_RESULT = {
  initial: 0,
  success: 1,
  noStorage: 2,
  noMemory: 3,
  connectionLost: 4,
  integrity: 5,
  packageType: 6,
  invalidUri: 7,
  updateFailed: 8,
  protocol: 9,
} as const;

type Flash = {
  readonly version: string;
  readonly uri: string;
  readonly result: number;
  /** What the package in the flash says of itself. */
  readonly offered: string | undefined;
  readonly download: PieceDownload | undefined;
  readonly isWhole: boolean;
  /** The power went once in this download. */
  readonly wasCut: boolean;
  readonly installation: "begun" | "interrupted" | undefined;
};
type Phase =
  | { readonly name: "idle" | "off" | "dead" }
  | { readonly name: "fetching"; readonly attempts: number }
  | { readonly name: "pacing"; readonly attempts: number; readonly dueAtMs: number }
  /** Infinity: it never ends. */
  | { readonly name: "installing"; readonly dueAtMs: number };

export type FirmwareObject = { readonly flash: Flash; readonly phase: Phase };
export type FetchFailure = "uri" | "protocol" | "connection";
export type FirmwareEvent =
  /** Write to `/5/0/1`; empty: reset. */
  | { readonly type: "uriWritten"; readonly uri: string; readonly nowMs: number }
  /** Write of the whole package to `/5/0/0`; nothing, or one zero byte: reset. */
  | { readonly type: "packageWritten"; readonly data: Uint8Array }
  /** Execute of `/5/0/2`. */
  | { readonly type: "executed"; readonly nowMs: number }
  | { readonly type: "piece"; readonly piece: Piece; readonly nowMs: number }
  | { readonly type: "fetchFailed"; readonly url: string; readonly cause: FetchFailure; readonly nowMs: number }
  | { readonly type: "tick"; readonly nowMs: number }
  | { readonly type: "stopped" }
  | { readonly type: "started"; readonly nowMs: number };
export type FirmwareAction =
  /** To the write or execute; without it: silence. */
  | { readonly type: "answer"; readonly code: "changed" | "methodNotAllowed" }
  | { readonly type: "fetch"; readonly url: string; readonly offset: number }
  | { readonly type: "erase" }
  | { readonly type: "store"; readonly offset: number; readonly data: Uint8Array }
  /** Observers of this resource of object 5 are to be told. */
  | { readonly type: "changed"; readonly resource: 3 | 5 }
  | { readonly type: "installed"; readonly version: string }
  | { readonly type: "restart"; readonly offMs: number };
export type FirmwareStep = { readonly next: FirmwareObject; readonly actions: readonly FirmwareAction[] };

/** The first line of a package, if it says its version. */
const VERSION_LINE = /^version=([\x20-\x7e]{1,255})\r?\n/;
const VERSION_LINE_BYTES = 300;
const IDLE: Phase = { name: "idle" };
const ERASE: FirmwareAction = { type: "erase" };
const CHANGED: FirmwareAction = { type: "answer", code: "changed" };
const NOT_ALLOWED: FirmwareAction = { type: "answer", code: "methodNotAllowed" };
const NOTHING_THERE = { offered: undefined, download: undefined, isWhole: false, wasCut: false } as const;

export const newFirmwareObject = (version: string): FirmwareObject => ({
  flash: { version, uri: "", result: UPDATE_RESULT.initial, ...NOTHING_THERE, installation: undefined },
  phase: IDLE,
});

export function firmwareState({ flash }: FirmwareObject): number {
  if (flash.installation !== undefined) return FIRMWARE_STATE.updating;
  if (flash.isWhole) return FIRMWARE_STATE.downloaded;
  return flash.download ? FIRMWARE_STATE.downloading : FIRMWARE_STATE.idle;
}

/** It does not answer to reads either. */
export const isMute = ({ phase }: FirmwareObject, { behaviour }: UpgradeSettings): boolean =>
  phase.name === "dead" || behaviour.silentAt === "query";

/** When a tick is wanted; undefined: not at all. */
export const firmwareDueAtMs = ({ phase }: FirmwareObject): number | undefined =>
  "dueAtMs" in phase && Number.isFinite(phase.dueAtMs) ? phase.dueAtMs : undefined;

export function stepFirmwareObject(
  from: FirmwareObject,
  event: FirmwareEvent,
  settings: UpgradeSettings,
): FirmwareStep {
  if (from.phase.name === "dead") return to(from);
  if (from.phase.name === "off" && event.type !== "started") return to(from);
  const step = advance(from, event, settings);
  if (settings.behaviour.forgets || isMute(step.next, settings) || step.next.phase.name === "off") return step;
  const changed: FirmwareAction[] = [];
  if (firmwareState(from) !== firmwareState(step.next)) changed.push({ type: "changed", resource: 3 });
  if (from.flash.result !== step.next.flash.result) changed.push({ type: "changed", resource: 5 });
  return { next: step.next, actions: [...step.actions, ...changed] };
}

function advance(from: FirmwareObject, event: FirmwareEvent, settings: UpgradeSettings): FirmwareStep {
  switch (event.type) {
    case "uriWritten":
      return uriWritten(from, event.uri, event.nowMs, settings);
    case "packageWritten":
      return packageWritten(from, event.data, settings);
    case "executed":
      return executed(from, event.nowMs, settings);
    case "piece":
      return pieceCame(from, event.piece, event.nowMs, settings);
    case "fetchFailed":
      return fetchFailed(from, event, settings);
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

function uriWritten(from: FirmwareObject, uri: string, nowMs: number, settings: UpgradeSettings): FirmwareStep {
  const { flash } = from;
  const { behaviour } = settings;
  if (behaviour.silentAt === "notice") return to(from);
  const state = firmwareState(from);
  if (state === FIRMWARE_STATE.updating) return to(from, NOT_ALLOWED);
  if (uri === "") return reset(from);
  // The same once more, because our answer got lost.
  if (state === FIRMWARE_STATE.downloading) return to(from, uri === flash.uri ? CHANGED : NOT_ALLOWED);
  if (state === FIRMWARE_STATE.downloaded && behaviour.isStrict) return to(from, NOT_ALLOWED);
  const fresh = { ...flash, ...NOTHING_THERE, uri, result: UPDATE_RESULT.initial };
  const refused = resultAt("start", settings);
  if (refused !== undefined) return to({ flash: { ...fresh, result: refused }, phase: IDLE }, CHANGED, ERASE);
  const step = fetchNext({ ...fresh, download: beginPieces(uri) }, 1, nowMs, 0);
  return { ...step, actions: [CHANGED, ERASE, ...step.actions] };
}

function packageWritten(from: FirmwareObject, data: Uint8Array, settings: UpgradeSettings): FirmwareStep {
  const { flash } = from;
  const { behaviour } = settings;
  if (behaviour.silentAt === "notice") return to(from);
  const state = firmwareState(from);
  if (state === FIRMWARE_STATE.updating) return to(from, NOT_ALLOWED);
  if (data.length === 0 || (data.length === 1 && data[0] === 0)) return reset(from);
  if (state === FIRMWARE_STATE.downloading) return to(from, NOT_ALLOWED);
  if (state === FIRMWARE_STATE.downloaded && behaviour.isStrict) return to(from, NOT_ALLOWED);
  const fresh = { ...flash, ...NOTHING_THERE, uri: "", result: UPDATE_RESULT.initial };
  const refused = resultAt("start", settings) ?? resultAt("half", settings) ?? resultAt("end", settings);
  if (refused !== undefined) return to({ flash: { ...fresh, result: refused }, phase: IDLE }, CHANGED, ERASE);
  const store: FirmwareAction = { type: "store", offset: 0, data };
  return to({ flash: { ...fresh, isWhole: true, offered: versionIn(data) }, phase: IDLE }, CHANGED, ERASE, store);
}

const reset = ({ flash }: FirmwareObject): FirmwareStep =>
  to({ flash: { ...flash, ...NOTHING_THERE, uri: "", result: UPDATE_RESULT.initial }, phase: IDLE }, CHANGED, ERASE);

function executed(from: FirmwareObject, nowMs: number, settings: UpgradeSettings): FirmwareStep {
  const { flash } = from;
  if (settings.behaviour.silentAt === "execute") return to(from);
  if (firmwareState(from) !== FIRMWARE_STATE.downloaded) return to(from, NOT_ALLOWED);
  const begun: Flash = { ...flash, result: UPDATE_RESULT.initial, installation: "begun" };
  return to(install(begun, nowMs, settings), CHANGED);
}

function pieceCame(from: FirmwareObject, piece: Piece, nowMs: number, settings: UpgradeSettings): FirmwareStep {
  const { flash, phase } = from;
  const { behaviour, times } = settings;
  if (phase.name !== "fetching" || !flash.download) return to(from);
  const verdict = takePiece(flash.download, piece);
  if (verdict.kind === "late") return to(from);
  if (verdict.kind === "changed") {
    const step = fetchNext({ ...flash, download: verdict.download }, 1, nowMs, 0);
    return { ...step, actions: [ERASE, ...step.actions] };
  }
  const { download, isWhole } = verdict;
  const stored = { ...flash, download, offered: piece.offset === 0 ? versionIn(piece.data) : flash.offered };
  const store: FirmwareAction = { type: "store", offset: piece.offset, data: piece.data };
  if (isHalfThere(download)) {
    if (behaviour.silentAt === "download") return to({ flash: stored, phase: IDLE }, store);
    const lost = resultAt("half", settings);
    if (lost !== undefined) return to(failed(stored, lost), store, ERASE);
    if (behaviour.rebootsAt === "download" && !flash.wasCut) {
      const cut = { ...stored, wasCut: true, isWhole, download: isWhole ? undefined : download };
      return to({ flash: cut, phase: { name: "off" } }, store, { type: "restart", offMs: times.restartMs });
    }
  }
  if (isWhole) {
    const wrong = resultAt("end", settings);
    if (wrong !== undefined) return to(failed(stored, wrong), store, ERASE);
    return to({ flash: { ...stored, download: undefined, isWhole: true }, phase: IDLE }, store);
  }
  const step = fetchNext(stored, 1, nowMs, paceOf(settings));
  return { ...step, actions: [store, ...step.actions] };
}

function fetchFailed(
  from: FirmwareObject,
  { url, cause, nowMs }: { readonly url: string; readonly cause: FetchFailure; readonly nowMs: number },
  { times }: UpgradeSettings,
): FirmwareStep {
  const { flash, phase } = from;
  if (phase.name !== "fetching" || url !== flash.uri) return to(from);
  if (cause === "uri") return to(failed(flash, UPDATE_RESULT.invalidUri), ERASE);
  if (cause === "protocol") return to(failed(flash, UPDATE_RESULT.protocol), ERASE);
  if (phase.attempts >= times.maxAttempts) return to(failed(flash, UPDATE_RESULT.connectionLost), ERASE);
  return fetchNext(flash, phase.attempts + 1, nowMs, times.answerMs);
}

const failed = (flash: Flash, result: number): FirmwareObject => ({
  flash: { ...flash, ...NOTHING_THERE, result },
  phase: IDLE,
});

function fetchNext(flash: Flash, attempts: number, nowMs: number, waitMs: number): FirmwareStep {
  if (waitMs > 0) return to({ flash, phase: { name: "pacing", attempts, dueAtMs: nowMs + waitMs } });
  const { url, received } = flash.download ?? beginPieces(flash.uri);
  return to({ flash, phase: { name: "fetching", attempts } }, { type: "fetch", url, offset: received });
}

function tick(from: FirmwareObject, nowMs: number, settings: UpgradeSettings): FirmwareStep {
  const { flash, phase } = from;
  if (!("dueAtMs" in phase) || nowMs < phase.dueAtMs) return to(from);
  return phase.name === "pacing" ? fetchNext(flash, phase.attempts, nowMs, 0) : installed(flash, settings);
}

function install(flash: Flash, nowMs: number, { behaviour, times }: UpgradeSettings): FirmwareObject {
  const isCut = behaviour.rebootsAt === "result" && flash.installation === "begun";
  const dueAtMs = behaviour.isStuck ? Number.POSITIVE_INFINITY : nowMs + times.installMs / (isCut ? 2 : 1);
  return { flash, phase: { name: "installing", dueAtMs } };
}

/** A failed update goes back to Downloaded, one that went well to Idle (E.6, resource 3). */
function installed(flash: Flash, settings: UpgradeSettings): FirmwareStep {
  const { behaviour, times } = settings;
  const restart: FirmwareAction = { type: "restart", offMs: times.restartMs };
  const off: Phase = { name: "off" };
  if (behaviour.rebootsAt === "result" && flash.installation === "begun")
    return to({ flash: { ...flash, installation: "interrupted" }, phase: off }, restart);
  const result = resultAt("update", settings);
  if (result !== undefined) return to({ flash: { ...flash, installation: undefined, result }, phase: IDLE });
  const version = behaviour.lies ? flash.version : (settings.firmwareVersion ?? flash.offered ?? flash.version);
  const done = { ...flash, ...NOTHING_THERE, uri: "", version, installation: undefined, result: UPDATE_RESULT.success };
  return to({ flash: done, phase: off }, { type: "installed", version }, ERASE, restart);
}

/** Whatever was under way goes on. */
function start({ flash }: FirmwareObject, nowMs: number, settings: UpgradeSettings): FirmwareStep {
  const { behaviour } = settings;
  if (flash.installation !== undefined) return to(install(flash, nowMs, settings));
  if (flash.download) return fetchNext(flash, 1, nowMs, 0);
  return to({ flash, phase: behaviour.silentAt === "result" && flash.result === 1 ? { name: "dead" } : IDLE });
}

type Moment = "start" | "half" | "end" | "update";
const MOMENTS: Readonly<Record<number, Moment>> = {
  [UPDATE_RESULT.noStorage]: "start",
  [UPDATE_RESULT.noMemory]: "half",
  [UPDATE_RESULT.connectionLost]: "half",
  [UPDATE_RESULT.integrity]: "end",
  [UPDATE_RESULT.packageType]: "end",
  [UPDATE_RESULT.invalidUri]: "start",
  [UPDATE_RESULT.updateFailed]: "update",
  [UPDATE_RESULT.protocol]: "start",
};
const resultAt = (moment: Moment, { behaviour: { failure } }: UpgradeSettings): number | undefined =>
  failure.object5 !== undefined && MOMENTS[failure.object5] === moment ? failure.object5 : undefined;

const versionIn = (data: Uint8Array): string | undefined =>
  VERSION_LINE.exec(Buffer.from(data.subarray(0, VERSION_LINE_BYTES)).toString("latin1"))?.[1];
const to = (next: FirmwareObject, ...actions: FirmwareAction[]): FirmwareStep => ({ next, actions });
