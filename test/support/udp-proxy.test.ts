import { expect, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { eventually } from "./eventually";
import { type Conditions, GOOD_CONDITIONS, startUdpProxy } from "./udp-proxy";

const open = async (): Promise<Socket> => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
};

/** A server that answers what it hears, behind a proxy, and a client that sends 1 to `count`. */
async function talk(conditions: Partial<Conditions>, count: number) {
  const [server, client] = [await open(), await open()];
  const heard: { text: string; port: number }[] = [];
  const answers: string[] = [];
  server.on("message", (bytes, { port, address }) => {
    heard.push({ text: `${bytes}`, port });
    server.send(bytes, port, address);
  });
  client.on("message", (bytes) => void answers.push(`${bytes}`));
  const given = { ...GOOD_CONDITIONS, ...conditions };
  const proxy = await startUdpProxy(`127.0.0.1:${server.address().port}`, seededRandom(1), given);
  const send = (from: number, to: number) => {
    for (let n = from; n <= to; n++) client.send(`${n}`, proxy.port, "127.0.0.1");
  };
  send(1, count);
  return {
    ...{ heard, answers, proxy, send },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const socket of [server, client]) socket.close();
    },
  };
}
const atLeast = (list: readonly unknown[], count: number) =>
  eventually(
    () => list.length,
    (length) => length >= count,
  );

test("a good network loses nothing, both ways, and gives a new address only when it is to", async () => {
  await using it = await talk({}, 20);
  await atLeast(it.answers, 20);
  expect(it.answers).toEqual(it.heard.map(({ text }) => text));
  expect(new Set(it.heard.map(({ port }) => port)).size).toBe(1);
  it.proxy.rebind();
  it.send(21, 21);
  await atLeast(it.answers, 21);
  expect(new Set(it.heard.map(({ port }) => port)).size).toBe(2);
});

test("a bad one loses, doubles and reorders both ways", async () => {
  await using it = await talk({ loss: 0.2, duplicate: 0.2, reorder: 0.3, delayMs: 5 }, 200);
  const { counts } = it.proxy;
  await eventually(
    () => counts.passed + counts.lost,
    (seen) => seen >= 200 + it.heard.length && it.answers.length > 100,
  );
  expect(counts.lost).toBeGreaterThan(30);
  expect(counts.doubled).toBeGreaterThan(20);
  expect(counts.heldBack).toBeGreaterThan(20);
  const numbers = it.answers.map(Number);
  expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
});
