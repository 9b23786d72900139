/** `tick`: module and name of the import that is called. */
export type MeteredModule = {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly tick: { readonly module: string; readonly name: string };
};

/**
 * Rewrites a WebAssembly module so that every loop counts, and calls an imported function of type `() → f64` each
 * `period` turns. QuickJS asks for its time limit only between byte codes; its native loops (`indexOf` of an array-like
 * with 2^53 elements, naive searches in long strings) do not, and a thread inside WebAssembly cannot be ended from
 * outside. With this no loop is out of reach. Throws when the module has something that is not understood.
 */
export function meterLoops(wasm: Uint8Array, period: number): MeteredModule {
  const reader = new Reader(wasm);
  if (reader.uint32() !== 0x6d736100 || reader.uint32() !== 1) throw new Error("not a WebAssembly module, version 1");
  const sections: Section[] = [];
  while (!reader.atEnd) {
    const id = reader.byte();
    const size = reader.unsigned();
    sections.push({ id, body: reader.take(size) });
  }
  const body = (id: number) => sections.find((section) => section.id === id)?.body;
  const { tick, globals: importedGlobals } = readImports(body(IMPORTS), readTypes(body(TYPES)));
  const globals = new Reader(body(GLOBALS) ?? missing("global section"));
  const count = globals.unsigned();
  const counter = importedGlobals + count;
  const check = [
    ...[0x23, ...leb(counter), 0x41, 1, 0x6b, 0x24, ...leb(counter)], // counter = counter - 1
    ...[0x23, ...leb(counter), 0x45, 0x04, 0x40], // if counter = 0
    ...[0x41, ...signedLeb(period), 0x24, ...leb(counter)], // counter = period
    ...[0x10, ...leb(tick.index), 0x1a, 0x0b], // tick(), result dropped
  ];
  if (!body(CODE)) missing("code section");
  const out: Uint8Array[] = [wasm.subarray(0, 8)];
  for (const section of sections) {
    let bytes = section.body;
    if (section.id === GLOBALS)
      bytes = concat([leb(count + 1), globals.rest(), [0x7f, 0x01, 0x41, ...signedLeb(period), 0x0b]]);
    else if (section.id === CODE) bytes = meterCode(section.body, Uint8Array.from(check));
    out.push(concat([[section.id], leb(bytes.length), bytes]));
  }
  return { wasm: concat(out), tick: { module: tick.module, name: tick.name } };
}

type Section = { readonly id: number; readonly body: Uint8Array };
const TYPES = 1;
const IMPORTS = 2;
const GLOBALS = 6;
const CODE = 10;
const missing = (what: string): never => {
  throw new Error(`the module has no ${what}`);
};

/** For each type: is it `() → f64`? */
function readTypes(body: Uint8Array | undefined): boolean[] {
  const reader = new Reader(body ?? missing("type section"));
  return Array.from({ length: reader.unsigned() }, () => {
    if (reader.byte() !== 0x60) throw new Error("a type that is no function");
    const params = reader.take(reader.unsigned());
    const results = reader.take(reader.unsigned());
    return params.length === 0 && results.length === 1 && results[0] === 0x7c;
  });
}

type Tick = MeteredModule["tick"] & { readonly index: number };

function readImports(body: Uint8Array | undefined, isTick: readonly boolean[]): { tick: Tick; globals: number } {
  const reader = new Reader(body ?? missing("import section"));
  let functions = 0;
  let globals = 0;
  let tick: Tick | undefined;
  for (let left = reader.unsigned(); left > 0; left--) {
    const module = reader.text();
    const name = reader.text();
    const kind = reader.byte();
    if (kind === 0) {
      if (isTick[reader.unsigned()]) tick ??= { module, name, index: functions };
      functions++;
    } else if (kind === 1) {
      reader.byte();
      reader.limits();
    } else if (kind === 2) reader.limits();
    else if (kind === 3) {
      reader.take(2);
      globals++;
    } else throw new Error(`an import of kind ${kind}`);
  }
  return { tick: tick ?? missing("import of type () → f64"), globals };
}

function meterCode(body: Uint8Array, check: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  const count = reader.unsigned();
  const out: (Uint8Array | number[])[] = [leb(count)];
  for (let index = 0; index < count; index++) {
    const metered = meterFunction(reader.take(reader.unsigned()), check);
    out.push(leb(metered.length), metered);
  }
  return concat(out);
}

function meterFunction(code: Uint8Array, check: Uint8Array): Uint8Array {
  const reader = new Reader(code);
  for (let locals = reader.unsigned(); locals > 0; locals--) {
    reader.unsigned();
    reader.byte();
  }
  const out: Uint8Array[] = [];
  let copied = 0;
  while (!reader.atEnd) {
    const opcode = reader.byte();
    reader.skipImmediates(opcode);
    if (opcode !== 0x03) continue; // loop
    out.push(code.subarray(copied, reader.at), check);
    copied = reader.at;
  }
  return copied === 0 ? code : concat([...out, code.subarray(copied)]);
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get atEnd(): boolean {
    return this.at >= this.#bytes.length;
  }
  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error("the module ends too early");
    return byte;
  }
  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new Error("the module ends too early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
  text(): string {
    return new TextDecoder().decode(this.take(this.unsigned()));
  }
  rest(): Uint8Array {
    return this.#bytes.subarray(this.at);
  }
  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return a + (b << 8) + (c << 16) + d * 2 ** 24;
  }
  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  skipLeb(): void {
    while (this.byte() >= 0x80);
  }
  limits(): void {
    const flags = this.byte();
    this.skipLeb();
    if (flags & 1) this.skipLeb();
  }

  /** WebAssembly core specification, 5.4, with the extensions that Emscripten emits (sign, saturation, bulk memory). */
  skipImmediates(opcode: number): void {
    if (opcode >= 0x45 && opcode <= 0xc4) return; // numeric
    if (opcode >= 0x28 && opcode <= 0x3e) {
      this.skipLeb(); // memory access: alignment, offset
      this.skipLeb();
      return;
    }
    switch (opcode) {
      case 0x00: // unreachable
      case 0x01: // nop
      case 0x05: // else
      case 0x0b: // end
      case 0x0f: // return
      case 0x1a: // drop
      case 0x1b: // select
      case 0xd1: // ref.is_null
        return;
      case 0x02: // block
      case 0x03: // loop
      case 0x04: // if
      case 0x0c: // br
      case 0x0d: // br_if
      case 0x10: // call
      case 0x20: // locals, globals and tables
      case 0x21:
      case 0x22:
      case 0x23:
      case 0x24:
      case 0x25:
      case 0x26:
      case 0x3f: // memory.size
      case 0x40: // memory.grow
      case 0x41: // i32.const
      case 0x42: // i64.const
      case 0xd0: // ref.null
      case 0xd2: // ref.func
        this.skipLeb();
        return;
      case 0x11: // call_indirect
        this.skipLeb();
        this.skipLeb();
        return;
      case 0x0e: // br_table
        for (let labels = this.unsigned(); labels >= 0; labels--) this.skipLeb();
        return;
      case 0x1c: // select with types
        this.take(this.unsigned());
        return;
      case 0x43:
        this.take(4);
        return;
      case 0x44:
        this.take(8);
        return;
      case 0xfc:
        this.#skipExtended(this.unsigned());
        return;
      default:
        throw new Error(`the instruction 0x${opcode.toString(16)}`);
    }
  }

  #skipExtended(operation: number): void {
    if (operation <= 7) return; // saturating truncation
    const two = [8, 10, 12, 14]; // init and copy
    if (operation > 17) throw new Error(`the instruction 0xfc ${operation}`);
    this.skipLeb();
    if (two.includes(operation)) this.skipLeb();
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

/** Of a number that is not negative. */
function signedLeb(value: number): number[] {
  const bytes = leb(value);
  const last = bytes.at(-1) as number;
  return last & 0x40 ? [...bytes.slice(0, -1), last | 0x80, 0] : bytes;
}

function concat(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
