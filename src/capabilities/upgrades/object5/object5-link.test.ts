import { beforeEach, describe, expect, test } from "bun:test";
import { eventBus } from "../../../platform/events";
import { silentLog } from "../../../platform/log";
import { manualClock } from "../../../platform/testing/manual-clock";
import type { BlockBody } from "../../../wire/coap";
import type { LwM2mPath } from "../../../wire/lwm2m";
import type { ContactEvents } from "../../devices/device";
import type { ResourceAnswer, ResourceEvents } from "../../resources/resource-link";
import { fakeResourceLink, settle as turn } from "../../resources/testing/fake-link";
import { fakeDesk, sampleOrder, samplePackage } from "../testing/fake-desk";
import type { Stage, UpgradeOrder, UpgradeStep } from "../upgrade-link";
import { object5Way } from "./object5-link";
import type { PushOutcome } from "./package-push";
import { firmwareDevice, number, one } from "./testing/firmware-device";

const URI = "coap://192.0.2.9:5683/ota/t0ken";
const settle = async () => {
  for (let at = 0; at < 10; at++) await turn();
};

function start() {
  const clock = manualClock();
  const fake = fakeResourceLink();
  const device = firmwareDevice();
  const desk = fakeDesk();
  const contacts = eventBus<ContactEvents>();
  const resourceEvents = eventBus<ResourceEvents>();
  const pushes: { body: BlockBody; start: number; signal: AbortSignal; end(outcome: PushOutcome): void }[] = [];
  const elsewhere = new Set<string>();
  const contents = { read: (_no: number, offset: number, length: number) => new Uint8Array(length).fill(offset) };
  const schemes = new Set(["coap", "coaps"]);
  fake.register(1, { objects: [{ objectId: 5, instanceIds: [0] }] });
  fake.wake(1);
  fake.behaveAs((request) => device.answer(request));
  const way = object5Way({
    ...{ desk: desk.desk, contents, links: [fake.link], contacts, resourceEvents, clock, log: silentLog },
    pushes: [
      {
        push(_deviceNo, _path, body, from, signal) {
          const { promise, resolve } = Promise.withResolvers<PushOutcome>();
          pushes.push({ body, start: from, signal, end: resolve });
          signal.addEventListener("abort", () => resolve({ kind: "brokenOff", why: "cancelled" }));
          return promise;
        },
      },
    ],
    isWantedElsewhere: (_no, path) => elsewhere.has(path.join("/")),
    uriOf: (scheme, { token }) => (schemes.has(scheme) ? `${scheme}://192.0.2.9:5683/ota/${token}` : undefined),
    trace: { record() {} },
    settings: { lookMs: 60_000, maxRewrites: 2 },
  });
  const order = (stage: Stage, change: Partial<UpgradeOrder> = {}) => {
    const made = sampleOrder({ stage, ...change });
    desk.set(made);
    return made;
  };
  return {
    ...{ clock, fake, device, desk, way, pushes, elsewhere, schemes, contents, order },
    perform: async (step: UpgradeStep, stage: Stage, again = false) => {
      const outcome = await way.link.perform(order(stage), step, again);
      await settle();
      return outcome;
    },
    async heard() {
      contacts.emit("deviceHeard", { deviceNo: 1, hasMore: false });
      await settle();
    },
    async observed(path: LwM2mPath, value: number) {
      resourceEvents.emit("observed", { deviceNo: 1, path, node: number(path[2] as number, value) });
      await settle();
    },
    /** Announced, with nothing noted so far. */
    async downloading() {
      await this.perform("announce", "announcing");
      order("downloading");
      device.log();
      desk.facts();
    },
  };
}
let it: ReturnType<typeof start>;
beforeEach(() => {
  it = start();
});
const NO_ANSWER = (): ResourceAnswer => ({ kind: "noAnswer" });

describe("the version", () => {
  test("is read and told", async () => {
    expect(await it.perform("queryVersion", "version")).toBe("sent");
    expect([it.device.log(), it.desk.facts()]).toEqual([["read /3/0/3"], ["version V1.0"]]);
  });

  test("that the device does not tell ends the attempt with its words", async () => {
    it.device.instead = () => ({ kind: "refused", code: "4.04", detail: undefined });
    expect(await it.perform("queryVersion", "version")).toBe("sent");
    expect(it.desk.facts()).toEqual(["versionFailed: the firmware version cannot be read: 4.04"]);
  });

  test("is not told by a device that does not answer, or is not there", async () => {
    it.device.instead = NO_ANSWER;
    expect(await it.perform("queryVersion", "version")).toBe("noAnswer");
    it.fake.deregister(1);
    expect([await it.perform("queryVersion", "version"), it.way.link.isReachable(1)]).toEqual(["unreachable", false]);
    it.fake.register(1, { style: "tup" });
    expect([await it.perform("queryVersion", "version"), it.way.link.isReachable(1)]).toEqual(["unreachable", false]);
    expect(it.desk.facts()).toEqual([]);
  });
});

describe("the radio", () => {
  const radio = (...resources: [number, number][]): ResourceAnswer => ({
    kind: "done",
    node: { kind: "objectInstance", id: 0, resources: resources.map(([id, value]) => number(id, value)) },
  });
  beforeEach(() => it.fake.register(1, { objects: [4, 5].map((objectId) => ({ objectId, instanceIds: [0] })) }));

  test.each([
    ["cell, RSRP and SINR", radio([2, -101], [8, 4711], [11, 9], [3, 1]), "radio 4711 -101 9"],
    ["link quality where there is no SINR", radio([2, -101], [8, 4711], [3, -4]), "radio 4711 -101 -4"],
    ["what there is", radio([8, 4711]), "radio 4711 undefined undefined"],
    ["nothing", { kind: "refused", code: "4.05", detail: undefined } as const, "radio undefined undefined undefined"],
  ])("tells %s", async (_name, answer, fact) => {
    it.device.instead = () => answer;
    expect([await it.perform("queryRadio", "radio"), it.desk.facts(), it.device.log()]).toEqual([
      "sent",
      [fact],
      ["read /4/0"],
    ]);
  });

  test("has a cell that can be asked for alone", async () => {
    it.device.instead = () => ({ kind: "done", node: number(8, 4711) });
    expect([await it.perform("queryCell", "cell"), it.desk.facts(), it.device.log()]).toEqual([
      "sent",
      ["radio 4711 undefined undefined"],
      ["read /4/0/8"],
    ]);
  });

  test("of a device without the object is unknown without a question, and of a silent one later", async () => {
    it.device.instead = NO_ANSWER;
    expect([await it.perform("queryRadio", "radio"), it.desk.facts()]).toEqual(["noAnswer", []]);
    it.device.log();
    it.fake.register(1, { objects: [{ objectId: 5, instanceIds: [0] }] });
    expect([await it.perform("queryRadio", "radio"), await it.perform("queryCell", "cell")]).toEqual(["sent", "sent"]);
    expect([it.desk.facts(), it.device.log()]).toEqual([Array(2).fill("radio undefined undefined undefined"), []]);
  });
});

describe("the announcement", () => {
  test("observes first, and then writes where the package is", async () => {
    expect(await it.perform("announce", "announcing")).toBe("sent");
    expect(it.device.log()).toEqual(["read /5/0", "observe /5/0/3", "observe /5/0/5", `write /5/0/1 "${URI}"`]);
    expect(it.desk.facts()).toEqual(["accepted"]);
  });

  test("clears away what is there of an earlier one, and does not take it for ours", async () => {
    Object.assign(it.device, { state: 2, result: 8, uri: "coap://other/x" });
    const announced = it.perform("announce", "announcing");
    await it.observed([5, 0, 3], 2); // of the other package
    expect(await announced).toBe("sent");
    expect(it.device.log()).toEqual([
      ...["read /5/0", 'write /5/0/1 ""', "read /5/0/3", "read /5/0/5"],
      ...["observe /5/0/3", "observe /5/0/5", `write /5/0/1 "${URI}"`],
    ]);
    expect(it.desk.facts()).toEqual(["accepted"]);
  });

  test("reads the two values of a device that does not give the whole object away", async () => {
    it.device.hasWhole = false;
    expect(await it.perform("announce", "announcing")).toBe("sent");
    expect(it.device.log().slice(0, 3)).toEqual(["read /5/0", "read /5/0/3", "read /5/0/5"]);
    expect(it.desk.facts()).toEqual(["accepted"]);
  });

  test("fails for a device that stays in its state, or installs something", async () => {
    it.device.state = 2;
    it.device.instead = ({ op }) => (op === "write" ? { kind: "refused", code: "4.00", detail: undefined } : undefined);
    await it.perform("announce", "announcing");
    it.device.state = 3;
    await it.perform("announce", "announcing");
    expect(it.desk.facts()).toEqual([
      "failed state 2: the device cannot be brought back from its firmware state 2",
      "failed state 3: the device is installing other firmware",
    ]);
    expect(it.device.log().filter((line) => line.includes("coap"))).toEqual([]);
  });

  test("that is refused fails with the device's code", async () => {
    it.device.instead = ({ op }) => (op === "write" ? { kind: "refused", code: "4.05", detail: undefined } : undefined);
    expect(await it.perform("announce", "announcing")).toBe("sent");
    expect(it.desk.facts()).toEqual(["failed 4.05: Invalid URI: the device refused it with 4.05"]);
  });

  test("made again finds a device that is at it, and writes nothing", async () => {
    Object.assign(it.device, { state: 1, uri: URI });
    expect(await it.perform("announce", "announcing", true)).toBe("sent");
    expect(it.device.log()).toEqual(["read /5/0", "observe /5/0/3", "observe /5/0/5"]);
    expect(it.desk.facts()).toEqual(["accepted", "downloading"]);
  });

  test.each([
    ["plain", false, undefined, undefined, URI],
    ["secure", true, undefined, undefined, URI.replace("coap:", "coaps:")],
    ["secure, knows CoAP only", true, [0], 0, URI],
    ["knows HTTP only, which is not offered", false, [2], 0, undefined],
    ["both ways, but no scheme of ours", false, [2], 2, "push"],
    ["push only", false, [0], 1, "push"],
  ] as const)("to a device that is %s", async (_name, isSecure, protocols, delivery, expected) => {
    it.fake.register(1, { isSecure });
    Object.assign(it.device, { protocols, delivery });
    void it.perform("announce", "announcing");
    await settle();
    if (expected === "push") expect(it.pushes).toHaveLength(1);
    else if (expected) expect(it.device.uri).toBe(expected);
    else expect(it.desk.facts()).toEqual(["failed 9: Unsupported protocol"]);
  });

  test("goes by HTTP where that is offered and wanted", async () => {
    it.schemes.add("http");
    it.device.protocols = [2, 3];
    await it.perform("announce", "announcing");
    expect(it.device.uri).toBe("http://192.0.2.9:5683/ota/t0ken");
  });

  test("takes 8 for the delivery method where there is no 9", async () => {
    it.device.singleEight = 1;
    void it.perform("announce", "announcing");
    await settle();
    expect(it.pushes).toHaveLength(1);
  });
});

describe("what the device lets know", () => {
  beforeEach(() => it.downloading());

  test("comes by observation, step by step", async () => {
    for (const state of [1, 2]) await it.observed([5, 0, 3], state);
    it.device.state = 2;
    expect(await it.perform("execute", "executing")).toBe("sent");
    it.order("updating");
    await it.observed([5, 0, 3], 3);
    it.device.result = 1;
    it.device.state = 0;
    await it.observed([5, 0, 3], 0);
    expect(it.desk.facts()).toEqual(["downloading", "downloaded", "updating", "succeeded undefined"]);
  });

  test.each([
    [2, "Not enough storage for the new firmware package"],
    [3, "Out of memory during downloading process"],
    [4, "Connection lost during downloading process"],
    [5, "Integrity check failure for new downloaded package"],
    [6, "Unsupported package type"],
    [7, "Invalid URI"],
    [8, "Firmware update failed"],
    [9, "Unsupported protocol"],
    [77, "unknown update result 77"],
  ])("is a failure with result %d", async (result, text) => {
    await it.observed([5, 0, 5], result);
    expect(it.desk.facts()).toEqual([`failed ${result}: ${text}`]);
  });

  test("is read when it was lost, once the device is heard", async () => {
    it.device.state = 2;
    await it.clock.advance(60_000);
    await it.heard();
    await it.heard(); // not again so soon
    expect(it.device.log()).toEqual(["read /5/0/3", "read /5/0/5"]);
    expect(it.desk.facts()).toEqual(["downloaded"]);
  });

  test("is read from time to time of a device that only listens", async () => {
    it.device.state = 1;
    await it.clock.advance(60_000);
    await settle();
    expect(it.desk.facts()).toEqual(["downloading"]);
    it.fake.sleep(1);
    it.device.log();
    await it.clock.advance(120_000);
    await settle();
    expect(it.device.log()).toEqual([]);
  });

  test("is read after a restart in the middle; a download that it has lost is told again, so often", async () => {
    for (let restart = 1; restart <= 3; restart++) {
      Object.assign(it.device, { state: 0, uri: "" });
      it.fake.register(1, { registeredAtMs: 1_000 + restart });
      await it.heard();
    }
    const writes = it.device.log().filter((line) => line === `write /5/0/1 "${URI}"`);
    expect([writes.length, it.desk.facts()]).toEqual([2, ["accepted", "accepted"]]);
  });

  test("is awaited while a device that was told has not begun", async () => {
    await it.clock.advance(60_000);
    await it.heard();
    expect(it.device.log().filter((line) => line.startsWith("write"))).toEqual([]);
  });

  test("does not count with values of other resources, other attempts and no order", async () => {
    await it.observed([3, 0, 9], 2);
    it.desk.orders.delete(1);
    await it.observed([5, 0, 3], 2);
    it.order("downloading", { way: "pcp" });
    await it.observed([5, 0, 3], 2);
    expect(it.desk.facts()).toEqual([]);
  });

  test("a result that was there before the download says nothing about it", async () => {
    it = start();
    it.device.result = 8;
    it.device.instead = ({ op, path }) =>
      op === "read" && path[2] === 5 ? { kind: "done", node: number(5, 8) } : undefined;
    await it.downloading();
    await it.observed([5, 0, 5], 8);
    expect(it.desk.facts()).toEqual([]);
    await it.observed([5, 0, 3], 1);
    await it.observed([5, 0, 5], 8);
    expect(it.desk.facts()).toEqual(["downloading", "failed 8: Firmware update failed"]);
  });
});

describe("a process that came after", () => {
  test("looks at the device, and has it observed again", async () => {
    Object.assign(it.device, { state: 2, uri: URI });
    it.order("downloading");
    await it.heard();
    expect(it.device.log().slice(0, 4)).toEqual(["read /5/0/3", "read /5/0/5", "observe /5/0/3", "observe /5/0/5"]);
    expect(it.desk.facts()).toEqual(["downloaded"]);
  });

  test("tells a device of its download that does not know of it", async () => {
    it.order("downloading");
    await it.heard();
    expect(it.device.uri).toBe(URI);
    expect(it.desk.facts()).toEqual(["accepted"]);
  });

  test("is asked for what is to be observed after a registration", () => {
    it.order("slot");
    expect(it.way.wantedObservations(1)).toEqual([]);
    it.order("updating");
    expect(it.way.wantedObservations(1)).toEqual([
      [5, 0, 3],
      [5, 0, 5],
    ]);
  });
});

describe("the order to install", () => {
  test("is given once; again only to a device that still waits", async () => {
    it.device.state = 2;
    expect(await it.perform("execute", "executing")).toBe("sent");
    expect(it.device.log()).toEqual(["execute /5/0/2"]);
    expect(await it.perform("execute", "executing", true)).toBe("sent");
    expect(it.device.log()).toEqual(["read /5/0/3", "read /5/0/5"]);
    expect(it.desk.facts()).toEqual(["updating"]);
    it.device.state = 2;
    expect(await it.perform("execute", "executing", true)).toBe("sent");
    expect(it.device.log()).toEqual(["read /5/0/3", "read /5/0/5", "execute /5/0/2"]);
  });

  test.each([
    [{ state: 0, result: 1 }, ["succeeded undefined"]],
    [{ state: 0, result: 8 }, ["failed 8: Firmware update failed"]],
    [{ state: 2, result: 5 }, ["failed 5: Integrity check failure for new downloaded package"]],
    [{ state: 0, result: 0 }, []],
  ])("is not given again to a device that says %j", async (said, facts) => {
    Object.assign(it.device, said);
    expect(await it.perform("execute", "executing", true)).toBe("sent");
    expect(it.device.log()).not.toContain("execute /5/0/2");
    expect(it.desk.facts()).toEqual(facts);
  });

  test.each([
    [{ state: 0, result: 1 }, ["succeeded undefined"]],
    [{ state: 3, result: 0 }, ["updating"]],
    [{ state: 0, result: 8 }, ["failed 8: Firmware update failed"]],
  ])("that comes again to a device that has restarted, and says %j, is no refusal", async (said, facts) => {
    Object.assign(it.device, said);
    expect(await it.perform("execute", "executing")).toBe("sent");
    expect(it.device.log()).toEqual(["execute /5/0/2", "read /5/0/3", "read /5/0/5"]);
    expect(it.desk.facts()).toEqual(facts);
  });

  test("is refused, or gets no answer", async () => {
    expect(await it.perform("execute", "executing")).toBe("sent");
    expect(it.desk.facts()).toEqual(["failed 4.05: the device refused to install the firmware: 4.05"]);
    it.device.instead = NO_ANSWER;
    expect([await it.perform("execute", "executing"), await it.perform("execute", "executing", true)]).toEqual([
      "noAnswer",
      "noAnswer",
    ]);
  });
});

describe("the end", () => {
  test("ends the observations and resets the device", async () => {
    await it.downloading();
    expect(await it.perform("finish", "updating")).toBe("sent");
    expect(it.device.log()).toEqual([
      ...["cancelObserve /5/0/3", "cancelObserve /5/0/5", "read /5/0/3", 'write /5/0/1 ""'],
    ]);
  });

  test("leaves alone a device that installs after all, an operator's observation, and who was told nothing", async () => {
    it.device.state = 3;
    it.elsewhere.add("5/0/3");
    expect(await it.perform("finish", "updating")).toBe("sent");
    expect(it.device.log()).toEqual(["cancelObserve /5/0/5", "read /5/0/3"]);
    expect([await it.perform("finish", "slot"), it.device.log()]).toEqual(["sent", []]);
    it.fake.sleep(1);
    expect([await it.perform("finish", "updating"), it.device.log()]).toEqual(["unreachable", []]);
  });

  test("comes later to a device that was asleep, unless the next attempt has begun by then", async () => {
    for (const next of ["slot", "announcing"] as const) {
      it.fake.sleep(1);
      expect(await it.perform("finish", "updating")).toBe("unreachable");
      it.order(next, { attempt: 2 });
      it.fake.wake(1);
      await it.heard();
      await it.heard();
    }
    expect(it.device.log()).toEqual([
      ...["cancelObserve /5/0/3", "cancelObserve /5/0/5", "read /5/0/3", 'write /5/0/1 ""'],
    ]);
  });
});

describe("a push", () => {
  beforeEach(() => {
    it.device.delivery = 1;
  });
  const begin = async () => {
    const outcome = it.perform("announce", "announcing");
    await settle();
    return { outcome, push: it.pushes.at(-1) as (typeof it.pushes)[number] };
  };

  test("has begun when the device wants the second block, and is over when it says that it has all", async () => {
    const { outcome, push } = await begin();
    expect(push.body.subarray(0, 512)).toHaveLength(512);
    expect(it.desk.facts()).toEqual([]);
    expect([...push.body.subarray(512, 1_024)].length).toBe(488);
    expect(await outcome).toBe("sent");
    it.order("downloading");
    it.device.state = 2;
    push.end({ kind: "done" });
    await settle();
    expect(it.desk.facts()).toEqual(["accepted", "downloaded"]);
  });

  test("that breaks off goes on where it was, from the beginning if the device has forgotten it", async () => {
    const { push } = await begin();
    push.body.subarray(0, 512);
    push.body.subarray(512, 1_024);
    it.order("downloading");
    push.end({ kind: "brokenOff", why: "noAcknowledgement" });
    await settle();
    it.device.state = 1;
    await it.clock.advance(60_000);
    await it.heard();
    expect(it.pushes.at(-1)).toMatchObject({ start: 512 });
    it.pushes.at(-1)?.end({ kind: "brokenOff", why: "noAcknowledgement" });
    await settle();
    it.device.state = 0;
    await it.clock.advance(60_000);
    await it.heard();
    expect([it.pushes.length, it.pushes.at(-1)?.start]).toEqual([3, 0]);
  });

  test("that never got through is no answer; one that is refused fails", async () => {
    const first = await begin();
    first.push.end({ kind: "brokenOff", why: "noAcknowledgement" });
    expect(await first.outcome).toBe("noAnswer");
    const second = await begin();
    second.push.end({ kind: "refused", code: "4.13", detail: undefined });
    expect(await second.outcome).toBe("sent");
    expect(it.desk.facts()).toEqual(["failed 4.13: the device refused the package: 4.13"]);
  });

  test("ends with its attempt, and with its package", async () => {
    const first = await begin();
    await it.perform("finish", "downloading");
    expect(first.push.signal.aborted).toBe(true);
    it.contents.read = () => {
      throw new Error("it was deleted");
    };
    const { outcome, push } = await begin();
    expect([push.body.subarray(0, 512).length, push.signal.aborted]).toEqual([0, true]);
    await outcome;
    await settle();
    expect(it.desk.facts()).toEqual(["failed package: The package does not exist any more"]);
  });
});

test("stopping ends what is under way and starts nothing", async () => {
  it.way.stop();
  expect([await it.perform("queryVersion", "version"), it.way.link.isReachable(1)]).toEqual(["unreachable", false]);
});

test("a version is text only", async () => {
  it.device.instead = () => ({ kind: "done", node: one(3, { type: "integer", value: 3 }) });
  await it.perform("queryVersion", "version");
  expect(it.desk.facts()).toEqual(["versionFailed: the firmware version cannot be read: no text"]);
  expect(samplePackage().size).toBe(1_000);
});
