import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import type { DownlinkOutcome, SleepingDeviceLink } from "../devices/device-link";
import { type ScriptedDevices, scriptedDevices } from "./testing/scripted-device";
import { shadowBench } from "./testing/shadow-bench";

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
const ROUNDS = 12;
const STEPS = 150;
const NAMES = ["opening", "limit"] as const;
const MAX_TRIES = 3;
const overlaps: number[] = []; // messages of one device at the same time: never

/** A device that has values, loses messages, forgets to answer, and is there when the platform dies over a message. */
function forgetfulDevice(random: () => number, values: Map<string, unknown>): ScriptedDevices {
  const scripted = scriptedDevices();
  let underWay = false;
  const transmit: SleepingDeviceLink["transmit"] = async (_no, datagram): Promise<DownlinkOutcome> => {
    if (underWay) overlaps.push(values.size);
    underWay = true;
    await new Promise<void>((resolve) => setImmediate(resolve));
    const isLost = random() < 0.25;
    const { paras } = JSON.parse(new TextDecoder().decode(datagram)) as { paras: Record<string, unknown> };
    if (!isLost) for (const [name, value] of Object.entries(paras)) values.set(name, value);
    if (random() < 0.15) {
      scripted.state.registered = false; // the platform dies: with or without the message there
      return new Promise<DownlinkOutcome>(() => {});
    }
    underWay = false;
    return isLost || random() < 0.1 ? { kind: "noAcknowledgement" } : { kind: "acknowledged" };
  };
  scripted.sleepingLink.transmit = transmit;
  return scripted;
}

test(`the device ends with what was wanted last, whatever gets lost and however often the platform dies (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const upTo = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < ROUNDS; round++) {
    const values = new Map<string, unknown>();
    const wanted = new Map<string, number>();
    const told: string[] = [];
    const options = { settings: { maxTries: MAX_TRIES } };
    let bench = await shadowBench({ ...options, devices: forgetfulDevice(random, values) });
    const device = await bench.register("a", await bench.importModel());
    let restarts = 0;

    const restartIfDead = async () => {
      if (bench.scripted.state.registered) return;
      restarts++;
      told.push(...bench.settled());
      bench = await shadowBench({ ...options, db: bench.db, devices: forgetfulDevice(random, values) });
    };
    for (let step = 0; step < STEPS; step++) {
      if (random() < 0.4) {
        const name = NAMES[upTo(2)] as string;
        const value = upTo(100);
        const work = bench.desired.want(device, [{ serviceId: "Valve", desired: { [name]: value } }]);
        wanted.set(name, value);
        await work;
      } else if (random() < 0.5) bench.scripted.asleep[random() < 0.5 ? "add" : "delete"](device.no);
      else bench.contactEvents.emit("deviceHeard", { deviceNo: device.no, hasMore: random() < 0.3 });
      for (let turn = upTo(6); turn > 0; turn--) await new Promise<void>((resolve) => setImmediate(resolve));
      await restartIfDead();
    }
    // From now on the device comes again and again.
    for (let contact = 0; contact < 60; contact++) {
      bench.scripted.asleep.delete(device.no);
      await bench.heard(device.no);
      await restartIfDead();
    }
    told.push(...bench.settled());

    const context = `round ${round}, ${restarts} restarts`;
    const properties = bench.desired.of(device.no)[0]?.properties ?? {};
    for (const [name, value] of wanted) {
      expect([context, name, properties[name]?.value]).toEqual([context, name, value]);
      const state = properties[name]?.delivery.state;
      expect([context, ["delivered", "failed"].includes(state as string)]).toEqual([context, true]);
      if (state === "delivered") expect([context, name, values.get(name)]).toEqual([context, name, value]);
      // The newest outcome that was told of this property is the one that is stored.
      const last = told.findLast((it) => it.includes(`"${name}":`));
      expect([context, last?.split(" ")[1]]).toEqual([context, state?.toUpperCase()]);
      expect([context, JSON.parse(last?.split(" ")[3] ?? "{}")[name]]).toEqual([context, value]);
    }
    expect([context, bench.sendingCount(), overlaps]).toEqual([context, 0, []]);
  }
}, 60_000);
