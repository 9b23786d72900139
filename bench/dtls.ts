import { createRecordProtection, type DtlsSession, decodeRecord } from "../src/wire/dtls";
import { TestClient } from "../src/wire/dtls/testing/test-client";
import { defineBench } from "./bench";
import { endAtExit, hasEnded } from "./support/clean-up";
import { identityOf, PSK_HEX, storeSessions } from "./support/dtls-devices";
import { cpuSeconds, temporaryFolder } from "./support/server";

const CLIENTS = 128;
const WINDOW = 4; // records of one device under way
const PAYLOAD = new Uint8Array(96).fill(0x61);
const RESEND_MS = 500;

export const dtls = defineBench({
  name: "dtls",
  about: `full PSK handshakes and echoed CCM_8 records of ${CLIENTS} clients on loopback, 50,000 sleeping sessions; a bare UDP echo beside`,
  goals: [
    { value: "handshakesPerSecond", atLeast: 1_500 },
    { value: "recordsPerSecond", atLeast: 20_000 },
    { value: "bytesPerSleepingDevice", below: 4_096 },
    { value: "bytesPerDeviceAsleepAgain", below: 4_096 },
    { value: "restartMs", below: 2_000 },
  ],
  runs: 3,
  async run({ quick }) {
    const seconds = quick ? 1 : 5;
    const bare = await startChild("bare");
    const echo = await measured(bare, () => measureEcho(bare.port, seconds));
    await bare.end();
    const server = await startChild("dtls");
    const handshake = await measured(server, () => measureHandshakes(server.port, seconds));
    const record = await measured(server, () => measureRecords(server.port, seconds));
    await server.end();
    return {
      handshakesPerSecond: handshake.rate,
      microsPerHandshake: handshake.micros,
      recordsPerSecond: record.rate,
      microsPerRecord: record.micros,
      bareEchoesPerSecond: echo.rate,
      microsPerBareEcho: echo.micros,
      ratioToBareEcho: record.rate / echo.rate,
      ...(await measureSleeping(quick ? 5_000 : 50_000)),
    };
  },
});

type Rate = { count: number; seconds: number };

/** With the processor time of the server for each: on a busy machine it says more than the rate. */
async function measured({ pid }: { pid: number }, run: () => Promise<Rate>) {
  const before = cpuSeconds(pid);
  const { count, seconds } = await run();
  return { rate: count / seconds, micros: ((cpuSeconds(pid) - before) / count) * 1e6 };
}

type Facts = { port: number; readyMs: number };
type Memory = { rss: number; heapSize: number; inMemory: number; sessions: number };

async function startChild(mode: "dtls" | "bare", folder = temporaryFolder(), settings = {}) {
  const program = [process.execPath, `${import.meta.dir}/support/dtls-child.ts`];
  const child = Bun.spawn([...program, folder, mode, JSON.stringify(settings)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  endAtExit(child.pid);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async () => JSON.parse((await lines.read()).value ?? "");
  const { port, readyMs } = (await line()) as Facts;
  return {
    ...{ port, readyMs, pid: child.pid },
    async memory(): Promise<Memory> {
      child.stdin.write("memory\n");
      child.stdin.flush();
      return (await line()) as Memory;
    },
    async end(): Promise<void> {
      child.kill("SIGKILL");
      await child.exited;
      hasEnded(child.pid);
    },
  };
}

type Socket = { send(bytes: Uint8Array): void; close(): void };

async function connect(port: number, receive: (bytes: Uint8Array, socket: Socket) => void): Promise<Socket> {
  const raw = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: { data: (_socket, bytes) => receive(bytes, socket), error() {} },
  });
  const socket: Socket = { send: (bytes) => void raw.send(bytes), close: () => raw.close() };
  return socket;
}

async function measureEcho(port: number, seconds: number): Promise<Rate> {
  let echoed = 0;
  const sockets = await Promise.all(
    Array.from({ length: CLIENTS }, () =>
      connect(port, (_bytes, socket) => {
        echoed++;
        socket.send(PAYLOAD);
      }),
    ),
  );
  for (const socket of sockets) for (let n = 0; n < WINDOW; n++) socket.send(PAYLOAD);
  const rate = await counted(() => echoed, seconds);
  for (const socket of sockets) socket.close();
  return rate;
}

const newClient = (deviceNo: number) =>
  new TestClient({
    psk: new Uint8Array(Buffer.from(PSK_HEX, "hex")),
    identity: Buffer.from(identityOf(deviceNo)),
    random: crypto.getRandomValues(new Uint8Array(32)),
    suites: [0xc0a8],
    ...{ extensions: true, extendedMasterSecret: true, encryptThenMac: true, connectionId: undefined },
    ...{ resume: undefined, maxPartBytes: 1_000 },
  });

/** Every client opens one session after the other: cookie, key exchange, the row on disk, Finished. */
async function measureHandshakes(port: number, seconds: number): Promise<Rate> {
  let opened = 0;
  let isOver = false;
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, at) => {
      let client = newClient(at + 1);
      let since = performance.now();
      const begin = (socket: Socket) => {
        client = newClient(at + 1);
        since = performance.now();
        for (const datagram of client.start()) socket.send(datagram);
      };
      const socket = await connect(port, (bytes) => {
        if (isOver) return;
        for (const datagram of client.receive(bytes)) socket.send(datagram);
        if (!client.opened) return;
        opened++;
        begin(socket);
      });
      begin(socket);
      return { socket, restart: () => performance.now() - since > RESEND_MS && begin(socket) };
    }),
  );
  const timer = setInterval(() => {
    for (const { restart } of clients) restart();
  }, RESEND_MS);
  const rate = await counted(() => opened, seconds);
  clearInterval(timer);
  isOver = true;
  for (const { socket } of clients) socket.close();
  return rate;
}

async function measureRecords(port: number, seconds: number): Promise<Rate> {
  let echoed = 0;
  let opened = 0;
  const ready = Promise.withResolvers<void>();
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, at) => {
      const client = newClient(at + 1);
      const socket = await connect(port, (bytes) => {
        const wasOpen = client.opened;
        for (const datagram of client.receive(bytes)) socket.send(datagram);
        if (!wasOpen && client.opened && ++opened === CLIENTS) ready.resolve();
        if (client.received.length === 0) return;
        client.received.length = 0;
        echoed++;
        socket.send(client.seal(PAYLOAD));
      });
      for (const datagram of client.start()) socket.send(datagram);
      return { client, socket };
    }),
  );
  const timer = setInterval(() => {
    for (const { client, socket } of clients) if (!client.opened) for (const each of client.repeat()) socket.send(each);
  }, RESEND_MS);
  await ready.promise;
  clearInterval(timer);
  for (const { client, socket } of clients) for (let n = 0; n < WINDOW; n++) socket.send(client.seal(PAYLOAD));
  const rate = await counted(() => echoed, seconds);
  for (const { socket } of clients) socket.close();
  return rate;
}

/** A process without sessions; the same with all of them asleep; and after each has spoken once and fallen asleep again. */
async function measureSleeping(count: number) {
  const empty = await startChild("dtls");
  const before = await empty.memory();
  await empty.end();
  const folder = temporaryFolder();
  const sessions = storeSessions(folder, count);
  const server = await startChild("dtls", folder, { restAfterMs: 1_000, dropAfterMs: 3_000, sweepMs: 500 });
  const asleep = await server.memory();
  if (asleep.sessions !== count) throw new Error(`${asleep.sessions} of ${count} sessions are known`);
  const wake = await measured(server, () => wakeAll(server.port, sessions));
  const awake = await server.memory();
  let again = awake;
  while (again.inMemory > 0) {
    await Bun.sleep(1_000);
    again = await server.memory();
  }
  await server.end();
  const each = ({ rss }: Memory) => (rss - before.rss) / count;
  return {
    restartMs: server.readyMs,
    emptyStartMs: empty.readyMs,
    bytesPerSleepingDevice: each(asleep),
    bytesPerDeviceAfterAllWoke: each(awake),
    inMemoryAfterAllWoke: awake.inMemory,
    bytesPerDeviceAsleepAgain: each(again),
    wokenPerSecond: wake.rate,
    microsPerWaking: wake.micros,
  };
}

/** Each device goes on with its session: one record up, its echo down. Fails if one of them is not heard. */
async function wakeAll(port: number, sessions: readonly DtlsSession[]): Promise<Rate> {
  const since = performance.now();
  const waiting = new Set(sessions.keys());
  let next = 0;
  const done = Promise.withResolvers<void>();
  const slots = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      let at = -1;
      let sequence = 0;
      const socket = await connect(port, (bytes) => {
        const session = sessions[at];
        if (session === undefined) return;
        const protection = createRecordProtection(session.suite, session.keys.server, session);
        if (protection.open(decodeRecord(bytes, 0, 1)) === undefined) return; // the echo of a repetition
        waiting.delete(at);
        if (waiting.size === 0) done.resolve();
        advance();
      });
      function speak(): void {
        const session = sessions[at];
        if (session === undefined) return;
        const protection = createRecordProtection(session.suite, session.keys.client, session);
        const plain = { type: 23, epoch: 1, sequence: sequence++, connectionId: session.ownConnectionId };
        socket.send(protection.seal({ ...plain, content: PAYLOAD }));
      }
      function advance(): void {
        at = next++;
        sequence = 0;
        speak();
      }
      return { socket, advance, repeat: () => waiting.has(at) && speak() };
    }),
  );
  for (const { advance } of slots) advance();
  const timer = setInterval(() => {
    for (const { repeat } of slots) repeat();
  }, RESEND_MS);
  await done.promise;
  clearInterval(timer);
  for (const { socket } of slots) socket.close();
  return { count: sessions.length, seconds: (performance.now() - since) / 1_000 };
}

/** All since the start of the clients: nothing that cost processor time is left out. */
async function counted(count: () => number, seconds: number): Promise<Rate> {
  const since = performance.now();
  await Bun.sleep(seconds * 1_000);
  return { count: count(), seconds: (performance.now() - since) / 1_000 };
}
