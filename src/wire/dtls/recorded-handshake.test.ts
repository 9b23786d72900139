import { describe, expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { alertName, decodeAlert } from "./alert";
import { cipherSuiteById } from "./cipher-suite";
import { decodeFragments, encodeFragment, HANDSHAKE_TYPE } from "./handshake";
import { readClientExtensions, readHelloExtensions } from "./hello-extensions";
import * as messages from "./messages";
import { extendedMasterSecret, pskPremasterSecret, sessionKeys, verifyData } from "./prf";
import { HandshakeReassembler } from "./reassembly";
import { CONTENT_TYPE, type DtlsRecord, decodeDatagram, encodeRecord } from "./record";
import { createRecordProtection, type RecordProtection } from "./record-protection";
import { hex } from "./testing/hex";
import * as recorded from "./testing/recorded-handshakes";
import { type Transcript, transcriptHash, withMessage } from "./transcript";

const psk = hex(recorded.RECORDED_PSK);
const RECODE: Record<number, (body: Uint8Array) => Uint8Array> = {
  [HANDSHAKE_TYPE.clientHello]: (body) => messages.encodeClientHello(messages.decodeClientHello(body)),
  [HANDSHAKE_TYPE.serverHello]: (body) => messages.encodeServerHello(messages.decodeServerHello(body)),
  [HANDSHAKE_TYPE.helloVerifyRequest]: (body) =>
    messages.encodeHelloVerifyRequest(messages.decodeHelloVerifyRequest(body)),
  [HANDSHAKE_TYPE.serverKeyExchange]: (body) =>
    messages.encodeServerKeyExchange(messages.decodeServerKeyExchange(body)),
  [HANDSHAKE_TYPE.clientKeyExchange]: (body) =>
    messages.encodeClientKeyExchange(messages.decodeClientKeyExchange(body)),
};

describe.each([...recorded.RECORDED_HANDSHAKES])("$name", ({ suite: suiteId, masterSecret, datagrams }) => {
  const suite = cipherSuiteById(suiteId);
  if (suite === undefined) throw new Error(`no suite ${suiteId}`);

  test("gives the same keys, Finished messages and contents as OpenSSL", () => {
    let transcript: Transcript = [];
    let client: messages.ClientHello | undefined;
    let server: messages.ServerHello | undefined;
    let master = new Uint8Array(0) as Uint8Array;
    const protection: { client?: RecordProtection; server?: RecordProtection } = {};
    const inside: [from: string, what: string][] = [];

    for (const [from, record, bytes] of records(datagrams)) {
      if (record.epoch === 0 && record.type === CONTENT_TYPE.handshake) {
        for (const fragment of decodeFragments(record.fragment)) {
          const message = { type: fragment.type, sequence: fragment.sequence, body: fragment.part };
          transcript = withMessage(transcript, message);
          const { body } = message;
          if (message.type === HANDSHAKE_TYPE.clientHello) client = messages.decodeClientHello(body);
          if (message.type === HANDSHAKE_TYPE.serverHello) server = messages.decodeServerHello(body);
          if (message.type !== HANDSHAKE_TYPE.clientKeyExchange) continue;
          const { identity } = messages.decodeClientKeyExchange(body);
          expect(Buffer.from(identity).toString()).toBe(recorded.RECORDED_IDENTITY);
          if (!client || !server) throw new Error("no hellos before the key exchange");
          expect(server.cipherSuite).toBe(suiteId);
          expect(readClientExtensions(client)).toMatchObject({ extendedMasterSecret: true, secureRenegotiation: true });
          const { encryptThenMac } = readHelloExtensions(server.extensions);
          master = extendedMasterSecret(pskPremasterSecret(psk), transcriptHash(transcript));
          expect(master.toHex()).toBe(masterSecret);
          const keys = sessionKeys(suite, master, { client: client.random, server: server.random });
          protection.client = createRecordProtection(suite, keys.client, { encryptThenMac });
          protection.server = createRecordProtection(suite, keys.server, { encryptThenMac });
        }
      } else if (record.epoch === 1) {
        const opened = protection[from]?.open(record);
        if (opened === undefined) throw new Error(`record ${record.sequence} of the ${from} did not open`);
        const { type, content } = opened;
        expect(decodeDatagram(reseal(protection[from], record, content))[0]?.fragment.length).toBe(
          record.fragment.length,
        );
        if (suite.cipher === "ccm8") expect(reseal(protection[from], record, content).toHex()).toBe(bytes);
        if (type === CONTENT_TYPE.handshake) {
          const [fragment] = decodeFragments(content);
          if (fragment === undefined) throw new Error("no Finished");
          const finished = verifyData(master, from, transcriptHash(transcript));
          expect(messages.decodeFinished(fragment.part).verifyData).toEqual(finished);
          transcript = withMessage(transcript, { ...fragment, body: fragment.part });
          inside.push([from, "finished"]);
        } else if (type === CONTENT_TYPE.alert) {
          inside.push([from, alertName(decodeAlert(content).description)]);
        } else {
          inside.push([from, Buffer.from(content).toString()]);
        }
      }
    }
    expect(inside).toEqual([
      ["client", "finished"],
      ["server", "finished"],
      ["client", recorded.RECORDED_UPLINK],
      ["server", recorded.RECORDED_DOWNLINK],
      ["client", "closeNotify"],
      ["server", "closeNotify"],
    ]);
  });

  test("messages and records decode and encode to the same bytes, and are malformed when cut anywhere", () => {
    for (const [, record, bytes] of records(datagrams)) {
      expect(encodeRecord(record, record.fragment).toHex()).toBe(bytes);
      if (record.epoch > 0 || record.type !== CONTENT_TYPE.handshake) continue;
      const fragments = decodeFragments(record.fragment);
      expect(Buffer.concat(fragments.map(encodeFragment)).toString("hex")).toBe(record.fragment.toHex());
      for (const { type, part } of fragments) {
        const recode = RECODE[type];
        if (recode === undefined) continue;
        expect(recode(part)).toEqual(part);
        for (let cut = 0; cut < part.length; cut++) {
          if (isHelloWithoutExtensions(type, part, cut)) continue;
          expect(() => recode(part.subarray(0, cut))).toThrow(MalformedError);
        }
      }
    }
  });

  test("cut anywhere, a datagram is malformed or has fewer records", () => {
    for (const [, text] of datagrams) {
      const bytes = hex(text);
      const whole = decodeDatagram(bytes).length;
      for (let cut = 1; cut < bytes.length; cut++) {
        try {
          expect(decodeDatagram(bytes.subarray(0, cut)).length).toBeLessThan(whole);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }
    }
  });
});

test("the recorded messages come out of a reassembler in order", () => {
  const [handshake] = recorded.RECORDED_HANDSHAKES;
  const reassembler = new HandshakeReassembler(0);
  const types: number[] = [];
  for (const [from, record] of records(handshake?.datagrams ?? [])) {
    if (from !== "server" || record.type !== CONTENT_TYPE.handshake || record.epoch > 0) continue;
    for (const fragment of decodeFragments(record.fragment)) reassembler.push(fragment);
    for (let message = reassembler.next(); message; message = reassembler.next()) types.push(message.type);
  }
  expect(types).toEqual([3, 2, 12, 14, 4]);
});

function* records(datagrams: recorded.RecordedHandshake["datagrams"]) {
  for (const [from, text] of datagrams) {
    for (const record of decodeDatagram(hex(text))) {
      const bytes = record.header.toHex() + record.fragment.toHex(); // before it is decrypted in place
      yield [from, record, bytes] as const;
    }
  }
}

function reseal(protection: RecordProtection | undefined, record: DtlsRecord, content: Uint8Array): Uint8Array {
  const { type, epoch, sequence } = record;
  return protection?.seal({ type, epoch, sequence, content }) ?? new Uint8Array(0);
}

/** A hello may end before its extensions. */
function isHelloWithoutExtensions(type: number, part: Uint8Array, cut: number): boolean {
  if (type === HANDSHAKE_TYPE.clientHello) {
    const hello = messages.decodeClientHello(part);
    return cut === messages.encodeClientHello({ ...hello, extensions: undefined }).length;
  }
  if (type !== HANDSHAKE_TYPE.serverHello) return false;
  return cut === messages.encodeServerHello({ ...messages.decodeServerHello(part), extensions: undefined }).length;
}
