import { expect } from "bun:test";
import { CIPHER_SUITES, ClientConnection, type ClientOffer, type ClientOutput } from "../../src/wire/dtls";
import { withProgram } from "../support/foreign";

const openssl = withProgram("openssl");
const PSK = "000102030405060708090a0b0c0d0e0f";
const LIMIT_MS = 10_000;
const CIPHERS = {
  TLS_PSK_WITH_AES_128_CCM_8: "PSK-AES128-CCM8",
  TLS_PSK_WITH_AES_128_GCM_SHA256: "PSK-AES128-GCM-SHA256",
  TLS_PSK_WITH_AES_128_CBC_SHA256: "PSK-AES128-CBC-SHA256",
} as Record<string, string>;

/** `openssl s_server` on a free port; what it receives is its output, what is written to it goes to the client. */
async function startServer(cipher: string, words: string[] = []) {
  const child = Bun.spawn(
    // biome-ignore format: one flag and its value after the other
    [openssl.path, "s_server", "-dtls1_2", "-accept", "127.0.0.1:0", "-psk", PSK, "-nocert", "-cipher", `${cipher}:@SECLEVEL=0`, ...words],
    { stdin: "pipe", stdout: "pipe", stderr: "pipe" },
  );
  let output = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) output += decoder.decode(chunk);
  })();
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (const deadline = Date.now() + LIMIT_MS; ; await Bun.sleep(5)) {
      const match = pattern.exec(output);
      if (match) return match;
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`s_server does not say ${pattern}: ${output}${await new Response(child.stderr).text()}`);
    }
  };
  const port = Number((await says(/ACCEPT 127\.0\.0\.1:(\d+)/))[1]);
  return {
    port,
    says,
    write(text: string) {
      child.stdin.write(text);
      child.stdin.flush();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function connect(port: number, changes: Partial<ClientOffer>) {
  const outputs: ClientOutput[] = [];
  let waiting: (() => void)[] = [];
  const take = (made: ClientOutput[]): void => {
    outputs.push(...made);
    for (const output of made) if (output.type === "datagram") socket.send(output.bytes);
    for (const wake of waiting) wake();
    waiting = [];
  };
  const connection = new ClientConnection({
    random: crypto.getRandomValues(new Uint8Array(32)),
    identity: Buffer.from("863703030000001"),
    psk: Uint8Array.fromHex(PSK),
    suites: CIPHER_SUITES,
    extensions: true,
    extendedMasterSecret: true,
    encryptThenMac: true,
    connectionId: undefined,
    resume: undefined,
    ...changes,
  });
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: { data: (_socket, datagram) => take(connection.receive(new Uint8Array(datagram))) },
  });
  const until = async (holds: () => boolean): Promise<void> => {
    const late = Bun.sleep(LIMIT_MS).then(() => {
      throw new Error(`nothing came: ${JSON.stringify(outputs.map(({ type }) => type))}`);
    });
    late.catch(() => {});
    while (!holds()) await Promise.race([new Promise<void>((wake) => waiting.push(wake)), late]);
  };
  take(connection.start());
  return {
    connection,
    outputs,
    take,
    until,
    received: () => outputs.flatMap((each) => (each.type === "received" ? [Buffer.from(each.content).toString()] : [])),
    send: (text: string) => socket.send(connection.seal(Buffer.from(text)) ?? new Uint8Array(0)),
    [Symbol.dispose]: () => socket.close(),
  };
}

const KINDS: [name: string, changes: Partial<ClientOffer>, words: string[]][] = [
  ["with all extensions", {}, []],
  ["with a cookie first", {}, ["-listen"]],
  ["with an identity hint", {}, ["-psk_hint", "islet"]],
  ["without extended master secret and encrypt-then-MAC", { extendedMasterSecret: false, encryptThenMac: false }, []],
  ["without an extensions block", { extensions: false }, []],
];

for (const suite of CIPHER_SUITES) {
  openssl.test.each(KINDS)(`${suite.name} with openssl s_server, %s`, async (_name, changes, words) => {
    await using server = await startServer(CIPHERS[suite.name] ?? "", words);
    using client = await connect(server.port, { suites: [suite], ...changes });
    await client.until(() => client.connection.at === "open");
    client.send("from the device\n");
    await server.says(/from the device/);
    server.write("from the server\n");
    await client.until(() => client.received().join("").includes("from the server"));
    client.connection.rest();
    client.send("after a rest\n");
    await server.says(/after a rest/);
    client.take(client.connection.close());
    await server.says(/DONE/);
  });

  openssl.test(`${suite.name}: openssl s_server resumes a session`, async () => {
    await using server = await startServer(CIPHERS[suite.name] ?? "");
    using first = await connect(server.port, { suites: [suite] });
    await first.until(() => first.connection.at === "open");
    first.take(first.connection.close());
    await server.says(/DONE/);
    using second = await connect(server.port, { suites: [suite], resume: first.connection.session });
    await second.until(() => second.connection.at === "open");
    expect(second.outputs).toContainEqual(expect.objectContaining({ type: "opened", resumed: true }));
    second.send("resumed\n");
    await server.says(/resumed/);
  });
}

openssl.test("a suite that openssl s_server does not take is refused by its alert", async () => {
  await using server = await startServer("PSK-AES128-CCM8");
  using client = await connect(server.port, { suites: CIPHER_SUITES.slice(1) });
  await client.until(() => client.connection.at === "closed");
  expect(client.outputs.at(-1)).toMatchObject({ type: "closed", reason: "alertFromPeer", alert: 40 });
});
