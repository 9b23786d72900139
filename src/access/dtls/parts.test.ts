import { describe, expect, test } from "bun:test";
import { createSealer, type Sealer } from "../../platform/secrets";
import { manualClock } from "../../platform/testing/manual-clock";
import { CIPHER_SUITES, type DtlsSession, EMPTY_WINDOW, isReplay, MAX_SEQUENCE, sessionKeys } from "../../wire/dtls";
import { Random } from "../../wire/testing/random";
import { cookieSecrets } from "./cookie-secrets";
import { fromMark, mergeWindows, NOTHING_ACKNOWLEDGED, toMark } from "./merge-windows";
import { pskLookUp } from "./psk-login";
import { addressKey, connectionKey, sessionRoutes } from "./routes";
import { keyMark, openSession, sealSession } from "./sealed-session";
import { SEQUENCE_SPAN, sequenceRange } from "./sequence-space";

const sealer = createSealer(new Uint8Array(32).fill(1));

describe("sequenceRange", () => {
  test.each([
    [
      "the same process goes on exactly",
      { generation: 5, nextSequence: 17 },
      5,
      { start: 17, limit: 17 + SEQUENCE_SPAN },
    ],
    [
      "the next one leaves out all that the last may have used",
      { generation: 5, nextSequence: 17 },
      6,
      { start: 17 + SEQUENCE_SPAN, limit: 17 + 2 * SEQUENCE_SPAN },
    ],
    [
      "so for every process in between",
      { generation: 5, nextSequence: 0 },
      8,
      { start: 3 * SEQUENCE_SPAN, limit: 4 * SEQUENCE_SPAN },
    ],
    ["no room is left", { generation: 5, nextSequence: MAX_SEQUENCE - SEQUENCE_SPAN + 1 }, 5, undefined],
    [
      "a generation that went back: two processes, or a restored file",
      { generation: 5, nextSequence: 1 },
      4,
      undefined,
    ],
  ])("%s", (_name, stored, generation, expected) => {
    expect(sequenceRange(stored, generation)).toEqual(expected);
  });
});

describe("mergeWindows", () => {
  const stored = { top: 10, low: 0b101, high: 0 };
  test("what was stored last is exact", () => {
    expect(mergeWindows(stored, { top: 10, late: false })).toEqual(stored);
    expect(mergeWindows(stored, NOTHING_ACKNOWLEDGED)).toEqual(stored);
    expect(mergeWindows(EMPTY_WINDOW, NOTHING_ACKNOWLEDGED)).toEqual(EMPTY_WINDOW);
  });
  test("what was acknowledged later counts as seen up to there", () => {
    const merged = mergeWindows(stored, { top: 12, late: false });
    const seen = Array.from({ length: 15 }, (_, number) => isReplay(merged, number));
    expect(seen).toEqual(Array.from({ length: 15 }, (_, number) => number <= 12));
  });
  test("one that had been overtaken and was acknowledged later is nowhere else, so all before it count as seen", () => {
    const merged = mergeWindows(stored, { top: 10, late: true });
    expect([isReplay(merged, 9), isReplay(merged, 3), isReplay(merged, 11)]).toEqual([true, true, false]);
    expect(mergeWindows(stored, { top: 9, late: true })).toEqual(stored); // older than what was stored
  });
  test("what is known of it is one number on disk, which grows with it", () => {
    const known = [NOTHING_ACKNOWLEDGED, { top: 0, late: false }, { top: 0, late: true }, { top: 2 ** 48, late: true }];
    const marks = known.map(toMark);
    expect(marks.toSorted((a, b) => a - b)).toEqual(marks);
    expect(marks.map(fromMark)).toEqual(known);
  });
});

describe("routes", () => {
  test("keys of addresses and ids do not collide", () => {
    const keys = [
      addressKey("1.2.3.4", 5),
      addressKey("1.2.3.4", 6),
      addressKey("4.3.2.1", 5),
      addressKey("255.255.255.255", 65_535),
      addressKey("2001:db8::1", 5),
      addressKey("2001:db8::1", 6),
      addressKey("::1", 5),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys[3]).toBe(2 ** 48 - 1);
    expect(connectionKey(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))).toBe(2 ** 48 - 1);
    expect(connectionKey(Uint8Array.of(1, 2, 3, 4, 5, 6))).toBe(0x010203040506);
  });

  test("a place belongs to the last one that took it, and only its holder gives it up", () => {
    const routes = sessionRoutes();
    const route = { connectionId: undefined, address: "1.2.3.4", port: 5 };
    expect([routes.add(route, 1), routes.add(route, 2), routes.add(route, 2)]).toEqual([undefined, 1, undefined]);
    routes.remove(route, 1);
    expect(routes.ofAddress(addressKey("1.2.3.4", 5))).toBe(2);
    routes.remove(route, 2);
    expect([routes.holder(route), routes.size]).toEqual([undefined, 0]);
  });
});

describe("a sealed session", () => {
  const random = new Random(3);
  const sessions = CIPHER_SUITES.map((suite, at): DtlsSession => {
    const masterSecret = random.bytes(48);
    return {
      suite,
      masterSecret,
      keys: sessionKeys(suite, masterSecret, { client: random.bytes(32), server: random.bytes(32) }),
      sessionId: random.bytes(32),
      identity: random.bytes(at * 64),
      extendedMasterSecret: at !== 1,
      encryptThenMac: at === 2,
      ownConnectionId: at === 0 ? undefined : random.bytes(6),
      peerConnectionId: at === 1 ? random.bytes(255) : undefined,
    };
  });
  test("comes back as it was", () => {
    for (const session of sessions) {
      const mark = keyMark("0a0B");
      const sealed = sealSession(sealer, 7, { session, keyMark: mark });
      expect(openSession(sealer, 7, session.sessionId, sealed)).toEqual({ session, keyMark: keyMark("0A0b") });
    }
  });
  test("opens for nobody else, and shows nothing", () => {
    const [session] = sessions;
    if (!session) throw new Error("none");
    const sealed = sealSession(sealer, 7, { session, keyMark: keyMark("00") });
    expect(() => openSession(sealer, 8, session.sessionId, sealed)).toThrow(/not sealed/);
    expect(() => openSession(sealer, 7, new Uint8Array(32), sealed)).toThrow(/not sealed/);
    expect(Buffer.from(sealed).includes(Buffer.from(session.masterSecret))).toBe(false);
  });
});

describe("pskLookUp", () => {
  const devices = new Map([
    ["861234500000017", { no: 1, isSecure: true, psk: "aa" }],
    ["urn:imei:861234500000018", { no: 2, isSecure: true, psk: "bb" }],
    ["plain", { no: 3, isSecure: false, psk: "cc" }],
  ]);
  function watched() {
    const calls: string[] = [];
    const counted: Sealer = {
      seal: sealer.seal,
      open: (sealed, context) => {
        calls.push("unseal");
        return sealer.open(sealed, context);
      },
    };
    const lookUp = pskLookUp(
      {
        loginByEndpoint(candidates) {
          const found = candidates.flatMap((nodeId) => {
            const device = devices.get(nodeId);
            calls.push(device ? "hit" : "miss");
            return device ? [{ kind: "found", ...device, nodeId }] : [];
          });
          return (found[0] ?? { kind: "unknown" }) as never;
        },
        pskOf(no) {
          calls.push("psk");
          const found = [...devices.values()].find((device) => device.no === no);
          if (found) calls.push("unseal"); // as the device service does
          return found?.psk;
        },
      },
      counted,
    );
    return { lookUp, calls };
  }

  test.each([
    ["861234500000017", { deviceNo: 1, pskHex: "aa", refusal: undefined }],
    ["urn:imei:861234500000017", { deviceNo: 1, pskHex: "aa", refusal: undefined }],
    ["861234500000018", { deviceNo: 2, pskHex: "bb", refusal: undefined }],
    ["plain", { deviceNo: 3, pskHex: "cc", refusal: "device_not_secure" }],
    ["nobody", undefined],
    ["", undefined],
  ])("%p", (identity, expected) => {
    expect(watched().lookUp(identity)).toEqual(expected);
  });

  test("does the same for everybody", () => {
    const { lookUp, calls } = watched();
    const work = (identity: string) => {
      calls.length = 0;
      lookUp(identity);
      return [...calls].sort();
    };
    work("861234500000017"); // from the first device on there is somebody to look up instead
    for (const identity of ["861234500000017", "861234500000018", "861234500000019"])
      expect(work(identity)).toEqual(["hit", "miss", "miss", "psk", "unseal"]);
    for (const identity of ["plain", "nobody", ""]) expect(work(identity)).toEqual(["hit", "miss", "psk", "unseal"]);
  });

  test("unseals something also before it has seen anybody", () => {
    const { lookUp, calls } = watched();
    lookUp("nobody");
    expect(calls).toContain("unseal");
  });
});

test("a cookie secret is good for one to two lifetimes", async () => {
  const clock = manualClock();
  const random = new Random(1);
  const secrets = cookieSecrets(clock, (length) => random.bytes(length), 1_000);
  const [first] = secrets();
  await clock.advance(999);
  expect(secrets()[0]).toBe(first);
  await clock.advance(1);
  expect(secrets()[1]).toBe(first);
  await clock.advance(1_000);
  expect(secrets()).not.toContain(first);
  const [last] = secrets();
  await clock.advance(5_000);
  expect(secrets()).not.toContain(last); // nobody asked for a long time
});
