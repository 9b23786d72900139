import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { fuzzSeed, Random } from "../testing/random";
import { ALERTS, encodeAlert } from "./alert";
import { CIPHER_SUITES, PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8, PSK_AES_128_GCM_SHA256 } from "./cipher-suite";
import { ClientConnection, type ClientOutput } from "./client-connection";
import type { ClientOffer } from "./client-state";
import type { ResumableSession } from "./handshake-state";
import { CONTENT_TYPE, DTLS_1_2, encodeRecord } from "./record";
import { TestServer } from "./testing/test-server";

const PSK = new Uint8Array(16).fill(3);
const OWN_ID = Uint8Array.of(0xa0, 1, 2, 3);
const NOTHING = new Uint8Array(0);
const random = new Random(fuzzSeed);

const OFFER: Omit<ClientOffer, "random"> = {
  identity: Buffer.from("863703030000001"),
  psk: PSK,
  suites: [PSK_AES_128_CCM_8],
  extensions: true,
  extendedMasterSecret: true,
  encryptThenMac: true,
  connectionId: undefined,
  resume: undefined,
};

const newServer = (maxDatagramBytes = 1_200, sessions = new Map<string, ResumableSession>()) =>
  new TestServer({
    address: "192.0.2.1:40000",
    pskOf: () => PSK,
    connectionId: OWN_ID,
    sessions,
    maxDatagramBytes,
    random: () => random.bytes(32),
  });

class Client {
  readonly outputs: ClientOutput[] = [];
  connection: ClientConnection;
  constructor(changes: Partial<ClientOffer>, maxDatagramBytes = 1_200) {
    this.connection = new ClientConnection({ ...OFFER, random: random.bytes(32), ...changes }, { maxDatagramBytes });
  }
  keep(outputs: ClientOutput[]): Uint8Array[] {
    this.outputs.push(...outputs);
    return outputs.flatMap((output) => (output.type === "datagram" ? [output.bytes] : []));
  }
  receive(datagram: Uint8Array): Uint8Array[] {
    return this.keep(this.connection.receive(datagram));
  }
  get received(): string[] {
    return this.outputs.flatMap((each) => (each.type === "received" ? [Buffer.from(each.content).toString()] : []));
  }
  last<T extends ClientOutput["type"]>(type: T): Extract<ClientOutput, { type: T }> | undefined {
    return this.outputs.findLast((each): each is Extract<ClientOutput, { type: T }> => each.type === type);
  }
}

/** Over a perfect network; gives what the server received. */
function exchange(client: Client, server: TestServer, uplinks: Uint8Array[]): string[] {
  const received: string[] = [];
  for (let up = uplinks; up.length > 0; ) {
    up = up
      .flatMap((datagram) => server.receive(datagram, (content) => received.push(Buffer.from(content).toString())))
      .flatMap((datagram) => client.receive(datagram));
  }
  return received;
}

function connect(changes: Partial<ClientOffer>, server = newServer()) {
  const client = new Client(changes);
  exchange(client, server, client.keep(client.connection.start()));
  return { client, server };
}

const up = (client: Client, server: TestServer, text: string) =>
  exchange(client, server, [client.connection.seal(Buffer.from(text)) ?? NOTHING]);
const down = (client: Client, server: TestServer, text: string) =>
  client.receive(server.connection?.seal(Buffer.from(text)) ?? NOTHING);

const KINDS: [name: string, changes: Partial<ClientOffer>][] = [
  ...CIPHER_SUITES.map((suite): [string, Partial<ClientOffer>] => [suite.name, { suites: [suite] }]),
  ["all suites", { suites: CIPHER_SUITES }],
  ["CBC without encrypt-then-MAC", { suites: [PSK_AES_128_CBC_SHA256], encryptThenMac: false }],
  ["no extended master secret", { extendedMasterSecret: false }],
  ["no extensions block", { suites: [PSK_AES_128_CBC_SHA256], extensions: false }],
  ["an identity of 128 characters", { identity: new Uint8Array(128).fill(0x61) }],
  ["connection ids both ways", { connectionId: Uint8Array.of(1, 2) }],
  ["connection id only in its own records", { connectionId: NOTHING }],
  ["connection ids with CBC", { suites: [PSK_AES_128_CBC_SHA256], connectionId: Uint8Array.of(1) }],
];
describe.each(KINDS)("%s", (_name, changes) => {
  test("full handshake, data both ways, close", () => {
    const { client, server } = connect(changes);
    expect([client.connection.at, client.last("opened")?.resumed, server.connection?.at]).toEqual([
      "open",
      false,
      "open",
    ]);
    expect(up(client, server, "21.5")).toEqual(["21.5"]);
    down(client, server, "ok");
    expect(client.received).toEqual(["ok"]);
    expect(client.connection.session?.peerConnectionId).toEqual(changes.connectionId ? OWN_ID : undefined);
    exchange(client, server, client.keep(client.connection.close()));
    expect(client.last("closed")?.reason).toBe("closedByUs");
    expect(server.outputs.findLast(({ type }) => type === "closed")).toEqual({
      type: "closed",
      reason: "closedByPeer",
    });
    expect(client.connection.seal(Buffer.from("late"))).toBeUndefined();
  });

  test("is told when the server closes", () => {
    const { client, server } = connect(changes);
    for (const datagram of server.keep(server.connection?.close() ?? [])) client.receive(datagram);
    expect(client.last("closed")?.reason).toBe("closedByPeer");
  });

  test("resumption by session id", () => {
    const first = connect(changes);
    const resume = first.client.connection.session;
    const server = newServer(1_200, first.server.options.sessions);
    const { client } = connect({ ...changes, resume }, server);
    expect([client.connection.at, client.last("opened")?.resumed]).toEqual(["open", true]);
    expect(server.outputs).toContainEqual(expect.objectContaining({ type: "opened", resumed: true }));
    expect(up(client, server, "again")).toEqual(["again"]);
  });

  test("a session that the server has forgotten becomes a full handshake", () => {
    const resume = connect(changes).client.connection.session;
    const { client, server } = connect({ ...changes, resume });
    expect([client.connection.at, client.last("opened")?.resumed]).toEqual(["open", false]);
    expect(up(client, server, "anew")).toEqual(["anew"]);
  });

  test("goes on from a snapshot, and knows what it has seen", () => {
    const { client, server } = connect(changes);
    const record = server.connection?.seal(Buffer.from("before")) ?? NOTHING;
    client.receive(record.slice());
    const snapshot = client.connection.snapshot();
    if (snapshot === undefined) throw new Error("not open");
    client.connection = new ClientConnection(structuredClone(snapshot));
    client.receive(record);
    expect(up(client, server, "after")).toEqual(["after"]);
    down(client, server, "ok");
    expect(client.received).toEqual(["before", "ok"]);
  });

  test("rests between two records", () => {
    const { client, server } = connect(changes);
    for (const text of ["one", "two"]) {
      client.connection.rest();
      expect(up(client, server, text)).toEqual([text]);
      client.connection.rest();
      down(client, server, text);
    }
    expect(client.received).toEqual(["one", "two"]);
  });

  test.each([false, true])(
    `over a network that drops, doubles and reorders, resuming %p (seed ${fuzzSeed})`,
    (again) => {
      for (let round = 0; round < 30; round++) {
        const server = newServer(random.oneOf([130, 200, 1_200]));
        const resume = again
          ? connect(changes, newServer(1_200, server.options.sessions)).client.connection.session
          : undefined;
        const client = new Client({ ...changes, resume }, random.oneOf([200, 1_200]));
        overBadNetwork(client, server);
        expect([client.connection.at, server.connection?.at]).toEqual(["open", "open"]);
        expect(up(client, server, "there")).toEqual(["there"]);
      }
    },
  );
});

function overBadNetwork(client: Client, server: TestServer): void {
  type Packet = { toServer: boolean; bytes: Uint8Array };
  const packets = (toServer: boolean, datagrams: Uint8Array[]): Packet[] =>
    datagrams.map((bytes) => ({ toServer, bytes }));
  let flying = packets(true, client.keep(client.connection.start()));
  for (let turn = 0; turn < 5_000; turn++) {
    if (client.connection.at === "open" && server.connection?.at === "open") return;
    if (flying.length === 0) {
      flying = [
        ...packets(true, client.keep(client.connection.noReply(1_000))),
        ...packets(false, server.keep(server.connection?.noReply(1_000) ?? [])),
      ];
    }
    const [packet] = flying.splice(random.below(flying.length), 1);
    if (packet === undefined || random.below(5) === 0) continue;
    if (random.below(5) === 0) flying.push({ ...packet, bytes: packet.bytes.slice() });
    const bytes = packet.bytes.slice();
    flying.push(...(packet.toServer ? packets(false, server.receive(bytes)) : packets(true, client.receive(bytes))));
  }
}

describe("what goes wrong", () => {
  test("the hello is repeated with a wait that doubles, and given up", () => {
    const client = new Client({});
    const first = client.keep(client.connection.start());
    const again = client.keep(client.connection.noReply(3));
    client.keep(client.connection.noReply(3));
    client.keep(client.connection.noReply(3));
    expect([first.length, again.length]).toEqual([1, 1]);
    expect(again[0]?.slice(13)).toEqual(first[0]?.slice(13)); // only the record's number differs
    const timers = client.outputs.flatMap((each) => (each.type === "startTimer" ? [each.attempt] : []));
    expect([timers, client.last("closed")?.reason]).toEqual([[1, 2, 3], "noReply"]);
  });

  test.each([
    ["CCM_8", PSK_AES_128_CCM_8, "noReply", undefined],
    ["GCM", PSK_AES_128_GCM_SHA256, "noReply", undefined],
    ["CBC", PSK_AES_128_CBC_SHA256, "alertFromPeer", ALERTS.badRecordMac],
  ])("a wrong key with %s", (_name, suite, reason, alert) => {
    const { client } = connect({ suites: [suite], psk: new Uint8Array(16).fill(4) });
    expect(client.last("opened")).toBeUndefined();
    client.keep(client.connection.noReply(1));
    expect(client.last("closed")).toEqual({ type: "closed", reason, ...(alert !== undefined && { alert }) } as never);
  });

  test("no common suite", () => {
    const suite = { ...PSK_AES_128_CCM_8, id: 0xccac };
    const { client } = connect({ suites: [suite] });
    expect(client.last("closed")).toEqual({ type: "closed", reason: "alertFromPeer", alert: ALERTS.handshakeFailure });
  });

  test("an open connection is not closed by an alert that anybody can write", () => {
    const { client, server } = connect({});
    const header = { type: CONTENT_TYPE.alert, version: DTLS_1_2, epoch: 0, sequence: 99 };
    client.receive(encodeRecord(header, encodeAlert({ fatal: true, description: ALERTS.handshakeFailure })));
    expect(up(client, server, "still here")).toEqual(["still here"]);
  });

  test("takes no record twice", () => {
    const { client, server } = connect({});
    const record = server.connection?.seal(Buffer.from("once")) ?? NOTHING;
    client.receive(record.slice());
    client.receive(record);
    expect(client.received).toEqual(["once"]);
  });

  test("repeats its last flight when the server asks for it, also after a rest, until data has come", () => {
    const first = connect({});
    const server = newServer(1_200, first.server.options.sessions);
    const client = new Client({ resume: first.client.connection.session });
    const cookie = client.keep(client.connection.start()).flatMap((each) => server.receive(each));
    const flight = cookie.flatMap((each) => client.receive(each)).flatMap((each) => server.receive(each));
    const lost = flight.flatMap((each) => client.receive(each));
    expect([client.connection.at, lost.length, server.connection?.at]).toEqual(["open", 1, "finishedAwaited"]);
    client.connection.rest();
    const again = server.keep(server.connection?.noReply(5) ?? []);
    exchange(
      client,
      server,
      again.flatMap((each) => client.receive(each)),
    );
    expect(server.connection?.at).toBe("open");
    down(client, server, "hello");
    expect(client.received).toEqual(["hello"]);
  });

  test(`random and changed datagrams end in MalformedError or nothing (seed ${fuzzSeed})`, () => {
    for (let round = 0; round < 2_000; round++) {
      const server = newServer();
      const client = new Client({ connectionId: random.flip() ? OWN_ID : undefined });
      const hello = client.keep(client.connection.start());
      let flying = hello.flatMap((each) => server.receive(each));
      for (let turn = 0; turn < 3 && flying.length > 0; turn++) {
        const datagrams = flying.map((each) => each.slice());
        const changed = random.oneOf(datagrams);
        changed[random.below(changed.length)] = random.below(256);
        flying = [random.bytes(random.below(40)), ...datagrams].flatMap((each) => answersOf(client, each));
        flying = flying.flatMap((each) => server.receive(each));
      }
    }
  });
});

function answersOf(client: Client, datagram: Uint8Array): Uint8Array[] {
  try {
    return client.receive(datagram);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return [];
  }
}
