import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import type { DeviceStatus } from "./device";
import type { DeviceSettings } from "./device-settings";
import { APP_A, deviceBench } from "./testing/device-bench";

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** One bound CoAP device and what `telemetry` would say of it. */
async function withDevice(settings: Partial<DeviceSettings> = {}) {
  const bench = deviceBench({ settings });
  const product = await bench.importProduct({ protocolType: "CoAP", model: "C" });
  const { no } = await bench.register("a", product);
  await bench.devices.seen(no);
  bench.told();
  const heard = new Map<number, number>();
  const asked: number[][] = [];
  const lastContacts = (deviceNos: readonly number[]) => {
    asked.push([...deviceNos]);
    return new Map(deviceNos.flatMap((it) => (heard.has(it) ? [[it, heard.get(it) as number] as const] : [])));
  };
  const worker = bench.startSilenceSweep(lastContacts);
  /** In steps of the sweep, so that a walk is over before time goes on. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= MINUTE) {
      await bench.clock.advance(Math.min(left, MINUTE));
      for (let turn = 0; turn < 8; turn++) await bench.clock.advance(0);
    }
  };
  return {
    ...bench,
    product,
    no,
    heard,
    asked,
    lastContacts,
    worker,
    pass,
    status: () => bench.devices.findByNo(no)?.status,
  };
}

const ORDERS: [name: string, settings: Partial<DeviceSettings>, afterHours: [number, DeviceStatus][]][] = [
  ["API and FAQ", {}, [[25, "ONLINE"], [25.05, "ABNORMAL"], [49, "ABNORMAL"], [49.05, "OFFLINE"], [180, "OFFLINE"]]],
  [
    "guide: OFFLINE first, ABNORMAL last",
    { offlineAfterMs: 25 * HOUR, abnormalAfterMs: 169 * HOUR },
    [[25, "ONLINE"], [25.05, "OFFLINE"], [169, "OFFLINE"], [169.05, "ABNORMAL"], [180, "ABNORMAL"]],
  ],
  [
    "both at once: OFFLINE",
    { offlineAfterMs: HOUR, abnormalAfterMs: HOUR },
    [[1, "ONLINE"], [1.05, "OFFLINE"], [9, "OFFLINE"]],
  ],
]; // biome-ignore format: a row reads as the rule
for (const [name, settings, rows] of ORDERS) {
  test(`${name}, exact to the sweep, counted from the binding`, async () => {
    const { clock, pass, status, told, worker } = await withDevice(settings);
    const start = clock.now();
    for (const [hours, expected] of rows) {
      await pass(start + hours * HOUR - clock.now());
      expect([hours, status()]).toEqual([hours, expected]);
    }
    const changes = rows.map(([, it]) => it).filter((it, index, all) => index > 0 && it !== all[index - 1]);
    expect(told()).toEqual(changes.map((it) => `changed a ${it}`)); // each once
    await worker.stop();
  });
}

test("what telemetry heard counts, and any contact makes the device ONLINE again", async () => {
  const { clock, pass, status, heard, no, devices, told, worker } = await withDevice();
  const start = clock.now();
  await pass(20 * HOUR);
  heard.set(no, clock.now());
  await pass(24 * HOUR); // 44 h after the binding
  expect(status()).toBe("ONLINE");
  await pass(HOUR + MINUTE);
  expect(status()).toBe("ABNORMAL");
  await devices.seen(no); // a registration, say: telemetry knows nothing of it
  expect(status()).toBe("ONLINE");
  await pass(25 * HOUR);
  expect(status()).toBe("ONLINE");
  await pass(MINUTE);
  expect(status()).toBe("ABNORMAL");
  await pass(24 * HOUR);
  expect(status()).toBe("OFFLINE");
  expect(devices.findByNo(no)).toMatchObject({ status: "OFFLINE", statusDetail: "TIME_OUT" });
  expect(clock.now() - start).toBeLessThan(100 * HOUR);
  expect(told()).toEqual(["ABNORMAL", "ONLINE", "ABNORMAL", "OFFLINE"].map((it) => `changed a ${it}`));
  await worker.stop();
});

test("somebody heard between the look and the transaction stays ONLINE", async () => {
  const { clock, status, heard, no, told, transactor, worker } = await withDevice();
  await clock.advance(25 * HOUR);
  const isFirst = transactor.write(() => heard.set(no, clock.now())); // in the commit before
  await clock.advance(MINUTE);
  await isFirst;
  for (let turn = 0; turn < 8; turn++) await clock.advance(0);
  expect([status(), told()]).toEqual(["ONLINE", []]);
  await worker.stop();
});

test("MQTT devices, devices behind a gateway, and those that never came or must bind anew are left alone", async () => {
  const { pass, devices, register, importProduct, product, no, counts, worker } = await withDevice().then((it) => ({
    ...it,
    counts: () => it.devices.counts(APP_A),
  }));
  const mqtt = await register("mqtt", await importProduct());
  await devices.connected(mqtt.no);
  const sub = await register("sub", product, { gatewayNo: no });
  await devices.setSubDeviceStatus(no, sub.no, "ONLINE");
  await register("never", product);
  await pass(26 * HOUR);
  await devices.refreshCredentials(no, { timeoutS: 0 });
  await pass(100 * HOUR);
  expect(devices.findByNo(no)).toMatchObject({ status: "OFFLINE", statusDetail: "NOT_ACTIVE" });
  expect(counts()).toEqual({ ONLINE: 2, OFFLINE: 1, ABNORMAL: 0, INACTIVE: 1 });
  await worker.stop();
});

test("silence goes on over a restart", async () => {
  const before = await withDevice();
  await before.pass(10 * HOUR);
  await before.worker.stop();
  await before.pass(100 * HOUR);
  expect(before.status()).toBe("ONLINE");

  const after = deviceBench({ db: before.db });
  await after.clock.advance(26 * HOUR);
  const worker = after.startSilenceSweep(() => new Map());
  for (let turn = 0; turn < 8; turn++) await after.clock.advance(0);
  expect(after.devices.findByNo(before.no)?.status).toBe("ABNORMAL");
  await worker.stop();
});

test("walks only when somebody can be due; an edit or a clock put back makes it look again", async () => {
  const it = await withDevice();
  for (let hour = 1; hour <= 24; hour++) {
    it.heard.set(it.no, it.clock.now());
    await it.pass(HOUR);
  }
  expect(it.asked).toEqual([]); // its own row said enough
  await it.pass(HOUR + MINUTE);
  expect(it.asked.length).toBe(1);
  await it.pass(22 * HOUR);
  expect(it.asked.length).toBe(1);
  await it.devices.modify(it.no, { info: { name: "edited" } });
  await it.pass(MINUTE);
  expect(it.asked.length).toBe(2);
  await it.worker.stop();
});

test("a device that had a connection and moves to a CoAP product is not forgotten", async () => {
  const it = await withDevice();
  const mqtt = await it.register("m", await it.importProduct());
  await it.devices.connected(mqtt.no);
  await it.pass(24 * HOUR);
  await it.devices.modify(mqtt.no, { productId: it.product.id });
  await it.pass(HOUR + 2 * MINUTE);
  expect(it.devices.findByNo(mqtt.no)?.status).toBe("ABNORMAL");
  await it.worker.stop();
});

test("when the store fails the next sweep tries again", async () => {
  const it = await withDevice();
  let failures = 2;
  it.events.on("deviceInfoChanged", () => {
    if (failures-- > 0) throw new Error("disk full");
  });
  await it.pass(25 * HOUR + MINUTE);
  expect(it.status()).toBe("ONLINE");
  await it.pass(2 * MINUTE);
  expect(it.status()).toBe("ABNORMAL");
  await it.worker.stop();
});

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
test(`random lives in small pages are what the thresholds say (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const it = await withDevice({ silenceBatch: 3, silenceSweepMs: MINUTE });
  const last = new Map([[it.no, it.clock.now()]]);
  for (let n = 0; n < 20; n++) {
    const { no } = await it.register(`n${n}`, it.product);
    await it.devices.seen(no);
    last.set(no, it.clock.now());
  }
  for (let step = 0; step < 60; step++) {
    await it.pass(Math.floor(random() * 3 * HOUR));
    for (const no of last.keys()) {
      if (random() > 0.07) continue;
      last.set(no, it.clock.now());
      if (it.devices.findByNo(no)?.status === "ONLINE") it.heard.set(no, it.clock.now());
      else await it.devices.seen(no);
    }
    await it.pass(2 * MINUTE);
    for (const [no, at] of last) {
      const silent = it.clock.now() - at;
      // Within a sweep of a threshold either side of it is right.
      if ([25, 49].some((hours) => silent > hours * HOUR && silent <= hours * HOUR + MINUTE)) continue;
      const expected = silent > 49 * HOUR ? "OFFLINE" : silent > 25 * HOUR ? "ABNORMAL" : "ONLINE";
      expect([step, no, it.devices.findByNo(no)?.status]).toEqual([step, no, expected]);
    }
  }
  await it.worker.stop();
}, 30_000);
