import { expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { fuzzSeed, Random } from "../testing/random";
import { checkChangeCipherSpec, decodeAlert } from "./alert";
import { CIPHER_SUITES } from "./cipher-suite";
import { decodeFragments, encodeFragment, HANDSHAKE_TYPE } from "./handshake";
import { HANDSHAKE_SETTINGS } from "./handshake-state";
import { readClientExtensions, readHelloExtensions } from "./hello-extensions";
import * as messages from "./messages";
import { HandshakeReassembler } from "./reassembly";
import { CONTENT_TYPE, decodeDatagram } from "./record";
import { createRecordProtection } from "./record-protection";
import { ServerConnection } from "./server-connection";
import { hex } from "./testing/hex";
import { RECORDED_HANDSHAKES, RECORDED_PSK } from "./testing/recorded-handshakes";

const ID_LENGTH = 6;
const DATAGRAMS = RECORDED_HANDSHAKES.flatMap(({ datagrams }) => datagrams.map(([, bytes]) => hex(bytes)));
const PROTECTIONS = CIPHER_SUITES.flatMap((suite) =>
  [true, false].map((encryptThenMac) =>
    createRecordProtection(
      suite,
      { macKey: new Uint8Array(32), key: new Uint8Array(16), salt: new Uint8Array(suite.saltLength) },
      { encryptThenMac },
    ),
  ),
);

test(`random datagrams are malformed and nothing else (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 5_000; round++) receive(random.bytes(random.below(100)));
});

test(`mutated datagrams are malformed and nothing else (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  let understood = 0;
  for (let round = 0; round < 10_000; round++) {
    const bytes = random.oneOf(DATAGRAMS).slice();
    const mutations = 1 + random.below(3);
    for (let n = 0; n < mutations; n++) {
      bytes[random.below(bytes.length)] = random.oneOf([0, 25, 0x80, 0xff, random.below(256)]);
    }
    if (receive(bytes)) understood++;
    receive(bytes.subarray(0, 1 + random.below(bytes.length)));
  }
  expect(understood).toBeGreaterThan(1_000); // or the mutations never came past the record header
});

test(`mutated handshake bodies are malformed and nothing else (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const bodies = DATAGRAMS.flatMap((datagram) => decodeDatagram(datagram))
    .filter(({ type, epoch }) => type === CONTENT_TYPE.handshake && epoch === 0)
    .flatMap(({ fragment }) => decodeFragments(fragment));
  for (let round = 0; round < 10_000; round++) {
    const { type, part } = random.oneOf(bodies);
    const body = part.slice();
    body[random.below(body.length)] = random.oneOf([0, 1, 0xff, random.below(256)]);
    orMalformed(body, () => decodeBody(type, body));
    const cut = body.subarray(0, random.below(body.length));
    orMalformed(cut, () => decodeBody(type, cut));
  }
});

test(`a connection survives mutated datagrams, in a handshake and after it (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  let closed = 0;
  for (let round = 0; round < 300; round++) {
    const recorded = random.oneOf(RECORDED_HANDSHAKES).datagrams.filter(([from]) => from === "client");
    const connection = new ServerConnection(
      { ...HANDSHAKE_SETTINGS, maxDatagramBytes: 1_200 },
      () => hex(RECORDED_PSK),
      {
        facts: {
          random: new Uint8Array(32),
          newSessionId: new Uint8Array(32),
          newConnectionId: new Uint8Array(ID_LENGTH),
          resumable: undefined,
        },
        helloSequence: 1,
        recordSequence: 1,
      },
    );
    for (const [, text] of recorded) {
      const bytes = hex(text);
      if (random.below(3) === 0) bytes[random.below(bytes.length)] = random.oneOf([0, 1, 0xff, random.below(256)]);
      orMalformed(bytes, () => {
        for (const record of decodeDatagram(bytes, ID_LENGTH)) connection.receive(record);
      });
    }
    connection.noReply(1);
    if (connection.at === "closed") closed++;
    expect(connection.at).not.toBe("open"); // the recorded Finished was made for another server's random bytes
  }
  expect(closed).toBeGreaterThan(100);
});

/** True if every layer understood it; records of a later epoch must be refused by all keys without a word. */
function receive(datagram: Uint8Array): boolean {
  return orMalformed(datagram, () => {
    const reassembler = new HandshakeReassembler(0);
    for (const record of decodeDatagram(datagram, ID_LENGTH)) {
      if (record.epoch > 0) {
        for (const protection of PROTECTIONS) expect(protection.open(record)).toBeUndefined();
      } else if (record.type === CONTENT_TYPE.alert) {
        decodeAlert(record.fragment);
      } else if (record.type === CONTENT_TYPE.changeCipherSpec) {
        checkChangeCipherSpec(record.fragment);
      } else if (record.type === CONTENT_TYPE.handshake) {
        for (const fragment of decodeFragments(record.fragment)) {
          encodeFragment(fragment);
          reassembler.push(fragment);
          for (let message = reassembler.next(); message; message = reassembler.next()) {
            decodeBody(message.type, message.body);
          }
        }
      }
    }
  });
}

function decodeBody(type: number, body: Uint8Array): void {
  switch (type) {
    case HANDSHAKE_TYPE.clientHello: {
      const hello = messages.decodeClientHello(body);
      messages.decodeHelloStart({ type, length: body.length, sequence: 0, offset: 0, part: body });
      readClientExtensions(hello);
      messages.encodeClientHello(hello);
      break;
    }
    case HANDSHAKE_TYPE.serverHello: {
      const hello = messages.decodeServerHello(body);
      readHelloExtensions(hello.extensions);
      messages.encodeServerHello(hello);
      break;
    }
    case HANDSHAKE_TYPE.helloVerifyRequest:
      messages.decodeHelloVerifyRequest(body);
      break;
    case HANDSHAKE_TYPE.serverKeyExchange:
      messages.decodeServerKeyExchange(body);
      break;
    case HANDSHAKE_TYPE.clientKeyExchange:
      messages.decodeClientKeyExchange(body);
      break;
    case HANDSHAKE_TYPE.finished:
      messages.decodeFinished(body);
      break;
  }
}

function orMalformed(bytes: Uint8Array, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw new Error(bytes.toHex(), { cause: error });
  }
}
