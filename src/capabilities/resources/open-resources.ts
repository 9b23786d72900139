import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter, Listenable } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { StorageWriter } from "../../platform/storage/storage-writer";
import { type LwM2mPath, renderPath, resourceDefinition } from "../../wire/lwm2m";
import type { ContactEvents, Device, DeviceEvents } from "../devices/device";
import { inputInvalid } from "../devices/device-core";
import type { TraceSink } from "../devices/trace-sink";
import { deviceQueue } from "./device-queue";
import { nodeToJson } from "./node-json";
import { observations } from "./observations";
import { toRegistrationView } from "./registration-view";
import { type DeviceResources, type OperationResult, RESOURCE_OPS, type ResourceOp } from "./resource";
import type {
  LwM2mRegistration,
  ResourceAnswer,
  ResourceEvents,
  ResourceLink,
  ResourceRequest,
  ResourceSink,
} from "./resource-link";
import { type KnownOfDevice, toRequest } from "./resource-request";
import { resourceTree } from "./resource-tree";
import { resourceValues } from "./resource-values";
import type { ResourceSettings } from "./settings";

export type ResourceParts = {
  /** Asked at each operation, so links may join later. */
  readonly links: readonly ResourceLink[];
  readonly devices: { findByNo(no: number): Device | undefined };
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly contacts: Listenable<ContactEvents>;
  /** Who else is interested in values that come by observation. */
  readonly events?: Emitter<ResourceEvents> | undefined;
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  /** `telemetry.db`. */
  readonly reads: Database;
  readonly writer: StorageWriter;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: ResourceSettings;
};

export type Resources = DeviceResources & {
  readonly sink: ResourceSink;
  /** What is to be observed again when the device has registered anew. One look-up in memory. */
  wantedObservations(deviceNo: number): LwM2mPath[];
  /** Refuses what waits for devices and writes what waits for the disk. */
  stop(): Promise<void>;
};

type Outcome = "done" | "refused" | "unreachable" | "no_answer" | "unreadable" | "not_sent";

/** The whole capability, joined. */
export function openResources(parts: ResourceParts): Resources {
  const { links, devices, deviceEvents, contacts, db, transactor, clock, log, trace, settings } = parts;
  const values = resourceValues(parts);
  const wanted = observations({ db, transactor, clock, settings });
  const linkOf = (deviceNo: number) => links.find((link) => link.registrationOf(deviceNo) !== undefined);
  const registrationOf = (deviceNo: number) => linkOf(deviceNo)?.registrationOf(deviceNo);
  const queue = deviceQueue({ linkOf, clock, settings });
  const count = operationCounter(parts.metrics);
  parts.metrics.gauge("islet_resource_operations", "Operations that wait for devices or are under way", queue.count);
  parts.metrics.gauge("islet_resource_observations", "Observations that operators want", wanted.count);

  contacts.on("deviceHeard", ({ deviceNo, hasMore }) => {
    if (!hasMore) queue.heard(deviceNo);
  });
  deviceEvents.on("deviceDeleted", ({ device: { no } }) => {
    wanted.removeDevice(no);
    transactor.afterCommit(() => {
      queue.forget(no);
      values.forget(no);
    });
  });

  function knownOf(deviceNo: number): KnownOfDevice {
    const registration = registrationOf(deviceNo);
    const kept = values.of(deviceNo);
    const find = ([objectId, instanceId, resourceId]: LwM2mPath) =>
      kept.find((it) => it.objectId === objectId && it.instanceId === instanceId && it.resourceId === resourceId);
    const named = (objectId: number) => registration?.objects.find((it) => it.objectId === objectId);
    return {
      hasObject: (objectId) =>
        registration && (named(objectId) !== undefined || kept.some((it) => it.objectId === objectId)),
      hasResource: (path) => find(path) !== undefined,
      typeOf: (path) => find(path)?.type,
      instanceIds: (objectId) => [
        ...(named(objectId)?.instanceIds ?? []),
        ...kept.filter((it) => it.objectId === objectId).map(({ instanceId }) => instanceId),
      ],
    };
  }

  /** Sends it and stores what follows, also when nobody waits for the answer any more. */
  async function perform(link: ResourceLink, deviceNo: number, request: ResourceRequest): Promise<OperationResult> {
    assertHasObjects(link.registrationOf(deviceNo));
    if (request.op === "observe") wanted.assertRoom(deviceNo, request.path); // again: others were before it
    const answer = await link.request(deviceNo, request);
    const atMs = clock.now();
    report(deviceNo, request, answer);
    if (request.op === "cancelObserve" && endsObservation(answer)) await wanted.unwant(deviceNo, request.path);
    if (answer.kind !== "done") throw failureOf(answer, request);
    if (request.op === "observe")
      await wanted.want(deviceNo, request.path, () => devices.findByNo(deviceNo) !== undefined);
    const { node, links: found, created } = answer;
    if (node) values.record(deviceNo, request.path, node, atMs);
    for (const { path } of found ?? []) if (path.length === 3) values.recordKnown(deviceNo, path, atMs);
    remember(deviceNo, request, created, atMs);
    return {
      path: renderPath(pathAfter(request, created)),
      value: node && nodeToJson(node),
      links: found?.map(({ path, version, dimension, attributes }) => ({
        ...{ path: renderPath(path), version, dimension, attributes },
      })),
    };
  }

  /** What was written is what is there, as far as anybody can know. */
  function remember(deviceNo: number, request: ResourceRequest, created: LwM2mPath | undefined, atMs: number): void {
    if (request.op === "write") recordReadable(deviceNo, request.path, request.node, atMs);
    if (request.op === "create") recordReadable(deviceNo, pathAfter(request, created), request.node, atMs);
    if (request.op === "delete") values.removeInstance(deviceNo, request.path[0] as number, request.path[1] as number);
  }

  function recordReadable(...[deviceNo, path, node, atMs]: Parameters<typeof values.record>): void {
    if (node.kind === "objectInstance") {
      for (const resource of node.resources) recordReadable(deviceNo, [...path, resource.id], resource, atMs);
    } else if (isReadable(path)) values.record(deviceNo, path, node, atMs);
  }

  function report(deviceNo: number, { op, path }: ResourceRequest, answer: ResourceAnswer): void {
    const outcome = OUTCOMES[answer.kind];
    count(op, outcome);
    trace.record({
      deviceNo,
      kind: "command",
      outcome: answer.kind === "done" ? "succeeded" : "failed",
      reason: `resource_${outcome}`,
      detail: `${op} ${renderPath(path)}${answer.kind === "refused" ? ` ${answer.code}` : ""}`,
    });
  }

  /** No longer than an HTTP request may take; the exchange itself goes on to its end. */
  async function withinTime<T>(work: Promise<T>): Promise<T> {
    const { promise: tooLong, reject } = Promise.withResolvers<never>();
    const cancel = clock.after(settings.operationTimeoutMs, () =>
      reject(new DomainError("DEVICE_NO_ANSWER", { reason: "the exchange takes too long" })),
    );
    try {
      return await Promise.race([work, tooLong]);
    } finally {
      cancel();
    }
  }

  return {
    registration(deviceNo) {
      const link = linkOf(deviceNo);
      const registration = link?.registrationOf(deviceNo);
      if (!link || !registration) throw new DomainError("DEVICE_NOT_REGISTERED");
      return toRegistrationView(registration, link.isListening(deviceNo));
    },
    tree: (deviceNo) =>
      resourceTree({
        registration: registrationOf(deviceNo),
        kept: values.of(deviceNo),
        isObserved: (path) => wanted.covers(deviceNo, path),
      }),
    observations: wanted.list,

    async operate(deviceNo, operation, { waitS } = {}) {
      if (waitS !== undefined && !(waitS >= 0 && waitS <= settings.maxWaitS))
        throw inputInvalid("waitSeconds", `is not from 0 to ${settings.maxWaitS}`);
      const registration = registrationOf(deviceNo);
      assertHasObjects(registration);
      const request = toRequest(operation, knownOf(deviceNo));
      if (request.op === "observe") wanted.assertRoom(deviceNo, request.path);
      // Nobody will observe for a device that is not there: then there is only our wish to take back.
      if (request.op === "cancelObserve" && !registration) {
        await wanted.unwant(deviceNo, request.path);
        return { path: renderPath(request.path), value: undefined, links: undefined };
      }
      let isSent = false;
      const work = queue.submit(deviceNo, waitS ? waitS * 1_000 : undefined, (link) => {
        isSent = true;
        return perform(link, deviceNo, request);
      });
      // The caller may be gone by then.
      work.catch((error: unknown) => {
        if (!isSent) count(request.op, "not_sent");
        if (!(error instanceof DomainError))
          log.error("resource_operation_failed", { deviceNo, op: request.op, error });
      });
      return withinTime(work);
    },

    sink: {
      observed(deviceNo, path, node, atMs) {
        wanted.setState(deviceNo, path, "active");
        values.record(deviceNo, path, node, atMs);
        parts.events?.emit("observed", { deviceNo, path, node });
      },
      observationEnded: (deviceNo, path, reason) => wanted.setState(deviceNo, path, "ended", reason),
    },
    wantedObservations: wanted.wanted,
    async stop() {
      queue.stop();
      await values.stop();
    },
  };
}

function assertHasObjects(registration: LwM2mRegistration | undefined): void {
  if (registration?.style === "tup")
    throw new DomainError("RESOURCE_UNKNOWN", { reason: "the device speaks a dialect without objects" });
}

/** The device does not observe it, or no longer has it, or is no longer there. */
const endsObservation = ({ kind }: ResourceAnswer) => kind === "done" || kind === "refused" || kind === "unreachable";

const OUTCOMES: Record<ResourceAnswer["kind"], Outcome> = {
  done: "done",
  refused: "refused",
  unreachable: "unreachable",
  noAnswer: "no_answer",
  unreadable: "unreadable",
};

function pathAfter(request: ResourceRequest, created: LwM2mPath | undefined): LwM2mPath {
  return request.op === "create" ? (created ?? [...request.path, request.node.id]) : request.path;
}

function failureOf(answer: Exclude<ResourceAnswer, { kind: "done" }>, { path }: ResourceRequest): DomainError {
  const about = { path: renderPath(path) };
  switch (answer.kind) {
    case "refused":
      return new DomainError("DEVICE_REFUSED", { ...about, code: answer.code, reason: answer.detail ?? answer.code });
    case "unreadable":
      return new DomainError("DEVICE_REFUSED", { ...about, code: "unreadable", reason: answer.detail });
    case "unreachable":
      return new DomainError("DEVICE_NOT_REGISTERED", about);
    case "noAnswer":
      return new DomainError("DEVICE_NO_ANSWER", about);
    default:
      return answer satisfies never;
  }
}

/** Also where nobody defined it. Secrets and packages that can only be written are not shown. */
function isReadable(path: LwM2mPath): boolean {
  const operations = resourceDefinition(path)?.operations;
  return operations === undefined || operations.includes("R");
}

function operationCounter(metrics: Metrics): (op: ResourceOp, outcome: Outcome) => void {
  const counter = metrics.counter("islet_resource_operations_total", "Operations on the resources of devices");
  const all = [...Object.values(OUTCOMES), "not_sent" as const];
  const children = new Map(
    RESOURCE_OPS.flatMap((op) => all.map((outcome) => [`${op} ${outcome}`, counter.with({ op, outcome })] as const)),
  );
  return (op, outcome) => children.get(`${op} ${outcome}`)?.add();
}
