import type { Database } from "bun:sqlite";
import type { Clock } from "../../../platform/clock";
import type { Listenable } from "../../../platform/events";
import type { Log } from "../../../platform/log";
import type { CounterChild, Metrics } from "../../../platform/metrics";
import { steadyTime } from "../../../platform/steady-time";
import type { Transactor } from "../../../platform/storage/group-commit";
import { encodePlatformMessage, shardTotalOf } from "../../../wire/pcp";
import type { DeviceEvents } from "../../devices/device";
import type { TraceSink } from "../../devices/trace-sink";
import type { PackageContents } from "../../packages/package";
import type { ResourceLink } from "../../resources/resource-link";
import { inTurn } from "../objects/in-turn";
import { type RadioReading, readCell, readRadio } from "../objects/read-radio";
import type { StepOutcome, UpgradeDesk, UpgradeLink, UpgradeOrder } from "../upgrade-link";
import type { PcpCarrier, PcpUplink } from "./pcp-carrier";
import { pcpUplink } from "./pcp-uplink";
import { sessionRepository } from "./session-repository";
import type { PcpSettings } from "./settings";
import { shardFrames } from "./shard-frames";

export type PcpParts = {
  readonly desk: UpgradeDesk;
  readonly contents: PackageContents;
  /** Asked at each use, so carriers and links may join later. */
  readonly carriers: readonly PcpCarrier[];
  readonly links: readonly ResourceLink[];
  /** `registry.db`. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly deviceEvents: Listenable<DeviceEvents>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: TraceSink;
  readonly settings: PcpSettings;
};

export const FRAME_OUTCOMES = ["shard", "request", "response", "late", "malformed", "dropped"] as const;
export type FrameOutcome = (typeof FRAME_OUTCOMES)[number];

/** What both directions work with. */
export type Pcp = Pick<PcpParts, "desk" | "transactor" | "log" | "trace" | "settings"> & {
  readonly repository: ReturnType<typeof sessionRepository>;
  readonly turns: ReturnType<typeof inTurn>;
  readonly shards: ReturnType<typeof shardFrames>;
  readonly counters: Readonly<Record<FrameOutcome, CounterChild>>;
  /** Devices that were asked for their version because they may have been told to install, and for which attempt. */
  readonly rechecks: Map<number, Pick<UpgradeOrder, "subTaskNo" | "attempt">>;
  /** Tells the device to install, for the first time or once more: with a message that is stored before it is sent. */
  sendExecute(order: UpgradeOrder, carrier: PcpCarrier): Promise<StepOutcome>;
};

const QUERY_VERSION = encodePlatformMessage({ type: "queryVersionRequest" });
const EXECUTE = encodePlatformMessage({ type: "executeRequest" });

/** Software by PCP (pcp.md, ota.md 8.2), whatever carries it. See docs/upgrades.md. */
export function pcpWay(parts: PcpParts): { readonly link: UpgradeLink; readonly uplink: PcpUplink } {
  const { carriers, links, transactor, clock, log, metrics, settings } = parts;
  const steady = steadyTime(clock);
  const repository = sessionRepository(parts.db);
  const frames = metrics.counter("islet_pcp_frames_total", "Frames of PCP from devices by what became of them");
  const pcp: Pcp = {
    ...parts,
    repository,
    turns: inTurn(),
    shards: shardFrames(parts.contents, settings.shardCacheBytes),
    counters: Object.fromEntries(
      FRAME_OUTCOMES.map((outcome) => [outcome, frames.with({ outcome })]),
    ) as Pcp["counters"],
    rechecks: new Map(),
    sendExecute,
  };
  parts.deviceEvents.on("deviceDeleted", ({ device: { no } }) => {
    repository.removeDevice(no);
    transactor.afterCommit(() => pcp.rechecks.delete(no));
  });

  const carrierOf = (deviceNo: number) => carriers.find((carrier) => carrier.isReachable(deviceNo));
  const linkOf = (deviceNo: number) => links.find((link) => link.registrationOf(deviceNo) !== undefined);

  /** Behind what is to be sent before it; resolves when the device has it. */
  async function inOrder(deviceNo: number, hand: () => Promise<StepOutcome>): Promise<StepOutcome> {
    const { outcome } = await pcp.turns.run(deviceNo, async (): Promise<Handed> => ({ outcome: hand() }));
    return outcome;
  }

  const send = (carrier: PcpCarrier, deviceNo: number, frame: Uint8Array): Promise<StepOutcome> =>
    inOrder(deviceNo, () => carrier.send(deviceNo, frame));

  async function sendExecute(order: UpgradeOrder, carrier: PcpCarrier): Promise<StepOutcome> {
    const { deviceNo, subTaskNo, attempt } = order;
    pcp.rechecks.delete(deviceNo);
    const { outcome } = await pcp.turns.run(deviceNo, async (): Promise<Handed> => {
      if (!carrier.prepare || !carrier.transmit) return { outcome: carrier.send(deviceNo, EXECUTE) };
      const datagram = carrier.prepare(deviceNo, EXECUTE);
      if (!datagram) return { outcome: Promise.resolve("unreachable") };
      const sentAtMs = steady();
      await transactor.write(() => repository.putExecute(deviceNo, { subTaskNo, attempt, datagram, sentAtMs }));
      return { outcome: carrier.transmit(deviceNo, datagram) };
    });
    return outcome;
  }

  /** The same message, while the device knows it again; else it is asked for its version, and that decides. */
  function executeAgain(order: UpgradeOrder, carrier: PcpCarrier): Promise<StepOutcome> {
    const { deviceNo, subTaskNo, attempt } = order;
    const stored = repository.executeOf(deviceNo);
    const ageMs = steady() - (stored?.sentAtMs ?? 0);
    const isOurs = stored?.subTaskNo === subTaskNo && stored.attempt === attempt;
    const { transmit } = carrier;
    if (stored && isOurs && transmit && ageMs >= 0 && ageMs < settings.sameMessageMs)
      return inOrder(deviceNo, () => transmit(deviceNo, stored.datagram));
    pcp.rechecks.set(deviceNo, { subTaskNo, attempt });
    return send(carrier, deviceNo, QUERY_VERSION);
  }

  function announce(order: UpgradeOrder, carrier: PcpCarrier): Promise<StepOutcome> {
    const { deviceNo, package: wanted } = order;
    if (!wanted) return Promise.resolve("unreachable");
    const { version, shardSize, size, checkCode } = wanted;
    try {
      const frame = encodePlatformMessage({
        ...{ type: "newVersionRequest", targetVersion: version, shardSize, packageCheckCode: checkCode },
        shardTotal: shardTotalOf(size, shardSize),
      });
      return send(carrier, deviceNo, frame);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      tell(order, { type: "failed", code: "package", reason: `PCP cannot carry the package: ${error.message}` });
      return Promise.resolve("sent");
    }
  }

  function tell(order: UpgradeOrder, fact: Parameters<UpgradeDesk["tell"]>[2]): void {
    parts.desk
      .tell(order.deviceNo, order, fact)
      .catch((error: unknown) =>
        log.error("upgrade_fact_not_stored", { deviceNo: order.deviceNo, fact: fact.type, error }),
      );
  }

  /** PCP has nothing for it: devices that also have objects are asked there. */
  async function tellRadio(order: UpgradeOrder, reading: Promise<RadioReading>): Promise<StepOutcome> {
    const { outcome, fact } = await reading;
    if (fact) tell(order, fact);
    return outcome;
  }

  async function finish({ deviceNo, subTaskNo }: UpgradeOrder): Promise<StepOutcome> {
    pcp.rechecks.delete(deviceNo);
    await transactor.write(() => repository.dropExecute(deviceNo, subTaskNo));
    return "sent";
  }

  const link: UpgradeLink = {
    way: "pcp",
    isReachable: (deviceNo) => carrierOf(deviceNo) !== undefined,
    async perform(order, step, again) {
      const { deviceNo } = order;
      try {
        if (step === "finish") return await finish(order);
        const carrier = carrierOf(deviceNo);
        if (!carrier) return "unreachable";
        switch (step) {
          case "queryVersion":
            return await send(carrier, deviceNo, QUERY_VERSION);
          case "queryRadio":
            return await tellRadio(order, readRadio(linkOf(deviceNo), deviceNo));
          case "queryCell":
            return await tellRadio(order, readCell(linkOf(deviceNo), deviceNo));
          case "announce":
            return await announce(order, carrier);
          case "execute":
            return await (again ? executeAgain(order, carrier) : sendExecute(order, carrier));
          default:
            return step satisfies never;
        }
      } catch (error) {
        log.error("upgrade_step_failed", { deviceNo, step, error });
        return "noAnswer";
      }
    },
  };
  return { link, uplink: pcpUplink(pcp) };
}

/** In an object, so that nobody waits for it where only its place in the order is wanted. */
type Handed = { readonly outcome: Promise<StepOutcome> };
