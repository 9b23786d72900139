import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { Transactor } from "../../platform/storage/group-commit";
import type { ContactEvents } from "../devices/device";
import type { DownlinkOutcome, SleepingDeviceLink } from "../devices/device-link";
import type { TraceSink } from "../devices/trace-sink";
import { ackDeadlines } from "./ack-deadlines";
import type { Command, CommandSettings } from "./command";
import type { ApplyChange, CommandChange } from "./command-changes";
import type { CommandRepository } from "./command-repository";
import { describeCommand, type StoredCommand } from "./command-row";
import type { QueueRepository } from "./queue-repository";

type Parts = {
  readonly commands: Pick<CommandRepository, "get">;
  readonly repository: QueueRepository;
  readonly transactor: Transactor;
  readonly apply: ApplyChange;
  readonly link: (deviceNo: number) => SleepingDeviceLink | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly trace: TraceSink;
  readonly settings: CommandSettings;
};

/** What is in memory of a device that has queued commands; the commands themselves are in the database. */
type Lane = {
  busy: boolean;
  /** Look once more: something came while it was busy. */
  again: boolean;
  /** The device was heard, and nothing says since then that it sleeps: cached commands may leave. */
  released: boolean;
  flight: { readonly no: number; readonly abort: AbortController } | undefined;
};

export type CommandQueue = ReturnType<typeof commandQueue>;

/**
 * The queues of devices that sleep. One exchange of a device at a time: the next command leaves when the one before is
 * acknowledged, refused or timed out; first what was sent by an earlier run, then immediate ones, then cached ones.
 * A message is stored before it is sent, so a later run goes on with the same bytes and the device takes it once.
 */
export function commandQueue(parts: Parts) {
  const { commands, repository, transactor, apply, link, clock, log, trace, settings } = parts;
  const lanes = new Map<number, Lane>();
  const holds = new Map<number, number>();
  const underWay = new Set<Promise<void>>();
  const deadlines = ackDeadlines(clock, (no, deviceNo) => overdue(no, deviceNo));
  let stopped = false;

  const listens = (deviceNo: number): boolean => link(deviceNo)?.isListening(deviceNo) ?? false;

  function laneOf(deviceNo: number): Lane {
    const known = lanes.get(deviceNo);
    if (known) return known;
    const lane: Lane = { busy: false, again: false, released: false, flight: undefined };
    lanes.set(deviceNo, lane);
    return lane;
  }

  /** Undefined when the command is no longer there; the same command when the change does not concern it any more. */
  const change = (no: number, what: CommandChange): Promise<Command | undefined> =>
    transactor.write(() => {
      const stored = commands.get(no);
      return stored && apply(stored, what, clock.now());
    });

  function drive(deviceNo: number): void {
    const lane = lanes.get(deviceNo);
    if (!lane || stopped) return;
    lane.again = true;
    if (lane.busy) return;
    lane.busy = true;
    keep(empty(deviceNo, lane).catch((error: unknown) => log.error("command_queue_failed", { deviceNo, error })));
  }

  async function empty(deviceNo: number, lane: Lane): Promise<void> {
    try {
      while (lane.again) {
        lane.again = false;
        while (!stopped && !holds.has(deviceNo)) {
          const next = repository.nextQueued(deviceNo);
          if (!next) {
            if (lanes.get(deviceNo) === lane) lanes.delete(deviceNo);
            return;
          }
          if (!(await advance(next, lane))) break;
        }
      }
    } finally {
      lane.busy = false; // in the same turn as the last look, so that nothing is missed
    }
  }

  /** Is it worth to look for the next one? */
  async function advance(stored: StoredCommand, lane: Lane): Promise<boolean> {
    const { command, delivery, until } = stored;
    const { no, deviceNo } = command;
    if (delivery.state === "SENT" && delivery.issued > 0) return listens(deviceNo) && resend(stored, lane);
    if (delivery.state === "PENDING") {
      lane.released &&= listens(deviceNo);
      if (!lane.released) return false;
      if (until <= clock.now()) {
        await change(no, { type: "expired" });
        return true;
      }
    }
    const prepared = (await prepare(stored)) ?? { kind: "unreachable" };
    if (stopped || holds.has(deviceNo)) return false;
    switch (prepared.kind) {
      case "ready":
        return send(stored, prepared.datagram, lane);
      case "unreachable":
        lane.released = false;
        if (delivery.state === "PENDING") return false;
        record(command, "device_unreachable");
        await change(no, { type: "unreachable" });
        return true;
      case "notEncodable":
        record(command, prepared.reason, prepared.detail);
        if (prepared.reason === "codec_busy" && delivery.state === "PENDING") {
          lane.released = false; // it passes: the next contact tries again
          return false;
        }
        await change(no, { type: "notEncodable", detail: `${prepared.reason}: ${prepared.detail}` });
        return true;
      default:
        return prepared satisfies never;
    }
  }

  async function prepare({ command, mid, delivery }: StoredCommand) {
    const { deviceNo, deviceId, serviceId, method, paras } = command;
    const itself = delivery.state === "PENDING" ? 1 : 0;
    const hasMore = repository.countPendingOf(deviceNo, clock.now()) > itself;
    return link(deviceNo)?.prepare(deviceNo, { mid, deviceId, serviceId, method, paras, hasMore });
  }

  /** Only what is on disk as sent is sent. */
  async function send(stored: StoredCommand, datagram: Uint8Array, lane: Lane): Promise<boolean> {
    const { no } = stored.command;
    const sent = await transactor.write(() => {
      const current = commands.get(no);
      if (!current || current.command.issuedTimes > 0) return undefined;
      const now = clock.now();
      if (current.delivery.state === "PENDING" && current.until <= now) {
        apply(current, { type: "expired" }, now);
        return undefined;
      }
      const after = apply(current, { type: "issued", datagram }, now);
      return after === current.command ? undefined : after; // cancelled or timed out meanwhile
    });
    return sent === undefined || fly(sent, datagram, lane);
  }

  async function resend(stored: StoredCommand, lane: Lane): Promise<boolean> {
    const { command, datagram } = stored;
    if (!datagram) throw new Error(`command ${command.no} was sent and has no datagram`);
    const again = await change(command.no, { type: "issued" });
    return again === undefined || again.status !== "SENT" || fly(again, datagram, lane);
  }

  async function fly(command: Command, datagram: Uint8Array, lane: Lane): Promise<boolean> {
    const { no, deviceNo } = command;
    const giveUpAfterMs = deadlines.left(no);
    if (stopped) return false;
    if (giveUpAfterMs === 0) return timeOut(no, deviceNo);
    const abort = new AbortController();
    lane.flight = { no, abort };
    lane.released = false; // until it shows itself again
    trace.record({
      ...{ deviceNo, kind: "command", outcome: "succeeded", reason: "sent" },
      detail: describeCommand(command),
    });
    const outcome = await transmit(command, datagram, giveUpAfterMs, abort.signal);
    lane.flight = undefined;
    return settle(command, outcome, lane);
  }

  async function transmit(
    { deviceNo, maxRetransmit, id, deviceId }: Command,
    datagram: Uint8Array,
    giveUpAfterMs: number,
    signal: AbortSignal,
  ): Promise<DownlinkOutcome> {
    const aborted = new Promise<DownlinkOutcome>((resolve) =>
      signal.addEventListener("abort", () => resolve({ kind: "cancelled" }), { once: true }),
    );
    try {
      const options = {
        ackTimeoutMs: settings.retransmitMs,
        maxRetransmit: maxRetransmit ?? settings.maxRetransmit,
        ...{ giveUpAfterMs, signal },
      };
      const way = link(deviceNo);
      if (!way) return { kind: "cancelled" };
      return await Promise.race([way.transmit(deviceNo, datagram, options), aborted]); // time limits hold, whatever the link does
    } catch (error) {
      log.error("command_failed", { requestId: id, deviceId, error });
      return { kind: "noAcknowledgement" };
    }
  }

  async function settle(command: Command, outcome: DownlinkOutcome, lane: Lane): Promise<boolean> {
    const { no, deviceNo } = command;
    switch (outcome.kind) {
      case "acknowledged":
        lane.released = true;
        await change(no, { type: "acknowledged" });
        return true;
      case "refused":
        lane.released = true;
        record(command, "refused_by_device", outcome.detail);
        await change(no, { type: "refused", detail: outcome.detail });
        return true;
      case "noAcknowledgement":
        return timeOut(no, deviceNo);
      case "cancelled":
        if (stopped) return false; // it stays as it is, for the next run
        if (deadlines.isOver(no)) return timeOut(no, deviceNo);
        // Answered or deleted: on with the next. Else the link let go of it, and it goes on at the next contact.
        return commands.get(no)?.delivery.state !== "SENT";
      default:
        return outcome satisfies never;
    }
  }

  async function timeOut(no: number, deviceNo: number): Promise<boolean> {
    try {
      const ended = await change(no, { type: "unacknowledged" });
      if (ended?.status === "TIMEOUT") record(ended, "no_acknowledgement");
      return true;
    } catch (error) {
      log.error("command_timeout_failed", { deviceNo, error });
      if (!stopped) deadlines.set(no, deviceNo, settings.sweepIntervalMs); // a full disk passes
      return false;
    }
  }

  /** The time for the acknowledgement is over, or that for waiting in line. */
  function overdue(no: number, deviceNo: number): void {
    const flight = lanes.get(deviceNo)?.flight;
    if (flight?.no === no)
      flight.abort.abort(); // `settle` sees to it
    else keep(timeOut(no, deviceNo).then(() => drive(deviceNo)));
  }

  function keep(run: Promise<void>): void {
    underWay.add(run);
    void run.finally(() => underWay.delete(run));
  }

  function record({ deviceNo, ...command }: Command, reason: string, detail = ""): void {
    const about = `${describeCommand(command)} ${detail}`.trim();
    trace.record({ deviceNo, kind: "command", outcome: "failed", reason, detail: about });
  }

  return {
    listens,

    /** The device was heard. Costs a device without queued commands one look-up. */
    heard({ deviceNo, hasMore }: ContactEvents["deviceHeard"]): void {
      const lane = lanes.get(deviceNo);
      if (!lane || hasMore) return;
      lane.released = true;
      drive(deviceNo);
    },

    /** After the commit of a new command. */
    added({ no, deviceNo, status }: Command): void {
      if (status !== "PENDING" && status !== "SENT") return;
      const lane = laneOf(deviceNo);
      if (status === "SENT") deadlines.set(no, deviceNo, settings.ackTimeoutMs);
      // While one is under way nothing new is known of the device: whether the next may go is seen then.
      else if (!lane.busy) lane.released ||= listens(deviceNo);
      drive(deviceNo);
    },

    /** After the commit of a change of a queued command. */
    changed(before: Command, { no, deviceNo, status, issuedTimes, executedAt }: Command): void {
      if (status === "SENT") {
        if (issuedTimes === 1 && before.issuedTimes === 0) deadlines.set(no, deviceNo, settings.ackTimeoutMs);
        return;
      }
      deadlines.clear(no);
      const lane = lanes.get(deviceNo);
      if (lane?.flight?.no !== no) return;
      // Its answer overtook the acknowledgement: nothing is to be sent any more, and the device is there.
      if (executedAt !== undefined) lane.released = true;
      lane.flight.abort.abort();
    },

    /** After the commit that deleted the device with its commands. */
    removed(deviceNo: number, numbers: readonly number[]): void {
      for (const no of numbers) deadlines.clear(no);
      lanes.get(deviceNo)?.flight?.abort.abort();
      lanes.delete(deviceNo);
      holds.delete(deviceNo);
    },

    /** Knows again what waits; sends nothing. What is left of a time limit is taken from the wall clock, within bounds. */
    load(): void {
      for (const deviceNo of repository.queuedDevices()) laneOf(deviceNo);
      for (const { no, deviceNo, until } of repository.awaited()) {
        const left = Math.min(Math.max(until - clock.now(), 0), settings.ackTimeoutMs);
        deadlines.set(no, deviceNo, left);
      }
    },

    async resume(): Promise<void> {
      let turns = 0;
      for (const deviceNo of [...lanes.keys()]) {
        if (stopped) return;
        const lane = lanes.get(deviceNo);
        if (lane && listens(deviceNo)) lane.released = true;
        drive(deviceNo);
        turns += 1;
        if (turns % settings.sweepBatch === 0) await nextTurn();
      }
    },

    isHeld: (deviceNo: number): boolean => holds.has(deviceNo),

    hold(deviceNo: number): () => void {
      holds.set(deviceNo, (holds.get(deviceNo) ?? 0) + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (holds.get(deviceNo) ?? 1) - 1;
        if (left > 0) return void holds.set(deviceNo, left);
        holds.delete(deviceNo);
        const lane = lanes.get(deviceNo);
        if (lane) lane.released ||= listens(deviceNo);
        drive(deviceNo);
      };
    },

    async stop(): Promise<void> {
      stopped = true;
      deadlines.stop();
      for (const { flight } of lanes.values()) flight?.abort.abort();
      await Promise.all(underWay);
    },
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
