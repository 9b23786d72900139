import { expect, test } from "bun:test";
import { MalformedError } from "../malformed-error";
import { fuzzSeed, Random } from "../testing/random";
import {
  CONTENT_FORMAT,
  decodeDeviceObjects,
  decodeDiscovery,
  decodeLinks,
  decodeNode,
  decodeSamples,
  encodeNode,
  parseRegistration,
  renderLinks,
} from ".";
import { decodeCbor } from "./cbor-decode";
import { encodeCbor } from "./cbor-encode";
import { randomNode, typeById } from "./testing/random-node";

const { text, cbor, tlv, json, senmlJson, senmlCbor, opaque } = CONTENT_FORMAT;
const TREES = { tlv, json, senmlJson, senmlCbor };
const SINGLES = { text, cbor };

test(`random nodes survive every format (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 1_500; round++) {
    const { path, node } = randomNode(random);
    const root = random.oneOf(["/", "/lwm2m"]);
    const formats = "value" in node ? { ...TREES, ...SINGLES } : TREES;
    for (const [name, format] of Object.entries(formats)) {
      const decoded = decodeNode(format, path, encodeNode(format, path, node, root), typeById, root);
      expect({ name, path, decoded }).toEqual({ name, path, decoded: node });
    }
  }
});

test(`random bytes are malformed or a node (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 20_000; round++) decodeEverywhere(random, random.bytes(random.below(40)));
});

test(`mutated payloads are malformed or a node (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 4_000; round++) {
    const { path, node } = randomNode(random);
    const format = random.oneOf(Object.values(TREES));
    const bytes = encodeNode(format, path, node).slice();
    if (bytes.length > 1_000) continue;
    for (let n = 0; n <= random.below(3); n++) {
      bytes[random.below(bytes.length)] = random.oneOf([0, 0x22, 0x7f, 0x80, 0xff, random.below(256)]);
    }
    attempt(bytes, () => decodeNode(format, path, bytes, typeById));
    attempt(bytes, () => decodeSamples(format, path, bytes.subarray(0, random.below(bytes.length + 1)), typeById));
  }
});

const LINKS = `</>;rt="oma.lwm2m";ct="110 112",</1/0>,</3/0>;pmin=10,</10>;ver="1.1",</10/2>,</x>;t="a\\"b,<;",</5/0/3>;dim=2`;

test(`mutated links are malformed or links (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 20_000; round++) {
    const bytes = new TextEncoder().encode(LINKS);
    for (let n = 0; n <= random.below(4); n++) {
      bytes[random.below(bytes.length)] = random.oneOf([...'<>";,=/\\ 1', "\0"]).charCodeAt(0);
    }
    attempt(bytes, () => {
      const links = decodeLinks(bytes);
      expect(decodeLinks(new TextEncoder().encode(renderLinks(links)))).toEqual(links);
    });
    attempt(bytes, () => decodeDeviceObjects(bytes));
    attempt(bytes, () => decodeDiscovery([3], bytes));
  }
});

test(`random queries are malformed or a registration (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  const pieces = ["ep", "lt", "b", "Q", "lwm2m", "sms", "=", "1.0", "UQ", "", "86400", "-1", "urn:imei:1", "\0", "é"];
  for (let round = 0; round < 20_000; round++) {
    const queries = Array.from({ length: random.below(6) }, () =>
      Array.from({ length: 1 + random.below(4) }, () => random.oneOf(pieces)).join(""),
    );
    attempt(queries, () => parseRegistration(queries));
  }
});

test(`random CBOR is malformed or can be written again (seed ${fuzzSeed})`, () => {
  const random = new Random(fuzzSeed);
  for (let round = 0; round < 40_000; round++) {
    const bytes = random.bytes(1 + random.below(20));
    attempt(bytes, () => {
      const value = decodeCbor(bytes);
      expect(decodeCbor(encodeCbor(value))).toEqual(value);
    });
  }
});

function decodeEverywhere(random: Random, bytes: Uint8Array): void {
  const path = [3, 0, random.below(20), random.below(3)].slice(0, 1 + random.below(4));
  for (const format of [...Object.values(TREES), text, cbor, opaque]) {
    attempt(bytes, () => decodeNode(format, path, bytes, typeById));
    attempt(bytes, () => decodeSamples(format, path, bytes, () => undefined));
  }
}

function attempt(input: unknown, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof MalformedError) return;
    throw new Error(input instanceof Uint8Array ? input.toHex() : JSON.stringify(input), { cause: error });
  }
}
