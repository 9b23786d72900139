import { afterEach, beforeEach, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { systemClock } from "../../platform/clock";
import { httpCallbackClient } from "./http-callback-client";
import { DEFAULT_PUSH_SETTINGS } from "./push-settings";
import { application, openFixture, reportedValue, type Store, temporaryStore } from "./testing/push-fixture";

let store: Store;
const servers: Server[] = [];
const sockets = new Set<Socket>();
beforeEach(() => {
  store = temporaryStore();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  store[Symbol.dispose]();
});

async function receiver(talk: (socket: Socket, body: string) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
      for (;;) {
        const head = text.indexOf("\r\n\r\n");
        const end = head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (head === -1 || text.length < end) return;
        const body = text.slice(head + 4, end);
        text = text.slice(end);
        talk(socket, body);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

// Real sockets, real time, the real writer thread: six receivers that misbehave, and one that must not notice.
test("receivers that hang, reset, babble or flood delay nobody else", async () => {
  const devices = 20;
  const perDevice = 50;
  const arrived = new Map<string, number[]>();
  const complete = Promise.withResolvers<void>();
  let healthy = 0;
  let served = 0;
  const big = Buffer.alloc(10 * 2 ** 20);
  const misbehaving = [
    await receiver(() => {}),
    await receiver((socket) => void socket.resetAndDestroy()),
    await receiver((socket) => void socket.write("HELLO\r\n\r\n")),
    await receiver((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
      socket.write(big);
    }),
    await receiver((socket) => void socket.write("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")),
    await receiver((socket) => void socket.write("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
    await receiver((socket) => {
      socket.write(OK);
      if (++served % 5 === 0) socket.destroy(); // closes kept connections at random
    }),
  ];
  const good = await receiver((socket, body) => {
    socket.write(OK);
    const { device } = JSON.parse(body) as { device: string };
    arrived.set(device, [...(arrived.get(device) ?? []), reportedValue(body) ?? -1]);
    if (++healthy === devices * perDevice) complete.resolve();
  });

  const client = httpCallbackClient({
    clock: systemClock,
    settings: DEFAULT_PUSH_SETTINGS,
    findTrust: () => undefined,
  });
  const fixture = await openFixture({
    store,
    client,
    clock: systemClock,
    threaded: true,
    settings: { stopGraceMs: 10, maxInFlight: 32 },
  });
  for (const [index, url] of [...misbehaving, good].entries()) {
    fixture.grants.add(`1-${10 + index}`);
    fixture.applications.set(10 + index, application(10 + index));
    await fixture.subscriptions.subscribe({
      appNo: 1,
      appId: "app-1" as never,
      ownerAppNo: 10 + index,
      notifyType: "deviceDataChanged",
      callbackUrl: url,
    });
  }

  for (let value = 0; value < perDevice; value++)
    await Promise.all(Array.from({ length: devices }, (_, device) => fixture.report(device, value)));
  await complete.promise;

  for (const values of arrived.values()) expect(values).toEqual(Array.from({ length: perDevice }, (_, value) => value));
  const states = fixture.log.targets().map(({ callbackUrl, failedAttempts }) => [callbackUrl, failedAttempts > 0]);
  expect(states.filter(([url]) => url === good)).toEqual([[good, false]]);
  await fixture.stop();
}, 20_000);
