import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { UPGRADE_TIMES, type UpgradeTimes, upgradeBehaviour } from "./behaviour";
import { parseUpgradeOrders, renderUpgradeReport, type UpgradeNotice, type UpgradeReport } from "./mqtt-messages";
import {
  type MqttUpgradeAction,
  type MqttUpgradeEvent,
  mqttUpgradeDueAtMs,
  newMqttUpgrade,
  stepMqttUpgrade,
} from "./mqtt-upgrade";

const PACKAGE = Buffer.from("p".repeat(100));
const PIECE = 16;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const NOTICE: UpgradeNotice = {
  type: "upgrade",
  kind: "firmware",
  version: "V2",
  url: "https://192.0.2.1/package",
  token: "t1",
  sign: sha256(PACKAGE),
};

function setUp(behaviour: string, times: Partial<UpgradeTimes> = {}) {
  const found = upgradeBehaviour(behaviour);
  if (!found) throw new Error(behaviour);
  const settings = { behaviour: found, times: { ...UPGRADE_TIMES, ...times } };
  let device = newMqttUpgrade({ firmware: "V1", software: "S1" });
  let nowMs = 0;
  let offMs: number | undefined;
  let flash = Buffer.alloc(0);
  const said: UpgradeReport[] = [];
  const log: string[] = [];
  const asked: string[] = [];
  const platform = {
    content: PACKAGE,
    tag: "a",
    fails: undefined as "refused" | "connection" | undefined,
    acknowledges: true,
  };

  function feed(event: MqttUpgradeEvent): void {
    const step = stepMqttUpgrade(device, event, settings);
    device = step.next;
    step.actions.forEach(act);
  }

  function act(action: MqttUpgradeAction): void {
    switch (action.type) {
      case "publish":
        said.push(action.report);
        if (platform.acknowledges) feed({ type: "acknowledged", report: action.report });
        return;
      case "fetch":
        serve(action.url, action.offset, action.token);
        return;
      case "erase":
        flash = Buffer.alloc(0);
        return;
      case "store":
        expect(action.offset).toBe(flash.length);
        flash = Buffer.concat([flash, action.data]);
        return;
      case "check":
        feed({ type: "checked", isRight: sha256(flash) === action.sign, nowMs });
        return;
      case "restart":
        offMs = action.offMs;
        log.push("restart");
        return;
      default:
        log.push(`installed ${action.version}`);
    }
  }

  function serve(url: string, offset: number, token: string): void {
    asked.push(`${offset} ${token}`);
    if (platform.fails) {
      feed({ type: "fetchFailed", url, cause: platform.fails, nowMs });
      return;
    }
    const { content, tag } = platform;
    const data = content.subarray(offset, offset + PIECE);
    const isLast = offset + PIECE >= content.length;
    feed({ type: "piece", piece: { url, offset, data, isLast, total: content.length, tag }, nowMs });
  }

  return {
    platform,
    said,
    log,
    asked,
    feed,
    get flash() {
      return flash;
    },
    get versions() {
      return device.flash.versions;
    },
    get last() {
      return said.at(-1);
    },
    tell: (notice: Partial<UpgradeNotice> = {}) => feed({ type: "received", order: { ...NOTICE, ...notice }, nowMs }),
    query: () => feed({ type: "received", order: { type: "versionQuery" }, nowMs }),
    pass(ms: number): void {
      const end = nowMs + ms;
      for (;;) {
        const dueAtMs = offMs === undefined ? mqttUpgradeDueAtMs(device) : nowMs + offMs;
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

const progress = (resultCode: number, version: string, share?: number) =>
  ({ type: "progress", resultCode, progress: share, version, description: undefined }) as const;

test.each(["firmware", "software"] as const)("a good device installs %s, and tells how far it is", (kind) => {
  const device = setUp("good");
  const old = kind === "firmware" ? "V1" : "S1";
  device.query();
  device.tell({ kind });
  device.pass(60_000);
  expect(device.said).toEqual([
    { type: "version", firmware: "V1", software: "S1" },
    progress(0, old, 25),
    progress(0, old, 50),
    progress(0, old, 75),
    progress(0, "V2", 100),
  ]);
  expect(device.versions).toEqual({ firmware: "V1", software: "S1", [kind]: "V2" });
  expect(device.asked[0]).toBe("0 t1");
  expect(device.log).toEqual(["installed V2", "restart"]);
});

test.each([
  ["in-use", 1],
  ["poor-signal", 2],
  ["latest", 3],
  ["low-battery", 4],
  ["no-storage", 5],
  ["download-timeout", 6],
  ["wrong-crc", 7],
  ["bad-package", 8],
  ["no-memory", 9],
  ["install-fails", 10],
  ["internal", 255],
  ["code-77", 77],
])("%s reports %d, and keeps its version", (name, code) => {
  const device = setUp(name);
  device.tell();
  device.pass(60_000);
  expect(device.last).toEqual(progress(code, "V1"));
  expect(device.versions.firmware).toBe("V1");
  expect(device.flash.length).toBe(0);
});

test("a package that is not what was announced is not installed", () => {
  const device = setUp("good");
  device.platform.content = Buffer.from("q".repeat(100));
  device.tell();
  device.pass(60_000);
  expect(device.last).toEqual(progress(7, "V1"));
  expect(device.log).toEqual([]);
});

test("a device that lies reports success with its old version", () => {
  const device = setUp("lies");
  device.tell();
  device.pass(60_000);
  expect(device.last).toEqual(progress(0, "V1", 100));
});

describe("silence", () => {
  test("of one that never answers", () => {
    const device = setUp("silent");
    device.query();
    expect(device.said).toEqual([]);
  });
  test.each([
    ["silent-notice", 0, 0],
    ["silent-download", 4, 1],
    ["silent-result", 7, 3],
    ["stuck", 7, 3],
  ])("%s asks for %d pieces and reports %d times", (name, pieces, reports) => {
    const device = setUp(name);
    device.tell();
    device.pass(86_400_000);
    expect(device.asked.length).toBe(pieces);
    expect(device.said.length).toBe(reports);
    device.query();
    expect(device.said.length).toBe(name === "silent-result" ? reports : reports + 1);
  });
  test("of one that forgets: it tells its new version when asked", () => {
    const device = setUp("forgets");
    device.tell();
    device.pass(60_000);
    expect(device.said).toEqual([]);
    device.query();
    expect(device.last).toEqual({ type: "version", firmware: "V2", software: "S1" });
  });
});

test.each(["reboots", "reboots-installing"])("%s: it goes on, fetches nothing twice, installs once", (name) => {
  const device = setUp(name);
  device.tell();
  device.pass(60_000);
  expect(device.asked.length).toBe(7);
  expect(device.log).toEqual(["restart", "installed V2", "restart"]);
  expect(device.last).toEqual(progress(0, "V2", 100));
});

test("what was not acknowledged is reported again when it is connected again, until it is", () => {
  const device = setUp("good");
  device.platform.acknowledges = false;
  device.tell();
  device.pass(60_000);
  const reports = () => device.said.filter((it) => it.type === "progress" && it.progress === 100).length;
  expect(reports()).toBe(1);
  device.feed({ type: "started", nowMs: 0 });
  expect(reports()).toBe(2);
  device.platform.acknowledges = true;
  device.feed({ type: "started", nowMs: 0 });
  device.feed({ type: "started", nowMs: 0 });
  expect(reports()).toBe(3);
});

test("a connection that was away for a moment disturbs nothing", () => {
  const device = setUp("slow");
  device.tell();
  device.pass(1_500);
  device.feed({ type: "started", nowMs: 1_500 });
  device.pass(60_000);
  expect(device.asked.length).toBe(7);
});

test("told again with another token it goes on with that", () => {
  const device = setUp("slow");
  device.tell();
  device.pass(2_500);
  device.tell({ token: "t2", url: `${NOTICE.url}2` });
  device.pass(60_000);
  expect(device.asked).toEqual(["0 t1", "16 t1", "32 t1", "48 t2", "64 t2", "80 t2", "96 t2"]);
  expect(device.last).toEqual(progress(0, "V2", 100));
});

test("another package drops what is there", () => {
  const device = setUp("slow");
  device.tell();
  device.pass(2_500);
  device.platform.content = Buffer.from("z".repeat(40));
  device.tell({ version: "V3", sign: sha256(device.platform.content) });
  device.pass(60_000);
  expect(device.versions.firmware).toBe("V3");
  expect(device.asked.slice(3)).toEqual(["0 t1", "16 t1", "32 t1"]);
});

test("content that changed under way is fetched anew", () => {
  const device = setUp("slow");
  device.tell({ sign: undefined });
  device.pass(2_500);
  device.platform.content = Buffer.from("z".repeat(40));
  device.platform.tag = "b";
  device.pass(4_000);
  expect(device.flash.toString()).toBe("z".repeat(40));
});

test("while it installs it is in use, and its own version is no upgrade", () => {
  const device = setUp("good");
  device.tell();
  device.tell();
  expect(device.last).toEqual(progress(1, "V1"));
  device.pass(60_000);
  device.tell();
  expect(device.last).toEqual(progress(3, "V2"));
});

test("a link that is void ends it, a connection that breaks is tried again", () => {
  const refused = setUp("good");
  refused.platform.fails = "refused";
  refused.tell();
  expect(refused.last).toEqual(progress(6, "V1"));
  expect(refused.asked.length).toBe(1);
  const broken = setUp("good", { maxAttempts: 3 });
  broken.platform.fails = "connection";
  broken.tell();
  broken.pass(59_999);
  expect(broken.said).toEqual([]);
  broken.pass(1);
  expect(broken.last).toEqual(progress(6, "V1"));
  expect(broken.asked.length).toBe(3);
});

describe("messages (ota.md 8.3)", () => {
  const parse = (value: unknown) => parseUpgradeOrders(Buffer.from(JSON.stringify(value)));
  const event = (event_type: string, paras: unknown, service_id = "$ota") => ({
    services: [{ service_id, event_type, event_time: "20260101T000000Z", paras }],
  });
  const paras = {
    version: "V2",
    url: "u",
    access_token: "t",
    file_size: 3,
    file_name: "f",
    expires: 86_400,
    sign: "ab",
  };

  test("orders", () => {
    expect(parse(event("version_query", {}))).toEqual([{ type: "versionQuery" }]);
    const notice = { type: "upgrade", version: "V2", url: "u", token: "t", sign: "ab" } as const;
    expect(parse(event("firmware_upgrade", paras))).toEqual([{ ...notice, kind: "firmware" }]);
    expect(parse(event("software_upgrade", paras))).toEqual([{ ...notice, kind: "software" }]);
  });

  test.each([
    ["of another service", event("version_query", {}, "$log")],
    ["of another kind", event("reboot", {})],
    ["without a token", event("firmware_upgrade", { ...paras, access_token: 1 })],
    ["without parameters", event("firmware_upgrade", null)],
    ["no services", { services: {} }],
    ["null", null],
    ["a number", 3],
    ["services of nothing", { services: [null, 1, []] }],
  ])("%s: nothing", (_name, value) => expect(parse(value)).toEqual([]));

  test("no JSON: nothing", () => expect(parseUpgradeOrders(Uint8Array.of(0xff, 0x7b))).toEqual([]));

  test("reports", () => {
    const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const render = (report: UpgradeReport) => JSON.parse(renderUpgradeReport(report, nowMs)).services[0];
    expect(render({ type: "version", firmware: "F", software: "S" })).toEqual({
      service_id: "$ota",
      event_type: "version_report",
      event_time: "20260102T030405Z",
      paras: { fw_version: "F", sw_version: "S" },
    });
    expect(render(progress(4, "V1"))).toMatchObject({
      event_type: "upgrade_progress_report",
      paras: { result_code: 4, version: "V1" },
    });
  });
});
