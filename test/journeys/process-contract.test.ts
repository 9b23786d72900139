import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { setUp } from "../support/api";
import { runIslet, startIslet, temporaryFolder } from "../support/islet";
import { level, login, plainDevice, setUpNbIot } from "../support/nb-iot";
import { secureDevice } from "../support/secure-device";

test("the ready line names the real addresses, and each of them answers", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  expect(islet.ready.event).toBe("ready");
  for (const name of ["http", "https", "mqtt", "mqtts", "coap", "coaps"] as const)
    expect(islet.ready[name]).toMatch(/^127\.0\.0\.1:\d+$/);
  const get = (path: string) => fetch(`http://${islet.ready.http}${path}`);

  expect((await get("/healthz")).status).toBe(200);
  const openapi = (await (await get("/openapi.json")).json()) as { openapi: string };
  expect(openapi.openapi).toStartWith("3.1");
  const docs = await get("/docs");
  expect(docs.headers.get("content-type")).toContain("text/html");
  const metrics = await (await get("/metrics")).text();
  for (const name of [
    "islet_connections",
    "islet_messages_total",
    "islet_ingest_batch_messages",
    "islet_ingest_commit_seconds",
    "islet_push_outbox_rows",
    "islet_push_attempts_total",
    "islet_event_loop_delay_seconds",
    "islet_database_bytes",
  ])
    expect(metrics).toContain(name);

  const ca = await (await get("/ca.pem")).text();
  const secure = await fetch(`https://localhost:${islet.ready.https.split(":")[1]}/healthz`, { tls: { ca } });
  expect(secure.status).toBe(200);
  expect(await islet.stop()).toBe(0);
});

test("a listener that is off is not in the ready line", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({
    data: folder.path,
    settings: { "mqtt.listen": "off", "https.listen": "off", "coap.listen": "off" },
  });
  expect(Object.keys(islet.ready).sort()).toEqual(["coaps", "event", "http", "mqtts"]);
});

test("a second process on the same data folder is refused", async () => {
  using folder = temporaryFolder();
  await using _first = await startIslet({ data: folder.path });
  const second = await runIslet(["serve", "--data", folder.path, "--http.listen", "127.0.0.1:0"]);
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err).toContain("in use by a running Islet");
});

test("a database of a newer Islet is refused and left untouched", async () => {
  using folder = temporaryFolder();
  await (await startIslet({ data: folder.path })).stop();
  const path = join(folder.path, "registry.db");
  const db = new Database(path);
  db.run("INSERT INTO migration SELECT max(position) + 1, '9999-from-the-future', 'x' FROM migration");
  db.close();
  const before = await Bun.file(path).bytes();
  const { code, err } = await runIslet(["serve", "--data", folder.path, "--http.listen", "127.0.0.1:0"]);
  expect(code).toBe(1);
  expect(err).toContain("newer Islet");
  expect(await Bun.file(path).bytes()).toEqual(before);
});

const WRONG: [words: string[], says: string][] = [
  [[], "a command is missing"],
  [["dance"], "unknown command dance"],
  [["serve", "extra"], "extra is not expected"],
  [["serve", "--http.listen"], "--http.listen needs a value"],
  [["serve", "--nothing", "1"], "unknown key nothing"],
  [["backup"], "FILE is missing"],
  [["sim"], "usage"],
  [["sim", "lwm2m"], "give one of --device-list, --api and --devices"],
  [["sim", "lwm2m", "--seconds"], "usage: islet sim lwm2m"],
  [["dance", "--help"], "unknown command dance"],
  [["sim", "zigbee"], "zigbee is not one of: mqtt, lwm2m"],
  [["check-config", "--config", "/nowhere/islet.toml"], "/nowhere/islet.toml"],
];
test.each(WRONG)("islet %p ends with usage and exit code 2", async (words, says) => {
  const { code, out, err } = await runIslet(words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(says);
});

const HELP: [words: string[], says: string, not: string][] = [
  [["--help"], "islet sim mqtt|lwm2m", "--queue-mode"],
  [["serve", "--help"], "usage: islet serve [--data DIR]", "islet backup"],
  [["help", "backup"], "usage: islet backup FILE", "islet serve"],
  [["sim", "--help"], "--coaps HOST:PORT", "islet serve"],
  [["sim", "lwm2m", "--help"], "--queue-mode", "--broker"],
  [["sign", "--help"], "islet sign verify PACKAGE_signed.zip", "islet serve"],
  [["sim", "mqtt", "-h"], "--broker", "--queue-mode"],
];
test.each(HELP)("islet %p tells what it was asked for, and nothing else", async (words, says, not) => {
  const { code, out, err } = await runIslet(words);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(says);
  expect(out).not.toContain(not);
});

test("print-config gives a file that check-config accepts", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "islet.toml");
  writeFileSync(file, (await runIslet(["print-config"])).out);
  expect(await runIslet(["check-config", "--config", file])).toMatchObject({ code: 0 });
});

test("backup runs beside the server, and restore brings everything back", async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const file = join(folder.path, "backup.tar.gz");
  const islet = await startIslet({ data });
  const { appId, register } = await setUp(islet);
  const { deviceId } = await register("kept");
  const nb = await setUpNbIot(islet);
  const meter = await nb.register(nb.productId, "meter");
  using meterDevice = await plainDevice(islet, { ep: "meter" });
  await meterDevice.register();
  const lock = await nb.register(nb.productId, "lock", { isSecure: true });
  await using lockDevice = secureDevice(islet.ready.coaps, {
    ...{ device: lock, random: seededRandom(1), ackTimeoutMs: 200, maxRetransmit: 3, firstTimeoutMs: 200 },
  });
  await meterDevice.deliver(level(1));
  expect(await lockDevice.report(level(1))).toBe("accepted");

  expect(await runIslet(["backup", file, "--data", data])).toMatchObject({ code: 0 });
  const running = await runIslet(["restore", file, "--data", data]);
  expect(running.code).toBe(1);
  expect(running.err).toContain("in use");
  await register("lost");
  await meterDevice.deliver(level(2));
  expect(await lockDevice.report(level(2))).toBe("accepted");
  await islet.stop();

  expect(await runIslet(["restore", file, "--data", data])).toMatchObject({ code: 0, err: "" });
  // All but the DTLS sessions: their record numbers went on after the backup.
  const after = new Database(join(data, "registry.db"));
  expect(after.query("SELECT COUNT(*) AS n FROM dtls_session").get()).toEqual({ n: 0 });
  after.close();
  const { coap, coaps } = islet.ready;
  await using restored = await startIslet({ data, settings: { "coap.listen": coap, "coaps.listen": coaps } });
  const { manage, ...api } = await login(restored, nb.appId, nb.secret);
  const devices = await manage<{ items: { deviceId: string }[] }>("GET", `/apps/${appId}/devices`);
  expect(devices.body.items.map((device) => device.deviceId)).toEqual([deviceId]);

  // Devices that sleep: the plain one goes on with its registration, the secure one after a new handshake.
  expect((await meterDevice.deliver(level(3))).type).toBe("ack");
  expect(await api.history(meter.deviceId)).toEqual([{ level: 3 }, { level: 1 }]);
  await api.command(meter.deviceId, 9);
  await meterDevice.until(() => meterDevice.commands.length === 1);
  expect(await lockDevice.report(level(3))).toBe("lost");
  expect(await lockDevice.report(level(4))).toBe("accepted");
  expect(await api.history(lock.deviceId)).toEqual([{ level: 4 }, { level: 1 }]);
  expect([lockDevice.handshakes, meterDevice.requests.map(({ path }) => path)]).toEqual([
    ["full", "full"],
    ["/19/0/0", "/19/1/0"],
  ]);
});

test("a damaged backup replaces nothing", async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const file = join(folder.path, "backup.tar.gz");
  const islet = await startIslet({ data });
  const { manage } = await setUp(islet);
  expect(await runIslet(["backup", file, "--data", data])).toMatchObject({ code: 0 });
  const total = async () => (await manage<{ total: number }>("GET", "/apps")).body.total;
  expect(await total()).toBe(1);
  await islet.stop();
  const bytes = await Bun.file(file).bytes();
  const before = await Bun.file(join(data, "registry.db")).bytes();
  const damaged: [string, Uint8Array][] = [
    ["cut", bytes.subarray(0, bytes.length / 2)],
    ["no archive", new TextEncoder().encode("nothing of the kind")],
    ["empty", new Uint8Array()],
  ];
  for (const [_name, content] of damaged) {
    writeFileSync(file, content);
    const { code } = await runIslet(["restore", file, "--data", data]);
    expect(code).toBe(1);
    expect(await Bun.file(join(data, "registry.db")).bytes()).toEqual(before);
  }
});
