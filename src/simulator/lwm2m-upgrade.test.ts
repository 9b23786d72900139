import { beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { seededRandom } from "../platform/testing/seeded-random";
import { CODES, DEFAULT_TRANSMISSION, option, renderCode } from "../wire/coap";
import { CIPHER_SUITES } from "../wire/dtls";
import { type DeviceMessage, decodeDeviceMessage, encodePlatformMessage, type PlatformMessage } from "../wire/pcp";
import { fuzzSeed } from "../wire/testing/random";
import { badNetwork } from "./bad-network";
import type { RequestResult } from "./coap-node";
import { type Lwm2mDevice, startLwm2mDevice } from "./lwm2m-device";
import type { Network } from "./network";
import { SECURE_SETTINGS } from "./secure-channel";
import { type StubPlatform, stubPlatform } from "./testing/stub-nb-platform";
import { UPGRADE_TIMES, upgradeBehaviour } from "./upgrade/behaviour";

const EP = "863703030000001";
const PSK = Uint8Array.fromHex("0011223344556677");
const PACKAGE = Buffer.concat([Buffer.from("version=2.0.0\n"), Buffer.alloc(9_986, 7)]);
const SHA256 = createHash("sha256").update(PACKAGE).digest("hex");
const SHARD = 500;

let clock: ManualClock;
let random: () => number;
let platform: StubPlatform;
let installed: string[];
let device: Lwm2mDevice;
beforeEach(() => {
  clock = manualClock();
  random = seededRandom(fuzzSeed);
  installed = [];
});

async function start(
  behaviour: string,
  { isSecure = false, loss = 0, style = "lwm2m" as "lwm2m" | "tup", other = undefined as Network | undefined } = {},
): Promise<void> {
  const found = upgradeBehaviour(behaviour);
  if (!found) throw new Error(behaviour);
  platform = stubPlatform({ clock, random, ...(isSecure && { psks: new Map([[EP, PSK]]) }) });
  const lossy = (network: Network) =>
    badNetwork(network, { loss, duplicate: loss, delayMs: loss ? 50 : 0 }, clock, random);
  device = startLwm2mDevice({
    nodeId: EP,
    psk: PSK,
    network: lossy(platform.network),
    clock,
    random,
    settings: {
      style,
      queueMode: false,
      awakeMs: 10_000,
      lifetimeSeconds: 86_400,
      confirmable: true,
      observeWaitMs: 10_000,
      rebootMs: 5_000,
      logBytes: 10,
      transmission: DEFAULT_TRANSMISSION,
      secure: isSecure ? { ...SECURE_SETTINGS, suites: CIPHER_SUITES } : undefined,
      answers: [],
      upgrade: {
        behaviour: found,
        times: UPGRADE_TIMES,
        version: "1.0.0",
        servers: {
          isOwn: (url) => url.hostname === "192.0.2.9",
          open: () => lossy(other ?? platform.network),
          blockSize: 512,
          httpPieceBytes: 4_096,
        },
        on: { installed: (way, version, sha256) => installed.push(`${way} ${version} ${sha256}`) },
      },
    },
    on: {
      registered() {},
      registrationFailed() {},
      updated() {},
      handshake() {},
      command() {
        throw new Error("PCP is no command");
      },
      answered() {},
      duplicate() {},
      rebooted() {},
      slept() {},
      moved() {},
    },
  });
  for (let attempt = 0; attempt < 20 && !device.isRegistered; attempt++) await settled(device.register());
  expect(device.isRegistered).toBe(true);
}

async function settled<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  for (let passed = 0; passed < 3_600_000 && !isOver; passed += 100) await clock.advance(100);
  if (!isOver) throw new Error(`not settled; seed ${fuzzSeed}`);
  return work;
}

async function until(what: string, holds: () => boolean, mostMs = 7_200_000): Promise<void> {
  for (let passed = 0; passed < mostMs && !holds(); passed += 100) await clock.advance(100);
  if (!holds()) throw new Error(`${what}: not within ${mostMs} ms; seed ${fuzzSeed}`);
}

const tell = (message: PlatformMessage) => platform.command(EP, encodePlatformMessage(message).toHex());

/** What a platform does of PCP once it has announced; until the device reports its result. */
async function serve(): Promise<DeviceMessage[]> {
  const heard: DeviceMessage[] = [];
  let seen = 0;
  const next = () => {
    for (; seen < platform.reports.length; seen++) {
      const decoded = decodeDeviceMessage(Uint8Array.fromHex(platform.reports[seen]?.payload ?? ""));
      if (decoded.kind !== "message") continue;
      heard.push(decoded.message);
      void answer(decoded.message);
    }
    return heard.some(({ type }) => type === "upgradeResultRequest");
  };
  const answer = async (message: DeviceMessage) => {
    if (message.type === "shardRequest") {
      const { shardIndex } = message;
      const data = PACKAGE.subarray(shardIndex * SHARD, (shardIndex + 1) * SHARD);
      await tell({ type: "shardResponse", resultCode: 0, shardIndex, data });
    }
    if (message.type === "downloadResultRequest") {
      await tell({ type: "downloadResultResponse", resultCode: 0 });
      await tell({ type: "executeRequest" });
    }
    if (message.type === "upgradeResultRequest") await tell({ type: "upgradeResultResponse", resultCode: 0 });
  };
  void tell({
    type: "newVersionRequest",
    targetVersion: "2.0.0",
    shardSize: SHARD,
    shardTotal: 20,
    packageCheckCode: 0xabcd,
  });
  await until("a result", next);
  return heard;
}

describe.each([
  ["lwm2m", "good", 0],
  ["tup", "good", 0],
  ["lwm2m", "reboots", 0],
  ["lwm2m", "reboots-installing", 0],
  ["tup", "reboots", 0],
  ["lwm2m", "reboots", 0.15],
] as const)("PCP, style %s, %s, loss %d", (style, behaviour, loss) => {
  test("the package arrives byte for byte, is installed once, and is reported", async () => {
    await start(behaviour, { style, loss });
    const heard = await serve();
    expect(installed).toEqual([`pcp 2.0.0 ${SHA256}`]);
    expect(heard.at(-1)).toEqual({ type: "upgradeResultRequest", resultCode: 0, currentVersion: "2.0.0" });
    await settled(device.stop("quietly"));
  });
});

test("PCP over DTLS", async () => {
  await start("good", { isSecure: true });
  await serve();
  expect(installed).toEqual([`pcp 2.0.0 ${SHA256}`]);
});

describe("object 5", () => {
  const request = (code: number, path: string, payload = "", format = 0) =>
    settled(
      platform.request(EP, code, path, { payload: Buffer.from(payload), options: [option("contentFormat", format)] }),
    );
  const read = async (path: string) => textOf(await settled(platform.request(EP, CODES.get, path)));
  const code = (result: RequestResult) => (result.kind === "response" ? renderCode(result.message.code) : result.kind);
  const textOf = (result: RequestResult) =>
    result.kind === "response" && result.message.code === CODES.content
      ? Buffer.from(result.message.payload).toString()
      : code(result);

  test.each([
    ["good", false, 0],
    ["good", true, 0],
    ["reboots", false, 0],
    ["reboots", true, 0],
    ["reboots-installing", false, 0],
    ["reboots", false, 0.15],
  ])(
    "%s, secure %p, loss %d: fetches from its server, installs, runs the new version",
    async (name, isSecure, loss) => {
      await start(name, { isSecure, loss });
      platform.bodies.set("package/1", PACKAGE);
      expect(await read("/3/0/3")).toBe("1.0.0");
      const uri = `${isSecure ? "coaps" : "coap"}://192.0.2.9/package/1`;
      expect(code(await request(CODES.put, "/5/0/1", uri))).toBe("2.04");
      await eventually(() => read("/5/0/3"), "2");
      // Its answer may be lost; a device that has begun meanwhile says no to the repetition.
      expect(loss > 0 ? ["2.04", "4.05"] : ["2.04"]).toContain(code(await request(CODES.post, "/5/0/2")));
      await until("an installation", () => installed.length > 0);
      expect(installed).toEqual([`object5 2.0.0 ${SHA256}`]);
      await eventually(() => read("/3/0/3"), "2.0.0");
      expect(await read("/5/0/5")).toBe("1");
      expect(await read("/5/0/3")).toBe("0");
      await settled(device.stop("quietly"));
    },
  );

  async function eventually(get: () => Promise<string>, wanted: string): Promise<void> {
    let last = "";
    for (let attempt = 0; attempt < 200; attempt++) {
      last = await get();
      if (last === wanted) return;
      await clock.advance(5_000);
    }
    throw new Error(`${last}, not ${wanted}; seed ${fuzzSeed}`);
  }

  test("fetches from another server in plain CoAP", async () => {
    const elsewhere = stubPlatform({ clock, random });
    elsewhere.bodies.set("fw", PACKAGE);
    await start("good", { isSecure: true, other: elsewhere.network });
    await request(CODES.put, "/5/0/1", "coap://192.0.2.77:5999/fw");
    await eventually(() => read("/5/0/3"), "2");
    await request(CODES.post, "/5/0/2");
    await until("an installation", () => installed.length > 0);
    expect(installed).toEqual([`object5 2.0.0 ${SHA256}`]);
  });

  test("fetches over HTTP in ranges, and goes on where it was", async () => {
    let ranges = 0;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(it) {
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(it.headers.get("range") ?? "") ?? [];
        ranges++;
        const end = Math.min(Number(to) + 1, PACKAGE.length);
        return new Response(new Uint8Array(PACKAGE.subarray(Number(from), end)), {
          status: 206,
          headers: { "Content-Range": `bytes ${from}-${end - 1}/${PACKAGE.length}`, ETag: '"1"' },
        });
      },
    });
    await start("reboots");
    await request(CODES.put, "/5/0/1", `${server.url}fw`);
    // HTTP takes real time, whatever the clock says: the limit is that of the test.
    await until("three ranges", () => ranges === 3, Number.POSITIVE_INFINITY);
    while ((await read("/5/0/3")) !== "2") await clock.advance(1_000);
    await request(CODES.post, "/5/0/2");
    await until("an installation", () => installed.length > 0);
    expect(installed).toEqual([`object5 2.0.0 ${SHA256}`]);
    expect(ranges).toBe(3);
    await server.stop(true);
  });

  test("is pushed, says what it can, and refuses what object 5 does not have", async () => {
    await start("good");
    expect(platform.log.length).toBeGreaterThan(0);
    expect(await read("/5/0/8/3")).toBe("3");
    expect(await read("/5/0/9")).toBe("2");
    expect(code(await request(CODES.post, "/5/0/2"))).toBe("4.05");
    expect(code(await request(CODES.put, "/5/0/3", "1"))).toBe("4.05");
    expect(code(await request(CODES.put, "/5/0/1", "x".repeat(256)))).toBe("4.00");
    expect(code(await request(CODES.get, "/5/0/2"))).toBe("4.04");
    const push = { payload: PACKAGE.subarray(0, 900), options: [option("contentFormat", 42)] };
    expect(code(await settled(platform.request(EP, CODES.put, "/5/0/0", push)))).toBe("2.04");
    expect(await read("/5/0/3")).toBe("2");
  });

  test("tells its state to who observes it", async () => {
    await start("good");
    platform.bodies.set("p", PACKAGE);
    await settled(platform.request(EP, CODES.get, "/5/0/3", { options: [option("observe", 0)] }));
    await request(CODES.put, "/5/0/1", "coap://192.0.2.9/p");
    await eventually(() => read("/5/0/3"), "2");
    await clock.advance(5_000);
    expect(platform.log.filter((line) => line.startsWith("uplink"))).toEqual([
      "uplink without observation: 1",
      "uplink without observation: 2",
    ]);
  });

  test.each([
    ["wrong-crc", "5"],
    ["no-storage", "2"],
    ["bad-uri", "7"],
  ])("%s: result %s", async (name, result) => {
    await start(name);
    platform.bodies.set("p", PACKAGE);
    await request(CODES.put, "/5/0/1", "coap://192.0.2.9/p");
    await eventually(() => read("/5/0/5"), result);
    expect(await read("/5/0/3")).toBe("0");
  });

  test("no package there: an invalid URI", async () => {
    await start("good");
    await request(CODES.put, "/5/0/1", "coap://192.0.2.9/nothing");
    await eventually(() => read("/5/0/5"), "7");
    await request(CODES.put, "/5/0/1", "ftp://192.0.2.9/nothing");
    await eventually(() => read("/5/0/5"), "9");
  });

  test("silence is silence, and cells and signals may be missing", async () => {
    await start("silent");
    expect(await read("/3/0/3")).toBe("noAcknowledgement");
    await start("no-cell");
    expect(await read("/4/0/8")).toBe("4.04");
    await start("weak-signal");
    expect([await read("/4/0/2"), await read("/4/0/8"), await read("/4/0/11")]).toEqual(["-120", "26817", "-5"]);
  });
});
