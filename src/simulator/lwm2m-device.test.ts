import { beforeEach, describe, expect, test } from "bun:test";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { seededRandom } from "../platform/testing/seeded-random";
import { CODES, DEFAULT_TRANSMISSION, encodeBlock, OPTIONS, option, renderCode } from "../wire/coap";
import { CIPHER_SUITES, PSK_AES_128_CCM_8 } from "../wire/dtls";
import { fuzzSeed } from "../wire/testing/random";
import { badNetwork } from "./bad-network";
import type { RequestResult } from "./coap-node";
import { compileAnswer } from "./hex-template";
import { type Lwm2mDevice, type Lwm2mDeviceSettings, startLwm2mDevice } from "./lwm2m-device";
import type { Network } from "./network";
import { SECURE_SETTINGS } from "./secure-channel";
import { type StubPlatform, stubPlatform } from "./testing/stub-nb-platform";

const EP = "863703030000001";
const PSK = Uint8Array.fromHex("0011223344556677");
const REPORT = Uint8Array.of(0, 1, 2);
const SETTINGS: Lwm2mDeviceSettings = {
  style: "lwm2m",
  queueMode: false,
  awakeMs: 10_000,
  lifetimeSeconds: 86_400,
  confirmable: true,
  observeWaitMs: 4_000,
  rebootMs: 5_000,
  logBytes: 3_000,
  transmission: DEFAULT_TRANSMISSION,
  secure: undefined,
  answers: [compileAnswer("03=04{1:2}00{3}")],
};
const SECURE = { ...SECURE_SETTINGS, suites: CIPHER_SUITES };

let clock: ManualClock;
let random: () => number;
let platform: StubPlatform;
let events: string[];
beforeEach(() => {
  clock = manualClock();
  random = seededRandom(fuzzSeed);
  events = [];
  platform = stubPlatform({ clock, random });
});

function start(changes: Partial<Lwm2mDeviceSettings> = {}, { network = platform.network as Network, psk = PSK } = {}) {
  return startLwm2mDevice({
    nodeId: EP,
    psk,
    network,
    clock,
    random,
    settings: { ...SETTINGS, ...changes },
    on: {
      registered: () => events.push("registered"),
      registrationFailed: (reason) => events.push(`not registered: ${reason}`),
      updated: () => events.push("updated"),
      handshake: (outcome) => events.push(`handshake ${outcome}`),
      command: (payload, times) => events.push(`command ${payload.toHex()} x${times}`),
      answered: (accepted) => events.push(`answered ${accepted}`),
      duplicate: () => events.push("duplicate"),
      rebooted: () => events.push("rebooted"),
      slept: () => events.push("slept"),
      moved: () => events.push("moved"),
    },
  });
}

/** Lets time pass until it is settled; so much at most. */
async function settled<T>(work: Promise<T>, mostMs = 300_000): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  for (let passed = 0; passed < mostMs && !isOver; passed += 50) await clock.advance(50);
  if (!isOver) throw new Error(`not settled after ${mostMs} ms; seed ${fuzzSeed}; ${events.join(", ")}`);
  return work;
}

async function registered(device: Lwm2mDevice): Promise<void> {
  expect(await settled(device.register())).toBe(true);
}

const codeOf = (result: RequestResult) => (result.kind === "response" ? renderCode(result.message.code) : result.kind);
const textOf = (result: RequestResult) =>
  result.kind === "response" ? Buffer.from(result.message.payload).toString() : result.kind;
const optionOf = (result: RequestResult, name: keyof typeof OPTIONS) =>
  result.kind === "response"
    ? result.message.options.find(({ number }) => number === OPTIONS[name].number)?.value.toHex()
    : undefined;

describe.each(["lwm2m", "tup"] as const)("style %s", (style) => {
  test("registers, is observed, and reports", async () => {
    const device = start({ style });
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log).toEqual([`register ${EP}`, `observed ${EP}`]);
    expect(platform.registrations.get(EP)?.query).toBe(
      style === "lwm2m" ? `lwm2m=1.0&ep=${EP}&b=U&lt=86400` : `ep=${EP}`,
    );
    expect(platform.reports).toEqual([{ ep: EP, payload: "000102", contentFormat: style === "lwm2m" ? "2a" : "none" }]);
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log.length).toBe(2);
    await settled(device.stop("quietly"));
  });

  test("executes a command once, answers it, and is not moved by its repetition", async () => {
    const device = start({ style });
    await registered(device);
    expect(codeOf(await settled(platform.command(EP, "03000105")))).toBe("2.04");
    await clock.advance(100);
    expect(events).toEqual(["registered", "command 03000105 x1", "answered true"]);
    expect(platform.reports.map(({ payload }) => payload)).toEqual(["0400010005"]);
    expect(codeOf(await settled(platform.command(EP, "aaaa0000")))).toBe("2.04"); // a reply to a report: no rule for it
    expect([...device.executions]).toEqual([
      ["03000105", 1],
      ["aaaa0000", 1],
    ]);
    expect(platform.reports.length).toBe(1);
  });

  test("a refused registration is told with its code, and tried again with the next report", async () => {
    platform.behaviour.registers = false;
    const device = start({ style });
    expect(await settled(device.report(REPORT))).toBe("notRegistered");
    expect(events).toEqual([`not registered: code ${style === "lwm2m" ? "4.3" : "5.0"}`]);
    platform.behaviour.registers = true;
    expect(await settled(device.report(REPORT))).toBe("accepted");
  });

  test("begins again when nobody observes it in time", async () => {
    platform.behaviour.observes = false;
    const device = start({ style });
    expect(await settled(device.report(REPORT))).toBe("notRegistered");
    expect(events).toEqual(["not registered: not observed"]);
    platform.behaviour.observes = true;
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log.filter((line) => line === `register ${EP}`).length).toBe(2);
  });

  test("asleep it hears nothing until its next uplink", async () => {
    const device = start({ style, queueMode: true });
    await registered(device);
    await clock.advance(10_001);
    expect([device.isAwake, events.at(-1)]).toEqual([false, "slept"]);
    expect(platform.taken.size).toBe(0);
    const command = platform.command(EP, "0300010a");
    await clock.advance(1_000);
    expect(device.executions.size).toBe(0);
    const port = device.localPort;
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(device.localPort).toBe(port);
    expect(codeOf(await settled(command))).toBe("2.04"); // repeated by the stub while the device is awake
    expect([...device.executions]).toEqual([["0300010a", 1]]);
  });

  test("whoever has lost a report registers or updates before the next one", async () => {
    const device = start({ style });
    await registered(device);
    platform.behaviour.isDeaf = true;
    expect(await settled(device.report(REPORT))).toBe("lost");
    platform.behaviour.isDeaf = false;
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log.at(style === "lwm2m" ? -1 : -2)).toBe(style === "lwm2m" ? `update ${EP}` : `register ${EP}`);
  });

  test("an RST to a report makes it register anew", async () => {
    const device = start({ style });
    await registered(device);
    platform.forget();
    expect(await settled(device.report(REPORT))).toBe("lost");
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(events.filter((each) => each === "registered").length).toBe(2);
  });

  test("and so does an RST to a NON, of which the device hears afterwards", async () => {
    const device = start({ style, confirmable: false });
    await registered(device);
    platform.forget();
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.reports.length).toBe(1);
  });

  test("another port of a plain device is told to the platform", async () => {
    const device = start({ style });
    await registered(device);
    const { localPort } = device;
    await settled(device.move());
    expect(device.localPort).not.toBe(localPort);
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log.filter((line) => line.startsWith(style === "lwm2m" ? "update" : "register")).length).toBe(
      style === "lwm2m" ? 1 : 2,
    );
    expect(codeOf(await settled(platform.command(EP, "03000105")))).toBe("2.04");
  });

  test.each([true, false])(
    `over a network that drops, doubles and reorders; confirmable %p (seed ${fuzzSeed})`,
    async (confirmable) => {
      const network = badNetwork(platform.network, { loss: 0.2, duplicate: 0.2, delayMs: 300 }, clock, random);
      const device = start({ style, confirmable }, { network });
      for (let round = 0; round < 20; round++) {
        const mid = round.toString(16).padStart(4, "0");
        const outcome = await settled(device.report(Uint8Array.of(0, 0, round)), 1_000_000);
        if (!device.isRegistered || outcome !== "accepted") continue;
        await settled(platform.command(EP, `03${mid}01`), 1_000_000);
      }
      await clock.advance(300_000);
      expect(device.executions.size).toBeGreaterThan(10);
      for (const [command, times] of device.executions)
        expect({ seed: fuzzSeed, command, times }).toMatchObject({ times: 1 });
      expect(events.some((each) => each === "duplicate")).toBe(true);
    },
  );
});

describe("what LwM2M reads, writes and executes", () => {
  const get = (path: string, accept?: number) =>
    settled(platform.request(EP, CODES.get, path, { options: accept === undefined ? [] : [option("accept", accept)] }));

  test.each([
    ["3/0/3", undefined, "2.05", "", "1.0.0"],
    ["3/0/3", 0, "2.05", "", "1.0.0"],
    ["3/0", 11_542, "2.05", "2d16", undefined],
    ["4/0", undefined, "2.05", "2d16", undefined],
    ["3/0/3", 1542, "2.05", "0606", undefined],
    ["4/0/8", undefined, "2.05", "", "26817"],
    ["3/0", 40, "2.05", "28", undefined],
    ["3/0/9", 50, "4.06", undefined, ""],
    ["3/0", 0, "4.06", undefined, ""],
    ["3/0/4", undefined, "4.05", undefined, ""],
    ["3/1", undefined, "4.04", undefined, ""],
    ["99/0/1", undefined, "4.04", undefined, ""],
    ["no/path", undefined, "4.00", undefined, ""],
  ])("GET /%s with accept %p is %s", async (path, accept, code, format, text) => {
    await registered(start());
    const result = await get(path, accept);
    expect([codeOf(result), optionOf(result, "contentFormat")]).toEqual([code, format]);
    if (text !== undefined) expect(textOf(result)).toBe(text);
  });

  test.each([
    [CODES.put, "3/0/15", "Europe/Berlin", "2.04"],
    [CODES.put, "3/0/3", "2.0", "4.05"],
    [CODES.post, "3/0/3", "", "4.05"],
    [CODES.post, "20/0/4011", "", "2.04"],
    [CODES.delete, "3/0", "", "4.05"],
    [CODES.put, "9/0/1", "x", "4.04"],
  ])("%p /%s %p is %s", async (code, path, text, answer) => {
    await registered(start());
    expect(codeOf(await settled(platform.request(EP, code, path, { payload: Buffer.from(text) })))).toBe(answer);
  });

  test("a value that was written is read back and notified to its observer", async () => {
    await registered(start());
    const first = await settled(platform.request(EP, CODES.get, "3/0/15", { options: [option("observe", 0)] }));
    expect([textOf(first), optionOf(first, "observe")]).toEqual(["UTC", "01"]);
    await settled(platform.request(EP, CODES.put, "3/0/15", { payload: Buffer.from("CET") }));
    expect(textOf(await get("3/0/15"))).toBe("CET");
    await clock.advance(100);
    expect(platform.log.at(-1)).toBe("uplink without observation: CET");
  });

  test("a command comes as TLV too", async () => {
    const device = start();
    await registered(device);
    const tlv = Uint8Array.fromHex("c400" + "03000105");
    const options = [option("contentFormat", 11_542)];
    expect(codeOf(await settled(platform.request(EP, CODES.put, "19/1/0", { payload: tlv, options })))).toBe("2.04");
    expect([...device.executions.keys()]).toEqual(["03000105"]);
  });

  test("the log comes in blocks, of the size that is asked for", async () => {
    await registered(start());
    let body = Buffer.alloc(0);
    let code = "";
    for (let num = 0, more = true; more; num++) {
      const block = option("block2", encodeBlock({ num, more: false, size: 512 }));
      const result = await settled(platform.request(EP, CODES.get, "20/0/4014", { options: [block] }));
      code = codeOf(result);
      if (result.kind !== "response") break;
      body = Buffer.concat([body, result.message.payload]);
      more = (Number.parseInt(optionOf(result, "block2") ?? "0", 16) & 8) !== 0;
    }
    expect([code, body.length]).toEqual(["2.05", 3_000]);
    expect(body.toString()).toStartWith(`1 module ${EP}: attached`);
    const whole = await get("20/0/4014");
    expect([optionOf(whole, "block2"), optionOf(whole, "size2")]).toEqual(["0e", "0bb8"]);
  });

  test("a reboot is acknowledged, forgets everything and registers anew", async () => {
    platform = stubPlatform({ clock, random, psks: new Map([[EP, PSK]]) });
    await registered(start({ secure: SECURE }));
    expect(codeOf(await settled(platform.request(EP, CODES.post, "3/0/4")))).toBe("2.04");
    await clock.advance(1);
    expect(events.at(-1)).toBe("rebooted");
    expect(platform.taken.size).toBe(0);
    await clock.advance(6_000);
    expect(events.slice(-3)).toEqual(["rebooted", "handshake full", "registered"]);
  });

  test("updates its registration before the lifetime ends", async () => {
    await registered(start({ lifetimeSeconds: 100, queueMode: true }));
    await clock.advance(89_000);
    expect(platform.log).not.toContain(`update ${EP}`);
    await clock.advance(2_000);
    expect(platform.log.at(-1)).toBe(`update ${EP}`);
    expect(events.slice(-2)).toEqual(["slept", "updated"]);
  });

  test("de-registers when it leaves politely", async () => {
    const device = start();
    await registered(device);
    await settled(device.stop());
    expect(platform.log.at(-1)).toBe(`deregister ${EP}`);
    expect(await settled(device.report(REPORT))).toBe("stopped");
  });
});

describe("quirks of TUP (nb-iot.md 2.2)", () => {
  beforeEach(async () => registered(start({ style: "tup" })));

  test("a second observation unbinds the device", async () => {
    await settled(platform.request(EP, CODES.get, "t/d", { options: [option("observe", 0)] }));
    expect(events.filter((each) => each === "registered").length).toBe(1);
    platform.log.length = 0;
    const device = start({ style: "tup" });
    await registered(device);
    await settled(platform.request(EP, CODES.get, "t/d", { options: [option("observe", 0)] }));
    expect(device.isRegistered).toBe(false);
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(platform.log.filter((line) => line.startsWith("register")).length).toBe(2);
  });

  test("a second observation unbinds also while the answer to the registration is under way", async () => {
    let isLosing = true;
    const network: Network = {
      open: (local, receive) =>
        platform.network.open(local, (datagram) => {
          const isAck = ((datagram[0] ?? 0) & 0x30) === 0x20;
          if (!isLosing || !isAck) receive(datagram);
        }),
    };
    const device = start({ style: "tup" }, { network });
    const registering = device.register();
    await clock.advance(100);
    await settled(platform.request(EP, CODES.get, "t/d", { options: [option("observe", 0)] }));
    isLosing = false; // the registration is repeated, and answered
    expect(await settled(registering)).toBe(false);
    expect(events.slice(1)).toEqual(["not registered: unbound"]); // behind the device of every test here
    expect(await settled(device.report(REPORT))).toBe("accepted");
  });

  test("it has no objects", async () => {
    expect(codeOf(await settled(platform.request(EP, CODES.get, "3/0/3")))).toBe("4.04");
  });
});

describe("secure devices", () => {
  beforeEach(() => {
    platform = stubPlatform({ clock, random, psks: new Map([[EP, PSK]]) });
  });

  test.each(CIPHER_SUITES)("$name: handshake, registration, report, command", async (suite) => {
    const device = start({ secure: { ...SECURE, suites: [suite] } });
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(codeOf(await settled(platform.command(EP, "03000105")))).toBe("2.04");
    expect(events.slice(0, 2)).toEqual(["handshake full", "registered"]);
  });

  test("a wrong key is no session, and no registration", async () => {
    const device = start({ secure: { ...SECURE, suites: [PSK_AES_128_CCM_8] } }, { psk: Uint8Array.of(1) });
    expect(await settled(device.report(REPORT))).toBe("notRegistered");
    expect(events).toEqual(["handshake failed", "not registered: no DTLS session"]);
    expect(platform.log).toEqual(["hello"]);
  });

  test("keeps its session over a sleep", async () => {
    const device = start({ secure: SECURE, queueMode: true });
    for (let round = 0; round < 3; round++) {
      expect(await settled(device.report(REPORT))).toBe("accepted");
      await clock.advance(60_000);
      expect(device.isAwake).toBe(false);
    }
    expect(events.filter((each) => each.startsWith("handshake"))).toEqual(["handshake full"]);
  });

  test("another address without connection id: resumes its session and updates", async () => {
    const device = start({ secure: SECURE });
    await registered(device);
    await settled(device.move());
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(events).toEqual(["handshake full", "registered", "moved", "handshake resumed", "updated"]);
  });

  test("another address with a connection id: goes on as if nothing had been", async () => {
    platform = stubPlatform({ clock, random, psks: new Map([[EP, PSK]]), connectionIds: true });
    const device = start({ secure: { ...SECURE, connectionId: true } });
    await registered(device);
    await settled(device.move());
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(codeOf(await settled(platform.command(EP, "03000105")))).toBe("2.04");
    expect(events.slice(0, 4)).toEqual(["handshake full", "registered", "moved", "command 03000105 x1"]);
  });

  test("a platform that has forgotten the session gets a new handshake after the lost report", async () => {
    const device = start({ secure: SECURE });
    await registered(device);
    platform.forget();
    expect(await settled(device.report(REPORT))).toBe("lost");
    expect(await settled(device.report(REPORT))).toBe("accepted");
    expect(events).toEqual(["handshake full", "registered", "handshake full", "registered"]);
  });

  test(`over a network that drops, doubles and reorders (seed ${fuzzSeed})`, async () => {
    const network = badNetwork(platform.network, { loss: 0.15, duplicate: 0.2, delayMs: 200 }, clock, random);
    const device = start({ secure: SECURE, queueMode: true }, { network });
    let accepted = 0;
    for (let round = 0; round < 20; round++) {
      if ((await settled(device.report(Uint8Array.of(0, 0, round)), 1_000_000)) === "accepted") accepted++;
      await clock.advance(30_000);
      if (round % 5 === 0) await settled(device.move());
    }
    expect(accepted).toBeGreaterThan(15);
    expect(new Set(platform.reports.map(({ payload }) => payload)).size).toBeGreaterThanOrEqual(accepted);
  });
});

test("a port that somebody else has taken meanwhile is an address change", async () => {
  const device = start({ queueMode: true });
  await registered(device);
  await clock.advance(20_000);
  platform.taken.add(device.localPort);
  expect(await settled(device.report(REPORT))).toBe("accepted");
  expect(events).toContain("moved");
});

test("where no socket can be had, it says so and goes on trying", async () => {
  let isBroken = true;
  const network: Network = {
    open: (...words) => (isBroken ? Promise.reject(new Error("too many open files")) : platform.network.open(...words)),
  };
  const device = start({}, { network });
  expect(await settled(device.report(REPORT))).toBe("notRegistered");
  expect(events).toEqual(["not registered: too many open files"]);
  isBroken = false;
  expect(await settled(device.report(REPORT))).toBe("accepted");
});
