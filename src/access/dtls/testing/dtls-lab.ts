import type { Database } from "bun:sqlite";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../../../migrations";
import type { TraceEntry } from "../../../capabilities/devices/trace-sink";
import { type Log, silentLog } from "../../../platform/log";
import { createMetrics } from "../../../platform/metrics";
import { createSealer } from "../../../platform/secrets";
import { groupCommit } from "../../../platform/storage/group-commit";
import { openDatabase } from "../../../platform/storage/open-database";
import { type ManualClock, manualClock } from "../../../platform/testing/manual-clock";
import { TestClient, type TestClientOptions } from "../../../wire/dtls/testing/test-client";
import { Random } from "../../../wire/testing/random";
import type { DatagramSocket } from "../../datagram/datagram-socket";
import type { Peer } from "../../datagram/peer";
import { createDtlsEndpoint, type DtlsEndpoint } from "../dtls-endpoint";
import type { PskLogin, SessionEnd } from "../ports";
import { DTLS_DEFAULTS, type DtlsSettings } from "../settings";

export const PSK = "000102030405060708090a0b0c0d0e0f";
export const CCM_8 = 0xc0a8;
export const GCM = 0x00a8;
export const CBC = 0x00ae;
export const SERVER_PORT = 5_684;

export type Sent = { readonly bytes: Uint8Array; readonly address: string; readonly port: number };

/** The databases and devices that outlive an endpoint, a network without wires, and time that a test moves. */
export class DtlsLab {
  readonly registry: Database;
  readonly telemetry: Database;
  readonly clock: ManualClock = manualClock();
  readonly random: Random;
  readonly devices = new Map<string, PskLogin>();
  readonly traces: TraceEntry[] = [];
  /** What the endpoint has sent and nobody has taken. */
  sent: Sent[] = [];
  readonly settings: DtlsSettings;
  endpoint!: DtlsEndpoint;
  metrics = createMetrics();
  /** With each endpoint anew: what it delivered, and to whom. */
  received: { peer: Peer; text: string }[] = [];
  opened: { peer: Peer; resumed: boolean }[] = [];
  ended: { peer: Peer; reason: SessionEnd }[] = [];
  /** What the layer above does with a datagram. */
  onReceive: (peer: Peer, plaintext: Uint8Array) => void = () => {};
  receive: (bytes: Uint8Array, address: string, port: number) => void = () => {};
  /** False: commits are asked for, and do not come; `resumeCommits` lets them. */
  commits = true;
  sql = 0;
  readonly log: Log;

  constructor({
    seed = 1,
    settings = {},
    log = silentLog,
  }: { seed?: number; settings?: Partial<DtlsSettings>; log?: Log } = {}) {
    this.random = new Random(seed);
    this.settings = { ...DTLS_DEFAULTS, ...settings };
    this.log = log;
    this.registry = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
    this.telemetry = openDatabase(":memory:", { migrations: TELEMETRY_MIGRATIONS });
    this.devices.set("863703030000001", { deviceNo: 1, pskHex: PSK });
    this.devices.set("863703030000002", { deviceNo: 2, pskHex: PSK });
  }

  /** A process of its own on the same databases. One that was there before is as if killed, unless it was stopped. */
  async start(): Promise<DtlsEndpoint> {
    this.metrics = createMetrics();
    this.received = [];
    this.opened = [];
    this.ended = [];
    this.commits = true;
    let isKilled = false;
    this.kill = () => {
      isKilled = true;
    };
    const socket: DatagramSocket = {
      hostname: "192.0.2.254",
      port: SERVER_PORT,
      send: (bytes, address, port) => {
        if (!isKilled) this.sent.push({ bytes: bytes.slice(), address, port });
      },
      pause() {},
      resume() {},
      close() {},
    };
    const due: (() => void)[] = [];
    const commit = () => {
      for (const run of isKilled || !this.commits ? [] : due.splice(0)) run();
    };
    this.resumeCommits = () => {
      this.commits = true;
      setImmediate(commit);
    };
    const transactor = groupCommit(this.registry, (run) => {
      due.push(run);
      setImmediate(commit);
    });
    this.endpoint = createDtlsEndpoint({
      listen: { hostname: "192.0.2.254", port: SERVER_PORT },
      lookUp: (identity) => this.devices.get(identity),
      registry: this.counted(this.registry),
      telemetry: this.telemetry,
      transactor,
      sealer: createSealer(new Uint8Array(32).fill(7)),
      clock: {
        ...this.clock,
        after: (ms, run) => this.clock.after(ms, () => (isKilled ? undefined : run())),
      },
      random: (length) => this.random.bytes(length),
      log: this.log,
      metrics: this.metrics,
      trace: { record: (entry) => void this.traces.push(entry) },
      settings: this.settings,
      receive: (peer, plaintext) => {
        this.received.push({ peer, text: Buffer.from(plaintext).toString() });
        this.onReceive(peer, plaintext);
      },
      opened: (peer, resumed) => void this.opened.push({ peer, resumed }),
      ended: (peer, reason) => void this.ended.push({ peer, reason }),
      openSocket: async ({ receive }) => {
        this.receive = (bytes, address, port) => {
          if (!isKilled) receive(bytes, address, port);
        };
        return socket;
      },
    });
    await this.endpoint.listen();
    return this.endpoint;
  }

  /** From here on the endpoint does nothing more: no send, no commit, no timer. */
  kill: () => void = () => {};

  resumeCommits: () => void = () => {};

  async restart(how: "cleanly" | "killed"): Promise<DtlsEndpoint> {
    if (how === "cleanly") {
      this.resumeCommits();
      await this.endpoint.stop();
    }
    this.kill();
    this.sent = [];
    return this.start();
  }

  /** Lets commits happen; no time passes. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  /** Commits what a peer encloses, as `ingest` would. */
  commitEnclosed(peer: Peer): void {
    const row = peer.enclose?.();
    if (row) this.telemetry.query(row.sql).run(...row.values);
  }

  take(address: string, port: number): Uint8Array[] {
    const mine = this.sent.filter((each) => each.address === address && each.port === port);
    this.sent = this.sent.filter((each) => !mine.includes(each));
    return mine.map(({ bytes }) => bytes);
  }

  client(changes: Partial<TestClientOptions> = {}, address = "203.0.113.5", port = 40_000): Device {
    return new Device(this, changes, address, port);
  }

  count(name: string, label?: string): number {
    const line = this.metrics
      .render()
      .split("\n")
      .find((each) => each.startsWith(label === undefined ? `${name} ` : `${name}{`) && each.includes(label ?? ""));
    return Number(line?.split(" ").at(-1) ?? 0);
  }
  get texts(): string[] {
    return this.received.map(({ text }) => text);
  }

  /** Counts the statements that an endpoint runs. */
  private counted(db: Database): Database {
    return new Proxy(db, {
      get: (target, name) => {
        if (name !== "query") return Reflect.get(target, name, target);
        return (sql: string) => {
          const statement = target.query(sql);
          return new Proxy(statement, {
            get: (inner, method) => {
              const value = Reflect.get(inner, method, inner);
              if (typeof value !== "function") return value;
              return (...values: unknown[]) => {
                this.sql++;
                return value.apply(inner, values);
              };
            },
          });
        };
      },
    });
  }
}

/** A test client at an address. */
export class Device {
  readonly client: TestClient;
  readonly #lab: DtlsLab;
  address: string;
  port: number;

  constructor(lab: DtlsLab, changes: Partial<TestClientOptions>, address: string, port: number) {
    this.#lab = lab;
    this.address = address;
    this.port = port;
    this.client = new TestClient({
      psk: new Uint8Array(Buffer.from(PSK, "hex")),
      identity: Buffer.from("863703030000001"),
      random: lab.random.bytes(32),
      suites: [CCM_8],
      extensions: true,
      extendedMasterSecret: true,
      encryptThenMac: true,
      connectionId: undefined,
      resume: undefined,
      maxPartBytes: 1_000,
      ...changes,
    });
  }

  send(datagrams: Uint8Array[]): void {
    for (const bytes of datagrams) this.#lab.receive(bytes.slice(), this.address, this.port);
  }

  /** Back and forth over a perfect network until both are silent. */
  async exchange(datagrams: Uint8Array[]): Promise<void> {
    this.send(datagrams);
    for (;;) {
      await this.#lab.settle();
      const answers = this.#lab.take(this.address, this.port).flatMap((bytes) => this.client.receive(bytes));
      if (answers.length === 0) return;
      this.send(answers);
    }
  }

  async connect(): Promise<this> {
    await this.exchange(this.client.start());
    return this;
  }

  /** Sends a text and gives the datagram, as somebody on the way might have kept it. */
  async say(text: string): Promise<Uint8Array> {
    const datagram = this.client.seal(Buffer.from(text));
    await this.exchange([datagram]);
    return datagram;
  }
}
