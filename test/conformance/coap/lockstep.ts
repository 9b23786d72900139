/**
 * An endpoint with a test in place of the network and of the layer above: bytes in, exactly these bytes out, in lockstep.
 * Bytes are written by hand, or with coap-packet, so that no mistake of our codec can hide behind itself.
 */
import { expect } from "bun:test";
import { generate, type NamedOption, type Option, type Packet, type ParsedPacket, parse } from "coap-packet";
import type { CoapHandlers } from "../../../src/access/coap/coap-endpoint";
import { createCoapEndpoint } from "../../../src/access/coap/create-coap-endpoint";
import { COAP_DEFAULTS, type CoapSettings } from "../../../src/access/coap/settings";
import type { Peer } from "../../../src/access/datagram/peer";
import { createMetrics } from "../../../src/platform/metrics";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import { seededRandom } from "../../../src/platform/testing/seeded-random";

export const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));
export const toHex = (bytes: Uint8Array) => bytes.toHex();
export const bytesOf = (text: string) => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
export const pattern = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

/** An unsigned number as an option has it. */
export function uint(value: number): Buffer {
  const text = value === 0 ? "" : value.toString(16);
  return Buffer.from(text.length % 2 === 0 ? text : `0${text}`, "hex");
}
/** As the RFC writes it: 2:1/0/128 is `block("Block2", 1, 0, 128)`. */
export const block = (name: "Block1" | "Block2", num: number, more: 0 | 1, size: number): NamedOption => ({
  name,
  value: uint(num * 16 + more * 8 + Math.log2(size) - 4),
});
export const path = (text: string): NamedOption[] =>
  text.split("/").map((segment) => ({ name: "Uri-Path", value: Buffer.from(segment) }));
export const numberOf = (message: ParsedPacket, name: string): number | undefined => {
  const option = message.options.find((it) => it.name === name);
  return option && (option.value.length === 0 ? 0 : option.value.readUIntBE(0, option.value.length));
};
/** `1:2/0/128`, or undefined. */
export function blockOf(message: ParsedPacket, name: "Block1" | "Block2"): string | undefined {
  const value = numberOf(message, name);
  return value === undefined ? undefined : `${name.at(-1)}:${value >> 4}/${(value >> 3) & 1}/${2 ** ((value & 7) + 4)}`;
}
export const typeOf = ({ confirmable, ack, reset }: ParsedPacket) =>
  confirmable ? "con" : ack ? "ack" : reset ? "rst" : "non";

export class RawPeer implements Peer {
  readonly key: string;
  readonly deviceNo: number | undefined;
  readonly address = "203.0.113.5";
  readonly port: number;
  readonly received: Uint8Array[] = [];
  readonly #deliver: (peer: Peer, datagram: Uint8Array) => void;

  constructor(deliver: (peer: Peer, datagram: Uint8Array) => void, port: number, deviceNo: number | undefined) {
    this.#deliver = deliver;
    this.port = port;
    this.key = `203.0.113.5:${port}`;
    this.deviceNo = deviceNo;
  }

  send(datagram: Uint8Array): void {
    this.received.push(datagram.slice());
  }

  /** The buffer is spoilt behind it: whoever kept a view of it will be found out. */
  say(datagram: string | Uint8Array | (Omit<Packet, "options"> & { options?: (Option | NamedOption)[] })): void {
    const bytes =
      typeof datagram === "string"
        ? hex(datagram)
        : datagram instanceof Uint8Array
          ? datagram.slice()
          : new Uint8Array(generate(datagram as Packet, 70_000));
    this.#deliver(this, bytes);
    bytes.fill(0xee);
  }

  /** The next datagram it got, as bytes. */
  takeBytes(): Uint8Array {
    const datagram = this.received.shift();
    if (!datagram) throw new Error("nothing was sent");
    return datagram;
  }

  take(): ParsedPacket {
    return parse(Buffer.from(this.takeBytes()));
  }

  expect(bytes: string): void {
    expect(toHex(this.takeBytes())).toBe(toHex(hex(bytes)));
  }

  expectNothing(): void {
    expect(this.received.map(toHex)).toEqual([]);
  }
}

export type Lockstep = ReturnType<typeof lockstep>;

export function lockstep(
  given: { handlers?: Partial<CoapHandlers>; settings?: Partial<CoapSettings>; seed?: number } = {},
) {
  const clock = manualClock();
  const random = seededRandom(given.seed ?? 1);
  const faults: string[] = [];
  const metrics = createMetrics();
  const endpoint = createCoapEndpoint({
    handlers: {
      request: () => ({ code: 0x84 }),
      notification: () => "unknown",
      ...given.handlers,
    },
    clock,
    random: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (event, fields) =>
        void faults.push(`${event} ${fields?.error instanceof Error ? fields.error.message : ""}`),
    },
    metrics,
    // The small memories make a test start quickly.
    settings: { ...COAP_DEFAULTS, knownDuplicates: 4_096, strangerDuplicates: 4_096, ...given.settings },
  });
  const count = (name: string, labels = "") =>
    Number(new RegExp(`^${name}${labels.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(metrics.render())?.[1] ?? 0);
  return {
    endpoint,
    clock,
    faults,
    count,
    open: (what: string) => count("islet_coap_open", `{what="${what}"}`),
    peer: (port = 56_830, deviceNo?: number) => new RawPeer(endpoint.receive, port, deviceNo),
  };
}
