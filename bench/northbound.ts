import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { registerNbDevices } from "../src/simulator";
import { operator } from "../test/support/api";
import { defineBench, type Values } from "./bench";
import { NB_BENCH_PRODUCT } from "./support/bench-product";
import { startChild } from "./support/child";
import { multiplyDevices } from "./support/multiply-devices";
import { copyFolder, cpuSeconds, startServer, temporaryFolder } from "./support/server";
import { hasWrk, runWrk, type WrkLoad } from "./support/wrk";

const DEVICES = 100_000;
const REPORTS_EACH = 20;

/** The five calls that applications make most; `@` is a random device, of the first hundred pages for the list. */
const CALLS = {
  device: { path: "/iocm/app/dm/v1.4.0/devices/ID-@" },
  devices: { path: "/iocm/app/dm/v1.4.0/devices?pageNo=@&pageSize=25", count: 100 },
  history: { path: "/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=ID-@&gatewayId=ID-@&pageSize=10" },
  shadow: { path: "/iocm/app/shadow/v1.5.0/devices/ID-@" },
  command: {
    path: "/iocm/app/cmd/v1.4.0/deviceCommands",
    method: "POST",
    body: '{"deviceId":"ID-@","command":{"serviceId":"Load","method":"SET","paras":{"value":1}},"expireTime":3600}',
  },
} satisfies Record<string, Pick<WrkLoad, "path" | "method" | "body"> & { count?: number }>;
const NAMES = Object.keys(CALLS) as (keyof typeof CALLS)[];
let access = { appId: "", secret: "", deviceId: "" };

export const northbound = defineBench({
  name: "northbound",
  about: `the application API with ${DEVICES} devices stored, beside a bare Hono route with one SQLite read`,
  goals: [
    { value: "deviceRatio", atLeast: 0.5 },
    { value: "shadowRatio", atLeast: 0.5 },
    { value: "historyRatio", atLeast: 0.5 },
    { value: "devicesRatioToPage", atLeast: 0.5 },
    { value: "devicesRatio" },
    { value: "commandRatio" },
    ...NAMES.map((name) => ({ value: `${name}PerSecond`, peer: `${name}PeerPerSecond` })),
    ...NAMES.map((name) => ({ value: `${name}Micros`, peer: `${name}PeerMicros` })),
    ...NAMES.map((name) => ({ value: `${name}CpuRatio` })),
    { value: "load" },
  ],
  runs: 3,
  async prepare({ quick }) {
    const server = await startServer();
    access = await setUp(server.url);
    await server.stop();
    const count = quick ? DEVICES / 10 : DEVICES;
    multiplyDevices(server.data, count);
    report(join(server.data, "telemetry.db"), count);
    return { folder: server.data, dispose: () => rmSync(server.data, { recursive: true, force: true }) };
  },
  async run({ quick, print }, { folder }) {
    if (!hasWrk) {
      print("wrk is not installed: skipped");
      return {};
    }
    const count = quick ? DEVICES / 10 : DEVICES;
    const seconds = quick ? 1 : 3;
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    const peerFolder = temporaryFolder();
    const peer = startChild("one-read-child.ts", { folder: peerFolder, count });
    const peerUrl = `http://127.0.0.1:${await peer.next<number>()}`;
    const server = await startServer({ data: copyFolder(folder) }); // commands that wait are work for the next run
    const headers = await login(server.url);
    const measure = async (pid: number, load: WrkLoad) => {
      const before = cpuSeconds(pid);
      const { requestsPerSecond, requests } = await runWrk(load);
      return { requestsPerSecond, micros: ((cpuSeconds(pid) - before) / requests) * 1e6 };
    };
    const beside = (path: string) => measure(peer.pid, { url: peerUrl, path, count: count - 25, seconds, seed });
    await runWrk({ url: peerUrl, path: "/things/thing-@", count, seconds: 1, seed }); // warms the compiler
    const values: Record<string, number> = {};
    for (const name of NAMES) {
      const call: Pick<WrkLoad, "path" | "method" | "body"> & { count?: number } = CALLS[name];
      const fill = (template: string) => template.replaceAll("ID", access.deviceId);
      const load = {
        ...{ url: server.url, headers, count, seed },
        ...call,
        path: fill(call.path),
        ...(call.body !== undefined && { body: fill(call.body) }),
      };
      await check(load);
      await runWrk({ ...load, seconds: quick ? 1 : 3, seed: seed + 1 });
      const bare = await beside("/things/thing-@");
      const ours = await measure(server.pid, { ...load, seconds });
      values[`${name}PerSecond`] = ours.requestsPerSecond;
      values[`${name}PeerPerSecond`] = bare.requestsPerSecond;
      values[`${name}Ratio`] = ours.requestsPerSecond / bare.requestsPerSecond;
      values[`${name}Micros`] = ours.micros; // all threads of the process
      values[`${name}PeerMicros`] = bare.micros;
      values[`${name}CpuRatio`] = bare.micros / ours.micros;
      if (name === "devices")
        values.devicesRatioToPage = ours.requestsPerSecond / (await beside("/pages/@")).requestsPerSecond;
    }
    values.load = loadavg()[0] ?? 0;
    await server.dispose();
    await peer.stop();
    rmSync(peerFolder, { recursive: true, force: true });
    return values satisfies Values;
  },
});

/** An answer that is refused quickly is no good measure. */
async function check({ url, path, method = "GET", headers = {}, body }: Omit<WrkLoad, "seconds">): Promise<void> {
  const answer = await fetch(url + path.replaceAll("@", "2"), {
    method,
    headers,
    ...(body !== undefined && { body: body.replaceAll("@", "2") }),
  });
  const text = await answer.text();
  if (answer.status >= 300 || text.includes("error_code") || !text.includes("Load"))
    throw new Error(`${method} ${path}: ${answer.status} ${text}`);
}

async function login(url: string): Promise<Record<string, string>> {
  const { appId, secret } = access;
  const answer = await fetch(`${url}/iocm/app/sec/v1.1.0/login`, {
    method: "POST",
    body: new URLSearchParams({ appId, secret }),
  });
  const { accessToken } = (await answer.json()) as { accessToken: string };
  return { app_key: appId, Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
}

/** An application with one device that sleeps and takes commands. */
async function setUp(url: string): Promise<typeof access> {
  const manage = await operator({ ready: { http: new URL(url).host } } as Parameters<typeof operator>[0]);
  const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "bench" })).body;
  const model = structuredClone(NB_BENCH_PRODUCT);
  const commands = [
    {
      commandName: "SET",
      paras: [{ paraName: "value", dataType: "int", required: true, min: 0, max: 9 }],
      responses: [],
    },
  ];
  for (const { services } of model.servicetypes) for (const service of services) Object.assign(service, { commands });
  const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, model);
  if (product.status !== 201) throw new Error(`product: ${JSON.stringify(product)}`);
  const { productId } = product.body;
  await registerNbDevices({ url, appId, secret, productId }, "northbound", 1, false);
  return { appId, secret, deviceId: `${productId}_northbound-1` };
}

/** As if each device had reported, an hour ago. */
function report(path: string, devices: number): void {
  const db = new Database(path, { strict: true });
  const since = Date.now() - 3_600_000;
  const data = '{"sequence":1000000000,"temperature":23.4,"humidity":47}';
  const each = <T>(value: T) => new Array(REPORTS_EACH).fill(value).join(",");
  const numbers = `WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number LIMIT ${devices})`;
  db.query(
    `INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records)
     ${numbers} SELECT i, ${since}, ${since}, ${since}, ${REPORTS_EACH}, ? FROM number`,
  ).run(`{"s":"Load","t":[${each(since)}],"d":[${each(data)}]}`);
  db.query(`INSERT INTO shadow ${numbers} SELECT i, 'Load', ?, ${since}, NULL FROM number`).run(data);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}
