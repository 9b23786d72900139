import { describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PackageId, UpgradePackage } from "../../capabilities/packages/package";
import { systemClock } from "../../platform/clock";
import { randomIds } from "../../platform/ids";
import { silentLog } from "../../platform/log";
import { createMetrics } from "../../platform/metrics";
import { parseRange } from "./byte-range";
import { httpFront } from "./http-front";
import { DOWNLOAD_DEFAULTS, type DownloadSettings, packageDownload } from "./package-download";
import { serveHttp } from "./serve-http";

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
const FILE = join(mkdtempSync(join(tmpdir(), "islet-download-")), "content");
writeFileSync(FILE, CONTENT);
const it = { no: 4, fileId: "0a".repeat(16) as PackageId, sha256: "ab".repeat(32), fileName: "fw ü.bin" };
const small = { ...it, size: CONTENT.length } as UpgradePackage;
const PATH = `/ota/v1/packages/${it.fileId}`;

/** Behind the front, on a real port. */
function serve(settings: Partial<DownloadSettings> = {}, package_: UpgradePackage = small, file = FILE) {
  const download = packageDownload({
    tokens: { authorizeDownload: (token) => ({ good: package_, other: { no: 5 } })[token] },
    packages: { find: (id) => (id === package_.fileId ? package_ : undefined) },
    openContent: () => open(file),
    clock: systemClock,
    settings: { ...DOWNLOAD_DEFAULTS, ...settings },
  });
  const fetchOf = httpFront({
    ...{ mounts: [download], otherwise: download, log: silentLog, metrics: createMetrics() },
    ...{ clock: systemClock, ids: randomIds },
  });
  const server = serveHttp({ listen: "127.0.0.1:0", fetch: fetchOf, clock: systemClock });
  const get = (headers: Record<string, string> = {}, method = "GET", path = PATH) =>
    fetch(server.url + path, { method, headers: { authorization: "Bearer good", ...headers } });
  return { ...server, get, [Symbol.asyncDispose]: () => server.stop() };
}
const ETAG = `"${it.sha256}"`;

test.each<[string | null, unknown]>([
  [null, undefined],
  ["bytes=0-0", { from: 0, to: 0 }],
  ["bytes=5-", { from: 5, to: 9 }],
  ["bytes=5-99", { from: 5, to: 9 }],
  ["bytes=-3", { from: 7, to: 9 }],
  ["bytes=-30", { from: 0, to: 9 }],
  ["Bytes= 2-3 ", { from: 2, to: 3 }],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=3-2", undefined],
  ["bytes=-", undefined],
  ["bytes=0-1,3-4", undefined],
  ["bytes=x-2", undefined],
  ["items=0-1", undefined],
  ["", undefined],
])("the range %p of 10 bytes is %j", (header, expected) => expect(parseRange(header, 10)).toEqual(expected as never));

describe.each([
  ["at once", DOWNLOAD_DEFAULTS.maxWholeBytes],
  ["as a stream", 1_000],
])("%s,", (_how, maxWholeBytes) => {
  test("the whole is downloaded", async () => {
    await using server = serve({ maxWholeBytes });
    const answer = await server.get();
    expect([answer.status, Object.fromEntries(answer.headers)]).toMatchObject([
      200,
      {
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        etag: ETAG,
        "content-disposition": "attachment; filename*=UTF-8''fw%20%C3%BC.bin",
      },
    ]);
    expect(answer.headers.get("content-length")).toBe(maxWholeBytes > 1_000 ? "300000" : null);
    expect(Buffer.from(await answer.arrayBuffer()).equals(CONTENT)).toBe(true);
  });
  test.each([
    ["bytes=100000-", 100_000, 300_000],
    ["bytes=0-0", 0, 1],
    ["bytes=65535-131072", 65_535, 131_073],
    ["bytes=-5000", 295_000, 300_000],
  ])("so is %s", async (range, from, to) => {
    await using server = serve({ maxWholeBytes });
    const answer = await server.get({ range });
    expect([answer.status, answer.headers.get("content-range")]).toEqual([206, `bytes ${from}-${to - 1}/300000`]);
    expect(Buffer.from(await answer.arrayBuffer()).equals(CONTENT.subarray(from, to))).toBe(true);
  });
});

test("a broken download goes on where it was, if the package is the same", async () => {
  await using server = serve();
  const range = "bytes=299990-";
  expect((await server.get({ range, "if-range": ETAG })).status).toBe(206);
  const changed = await server.get({ range, "if-range": '"other"' });
  expect([changed.status, (await changed.arrayBuffer()).byteLength]).toEqual([200, 300_000]);
});
test("a range behind the end is 416", async () => {
  await using server = serve();
  const answer = await server.get({ range: "bytes=300000-" });
  expect([answer.status, answer.headers.get("content-range"), await answer.text()]).toEqual([
    416,
    "bytes */300000",
    "",
  ]);
});
test("HEAD tells of it", async () => {
  await using server = serve();
  const answer = await server.get({}, "HEAD");
  expect([answer.status, answer.headers.get("content-length"), answer.headers.get("etag")]).toEqual([
    200,
    "300000",
    ETAG,
  ]);
  const part = await server.get({ range: "bytes=5-9" }, "HEAD");
  expect([part.status, part.headers.get("content-length")]).toEqual([206, "5"]);
});

test.each<[string, Record<string, string>, string, string, number]>([
  ["no token", { authorization: "" }, "GET", PATH, 401],
  ["another scheme", { authorization: "Basic good" }, "GET", PATH, 401],
  ["an unknown token", { authorization: "Bearer bad" }, "GET", PATH, 401],
  ["the token of another package", { authorization: "Bearer other" }, "GET", PATH, 401],
  ["another package", {}, "GET", "/ota/v1/packages/x", 401],
  ["another path", {}, "GET", "/ota/v1", 404],
  ["another method", {}, "POST", PATH, 405],
])("refused: %s", async (_what, headers, method, path, status) => {
  await using server = serve();
  const answer = await server.get(headers, method, path);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get(status === 401 ? "www-authenticate" : "x-request-id")).not.toBeNull();
});

/** A content that no socket buffer holds. */
const LARGE = 64 << 20;
const LARGE_FILE = join(mkdtempSync(join(tmpdir(), "islet-download-")), "large");
writeFileSync(LARGE_FILE, Buffer.alloc(LARGE));
const large = { ...small, size: LARGE } as UpgradePackage;

/** Asks, and takes nothing of the answer. */
function silentClient(port: number) {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const answered = new Promise<void>((resolve) => socket.once("readable", () => resolve())); // nothing is read from it
  socket.on("error", () => {});
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n`);
  return { socket, answered, closed };
}
const eventually = async (check: () => Promise<boolean>) => {
  while (!(await check())) await Bun.sleep(20);
};

test("as many at a time as are allowed; a client that leaves frees its place", async () => {
  await using server = serve({ maxDownloadsPerToken: 1 }, large, LARGE_FILE);
  const first = silentClient(server.port);
  await first.answered;
  const refused = await server.get();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
  first.socket.destroy();
  await eventually(async () => (await server.get({ range: "bytes=0-9" })).status === 206);
  const whole = await server.get();
  expect((await whole.arrayBuffer()).byteLength).toBe(LARGE);
});

test("a client that takes nothing is cut, and frees its place", async () => {
  await using server = serve({ maxDownloads: 1, downloadStallMs: 200 }, large, LARGE_FILE);
  const { socket, answered } = silentClient(server.port);
  await answered;
  expect((await server.get()).status).toBe(503);
  await eventually(async () => (await server.get({ range: "bytes=0-9" })).status === 206);
  socket.destroy();
}, 20_000);
