import { afterEach, describe, expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import { createDtlsEndpoint, DTLS_DEFAULTS, type DtlsEndpoint } from "../../src/access/dtls";
import type { TraceEntry } from "../../src/capabilities/devices/trace-sink";
import { systemClock } from "../../src/platform/clock";
import { silentLog } from "../../src/platform/log";
import { createMetrics } from "../../src/platform/metrics";
import { createSealer } from "../../src/platform/secrets";
import { groupCommit } from "../../src/platform/storage/group-commit";
import { openDatabase } from "../../src/platform/storage/open-database";
import { withProgram } from "../support/foreign";
import { temporaryFolder } from "../support/islet";

const openssl = withProgram("openssl");
const IDENTITY = "863703030000001";
const PSK = "000102030405060708090a0b0c0d0e0f";
const SUITES = ["PSK-AES128-CCM8", "PSK-AES128-CBC-SHA256", "PSK-AES128-GCM-SHA256"];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An endpoint on a real socket that answers everything in upper case. */
async function start() {
  const registry = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const telemetry = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
  const traces: TraceEntry[] = [];
  const opened: boolean[] = [];
  const metrics = createMetrics();
  const recordsIn = () => Number(/islet_dtls_records_total{direction="in"} (\d+)/.exec(metrics.render())?.[1]);
  const endpoint: DtlsEndpoint = createDtlsEndpoint({
    listen: { hostname: "127.0.0.1", port: 0 },
    lookUp: (identity) => (identity === IDENTITY ? { deviceNo: 1, pskHex: PSK } : undefined),
    ...{ registry, telemetry, transactor: groupCommit(registry), sealer: createSealer(randomBytes(32)) },
    ...{ clock: systemClock, random: randomBytes, log: silentLog, metrics, settings: DTLS_DEFAULTS },
    trace: { record: (entry) => void traces.push(entry) },
    receive: (peer, plaintext) => peer.send(Buffer.from(Buffer.from(plaintext).toString().toUpperCase())),
    opened: (_peer, resumed) => void opened.push(resumed),
  });
  const { port } = await endpoint.listen();
  closing.push(endpoint.stop);
  return { endpoint, port, traces, opened, recordsIn };
}

type Session = { says(text: string): Promise<void>; say(text: string): void; end(): Promise<string>; output(): string };

function client(port: number, suite: string, options: string[] = [], psk = PSK, identity = IDENTITY): Session {
  const child = Bun.spawn(
    [
      ...[
        openssl.path,
        "s_client",
        "-dtls1_2",
        "-connect",
        `127.0.0.1:${port}`,
        "-psk",
        psk,
        "-psk_identity",
        identity,
      ],
      ...["-cipher", `${suite}:@SECLEVEL=0`, ...options],
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "pipe" },
  );
  let output = "";
  let wake = () => {};
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) {
      output += Buffer.from(chunk).toString();
      wake();
    }
  };
  const finished = Promise.all([read(child.stdout), read(child.stderr), child.exited]).then(() => wake());
  let isOver = false;
  void finished.then(() => {
    isOver = true;
  });
  closing.push(() => child.kill());
  return {
    output: () => output,
    async says(text) {
      while (!output.includes(text)) {
        if (isOver) throw new Error(`it never said ${text}:\n${output}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    say(text) {
      child.stdin.write(`${text}\n`);
      child.stdin.flush();
    },
    async end() {
      child.stdin.end();
      await finished;
      return output;
    },
  };
}

describe.each(SUITES)("openssl s_client with %s", (suite) => {
  openssl.test("opens a session, talks both ways and closes", async () => {
    const { endpoint, port, traces } = await start();
    const device = client(port, suite);
    device.say("hello from the device");
    await device.says("HELLO FROM THE DEVICE");
    expect(endpoint.peerOf(1)?.deviceNo).toBe(1);
    const output = await device.end();
    expect(output).toContain(`Cipher is ${suite}`);
    expect(output).toContain("Extended master secret: yes");
    expect(traces.map(({ reason }) => reason)).toEqual(["dtls_opened"]);
  });

  openssl.test("resumes its session by the id", async () => {
    using folder = temporaryFolder();
    const { port, opened } = await start();
    const path = `${folder.path}/session.pem`;
    const first = client(port, suite, ["-no_ticket", "-sess_out", path]);
    first.say("first");
    await first.says("FIRST");
    await first.end();
    const second = client(port, suite, ["-no_ticket", "-sess_in", path]);
    second.say("second");
    await second.says("SECOND");
    const output = await second.end();
    expect(output).toContain("Reused, ");
    expect(output).toContain(`Cipher is ${suite}`);
    expect(opened).toEqual([false, true]);
  });

  openssl.test("with a narrow path sends its hello in fragments", async () => {
    const { port, recordsIn } = await start();
    const device = client(port, `${suite}:ALL`, ["-mtu", "256"]);
    device.say("narrow");
    await device.says("NARROW");
    // Whole it would be two hellos, key exchange, ChangeCipherSpec, Finished and the text.
    expect(recordsIn()).toBeGreaterThan(6);
    await device.end();
  });

  openssl.test.each([
    ["a wrong key", "ff".repeat(16), IDENTITY, "key_wrong"],
    ["an unknown identity", PSK, "863703039999999", "device_unknown"],
  ])("%s does not get in, and the trace says why", async (_name, psk, identity, reason) => {
    const { port, traces } = await start();
    const device = client(port, suite, [], psk, identity);
    while (traces.length === 0) await systemClock.sleep(10, AbortSignal.timeout(10_000));
    device.say("let me in");
    expect(traces.map((trace) => trace.reason)).toEqual([reason]);
    expect(device.output()).not.toContain("LET ME IN");
  });
});

openssl.test("closeSessions is heard as a close", async () => {
  const { endpoint, port } = await start();
  const device = client(port, "PSK-AES128-CCM8");
  device.say("here");
  await device.says("HERE");
  endpoint.closeSessions(1, "new key");
  await device.says("closed");
  expect(endpoint.peerOf(1)).toBeUndefined();
});
