import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { systemClock } from "../platform/clock";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { seededRandom } from "../platform/testing/seeded-random";
import { CODES, option } from "../wire/coap";
import { fuzzSeed } from "../wire/testing/random";
import { FleetUsageError } from "./arguments";
import { DeviceListError } from "./device-list";
import { parseLwm2mArguments, prepareLwm2mFleet } from "./lwm2m-arguments";
import { type Lwm2mFleetOptions, type Lwm2mFleetResult, runLwm2mFleet } from "./lwm2m-fleet";
import { serveDatagrams } from "./testing/serve-datagrams";
import { type StubPlatform, stubPlatform } from "./testing/stub-nb-platform";

const noFile = () => Promise.reject(new Error("no file"));
const PSK = "00112233445566778899aabbccddeeff";
const devicesOf = (count: number) => Array.from({ length: count }, (_, index) => `sim-${index + 1}`);

describe("in memory, with manual time", () => {
  let clock: ManualClock;
  let platform: StubPlatform;
  let lines: string[];
  beforeEach(() => {
    clock = manualClock();
    lines = [];
    platform = stubPlatform({
      clock,
      random: seededRandom(fuzzSeed),
      psks: new Map(devicesOf(20).map((nodeId) => [nodeId, Uint8Array.fromHex(PSK)])),
      connectionIds: true,
    });
  });

  async function run(words: string[], changes: Partial<Lwm2mFleetOptions> = {}): Promise<Lwm2mFleetResult> {
    const text = `--coaps 192.0.2.9:5684 --devices 20 --psk ${PSK} --seed ${fuzzSeed} ${words.join(" ")}`;
    const options = await prepareLwm2mFleet(parseLwm2mArguments(text.trim().split(" ")), noFile);
    let result: Lwm2mFleetResult | undefined;
    const work = runLwm2mFleet({ ...options, network: platform.network, ...changes }, clock, (line) =>
      lines.push(line),
    );
    work.then(
      (it) => {
        result = it;
      },
      () => {},
    );
    for (let passed = 0; passed < 100_000 && !result; passed++) await clock.advance(20);
    return work;
  }

  test("registers all, lets them report in turn, counts what was acknowledged", async () => {
    const result = await run(["--rate", "40", "--seconds", "5"]);
    expect(result).toMatchObject({
      devices: 20,
      registered: 20,
      registrations: 20,
      handshakes: 20,
      reportsAcknowledged: result.reportsSent,
      reportsPerSecond: 40,
      reportsLost: 0,
    });
    expect([199, 200]).toContain(result.reportsSent); // the last one falls due as the clock strikes
    expect(platform.reports.length).toBe(result.reportsSent);
    expect(new Set(platform.reports.map(({ ep, payload }) => `${ep} ${payload}`)).size).toBe(result.reportsSent);
    expect(lines[0]).toStartWith("20 of 20 registered after");
    expect(lines.filter((line) => / s: (?:39|40|41) reports\/s/.test(line)).length).toBe(5);
  });

  test("devices that can be upgraded are, each by its behaviour, and their packages are counted", async () => {
    const words = "--rate 0 --seconds 60 --upgrade good,wrong-crc --firmware-version 2.0.0".split(" ");
    const firmware = Buffer.from("firmware");
    const result = await run(words, {
      async onPhase(phase) {
        if (phase !== "measuring") return;
        const options = [option("contentFormat", 42)];
        for (const ep of devicesOf(20)) {
          await platform.request(ep, CODES.put, "5/0/0", { payload: firmware, options });
          await platform.request(ep, CODES.post, "5/0/2");
        }
      },
    });
    const sha256 = createHash("sha256").update(firmware).digest("hex");
    expect(result).toMatchObject({ registered: 20, installed: 10, packages: { [sha256]: 10 }, reboots: 10 });
    expect(lines.at(-1)).toEndWith(", 10 installed");
  });

  test("half of a mixed fleet speaks TUP", async () => {
    await run(["--style", "mixed", "--rate", "0", "--seconds", "1"]);
    const styles = [...platform.registrations.values()].map(({ style }) => style);
    expect(styles.filter((style) => style === "tup").length).toBe(10);
  });

  test("sleeping devices keep their sessions, and moving ones too with a connection id", async () => {
    const result = await run("--rate 2 --seconds 60 --queue-mode --awake-ms 1000 --move 1 --cid".split(" "));
    expect(result).toMatchObject({ registered: 20, handshakes: 20, resumed: 0, reportsLost: 0 });
    expect(result.reportsAcknowledged).toBeGreaterThan(115);
    expect(result.sleeps).toBeGreaterThan(100);
    expect(result.moves).toBeGreaterThan(50);
  });

  test("moving devices without one resume their sessions", async () => {
    const result = await run("--rate 2 --seconds 60 --move 1".split(" "));
    expect(result).toMatchObject({ registered: 20, handshakes: 20, failedHandshakes: 0 });
    expect(result.resumed).toBeGreaterThan(30);
  });

  test(`bad networks lose time, not devices (seed ${fuzzSeed})`, async () => {
    const result = await run("--rate 4 --seconds 60 --loss 0.1 --duplicate 0.1 --delay-ms 300".split(" "));
    expect(result.reportsAcknowledged).toBeGreaterThan(100);
    expect(result.executedAgain).toBe(0);
  });

  test("commands are executed, answered and counted", async () => {
    const onPhase = async (phase: string): Promise<void> => {
      if (phase !== "measuring") return;
      for (const nodeId of devicesOf(20)) void platform.command(nodeId, "03000105");
    };
    const result = await run(["--rate", "0", "--seconds", "5", "--answer", "03=04{1:2}00{3}"], { onPhase });
    expect(result).toMatchObject({ commands: 20, answersSent: 20, duplicates: 0, executedAgain: 0 });
    expect(platform.reports.map(({ payload }) => payload)).toEqual(Array(20).fill("0400010005"));
  });

  test("de-registers at the end when it is asked to", async () => {
    await run(["--rate", "0", "--seconds", "1", "--leave"]);
    expect(platform.registrations.size).toBe(0);
  });

  test("who is interrupted while nobody answers ends at once, and says why none came in", async () => {
    platform.behaviour.isDeaf = true;
    const stopping = new AbortController();
    const work = run(["--seconds", "0"], { signal: stopping.signal });
    await clock.advance(1_000);
    stopping.abort();
    expect(await work).toMatchObject({ registered: 0, reportsSent: 0 });
  });

  test("a reason is printed once", async () => {
    platform.behaviour.registers = false;
    const result = await run(["--rate", "0", "--seconds", "1"]);
    expect(result.registered).toBe(0);
    expect(lines.filter((line) => line.includes("not registered: code 4.3")).length).toBe(1);
  });
});

describe("over real sockets", () => {
  let socket: Awaited<ReturnType<typeof serveDatagrams>>;
  const stub = stubPlatform({ clock: systemClock, random: Math.random });
  beforeEach(async () => {
    socket = await serveDatagrams(stub.receive);
  });
  afterEach(() => socket.close());

  test("a fleet registers, reports, sleeps and reports again from the same addresses", async () => {
    const text = `--coap 127.0.0.1:${socket.port} --devices 30 --rate 100 --seconds 2 --queue-mode --awake-ms 50`;
    const options = await prepareLwm2mFleet(parseLwm2mArguments(text.split(" ")), noFile);
    const result = await runLwm2mFleet(options, systemClock, () => {});
    expect(result).toMatchObject({ registered: 30, registrations: 30, reportsLost: 0 });
    expect(result.reportsAcknowledged).toBeGreaterThan(100);
    expect(result.sleeps).toBeGreaterThan(30);
    expect(stub.reports.length).toBeGreaterThanOrEqual(result.reportsAcknowledged);
  });

  test("a server that is not there is no fault", async () => {
    const { port } = socket;
    socket.close();
    const stopping = new AbortController();
    const options = await prepareLwm2mFleet(
      parseLwm2mArguments(["--coap", `127.0.0.1:${port}`, "--devices", "3"]),
      noFile,
    );
    const work = runLwm2mFleet({ ...options, signal: stopping.signal }, systemClock, () => {});
    await systemClock.sleep(300, stopping.signal);
    stopping.abort();
    expect(await work).toMatchObject({ devices: 3, registered: 0 });
  });
});

describe("arguments", () => {
  test("defaults", () => {
    const parsed = parseLwm2mArguments(["--devices", "5"]);
    expect(parsed).toMatchObject({
      server: { host: "127.0.0.1", port: 5683 },
      source: { kind: "known", prefix: "sim", count: 5 },
      style: "lwm2m",
      settings: { queueMode: false, confirmable: true, lifetimeSeconds: 86_400 },
      seconds: 10,
    });
    expect(parsed.settings.secure).toBeUndefined();
    expect(parsed.payload(258, () => 0).toHex()).toBe("000102");
  });

  test("addresses of a network, in turn", () => {
    const { local } = parseLwm2mArguments(["--devices", "5", "--from", "127.1.0.0/30"]);
    expect([0, 1, 2].map((index) => local?.(index).host)).toEqual(["127.1.0.1", "127.1.0.2", "127.1.0.1"]);
  });

  test.each([
    ["", "give one of --device-list, --api and --devices"],
    ["--coap a:1 --coaps b:2 --devices 1", "give one of --coap and --coaps"],
    ["--coap nowhere --devices 1", "--coap must look like HOST:PORT"],
    ["--coaps h:5684 --devices 1", "--coaps with --devices needs --psk in hexadecimal"],
    ["--coaps h:5684 --devices 1 --psk xyz", "--coaps with --devices needs --psk in hexadecimal"],
    ["--devices 1 --psk 00", "--psk is for --coaps"],
    ["--devices 1 --cid", "--cid is for --coaps"],
    ["--devices 0", "--devices must be a whole number from 1 to 1000000"],
    ["--devices 1 --style huawei", "--style must be one of lwm2m, tup, mixed"],
    ["--devices 1 --loss 2", "--loss must be a number from 0 to 1"],
    ["--devices 1 --payload 0", "--payload: 0 in 0 is not hexadecimal"],
    ["--devices 1 --answer 03", "--answer: 03 is not PREFIX=ANSWER in hexadecimal"],
    ["--coaps h:5684 --devices 1 --psk 00 --suite rc4", "--suite must be one of ccm8, gcm, cbc"],
    ["--devices 1 --from 10.0.0.0/31", "--from ADDRESS/BITS must be IPv4 with 8 to 30 bits"],
    ["--device-list x --devices 3", "give one of --device-list, --api and --devices"],
    ["--api http://h:1", "--api needs --app, --secret and --product"],
    ["--nonsense", "Unknown option '--nonsense'"],
  ])("%p is refused: %s", (text, message) => {
    const parse = () => parseLwm2mArguments(text === "" ? [] : text.split(" "));
    expect(parse).toThrow(FleetUsageError);
    expect(parse).toThrow(message);
  });

  test("a list of devices, with a psk where it is needed", async () => {
    const csv = () => Promise.resolve(`nodeId;psk\n863703030000001;${PSK}\n`);
    const secure = parseLwm2mArguments(["--coaps", "h:5684", "--device-list", "f"]);
    expect((await prepareLwm2mFleet(secure, csv)).devices).toEqual([{ nodeId: "863703030000001", psk: PSK }]);
    const plain = parseLwm2mArguments(["--device-list", "f"]);
    const json = () => Promise.resolve('[{"nodeId":"1"},{"nodeId":"2"}]');
    expect((await prepareLwm2mFleet(plain, json)).devices).toEqual([{ nodeId: "1" }, { nodeId: "2" }]);
    expect(prepareLwm2mFleet(secure, json)).rejects.toThrow(DeviceListError);
  });
});
