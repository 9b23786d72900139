/** Foreign programs as NB-IoT devices of a started process: libcoap's server, node-coap, and `openssl s_client`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import {
  Agent,
  createServer,
  type IncomingMessage,
  type ObserveWriteStream,
  type OutgoingMessage,
  request,
} from "coap";
import {
  CODES,
  type CoapMessage,
  decodeMessage,
  encodeMessage,
  OPTIONS,
  option,
  pathOptions,
  queryOptions,
} from "../../src/wire/coap";
import { freeUdpPort } from "../support/coap-socket";
import { eventually } from "../support/eventually";
import { withProgram } from "../support/foreign";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";
import { server, startCoapServer } from "../support/libcoap";
import { answer, level, type NbIot, readAlarm, setUpNbIot } from "../support/nb-iot";

const openssl = withProgram("openssl");
const bytesOf = (text: string) => new TextEncoder().encode(text);
const NOTHING = new Uint8Array(0);

const folder = temporaryFolder();
let islet: Islet;
let it: NbIot;
beforeAll(async () => {
  islet = await startIslet({ data: folder.path, settings: { "coap.ack_timeout_ms": "500" } });
  it = await setUpNbIot(islet);
});
afterAll(async () => {
  expect(islet.errors).not.toMatch(/"level":"error"/);
  expect(await islet.stop()).toBe(0);
  folder[Symbol.dispose]();
});

const operate = (deviceId: string, operation: object) =>
  it.manage<{ value?: unknown; code?: string }>("POST", `/devices/${deviceId}/resource-operations`, operation);
const commandsOf = async (deviceId: string) => (await it.commands(deviceId)).map(({ status }) => status);

/** Values of the device by path, as operators see them. */
async function values(deviceId: string): Promise<Record<string, unknown>> {
  type Row = { path: string; value?: unknown };
  type Rows = { items: { instances: { resources: Row[] }[] }[] };
  const { body } = await it.manage<Rows>("GET", `/devices/${deviceId}/resources?pageSize=100`);
  const rows = body.items.flatMap(({ instances }) => instances.flatMap(({ resources }) => resources));
  return Object.fromEntries(rows.map(({ path, value }) => [path, value]));
}

const registering = (nodeId: string, links: string): CoapMessage => ({
  ...{ type: "con", code: CODES.post, messageId: 1, token: Uint8Array.of(7, 7) },
  options: [...pathOptions("rd"), option("contentFormat", 40), ...queryOptions(`lwm2m=1.0&ep=${nodeId}&lt=300&b=U`)],
  payload: bytesOf(links),
});

describe("libcoap's coap-server", () => {
  /** It cannot register itself: a socket at its port does, and leaves the port to it. */
  async function registerFrom(port: number, nodeId: string, links: string): Promise<void> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(port, "127.0.0.1", resolve));
    const [host, to] = islet.ready.coap.split(":");
    const heard = new Promise<Buffer>((resolve) => socket.once("message", resolve));
    socket.send(encodeMessage(registering(nodeId, links)), Number(to), host);
    expect(decodeMessage(Uint8Array.from(await heard)).code).toBe(CODES.created);
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  server.test("is read, written and observed by the operator", async () => {
    const { deviceId } = await it.register(it.productId, "861234500000501");
    const port = await freeUdpPort();
    await registerFrom(port, "861234500000501", '</>;rt="oma.lwm2m",</3/0>,</5/0>');
    await using device = await startCoapServer(port);
    await device.put("/3/0/9", "87", 0);
    expect(await operate(deviceId, { op: "read", path: "/3/0/9" })).toMatchObject({ status: 200, body: { value: 87 } });
    expect(await operate(deviceId, { op: "observe", path: "/3/0/9" })).toMatchObject({ body: { value: 87 } });
    for (const value of [86, 85, 12]) {
      await device.put("/3/0/9", `${value}`, 0);
      await eventually(
        () => values(deviceId),
        (all) => all["/3/0/9"] === value,
      );
    }
    expect((await operate(deviceId, { op: "write", path: "/5/0/1", value: "coap://h/p" })).status).toBe(200);
    expect((await device.get("/5/0/1")).payload).toBe("coap://h/p");
    expect(await operate(deviceId, { op: "read", path: "/4/0/2" })).toMatchObject({ status: 502 });
    expect((await operate(deviceId, { op: "cancelObserve", path: "/3/0/9" })).status).toBe(200);
    await device.put("/3/0/9", "99", 0);
    await Bun.sleep(100); // nothing is to come
    expect((await values(deviceId))["/3/0/9"]).toBe(12);
  });

  server.test("reports through its object 19 and takes a command", async () => {
    const { deviceId } = await it.register(it.productId, "861234500000502");
    const port = await freeUdpPort();
    // The observation of the reports is repeated until the program is there and has the resource.
    await registerFrom(port, "861234500000502", '</>;rt="oma.lwm2m",</19/0>,</19/1>');
    await it.command(deviceId, 9);
    await using device = await startCoapServer(port);
    await device.put("/19/0/0", "%00", 42);
    const alarm = await eventually(
      () => device.get("/19/1/0"),
      ({ code }) => code === "2.05",
    );
    expect(alarm.output).toContain("<<03000109>>"); // SET_ALARM, mid 1, value 9
    expect(await commandsOf(deviceId)).toEqual(["DELIVERED"]);
    for (const value of [1, 2]) {
      await device.put("/19/0/0", `%00%00%0${value}`, 42);
      await eventually(
        () => it.history(deviceId),
        (rows) => rows[0]?.level === value,
      );
    }
    await device.put("/19/0/0", "%04%00%01%00%05", 42);
    await eventually(
      () => commandsOf(deviceId),
      ([status]) => status === "SUCCESSFUL",
    );
    expect(await it.history(deviceId)).toHaveLength(2);
  });
});

describe("node-coap", () => {
  /** Both its roles on one socket, as a device has it. */
  async function withDevice(
    nodeId: string,
    answerTo: (incoming: IncomingMessage, outgoing: OutgoingMessage) => void,
    run: (device: { registered: IncomingMessage; report(payload: Uint8Array): void }) => Promise<void>,
  ) {
    const socket: Socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const observed = Promise.withResolvers<ObserveWriteStream>();
    const listening = createServer({ piggybackReplyMs: 30 }, ((
      incoming: IncomingMessage,
      outgoing: OutgoingMessage,
    ) => {
      if (incoming.url !== "/19/0/0") return answerTo(incoming, outgoing);
      const stream = outgoing as unknown as ObserveWriteStream;
      stream.setOption("Content-Format", "application/octet-stream");
      stream.write(Buffer.of(0));
      observed.resolve(stream);
    }) as Parameters<typeof createServer>[1] & object);
    listening.listen(socket);
    const agent = new Agent({ type: "udp4", socket });
    try {
      const [hostname = "", port] = islet.ready.coap.split(":");
      const registered = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = request({
          ...{ hostname, port: Number(port), agent, method: "POST", pathname: "/rd" },
          ...{ query: `lwm2m=1.0&ep=${nodeId}&lt=300&b=U`, options: { "Content-Format": "application/link-format" } },
        });
        outgoing.on("response", resolve);
        outgoing.on("error", reject);
        outgoing.end(Buffer.from('</>;rt="oma.lwm2m",</3/0>,</19/0>,</19/1>'));
      });
      const stream = await observed.promise;
      await run({ registered, report: (payload) => void stream.write(Buffer.from(payload)) });
    } finally {
      agent.close();
      await new Promise<void>((resolve) => listening.close(() => resolve()));
      socket.close();
    }
  }

  test("registers, is observed, reports, and takes and answers a command", async () => {
    const { deviceId } = await it.register(it.productId, "861234500000511");
    const commands: Buffer[] = [];
    const respond = (incoming: IncomingMessage, outgoing: OutgoingMessage) => {
      const known = incoming.method === "PUT" && incoming.url === "/19/1/0";
      if (known) commands.push(incoming.payload);
      outgoing.code = known ? "2.04" : incoming.url === "/3/0/3" ? "2.05" : "4.04";
      outgoing.end(incoming.url === "/3/0/3" ? "V7" : undefined);
    };
    await withDevice("861234500000511", respond, async ({ registered, report }) => {
      expect(registered.code).toBe("2.01");
      for (const value of [300, 301, 302]) {
        report(level(value));
        await eventually(
          () => it.history(deviceId),
          (rows) => rows[0]?.level === value,
        );
      }
      expect(await it.history(deviceId)).toHaveLength(3);
      expect(await operate(deviceId, { op: "read", path: "/3/0/3" })).toMatchObject({ body: { value: "V7" } });
      await it.command(deviceId, 5);
      await eventually(
        () => commandsOf(deviceId),
        ([status]) => status === "DELIVERED",
      );
      const { mid, value } = readAlarm(commands[0] as Buffer);
      expect(value).toBe(5);
      report(answer(mid, 0, 1));
      await eventually(
        () => commandsOf(deviceId),
        ([status]) => status === "SUCCESSFUL",
      );
      expect(commands).toHaveLength(1);
    });
  });
});

describe("openssl s_client", () => {
  /** What its peer sends is its output and nothing else. */
  function connect(suite: string, identity: string, psk: string) {
    const child = Bun.spawn(
      [
        ...[openssl.path, "s_client", "-dtls1_2", "-quiet", "-connect", islet.ready.coaps],
        ...["-psk", psk, "-psk_identity", identity, "-cipher", `${suite}:@SECLEVEL=0`],
      ],
      { stdin: "pipe", stdout: "pipe", stderr: "ignore" },
    );
    let received = Buffer.alloc(0);
    let wake = () => {};
    void (async () => {
      for await (const chunk of child.stdout) {
        received = Buffer.concat([received, chunk]);
        wake();
      }
    })();
    return {
      send(message: CoapMessage): void {
        child.stdin.write(encodeMessage(message));
        child.stdin.flush();
      },
      /** The next message, of which the caller knows the length: several may have come at once. */
      async next(length: number): Promise<CoapMessage> {
        while (received.length < length) await new Promise<void>((resolve) => (wake = resolve));
        const bytes = Uint8Array.from(received.subarray(0, length));
        received = received.subarray(length);
        return decodeMessage(bytes);
      },
      async [Symbol.asyncDispose]() {
        child.kill();
        await child.exited;
      },
    };
  }

  openssl.test.each([
    ["PSK-AES128-CCM8", "861234500000521"],
    ["PSK-AES128-CBC-SHA256", "861234500000522"],
    ["PSK-AES128-GCM-SHA256", "861234500000523"],
  ])("registers, is observed and reports inside %s", async (suite, nodeId) => {
    const { deviceId, psk } = await it.register(it.productId, nodeId, { isSecure: true });
    await using device = connect(suite, nodeId, psk);
    device.send(registering(nodeId, '</>;rt="oma.lwm2m",</19/0>,</19/1>'));
    const created = await device.next(4 + 2 + 3 + 12); // header, token, /rd, /11 characters
    expect([created.type, created.code, created.token.toHex()]).toEqual(["ack", CODES.created, "0707"]);
    const observe = await device.next(4 + 8 + 1 + 3 + 2 + 2 + 2); // header, token, Observe, /19/0/0, Accept
    expect(observe.code).toBe(CODES.get);
    const { messageId, token } = observe;
    const options = [option("observe", 1), option("contentFormat", 42)];
    // The answer has a report in it. What follows must be a record of its own: not before this one has arrived.
    device.send({ type: "ack", code: CODES.content, messageId, token, options, payload: level(76) });
    await eventually(
      () => it.history(deviceId),
      (rows) => rows.length === 1,
    );
    const report = { type: "con", code: CODES.content, messageId: 2, token } as const;
    device.send({ ...report, options: [option("observe", 2), option("contentFormat", 42)], payload: level(77) });
    expect(await device.next(4)).toMatchObject({ type: "ack", code: CODES.empty, messageId: 2, payload: NOTHING });
    expect(await it.history(deviceId)).toEqual([{ level: 77 }, { level: 76 }]);
    const { body } = await it.manage("GET", `/devices/${deviceId}/registration`);
    expect(body).toMatchObject({ endpoint: nodeId, isSecure: true });
    const update = pathOptions(
      created.options
        .filter(({ number }) => number === OPTIONS.locationPath.number)
        .map(({ value }) => Buffer.from(value).toString())
        .join("/"),
    );
    device.send({ type: "con", code: CODES.delete, messageId: 3, token: NOTHING, options: update, payload: NOTHING });
    expect(await device.next(4)).toMatchObject({ type: "ack", code: CODES.deleted, messageId: 3 });
  });
});
