/**
 * The DTLS endpoint alone, on a real socket and real databases, with a layer above that echoes; `bare`: the same socket
 * without DTLS. Usage: dtls-child.ts FOLDER dtls|bare [SETTINGS]. Prints one line of JSON when it listens, and one per line on its input.
 */

import { heapStats } from "bun:jsc";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import { DATAGRAM_DEFAULTS, openDatagramSocket } from "../../src/access/datagram/datagram-socket";
import { createDtlsEndpoint, DTLS_DEFAULTS } from "../../src/access/dtls";
import { systemClock } from "../../src/platform/clock";
import { createLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { createSealer } from "../../src/platform/secrets";
import { groupCommit } from "../../src/platform/storage/group-commit";
import { openDatabase } from "../../src/platform/storage/open-database";
import { BENCH_MASTER_KEY, deviceOf, PSK_HEX } from "./dtls-devices";

const [folder = "", mode = "dtls", settings = "{}"] = process.argv.slice(2);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const since = performance.now();

if (mode === "bare") {
  const socket = await openDatagramSocket({
    ...{ hostname: "127.0.0.1", port: 0, settings: DATAGRAM_DEFAULTS, clock: systemClock },
    receive: (bytes, address, port) => socket.send(bytes, address, port),
  });
  say({ port: socket.port });
} else {
  const registry = openDatabase(join(folder, "registry.db"), { migrations: REGISTRY_MIGRATIONS });
  const telemetry = openDatabase(join(folder, "telemetry.db"), { migrations: TELEMETRY_MIGRATIONS });
  const metrics = createMetrics();
  const endpoint = createDtlsEndpoint({
    listen: { hostname: "127.0.0.1", port: 0 },
    lookUp: (identity) => {
      createHash("sha256").update(identity).digest(); // about what the look-up of a device costs
      const deviceNo = deviceOf(identity);
      return deviceNo === undefined ? undefined : { deviceNo, pskHex: PSK_HEX };
    },
    ...{ registry, telemetry, transactor: groupCommit(registry), sealer: createSealer(BENCH_MASTER_KEY) },
    ...{ clock: systemClock, random: randomBytes, metrics, trace: { record() {} } },
    settings: { ...DTLS_DEFAULTS, ...JSON.parse(settings) },
    log: createLog({ level: "warn", format: "json", clock: systemClock, write: (line) => process.stderr.write(line) }),
    receive(peer, plaintext) {
      peer.enclose?.();
      peer.send(plaintext);
    },
  });
  const { port } = await endpoint.listen();
  say({ port, readyMs: performance.now() - since });
  process.stdin.on("data", () => {
    Bun.gc(true);
    const { rss } = process.memoryUsage();
    const { heapSize } = heapStats();
    const value = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(metrics.render())?.[1] ?? 0);
    say({ rss, heapSize, inMemory: value("islet_dtls_sessions_in_memory"), sessions: value("islet_dtls_sessions") });
  });
}
