import type { Parameter, Product } from "../../products/product";
import type { CloudReq, Encoded } from "../codec";
import { parameterOf } from "./check-links";
import { type FieldTrace, hexOf } from "./decode-frames";
import type { FieldDefinition } from "./definition";
import { INTEGERS } from "./field-types";
import type { CommandFrame } from "./frame";
import { compileWriter, type FieldBytes, lengthBytes, Unwritable } from "./write-field";

type Writer = {
  readonly field: FieldDefinition;
  /** Of a length field: which field's bytes it counts. */
  readonly lengthOf: number;
  readonly write: FieldBytes;
};
type DownFrame = {
  readonly frame: CommandFrame;
  readonly writers: readonly Writer[];
  readonly carried: ReadonlySet<string>;
};

/** Writes commands. The frames have passed `checkMessages`. */
export function frameEncoder(frames: readonly CommandFrame[], product: Product, maxBytes: number) {
  const byCommand = new Map(
    frames.map((frame) => [keyOf(frame.message.serviceId, frame.message.command), compileFrame(frame, product)]),
  );

  function encode({ serviceId, cmd, paras, mid }: CloudReq, trace?: FieldTrace[]): Encoded {
    const down = byCommand.get(keyOf(serviceId, cmd));
    if (!down) return failed("message_unknown", `no message is linked to ${serviceId}.${cmd}`);
    const { frame, writers, carried } = down;
    for (const name in paras)
      if (!carried.has(name)) return failed("value_invalid", `${frame.name}: no field carries the parameter ${name}`);
    let field = "";
    try {
      const parts = writers.map(({ field: { name }, lengthOf, write }) => {
        field = name;
        return lengthOf < 0 ? write(paras, mid) : undefined;
      });
      let length = 0;
      const whole = parts.map((part, index) => {
        const { field: definition, lengthOf } = writers[index] as Writer;
        field = definition.name;
        const bytes = part ?? lengthBytes(definition, parts[lengthOf]?.length ?? 0);
        trace?.push({ field, offset: length, bytes: hexOf(bytes), value: shownValue(definition, bytes) });
        length += bytes.length;
        return bytes;
      });
      if (length > maxBytes) return failed("value_invalid", `${frame.name}: is longer than ${maxBytes} bytes`);
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const part of whole) {
        bytes.set(part, at);
        at += part.length;
      }
      return { kind: "bytes", bytes };
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error;
      return failed(error.reason, `${frame.name}.${field}: ${error.message}`);
    }
  }

  return {
    encode: (message: CloudReq) => encode(message),
    trace(message: CloudReq): { message: string | undefined; fields: FieldTrace[]; result: Encoded } {
      const fields: FieldTrace[] = [];
      const result = encode(message, fields);
      return { message: byCommand.get(keyOf(message.serviceId, message.cmd))?.frame.name, fields, result };
    },
  };
}

const keyOf = (serviceId: string, command: string) => JSON.stringify([serviceId, command]);
const failed = (reason: Unwritable["reason"], detail: string): Encoded => ({ kind: "failed", reason, detail });
/** What an integer field says, for showing it. */
const shownValue = ({ dataType }: FieldDefinition, bytes: Uint8Array): unknown =>
  INTEGERS[dataType] ? bytes.reduce((value, byte) => value * 256 + byte, 0) : hexOf(bytes);

function compileFrame(frame: CommandFrame, product: Product): DownFrame {
  const { fields } = frame;
  const carried = new Set<string>();
  const writers = fields.map((field): Writer => {
    let para: Parameter | undefined;
    if (field.link && "parameter" in field.link) {
      carried.add(field.link.parameter);
      para = parameterOf(product, frame, field.link.parameter);
    }
    const lengthOf = fields.findIndex(({ lengthField }) => lengthField === field.name);
    return { field, lengthOf, write: compileWriter(field, para) };
  });
  return { frame, writers, carried };
}
