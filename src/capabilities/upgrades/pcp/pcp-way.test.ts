import { beforeEach, describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../../migrations";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { groupCommit } from "../../../platform/storage/group-commit";
import { openDatabase } from "../../../platform/storage/open-database";
import { manualClock } from "../../../platform/testing/manual-clock";
import { type DeviceMessage, decodePlatformMessage, encodeDeviceMessage } from "../../../wire/pcp";
import type { Device, DeviceEvents, LiveDevice } from "../../devices/device";
import { fakeResourceLink, settle as turn } from "../../resources/testing/fake-link";
import { fakeDesk, sampleOrder, samplePackage } from "../testing/fake-desk";
import type { Stage, StepOutcome, UpgradeOrder, UpgradeStep } from "../upgrade-link";
import type { PcpCarrier } from "./pcp-carrier";
import { pcpWay } from "./pcp-way";
import { PCP_DEFAULTS, type PcpSettings } from "./settings";

const PACKAGE = samplePackage({ kind: "software", size: 70, shardSize: 32 });
const CONTENT = Uint8Array.from({ length: 70 }, (_, at) => at);
const device = (om: unknown, no = 1) =>
  ({ no, product: om === undefined ? undefined : { product: { omCapability: om } } }) as unknown as LiveDevice;
const PCP_PRODUCT = { upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "PCP" } };
const settle = async () => {
  for (let at = 0; at < 5; at++) await turn();
};

/** `db`: that of an earlier process. */
function start({
  db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS }),
  settings = {} as Partial<PcpSettings>,
} = {}) {
  const clock = manualClock();
  const desk = fakeDesk();
  const links = fakeResourceLink();
  const deviceEvents = eventBus<DeviceEvents>();
  const transactor = groupCommit(db);
  const sent: string[] = [];
  const traces: string[] = [];
  const reads: number[] = [];
  let made = 0;
  const state = { reachable: true, outcome: "sent" as StepOutcome | Promise<StepOutcome>, storesMessages: true };
  const note = (frame: Uint8Array, prefix = "") => {
    const decoded = decodePlatformMessage(frame);
    if (decoded.kind !== "message") throw new Error("not what a platform sends");
    const { type, ...fields } = decoded.message;
    const text = Object.entries(fields).map(([name, value]) => (name === "data" ? `${value.length} bytes` : value));
    sent.push([`${prefix}${type}`, ...text].join(" "));
  };
  const carrier: PcpCarrier = {
    isReachable: () => state.reachable,
    async send(_deviceNo, frame) {
      note(frame);
      return state.outcome;
    },
  };
  const storing: PcpCarrier = {
    ...carrier,
    prepare: (_deviceNo, frame) => Uint8Array.of(++made, ...frame),
    async transmit(_deviceNo, datagram) {
      note(datagram.slice(1), `#${datagram[0]} `);
      return state.outcome;
    },
  };
  const carriers = [storing];
  const way = pcpWay({
    ...{ desk: desk.desk, carriers, links: [links.link], db, transactor, deviceEvents, clock, log: silentLog },
    contents: {
      read(_no, offset, length) {
        reads.push(offset);
        return CONTENT.slice(offset, offset + length);
      },
    },
    metrics: createMetrics(),
    trace: { record: ({ reason }) => void traces.push(reason) },
    settings: { ...PCP_DEFAULTS, ...settings },
  });
  const order = (stage: Stage, change: Partial<UpgradeOrder> = {}) => {
    const it = sampleOrder({ way: "pcp", kind: "software", package: PACKAGE, stage, ...change });
    desk.set(it);
    return it;
  };
  return {
    ...{ db, clock, desk, links, way, traces, reads, order, state, carriers, deviceEvents, transactor },
    /** What was sent since the last call. */
    sent: () => sent.splice(0),
    async perform(step: UpgradeStep, stage: Stage, again = false, change: Partial<UpgradeOrder> = {}) {
      const outcome = await way.link.perform(order(stage, change), step, again);
      await settle();
      return outcome;
    },
    /** Resolves with what became of it, when it is stored. */
    async say(message: DeviceMessage, from = device(PCP_PRODUCT)) {
      const taken = way.uplink.take(from, encodeDeviceMessage(message), carriers[0] as PcpCarrier);
      const outcome =
        taken instanceof Promise
          ? await taken.then(
              () => "stored",
              () => "lost",
            )
          : taken;
      await settle();
      return outcome;
    },
    withoutMessages() {
      carriers[0] = carrier;
    },
  };
}
let it: ReturnType<typeof start>;
beforeEach(() => {
  it = start();
});
const shard = (shardIndex: number): DeviceMessage => ({ type: "shardRequest", targetVersion: "V2.0", shardIndex });
const DOWNLOADED: DeviceMessage = { type: "downloadResultRequest", downloadStatus: 0 };
const ended = (resultCode = 0, currentVersion = "V2.0"): DeviceMessage => ({
  ...{ type: "upgradeResultRequest", resultCode, currentVersion },
});
const version = (currentVersion: string): DeviceMessage => ({
  ...{ type: "queryVersionResponse", resultCode: 0, currentVersion },
});

describe("recognition", () => {
  const frame = encodeDeviceMessage(DOWNLOADED);
  const take = (payload: Uint8Array, om: unknown) =>
    it.way.uplink.take(device(om), payload, it.carriers[0] as PcpCarrier);

  test.each([
    ["a product without a word on upgrades", undefined],
    ["nothing declared", null],
    ["no software upgrade", {}],
    ["software upgrade switched off", { upgradeCapability: { supportUpgrade: false, upgradeProtocolType: "PCP" } }],
    ["another protocol", { upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "LWM2M" } }],
    ["firmware upgrade only", { fwUpgradeCapability: { supportUpgrade: true, upgradeProtocolType: "LWM2M" } }],
  ])("finds business data with %s", (_name, om) => expect(take(frame, om)).toBe("business"));

  test("finds business data where a frame breaks off, or is none", () => {
    const others = [frame.slice(0, 7), frame.with(5, 0), frame.with(0, 0), new Uint8Array(0), Uint8Array.of(0xff)];
    expect(others.map((payload) => take(payload, PCP_PRODUCT))).toEqual(Array(5).fill("business"));
  });

  test("drops what is PCP but says nothing, with a trace", () => {
    const malformed = Uint8Array.fromHex("FFFE0113AD8D00120056302E3900000000000000000000000000"); // vector N15
    expect([take(malformed, PCP_PRODUCT), it.traces, it.sent()]).toEqual(["done", ["pcp_malformed"], []]);
  });
});

describe("a session", () => {
  test("goes from the version to the result, and answers what is stored", async () => {
    expect(await it.perform("queryVersion", "version")).toBe("sent");
    expect(await it.say(version("V1.0"))).toBe("stored");
    expect(await it.perform("announce", "announcing")).toBe("sent");
    expect(await it.say({ type: "newVersionResponse", resultCode: 0 })).toBe("stored");
    it.order("downloading");
    for (const index of [2, 0, 1, 1]) expect(await it.say(shard(index))).toBe("done");
    expect(await it.say(DOWNLOADED)).toBe("stored");
    expect(await it.perform("execute", "executing")).toBe("sent");
    expect(await it.say({ type: "executeResponse", resultCode: 0 })).toBe("stored");
    it.order("updating");
    expect(await it.say(ended())).toBe("stored");
    expect(it.sent()).toEqual([
      "queryVersionRequest",
      "newVersionRequest V2.0 32 3 4660",
      ...["shardResponse 0 2 6 bytes", "shardResponse 0 0 32 bytes"],
      ...["shardResponse 0 1 32 bytes", "shardResponse 0 1 32 bytes"],
      "downloadResultResponse 0",
      "#1 executeRequest",
      "upgradeResultResponse 0",
    ]);
    expect(it.desk.facts()).toEqual(["version V1.0", "accepted", "downloaded", "updating", "succeeded V2.0"]);
    expect(it.reads).toEqual([64, 0, 32]);
  });

  test("takes the first shard request for consent, and serves it when that is stored", async () => {
    it.order("announcing");
    const stored = Promise.withResolvers<"taken">();
    it.desk.answer(() => stored.promise);
    const said = it.say(shard(0));
    await settle();
    expect(it.sent()).toEqual([]);
    stored.resolve("taken");
    expect([await said, it.sent(), it.desk.facts()]).toEqual(["stored", ["shardResponse 0 0 32 bytes"], ["accepted"]]);
  });

  test("answers before it goes on, though what goes on was stored in the same moment", async () => {
    const order = it.order("downloading");
    it.desk.answer(async () => {
      // As the runner does it: the order is another before whoever told hears of it.
      it.order("executing");
      void it.way.link.perform({ ...order, stage: "executing" }, "execute", false);
      return "taken" as const;
    });
    await it.say(DOWNLOADED);
    expect(it.sent()).toEqual(["downloadResultResponse 0", "#1 executeRequest"]);
  });

  test("answers repetitions the same way, and they change nothing", async () => {
    it.order("executing");
    expect([await it.say(DOWNLOADED), await it.say(DOWNLOADED), it.desk.facts()]).toEqual(["done", "done", []]);
    it.order("updating");
    await it.say(ended(10, "V1.0"));
    it.desk.orders.delete(1); // the attempt has failed
    expect(await it.say(ended(10, "V1.0"))).toBe("done");
    expect(await it.say(ended(10, "V1.1"))).toBe("done"); // another one
    expect(it.sent()).toEqual([
      ...["downloadResultResponse 0", "downloadResultResponse 0"],
      ...["upgradeResultResponse 0", "upgradeResultResponse 0", "upgradeResultResponse 128"],
    ]);
    expect(it.desk.facts()).toEqual(["failed 0A: upgrade package installation failure"]);
  });

  test("answers a repetition the same way after a restart, unless the device is gone", async () => {
    it.order("updating");
    await it.say(ended());
    const later = start({ db: it.db });
    await later.say(ended());
    await later.transactor.write(() => later.deviceEvents.emit("deviceDeleted", { device: { no: 1 } as Device }));
    await later.say(ended());
    expect(later.sent()).toEqual(["upgradeResultResponse 0", "upgradeResultResponse 128"]);
  });

  test("has no task for what the desk does not take", async () => {
    it.order("announcing");
    it.desk.answer(() => "ignored");
    for (const message of [shard(0), DOWNLOADED, ended()]) expect(await it.say(message)).toBe("stored");
    it.desk.orders.delete(1);
    await it.say(ended());
    expect(it.sent()).toEqual([
      ...["shardResponse 128 0 0 bytes", "downloadResultResponse 128"],
      ...["upgradeResultResponse 128", "upgradeResultResponse 128"],
    ]);
  });

  test("answers the second of two equal messages like the first one", async () => {
    it.order("announcing");
    it.desk.answer(() => {
      it.order("downloading");
      return "ignored";
    });
    await it.say(shard(1));
    it.desk.answer(() => {
      it.order("executing");
      return "ignored";
    });
    await it.say(DOWNLOADED);
    expect(it.sent()).toEqual(["shardResponse 0 1 32 bytes", "downloadResultResponse 0"]);
  });

  test("does not answer, and does not acknowledge, what the disk did not take", async () => {
    it.order("downloading");
    it.desk.answer(() => Promise.reject(new Error("full")));
    expect([await it.say(DOWNLOADED), it.sent()]).toEqual(["lost", []]);
    it.desk.answer(() => "taken");
    expect([await it.say(DOWNLOADED), it.sent()]).toEqual(["stored", ["downloadResultResponse 0"]]);
  });

  test("drops and traces responses that nobody waits for", async () => {
    it.order("downloading");
    expect(await it.say({ type: "executeResponse", resultCode: 0 })).toBe("done");
    it.order("executing", { way: "mqtt" });
    expect(await it.say({ type: "executeResponse", resultCode: 0 })).toBe("done");
    expect([it.traces, it.sent(), it.desk.facts()]).toEqual([["pcp_late", "pcp_late"], [], []]);
  });

  test("bounds the answers on their way to one device", async () => {
    it = start({ settings: { maxAnswersPerDevice: 2 } });
    const acknowledged = Promise.withResolvers<StepOutcome>();
    it.state.outcome = acknowledged.promise;
    it.order("downloading");
    for (const index of [0, 1, 2, 0]) await it.say(shard(index));
    expect(it.sent()).toHaveLength(2);
    acknowledged.resolve("sent");
    await settle();
    await it.say(shard(2));
    expect(it.sent()).toHaveLength(1);
  });

  test("reads each shard once for all devices, and keeps as many as it may", async () => {
    it = start({ settings: { shardCacheBytes: 400 } });
    for (const deviceNo of [1, 2]) it.order("downloading", { deviceNo });
    for (const deviceNo of [1, 2]) for (const at of [0, 1]) await it.say(shard(at), device(PCP_PRODUCT, deviceNo));
    expect(it.reads).toEqual([0, 32]);
    for (const at of [2, 0, 1]) await it.say(shard(at)); // two fit
    expect(it.reads).toEqual([0, 32, 64, 0, 32]);
  });
});

describe("the order to install", () => {
  test("is the very same message while the device knows it again, also after a restart", async () => {
    await it.perform("execute", "executing");
    await it.perform("execute", "executing", true);
    expect(it.sent()).toEqual(["#1 executeRequest", "#1 executeRequest"]);
    const later = start({ db: it.db });
    await later.perform("execute", "executing", true);
    expect(later.sent()).toEqual(["#1 executeRequest"]);
  });

  test.each([
    ["after that", (at: typeof it) => at.clock.advance(PCP_DEFAULTS.sameMessageMs), {}],
    ["of an earlier attempt", async () => {}, { attempt: 2 }],
    ["of another task", async () => {}, { subTaskNo: 8 }],
    ["where messages are not known again", async (at: typeof it) => at.withoutMessages(), {}],
  ])("%s follows a question for the version", async (_name, before, change) => {
    await it.perform("execute", "executing");
    it.sent();
    await before(it);
    expect(await it.perform("execute", "executing", true, change)).toBe("sent");
    expect(it.sent()).toEqual(["queryVersionRequest"]);
    expect(await it.say(version("V1.0"))).toBe("stored");
    expect(it.sent()).toMatchObject([expect.stringContaining("executeRequest")]);
    expect(await it.say(version("V1.0"))).toBe("done"); // a repetition
    expect([it.sent(), it.desk.facts(), it.traces]).toEqual([[], [], ["pcp_late"]]);
  });

  test("is not given to a device that has installed by then", async () => {
    it.withoutMessages();
    await it.perform("execute", "executing");
    await it.perform("execute", "executing", true);
    await it.say(version("V2.0"));
    expect(it.sent()).toEqual(["executeRequest", "queryVersionRequest"]);
    expect(it.desk.facts()).toEqual(["succeeded V2.0"]);
  });

  test("is forgotten with its attempt", async () => {
    await it.perform("execute", "executing");
    expect(await it.perform("finish", "updating")).toBe("sent");
    expect(it.db.query("SELECT count(*) AS n FROM pcp_execute").get()).toEqual({ n: 0 });
  });
});

describe("a step", () => {
  test("does not reach a device that is not there, or does not acknowledge", async () => {
    it.state.outcome = "noAnswer";
    expect([await it.perform("queryVersion", "version"), await it.perform("execute", "executing")]).toEqual([
      ...["noAnswer", "noAnswer"],
    ] as StepOutcome[]);
    it.state.reachable = false;
    expect([await it.perform("announce", "announcing"), it.way.link.isReachable(1)]).toEqual(["unreachable", false]);
    expect(await it.perform("finish", "announcing")).toBe("sent");
  });

  test("asks the objects for the radio, where there are some", async () => {
    await it.perform("queryRadio", "radio");
    it.links.register(1, { objects: [{ objectId: 4, instanceIds: [0] }] });
    it.links.behaveAs(({ path }) =>
      path.length === 2
        ? { kind: "noAnswer" }
        : { kind: "done", node: { kind: "resource", id: 8, value: { type: "integer", value: 4711 } } },
    );
    expect([await it.perform("queryRadio", "radio"), await it.perform("queryCell", "cell")]).toEqual([
      "noAnswer",
      "sent",
    ]);
    it.links.register(1, { style: "tup" });
    await it.perform("queryCell", "cell");
    const none = "radio undefined undefined undefined";
    expect(it.desk.facts()).toEqual([none, "radio 4711 undefined undefined", "noRadio"]);
  });

  test("that PCP cannot carry fails the attempt with the reason", async () => {
    const wanted = samplePackage({ version: "V2.0-with-a-very-long-name" });
    expect(await it.perform("announce", "announcing", false, { package: wanted })).toBe("sent");
    expect(it.desk.facts()[0]).toStartWith("failed package: PCP cannot carry the package");
  });
});
