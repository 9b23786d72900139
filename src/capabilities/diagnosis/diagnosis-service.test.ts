import type { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { eventBus } from "../../platform/events";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { groupCommit } from "../../platform/storage/group-commit";
import { openDatabase } from "../../platform/storage/open-database";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import type { ContactEvents, Device, DeviceEvents, DeviceId } from "../devices/device";
import type { TraceEntry } from "../devices/trace-sink";
import type { CompiledProduct } from "../products/product";
import type { ResourceAnswer } from "../resources/resource-link";
import { type FakeResourceLink, fakeResourceLink, settle } from "../resources/testing/fake-link";
import { createDiagnosis } from "./diagnosis-service";
import { startDiagnosisUpkeep } from "./diagnosis-upkeep";
import { DIAGNOSIS_DEFAULTS, type DiagnosisSettings, type TaskKind } from "./task";

const HOUR = 3_600_000;
const MINUTE = 60_000;
let clock: ManualClock & { shiftWall(ms: number): void };
let db: Database;
let fake: FakeResourceLink;
let platform: ReturnType<typeof start>;
let lastId = 0;

beforeEach(() => {
  clock = jumpingClock();
  db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  fake = fakeResourceLink();
  for (const no of [1, 2]) fake.register(no);
  platform = start();
});

/** The wall clock can be set; the monotonic one goes on. */
function jumpingClock() {
  const manual = manualClock();
  let shift = 0;
  return {
    ...manual,
    now: () => manual.now() + shift,
    shiftWall(ms: number): void {
      shift += ms;
    },
  };
}

const DEVICES: Record<string, number | undefined> = { meter: 1, tracker: 1, mqtt: 2, plain: 3, naked: undefined };
const NUMBERS = Object.keys(DEVICES);
const product = (protocolType: string, omCapability?: object) =>
  ({ product: { protocolType, omCapability } }) as unknown as CompiledProduct;
const PRODUCTS: Record<number, CompiledProduct> = {
  1: product("CoAP", {}),
  2: product("MQTT", {}),
  3: product("LWM2M"),
};

/** Devices 1 and 2 (meter, tracker) can be diagnosed. The old process, if there was one, is dead. */
function start(change: Partial<DiagnosisSettings> = {}) {
  const contacts = eventBus<ContactEvents>();
  const deviceEvents = eventBus<DeviceEvents>();
  const metrics = createMetrics();
  const traced: TraceEntry[] = [];
  const disk = { isFull: false };
  const committed = groupCommit(db);
  const transactor: typeof committed = {
    ...committed,
    write: (work) => (disk.isFull ? Promise.reject(new Error("disk full")) : committed.write(work)),
  };
  const ids = { next: () => `task-${++lastId}` };
  const settings = { ...DIAGNOSIS_DEFAULTS, ...change };
  const diagnosis = createDiagnosis({
    ...{ db, transactor, deviceEvents, contacts, clock, ids, metrics, settings },
    devices: {
      findById: (id) =>
        Object.hasOwn(DEVICES, id)
          ? ({ no: NUMBERS.indexOf(id) + 1, id: id as DeviceId, productNo: DEVICES[id] } as Device)
          : undefined,
    },
    products: { compiled: (no) => PRODUCTS[no] },
    links: [fakeResourceLink().link, fake.link],
    log: silentLog,
    trace: { record: (entry) => traced.push(entry) },
  });
  const upkeep = startDiagnosisUpkeep({ diagnosis, clock, log: silentLog, settings });
  return {
    ...{ diagnosis, metrics, traced, disk, upkeep, contacts },
    remove: (no: number) => transactor.write(() => deviceEvents.emit("deviceDeleted", { device: { no } as Device })),
  };
}

/** What kill -9 leaves: the database. Nobody hears the old process's contacts or answers any more. */
async function restart(change: Partial<DiagnosisSettings> = {}): Promise<void> {
  await platform.upkeep.stop();
  fake.exchanges.splice(0);
  platform = start(change);
  await settle();
}

const create = async (kind: TaskKind, device = "meter") => (await platform.diagnosis.create(device, kind)).id;
const task = (id: string, no = 1) => platform.diagnosis.get(no, id);
const stateOf = (id: string) => {
  const { state, sent, reason } = task(id);
  return [state, ...(state === "Processing" ? [sent ? "sent" : "not sent"] : []), ...(reason ? [reason] : [])].join(
    ", ",
  );
};
async function heard(no = 1, hasMore = false): Promise<void> {
  fake.wake(no);
  platform.contacts.emit("deviceHeard", { deviceNo: no, hasMore });
  await settled();
}
async function answer(given: ResourceAnswer): Promise<void> {
  fake.last().answer(given);
  await settled();
}
/** A few commits, one after the other. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await settle();
}
const DONE: ResourceAnswer = { kind: "done" };
const logAnswer = (content: Uint8Array): ResourceAnswer => ({
  kind: "done",
  node: { kind: "resource", id: 4014, value: { type: "opaque", value: content } },
});
const bytes = (text: string) => new TextEncoder().encode(text);
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    ({ code, message }) => code ?? message,
  );
const counted = (kind: TaskKind, outcome: string) =>
  Number(
    new RegExp(`diagnosis_tasks_total{kind="${kind}",outcome="${outcome}"} (\\d+)`).exec(
      platform.metrics.render(),
    )?.[1] ?? 0,
  );

describe("a log", () => {
  test("is read when the device is heard, and kept", async () => {
    const createdAt = clock.now();
    const id = await create("collectLog");
    expect(stateOf(id)).toBe("Waiting");
    await clock.advance(HOUR);
    await heard();
    expect(fake.exchanges).toMatchObject([{ deviceNo: 1, request: { op: "read", path: [20, 0, 4014] } }]);
    expect(stateOf(id)).toBe("Processing, sent");
    await clock.advance(MINUTE);
    await answer(logAnswer(bytes("all is well")));
    expect(task(id)).toMatchObject({
      ...{ state: "Success", createdAt, processingAt: createdAt + HOUR, sentAt: createdAt + HOUR },
      ...{ endedAt: createdAt + HOUR + MINUTE, logBytes: 11, deviceId: "meter", reason: undefined },
    });
    const log = platform.diagnosis.log(1, id);
    expect([new TextDecoder().decode(log.content), log.contentType]).toEqual([
      "all is well",
      "application/octet-stream",
    ]);
    expect(platform.traced.map(({ reason }) => reason)).toEqual([
      "diagnosis_created",
      "diagnosis_sent",
      "diagnosis_succeeded",
    ]);
    expect([counted("collectLog", "sent"), counted("collectLog", "succeeded")]).toEqual([1, 1]);
  });

  test("fails after 25 h when the device does not come", async () => {
    const id = await create("collectLog");
    await clock.advance(25 * HOUR - 2_000);
    expect(stateOf(id)).toBe("Waiting");
    await clock.advance(2_000);
    expect(stateOf(id)).toBe("Fail, not_sent_in_time");
    await heard();
    expect(fake.exchanges).toEqual([]);
  });

  test("fails after 30 min when nothing comes back; what comes later changes nothing", async () => {
    const id = await create("collectLog");
    await heard();
    await clock.advance(30 * MINUTE - 2_000);
    expect(stateOf(id)).toBe("Processing, sent");
    await clock.advance(2_000);
    expect(stateOf(id)).toBe("Fail, no_answer");
    await answer(logAnswer(bytes("late")));
    expect(stateOf(id)).toBe("Fail, no_answer");
    expect(() => platform.diagnosis.log(1, id)).toThrow(expect.objectContaining({ code: "CONFLICT" }));
  });

  test.each<[ResourceAnswer, state: string, detail: string | undefined]>([
    [{ kind: "refused", code: "4.04", detail: "none" }, "Fail, refused", "4.04 none"],
    [{ kind: "refused", code: "4.05", detail: undefined }, "Fail, refused", "4.05"],
    [{ kind: "unreadable", detail: "block 3 of another log" }, "Fail, unreadable", "block 3 of another log"],
    [DONE, "Fail, unreadable", "no log in the answer"],
    [logAnswer(new Uint8Array(101)), "Fail, log_too_large", "101 bytes"],
    [{ kind: "noAnswer" }, "Processing, sent", undefined],
    [{ kind: "unreachable" }, "Waiting", undefined],
    [logAnswer(new Uint8Array(100)), "Success", undefined],
    [logAnswer(new Uint8Array(0)), "Success", undefined],
  ])("is by its answer, %#", async (given, state, detail) => {
    await platform.upkeep.stop();
    platform = start({ maxLogBytes: 100 });
    const id = await create("collectLog");
    await heard();
    await answer(given);
    expect(stateOf(id)).toBe(state);
    expect(task(id).detail).toBe(detail);
  });

  test("that could not leave goes at the next contact, within the same 25 h", async () => {
    const id = await create("collectLog");
    await clock.advance(24 * HOUR);
    await heard();
    await answer({ kind: "unreachable" });
    expect(fake.exchanges).toHaveLength(1); // not again at once
    await heard();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([2, "Processing, sent"]);
    await answer({ kind: "unreachable" });
    await clock.advance(HOUR);
    expect(stateOf(id)).toBe("Fail, not_sent_in_time");
  });
});

describe("a restart", () => {
  test("is processed after 10 s, and sent only when the device comes then", async () => {
    const id = await create("reboot");
    await heard();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([0, "Waiting"]);
    await clock.advance(9_000);
    expect(stateOf(id)).toBe("Waiting");
    await clock.advance(1_000);
    expect(stateOf(id)).toBe("Processing, not sent");
    await clock.advance(HOUR);
    expect(fake.exchanges).toHaveLength(0); // though it would listen
    await heard();
    expect(fake.exchanges).toMatchObject([{ request: { op: "execute", path: [3, 0, 4] } }]);
    expect(fake.last().request).not.toHaveProperty("arguments");
    expect(stateOf(id)).toBe("Processing, sent");
    await answer(DONE);
    expect(stateOf(id)).toBe("Success");
  });

  test("fails 25 h after it began to be processed", async () => {
    const id = await create("reboot");
    await clock.advance(25 * HOUR + 9_000);
    expect(stateOf(id)).toBe("Processing, not sent");
    await clock.advance(1_000);
    expect(stateOf(id)).toBe("Fail, not_sent_in_time");
  });

  test("fails by the answer, and after 30 min without", async () => {
    const first = await create("reboot");
    await clock.advance(10_000);
    await heard();
    await answer({ kind: "refused", code: "4.05", detail: undefined });
    expect(stateOf(first)).toBe("Fail, refused");
    const second = await create("reboot");
    await clock.advance(10_000);
    await heard();
    await answer({ kind: "noAnswer" });
    await heard();
    expect(fake.exchanges).toHaveLength(2); // never twice
    await clock.advance(30 * MINUTE);
    expect(stateOf(second)).toBe("Fail, no_answer");
  });
});

describe("a contact", () => {
  test("with more to come is left alone", async () => {
    await create("collectLog");
    await heard(1, true);
    expect(fake.exchanges).toHaveLength(0);
  });

  test("of a device that sleeps again sends nothing", async () => {
    const id = await create("collectLog");
    platform.contacts.emit("deviceHeard", { deviceNo: 1, hasMore: false });
    await settle();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([0, "Waiting"]);
  });

  test("brings the log first, then the restart, one at a time", async () => {
    const reboot = await create("reboot");
    const log = await create("collectLog");
    await clock.advance(10_000);
    await heard();
    await heard();
    expect(fake.exchanges.map(({ request }) => request.op)).toEqual(["read"]);
    await answer(logAnswer(bytes("x")));
    expect(fake.exchanges.map(({ request }) => request.op)).toEqual(["read", "execute"]);
    await answer(DONE);
    expect([stateOf(log), stateOf(reboot)]).toEqual(["Success", "Success"]);
  });

  test("brings only the log when the device sleeps after it", async () => {
    const reboot = await create("reboot");
    await create("collectLog");
    await clock.advance(10_000);
    await heard();
    fake.sleep(1);
    await answer(logAnswer(bytes("x")));
    expect(fake.exchanges).toHaveLength(1);
    expect(stateOf(reboot)).toBe("Processing, not sent");
  });

  test("of another device moves nothing", async () => {
    const id = await create("collectLog");
    await heard(2);
    expect([fake.exchanges.length, stateOf(id)]).toEqual([0, "Waiting"]);
  });

  test("in the dialect without objects ends it with a reason", async () => {
    fake.register(1, { style: "tup", objects: [] });
    const id = await create("collectLog");
    await heard();
    expect(stateOf(id)).toBe("Fail, no_objects");
    expect(fake.exchanges).toHaveLength(0);
  });

  test("costs a look-up when there is no task", () => {
    const since = Bun.nanoseconds();
    for (let no = 0; no < 500_000; no++) platform.contacts.emit("deviceHeard", { deviceNo: no, hasMore: false });
    expect((Bun.nanoseconds() - since) / 1e6).toBeLessThan(2_000); // ten seconds of the whole load
    expect(fake.exchanges).toHaveLength(0);
  });
});

describe("creating", () => {
  test.each([
    ["nobody", "DEVICE_NOT_FOUND"],
    ["mqtt", "DIAGNOSIS_UNSUPPORTED"],
    ["plain", "DIAGNOSIS_UNSUPPORTED"],
    ["naked", "DIAGNOSIS_UNSUPPORTED"],
  ])("for %s is refused with %s", async (device, code) => {
    expect(await refusal(create("reboot", device))).toBe(code);
    expect(platform.diagnosis.list({ page: 0, pageSize: 10 }).total).toBe(0);
  });

  test("a second of the kind is refused until the first has ended", async () => {
    const id = await create("collectLog");
    await create("reboot");
    await create("collectLog", "tracker");
    expect(await refusal(create("collectLog"))).toBe("CONFLICT");
    expect(await Promise.all([refusal(create("reboot", "tracker")), refusal(create("reboot", "tracker"))])).toEqual([
      "accepted",
      "CONFLICT",
    ]);
    await platform.diagnosis.cancel(1, id);
    expect(await refusal(create("collectLog"))).toBe("accepted");
  });

  test("is bounded in all", async () => {
    await platform.upkeep.stop();
    platform = start({ maxUnfinished: 2 });
    const id = await create("collectLog");
    await create("reboot");
    expect(await refusal(create("reboot", "tracker"))).toBe("CONGESTED");
    await platform.diagnosis.cancel(1, id);
    expect(await refusal(create("reboot", "tracker"))).toBe("accepted");
    expect(platform.metrics.render()).toContain("islet_diagnosis_unfinished 2");
  });
});

describe("cancelling", () => {
  test("ends what was not sent, so that it never is", async () => {
    const log = await create("collectLog");
    const reboot = await create("reboot");
    await clock.advance(10_000);
    expect(await platform.diagnosis.cancel(1, log)).toMatchObject({ state: "Fail", reason: "cancelled" });
    expect(await platform.diagnosis.cancel(1, reboot)).toMatchObject({ state: "Fail", reason: "cancelled" });
    await heard();
    expect(fake.exchanges).toHaveLength(0);
    expect(counted("reboot", "cancelled")).toBe(1);
  });

  test("is refused for what was sent or has ended, and for what is not there", async () => {
    const id = await create("collectLog");
    await heard();
    expect(await refusal(platform.diagnosis.cancel(1, id))).toBe("CONFLICT");
    await answer(logAnswer(bytes("x")));
    expect(await refusal(platform.diagnosis.cancel(1, id))).toBe("CONFLICT");
    expect(await refusal(platform.diagnosis.cancel(2, id))).toBe("DIAGNOSIS_TASK_NOT_FOUND");
    expect(stateOf(id)).toBe("Success");
  });

  test("in the moment of the contact has one winner", async () => {
    const id = await create("collectLog");
    const cancelled = platform.diagnosis.cancel(1, id);
    await heard();
    await cancelled;
    expect([fake.exchanges.length, stateOf(id)]).toEqual([0, "Fail, cancelled"]);
  });
});

describe("tasks", () => {
  test("are listed newest first, by device, kind and state", async () => {
    const first = await create("collectLog");
    await create("reboot");
    await create("reboot", "tracker");
    await platform.diagnosis.cancel(1, first);
    const list = (filter: object) => {
      const { items, total } = platform.diagnosis.list({ page: 0, pageSize: 2, ...filter });
      return [items.map(({ deviceId, kind, state }) => `${deviceId} ${kind} ${state}`), total];
    };
    expect(list({})).toEqual([["tracker reboot Waiting", "meter reboot Waiting"], 3]);
    expect(list({ page: 1 })).toEqual([["meter collectLog Fail"], 3]);
    expect(list({ deviceNo: 1, kind: "reboot" })).toEqual([["meter reboot Waiting"], 1]);
    expect(list({ state: "Fail" })).toEqual([["meter collectLog Fail"], 1]);
  });

  test("that have ended are kept up to a number per device and kind, with their logs", async () => {
    await platform.upkeep.stop();
    platform = start({ keepPerDevice: 2 });
    const ids: string[] = [];
    for (let round = 0; round < 4; round++) {
      ids.push(await create("collectLog"));
      await heard();
      await answer(logAnswer(bytes(`log ${round}`)));
    }
    expect(platform.diagnosis.list({ page: 0, pageSize: 10 }).items.map(({ id }) => id as string)).toEqual([
      ids[3] as string,
      ids[2] as string,
    ]);
    expect(db.query("SELECT COUNT(*) AS n FROM diagnosis_log").get()).toEqual({ n: 2 });
  });

  test("go with their device, also while one is sent", async () => {
    await create("collectLog");
    await heard();
    await answer(logAnswer(bytes("x")));
    await create("collectLog");
    await create("reboot");
    await heard();
    await platform.remove(1);
    await answer(logAnswer(bytes("late")));
    await clock.advance(30 * HOUR);
    await heard();
    expect(fake.exchanges).toHaveLength(2);
    for (const table of ["diagnosis_task", "diagnosis_log"])
      expect(db.query(`SELECT COUNT(*) AS n FROM ${table}`).get()).toEqual({ n: 0 });
    expect(platform.metrics.render()).toContain("islet_diagnosis_unfinished 0");
  });
});

describe("killed and started again,", () => {
  test("a log still waits, and its 25 h go on", async () => {
    const id = await create("collectLog");
    await clock.advance(20 * HOUR);
    await restart();
    expect(stateOf(id)).toBe("Waiting");
    await clock.advance(4 * HOUR);
    await restart();
    await heard();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([1, "Processing, sent"]);
  });

  test("what fell due while nobody ran has failed", async () => {
    const log = await create("collectLog");
    const reboot = await create("reboot");
    await platform.upkeep.stop();
    await clock.advance(25 * HOUR + 10_000);
    await restart();
    await heard(); // in the very moment of the start
    await clock.advance(1_000);
    expect([stateOf(log), stateOf(reboot)]).toEqual(["Fail, not_sent_in_time", "Fail, not_sent_in_time"]);
    expect(fake.exchanges).toHaveLength(0);
  });

  test("a restart in its delay is processed", async () => {
    const id = await create("reboot");
    await clock.advance(5_000);
    await restart();
    expect(stateOf(id)).toBe("Waiting");
    await clock.advance(5_000);
    expect(stateOf(id)).toBe("Processing, not sent");
    await restart();
    expect(stateOf(id)).toBe("Processing, not sent");
    await heard();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([1, "Processing, sent"]);
  });

  test.each<[TaskKind]>([["reboot"], ["collectLog"]])(
    "a %s that may have been sent is not sent again: it waits for the rest of its 30 min",
    async (kind) => {
      const id = await create(kind);
      await clock.advance(10_000);
      await heard();
      expect(stateOf(id)).toBe("Processing, sent");
      await clock.advance(10 * MINUTE);
      await restart();
      await heard();
      expect([fake.exchanges.length, stateOf(id)]).toEqual([0, "Processing, sent"]);
      await clock.advance(20 * MINUTE - 1_000);
      expect(stateOf(id)).toBe("Processing, sent");
      await clock.advance(1_000);
      expect(stateOf(id)).toBe("Fail, no_answer");
    },
  );

  test("a task is stored as sent before its request leaves", async () => {
    const id = await create("collectLog");
    let storedAs: unknown;
    fake.behaveAs(() => {
      storedAs = db.query("SELECT state, sent FROM diagnosis_task").get();
      return undefined;
    });
    await heard();
    expect([stateOf(id), storedAs]).toEqual(["Processing, sent", { state: "Processing", sent: 1 }]);
  });

  test("what has ended stays so", async () => {
    const log = await create("collectLog");
    await heard();
    await answer(logAnswer(bytes("x")));
    const reboot = await create("reboot");
    await platform.diagnosis.cancel(1, reboot);
    await restart();
    await clock.advance(26 * HOUR);
    await heard();
    expect([stateOf(log), stateOf(reboot)]).toEqual(["Success", "Fail, cancelled"]);
    expect(new TextDecoder().decode(platform.diagnosis.log(1, log).content)).toBe("x");
    expect(await refusal(create("reboot"))).toBe("accepted");
  });

  test("a second of a kind is still refused", async () => {
    await create("reboot");
    await restart();
    expect(await refusal(create("reboot"))).toBe("CONFLICT");
    expect(platform.metrics.render()).toContain("islet_diagnosis_unfinished 1");
  });
});

describe("a clock that is set", () => {
  test("ends nothing early and lets nothing wait longer", async () => {
    const id = await create("collectLog");
    clock.shiftWall(30 * HOUR);
    await clock.advance(24 * HOUR);
    expect(stateOf(id)).toBe("Waiting");
    clock.shiftWall(-300 * HOUR);
    await clock.advance(HOUR);
    expect(stateOf(id)).toBe("Fail, not_sent_in_time");
  });

  test("back while nobody ran gives at most the whole time again", async () => {
    const log = await create("collectLog");
    const reboot = await create("reboot");
    const other = await create("reboot", "tracker");
    await clock.advance(10_000);
    await heard(1);
    await answer(logAnswer(bytes("x")));
    await create("collectLog");
    clock.shiftWall(-1_000 * HOUR);
    await restart();
    expect([stateOf(log), stateOf(reboot)]).toEqual(["Success", "Processing, sent"]);
    await clock.advance(30 * MINUTE);
    expect(stateOf(reboot)).toBe("Fail, no_answer");
    expect(platform.diagnosis.get(2, other).state).toBe("Processing");
    await clock.advance(25 * HOUR);
    expect(platform.diagnosis.list({ page: 0, pageSize: 9 }).items.map(({ state }) => state)).toEqual([
      "Fail",
      "Fail",
      "Fail",
      "Success",
    ]);
  });
});

describe("a full disk", () => {
  test("sends nothing that could not be stored as sent", async () => {
    const id = await create("collectLog");
    platform.disk.isFull = true;
    await heard();
    expect(fake.exchanges).toHaveLength(0);
    platform.disk.isFull = false;
    await heard();
    expect([fake.exchanges.length, stateOf(id)]).toEqual([1, "Processing, sent"]);
  });

  test("keeps the answer until there is room", async () => {
    const id = await create("collectLog");
    await heard();
    platform.disk.isFull = true;
    await answer(logAnswer(bytes("kept")));
    await clock.advance(5_000);
    platform.disk.isFull = false;
    await clock.advance(1_000);
    expect(stateOf(id)).toBe("Success");
    expect(new TextDecoder().decode(platform.diagnosis.log(1, id).content)).toBe("kept");
  });
});

test("many tasks fall due in small transactions", async () => {
  await platform.upkeep.stop();
  for (let no = 1; no <= 5; no++)
    db.run(
      `INSERT INTO diagnosis_task (id, device_no, device_id, kind, state, sent, created_ms, send_until_ms, due_ms)
       VALUES (?, ?, 'x', 'collectLog', 'Waiting', 0, 0, 0, 0)`,
      [`old-${no}`, 100 + no],
    );
  platform = start({ sweepBatch: 2 });
  await settled();
  expect(platform.diagnosis.list({ state: "Fail", page: 0, pageSize: 9 }).total).toBe(5);
  expect(platform.metrics.render()).toContain("islet_diagnosis_unfinished 0");
});
