/**
 * Datagrams of nobody in particular, from ever new addresses and ports of loopback: requests for nothing, registrations of
 * unknown endpoints, reports that nobody observes, hellos of DTLS, every other of which goes on to its cookie and then falls
 * silent. Ends by itself with the numbers as one JSON value.
 */
import { readFileSync } from "node:fs";
import { CODES, encodeMessage, option, pathOptions, queryOptions } from "../../src/wire/coap";
import { ClientConnection, type ClientOutput, PSK_AES_128_CCM_8 } from "../../src/wire/dtls";

export type Flood = {
  readonly coap: { readonly host: string; readonly port: number };
  readonly coaps: { readonly host: string; readonly port: number };
  readonly seconds: number;
  /** Datagrams per second, all kinds together. */
  readonly rate: number;
};
export type FloodResult = { readonly sent: number; readonly sources: number; readonly seconds: number };

const TICK_MS = 10;
const SOCKETS = 400;
/** Replaced by others each tick. */
const FRESH = 20;
const MOST_PER_TICK = 1_000;
const NOTHING = new Uint8Array(0);
const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const { coap, coaps, seconds, rate } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Flood;

type Source = { readonly raw: { close(): void }; plain(bytes: Uint8Array): void; hello(answersCookie: boolean): void };
const sources: Source[] = [];
let opened = 0;
let sent = 0;
let turn = 0;

async function open(): Promise<Source> {
  const at = opened++;
  let connection: ClientConnection | undefined;
  const raw = await Bun.udpSocket({
    hostname: `127.${100 + ((at >> 16) & 63)}.${(at >> 8) & 255}.${at & 255}`,
    port: 0,
    socket: {
      data(_socket, bytes) {
        if (!connection) return;
        const outputs = connection.receive(bytes);
        connection = undefined; // what comes after the cookie is not answered
        run(outputs);
      },
      error() {},
    },
  });
  const send = (bytes: Uint8Array, to: Flood["coap"]) => {
    sent++;
    try {
      raw.send(bytes, to.port, to.host);
    } catch {
      // an ICMP error of before
    }
  };
  function run(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) if (output.type === "datagram") send(output.bytes, coaps);
  }
  return {
    raw,
    plain: (bytes) => send(bytes, coap),
    hello(answersCookie) {
      const client = new ClientConnection({
        ...{ random: random(32), identity: random(12), psk: random(16), suites: [PSK_AES_128_CCM_8] },
        ...{ extensions: true, extendedMasterSecret: true, encryptThenMac: true },
        ...{ connectionId: undefined, resume: undefined },
      });
      if (answersCookie) connection = client;
      run(client.start());
    },
  };
}

const message = () => {
  const messageId = Math.floor(Math.random() * 0x1_0000);
  return { type: "con", messageId, token: random(8), options: [], payload: NOTHING } as const;
};
const ATTACKS: readonly ((source: Source) => void)[] = [
  (source) => source.plain(encodeMessage({ ...message(), code: CODES.get, options: pathOptions("no/such/thing") })),
  (source) =>
    source.plain(
      encodeMessage({ ...message(), code: CODES.content, options: [option("observe", 7)], payload: random(20) }),
    ),
  (source) => {
    const options = [...pathOptions("rd"), ...queryOptions(`ep=${random(8).toHex()}&lt=86400&b=U`)];
    const payload = Buffer.from("</1/0>,</3/0>");
    source.plain(encodeMessage({ ...message(), code: CODES.post, options, payload }));
  },
  (source) => source.hello(false),
  (source) => source.hello(true),
];

while (sources.length < SOCKETS) sources.push(await open());
const start = performance.now();
for (let now = start; now - start < seconds * 1_000; now = performance.now()) {
  for (const { raw } of sources.splice(0, FRESH)) raw.close();
  for (let count = 0; count < FRESH; count++) sources.push(await open());
  // On a machine that cannot do it: less, so that addresses still change.
  const most = Math.min(((performance.now() - start) / 1_000) * rate, sent + MOST_PER_TICK);
  for (; sent < most; turn++) ATTACKS[turn % ATTACKS.length]?.(sources[Math.floor(Math.random() * SOCKETS)] as Source);
  await Bun.sleep(TICK_MS);
}
const result: FloodResult = { sent, sources: opened, seconds: (performance.now() - start) / 1_000 };
process.stdout.write(`${JSON.stringify(result)}\n`);
