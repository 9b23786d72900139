import { expect, setDefaultTimeout, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock";
import { type Lwm2mDevice, startLwm2mDevice } from "../../src/simulator/lwm2m-device";
import { SECURE_SETTINGS } from "../../src/simulator/secure-channel";
import { udpNetwork } from "../../src/simulator/udp-network";
import {
  CODES,
  type CoapMessage,
  type CoapOption,
  DEFAULT_TRANSMISSION,
  decodeMessage,
  encodeBlock,
  encodeEmpty,
  encodeMessage,
  option,
  pathOptions,
  queryOptions,
} from "../../src/wire/coap";
import { randomMessage } from "../../src/wire/coap/testing/random-message";
import { CIPHER_SUITES } from "../../src/wire/dtls";
import { encodeNode } from "../../src/wire/lwm2m";
import { randomNode } from "../../src/wire/lwm2m/testing/random-node";
import { Random } from "../../src/wire/testing/random";
import { type DtlsDevice, dtlsDevice } from "../support/dtls-device";
import { startIslet, temporaryFolder } from "../support/islet";
import { level, plainDevice, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(120_000);

const SEED = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const SOCKETS = 50;
const PLAIN = 12_000;
const RECORDS = 6_000;
const HANDSHAKES = 150;
const INSIDE = 2_000; // of each session
const OPERATORS = 4;
const MAX_GROWTH_MB = 250;
const IN_FLIGHT = 40;

const NOTHING = new Uint8Array(0);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const FORMATS = [0, 40, 42, 60, 110, 112, 1_542, 1_543, 11_542, 11_543, 50, 65_535];
const LINKS = bytesOf('</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>,</4/0>,</5/0>,</10>;ver="1.1",</19/0>,</19/1>');

test(`random and mutated datagrams at both ports hurt nobody (SEED=${SEED})`, async () => {
  const random = new Random(SEED);
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "coap.ack_timeout_ms": "100" } });
  const it = await setUpNbIot(islet);
  const { coap, coaps } = islet.ready;

  /** Some bytes changed, taken out, put in, or the end of another message at its end. */
  function mutated(bytes: Uint8Array, other: () => Uint8Array): Uint8Array<ArrayBuffer> {
    let copy: Uint8Array = bytes.slice();
    for (let changes = 1 + random.below(4); changes > 0; changes--) {
      const at = random.below(copy.length + 1);
      switch (random.below(5)) {
        case 0:
        case 1:
          if (at < copy.length) copy[at] = random.oneOf([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
          break;
        case 2:
          copy = copy.subarray(0, at);
          break;
        case 3:
          copy = Buffer.concat([copy.subarray(0, at), random.bytes(1 + random.below(8)), copy.subarray(at)]);
          break;
        default:
          copy = Buffer.concat([copy.subarray(0, at), other().subarray(at)]);
      }
    }
    return Uint8Array.from(copy.subarray(0, 1_500));
  }

  /** A value as devices report it, in whatever format. */
  function someValue(): { format: number; payload: Uint8Array } {
    const { path, node } = randomNode(random);
    const format = random.oneOf([11_542, 11_543, 110, 112]);
    try {
      return { format, payload: encodeNode(format, path, node) };
    } catch {
      return { format: random.oneOf(FORMATS), payload: random.bytes(random.below(40)) };
    }
  }

  /** What a well-behaved device might say now; `tokens` are those that the platform gave out. */
  function proper(nodeId: string, location: string, tokens: readonly Uint8Array[]): Uint8Array {
    const message = (
      code: number,
      options: CoapOption[],
      payload: Uint8Array = NOTHING,
      token: Uint8Array = random.bytes(4),
    ) =>
      encodeMessage({
        type: random.oneOf(["con", "non"]),
        code,
        messageId: random.below(0x10000),
        token,
        options,
        payload,
      });
    const rd = queryOptions(
      `lwm2m=1.0&ep=${nodeId}&lt=${random.oneOf([0, 1, 86_400])}&b=${random.oneOf(["U", "UQ", "UQS"])}`,
    );
    const ct = option("contentFormat", 40);
    const known = tokens.length > 0 ? random.oneOf(tokens) : random.bytes(8);
    const { format, payload } = someValue();
    const block = encodeBlock({ num: random.below(3), more: random.flip(), size: 16 });
    switch (random.below(10)) {
      case 0:
        return message(CODES.post, [...pathOptions("rd"), ct, ...rd], LINKS);
      case 1:
        return message(CODES.post, [...pathOptions("rd"), ct, ...rd, option("block1", block)], LINKS.subarray(0, 16));
      case 2:
        return message(CODES.post, [...pathOptions("t/r"), ...queryOptions(`ep=${nodeId}`)]);
      case 3:
        return message(
          random.oneOf([CODES.post, CODES.put]),
          [...pathOptions(location), ...queryOptions("lt=60")],
          NOTHING,
        );
      case 4:
        return message(CODES.get, [...pathOptions(".well-known/core"), option("block2", block)]);
      case 5:
        return message(
          CODES.content,
          [option("observe", random.below(99)), option("contentFormat", 42)],
          level(9),
          known,
        );
      case 6:
        return message(
          CODES.content,
          [option("observe", random.below(99)), option("contentFormat", format)],
          payload,
          known,
        );
      case 7:
        return message(CODES.content, [option("observe", 5), option("block2", block)], random.bytes(16), known);
      case 8:
        return message(
          random.oneOf([CODES.notFound, CODES.content]),
          [option("contentFormat", format)],
          payload,
          known,
        );
      default:
        return encodeMessage(randomMessage(random));
    }
  }

  // Who goes on whatever happens: a plain and a secure device.
  const bystanders = await Promise.all([bystander(false), bystander(true)]);
  async function bystander(isSecure: boolean) {
    const nodeId = isSecure ? "bystander-secure" : "bystander-plain";
    const { deviceId, psk } = await it.register(it.productId, nodeId, { isSecure });
    const device: Lwm2mDevice = startLwm2mDevice({
      ...{ nodeId, clock: systemClock, random: () => random.below(2 ** 32) / 2 ** 32, psk: Uint8Array.fromHex(psk) },
      network: udpNetwork({ host: "127.0.0.1", port: Number((isSecure ? coaps : coap).split(":")[1]) }),
      settings: {
        ...{ style: "lwm2m", queueMode: false, awakeMs: 1_000, lifetimeSeconds: 86_400, confirmable: true },
        ...{ observeWaitMs: 10_000, rebootMs: 100, logBytes: 10, answers: [] },
        transmission: { ...DEFAULT_TRANSMISSION, ackTimeoutMs: 300, maxRetransmit: 6 },
        secure: isSecure ? { ...SECURE_SETTINGS, suites: CIPHER_SUITES } : undefined,
      },
      on: NOBODY_LISTENS,
    });
    await device.register();
    return { device, deviceId };
  }
  let isOver = false;
  const living = bystanders.map(async ({ device }) => {
    const outcomes: string[] = [];
    for (let value = 1; !isOver; value++) {
      outcomes.push(await device.report(level(value)));
      await Bun.sleep(20);
    }
    return outcomes;
  });

  // Whose name and tokens are abused: registered, observed by an operator, and asked things that it answers with rubbish.
  const victim = await it.register(it.productId, "victim");
  using device = await plainDevice(islet, {
    ep: "victim",
    answer(request) {
      const { format, payload } = someValue();
      const isObserve = request.options.some(({ number }) => number === 6);
      const rubbish = random.flip() ? mutated(payload, () => LINKS) : payload;
      const code = random.oneOf([CODES.content, CODES.content, CODES.changed, CODES.notAcceptable, 0x5f]);
      return { code, payload: rubbish, contentFormat: random.oneOf([format, 40]), ...(isObserve && { observe: 1 }) };
    },
  });
  await device.register();
  const tokens = [device.token];

  const faults: unknown[] = [];
  async function operate(): Promise<void> {
    const path = random.oneOf(["/3/0/9", "/3/0", "/3", "/5/0/3", "/4/0", "/19/0/0"]);
    const op = random.oneOf(["read", "discover", "observe", "observe", "cancelObserve"]);
    const { status, body } = await it.manage("POST", `/devices/${victim.deviceId}/resource-operations`, { op, path });
    if (status === 500) faults.push([op, path, body]);
    tokens.push(...device.requests.splice(0).map(({ message }) => message.token.slice()));
    tokens.splice(1, tokens.length - 20);
  }

  async function operateOnAndOn(): Promise<void> {
    while (!isOver) await operate();
  }

  const sockets = await Promise.all(Array.from({ length: SOCKETS }, openSocket));
  const pinger = await openSocket();
  /** Resolves when the platform has come to what was sent before. A ping that the kernel had no room for is lost. */
  async function caughtUp(): Promise<void> {
    const answered = new Promise<void>((resolve) => pinger.once("message", () => resolve()));
    pinger.send(encodeEmpty("con", random.below(0x10000)), Number(coap.split(":")[1]), "127.0.0.1");
    await Promise.race([answered, Bun.sleep(500)]);
    pinger.removeAllListeners("message");
  }
  async function flood(address: string, count: number, make: () => Uint8Array): Promise<void> {
    for (let sent = 0; sent < count; sent++) {
      random.oneOf(sockets).send(make(), Number(address.split(":")[1]), "127.0.0.1", () => {});
      if (sent % IN_FLIGHT === 0) await caughtUp();
    }
  }
  const sometimes = (make: () => Uint8Array, recorded: () => Uint8Array) =>
    random.oneOf([() => random.bytes(random.below(200)), make, ...Array(4).fill(() => mutated(make(), recorded))])();

  const flights: Uint8Array[] = [bytesOf("x")];
  /** A handshake of which some datagrams are spoiled, and all are kept for others to abuse. */
  async function handshake(secret: { identity: string; psk: string }): Promise<void> {
    const tamper = (datagram: Uint8Array) => {
      flights.push(datagram);
      if (flights.length > 300) flights.splice(0, 100);
      const spoiled = mutated(datagram, () => random.oneOf(flights));
      return random.oneOf([[datagram], [datagram, datagram], [spoiled], [spoiled, datagram]]);
    };
    using attacker = await dtlsDevice({ address: coaps, ...secret, suites: [random.oneOf(CIPHER_SUITES)], tamper });
    await Promise.race([attacker.until(() => attacker.connection.at === "open"), Bun.sleep(60)]);
    attacker.say(encodeEmpty("con", 1));
    await caughtUp();
  }

  /** Spoiled messages through sessions that nothing is wrong with. */
  async function insider(index: number): Promise<DtlsDevice> {
    const nodeId = `insider-${index}`;
    const { psk } = await it.register(it.productId, nodeId, { isSecure: true });
    const suites = [CIPHER_SUITES[index % CIPHER_SUITES.length] as (typeof CIPHER_SUITES)[number]];
    const session = await dtlsDevice({ address: coaps, identity: nodeId, psk, suites });
    await session.until(() => session.connection.at === "open");
    const given: Uint8Array[] = [];
    for (let sent = 0; sent < INSIDE; sent++) {
      session.say(
        sometimes(
          () => proper(nodeId, "rd/x", given),
          () => random.oneOf(flights),
        ),
      );
      if (sent % IN_FLIGHT === 0) await Promise.race([heardOf(session), Bun.sleep(500)]);
      for (const bytes of session.received.splice(0)) given.push(...tokensOf(bytes));
      given.splice(0, given.length - 10);
    }
    return session;
  }
  async function heardOf(session: DtlsDevice): Promise<void> {
    const id = random.below(0x10000);
    session.say(encodeEmpty("con", id));
    const answer = encodeEmpty("rst", id).toHex();
    await session.until(() => session.received.some((bytes) => bytes.toHex() === answer));
  }

  const wrong = { identity: "bystander-secure", psk: "00112233" };
  const right = await it.register(it.productId, "shaky", { isSecure: true });
  await flood(coap, 500, () => random.bytes(random.below(1_400))); // warm: what grows from here on is a leak
  const before = residentMb(islet.pid);
  const operating = Promise.all(Array.from({ length: OPERATORS }, operateOnAndOn));
  const [sessions] = await Promise.all([
    Promise.all([0, 1, 2].map(insider)),
    flood(coap, PLAIN, () =>
      sometimes(
        () => proper("victim", device.location, tokens),
        () => LINKS,
      ),
    ),
    (async () => {
      for (let n = 0; n < HANDSHAKES; n++)
        await handshake(random.oneOf([wrong, { identity: "shaky", psk: right.psk }, { identity: `n${n}`, psk: "00" }]));
      await flood(coaps, RECORDS, () =>
        sometimes(
          () => random.oneOf(flights),
          () => random.oneOf(flights),
        ),
      );
    })(),
  ]);
  await caughtUp();
  const after = residentMb(islet.pid);
  isOver = true;
  const outcomes = await Promise.all(living);
  await operating;

  expect(faults).toEqual([]);
  for (const [index, { deviceId }] of bystanders.entries()) {
    const count = outcomes[index]?.length ?? 0;
    expect(count).toBeGreaterThan(20);
    expect(outcomes[index]).toEqual(Array(count).fill("accepted"));
    const levels = (await it.history(deviceId)).map(({ level }) => Number(level));
    const all = Array.from({ length: count }, (_, at) => at + 1);
    expect(levels.toReversed()).toEqual(all.slice(-levels.length)); // the newest page of them
    expect(levels.length).toBeGreaterThan(Math.min(count, 500) - 1);
  }
  // The sessions outlived what came through them, and the operator's API the answers.
  await Promise.all(sessions.map(heardOf));
  expect((await fetch(`http://${islet.ready.http}/healthz`)).status).toBe(200);
  // It did get behind the doors.
  const metrics = await (await fetch(`http://${islet.ready.http}/metrics`)).text();
  const count = (pattern: RegExp) => [...metrics.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
  expect(count(/^islet_coap_malformed_total\{.*\} (\d+)$/gm)).toBeGreaterThan(1_000);
  expect(count(/^islet_lwm2m_notifications_total\{.*\} (\d+)$/gm)).toBeGreaterThan(500);
  expect(count(/^islet_lwm2m_registrations_total\{outcome="malformed"\} (\d+)$/gm)).toBeGreaterThan(50);
  expect(count(/^islet_dtls_drops_total\{.*\} (\d+)$/gm)).toBeGreaterThan(500);
  expect(count(/^islet_dtls_handshakes_total\{outcome="opened"\} (\d+)$/gm)).toBeGreaterThan(4);
  console.log(
    `SEED=${SEED} resident before ${before} MB, after ${after} MB; reports ${outcomes.map((all) => all.length)}`,
  );
  expect(after - before).toBeLessThan(MAX_GROWTH_MB);
  expect(islet.errors).not.toMatch(/"level":"error"/);

  for (const session of sessions) session[Symbol.dispose]();
  for (const socket of [...sockets, pinger]) socket.close();
  await Promise.all(bystanders.map(({ device }) => device.stop("quietly")));
  expect(await islet.stop()).toBe(0);
});

const NOBODY_LISTENS = {
  ...{ registered() {}, registrationFailed() {}, updated() {}, handshake() {}, command() {}, answered() {} },
  ...{ duplicate() {}, rebooted() {}, slept() {}, moved() {} },
};

async function openSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
}

/** Of requests among what came. */
function tokensOf(bytes: Uint8Array): Uint8Array[] {
  const message: CoapMessage = decodeMessage(bytes);
  return message.type === "con" && message.code === CODES.get ? [message.token.slice()] : [];
}

/** 0 where the system does not tell. */
function residentMb(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Math.round(Number(kilobytes) / 1_024);
  } catch {
    return 0;
  }
}
