import {
  type DeviceMessage,
  decodeDeviceMessage,
  encodePlatformMessage,
  type PlatformMessage,
  RESULT,
  type ShardRequest,
} from "../../../wire/pcp";
import type { UpgradeOrder } from "../upgrade-link";
import type { PcpCarrier, PcpTaken, PcpUplink } from "./pcp-carrier";
import type { Pcp } from "./pcp-way";
import { decide, type Verdict } from "./session";
import { speaksPcp } from "./speaks-pcp";

/** What devices send: told from business data, understood, stored, and answered in this order (pcp.md 6, 7). */
export function pcpUplink(pcp: Pcp): PcpUplink {
  const { desk, repository, turns, transactor, counters, log, settings } = pcp;
  /** Answers under way, by device. */
  const answering = new Map<number, number>();

  const currentOrder = (deviceNo: number): UpgradeOrder | undefined => {
    const order = desk.orderOf(deviceNo);
    return order?.way === "pcp" ? order : undefined;
  };

  function handle(deviceNo: number, message: DeviceMessage, frame: Uint8Array, carrier: PcpCarrier): PcpTaken {
    const order = currentOrder(deviceNo);
    const verdict = decide(order, message, isRechecking(deviceNo, order));
    counters[KINDS[message.type]].add();
    switch (verdict.kind) {
      case "shard":
        soon(() => serveShard(deviceNo, order as UpgradeOrder, message as ShardRequest, carrier));
        return "done";
      case "answer": {
        const resultCode = repeatedResult(deviceNo, frame, verdict.resultCode);
        soon(() => answer(deviceNo, message, resultCode, carrier));
        return "done";
      }
      case "tell":
        return store(deviceNo, order as UpgradeOrder, message, frame.slice(), verdict, carrier);
      case "versionKnown":
        return recheck(order as UpgradeOrder, verdict.version, carrier);
      case "late":
        counters.late.add();
        traced(deviceNo, "pcp_late", `${message.type}, nothing waits for it`);
        return "done";
      default:
        return verdict satisfies never;
    }
  }

  /** Behind the acknowledgement of what it answers, which goes out first where nothing has to be stored. */
  function soon(run: () => void): void {
    queueMicrotask(() => {
      try {
        run();
      } catch (error) {
        log.error("upgrade_answer_failed", { error });
      }
    });
  }

  function isRechecking(deviceNo: number, order: UpgradeOrder | undefined): boolean {
    const wanted = pcp.rechecks.get(deviceNo);
    return order !== undefined && wanted?.subTaskNo === order.subTaskNo && wanted.attempt === order.attempt;
  }

  /** A request that ended an attempt, and whose answer was lost: the task is over, the answer the same. */
  function repeatedResult(deviceNo: number, frame: Uint8Array, resultCode: number): number {
    if (resultCode !== RESULT.noTask) return resultCode;
    const before = repository.answeredOf(deviceNo);
    return before && Buffer.compare(before, frame) === 0 ? RESULT.success : resultCode;
  }

  /**
   * The answer keeps its place before anything that follows from the fact: what is sent because of it (the order to
   * install, say) comes behind it.
   */
  function store(
    deviceNo: number,
    order: UpgradeOrder,
    message: DeviceMessage,
    frame: Uint8Array,
    { fact, then }: Extract<Verdict, { kind: "tell" }>,
    carrier: PcpCarrier,
  ): Promise<void> {
    const isLast = then === "answer" && (fact.type === "failed" || fact.type === "succeeded");
    const stored = Promise.withResolvers<"taken" | "ignored">();
    const done = then === undefined ? stored.promise.then(() => {}) : turns.run(deviceNo, answerWhenStored);
    // In one turn of the event loop, and so in one commit.
    const told = desk.tell(deviceNo, order, fact);
    const noted = isLast ? transactor.write(() => repository.putAnswered(deviceNo, frame)) : undefined;
    Promise.all([told, noted]).then(([outcome]) => stored.resolve(outcome), stored.reject);
    return done;

    async function answerWhenStored(): Promise<void> {
      const outcome = await stored.promise;
      if (outcome === "taken") return reply(RESULT.success);
      // Something has happened meanwhile: the first of two equal messages, mostly. A second look tells.
      const now = currentOrder(deviceNo);
      const verdict = decide(now, message);
      if (isLast) await transactor.write(() => repository.dropAnswered(deviceNo));
      return reply(
        verdict.kind === "shard" ? RESULT.success : verdict.kind === "answer" ? verdict.resultCode : NO_TASK,
      );
    }

    function reply(resultCode: number): void {
      if (message.type === "shardRequest" && resultCode === RESULT.success)
        serveShard(deviceNo, order, message, carrier, "inTurn");
      else hand(deviceNo, encodePlatformMessage(answerTo(message, resultCode)), carrier);
    }
  }

  /** It was told to install, perhaps: it has done so, or has to be told (again). */
  async function recheck(order: UpgradeOrder, version: string, carrier: PcpCarrier): Promise<void> {
    const { deviceNo } = order;
    pcp.rechecks.delete(deviceNo);
    if (version === order.package?.version) {
      await desk.tell(deviceNo, order, { type: "succeeded", version });
      return;
    }
    pcp
      .sendExecute(order, carrier)
      .catch((error: unknown) => log.error("upgrade_step_failed", { deviceNo, step: "execute", error }));
  }

  function serveShard(
    deviceNo: number,
    order: UpgradeOrder,
    request: ShardRequest,
    carrier: PcpCarrier,
    place: "inTurn" | "atEnd" = "atEnd",
  ): void {
    if ((answering.get(deviceNo) ?? 0) >= settings.maxAnswersPerDevice) {
      counters.dropped.add(); // it asks again
      return;
    }
    let frame: Uint8Array;
    try {
      frame = pcp.shards.of(order.package as NonNullable<UpgradeOrder["package"]>, request.shardIndex);
    } catch (error) {
      log.error("upgrade_package_not_read", { deviceNo, package: order.package?.fileId, error });
      frame = encodePlatformMessage(answerTo(request, RESULT.noTask));
    }
    if (place === "inTurn") hand(deviceNo, frame, carrier);
    else handInOrder(deviceNo, frame, carrier);
  }

  function answer(deviceNo: number, message: DeviceMessage, resultCode: number, carrier: PcpCarrier): void {
    if ((answering.get(deviceNo) ?? 0) >= settings.maxAnswersPerDevice) counters.dropped.add();
    else handInOrder(deviceNo, encodePlatformMessage(answerTo(message, resultCode)), carrier);
  }

  /** Behind what waits for its place, which is nothing nearly always. */
  function handInOrder(deviceNo: number, frame: Uint8Array, carrier: PcpCarrier): void {
    if (!turns.isBusy(deviceNo)) hand(deviceNo, frame, carrier);
    else void turns.run(deviceNo, async () => hand(deviceNo, frame, carrier));
  }

  /** What does not arrive is asked for again. */
  function hand(deviceNo: number, frame: Uint8Array, carrier: PcpCarrier): void {
    answering.set(deviceNo, (answering.get(deviceNo) ?? 0) + 1);
    const over = () => {
      const left = (answering.get(deviceNo) ?? 1) - 1;
      if (left > 0) answering.set(deviceNo, left);
      else answering.delete(deviceNo);
    };
    carrier.send(deviceNo, frame).then(over, over);
  }

  function traced(deviceNo: number, reason: string, detail: string): void {
    pcp.trace.record({ deviceNo, kind: "report", outcome: "failed", reason, detail });
  }

  return {
    take(device, payload, carrier) {
      // The cheap check first: nearly everything is business data.
      if (payload[0] !== 0xff || payload[1] !== 0xfe || !speaksPcp(device)) return "business";
      const decoded = decodeDeviceMessage(payload);
      switch (decoded.kind) {
        case "notPcp":
          return "business";
        case "malformed":
          counters.malformed.add();
          traced(device.no, "pcp_malformed", `code ${decoded.code}: ${decoded.reason} at byte ${decoded.offset}`);
          return "done";
        case "message":
          return handle(device.no, decoded.message, payload, carrier);
        default:
          return decoded satisfies never;
      }
    },
  };
}

const KINDS = {
  shardRequest: "shard",
  downloadResultRequest: "request",
  upgradeResultRequest: "request",
  queryVersionResponse: "response",
  newVersionResponse: "response",
  executeResponse: "response",
} as const satisfies Record<DeviceMessage["type"], string>;

/** Of requests; what a device answers is not answered. */
function answerTo(message: DeviceMessage, resultCode: number): PlatformMessage {
  switch (message.type) {
    case "shardRequest":
      return { type: "shardResponse", resultCode, shardIndex: message.shardIndex, data: NOTHING };
    case "upgradeResultRequest":
      return { type: "upgradeResultResponse", resultCode };
    default:
      return { type: "downloadResultResponse", resultCode };
  }
}
const NO_TASK = RESULT.noTask;
const NOTHING = new Uint8Array(0);
