import { afterEach, beforeEach, expect, test } from "bun:test";
import { systemClock } from "../platform/clock";
import { FleetUsageError } from "./arguments";
import { parseFleetArguments, prepareFleet } from "./fleet-arguments";
import { type FleetOptions, runMqttFleet } from "./mqtt-fleet";
import { DEFAULT_PAYLOAD } from "./report-template";
import { startStubBroker } from "./testing/stub-broker";

let broker: ReturnType<typeof startStubBroker>;
beforeEach(() => {
  broker = startStubBroker();
});
afterEach(() => broker.stop());

/** Runs until the broker has seen enough. */
async function run(options: Partial<FleetOptions>, enough: () => Promise<void>) {
  const stopping = new AbortController();
  const lines: string[] = [];
  const fleet = runMqttFleet(
    {
      address: broker.address,
      devices: [{ deviceId: "a" }, { deviceId: "b", secret: "0123" }],
      rate: "flood",
      seconds: 0,
      warmUpSeconds: 0,
      window: 5,
      qos: 1,
      payload: DEFAULT_PAYLOAD,
      commands: true,
      connecting: 1,
      keepAliveSeconds: 60,
      cleanSession: true,
      signal: stopping.signal,
      ...options,
    },
    systemClock,
    (line) => lines.push(line),
  );
  await enough();
  stopping.abort();
  return { ...(await fleet), lines };
}

test("a fleet connects, reports as fast as it may, and tells what came of it", async () => {
  const result = await run({}, () => broker.came("publish", 500));
  expect(broker.of("connect").map(({ clientId, username }) => [clientId.split("_")[0], username])).toEqual([
    ["a", undefined],
    ["b", "b"],
  ]);
  expect(result).toMatchObject({ devices: 2, connected: 2, skipped: 0, lostConnections: 0 });
  expect(result.acknowledged).toBeGreaterThan(0);
  expect(result.latencyMs.p99).toBeGreaterThanOrEqual(result.latencyMs.p50);
  expect(result.lines[0]).toStartWith("2 of 2 connected");
  await broker.came("disconnect", 2);
});

test.each([0, 2] as const)("a fleet can report with QoS %i", async (qos) => {
  const { acknowledged } = await run({ qos }, () => broker.came("publish", 100));
  expect(acknowledged).toBeGreaterThan(0);
});

test("a rate is shared by all devices in turn", async () => {
  await run({ rate: 2_000 }, () => broker.came("publish", 40));
  expect(broker.of("publish")[0]?.qos).toBe(1);
});

test("devices that only stay connected send nothing", async () => {
  const { sent } = await run({ rate: 0, commands: false }, () => broker.came("connect", 2));
  expect(sent).toBe(0);
  expect(broker.of("publish")).toEqual([]);
});

test("a broker that refuses stops neither the start nor the end, and is told", async () => {
  broker.refuseFromNowOn();
  const { connected, acknowledged, lines } = await run({ devices: [{ deviceId: "a" }, { deviceId: "b" }] }, () =>
    broker.came("connect", 2),
  );
  expect([connected, acknowledged]).toEqual([0, 0]);
  expect(lines[0]).toBe("a: refused: not authorized");
});

const WRONG: [args: string[], message: RegExp][] = [
  [[], /one of --devices, --api and --anonymous/],
  [["--anonymous", "5", "--devices", "x"], /one of/],
  [["--anonymous", "0"], /--anonymous must be a whole number from 1/],
  [["--anonymous", "5", "--qos", "3"], /--qos/],
  [["--anonymous", "5", "--rate", "-1"], /rate/],
  [["--anonymous", "5", "--nonsense"], /nonsense/],
  [["--anonymous", "5", "--broker", "http://x"], /--broker must look like/],
  [["--api", "http://x:1"], /needs --app/],
  [["--api", "ftp://x", "--app", "a", "--secret", "s", "--product", "p"], /--api must look like/],
];
test.each(WRONG)("%j is refused", (args, message) => {
  expect(() => parseFleetArguments(args)).toThrow(FleetUsageError);
  expect(() => parseFleetArguments(args)).toThrow(message);
});

const files: Record<string, string> = {
  "devices.json": '[{"deviceId":"p_1","secret":"aa"},{"deviceId":"p_2","secret":"bb"}]',
  "devices.csv": 'nodeId,deviceId,secret\n1,"p_1",aa\r\n2,p_2,bb\n\n',
  "half.csv": "deviceId,secret\np_1\n",
  "other.csv": "id;secret\n1;2\n",
  "ca.pem": "PEM",
};
const read = async (path: string) => files[path] ?? "";

test.each(["devices.json", "devices.csv"])("devices are read from %s", async (file) => {
  const options = await prepareFleet(
    parseFleetArguments(["--devices", file, "--broker", "mqtts://[::1]:99", "--ca", "ca.pem"]),
    read,
  );
  expect(options).toMatchObject({
    devices: [
      { deviceId: "p_1", secret: "aa" },
      { deviceId: "p_2", secret: "bb" },
    ],
    address: { host: "::1", port: 99, tls: { ca: "PEM", rejectUnauthorized: true } },
    rate: 0.4,
    window: 20,
  });
});

test.each(["half.csv", "other.csv", "missing"])("a list that names no devices is refused: %s", async (file) => {
  await expect(prepareFleet(parseFleetArguments(["--devices", file]), read)).rejects.toThrow(/devices|device|columns/);
});
