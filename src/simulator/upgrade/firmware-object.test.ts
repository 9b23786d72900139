import { describe, expect, test } from "bun:test";
import { UPGRADE_TIMES, type UpgradeTimes, upgradeBehaviour } from "./behaviour";
import {
  type FetchFailure,
  type FirmwareAction,
  type FirmwareEvent,
  firmwareDueAtMs,
  firmwareState,
  isMute,
  newFirmwareObject,
  stepFirmwareObject,
} from "./firmware-object";

const URL = "coap://192.0.2.1/package/1";
const FIRMWARE = Buffer.from(`version=V2\n${"x".repeat(89)}`); // 100 bytes
const PIECE = 16;

/** A device, and a server of pieces. */
function setUp(behaviour: string, times: Partial<UpgradeTimes> = {}, firmwareVersion?: string) {
  const found = upgradeBehaviour(behaviour);
  if (!found) throw new Error(behaviour);
  const settings = { behaviour: found, times: { ...UPGRADE_TIMES, ...times }, firmwareVersion };
  let device = newFirmwareObject("V1");
  let nowMs = 0;
  let offMs: number | undefined;
  let flash = Buffer.alloc(0);
  let answer: string | undefined;
  const log: string[] = [];
  const asked: number[] = [];
  const server = {
    firmware: FIRMWARE,
    tag: "a",
    fails: undefined as FetchFailure | undefined,
    isThere: true,
    knowsTotal: true,
  };

  function feed(event: FirmwareEvent): void {
    const step = stepFirmwareObject(device, event, settings);
    device = step.next;
    step.actions.forEach(act);
  }

  function act(action: FirmwareAction): void {
    switch (action.type) {
      case "answer":
        answer = action.code;
        return;
      case "fetch":
        serve(action.url, action.offset);
        return;
      case "erase":
        flash = Buffer.alloc(0);
        return;
      case "store":
        expect(action.offset).toBe(flash.length);
        flash = Buffer.concat([flash, action.data]);
        return;
      case "restart":
        offMs = action.offMs;
        log.push("restart");
        return;
      default:
        log.push(
          action.type === "changed"
            ? `changed ${action.resource} to ${told(action.resource)}`
            : `installed ${action.version}`,
        );
    }
  }

  function serve(url: string, offset: number): void {
    asked.push(offset);
    if (!server.isThere) return;
    if (server.fails) {
      feed({ type: "fetchFailed", url, cause: server.fails, nowMs });
      return;
    }
    const data = server.firmware.subarray(offset, offset + PIECE);
    const isLast = offset + PIECE >= server.firmware.length;
    const total = server.knowsTotal ? server.firmware.length : undefined;
    feed({ type: "piece", piece: { url, offset, data, isLast, total, tag: server.tag }, nowMs });
  }

  const told = (resource: 3 | 5) => (resource === 3 ? firmwareState(device) : device.flash.result);
  return {
    server,
    log,
    asked,
    feed,
    get flash() {
      return flash;
    },
    get now() {
      return { state: firmwareState(device), result: device.flash.result, version: device.flash.version };
    },
    get isMute() {
      return isMute(device, settings);
    },
    /** What a request was answered with. */
    ask(event: FirmwareEvent): string | undefined {
      answer = undefined;
      feed(event);
      return answer;
    },
    write(uri: string): string | undefined {
      return this.ask({ type: "uriWritten", uri, nowMs });
    },
    execute(): string | undefined {
      return this.ask({ type: "executed", nowMs });
    },
    pass(ms: number): void {
      const end = nowMs + ms;
      for (;;) {
        const dueAtMs = offMs === undefined ? firmwareDueAtMs(device) : nowMs + offMs;
        if (dueAtMs === undefined || dueAtMs > end) break;
        nowMs = Math.max(nowMs, dueAtMs);
        const isStart = offMs !== undefined;
        offMs = undefined;
        feed({ type: isStart ? "started" : "tick", nowMs });
      }
      nowMs = end;
    },
  };
}

test("a good device fetches, says so, installs, and runs the new version", () => {
  const device = setUp("good", { paceMs: 10 });
  expect(device.write(URL)).toBe("changed");
  expect(device.now).toEqual({ state: 1, result: 0, version: "V1" });
  device.pass(1_000);
  expect(device.flash).toEqual(FIRMWARE);
  expect(device.execute()).toBe("changed");
  expect(device.now).toEqual({ state: 3, result: 0, version: "V1" });
  device.pass(10_000);
  expect(device.now).toEqual({ state: 0, result: 1, version: "V2" });
  expect(device.log).toEqual(["changed 3 to 1", "changed 3 to 2", "changed 3 to 3", "installed V2", "restart"]);
  expect(device.asked).toEqual([0, 16, 32, 48, 64, 80, 96]);
});

test("a package that is pushed is there at once", () => {
  const device = setUp("good");
  expect(device.ask({ type: "packageWritten", data: FIRMWARE })).toBe("changed");
  expect(device.now.state).toBe(2);
  expect(device.flash).toEqual(FIRMWARE);
  device.execute();
  device.pass(10_000);
  expect(device.now).toEqual({ state: 0, result: 1, version: "V2" });
});

test("a version that it was told counts more than that of the package", () => {
  const device = setUp("good", {}, "V9");
  device.write(URL);
  device.execute();
  device.pass(10_000);
  expect(device.now.version).toBe("V9");
});

test.each([
  ["no-storage", 2],
  ["no-memory", 3],
  ["download-timeout", 4],
  ["poor-signal", 4],
  ["wrong-crc", 5],
  ["bad-package", 6],
  ["bad-uri", 7],
  ["bad-protocol", 9],
  ...[2, 3, 4, 5, 6, 7, 9].map((code) => [`code-${code}`, code] as const),
])("%s ends the download with result %d", (name, result) => {
  const pulled = setUp(name);
  expect(pulled.write(URL)).toBe("changed");
  expect(pulled.now).toEqual({ state: 0, result, version: "V1" });
  expect(pulled.log).toContain(`changed 5 to ${result}`);
  expect(pulled.flash.length).toBe(0);
  expect(pulled.execute()).toBe("methodNotAllowed");
  const pushed = setUp(name);
  pushed.ask({ type: "packageWritten", data: FIRMWARE });
  expect(pushed.now).toEqual({ state: 0, result, version: "V1" });
});

test.each(["install-fails", "low-battery", "in-use", "latest", "internal", "code-8"])(
  "%s fails the update: back to Downloaded, result 8",
  (name) => {
    const device = setUp(name);
    device.write(URL);
    expect(device.execute()).toBe("changed");
    device.pass(60_000);
    expect(device.now).toEqual({ state: 2, result: 8, version: "V1" });
    expect(device.log.slice(-2)).toEqual(["changed 3 to 2", "changed 5 to 8"]);
  },
);

test("a device that lies tells success, and its old version", () => {
  const device = setUp("lies");
  device.write(URL);
  device.execute();
  device.pass(60_000);
  expect(device.now).toEqual({ state: 0, result: 1, version: "V1" });
});

describe("silence", () => {
  test("of one that never answers", () => expect(setUp("silent").isMute).toBe(true));
  test("at the URI", () => {
    const device = setUp("silent-notice");
    expect(device.write(URL)).toBeUndefined();
    expect(device.ask({ type: "packageWritten", data: FIRMWARE })).toBeUndefined();
    expect(device.isMute).toBe(false);
    expect(device.now.state).toBe(0);
  });
  test("half-way: it stays in Downloading", () => {
    const device = setUp("silent-download");
    device.write(URL);
    device.pass(86_400_000);
    expect(device.now.state).toBe(1);
    expect(device.asked.length).toBe(4);
  });
  test("at the order to install", () => {
    const device = setUp("silent-execute");
    device.write(URL);
    expect(device.execute()).toBeUndefined();
    expect(device.now.state).toBe(2);
  });
  test("after the installation", () => {
    const device = setUp("silent-result");
    device.write(URL);
    device.execute();
    expect(device.isMute).toBe(false);
    device.pass(60_000);
    expect(device.isMute).toBe(true);
    expect(device.write(URL)).toBeUndefined();
  });
  test("of one that forgets: it notifies nothing, and answers", () => {
    const device = setUp("forgets");
    device.write(URL);
    device.execute();
    device.pass(60_000);
    expect(device.log).toEqual(["installed V2", "restart"]);
    expect(device.now).toEqual({ state: 0, result: 1, version: "V2" });
  });
});

test("stuck: updating for ever", () => {
  const device = setUp("stuck");
  device.write(URL);
  device.execute();
  device.pass(86_400_000);
  expect(device.now.state).toBe(3);
  expect(device.write("")).toBe("methodNotAllowed");
});

test("after a reboot in the middle it goes on where it was", () => {
  const device = setUp("reboots");
  device.write(URL);
  expect(device.asked).toEqual([0, 16, 32, 48]);
  expect(device.execute()).toBeUndefined(); // it is off
  device.pass(5_000);
  expect(device.asked).toEqual([0, 16, 32, 48, 64, 80, 96]);
  expect(device.flash).toEqual(FIRMWARE);
  expect(device.now.state).toBe(2);
});

test("a reboot while it installs", () => {
  const device = setUp("reboots-installing");
  device.write(URL);
  device.execute();
  device.pass(60_000);
  expect(device.log.filter((line) => line === "restart").length).toBe(2);
  expect(device.log.filter((line) => line.startsWith("installed"))).toEqual(["installed V2"]);
  expect(device.now.version).toBe("V2");
});

test("a reboot at any moment loses nothing", () => {
  const device = setUp("slow");
  device.write(URL);
  for (let cut = 0; cut < 10; cut++) {
    device.pass(700);
    device.feed({ type: "stopped" });
    device.feed({ type: "started", nowMs: 700 * (cut + 1) });
  }
  device.pass(60_000);
  expect(device.flash).toEqual(FIRMWARE);
  device.execute();
  device.pass(4_000);
  device.feed({ type: "stopped" });
  device.feed({ type: "started", nowMs: 80_000 });
  device.pass(60_000);
  expect(device.now.version).toBe("V2");
});

test("another package under the same URI: all is dropped, and fetched anew", () => {
  const device = setUp("slow");
  device.write(URL);
  device.pass(2_500);
  device.server.firmware = Buffer.from(`version=V3\n${"y".repeat(30)}`);
  device.server.tag = "b";
  device.pass(60_000);
  expect(device.flash.toString()).toBe(device.server.firmware.toString());
  device.execute();
  device.pass(60_000);
  expect(device.now.version).toBe("V3");
});

describe("what goes wrong on the way", () => {
  test.each([
    ["uri", 7],
    ["protocol", 9],
  ] as const)("%s is result %d at once", (cause, result) => {
    const device = setUp("good");
    device.server.fails = cause;
    device.write(URL);
    expect(device.now).toMatchObject({ state: 0, result });
    expect(device.asked.length).toBe(1);
  });

  test("a connection that breaks is tried again, then it is result 4", () => {
    const device = setUp("good", { maxAttempts: 3 });
    device.server.fails = "connection";
    device.write(URL);
    device.pass(59_999);
    expect(device.now.state).toBe(1);
    device.pass(1);
    expect(device.now).toMatchObject({ state: 0, result: 4 });
    expect(device.asked).toEqual([0, 0, 0]);
  });

  test("one that comes back goes on", () => {
    const device = setUp("slow");
    device.write(URL);
    device.pass(2_500);
    device.server.fails = "connection";
    device.pass(60_000);
    device.server.fails = undefined;
    device.pass(60_000);
    expect(device.flash).toEqual(FIRMWARE);
  });

  test("without a size half is the first piece", () => {
    const device = setUp("code-4");
    device.server.knowsTotal = false;
    device.write(URL);
    expect(device.asked).toEqual([0]);
    expect(device.now.result).toBe(4);
  });
});

describe("requests at the wrong time", () => {
  test("the same URI again changes nothing, another one is refused", () => {
    const device = setUp("slow");
    device.write(URL);
    expect(device.write(URL)).toBe("changed");
    expect(device.write(`${URL}2`)).toBe("methodNotAllowed");
    expect(device.ask({ type: "packageWritten", data: FIRMWARE })).toBe("methodNotAllowed");
    device.pass(60_000);
    expect(device.asked).toEqual([0, 16, 32, 48, 64, 80, 96]);
  });

  test("an order to install before there is anything, and a second one", () => {
    const device = setUp("good");
    expect(device.execute()).toBe("methodNotAllowed");
    device.write(URL);
    expect(device.execute()).toBe("changed");
    expect(device.execute()).toBe("methodNotAllowed");
    device.pass(60_000);
    expect(device.log.filter((line) => line.startsWith("installed")).length).toBe(1);
  });

  test.each([
    ["an empty URI", { type: "uriWritten", uri: "", nowMs: 0 }],
    ["an empty package", { type: "packageWritten", data: new Uint8Array(0) }],
    ["a package of one zero", { type: "packageWritten", data: new Uint8Array(1) }],
  ] satisfies [string, FirmwareEvent][])("%s drops all, and late pieces change nothing", (_name, event) => {
    const device = setUp("good");
    device.server.isThere = false;
    device.write(URL);
    expect(device.ask(event)).toBe("changed");
    device.feed({
      type: "piece",
      piece: { url: URL, offset: 0, data: FIRMWARE, isLast: true, total: 100, tag: "a" },
      nowMs: 0,
    });
    expect(device.now).toEqual({ state: 0, result: 0, version: "V1" });
    expect(device.flash.length).toBe(0);
  });

  test("a strict device wants a reset before another package", () => {
    const device = setUp("strict");
    device.write(URL);
    expect(device.write(`${URL}2`)).toBe("methodNotAllowed");
    expect(device.write("")).toBe("changed");
    expect(device.write(`${URL}2`)).toBe("changed");
    const easy = setUp("good");
    easy.write(URL);
    expect(easy.write(`${URL}2`)).toBe("changed");
  });
});
