import { describe, expect, test } from "bun:test";
import { ALERTS, CONTENT_TYPE, DTLS_1_2, decodeRecord, encodeRecord } from "../../wire/dtls";
import type { TestClientOptions } from "../../wire/dtls/testing/test-client";
import { fuzzSeed, Random } from "../../wire/testing/random";
import { CONNECTION_ID_LENGTH } from "./routes";
import type { DtlsSettings } from "./settings";
import { CBC, CCM_8, type Device, DtlsLab, GCM } from "./testing/dtls-lab";

async function start(settings: Partial<DtlsSettings> = {}, seed = 1): Promise<DtlsLab> {
  const lab = new DtlsLab({ settings, seed });
  await lab.start();
  return lab;
}
const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const rows = (lab: DtlsLab) =>
  lab.registry.query<{ n: number }, []>("SELECT COUNT(*) AS n FROM dtls_session").get()?.n ?? 0;
const resumable = (lab: DtlsLab, device: Device, changes: Partial<TestClientOptions> = {}) =>
  lab.client({ ...changes, resume: device.client.session }, device.address, device.port);

const KINDS: [name: string, changes: Partial<TestClientOptions>][] = [
  ["CCM_8", { suites: [CCM_8] }],
  ["GCM", { suites: [GCM] }],
  ["CBC, encrypt-then-MAC", { suites: [CBC] }],
  ["CBC as old mbedTLS has it", { suites: [CBC, 0x00ff], extensions: false, extendedMasterSecret: false }],
  ["CCM_8 with connection ids", { connectionId: Uint8Array.of(7) }],
  ["CBC with connection ids", { suites: [CBC], connectionId: new Uint8Array(0) }],
];
describe.each(KINDS)("%s", (_name, changes) => {
  test("a handshake, data both ways, close_notify", async () => {
    const lab = await start();
    const device = await lab.client(changes).connect();
    expect([device.client.opened, rows(lab), lab.opened.map(({ resumed }) => resumed)]).toEqual([true, 1, [false]]);
    await device.say("21.5");
    expect(lab.texts).toEqual(["21.5"]);
    const [{ peer } = { peer: undefined }] = lab.received;
    expect([peer?.deviceNo, peer?.address, peer?.port]).toEqual([1, "203.0.113.5", 40_000]);
    expect(lab.endpoint.peerOf(1)).toBe(peer);
    peer?.send(bytes("ok"));
    await device.exchange([]);
    expect(device.client.received).toEqual(["ok"]);
    await device.exchange([device.client.sealAlert({ fatal: false, description: ALERTS.closeNotify })]);
    expect([device.client.alerts, lab.ended.map(({ reason }) => reason)]).toEqual([
      [ALERTS.closeNotify],
      ["closed_by_device"],
    ]);
    expect(lab.endpoint.peerOf(1)).toBeUndefined();
    expect(lab.traces.map(({ deviceNo, reason }) => [deviceNo, reason])).toEqual([[1, "dtls_opened"]]);
  });

  test("is resumed after close_notify, by its session id", async () => {
    const lab = await start();
    const device = await lab.client(changes).connect();
    await device.exchange([device.client.sealAlert({ fatal: false, description: ALERTS.closeNotify })]);
    const again = await resumable(lab, device, changes).connect();
    await again.say("again");
    expect([again.client.resumed, lab.texts, rows(lab)]).toEqual([true, ["again"], 1]);
    expect(lab.opened.map(({ resumed }) => resumed)).toEqual([false, true]);
  });

  test("survives a restart, clean or not, and asleep or not", async () => {
    const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
    const device = await lab.client(changes).connect();
    for (const how of ["cleanly", "killed", "killed", "cleanly"] as const) {
      await lab.restart(how);
      await device.say(how);
      lab.endpoint.peerOf(1)?.send(bytes(how));
      await device.exchange([]);
      expect(lab.texts).toEqual([how]);
      await lab.clock.advance(15_000);
      expect(lab.count("islet_dtls_sessions_in_memory")).toBe(0);
      await device.say("awake");
      expect(lab.texts).toEqual([how, "awake"]);
    }
    expect(device.client.received).toEqual(["cleanly", "killed", "killed", "cleanly"]);
    expect(lab.count("islet_dtls_handshakes_total", "opened")).toBe(0);
  });

  test(`over a network that drops, doubles and reorders (seed ${fuzzSeed})`, async () => {
    const random = new Random(fuzzSeed);
    for (let round = 0; round < 10; round++) {
      const lab = await start({}, random.below(2 ** 31));
      const device = lab.client(changes);
      let flying = device.client.start().map((datagram) => ({ up: true, datagram }));
      for (let turn = 0; turn < 3_000 && !(device.client.opened && lab.opened.length > 0); turn++) {
        if (flying.length === 0) {
          await lab.clock.advance(2_000);
          flying = device.client.repeat().map((datagram) => ({ up: true, datagram }));
        }
        const [packet] = flying.splice(random.below(flying.length), 1);
        if (packet && random.below(5) > 0) {
          if (random.below(5) === 0) flying.push({ ...packet, datagram: packet.datagram.slice() });
          if (packet.up) device.send([packet.datagram]);
          else
            flying.push(...device.client.receive(packet.datagram.slice()).map((datagram) => ({ up: true, datagram })));
        }
        await lab.settle();
        flying.push(...lab.take(device.address, device.port).map((datagram) => ({ up: false, datagram })));
      }
      await device.say("there");
      expect([device.client.opened, lab.texts]).toEqual([true, ["there"]]);
    }
  });
});

describe("a hello", () => {
  test("costs nothing before its cookie is right, and is answered by less than it was", async () => {
    const lab = await start();
    const [hello = bytes("")] = lab.client().client.start();
    const before = lab.sql;
    for (let port = 1; port <= 500; port++) lab.receive(hello.slice(), "198.51.100.9", port);
    expect([lab.sql - before, lab.count("islet_dtls_half_open"), lab.count("islet_dtls_cookies_sent_total")]).toEqual([
      0, 0, 500,
    ]);
    expect(lab.sent.every((each) => each.bytes.length <= hello.length)).toBe(true);
  });

  test("with a cookie of another address or of long ago gets a new cookie", async () => {
    const lab = await start();
    const device = lab.client();
    device.send(device.client.start());
    const hello = lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram));
    device.port++;
    device.send(hello);
    expect(lab.count("islet_dtls_half_open")).toBe(0);
    device.port--;
    await lab.clock.advance(lab.settings.cookieLifetimeMs * 3);
    device.send(hello);
    expect(lab.count("islet_dtls_half_open")).toBe(0);
    const [again = bytes("")] = lab.take(device.address, device.port);
    device.send(device.client.receive(again));
    expect(lab.count("islet_dtls_half_open")).toBe(1);
  });

  test("in fragments, of a record version FE 00", async () => {
    const lab = await start();
    const device = lab.client({ suites: [...Array(40).fill(0xccac), CCM_8], maxPartBytes: 101 });
    const versioned = (datagrams: Uint8Array[]) =>
      datagrams.map((each) => {
        if (each[0] === CONTENT_TYPE.handshake && each[4] === 0) each[2] = 0;
        return each;
      });
    device.send(versioned(device.client.start()));
    const second = lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram));
    expect(second.length).toBeGreaterThan(1);
    await device.exchange(versioned(second));
    expect(device.client.opened).toBe(true);
  });

  test("once more of a session that has just opened begins nothing", async () => {
    const lab = await start();
    const device = lab.client();
    device.send(device.client.start());
    const hello = lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram));
    await device.exchange(hello);
    device.send(hello);
    expect([lab.count("islet_dtls_half_open"), lab.count("islet_dtls_drops_total", "late")]).toEqual([0, 1]);
  });

  test("with an identity of 128 bytes opens, with a longer one it is nobody's", async () => {
    const lab = await start();
    for (const length of [128, 129]) {
      const identity = "x".repeat(length);
      lab.devices.set(identity, { deviceNo: length, pskHex: "00112233445566778899aabbccddeeff" });
      const psk = new Uint8Array(Buffer.from("00112233445566778899aabbccddeeff", "hex"));
      const device = await lab.client({ psk, identity: bytes(identity) }, "203.0.113.5", length).connect();
      expect(device.client.opened).toBe(length === 128);
    }
    expect(lab.traces.at(-1)?.reason).toBe("identity_malformed");
  });
});

describe("the same 5-tuple", () => {
  test("a device that lost its session opens a new one, and the old one is good until then", async () => {
    const lab = await start();
    const old = await lab.client().connect();
    const young = lab.client();
    young.send(young.client.start());
    const hello = lab.take(young.address, young.port).flatMap((datagram) => young.client.receive(datagram));
    young.send(hello);
    expect(lab.count("islet_dtls_half_open")).toBe(1);
    await old.say("still the old one"); // takes the flight for the young one too, which is repeated
    expect(lab.texts).toEqual(["still the old one"]);
    const oldPeer = lab.endpoint.peerOf(1);
    await lab.clock.advance(1_000);
    await young.exchange([]);
    expect(young.client.opened).toBe(true);
    expect([lab.ended, rows(lab)]).toEqual([[{ peer: oldPeer as never, reason: "replaced" }], 1]);
    await old.say("too late");
    await young.say("the new one");
    expect(lab.texts).toEqual(["still the old one", "the new one"]);
  });

  test("another device at an address takes it over; the one before may resume", async () => {
    const lab = await start();
    const first = await lab.client().connect();
    const second = await lab.client({ identity: bytes("863703030000002") }).connect();
    await second.say("mine now");
    expect([lab.endpoint.peerOf(1), lab.endpoint.peerOf(2)?.deviceNo, rows(lab)]).toEqual([undefined, 2, 2]);
    const moved = resumable(lab, first);
    moved.port = 40_001;
    await moved.connect();
    await moved.say("back");
    expect([moved.client.resumed, lab.texts]).toEqual([true, ["mine now", "back"]]);
  });
});

describe("a wrong key and an unknown identity", () => {
  const WRONG = { psk: new Uint8Array(16).fill(9) };
  const UNKNOWN = { ...WRONG, identity: bytes("863703039999999") };

  test.each([
    ["CCM_8", CCM_8],
    ["GCM", GCM],
    ["CBC", CBC],
  ])("%s: what they hear is the same to the byte, and the trace says why", async (_name, suite) => {
    const heard: string[][] = [];
    const reasons: unknown[] = [];
    for (const who of [WRONG, UNKNOWN, "shut out" as const]) {
      const lab = new DtlsLab({ seed: 5 });
      if (who === "shut out")
        lab.devices.set("863703030000001", { deviceNo: 1, pskHex: "00", refusal: "device_not_secure" });
      await lab.start();
      const device = lab.client({ ...(who === "shut out" ? WRONG : who), suites: [suite], random: new Uint8Array(32) });
      const answers: string[] = [];
      for (let up = device.client.start(), turn = 0; turn < 20; turn++) {
        device.send(up);
        await lab.clock.advance(1_000);
        const down = lab.take(device.address, device.port);
        answers.push(...down.map((each) => each.toHex()));
        up = down.flatMap((each) => device.client.receive(each.slice()));
      }
      await lab.clock.advance(120_000);
      heard.push([...answers, ...lab.sent.map((each) => each.bytes.toHex())]);
      expect([device.client.opened, lab.count("islet_dtls_half_open"), rows(lab)]).toEqual([false, 0, 0]);
      reasons.push(lab.traces.map(({ deviceNo, claimedId, reason }) => [deviceNo ?? claimedId, reason]));
    }
    expect(heard[1]).toEqual(heard[0] as string[]);
    expect(heard[2]).toEqual(heard[0] as string[]);
    expect(heard[0]?.length).toBeGreaterThan(2);
    expect(reasons).toEqual([[[1, "key_wrong"]], [["863703039999999", "device_unknown"]], [[1, "device_not_secure"]]]);
  });

  test("guesses for one device from one address stop being tried, and the device elsewhere is welcome", async () => {
    const lab = await start({ loginFailuresAllowed: 3, loginDelayMs: 60_000 });
    for (let guess = 0; guess < 5; guess++)
      await lab.client({ ...WRONG, suites: [CBC] }, "198.51.100.1", 1_000 + guess).connect();
    const right = await lab.client({}, "198.51.100.1", 2_000).connect();
    expect([right.client.opened, lab.traces.at(-1)?.reason]).toEqual([false, "too_many_attempts"]);
    expect((await lab.client({}, "198.51.100.2", 2_000).connect()).client.opened).toBe(true);
    await lab.clock.advance(200_000);
    expect((await lab.client({}, "198.51.100.1", 2_001).connect()).client.opened).toBe(true);
  });

  test("no suite of ours is answered by an alert", async () => {
    const lab = await start();
    const device = await lab.client({ suites: [0xccac] }).connect();
    expect(device.client.alerts).toEqual([ALERTS.handshakeFailure]);
    expect(lab.count("islet_dtls_handshakes_total", "no_common_suite")).toBe(1);
  });
});

describe("connection id", () => {
  const WITH_ID = { connectionId: Uint8Array.of(7, 7) };

  test("a device goes on from another address, and hears us there", async () => {
    const lab = await start();
    const device = await lab.client(WITH_ID).connect();
    expect(device.client.peerConnectionId).toHaveLength(CONNECTION_ID_LENGTH);
    const peer = lab.endpoint.peerOf(1);
    Object.assign(device, { address: "198.51.100.77", port: 1_234 });
    await device.say("moved");
    expect([lab.received.at(-1)?.peer, peer?.address, peer?.port]).toEqual([peer, "198.51.100.77", 1_234]);
    peer?.send(bytes("there you are"));
    await device.exchange([]);
    expect(device.client.received).toEqual(["there you are"]);
    await lab.restart("killed");
    expect(lab.endpoint.peerOf(1)?.port).toBe(1_234);
  });

  test("neither a repeated nor a forged nor an overtaken record moves it", async () => {
    const lab = await start();
    const device = await lab.client(WITH_ID).connect();
    const early = device.client.seal(bytes("overtaken"));
    const kept = await device.say("newest");
    const forged = device.client.seal(bytes("x"));
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    for (const record of [kept, early, forged]) lab.receive(record.slice(), "192.0.2.66", 666);
    await lab.settle();
    expect([lab.texts, lab.endpoint.peerOf(1)?.address]).toEqual([["newest", "overtaken"], "203.0.113.5"]);
  });

  test("without one, another address is a stranger", async () => {
    const lab = await start();
    const device = await lab.client().connect();
    device.port++;
    await device.say("moved");
    expect([lab.texts, lab.count("islet_dtls_drops_total", "unknown_address")]).toEqual([[], 1]);
  });

  test("one that was never given out is nobody's", async () => {
    const lab = await start();
    const device = await lab.client(WITH_ID).connect();
    device.client.peerConnectionId = new Uint8Array(CONNECTION_ID_LENGTH);
    await device.say("x");
    expect([lab.texts, lab.count("islet_dtls_drops_total", "unknown_connection_id")]).toEqual([[], 1]);
  });
});

describe("retransmission", () => {
  test("a flight is repeated after 1, 2, 4 s …, and given up after so many", async () => {
    const lab = await start({ maxFlightAttempts: 4 });
    const device = lab.client();
    device.send(device.client.start());
    device.send(lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram)));
    const at: number[] = [];
    const since = lab.clock.monotonic();
    for (let tick = 0; tick < 200; tick++) {
      if (lab.take(device.address, device.port).length > 0) at.push(lab.clock.monotonic() - since);
      await lab.clock.advance(100);
    }
    expect(at).toEqual([0, 1_000, 3_000, 7_000]);
    expect([lab.count("islet_dtls_half_open"), lab.count("islet_dtls_handshakes_total", "no_reply")]).toEqual([0, 1]);
  });

  test("a client that missed our last flight gets it again", async () => {
    const lab = await start();
    const device = lab.client();
    device.send(device.client.start());
    for (let step = 0; step < 2; step++) {
      device.send(lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram)));
    }
    await lab.settle();
    expect(lab.take(device.address, device.port)).toHaveLength(1); // lost
    await device.exchange(device.client.repeat());
    expect(device.client.opened).toBe(true);
  });
});

describe("limits", () => {
  async function halfOpen(lab: DtlsLab, address: string, port: number): Promise<Device> {
    const device = lab.client({}, address, port);
    device.send(device.client.start());
    device.send(lab.take(address, port).flatMap((datagram) => device.client.receive(datagram)));
    return device;
  }

  test("of handshakes under way: the one that waits longest gives way", async () => {
    const lab = await start({ maxHandshakes: 10 });
    const first = await halfOpen(lab, "203.0.113.1", 1);
    for (let port = 2; port <= 30; port++) await halfOpen(lab, "203.0.113.1", port);
    const last = await halfOpen(lab, "203.0.113.1", 31);
    expect([lab.count("islet_dtls_half_open"), lab.count("islet_dtls_handshakes_total", "given_up")]).toEqual([10, 21]);
    await first.exchange([]);
    await last.exchange([]);
    expect([first.client.opened, last.client.opened]).toEqual([false, true]);
  });

  test("of handshakes an address may begin", async () => {
    const lab = await start({ handshakesPerSecondPerAddress: 1, handshakeBurstPerAddress: 3 });
    for (let port = 1; port <= 5; port++) await halfOpen(lab, "203.0.113.1", port);
    await halfOpen(lab, "203.0.113.2", 1);
    expect([lab.count("islet_dtls_half_open"), lab.count("islet_dtls_drops_total", "handshake_rate")]).toEqual([4, 2]);
  });

  test("of sessions in memory: those that are silent longest go to disk, and come back", async () => {
    const lab = await start({ maxSessionsInMemory: 20, writeBatch: 3 });
    const devices: Device[] = [];
    for (let no = 1; no <= 60; no++) {
      lab.devices.set(`${no}`, { deviceNo: no, pskHex: "000102030405060708090a0b0c0d0e0f" });
      devices.push(await lab.client({ identity: bytes(`${no}`) }, "203.0.113.1", no).connect());
      await lab.clock.advance(10);
    }
    expect(lab.count("islet_dtls_sessions_in_memory")).toBeLessThanOrEqual(21);
    for (const device of devices) await device.say(`${device.port}`);
    expect(lab.texts).toEqual(devices.map(({ port }) => `${port}`));
    expect(lab.count("islet_dtls_sessions")).toBe(60);
  });

  test("a flood of datagrams from nowhere asks the database nothing", async () => {
    const lab = await start();
    await lab.client().connect();
    const random = new Random(7);
    const before = lab.sql;
    for (let count = 0; count < 2_000; count++) {
      const header = { version: DTLS_1_2, epoch: 1, sequence: count };
      const withId = count % 2 === 0;
      const record = withId
        ? encodeRecord(
            { ...header, type: CONTENT_TYPE.connectionId, connectionId: random.bytes(CONNECTION_ID_LENGTH) },
            random.bytes(40),
          )
        : encodeRecord({ ...header, type: CONTENT_TYPE.applicationData }, random.bytes(40));
      lab.receive(record, `198.51.${count >> 8}.${count & 255}`, 1 + random.below(60_000));
    }
    expect([lab.sql - before, lab.sent.length]).toEqual([0, 0]);
    expect(lab.count("islet_dtls_drops_total", "unknown_connection_id")).toBe(1_000);
    expect(lab.count("islet_dtls_drops_total", "unknown_address")).toBe(1_000);
  });
});

describe("closeSessions", () => {
  test("tells the device, and nothing of it is left", async () => {
    const lab = await start();
    const device = await lab.client().connect();
    const peer = lab.endpoint.peerOf(1);
    lab.endpoint.closeSessions(1, "new key");
    await device.exchange([]);
    expect([device.client.alerts, rows(lab), lab.endpoint.peerOf(1)]).toEqual([[ALERTS.closeNotify], 0, undefined]);
    expect(lab.ended).toEqual([{ peer: peer as never, reason: "closed_by_us" }]);
    await device.say("x");
    peer?.send(bytes("x"));
    expect([lab.texts, lab.sent]).toEqual([[], []]);
    expect((await resumable(lab, device).connect()).client.resumed).toBe(false);
  });

  test("stops what is about to open with the old key", async () => {
    const lab = await start();
    const device = lab.client();
    device.send(device.client.start());
    for (let step = 0; step < 2; step++) {
      device.send(lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram)));
    }
    lab.endpoint.closeSessions(1, "new key"); // the row is on its way to the disk
    await device.exchange([]);
    expect([device.client.opened, rows(lab), lab.opened]).toEqual([false, 0, []]);
  });

  test.each([
    ["another key", { deviceNo: 1, pskHex: "ff0102030405060708090a0b0c0d0e0f" }],
    ["shut out", { deviceNo: 1, pskHex: "000102030405060708090a0b0c0d0e0f", refusal: "device_not_secure" }],
    ["deleted", undefined],
  ])("a session that sleeps through it (%s) does not come back", async (_name, login) => {
    const lab = await start();
    const device = await lab.client().connect();
    lab.kill(); // before anybody could say closeSessions
    if (login) lab.devices.set("863703030000001", login);
    else lab.devices.delete("863703030000001");
    await lab.restart("killed");
    await device.say("x");
    expect([lab.texts, rows(lab)]).toEqual([[], 0]);
  });
});

test("application data of a resumed session that comes before its row is on disk waits", async () => {
  const lab = await start();
  const first = await lab.client().connect();
  const again = resumable(lab, first);
  again.send(again.client.start());
  for (let step = 0; step < 2; step++) {
    again.send(lab.take(again.address, again.port).flatMap((datagram) => again.client.receive(datagram)));
  }
  again.send([again.client.seal(bytes("hasty"))]);
  expect(lab.texts).toEqual([]);
  await lab.settle();
  expect(lab.texts).toEqual(["hasty"]);
});

test("a session that cannot be stored does not open", async () => {
  const lab = await start();
  lab.registry.run("CREATE TRIGGER full BEFORE INSERT ON dtls_session BEGIN SELECT RAISE(FAIL, 'disk full'); END");
  const device = await lab.client().connect();
  expect([device.client.opened, lab.count("islet_dtls_handshakes_total", "store_failed")]).toEqual([false, 1]);
  lab.registry.run("DROP TRIGGER full");
  expect((await lab.client().connect()).client.opened).toBe(true);
});

test("sessions that nobody uses are forgotten after their time", async () => {
  const lab = await start({ sessionExpiryMs: 86_400_000, writeBatch: 2 });
  for (let no = 1; no <= 5; no++) {
    lab.devices.set(`${no}`, { deviceNo: no, pskHex: "000102030405060708090a0b0c0d0e0f" });
    await lab.client({ identity: bytes(`${no}`) }, "203.0.113.1", no).connect();
  }
  await lab.clock.advance(80_000_000);
  expect(rows(lab)).toBe(5);
  const peer = lab.endpoint.peerOf(2); // somebody holds it, so it is told
  await lab.clock.advance(8_000_000);
  expect([rows(lab), lab.count("islet_dtls_sessions")]).toEqual([0, 0]);
  expect(lab.ended.filter((each) => each.peer === peer)).toEqual([{ peer: peer as never, reason: "expired" }]);
});

test("a layer above that throws loses its datagram, and nothing else", async () => {
  const lab = await start();
  const device = await lab.client().connect();
  lab.onReceive = () => {
    throw new Error("ours");
  };
  await device.say("one");
  await device.say("two");
  expect(lab.texts).toEqual(["one", "two"]);
});

test("a datagram that no record can hold is not sent", async () => {
  const lab = await start();
  await lab.client().connect();
  lab.endpoint.peerOf(1)?.send(new Uint8Array(20_000));
  expect([lab.sent, lab.count("islet_dtls_drops_total", "not_sendable")]).toEqual([[], 1]);
});

test(`random and mutated datagrams change nothing for a device (seed ${fuzzSeed})`, async () => {
  const lab = await start({ handshakeBurstPerAddress: 100_000 }, fuzzSeed);
  const random = new Random(fuzzSeed);
  const device = await lab.client({ connectionId: Uint8Array.of(1) }).connect();
  const neighbour = await lab.client({ identity: bytes("863703030000002"), suites: [CBC] }, "203.0.113.6").connect();
  const samples: Uint8Array[] = [];
  const attacker = lab.client({}, "203.0.113.9", 9);
  samples.push(...attacker.client.start());
  attacker.send(attacker.client.start());
  samples.push(
    ...lab.take("203.0.113.9", 9).flatMap((datagram) => [datagram, ...attacker.client.receive(datagram.slice())]),
  );
  samples.push(device.client.seal(bytes("device")), neighbour.client.seal(bytes("neighbour")));
  const places: [string, number][] = [
    ["203.0.113.5", 40_000],
    ["203.0.113.6", 40_000],
    ["203.0.113.9", 9],
  ];
  for (let round = 0; round < 3_000; round++) {
    const sample = random.oneOf(samples).slice();
    const datagram = random.below(4) === 0 ? random.bytes(random.below(200)) : sample;
    for (let count = 1 + random.below(4); count > 0 && datagram.length > 0; count--) {
      const at = random.below(Math.min(datagram.length, random.flip() ? 30 : datagram.length));
      datagram[at] = (datagram[at] ?? 0) ^ (1 << random.below(8)); // never the sample itself: it would be genuine
    }
    const [address, port] = random.oneOf(places);
    lab.receive(
      random.below(5) === 0 ? datagram.subarray(0, random.below(datagram.length + 1)) : datagram,
      address,
      port,
    );
    if (round % 100 === 0) await lab.clock.advance(500);
  }
  lab.sent = [];
  await device.say("still here");
  await neighbour.say("so am I");
  expect(lab.texts.slice(-2)).toEqual(["still here", "so am I"]);
  expect(lab.endpoint.peerOf(1)?.address).toBe("203.0.113.5");
  expect((await lab.client({ identity: bytes("863703030000002") }, "203.0.113.7").connect()).client.opened).toBe(true);
});

test("records of a restored session are numbered on, never anew", async () => {
  const lab = await start();
  const device = await lab.client().connect();
  const numbers: number[] = [];
  for (let life = 0; life < 4; life++) {
    for (let count = 0; count < 3; count++) {
      lab.endpoint.peerOf(1)?.send(bytes("x"));
      for (const datagram of lab.take(device.address, device.port)) numbers.push(decodeRecord(datagram).sequence);
    }
    await lab.restart("killed");
  }
  expect(new Set(numbers).size).toBe(12);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
});
