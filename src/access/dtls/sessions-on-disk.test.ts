/** What is promised in docs/decisions/0005: all state is dropped at some point, and another endpoint opens on the databases. */
import { describe, expect, test } from "bun:test";
import { decodeRecord, MAX_SEQUENCE } from "../../wire/dtls";
import type { TestClientOptions } from "../../wire/dtls/testing/test-client";
import { fuzzSeed, Random } from "../../wire/testing/random";
import { CONNECTION_ID_LENGTH } from "./routes";
import { SEQUENCE_SPAN } from "./sequence-space";
import type { DtlsSettings } from "./settings";
import { CBC, CCM_8, type Device, DtlsLab, GCM } from "./testing/dtls-lab";

async function start(settings: Partial<DtlsSettings> = {}, seed = 1): Promise<DtlsLab> {
  const lab = new DtlsLab({ settings, seed });
  await lab.start();
  return lab;
}
const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const row = (lab: DtlsLab) =>
  lab.registry
    .query<{ generation: number; next_sequence: number; window_top: number }, []>("SELECT * FROM dtls_session")
    .get();

describe("a record that was acknowledged is refused", () => {
  const KINDS: [string, Partial<TestClientOptions>][] = [
    ["CCM_8", { suites: [CCM_8] }],
    ["GCM with a connection id", { suites: [GCM], connectionId: Uint8Array.of(1) }],
    ["CBC", { suites: [CBC] }],
  ];
  test.each(KINDS)("after an unclean restart, %s", async (_name, changes) => {
    const lab = await start();
    const device = await lab.client(changes).connect();
    lab.onReceive = (peer) => lab.commitEnclosed(peer);
    const kept = [await device.say("one"), await device.say("two"), await device.say("three")];
    await lab.restart("killed"); // within the time in which nothing else is written
    for (const datagram of kept) lab.receive(datagram.slice(), device.address, device.port);
    expect([lab.texts, lab.count("islet_dtls_drops_total", "replayed")]).toEqual([[], 3]);
    await device.say("four");
    expect(lab.texts).toEqual(["four"]);
  });

  test("also when the session had left memory and come back before", async () => {
    const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
    const device = await lab.client().connect();
    lab.onReceive = (peer) => lab.commitEnclosed(peer);
    const kept = [await device.say("one")];
    await lab.clock.advance(15_000);
    kept.push(await device.say("two"));
    await lab.restart("killed");
    for (const datagram of kept) lab.receive(datagram.slice(), device.address, device.port);
    expect(lab.texts).toEqual([]);
  });

  test("one that nobody enclosed, after the flush time", async () => {
    const lab = await start();
    const device = await lab.client().connect();
    const kept = await device.say("one");
    await lab.clock.advance(lab.settings.flushMs);
    await lab.restart("killed");
    lab.receive(kept.slice(), device.address, device.port);
    expect(lab.texts).toEqual([]);
  });

  test("and what was enclosed is not written a second time", async () => {
    const lab = await start();
    const device = await lab.client().connect();
    const before = row(lab)?.window_top;
    lab.onReceive = (peer) => lab.commitEnclosed(peer);
    await device.say("one");
    await lab.clock.advance(10 * lab.settings.flushMs);
    expect(row(lab)?.window_top).toBe(before);
  });

  test("a record that came and was not acknowledged may come again: nothing is lost", async () => {
    const lab = await start();
    const device = await lab.client().connect();
    const kept = await device.say("not stored"); // nothing enclosed, nothing flushed
    await lab.restart("killed");
    lab.receive(kept.slice(), device.address, device.port);
    expect(lab.texts).toEqual(["not stored"]);
  });

  test("the mark of an earlier session is not the next one's", async () => {
    const lab = await start();
    lab.onReceive = (peer) => lab.commitEnclosed(peer);
    const old = await lab.client().connect();
    for (let count = 0; count < 20; count++) await old.say(`${count}`);
    const young = await lab.client().connect();
    await young.say("low number");
    await lab.restart("killed");
    await young.say("heard");
    expect(lab.texts).toEqual(["heard"]);
  });
});

describe("a process that dies", () => {
  test("before a session is on disk has not told the device that it opened", async () => {
    const lab = await start();
    const device = lab.client();
    device.send(device.client.start());
    for (let step = 0; step < 2; step++) {
      lab.commits = false;
      device.send(lab.take(device.address, device.port).flatMap((datagram) => device.client.receive(datagram)));
    }
    await lab.settle();
    expect([row(lab), lab.sent]).toEqual([null, []]);
    await lab.restart("killed");
    expect(device.client.opened).toBe(false);
    expect((await lab.client().connect()).client.opened).toBe(true);
  });

  test("right after the address of a device has changed finds it at the new one, or hears it there", async () => {
    for (const isCommitted of [true, false]) {
      const lab = await start();
      const device = await lab.client({ connectionId: Uint8Array.of(1) }).connect();
      device.port = 50_000;
      lab.commits = isCommitted;
      await device.say("moved");
      await lab.restart("killed");
      expect(lab.endpoint.peerOf(1)?.port).toBe(isCommitted ? 50_000 : 40_000);
      await device.say("hello");
      expect([lab.texts, lab.endpoint.peerOf(1)?.port]).toEqual([["hello"], 50_000]);
    }
  });

  test("while a session leaves memory loses nothing of it", async () => {
    const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
    const device = await lab.client().connect();
    lab.endpoint.peerOf(1)?.send(bytes("one"));
    await device.exchange([]);
    lab.commits = false;
    await lab.clock.advance(15_000);
    expect(lab.count("islet_dtls_sessions_in_memory")).toBe(1); // its numbers are not on disk yet
    await lab.restart("killed");
    lab.endpoint.peerOf(1)?.send(bytes("two"));
    await device.exchange([]);
    expect(device.client.received).toEqual(["one", "two"]);
  });
});

test("a device that is asleep costs no write, and one that woke costs one", async () => {
  const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
  const device = await lab.client().connect();
  await lab.clock.advance(15_000);
  const first = row(lab)?.next_sequence;
  await lab.clock.advance(60_000);
  const before = lab.sql;
  await lab.clock.advance(60_000);
  expect(lab.sql).toBe(before);
  lab.endpoint.peerOf(1)?.send(bytes("x"));
  await device.exchange([]);
  await lab.clock.advance(15_000);
  expect(row(lab)?.next_sequence).toBe((first ?? 0) + 1); // exact within one process
});

test("a session that cannot be written stays in memory, and is written when that works again", async () => {
  const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
  const device = await lab.client().connect();
  lab.endpoint.peerOf(1)?.send(bytes("one"));
  await device.exchange([]);
  lab.registry.run("CREATE TRIGGER full BEFORE UPDATE ON dtls_session BEGIN SELECT RAISE(FAIL, 'disk full'); END");
  await lab.clock.advance(15_000);
  expect(lab.count("islet_dtls_sessions_in_memory")).toBe(1);
  lab.registry.run("DROP TRIGGER full");
  await lab.clock.advance(5_000);
  expect(lab.count("islet_dtls_sessions_in_memory")).toBe(0);
  lab.endpoint.peerOf(1)?.send(bytes("two"));
  await device.exchange([]);
  expect(device.client.received).toEqual(["one", "two"]);
});

test("a peer is one object while somebody holds it, and can send while its session is on disk", async () => {
  const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000 });
  const device = await lab.client().connect();
  const peer = lab.endpoint.peerOf(1);
  await lab.clock.advance(15_000);
  expect([lab.count("islet_dtls_sessions_in_memory"), peer?.address, peer?.enclose?.()]).toEqual([
    0,
    "203.0.113.5",
    undefined,
  ]);
  expect(lab.endpoint.peerOf(1)).toBe(peer);
  peer?.send(bytes("wake up"));
  await device.exchange([]);
  await device.say("awake");
  expect([device.client.received, lab.received.map((each) => each.peer)]).toEqual([["wake up"], [peer as never]]);
});

test("a session whose numbers are used up is over", async () => {
  const lab = await start();
  const device = await lab.client().connect();
  lab.kill();
  lab.registry.run("UPDATE dtls_session SET next_sequence = ?", [MAX_SEQUENCE - SEQUENCE_SPAN]);
  await lab.restart("killed");
  await device.say("x");
  lab.endpoint.peerOf(1)?.send(bytes("x"));
  await lab.settle();
  expect([lab.texts, lab.sent, row(lab)]).toEqual([[], [], null]);
  expect((await lab.client().connect()).client.opened).toBe(true);
});

test("a row that is not what it was does not open, and harms nobody", async () => {
  const lab = await start();
  const device = await lab.client().connect();
  const neighbour = await lab.client({ identity: bytes("863703030000002") }, "203.0.113.6").connect();
  lab.kill();
  // The sealed part of another device's row.
  lab.registry.run(
    "UPDATE dtls_session SET sealed = (SELECT sealed FROM dtls_session WHERE device_no = 2) WHERE device_no = 1",
  );
  await lab.restart("killed");
  await device.say("x");
  await neighbour.say("y");
  expect(lab.texts).toEqual(["y"]);
});

test("a generation is never used twice, and a snapshot of yesterday does not bring one back", async () => {
  const lab = await start();
  const generation = () => lab.registry.query<{ no: number }, []>("SELECT no FROM dtls_generation").get()?.no ?? -1;
  const seen = [generation()];
  for (let life = 0; life < 3; life++) {
    await lab.restart("killed");
    seen.push(generation());
  }
  expect(new Set(seen).size).toBe(4);
  const snapshot = generation();
  await lab.clock.advance(24 * 3_600_000);
  await lab.restart("killed");
  const used = generation();
  lab.registry.run("UPDATE dtls_generation SET no = ?", [snapshot]);
  await lab.clock.advance(3_600_000);
  await lab.restart("killed");
  expect(generation()).toBeGreaterThan(used);
});

test(`whatever happens, no record number is used twice and nothing acknowledged comes twice (seed ${fuzzSeed})`, async () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 15; round++) {
    const lab = await start({ dropAfterMs: 10_000, sweepMs: 1_000, maxSessionsInMemory: 2 }, random.below(2 ** 31));
    const devices: Device[] = [];
    for (let no = 1; no <= 4; no++) {
      lab.devices.set(`${no}`, { deviceNo: no, pskHex: "000102030405060708090a0b0c0d0e0f" });
      const connectionId = random.flip() ? random.bytes(random.below(4)) : undefined;
      const suites = [random.oneOf([CCM_8, GCM, CBC])];
      devices.push(await lab.client({ identity: bytes(`${no}`), suites, connectionId }, "203.0.113.1", no).connect());
    }
    const sentNumbers = devices.map(() => new Set<number>());
    const acknowledged = new Set<string>();
    const twice: string[] = [];
    const captured: { device: number; datagram: Uint8Array }[] = [];
    lab.onReceive = (peer, plaintext) => {
      const text = Buffer.from(plaintext).toString();
      if (acknowledged.has(text)) twice.push(text);
      peer.send(bytes("ack"));
      if (random.below(3) === 0) return; // not acknowledged in the end
      lab.commitEnclosed(peer);
      acknowledged.add(text);
    };
    for (let step = 0; step < 60; step++) {
      const at = random.below(devices.length);
      const device = devices[at] as Device;
      switch (random.below(8)) {
        case 0:
          await lab.restart(random.flip() ? "killed" : "cleanly");
          break;
        case 1:
          await lab.clock.advance(random.below(20_000));
          break;
        case 2:
          if (random.flip()) lab.resumeCommits();
          else lab.commits = false; // a slow disk
          break;
        case 3:
          lab.endpoint.peerOf(at + 1)?.send(bytes("down"));
          break;
        case 4: {
          const old = captured.length > 0 ? random.oneOf(captured) : undefined;
          const from = old && devices[old.device];
          if (old && from) lab.receive(old.datagram.slice(), from.address, from.port);
          break;
        }
        case 5:
          if (device.client.peerConnectionId) device.port = 10_000 + random.below(10_000);
          break;
        default: {
          const datagram = device.client.seal(bytes(`${at} ${step}`));
          captured.push({ device: at, datagram: datagram.slice() });
          lab.receive(datagram.slice(), device.address, device.port);
        }
      }
      for (const [index, each] of devices.entries()) {
        for (const datagram of lab.sent.filter(({ port }) => port === each.port)) {
          const { epoch, sequence } = decodeRecord(datagram.bytes, 0, idLengthOf(datagram.bytes, each));
          expect([epoch, sentNumbers[index]?.has(sequence)]).toEqual([1, false]);
          sentNumbers[index]?.add(sequence);
        }
        for (const datagram of lab.take(each.address, each.port)) each.client.receive(datagram);
      }
    }
    await lab.restart("killed");
    for (const [at, device] of devices.entries()) await device.say(`last ${at}`);
    expect([lab.texts.filter((text) => text.startsWith("last")).length, twice]).toEqual([4, []]);
  }
});

/** Records for a device carry the id that it asked for. */
function idLengthOf(datagram: Uint8Array, { client }: Device): number {
  return datagram[0] === 25 ? client.ownIdLength : CONNECTION_ID_LENGTH;
}
