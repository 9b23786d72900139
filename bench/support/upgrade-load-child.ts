/**
 * Many sockets that ask, one request in flight each and so many in all: a small resource, blocks of a package, or shards.
 * With more in flight the socket of a server that is at its limit never runs dry, and its protection against floods drops
 * what comes (`coap.max_turn_ms`): then the waits for repetitions are measured, and nothing else.
 */
import { readFileSync } from "node:fs";
import {
  CODES,
  type CoapOption,
  decodeMessage,
  encodeBlock,
  encodeMessage,
  option,
  pathOptions,
  queryOptions,
} from "../../src/wire/coap";
import { encodeDeviceMessage, shardTotalOf } from "../../src/wire/pcp";

export type UpgradeLoad = {
  readonly port: number;
  readonly mode: "gets" | "blocks" | "shards";
  readonly devices: readonly { readonly nodeId: string; readonly token: string }[];
  readonly packageBytes: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
};
export type UpgradeLoadResult = {
  readonly perSecond: number;
  readonly inAll: number;
  readonly repeated: number;
  readonly refused: number;
};

const BLOCK = 512; // as the LiteOS client asks
const REPEAT_MS = 2_000;
const NOTHING = new Uint8Array(0);
const LINKS = new TextEncoder().encode("</1/0>,</3/0>,</19/0>,</19/1>");
const load = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as UpgradeLoad;
const { port, mode, packageBytes, warmUpSeconds, seconds } = load;
const pieces = mode === "shards" ? shardTotalOf(packageBytes, 500) : Math.ceil(packageBytes / BLOCK);
let done = 0;
let repeated = 0;
let refused = 0;
const MAX_IN_FLIGHT = 32;
let inFlight = 0;
const ready: (() => void)[] = [];

/** Its turn comes when another's request has been answered: all of them move on, one after the other. */
function takeTurn(run: () => void): void {
  ready.push(run);
  while (inFlight < MAX_IN_FLIGHT) {
    const first = ready.shift();
    if (!first) return;
    inFlight++;
    first();
  }
}

async function client({ nodeId, token }: UpgradeLoad["devices"][number], index: number) {
  const path = mode === "gets" ? "/.well-known/core" : `/ota/${token}`;
  let messageId = (index * 7_919) & 0xffff;
  let piece = index % pieces; // not all at the same place
  let waiting: { id: number; bytes: Uint8Array; sentAt: number } | undefined;
  let notifyToken: Uint8Array | undefined;
  let sequence = 1;
  let isAcknowledged = false;
  let hasShard = false;

  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: { data: (_own, datagram) => receive(new Uint8Array(datagram)), error() {} },
  });
  const send = (bytes: Uint8Array) => void socket.send(bytes);

  function say(
    code: number,
    options: CoapOption[],
    payload: Uint8Array,
    with_: Uint8Array = Uint8Array.of(index >> 8, index),
  ) {
    messageId = (messageId + 1) & 0xffff;
    const bytes = encodeMessage({ type: "con", code, messageId, token: with_, options, payload });
    waiting = { id: messageId, bytes, sentAt: performance.now() };
    send(bytes);
  }

  function next(): void {
    piece = (piece + 1) % pieces;
    if (mode === "shards") {
      isAcknowledged = false;
      hasShard = false;
      const frame = encodeDeviceMessage({ type: "shardRequest", targetVersion: "V2.0", shardIndex: piece });
      sequence = (sequence + 1) & 0xff_ffff;
      say(CODES.content, [option("observe", sequence), option("contentFormat", 42)], frame, notifyToken);
    } else {
      const options = [...pathOptions(path)];
      if (mode === "blocks") options.push(option("block2", encodeBlock({ num: piece, more: false, size: BLOCK })));
      say(CODES.get, options, NOTHING);
    }
  }

  function receive(datagram: Uint8Array): void {
    if (mode !== "shards") {
      // The hot path of the two that are compared reads four bytes.
      if (waiting === undefined || ((datagram[2] as number) << 8) + (datagram[3] as number) !== waiting.id) return;
      if (datagram[1] === CODES.content) done++;
      else refused++;
      waiting = undefined;
      inFlight--;
      takeTurn(next);
      return;
    }
    const type = ((datagram[0] as number) >> 4) & 3;
    const id = ((datagram[2] as number) << 8) + (datagram[3] as number);
    if (type === 2) {
      if (waiting?.id !== id) return;
      isAcknowledged = true;
      waiting = undefined;
    } else if (datagram[1] === CODES.get) {
      const { token: asked, messageId: of } = decodeMessage(datagram);
      notifyToken ??= asked.slice();
      const observe = [option("observe", 0)];
      send(
        encodeMessage({
          type: "ack",
          code: CODES.content,
          messageId: of,
          token: asked,
          options: observe,
          payload: Uint8Array.of(0),
        }),
      );
      next();
      return;
    } else if (type === 0) {
      const tokenLength = (datagram[0] as number) & 15;
      const ack = datagram.slice(0, 4 + tokenLength);
      ack[0] = 0x60 | tokenLength;
      ack[1] = CODES.changed;
      send(ack);
      if (!hasShard) done++;
      hasShard = true;
    }
    if (isAcknowledged && hasShard) next();
  }

  return {
    begin() {
      if (mode !== "shards") return takeTurn(next);
      const options = [
        ...pathOptions("/rd"),
        option("contentFormat", 40),
        ...queryOptions(`lwm2m=1.0&ep=${nodeId}&b=U&lt=3600`),
      ];
      say(CODES.post, options, LINKS);
    },
    repeat(now: number) {
      if (!waiting || now - waiting.sentAt < REPEAT_MS) return;
      waiting.sentAt = now;
      repeated++;
      send(waiting.bytes);
    },
  };
}

const clients = await Promise.all(load.devices.map(client));
for (const [index, it] of clients.entries()) {
  it.begin();
  if (index % 20 === 19) await Bun.sleep(mode === "shards" ? 20 : 1);
}
setInterval(() => clients.forEach((it) => void it.repeat(performance.now())), 500);
await Bun.sleep(warmUpSeconds * 1_000);
const [before, since] = [done, performance.now()];
await Bun.sleep(seconds * 1_000);
const perSecond = ((done - before) / (performance.now() - since)) * 1_000;
console.log(JSON.stringify({ perSecond, inAll: done, repeated, refused } satisfies UpgradeLoadResult));
process.exit(0);
