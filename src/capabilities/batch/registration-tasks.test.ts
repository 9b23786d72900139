import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../../platform/testing/manual-clock";
import { APP_A, APP_B } from "../devices/testing/device-bench";
import type { Product } from "../products/product";
import { type BatchBench, batchBench, SMALL_STEPS } from "./testing/batch-bench";

let clock: ManualClock;
let it: BatchBench;
let mqtt: Product;
let meter: Product;

beforeEach(async () => {
  clock = manualClock();
  it = batchBench({ clock, settings: { ...SMALL_STEPS, maxFileRows: 20, maxFileBytes: 4_096, maxRowChars: 200 } });
  mqtt = await it.importProduct();
  meter = await it.importMeter();
  await it.start();
});

async function* stream(...chunks: (string | Uint8Array | Error)[]) {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
  }
}
let names = 0;
const about = () =>
  ({ name: `file ${++names}`, operator: "tester", origin: "Portal", fileName: "devices.csv" }) as const;
const upload = (csv: string, product = mqtt) =>
  it.batch.createRegistrations(APP_A, { ...about(), productId: product.id }, stream(csv));
async function registered(csv: string, product = mqtt) {
  const task = await upload(csv, product);
  await it.settle();
  return task;
}
const result = (task: { id: string }) =>
  [...it.batch.resultFile(it.batch.getById(task.id))]
    .join("")
    .trim()
    .split("\r\n")
    .map((line) => line.split(","));
const tables = () =>
  ["batch_task", "batch_item", "device"].map(
    (table) => it.db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n,
  );

test("each row becomes a device; the result file has what it logs in with", async () => {
  const task = await registered(
    "nodeId,secret,deviceName,timeout\nd1,0123456789abcdef0123,Kitchen,60\nd2,,,\nd3,,,\nd4,,,\n",
  );
  expect(it.summary(task)).toBe("Complete 0/4/0/0/0 of 4");
  const [header, first, second] = result(task);
  expect(header).toEqual(["nodeId", "status", "deviceId", "secret", "psk", "verifyCode", "error", "errorDetail"]);
  expect(first?.slice(0, 4)).toEqual(["d1", "Success", `${mqtt.id}_d1`, "0123456789abcdef0123"]);
  expect(second?.[3]).toMatch(/^[0-9a-z]{1,20}$/);
  const login = it.devices.loginByNodeId("d2");
  expect(login?.secret).toBe(second?.[3] as string);
  const kitchen = it.devices.findByNodeId("d1");
  expect([kitchen?.info.name, (kitchen?.expiresAt ?? 0) - clock.now(), kitchen?.productNo]).toEqual([
    ...["Kitchen", 60_000],
    mqtt.no,
  ] as never);
  expect(it.batch.items(it.task(task), {}, 0, 1).items[0]).toMatchObject({ target: "d1", deviceId: `${mqtt.id}_d1` });
});

test("devices that sleep get a PSK and a code", async () => {
  const task = await registered("nodeId,psk,verifyCode,isSecure\nm1,00ff00ff,code-1,true\nm2,,,\n", meter);
  const [, first, second] = result(task);
  expect(first).toEqual(["m1", "Success", `${meter.id}_m1`, "", "00ff00ff", "code-1", "", ""]);
  expect([second?.[3], second?.[4] !== "", second?.[5] !== ""]).toEqual(["", true, true]);
  expect([it.devices.findByNodeId("m1")?.isSecure, it.devices.pskOf(it.devices.findByNodeId("m1")?.no ?? 0)]).toEqual([
    ...[true, "00ff00ff"],
  ] as never);
});

test("what is wrong with a row is told with the row, and the others are registered", async () => {
  await it.register("taken", mqtt);
  const task = await registered(
    "nodeId,secret,isSecure\ngood,,\ntaken,,\nshort,abc,\n,,\ngood,,\ncells,,,,,\nmaybe,,perhaps\na/b,,\nlast,,\n",
  );
  expect(result(task).map((row) => [row[0], row[6]])).toEqual([
    ["nodeId", "error"],
    ["good", ""],
    ["taken", "NODE_ID_TAKEN"],
    ["short", "INPUT_INVALID"],
    ["", "INPUT_INVALID"],
    ["good", "NODE_ID_TAKEN"],
    ["cells", "INPUT_INVALID"],
    ["maybe", "INPUT_INVALID"],
    ["a/b", "INPUT_INVALID"],
    ["last", ""],
  ] as never);
  expect(it.summary(task)).toBe("Complete 0/2/7/0/0 of 9");
  expect(JSON.stringify(it.batch.items(it.task(task), {}, 0, 9).items)).toContain("is not 20 hexadecimal digits");
});

test("credentials of the wrong kind are refused", async () => {
  expect(it.states(await registered("nodeId,verifyCode\nd1,x\n"))).toEqual({ d1: "Fail INPUT_INVALID" });
  expect(it.states(await registered("nodeId,secret\nm1,x\n", meter))).toEqual({ m1: "Fail INPUT_INVALID" });
});

test("a file without a good row ends at once", async () => {
  const task = await upload("nodeId,timeout\nd1,x\n");
  expect(it.summary(task)).toBe("Complete 0/0/1/0/0 of 1");
});

test("no secret is in the database as it is", async () => {
  const secret = "0123456789abcdef9999";
  await it.batch.createRegistrations(
    ...([APP_A, { ...about(), productId: mqtt.id }, stream(`nodeId,secret\nd1,${secret}\n`)] as const),
  );
  const raw = () => Buffer.from(it.db.serialize()).includes(secret);
  expect(raw()).toBe(false);
  await it.settle();
  expect([raw(), it.devices.loginByNodeId("d1")?.secret]).toEqual([false, secret]);
});

describe("a file is refused, and leaves nothing behind,", () => {
  const FILES: [name: string, chunks: (string | Uint8Array | Error)[], code: string][] = [
    ["that is empty", [""], "BATCH_FILE_INVALID"],
    ["that has no device", ["nodeId,secret\n"], "BATCH_FILE_INVALID"],
    ["without a nodeId", ["secret\nx\n"], "BATCH_FILE_INVALID"],
    ["with an unknown column", ["nodeId,colour\nx,red\n"], "BATCH_FILE_INVALID"],
    ["with a column twice", ["nodeId,psk,PSK\nx,,\n"], "BATCH_FILE_INVALID"],
    ["that is not UTF-8", ["nodeId\n", new Uint8Array([0xff])], "BATCH_FILE_INVALID"],
    ["with an open quote", ['nodeId\na\n"b\n'], "BATCH_FILE_INVALID"],
    ["with a long row", [`nodeId\na\n${"x".repeat(201)}\n`], "BATCH_FILE_INVALID"],
    ["with too many rows", [`nodeId\n${"x\n".repeat(21)}`], "BATCH_FILE_INVALID"],
    [
      "that is too large",
      ["nodeId\n", ...Array.from({ length: 50 }, () => `${" ".repeat(99)}\n`)],
      "PAYLOAD_TOO_LARGE",
    ],
    ["that breaks off", ["nodeId\na\nb\nc\nd\n", new Error("gone")], "gone"],
  ];
  test.each(FILES)("%s", async (_name, chunks, code) => {
    const before = tables();
    const input = { ...about(), productId: mqtt.id };
    const refused = await it.batch.createRegistrations(APP_A, input, stream(...chunks)).catch((error) => error);
    expect(refused.code ?? refused.message).toBe(code);
    await it.settle();
    expect(tables()).toEqual(before);
    await it.batch.createRegistrations(APP_A, input, stream("nodeId\na\n")); // its name is free again
  });

  test("of a product that is not there, or another application's", async () => {
    const foreign = await it.importProduct({}, APP_B);
    for (const productId of ["nobody", foreign.id as string]) {
      const refused = it.batch.createRegistrations(APP_A, { ...about(), productId }, stream("nodeId\na\n"));
      expect(await refused.catch((error) => error.code)).toBe("PRODUCT_NOT_FOUND");
    }
    expect(tables()).toEqual([0, 0, 0]);
  });
});

test("nobody sees a task while its file is read", async () => {
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  async function* slow() {
    yield new TextEncoder().encode("nodeId\na\nb\n");
    await gate;
    yield new TextEncoder().encode("c\n");
  }
  const upload = it.batch.createRegistrations(APP_A, { ...about(), productId: mqtt.id }, slow());
  await it.settle();
  const row = it.db.query<{ id: string; total: number }, []>("SELECT id, total FROM batch_task").get();
  expect(row?.total).toBe(2);
  expect(() => it.batch.getById(row?.id ?? "")).toThrow("BATCH_TASK_NOT_FOUND");
  expect(it.batch.list({}, 0, 9)).toEqual({ items: [], total: 0 });
  expect(tables()[2]).toBe(0);
  go();
  const task = await upload;
  await it.settle();
  expect(it.summary(task)).toBe("Complete 0/3/0/0/0 of 3");
});

test("only registrations have a result file", async () => {
  const task = await it.command();
  expect(() => it.batch.resultFile(task)).toThrow("CONFLICT");
});

test("a registration that is stopped forgets what it was to register", async () => {
  const task = await upload(
    `nodeId,secret\n${Array.from({ length: 12 }, (_, at) => `d${at},0123456789abcdef0123\n`).join("")}`,
  );
  await it.batch.stop(task.id);
  await it.settle();
  const { counts } = it.task(task);
  expect([counts.success + counts.fail, it.task(task).ending]).toEqual([12, "Stopped"]);
  expect(counts.fail).toBeGreaterThan(0);
  const kept = it.db.query<{ n: number }, []>("SELECT count(*) AS n FROM batch_item WHERE sealed IS NOT NULL").get();
  expect(kept?.n).toBe(counts.success);
});
