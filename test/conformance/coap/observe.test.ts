import { describe, expect, test } from "bun:test";
import type { CoapHandlers } from "../../../src/access/coap/coap-endpoint";
import type { Peer } from "../../../src/access/datagram/peer";
import { OPTIONS } from "../../../src/wire/coap";
import { bytesOf, hex, lockstep, textOf } from "./lockstep";

type Verdict = ReturnType<CoapHandlers["notification"]>;

/** A layer above that keeps its observations by token. */
function observer(verdict: (token: string) => Verdict = () => "taken") {
  const got: { from: Peer; token: string; messageId: number; observe: number | undefined; payload: string }[] = [];
  const step = lockstep({
    handlers: {
      notification(from, view) {
        const token = view.token().toHex();
        const observe = view.uint(OPTIONS.observe.number);
        got.push({ from, token, messageId: view.messageId, observe, payload: textOf(view.payload()) });
        return verdict(token);
      },
    },
  });
  return { got, ...step };
}

test("RFC 7641 figure 3: registration, its response, a notification", async () => {
  const { endpoint, peer, got } = observer(() => "acknowledge");
  const server = peer();
  const outcome = endpoint.request(server, { method: "get", path: ["temperature"], observe: 0, token: hex("4a") });
  const bytes = server.takeBytes();
  const id = bytes.subarray(2, 4).toHex();
  expect(bytes.toHex()).toBe(hex(`41 01 ${id} 4a 60 5b 74656d7065726174757265`).toHex());
  server.say(`61 45 ${id} 4a 61 09 81 0f ff 31382e3520 43656c`);
  expect(await outcome).toMatchObject({
    ...{ kind: "response", response: { observe: 9, maxAgeSeconds: 15, payload: bytesOf("18.5 Cel") } },
  });
  server.say("51 45 7b50 4a 61 10 81 0f ff 31392e3220 43656c");
  server.expectNothing();
  expect(got).toMatchObject([{ token: "4a", observe: 16, payload: "19.2 Cel" }]);
});

test("the uplink of LwM2M (nb-iot.md 3): NON, CON, and the ACK of the CON", () => {
  const { endpoint, peer, got } = observer();
  const device = peer();
  device.say("54 45 0101 8f1e22c0 61 02 61 2a ff 00001701");
  device.say("44 45 0102 8f1e22c0 61 03 61 2a ff 00001702");
  device.expectNothing();
  endpoint.acknowledge(device, 0x0102);
  device.expect("60 00 0102");
  expect(got.map(({ observe, messageId }) => [observe, messageId])).toEqual([
    [2, 0x0101],
    [3, 0x0102],
  ]);
});

describe("a taken notification", () => {
  const NOTIFICATION = "44 45 0102 8f1e22c0 61 03 ff 01";

  test("is told once while it is under way, and acknowledged again when it comes again", async () => {
    const { endpoint, peer, got, clock } = observer();
    const device = peer(1, 17);
    device.say(NOTIFICATION);
    await clock.advance(3_000);
    device.say(NOTIFICATION);
    device.expectNothing();
    endpoint.acknowledge(device, 0x0102);
    device.expect("60 00 0102");
    for (let copy = 0; copy < 3; copy++) {
      await clock.advance(10_000);
      device.say(NOTIFICATION);
      device.expect("60 00 0102");
    }
    expect(got).toHaveLength(1);
    await clock.advance(250_000);
    device.say(NOTIFICATION);
    expect(got).toHaveLength(2);
  });

  test("is new again when it was not stored", () => {
    const { endpoint, peer, got } = observer();
    const device = peer();
    device.say(NOTIFICATION);
    endpoint.forget(device, 0x0102);
    device.expectNothing();
    device.say(NOTIFICATION);
    expect(got).toHaveLength(2);
    endpoint.acknowledge(device, 0x0102);
    device.expect("60 00 0102");
    device.say(NOTIFICATION);
    device.expect("60 00 0102");
    expect(got).toHaveLength(2);
  });

  test("can be asked for, by whoever has it come from another address", () => {
    let verdict: Verdict = "taken";
    const { endpoint, peer } = observer(() => verdict);
    const [device, other] = [peer(1), peer(2)];
    expect(endpoint.hasTaken(device, 0x0102)).toBe(false);
    device.say(NOTIFICATION);
    expect([endpoint.hasTaken(device, 0x0102), endpoint.hasTaken(other, 0x0102)]).toEqual([true, false]);
    endpoint.forget(device, 0x0102);
    expect(endpoint.hasTaken(device, 0x0102)).toBe(false);
    device.say(NOTIFICATION);
    endpoint.acknowledge(device, 0x0102);
    expect(endpoint.hasTaken(device, 0x0102)).toBe(true);
    verdict = "unknown";
    other.say(NOTIFICATION);
    other.expect("70 00 0102");
    expect(endpoint.hasTaken(other, 0x0102)).toBe(false); // rejected is not taken
  });

  test("of somebody who is vouched for meanwhile is still his", () => {
    const { endpoint, peer, got } = observer();
    const device = peer();
    device.say(NOTIFICATION);
    endpoint.vouch(device);
    device.say(NOTIFICATION);
    endpoint.acknowledge(device, 0x0102);
    device.say(NOTIFICATION);
    device.expect("60 00 0102");
    device.expect("60 00 0102");
    expect(got).toHaveLength(1);
  });

  test("of a peer in a session is known at its next address", () => {
    const { endpoint, got } = observer();
    const sent: string[] = [];
    const session = (port: number): Peer => ({
      ...{
        key: "session 7",
        deviceNo: 17,
        address: "203.0.113.5",
        port,
        send: (bytes) => sent.push(`${port} ${bytes.toHex()}`),
      },
    });
    endpoint.receive(session(1), hex(NOTIFICATION));
    endpoint.acknowledge(session(1), 0x0102);
    endpoint.receive(session(2), hex(NOTIFICATION));
    expect([got.length, sent]).toEqual([1, ["1 60000102", "2 60000102"]]);
  });
});

describe("a notification with a token that nobody knows", () => {
  test("is rejected, CON or NON (RFC 7641 §3.6), each copy", () => {
    const { peer, got } = observer(() => "unknown");
    const device = peer();
    for (const type of ["44", "54"]) {
      device.say(`${type} 45 01${type} 8f1e22c0 61 02 ff 01`);
      device.say(`${type} 45 01${type} 8f1e22c0 61 02 ff 01`);
      device.expect(`70 00 01${type}`);
      device.expect(`70 00 01${type}`);
    }
    expect(got).toHaveLength(2);
  });

  test("is rejected without asking when a critical option is not understood", () => {
    const { peer, got } = observer();
    const device = peer();
    device.say("44 45 0001 8f1e22c0 d1 fc 01");
    device.expect("70 00 0001");
    device.say("54 45 0002 8f1e22c0 d1 fc 01");
    device.expectNothing();
    expect(got).toEqual([]);
  });
});

test("a notification overtakes the response to its registration: it is the response", async () => {
  const { endpoint, peer, got } = observer();
  const device = peer();
  const outcome = endpoint.request(device, { method: "get", path: ["a"], observe: 0, token: hex("4a") });
  const { messageId } = device.take();
  device.say("51 45 0001 4a 61 03 ff 32");
  expect(await outcome).toMatchObject({ response: { observe: 3, payload: bytesOf("2") } });
  device.say({
    ack: true,
    code: "2.05",
    messageId,
    token: Buffer.from(hex("4a")),
    options: [{ name: "Observe", value: Buffer.of(2) }],
  });
  device.say("51 45 0002 4a 61 04 ff 33");
  expect(got.map(({ observe }) => observe)).toEqual([4]);
});

test("a handler that throws loses nothing: the notification is new when it comes again", () => {
  let calls = 0;
  const { peer, endpoint, faults } = observer(() => {
    if (++calls === 1) throw new Error("a bug");
    return "taken";
  });
  const device = peer();
  device.say("44 45 0102 8f1e22c0 61 03 ff 01");
  device.expectNothing();
  device.say("44 45 0102 8f1e22c0 61 03 ff 01");
  endpoint.acknowledge(device, 0x0102);
  device.expect("60 00 0102");
  expect([calls, faults]).toEqual([2, ["coapFault a bug"]]);
});

test("an observation ends with Observe 1, answered without the option (§3.6)", async () => {
  const { endpoint, peer } = observer();
  const device = peer();
  const outcome = endpoint.request(device, { method: "get", path: ["a"], observe: 1, token: hex("4a") });
  const bytes = device.takeBytes();
  expect(bytes.subarray(4).toHex()).toBe(hex("4a 61 01 51 61").toHex());
  device.say(`61 45 ${bytes.subarray(2, 4).toHex()} 4a ff 31`);
  expect(await outcome).toMatchObject({ response: { observe: undefined } });
});
