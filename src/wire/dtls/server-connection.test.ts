import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { ALERTS, encodeAlert } from "./alert";
import { CIPHER_SUITES } from "./cipher-suite";
import { encodeMessage, HANDSHAKE_TYPE } from "./handshake";
import { type CloseReason, HANDSHAKE_SETTINGS, type ResumableSession } from "./handshake-state";
import { screenHello } from "./hello-screen";
import { CONTENT_TYPE, DTLS_1_2, decodeDatagram, encodeRecord } from "./record";
import { type ConnectionOutput, ServerConnection } from "./server-connection";
import { TestClient, type TestClientOptions } from "./testing/test-client";

const ADDRESS = "192.0.2.1:40000";
const COOKIE_SECRET = new Uint8Array(32).fill(9);
const PSK = new Uint8Array(16).fill(3);
const OWN_ID = Uint8Array.of(0xa0, 1, 2, 3);
const SETTINGS = { ...HANDSHAKE_SETTINGS, maxDatagramBytes: 1_200 };

const OPTIONS: TestClientOptions = {
  psk: PSK,
  identity: Buffer.from("863703030000001"),
  random: new Uint8Array(32).fill(1),
  suites: [0xc0a8],
  extensions: true,
  extendedMasterSecret: true,
  encryptThenMac: true,
  connectionId: undefined,
  resume: undefined,
  maxPartBytes: 1_000,
};

/** The stateless part and one connection, as an endpoint would join them. */
class TestServer {
  connection: ServerConnection | undefined;
  resumable: ResumableSession | undefined;
  maxDatagramBytes = 1_200;
  readonly outputs: ConnectionOutput[] = [];
  readonly identities: string[] = [];

  receive(datagram: Uint8Array): Uint8Array[] {
    return decodeDatagram(datagram, OWN_ID.length).flatMap((record) => {
      const screened = this.connection ? undefined : screenHello(record, ADDRESS, [COOKIE_SECRET]);
      if (screened?.type === "answer") return [screened.datagram];
      if (screened?.type === "accept") {
        this.connection = new ServerConnection(
          { ...SETTINGS, maxDatagramBytes: this.maxDatagramBytes },
          (identity) => {
            this.identities.push(Buffer.from(identity).toString());
            return PSK;
          },
          {
            facts: {
              random: new Uint8Array(32).fill(2),
              newSessionId: new Uint8Array(32).fill(this.resumable ? 5 : 4),
              newConnectionId: OWN_ID,
              resumable: this.resumable,
            },
            helloSequence: screened.sequence,
            recordSequence: record.sequence,
          },
        );
      }
      return this.keep(this.connection?.receive(record) ?? []);
    });
  }

  keep(outputs: ConnectionOutput[]): Uint8Array[] {
    this.outputs.push(...outputs);
    return outputs.flatMap((output) => (output.type === "datagram" ? [output.bytes] : []));
  }

  get received(): string[] {
    return this.outputs.flatMap((each) => (each.type === "received" ? [Buffer.from(each.content).toString()] : []));
  }
  get reasons(): CloseReason[] {
    return this.outputs.flatMap((each) => (each.type === "closed" ? [each.reason] : []));
  }
  has(type: ConnectionOutput["type"]): boolean {
    return this.outputs.some((each) => each.type === type);
  }
}

const connect = (changes: Partial<TestClientOptions>, server = new TestServer()) => {
  const client = new TestClient({ ...OPTIONS, ...changes });
  exchange(client, server, client.start());
  return { client, server };
};

/** Over a perfect network. */
function exchange(client: TestClient, server: TestServer, uplinks: Uint8Array[]): void {
  for (let up = uplinks; up.length > 0; ) {
    up = up.flatMap((datagram) => server.receive(datagram)).flatMap((datagram) => client.receive(datagram));
  }
}

const say = (client: TestClient, server: TestServer, text: string) =>
  exchange(client, server, [client.seal(Buffer.from(text))]);

const KINDS: [name: string, changes: Partial<TestClientOptions>][] = [
  ...CIPHER_SUITES.map(({ id, name }): [string, Partial<TestClientOptions>] => [name, { suites: [id] }]),
  ["CBC without encrypt-then-MAC", { suites: [0x00ae], encryptThenMac: false }],
  ["no extended master secret", { extendedMasterSecret: false }],
  ["no extensions block", { suites: [0x00ae, 0x00ff], extensions: false, extendedMasterSecret: false }],
  ["a hello in pieces, the cookie in the first", { suites: Array(40).fill(0xccac).concat(0xc0a8), maxPartBytes: 101 }],
  ["an identity of 128 characters", { identity: new Uint8Array(128).fill(0x61) }],
  ["connection ids both ways", { connectionId: Uint8Array.of(1, 2) }],
  ["connection id only in its own records", { connectionId: new Uint8Array(0) }],
  ["connection ids with CBC", { suites: [0x00ae], connectionId: Uint8Array.of(1) }],
];
describe.each(KINDS)("%s", (_name, changes) => {
  test("full handshake, data both ways, close", () => {
    const { client, server } = connect(changes);
    expect([client.opened, client.resumed, server.connection?.at]).toEqual([true, false, "open"]);
    say(client, server, "21.5");
    expect(server.received).toEqual(["21.5"]);
    client.receive(server.connection?.seal(Buffer.from("ok")) ?? new Uint8Array(0));
    expect(client.received).toEqual(["ok"]);
    expect(client.peerConnectionId).toEqual(changes.connectionId ? OWN_ID : undefined);
    for (const datagram of server.keep(server.connection?.close() ?? [])) client.receive(datagram);
    expect([client.alerts, server.reasons]).toEqual([[ALERTS.closeNotify], ["closedByUs"]]);
    expect(server.connection?.seal(Buffer.from("late"))).toBeUndefined();
  });

  test("resumption by session id", () => {
    const first = connect(changes).server;
    const resume = first.connection?.snapshot()?.session;
    const server = new TestServer();
    server.resumable = resume;
    const { client } = connect({ ...changes, resume, random: new Uint8Array(32).fill(7) }, server);
    expect([client.opened, client.resumed, server.connection?.at]).toEqual([true, true, "open"]);
    expect(server.identities).toEqual([]);
    say(client, server, "again");
    expect(server.received).toEqual(["again"]);
  });

  test("goes on from a snapshot, and knows what it has seen", () => {
    const { client, server } = connect(changes);
    const record = client.seal(Buffer.from("before"));
    const again = record.slice();
    server.receive(record);
    const snapshot = server.connection?.snapshot();
    if (snapshot === undefined) throw new Error("not open");
    server.connection = new ServerConnection(SETTINGS, () => PSK, structuredClone(snapshot));
    server.receive(again);
    say(client, server, "after");
    expect(server.received).toEqual(["before", "after"]);
    client.receive(server.connection.seal(Buffer.from("ok")) ?? new Uint8Array(0));
    expect(client.received).toEqual(["ok"]);
  });

  test("rests between two records", () => {
    const { client, server } = connect(changes);
    for (const text of ["one", "two"]) {
      server.connection?.rest();
      say(client, server, text);
      client.receive(server.connection?.seal(Buffer.from(text)) ?? new Uint8Array(0));
    }
    expect([server.received, client.received]).toEqual([
      ["one", "two"],
      ["one", "two"],
    ]);
  });

  test(`over a network that drops, doubles and reorders (seed ${fuzzSeed})`, () => {
    const random = new Random(fuzzSeed);
    for (let round = 0; round < 30; round++) {
      const { client, server } = overBadNetwork(changes, random);
      expect([client.opened, server.connection?.at]).toEqual([true, "open"]);
      say(client, server, "there");
      expect(server.received).toEqual(["there"]);
    }
  });
});

function overBadNetwork(changes: Partial<TestClientOptions>, random: Random) {
  const client = new TestClient({ ...OPTIONS, ...changes });
  const server = new TestServer();
  server.maxDatagramBytes = random.oneOf([130, 200, 1_200]);
  type Packet = { toServer: boolean; bytes: Uint8Array };
  const upward = (datagrams: Uint8Array[]): Packet[] => datagrams.map((bytes) => ({ toServer: true, bytes }));
  const downward = (datagrams: Uint8Array[]): Packet[] => datagrams.map((bytes) => ({ toServer: false, bytes }));
  let flying = upward(client.start());
  for (let turn = 0; turn < 5_000 && !(client.opened && server.connection?.at === "open"); turn++) {
    if (flying.length === 0) {
      flying = [...upward(client.repeat()), ...downward(server.keep(server.connection?.noReply(1_000) ?? []))];
    }
    const [packet] = flying.splice(random.below(flying.length), 1);
    if (packet === undefined || random.below(5) === 0) continue;
    if (random.below(5) === 0) flying.push({ ...packet, bytes: packet.bytes.slice() });
    const bytes = packet.bytes.slice();
    flying.push(...(packet.toServer ? downward(server.receive(bytes)) : upward(client.receive(bytes))));
  }
  return { client, server };
}

describe("refusals", () => {
  test("no cookie, no connection", () => {
    const server = new TestServer();
    const [hello = new Uint8Array(0)] = new TestClient(OPTIONS).start();
    const [answer = new Uint8Array(0)] = server.receive(hello);
    expect(server.connection).toBeUndefined();
    expect(answer.length).toBeLessThanOrEqual(hello.length);
  });

  test.each([
    ["CCM_8", 0xc0a8, [], "finishedAwaited"],
    ["GCM", 0x00a8, [], "finishedAwaited"],
    ["CBC", 0x00ae, [ALERTS.badRecordMac], "closed"],
  ])("a wrong key with %s is doubted once", (_name, suite, alerts, at) => {
    const { client, server } = connect({ suites: [suite], psk: new Uint8Array(16).fill(4) });
    for (const datagram of client.repeat()) server.receive(datagram);
    expect(server.outputs.filter(({ type }) => type === "keyDoubted").length).toBe(1);
    expect([server.has("opened"), client.opened]).toEqual([false, false]);
    expect<unknown>([client.alerts, server.connection?.at]).toEqual([alerts, at]);
    server.keep(server.connection?.noReply(1) ?? []);
    expect(server.reasons).toEqual(["wrongKey"]);
  });

  test("no suite of ours", () => {
    const { client, server } = connect({ suites: [0xccac] });
    expect([client.alerts, server.reasons]).toEqual([[ALERTS.handshakeFailure], ["noCommonSuite"]]);
  });

  test("a session with extended master secret is not resumed without", () => {
    const resume = connect({}).server.connection?.snapshot()?.session;
    const server = new TestServer();
    server.resumable = resume;
    connect({ resume, extendedMasterSecret: false }, server);
    expect(server.reasons).toEqual(["resumptionWithoutExtendedMasterSecret"]);
  });

  test("a session without it is not resumed for a client that has it: a full handshake", () => {
    const resume = connect({ extendedMasterSecret: false }).server.connection?.snapshot()?.session;
    const server = new TestServer();
    server.resumable = resume;
    const { client } = connect({ resume }, server);
    expect([client.opened, client.resumed, server.identities.length]).toEqual([true, false, 1]);
  });

  test("a client that falls silent is given up after so many attempts", () => {
    const server = new TestServer();
    const client = new TestClient(OPTIONS);
    const hello = client.start().flatMap((each) => server.receive(each));
    for (const datagram of hello.flatMap((each) => client.receive(each))) server.receive(datagram);
    for (let n = 0; n < 3; n++) server.keep(server.connection?.noReply(3) ?? []);
    const timers = server.outputs.flatMap((each) => (each.type === "startTimer" ? [each.attempt] : []));
    expect([timers, server.reasons]).toEqual([[1, 2, 3], ["noReply"]]);
  });
});

describe("an open connection", () => {
  test("is not closed by alerts or messages that anybody can write", () => {
    const { client, server } = connect({});
    const header = { version: DTLS_1_2, epoch: 0, sequence: 99 };
    const alert = encodeAlert({ fatal: true, description: ALERTS.handshakeFailure });
    server.receive(encodeRecord({ ...header, type: CONTENT_TYPE.alert }, alert));
    const message = encodeMessage({ type: HANDSHAKE_TYPE.finished, sequence: 4, body: new Uint8Array(12) });
    expect(server.receive(encodeRecord({ ...header, type: CONTENT_TYPE.handshake }, message))).toEqual([]);
    say(client, server, "still here");
    expect([server.connection?.at, server.received]).toEqual(["open", ["still here"]]);
  });

  test("takes no record twice, and none without the id that was given out", () => {
    const { client, server } = connect({ connectionId: new Uint8Array(0) });
    const record = client.seal(Buffer.from("once"));
    const again = record.slice();
    server.receive(record);
    server.receive(again);
    client.peerConnectionId = undefined;
    say(client, server, "no id");
    client.peerConnectionId = Uint8Array.of(9, 9, 9, 9);
    say(client, server, "another's id");
    expect(server.received).toEqual(["once"]);
  });

  test("says what a record turned out to be", () => {
    const { client, server } = connect({ suites: [0xc0a8] });
    const connection = server.connection;
    const record = client.seal(Buffer.from("x"));
    const again = record.slice();
    const forged = client.seal(Buffer.from("y"));
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const plain = encodeRecord(
      { type: CONTENT_TYPE.alert, version: DTLS_1_2, epoch: 0, sequence: 9 },
      Uint8Array.of(1, 0),
    );
    const later = encodeRecord(
      { type: CONTENT_TYPE.alert, version: DTLS_1_2, epoch: 2, sequence: 9 },
      Uint8Array.of(1, 0),
    );
    const fates = [record, again, forged, plain, later].map((datagram) => {
      server.receive(datagram);
      return connection?.lastFate;
    });
    expect(fates).toEqual(["authentic", "replayed", "unreadable", "plain", "foreign"]);
    const before = connection?.nextSequence ?? 0;
    connection?.seal(Buffer.from("z"));
    expect(connection?.nextSequence).toBe(before + 1);
  });

  test("answers close_notify in kind", () => {
    const { client, server } = connect({});
    server
      .receive(client.sealAlert({ fatal: false, description: ALERTS.closeNotify }))
      .map((each) => client.receive(each));
    expect([client.alerts, server.reasons]).toEqual([[ALERTS.closeNotify], ["closedByPeer"]]);
  });
});
