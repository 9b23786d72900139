import { expect, test } from "bun:test";
import { deviceBench } from "./testing/device-bench";
import { type DeviceSelection, WALK_START, type WalkPosition } from "./walk-devices";

/** Nine devices, three at a time of registration; every third one is on the roof. */
async function nineDevices() {
  const bench = deviceBench();
  const meter = await bench.importProduct();
  const lamp = await bench.importProduct({ deviceType: "Lamp", model: "Lamp" });
  const start = bench.clock.now();
  for (let at = 0; at < 9; at++) {
    const info = at % 3 === 0 ? { location: "roof" } : {};
    await bench.register(`n${at}`, at < 6 ? meter : lamp, { info });
    if (at % 3 === 2) await bench.clock.advance(1_000);
  }
  function walk(selection: DeviceSelection, limit: number, untilMs = bench.clock.now(), appNo = 1) {
    const steps: string[] = [];
    for (let from: WalkPosition = WALK_START; ; ) {
      const found = bench.walk(appNo, selection, from, untilMs, limit);
      const last = found.at(-1);
      if (!last) return steps.join(" | ");
      steps.push(found.map(({ nodeId }) => nodeId).join(" "));
      from = { createdAtMs: last.createdAt, no: last.no };
    }
  }
  return { bench, walk, start };
}

test("every device is met once, whatever the steps", async () => {
  const { walk } = await nineDevices();
  expect(walk({ by: "all" }, 100)).toBe("n0 n1 n2 n3 n4 n5 n6 n7 n8");
  expect(walk({ by: "all" }, 3)).toBe("n0 n1 n2 | n3 n4 n5 | n6 n7 n8");
  expect(walk({ by: "all" }, 2)).toBe("n0 n1 | n2 n3 | n4 n5 | n6 n7 | n8");
  for (const limit of [1, 4, 5, 7, 8, 9])
    expect(walk({ by: "all" }, limit).replaceAll(" |", "")).toBe(walk({ by: "all" }, 100));
});

test("by type and by location; of one application only", async () => {
  const { walk, bench } = await nineDevices();
  expect(walk({ by: "deviceType", deviceType: "Lamp" }, 2)).toBe("n6 n7 | n8");
  expect(walk({ by: "location", location: "roof" }, 2)).toBe("n0 n3 | n6");
  expect(walk({ by: "location", location: "Roof" }, 2)).toBe("");
  expect(walk({ by: "all" }, 9, bench.clock.now(), 2)).toBe("");
});

test("what is registered later is left out", async () => {
  const { walk, start } = await nineDevices();
  expect(walk({ by: "all" }, 4, start)).toBe("n0 n1 n2");
  expect(walk({ by: "all" }, 2, start + 1_000)).toBe("n0 n1 | n2 n3 | n4 n5");
  expect(walk({ by: "all" }, 4, start - 1)).toBe("");
});

test("a device that is deleted on the way does not end it", async () => {
  const { bench } = await nineDevices();
  const [first, second, third] = bench.walk(1, { by: "all" }, WALK_START, bench.clock.now(), 3);
  await bench.devices.delete(second?.no as number, { cascade: true });
  const from = { createdAtMs: first?.createdAt as number, no: first?.no as number };
  expect(bench.walk(1, { by: "all" }, from, bench.clock.now(), 1)[0]?.no).toBe(third?.no as number);
});
