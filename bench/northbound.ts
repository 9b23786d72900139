import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { registerNbDevices } from "../src/simulator";
import { defineBench, type Values } from "./bench";
import { medians } from "./report";
import { startChild } from "./support/child";
import type { HonoPeer } from "./support/hono-child";
import { multiplyDevice } from "./support/many-devices";
import { type Server, startServer, temporaryFolder } from "./support/server";
import { hasWrk, runWrk } from "./support/wrk";

const RECORDS = 20;
const PAGE = 25; // the default size of 1.6.2
/** Pages that somebody looks at; `deepDevices` are all the others too. */
const FIRST_PAGES = 40;
const HOUR_MS = 3_600_000;
const DEVICE = "load-device";
const COMMAND = JSON.stringify({
  deviceId: `${DEVICE}-@`,
  command: { serviceId: "Load", method: "SET_INTERVAL", paras: { seconds: 60 } },
  expireTime: 86_400,
});

type Numbers = { readonly first: number; readonly last: number };
/** `@` stands for a random number. `rows`: how many of the peer's make one answer. */
type Endpoint = {
  readonly name: string;
  readonly path: string;
  readonly numbers: (devices: number) => Numbers;
  readonly rows: number;
  readonly body?: string;
};
const eachDevice = (devices: number): Numbers => ({ first: 2, last: devices });
const ENDPOINTS: readonly Endpoint[] = [
  { name: "device", path: `/iocm/app/dm/v1.4.0/devices/${DEVICE}-@`, numbers: eachDevice, rows: 1 },
  {
    name: "devices",
    path: "/iocm/app/dm/v1.4.0/devices?pageNo=@",
    numbers: () => ({ first: 0, last: FIRST_PAGES - 1 }),
    rows: PAGE,
  },
  {
    name: "deepDevices",
    path: "/iocm/app/dm/v1.4.0/devices?pageNo=@",
    numbers: (devices) => ({ first: 0, last: devices / PAGE - 1 }),
    rows: PAGE,
  },
  {
    name: "history",
    path: `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${DEVICE}-@&pageNo=0&pageSize=${RECORDS}`,
    numbers: eachDevice,
    rows: RECORDS,
  },
  { name: "shadow", path: `/iocm/app/shadow/v1.5.0/devices/${DEVICE}-@`, numbers: eachDevice, rows: 1 },
  { name: "command", path: "/iocm/app/cmd/v1.4.0/deviceCommands", numbers: eachDevice, rows: 1, body: COMMAND },
];

let access: Awaited<ReturnType<Server["setUpNorthbound"]>>;

export const northbound = defineBench({
  name: "northbound",
  about: "wrk against the application API with 100,000 devices, beside bare Hono routes that read SQLite once",
  goals: [
    ...["device", "devices", "history", "shadow"].map((name) => ({ value: `${name}Ratio`, atLeast: 0.5 })),
    { value: "deepDevicesRatio" },
    { value: "commandRatio" },
    ...ENDPOINTS.map(({ name }) => ({ value: `${name}Micros`, peer: `${name}BareMicros` })),
  ],
  runs: 3,
  async prepare({ quick, print }) {
    if (!hasWrk) {
      print("wrk is not installed (apt install wrk): skipped");
      return { folder: "", dispose() {} };
    }
    const devices = devicesOf(quick);
    const server = await startServer();
    access = await server.setUpNorthbound();
    await registerNbDevices({ url: server.url, ...access }, "load", 1, false);
    await server.stop();
    fill(server.data, devices);
    return { folder: server.data, dispose: () => rmSync(server.data, { recursive: true, force: true }) };
  },
  async run({ quick, print }, { folder }): Promise<Values> {
    if (!hasWrk) return {};
    const devices = devicesOf(quick);
    const server = await startServer({ data: folder });
    const headers = await logIn(server);
    const ours = { url: server.url, pid: server.pid, headers };
    const answers = [];
    for (const endpoint of ENDPOINTS.filter(({ body }) => body === undefined)) {
      const { name, rows } = endpoint;
      answers.push({ name, bytes: (await sizeOf(server, endpoint, headers)) / rows });
    }
    const peerFolder = temporaryFolder();
    const peer = startChild("hono-child.ts", {
      file: join(peerFolder, "peer.db"),
      rows: 100_000,
      answers,
    } satisfies HonoPeer);
    const bare = { url: `http://127.0.0.1:${await peer.next<number>()}`, pid: peer.pid };
    const seconds = quick ? 1 : 2;
    const warmUpSeconds = quick ? 1 : 5; // the compiler's
    const rounds = quick ? 1 : 5;
    let seed = 1;

    let values: Values = {};
    for (const endpoint of ENDPOINTS) {
      const { name } = endpoint;
      const us = { ...ours, ...endpoint, numbers: endpoint.numbers(devices), body: endpoint.body };
      const them = { ...bare, ...bareOf(endpoint) };
      const measured: Values[] = [];
      await runWrk({ ...present(us), seconds: warmUpSeconds, seed: seed++ });
      await runWrk({ ...present(them), seconds: warmUpSeconds, seed: seed++ });
      for (let round = 0; round < rounds; round++) {
        const mine = await runWrk({ ...present(us), seconds, seed: seed++ });
        const theirs = await runWrk({ ...present(them), seconds, seed: seed++ });
        measured.push({
          [`${name}Ratio`]: mine.perSecond / theirs.perSecond,
          [`${name}PerSecond`]: mine.perSecond,
          [`${name}BarePerSecond`]: theirs.perSecond,
          [`${name}Micros`]: mine.microsEach,
          [`${name}BareMicros`]: theirs.microsEach,
          [`${name}Bytes`]: mine.bytesEach,
          [`${name}BareBytes`]: theirs.bytesEach,
          [`${name}P99Ms`]: mine.p99Ms,
        });
      }
      const median = medians(measured);
      print(
        `${name}: ${JSON.stringify(median, (_, value) => (typeof value === "number" ? Number(value.toFixed(2)) : value))}`,
      );
      values = { ...values, ...median };
    }
    await peer.stop();
    rmSync(peerFolder, { recursive: true, force: true });
    await server.stop();
    return values;
  },
});

const devicesOf = (quick: boolean) => (quick ? 10_000 : 100_000);

/** The same amount of JSON, from rows that lie side by side if it is a list. */
function bareOf({ name, rows, body }: Endpoint) {
  const numbers = { first: 1, last: 100_000 - rows };
  if (body !== undefined) return { path: "/command", numbers, body };
  return { path: rows === 1 ? `/${name}/@` : `/${name}?from=@&limit=${rows}`, numbers };
}

async function logIn(server: Server) {
  const { appId, secret } = access;
  const login = await fetch(`${server.url}/iocm/app/sec/v1.1.0/login`, {
    method: "POST",
    body: new URLSearchParams({ appId, secret }),
  });
  const { accessToken } = (await login.json()) as { accessToken: string };
  return { app_key: appId, authorization: `Bearer ${accessToken}` };
}

/** Characters of an answer. */
async function sizeOf({ url }: Server, { path }: Endpoint, headers: Record<string, string>): Promise<number> {
  const response = await fetch(url + path.replace("@", "7"), { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text.length;
}

/** Devices that were in touch, with what they last said and a block of history each. */
function fill(folder: string, devices: number): void {
  const registry = join(folder, "registry.db");
  const info =
    '{"name":"Meter \' || i || \'","location":"Cellar of house \' || i || \'","swVersion":"1.4.2","fwVersion":"2.0"}';
  multiplyDevice(registry, devices, {
    id: `'${DEVICE}-' || i`,
    info: `'${info}'`,
    status: "'OFFLINE'",
    bound: "1",
    activated: "1",
    expires_at_ms: "NULL",
    created_at_ms: "created_at_ms - 200000 + i",
  });
  const now = Date.now();
  const db = new Database(join(folder, "telemetry.db"), { strict: true });
  const data = '{"sequence":1000000000,"temperature":23.4,"humidity":47}';
  const numbers = `WITH RECURSIVE number (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM number LIMIT ${devices - 1})`;
  db.query(
    `INSERT INTO shadow (device_no, service_id, reported, event_ms) ${numbers} SELECT i, 'Load', ?, ? FROM number`,
  ).run(data, now);
  const hour = Math.floor(now / HOUR_MS - 1) * HOUR_MS; // a block lies within one hour
  const times = Array.from({ length: RECORDS }, (_, index) => hour + index * 60_000);
  const records = `{"s":"Load","t":[${times}],"d":[${times.map(() => data)}]}`;
  db.query(
    `INSERT INTO history_block (device_no, stored_ms, min_ms, max_ms, count, records) ${numbers}
     SELECT i, ?, ?, ?, ${RECORDS}, ? FROM number`,
  ).run(now, hour, times.at(-1) ?? hour, records);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

const present = <T extends { readonly body?: string | undefined }>({ body, ...rest }: T) =>
  body === undefined ? rest : { ...rest, body };
